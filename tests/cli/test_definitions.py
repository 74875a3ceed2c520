"""`offhook definitions`: what an operator pastes into a portal."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from lxml import etree
from typer.testing import CliRunner, Result

from offhook.cli.definitions import app
from offhook.provider.definitions import account_keys, definitions
from offhook.provider.tenant import Tenant
from offhook.wiring import administration

URL = "https://prov.example.net"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with administration(tmp_path) as desk:
        desk.tenants.put(Tenant("EXAMPLE"))
    return tmp_path


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data", str(data)])


def test_lines_elements_and_json_say_the_same(data: Path) -> None:
    """Three forms of the same keys; the star of a Cloud ID makes no difference."""
    expected = definitions(Tenant("EXAMPLE"), URL) | account_keys(Tenant("EXAMPLE"), URL)

    lines = run(data, "example*", "--public-url", URL)
    elements = run(data, "EXAMPLE", "--public-url", URL, "--xml")
    json = run(data, "EXAMPLE", "--public-url", URL, "--json")

    pairs = (line.split(" = ", 1) for line in lines.stdout.splitlines())
    assert {key.strip(): value for key, value in pairs} == expected
    assert {node.tag: node.text for node in etree.fromstring(f"<x>{elements.stdout}</x>")} == expected
    assert msgspec.json.decode(json.stdout) == expected
    assert not lines.stderr


def test_an_address_without_encryption_is_warned_of(data: Path) -> None:
    """The definitions are printed, and the warning is beside them."""
    result = run(data, "EXAMPLE", "--public-url", "http://prov.example.net")

    assert result.exit_code == 0
    assert "asterisks" in result.stderr
    assert "asterisks" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["NOWHERE", "--public-url", URL], 4),
        (["EXAMPLE", "--public-url", "prov.example.net"], 5),
        (["EXAMPLE", "--public-url", URL, "--json", "--xml"], 2),
        (["EXAMPLE"], 2),
    ],
)
def test_what_cannot_be_is_said_so(data: Path, arguments: list[str], code: int) -> None:
    """Each kind of mistake has its exit code."""
    assert run(data, *arguments).exit_code == code
