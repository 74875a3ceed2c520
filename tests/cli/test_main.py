"""The command itself: what it lists, what it says when something is missing, and what it needs to start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from offhook.cli.called import called
from offhook.cli.main import COMMANDS, app

OFFHOOK = Path(sys.executable).with_name("offhook")


def offhook(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(OFFHOOK), *words], capture_output=True, text=True, timeout=60, check=False)


def test_the_help_lists_every_command() -> None:
    """A newcomer finds all commands, each with a line."""
    shown = offhook("--help")

    assert shown.returncode == 0
    assert all(name in shown.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """Each command says what it does, without a data folder and without doing it."""
    shown = CliRunner().invoke(app, [name, "--help"], prog_name="offhook")

    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith(f"Usage: offhook {name}")


def test_an_unknown_command_is_a_misuse() -> None:
    """Exit code 2, and the way to the help."""
    ended = offhook("frobnicate")

    assert ended.returncode == 2
    assert "offhook --help" in ended.stderr


def test_the_version() -> None:
    """One line, for bug reports."""
    assert offhook("--version").stdout.startswith("offhook 0.")


def test_a_phone_starts_without_the_server_libraries() -> None:
    """Who installs the phone alone can use it; a server command names the extra that it needs."""
    without = (
        "import sys\n"
        "for name in ('sqlalchemy', 'alembic', 'granian', 'starlette', 'argon2', 'bcrypt'): sys.modules[name] = None\n"
        "from offhook.cli.main import run\n"
        "sys.argv = ['offhook', *sys.argv[1:]]\n"
        "run()\n"
    )

    phone, user = (
        subprocess.run([sys.executable, "-c", without, *words], capture_output=True, text=True, timeout=60, check=False)
        for words in (("phone", "--help"), ("user", "list", "X"))
    )

    assert phone.returncode == 0, phone.stderr
    assert user.returncode == 2
    assert "pip install 'offhook[server]'" in user.stderr


def every_command() -> Iterator[tuple[str, Any]]:
    """The commands at the ends of the tree, each with the words that call it."""
    root: Any = typer.main.get_command(app)
    waiting = [(name, root.get_command(None, name)) for name in COMMANDS]
    while waiting:
        words, command = waiting.pop(0)
        below = getattr(command, "commands", {})
        waiting += [(f"{words} {name}", each) for name, each in below.items()]
        if not below:
            yield words, command


def test_every_command_has_an_example() -> None:
    """Somebody who asks for help sees a line to begin with, and it calls this command."""
    without = [
        words for words, command in every_command() if f"offhook {words}" not in f"{command.help}\n{command.epilog}"
    ]

    assert not without


def test_a_misuse_is_json_for_a_program() -> None:
    """Also when the command line cannot be read at all."""
    ended = offhook("fleet", "--json")

    assert (ended.returncode, ended.stderr) == (2, "")
    assert json.loads(ended.stdout)["error"] == {
        "kind": "misused",
        "exit_code": 2,
        "message": "Missing option '--phones'.",
    }


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [("exit-codes",), ("exit-codes", "--json"), ("--help",), ("lint", "-", "--json")])
def test_a_full_disk_ends_a_command_in_order(words: tuple[str, ...]) -> None:
    """Exit code 1, and the reason."""
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [str(OFFHOOK), *words],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr == "Error: what is printed cannot be written: No space left on device\n"


def test_a_reader_who_has_gone() -> None:
    """Nothing is said about it, since a pipe into `head` means no harm."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([str(OFFHOOK), "exit-codes"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)

    assert (ended.returncode, ended.stderr) == (1, "")


def test_streams_that_are_closed() -> None:
    """A command without any of them does its work."""
    ended = subprocess.run(["sh", "-c", f"{OFFHOOK} exit-codes <&- >&- 2>&-"], check=False)

    assert ended.returncode == 0


@pytest.mark.parametrize("words", [("user", "list", "X"), ("portal-key",), ("app", "list"), ("explain", "ann@X")])
def test_a_mistyped_data_folder_is_not_made(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Who only looks, or changes what must be there already, is told that nothing is there."""
    folder = tmp_path / "mistyped"
    for_person, for_program = (
        CliRunner().invoke(app, [*words, "--data", str(folder), *more]) for more in ((), ("--json",))
    )

    assert (for_person.exit_code, for_program.exit_code) == (4, 4)
    assert f"There is no Offhook data in {folder}." in for_person.stderr
    assert json.loads(for_program.stdout)["error"]["kind"] == "not_found"
    assert not folder.exists()


@pytest.mark.parametrize("words", [("app", "list"), ("app", "create", "X")])
@pytest.mark.parametrize("name", ["x" * 256, "loop"])
def test_a_data_folder_that_cannot_be_looked_at(tmp_path: Path, words: tuple[str, ...], name: str) -> None:
    """A name that no disk has, or a link to itself, is said to be wrong, by all commands alike."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    told = CliRunner().invoke(app, [*words, "--data", str(tmp_path / name), "--json"])

    error = json.loads(told.stdout)["error"]
    assert error["kind"] == "misused"
    assert error["message"].startswith("--data: ")
    assert "cannot be used as the data folder" in error["message"]


@pytest.mark.parametrize(
    ("program", "found", "copied"),
    [
        ("/usr/bin/offhook", "/usr/bin/offhook", "offhook"),
        (".venv/bin/offhook", None, ".venv/bin/offhook"),
        ("/home/ann/project/.venv/bin/offhook", None, ".venv/bin/offhook"),
        ("/opt/it's/offhook", "/usr/bin/offhook", "'/opt/it'\"'\"'s/offhook'"),
        ("-c", None, "offhook"),
    ],
)
def test_how_it_was_called(program: str, found: str | None, copied: str) -> None:
    """A printed command can be copied, wherever the program lies."""
    if program == found:
        program = found = str(OFFHOOK)

    assert called(program, found, Path("/home/ann/project")) == copied
