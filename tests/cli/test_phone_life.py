"""`offhook phone` after the sign-in: single steps, and a phone that runs."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from offhook.cli.phone_run import Commands, Panel, Typed
from offhook.phone import events
from offhook.phone.events import Event
from tests.cli.test_phone import COMMAND, ROOT, run, sign_in, told
from tests.phone.world_life import LivingWorld, refusal
from tests.world_portal import served


@pytest.fixture
def world() -> LivingWorld:
    return LivingWorld()


@pytest.fixture
def portal(world: LivingWorld) -> Iterator[str]:
    with served(world) as address:
        yield address


@pytest.fixture
def state(portal: str, tmp_path: Path) -> Path:
    assert sign_in(portal, tmp_path / "phone").exit_code == 0
    return tmp_path / "phone"


def codec(state: Path) -> str:
    keys = told(run("show", "--state", state, "--json"))["account"]
    return "".join(row["value"] for row in keys if row["key"] == "codecOrder")


def test_a_refresh(world: LivingWorld, state: Path) -> None:
    """The state, and the status of each service that was asked."""
    first = told(run("refresh", "--state", state, "--json"))
    second = told(run("refresh", "--state", state, "--json"))

    assert (first["state"], first["error"]) == ("running", None)
    assert first["status"] == {"account part": 200, "base": 304, "theme": 304, "global part": 200}
    assert second["status"] == dict.fromkeys(first["status"], 304)


def test_a_change_waits_between_commands(world: LivingWorld, state: Path) -> None:
    """A call that one command began keeps back what the next one found, until another ends it."""
    run("settings", "open", "--state", state)
    run("call", "start", "204", "--incoming", "--state", state)
    world.change_account()

    waiting = told(run("refresh", "--state", state, "--json"))
    assert (waiting["state"], codec(state)) == ("waiting for a safe moment", "0,8")
    run("call", "end", "--state", state)
    assert codec(state) == "0,8"
    done = run("settings", "close", "--state", state)

    assert "State: running." in done.stdout
    assert codec(state) == "9"
    history = told(run("show", "--state", state, "--json"))["history"]
    assert [(call["number"], call["incoming"]) for call in history] == [("204", True)]


@pytest.mark.parametrize(("status", "code"), [(503, 6), (429, 7), (403, 3)])
def test_a_refresh_that_fails_says_so(world: LivingWorld, state: Path, status: int, code: int) -> None:
    """With the words of the server and the exit code for what happened; the account stays."""
    world.instead["again"] = refusal(status, "Later.")

    done = run("refresh", "--state", state)

    assert done.exit_code == code
    assert "Later." in done.stderr
    assert codec(state) == "0,8"


def test_a_logout_and_a_return(portal: str, state: Path) -> None:
    """It waits for a call; then the phone is empty; the return brings back what is the user's."""
    run("edit", "theme", "dark", "--preference", "--state", state)
    run("dial", "add", "mum", "Mother", "100", "--state", state)
    run("call", "start", "204", "--state", state)
    assert told(run("logout", "--state", state, "--json"))["state"] == "waiting for a safe moment"

    done = told(run("call", "end", "--state", state, "--json"))

    assert (done["state"], done["status"]) == ("signed out", {"removal report": 200})
    assert run("show", "--state", state).exit_code == 4
    assert run("refresh", "--state", state).exit_code == 4
    assert run("run", "--state", state).exit_code == 4
    sign_in(portal, state)
    content = told(run("show", "--state", state, "--json"))
    assert "mum" in [item["id"] for item in content["quick_dials"]]
    assert [row["value"] for row in content["preferences"] if row["key"] == "theme"] == ["dark"]
    assert len(content["history"]) == 1


def test_a_forced_logout_shows_the_words(world: LivingWorld, portal: str, state: Path) -> None:
    """At once, and whenever somebody asks for the phone afterwards, as what was said then; until the next sign-in."""
    world.instead["again"] = refusal(410, "Your seat was given up.")

    done = run("refresh", "--state", state)

    assert done.exit_code == 0
    assert "Your seat was given up.\nState: signed out." in done.stdout
    said = "Nobody is signed in on this phone. The last sign-out came with these words: Your seat was given up."
    for words in ("show", "logout", "refresh", "run"):
        assert said in run(words, "--state", state).stderr

    del world.instead["again"]
    assert sign_in(portal, state).exit_code == 0
    assert run("logout", "--state", state).exit_code == 0
    assert "given up" not in run("show", "--state", state).stderr


def test_a_call_belongs_to_whoever_made_it(world: LivingWorld, portal: str, state: Path) -> None:
    """Who signs in during it has neither the call nor the open Settings; its own user finds it at the return."""
    world.passwords["bob"] = "b0b"
    run("call", "start", "555", "--state", state)
    run("settings", "open", "--state", state)
    sign_in(portal, state, text="bob@DEMO", password="b0b")

    ended = told(run("call", "end", "--state", state, "--json"))

    assert ended["state"] == "running"
    assert told(run("show", "--state", state, "--json"))["history"] == []
    sign_in(portal, state)
    history = told(run("show", "--state", state, "--json"))["history"]
    assert [call["number"] for call in history] == ["555"]


def test_an_app_that_is_closed_in_a_call_after_a_sign_out(state: Path) -> None:
    """The next command goes on with the call, and the logout waits for its end."""
    run("call", "start", "204", "--state", state)
    run("logout", "--state", state)

    assert told(run("settings", "open", "--state", state, "--json"))["state"] == "waiting for a safe moment"
    assert told(run("call", "end", "--state", state, "--json"))["state"] == "signed out"


