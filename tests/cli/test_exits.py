"""How commands end: one code for each kind of error, and the same words for people and programs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import typer

from offhook.cli import exits
from offhook.cli.exits import Exit, Misused, brief, code_of, plain, print_object, reported
from offhook.core.errors import Conflict, Fault, Invalid, NotFound, OffhookError, Refused, TooMany, Unavailable
from offhook.phone.stopped import Stopped

ERRORS = [
    (OffhookError("Odd."), 1),
    (Misused("How?"), 2),
    (Refused("No."), 3),
    (NotFound("What?"), 4),
    (Invalid.at("host", "is odd"), 5),
    (Unavailable("Down."), 6),
    (TooMany("Wait.", 7), 7),
    (Conflict("Busy."), 8),
]


@pytest.mark.parametrize(("error", "code"), ERRORS)
def test_each_kind_has_its_code(error: OffhookError, code: int) -> None:
    """Also when it is why a conversation of the phone stopped; the table in the docstring knows each."""
    assert code_of(error) == code
    assert code_of(Stopped(error, "base")) == code
    assert re.search(rf"\b{code}  ", exits.__doc__ or "")


@pytest.mark.parametrize(("error", "code"), ERRORS)
def test_a_person_reads_the_text(error: OffhookError, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """On the standard error, with nothing on the standard output."""
    with pytest.raises(typer.Exit) as ended, reported():
        raise error

    said = capsys.readouterr()
    assert ended.value.exit_code == code
    assert (said.out, said.err) == ("", f"Error: {error.text}\n")


@pytest.mark.parametrize(("error", "code"), ERRORS)
def test_a_program_reads_an_object(error: OffhookError, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """One object on the standard output, beside what the command has to tell."""
    with pytest.raises(typer.Exit), reported(as_json=True, beside=lambda: {"steps": []}):
        raise error

    said = capsys.readouterr()
    told: dict[str, Any] = json.loads(said.out)
    assert said.err == ""
    assert told["steps"] == []
    assert told["error"]["exit_code"] == code
    assert told["error"]["message"] == error.text
    assert told["error"]["kind"] == Exit(code).name.lower()


def test_details_for_a_program() -> None:
    """Faults by place, when to come back, and where a conversation stopped."""
    assert exits.described(Invalid(Fault("a", "x"), Fault("b", "y")))["faults"] == [
        {"place": "a", "text": "x"},
        {"place": "b", "text": "y"},
    ]
    assert exits.described(TooMany("Wait.", 7))["retry_after_s"] == 7
    assert exits.described(Stopped(Refused("No."), "base", 403, "why")) == {
        "kind": "refused",
        "exit_code": 3,
        "message": "No.",
        "service": "base",
        "status": 403,
        "reason": "why",
    }


def test_details_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    """Every fault on its own line; the technical detail below; nothing steers the terminal."""
    with pytest.raises(typer.Exit), reported():
        raise Invalid(Fault("a", "x"), Fault("b", "\x1b[2Jy"))
    with pytest.raises(typer.Exit), reported():
        raise Stopped(Refused("No [bold]."), "base", 403, "why")

    said = capsys.readouterr().err
    assert said == "Error: a: x\nError: b: \\x1b[2Jy\nError: No [bold].\nbase answered 403: why\n"


def test_what_is_no_error_of_ours_passes() -> None:
    """A bug is not told as if it were an answer."""
    with pytest.raises(ZeroDivisionError), reported():
        raise ZeroDivisionError


def test_plain_text() -> None:
    """Letters of all scripts stay, what steers a terminal becomes visible."""
    assert plain("Zoë 📞 \t\x1b\u202e") == "Zoë 📞 \\x09\\x1b\\x202e"


def test_a_long_text_is_cut() -> None:
    """A server may fill a line, not a screen; what steers the terminal does not hide behind the cut."""
    assert brief("Zoë", 3) == "Zoë"
    assert brief("Zoës", 3) == "Zo…"
    assert brief("\x1b" * 500, 10) == "\\x1b\\x1b\\…"


def test_bytes_that_are_no_text_in_json(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """They come in as half of a pair, and go out as the escape that JSON has for it; all else is UTF-8."""
    print_object({"file": "Zoë\udcff"})

    said = capsysbinary.readouterr().out
    assert "Zoë\\udcff".encode() in said
    assert json.loads(said) == {"file": "Zoë\udcff"}
