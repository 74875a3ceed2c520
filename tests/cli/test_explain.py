"""`offhook explain`: what a person and what a program is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from offhook.cli.explain import app
from offhook.core.secret import Secret
from offhook.provider.change import Change
from offhook.provider.subscriber import Override
from offhook.provider.tenant import Credential, Tenant
from offhook.wiring import administration

SIP_PASSWORD = "45F4BF5F0E191F5DCC27"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with administration(tmp_path) as desk:
        template = "<account><title>{name}</title><dtmf>info</dtmf></account>"
        desk.tenants.put(Tenant("EXAMPLE", template=template, credential=Credential.SIP))
        change = Change(
            attributes={"username": "B63349F4EE", "name": "John [bold]Dow"},
            secrets={"password": Secret(SIP_PASSWORD)},
            overrides={"dtmf": Override("audio"), "allowMessage": Override("0")},
        )
        desk.directory.add("EXAMPLE", "johndow", Secret("12345678"), change)
        desk.make_app("EXAMPLE")
    return tmp_path


def explain(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data", str(data)])


def test_a_person_sees_each_key_with_its_reason(data: Path) -> None:
    """One line a key, below it what was beaten or kept out, and no secret."""
    result = explain(data, "JohnDow@example")

    rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert rows[0] == "Key Value Layer Why"
    assert "title John [bold]Dow template The template says so, with {name} of this user." in rows
    assert "EXAMPLE portal beaten: rank 10 (portal) gives way to rank 20 (template)" in rows
    assert "info template beaten: the layer user is laid over it" in rows
    assert "0 user kept out: needs the feature messaging, which this app does not have" in rows
    assert "password ******** SIP credentials The user's SIP password." in rows
    assert SIP_PASSWORD not in result.output


def test_a_program_gets_the_same(data: Path) -> None:
    """One object with all lines, each with its layer, reason, and what did not count."""
    result = explain(data, "johndow@EXAMPLE", "--json")

    told: dict[str, Any] = msgspec.json.decode(result.stdout)
    lines = {line["key"]: line for line in told["lines"]}
    assert told["user"] == "johndow@EXAMPLE"
    assert lines["dtmf"]["value"] == "audio"
    assert lines["dtmf"]["beaten"][0]["layer"] == "template"
    assert lines["allowMessage"]["layer"] == ""
    assert lines["username"]["value"] == "B63349F4EE"
    assert SIP_PASSWORD not in result.output


@pytest.mark.parametrize(
    ("who", "code", "text"),
    [
        ("nobody@EXAMPLE", 4, "nobody"),
        ("johndow@NOWHERE", 4, "NOWHERE"),
        ("@EXAMPLE", 2, "names nobody"),
        ("johndow", 2, "johndow"),
    ],
)
def test_who_is_not_there_is_said_so(data: Path, who: str, code: int, text: str) -> None:
    """With the exit code of the kind of error, on the standard error."""
    result = explain(data, who)

    assert result.exit_code == code
    assert text in result.stderr
    assert result.stdout == ""


def test_how_the_app_calls_the_service_is_folded(data: Path) -> None:
    """One line stands for it, unless it is asked for; how often it does is shown, and a program gets all."""
    plainly, whole = explain(data, "johndow@EXAMPLE").stdout, explain(data, "johndow@EXAMPLE", "--all").stdout
    told = msgspec.json.decode(explain(data, "johndow@EXAMPLE", "--json").stdout)

    assert "extProvPostData" not in plainly
    assert "extProvInterval" in plainly
    assert "17 more keys say how the app calls this service; --all shows them" in plainly
    assert "extProvPostData" in whole
    assert "more keys" not in whole
    assert "extProvPostData" in [line["key"] for line in told["lines"]]


def test_one_key_alone(data: Path) -> None:
    """With what is noted of it; one that the user does not get may have been meant otherwise."""
    one = explain(data, "johndow@EXAMPLE", "--key", "dtmf", "--json")
    wrong = explain(data, "johndow@EXAMPLE", "--key", "dtfm")

    assert [line["key"] for line in msgspec.json.decode(one.stdout)["lines"]] == ["dtmf"]
    assert wrong.exit_code == 4
    assert "johndow@EXAMPLE gets no dtfm. Did you mean dtmf?" in " ".join(wrong.output.split())
