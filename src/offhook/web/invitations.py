"""The page of an invitation: opens the app, and uses nothing up, whoever looks at it and however often."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import jinja2
import segno

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.provider.invitation import (
    EXPIRED,
    INVITATION_PATH,
    OLD,
    REVOKED,
    Invitation,
    Wording,
    app_link,
    read_token,
)
from offhook.provider.ports import Clock
from offhook.provider.sagas import Aside
from offhook.web.http import Answer, Call, Handler

QUIET_ZONE: Final = 4
ENGLISH: Final = "en"
_PAGES: Final = Path(__file__).parent / "pages"
_STYLE: Final = (_PAGES / "page.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
# Nothing of anybody else's, nothing that runs, in no frame; the address, which holds the token, is told to nobody.
HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_WHY: Final = {REVOKED: "revoked", OLD: "replaced", EXPIRED: "expired"}
_STATUS: Final = {"": 200, "unknown": 404, "unavailable": 503}


def endpoints(
    find: Callable[[Secret], Invitation | None], wording: Callable[[str], Wording], clock: Clock, aside: Aside
) -> dict[str, Handler]:
    """The handler by its path; `find` and `wording` wait for the database, and may raise Unavailable."""
    return {INVITATION_PATH: _Door(find, wording, clock, aside).page}


class _Door:
    """Looks an invitation up, and shows its page."""

    def __init__(
        self, find: Callable[[Secret], Invitation | None], wording: Callable[[str], Wording], clock: Clock, aside: Aside
    ) -> None:
        self._find, self._wording, self._clock, self._aside = find, wording, clock, aside
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_PAGES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
        )

    async def page(self, call: Call) -> Answer:
        """The page of the token in the path."""
        if call.method not in {"GET", "HEAD"}:
            return Answer(405, {"Allow": "GET, HEAD", "Cache-Control": "no-store"})
        typed = call.parameters.get("token", "")
        token = read_token(typed)
        if token is None:
            return self._answer(None, "unknown")
        try:
            found: Invitation | None = await self._aside(self._find, token)
            words: Wording | None = None if found is None else await self._aside(self._wording, found.cloud_id)
        except Unavailable as error:
            return self._answer(None, "unavailable", headers={"Retry-After": str(error.retry_after_s)})
        if found is None or words is None:
            return self._answer(None, "unknown")
        # Whether the phone that came with it may repeat is for the sign-in to say: nobody knows here which one this is.
        now_s = self._clock.now_s()
        begun = found.is_begun(now_s)
        why = found.objection(now_s, found.used_by if begun else None)
        if why:
            return self._answer(words, _WHY.get(why, "used"))
        return self._answer(words, "", _shown(found, words, typed) | {"begun": begun})

    def _answer(
        self,
        words: Wording | None,
        why: str,
        shown: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        known = {"app": words.app if words else "", "support": words.support if words else ""}
        language = words.language if words and (_PAGES / words.language).is_dir() else ENGLISH
        page = self._pages.get_template(f"{language}/invitation.html").render(
            {"begun": False, **known, **(shown or {}), "why": why, "style": _STYLE}
        )
        return Answer(_STATUS.get(why, 410), {**HEADERS, **(headers or {})}, page.encode())


def _shown(found: Invitation, words: Wording, typed: str) -> dict[str, Any]:
    link = app_link(found.cloud_id, found.username, Secret(typed), words.scheme).reveal()
    picture = io.BytesIO()
    segno.make_qr(link, error="m").save(
        picture,
        kind="svg",
        xmldecl=False,
        svgns=False,
        omitsize=True,
        border=QUIET_ZONE,
        light="#ffffff",
        title="QR code of the invitation",
    )
    return {
        "username": found.username,
        "cloud_id": found.cloud_id,
        "token": typed,
        "app_link": link,
        "until": said(found.expires_s),
        "code": picture.getvalue().decode(),
    }


def said(moment_s: int) -> str:
    """A time for people, to the minute."""
    moment = datetime.fromtimestamp(moment_s, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
