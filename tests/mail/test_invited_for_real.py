"""From the command to the phone: invited at a terminal, mailed by a mail server, opened as a page, signed in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trustme
from lxml import html

from offhook import wiring
from offhook.core.login import parse_link
from offhook.mail.settings import Security
from offhook.web.http import Answer, Call, Handler
from tests.mail.test_mail import receiving, text_of
from tests.world_shell import Shell

URL = "https://prov.example.net"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_who_is_invited_by_mail_signs_in(tmp_path: Path) -> None:
    """A server that is down at first delays the mail, which then goes out beside requests; codes go the same way."""
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")
    shell.does("onboarding", "invitation", "EXAMPLE")
    shell.does("app", "create", "EXAMPLE", "--name", "Lines & Co")
    shell.does("app", "publish", "EXAMPLE", "--yes")
    with receiving(trustme.CA(), tmp_path, Security.STARTTLS) as (box, settings):
        connect(tmp_path, port=1)
        late = shell.types("invite", "bob@EXAMPLE", "--mail", "bob@example.com")
        connect(tmp_path, port=settings.port)

        said = shell.does("invite", "ann@EXAMPLE", "--mail", "ann@example.com")
        refused = shell.tells("invite", "eve@EXAMPLE", "--mail", "nobody@example.com")

        (mail,) = box.mails
    (link,) = html.fromstring(text_of(mail, "html")).xpath("//a/@href")
    states = {one["username"]: one["state"] for one in shell.tells("invite", "list", "EXAMPLE")}
    with wiring.looking(tmp_path / "data") as (desk, handlers):
        assert "mail" in desk.elsewhere.chores()
        page = ask(handlers, Call("GET", "/", parameters={"token": link.rpartition("/")[2]}), "/invite/{token}")
        (app_link,) = html.fromstring(page.body.decode()).xpath("//a/@href")
        login = parse_link(app_link).login()
        sent = {
            "cloud_id": "EXAMPLE",
            "cloud_username": login.username,
            "cloud_password": login.password.reveal(),
            "installid": "phone-1",
        }
        answer = ask(handlers, Call("POST", "/prov", "", FORM, urlencode(sent).encode()), "/prov")
        again = ask(handlers, Call("GET", "/", parameters={"token": link.rpartition("/")[2]}), "/invite/{token}")

    assert "Mail: not sent yet" in late.stdout
    assert "Mail: sent" in said
    assert refused["mail"].startswith("not sent: The mail server refuses it: 550")
    assert states == {"ann": "mailed", "bob": "created", "eve": "undelivered"}
    assert mail["Subject"] == "Your invitation to Lines & Co"
    assert link.startswith(f"{URL}/invite/E1")
    assert (page.status, answer.status, again.status) == (200, 200, 410)
    assert shell.tells("invite", "show", "ann@EXAMPLE")["state"] == "activated"


def connect(folder: Path, port: int) -> None:
    (folder / "data" / "connections.toml").write_text(
        f'public_url = "{URL}"\n[mail]\nkind = "smtp"\nhost = "localhost"\nport = {port}\n'
        f'sender = "phones@example.com"\nca_file = "{folder / "ca.pem"}"\n'
    )


def ask(handlers: Mapping[str, Handler], call: Call, path: str) -> Answer:
    async def answered() -> Answer:
        return await handlers[path](call)

    return asyncio.run(answered())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('public_url = "ftp://x"\n', "public_url is not of the form"),
        ('[mail]\nkind = "smtp"\nhost = "h"\nsender = "a@b.example"\nsecurity = "ssl"\n', "security"),
    ],
)
def test_settings_that_cannot_be_meant_are_said(tmp_path: Path, text: str, why: str) -> None:
    """With the place in the file of connections."""
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")
    (tmp_path / "data" / "connections.toml").write_text(text)

    result = shell.types("invite", "list", "EXAMPLE")

    assert result.exit_code == 5
    assert why in result.stderr
