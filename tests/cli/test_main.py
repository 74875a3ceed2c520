"""The command itself: what it lists, what it says when something is missing, and what it needs to start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

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
