"""A provider that goes on after the sign-in: re-provisioning, removal reports and push tokens, with validators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from offhook.core import accountxml, theme
from offhook.core.theme import Manifest, Theme
from offhook.core.webservice import Request, Response
from tests.world_portal import ADDRESS, World, account, xml_answer

BODY: Final = "cloud_id=DEMO&cloud_username=%account[cloud_username]%&cloud_password=%account[cloud_password]%"
AUTHENTICATED: Final = f"{BODY}&install_id=%account[X-install-id]%"
BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
AGAIN: Final = "<account><codecOrder>9</codecOrder></account>"
DIALS: Final = '<p><quickDial><item id="desk"><displayName>Front desk</displayName><uri>99</uri></item></quickDial></p>'


def life_keys(address: str = ADDRESS) -> dict[str, str]:
    """The definitions that a portal puts into the account."""
    reporting = f"{AUTHENTICATED}&selector=%selector%&installid=%installid%"
    return {
        "extProvUrl": f"{address}/prov/again",
        "extProvPostData": AUTHENTICATED,
        "extProvInterval": "3600",
        "extProvLogoutStatusCode": "410",
        "extGlobalProvUrl": f"{address}/prov/again/common",
        "extGlobalProvPostData": AUTHENTICATED,
        "extGlobalProvInterval": "7200",
        "accountRemovalReporterUrl": f"{address}/prov/removed",
        "accountRemovalReporterPostData": reporting,
        "pushTokenReporterUrl": f"{address}/prov/push-token",
        "pushTokenReporterPostData": f"{reporting}&pushToken=%pushToken%&incoming=%pushTokenIncomingCall%",
    }


class LivingWorld(World):
    """Each service has a revision: what is asked with the validators of the present one is answered 304."""

    def __init__(self, address: str = ADDRESS) -> None:
        super().__init__(address)
        self.base = msgspec.structs.replace(
            self.base,
            account={**self.base.account, **account(life_keys(address))},
            features={**self.base.features, "push": "1"},
        )
        self.revisions = dict.fromkeys(("base", "theme", "again", "common"), 1)
        # What the provider calls who typed something else.
        self.names: dict[str, str] = {}
        self.again, self.dials = "<account/>", "<p/>"
        self.account = self.account.replace("</account>", "<cloud_username>{username}</cloud_username></account>")

    def move(self, address: str) -> None:
        super().move(address)
        self.base = msgspec.structs.replace(self.base, account={**self.base.account, **account(life_keys(address))})

    def respond(self, request: Request) -> Response:
        name = urlsplit(request.url).path.rpartition("/")[2]
        if name in self.instead or name not in {"again", "common", "removed", "push-token", "base", "theme"}:
            return super().respond(request)
        if name in {"removed", "push-token"}:
            self.asked.append(request)
            return xml_answer("", 200)
        headers = {key.lower(): value for key, value in request.headers}
        validators = self.validators(name)
        if headers.get("if-none-match") == validators["etag"]:
            self.asked.append(request)
            return Response(304, validators)
        answer = super().respond(request)
        return answer if name in {"base", "theme"} else Response(200, {**answer.headers, **validators}, answer.body)

    def _provide(self, request: Request, name: str) -> Response:
        if name not in {"again", "common"}:
            answer = super()._provide(request, name)
            (username,) = parse_qs(urlsplit(request.url).query)["cloud_username"]
            return msgspec.structs.replace(
                answer, body=answer.body.replace(b"{username}", self.names.get(username, username).encode())
            )
        sent = parse_qs(request.body.decode(), keep_blank_values=True)
        assert sent["install_id"] == ["7D21"], sent
        assert sent["cloud_password"] == ["t0ken"], sent
        return xml_answer(self.again if name == "again" else self.dials)

    def etag(self, part: str, body: bytes) -> str:
        return self.validators(part)["etag"]

    def last_modified(self, part: str) -> str:
        return self.validators(part)["last-modified"]

    def validators(self, name: str) -> dict[str, str]:
        revision = self.revisions[name]
        when = format_datetime(BEGIN + timedelta(seconds=revision), usegmt=True)
        return {"etag": f'"{name}-{revision}"', "last-modified": when}

    def change_account(self, text: str = AGAIN) -> None:
        """The provider gives other settings."""
        self.again = text
        self.revisions["again"] += 1

    def change_dials(self, text: str = DIALS) -> None:
        """The provider gives other quick dials."""
        self.dials = text
        self.revisions["common"] += 1

    def change_base(self, **keys: str) -> None:
        """A new version is published."""
        base_ = self.base
        self.base = msgspec.structs.replace(
            base_, version=base_.version + 1, account={**base_.account, **account(keys)}
        )
        self.revisions["base"] += 1

    def change_theme(self, name: str) -> None:
        """A new theme is published."""
        self.theme = theme.pack(Theme(Manifest(name)))
        self.revisions["theme"] += 1

    def said(self, name: str) -> list[dict[str, str]]:
        """The forms that were sent to a service."""
        asked = (one for one in self.asked if urlsplit(one.url).path.endswith(f"/{name}"))
        return [{key: values[0] for key, values in parse_qs(one.body.decode()).items()} for one in asked]


def refusal(status: int, message: str = "", **headers: str) -> Response:
    """An answer that is no success."""
    body = accountxml.write_error(message).encode() if message else b""
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
