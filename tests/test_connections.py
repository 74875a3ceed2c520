"""The file of connections: what is said of it, and that nothing of it is shown that may be a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from httpx2 import InvalidURL

from offhook.connections import FILE, exposed
from offhook.core import address
from offhook.core.errors import Unavailable
from offhook.sip import jsonrpc
from tests.world_shell import Shell


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:hidden@pbx.example.com:8443/hidden?token=hidden", "https://pbx.example.com:8443"),
        ("http://[::1]/RPC", "http://[::1]"),
        ("http://[::1/hidden", "an address that is none"),
        ("http://x:99999/hidden", "an address that is none"),
        ("http://x y/hidden", "an address that is none"),
        ("https:///hidden", "an address that is none"),
    ],
)
def test_of_an_address_only_the_host_is_shown(url: str, shown: str) -> None:
    """A password may stand before it, and a token behind it."""
    assert address.shown(url) == shown
    assert "hidden" not in address.fault(url)


def test_an_address_that_cannot_be_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where only the library finds it out."""

    def odd(self: jsonrpc.Control, request: bytes) -> bytes:
        raise InvalidURL("hidden")

    monkeypatch.setattr(jsonrpc.Control, "_exchange", odd)

    with pytest.raises(Unavailable) as raised:
        jsonrpc.Control("http://127.0.0.1/hidden", 0.1).ask("core.info")

    assert raised.value.text == "Kamailio does not answer at http://127.0.0.1 (InvalidURL)."


def test_who_may_read_the_file(tmp_path: Path) -> None:
    """Everybody, unless its own rights or those of its folder keep them out."""
    file = tmp_path / FILE
    nothing = exposed(file)
    file.write_text("")

    def found(folder: int, rights: int) -> bool:
        tmp_path.chmod(folder)
        file.chmod(rights)
        return bool(exposed(file))

    assert nothing == ()
    assert [found(0o755, 0o644), found(0o755, 0o640), found(0o700, 0o644)] == [True, False, False]


def test_the_doctor_asks_all_that_are_named(tmp_path: Path) -> None:
    """Also before anybody has an account there; and tells of a file that all may read."""
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")
    folder = tmp_path / "data"
    system = (
        f'kind = "kamailio"\ndatabase = "sqlite:///{tmp_path}/none/hidden.sqlite"\ncontrol = "unix:{tmp_path}/none"'
    )
    directory = 'kind = "http"\nurl = "http://127.0.0.1:9/hidden"'
    (folder / FILE).write_text(f"[sip.berlin]\n{system}\n[upstream.crm]\n{directory}\n")
    (folder / FILE).chmod(0o644)
    folder.chmod(0o755)

    result = shell.types("doctor", "--json")

    found = {one["place"] for one in json.loads(result.stdout)}
    assert (result.exit_code, found) == (1, {"the file itself", "sip.berlin", "upstream.crm"})
    assert {one["check"] for one in json.loads(result.stdout)} == {"connections"}