def test_a_presence_that_cannot_be_read_is_none(state: Path) -> None:
    """The phone goes on as if it had just been started."""
    run("call", "start", "204", "--state", state)
    (state / "presence" / "presence.bin").write_bytes(b"rubbish")

    assert told(run("refresh", "--state", state, "--json"))["state"] == "running"


def started(state: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment}
    return subprocess.Popen(
        [*COMMAND, "run", *(options or ("--no-sip",)), "--state", str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout
    heard = ""
    deadline = time.monotonic() + 60
    for line in process.stdout:
        heard += line
        if words in line or time.monotonic() > deadline:
            break
    assert words in heard, heard
    return heard


def say(process: subprocess.Popen[str], *lines: str) -> None:
    assert process.stdin
    process.stdin.write("".join(f"{line}\n" for line in lines))
    process.stdin.flush()


def test_a_phone_that_runs(world: LivingWorld, state: Path) -> None:
    """It takes typed commands, one a line, and shows what comes of them."""
    with started(state) as process:
        until(process, "next check:")
        world.change_account()
        say(process, "call start 204", "refresh")
        until(process, "state: waiting for a safe moment")
        say(process, "call", "edit dtmfOrder info", 'dial mum "My mother" 100', "settings", "settings close")
        until(process, "account part: 304")
        say(process, "nonsense", "'", "", "settings open", "settings")
        until(process, "There are the commands")
        until(process, "cannot be read")
        say(process, "logout")
        until(process, "removal report: 200")
        until(process, "The phone is closed.")

    assert process.returncode == 0
    assert len(world.said("removed")) == 1


def test_what_is_not_the_users_is_refused_while_it_runs(state: Path) -> None:
    """With the reason, and the account stays."""
    with started(state) as process:
        until(process, "next check:")
        say(process, "edit password x")
        until(process, "password cannot be changed here")
        say(process, "quit")
        until(process, "The phone is closed.")


def test_lines_are_put_together() -> None:
    """From pieces of any size; a line that is too long is left out as a whole, and the next one counts."""
    typed = Typed()

    assert list(typed.lines(b"ref")) == []
    assert list(typed.lines(b"resh\ncall\nqu")) == ["refresh", "call"]
    assert list(typed.lines(b"x" * 70_000)) == []
    assert list(typed.lines(b"logout\nsettings\n")) == ["settings"]


@pytest.mark.parametrize("height", [12, 24])
def test_a_small_terminal(height: int) -> None:
    """The newest notes are kept, the older ones give way, and a line is left in which to type."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=height)
    panel = Panel(console)
    for number in range(20):
        panel.say(f"note {number} " + "and more words " * 8)

    lines = ["".join(part.text for part in line) for line in console.render_lines(panel.screen(), pad=False)]

    assert len(lines) < height
    assert any("note 19" in line for line in lines)
    assert any("Commands" in line for line in lines)


@pytest.mark.parametrize("how", ["quit", "SIGTERM"])
def test_a_phone_that_is_closed(state: Path, how: str) -> None:
    """It ends cleanly, and stays signed in."""
    with started(state) as process:
        until(process, "next check:")
        if how == "quit":
            say(process, "quit")
        else:
            process.send_signal(signal.SIGTERM)
        until(process, "The phone is closed.")

    assert process.returncode == 0
    assert codec(state) == "0,8"


def test_what_was_typed_is_answered() -> None:
    """Each command says what it does, and what it lacks: a call without a number is none."""
    said: list[str] = []
    happened: list[Event] = []
    commands = Commands(happened.append, lambda: None, said.append)

    for line in ("call start", "call", "call end", "settings", "call start 204", "call", "settings close"):
        commands.line(line)

    assert said == [
        "Say who is called: call start NUMBER",
        "Say who is called: call start NUMBER",
        "There is no call that could end.",
        "The Settings page is open.",
        "A call with 204 begins.",
        "The call is over.",
        "The Settings page is closed.",
    ]
    assert [event for event in happened if isinstance(event, events.CallBegan)] == [events.CallBegan("204")]


def test_answering_where_nobody_calls() -> None:
    """A phone that makes no calls says so; and what is hung up is the call that was noted."""
    said: list[str] = []
    commands = Commands(lambda event: None, lambda: None, said.append)

    for line in ("answer", "hangup", "call 204", "hangup"):
        commands.line(line)

    assert said == ["Nobody calls.", "There is no call that could end.", "A call with 204 begins.", "The call is over."]


def test_a_phone_that_does_not_register(state: Path, tmp_path: Path) -> None:
    """It lives all the same, and says why."""
    for options, environment, why in (
        (("--no-sip",), {}, "as --no-sip says"),
        (("--sip-listen", "127.0.0.1"), {"PATH": str(tmp_path)}, "that needs baresip"),
    ):
        with started(state, *options, **environment) as process:
            assert why in until(process, "SIP: provisioned; this phone does not register")
            until(process, "next check:")
            say(process, "call start 204", "quit")
            until(process, "A call with 204 begins.")
            until(process, "The phone is closed.")
        assert process.returncode == 0


@pytest.mark.parametrize("words", [("--sip-listen", "here"), ("--sip-ca", "/nonexistent/ca.pem")])
def test_sip_options_that_are_wrong(state: Path, words: tuple[str, str]) -> None:
    """They are refused, by name."""
    done = run("run", *words, "--state", state)

    assert done.exit_code == 2
    assert words[0] in done.stderr


def test_a_call_needs_a_number(state: Path) -> None:
    """To begin; what ends, the phone knows."""
    done = run("call", "start", "--state", state)

    assert done.exit_code == 2
    assert "offhook phone call start NUMBER" in done.stderr
