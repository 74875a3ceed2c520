"""The page of an invitation: opens the app, and uses nothing up, whoever looks at it and however often."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

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


class Aside(Protocol):
    """Does work beside the event loop."""

    async def __call__(self, work: Callable[..., Any], /, *arguments: Any) -> Any:  # noqa: ANN401 - whatever it gives
        """What the work gives."""


def endpoints(
    find: Callable[[Secret], Invitation | None], wording: Callable[[str], Wording], clock: Clock, aside: Aside
) -> dict[str, Handler]:
    """The handler by its path; `find` and `wording` wait for the database, and may raise Unavailable."""
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return {INVITATION_PATH: partial(_page, pages, find, wording, clock, aside)}


async def _page(
    pages: jinja2.Environment,
    find: Callable[[Secret], Invitation | None],
    wording: Callable[[str], Wording],
    clock: Clock,
    aside: Aside,
    call: Call,
) -> Answer:
    if call.method not in {"GET", "HEAD"}:
        return Answer(405, {"Allow": "GET, HEAD", "Cache-Control": "no-store"})
    typed = call.parameters.get("token", "")
    token = read_token(typed)
    if token is None:
        return _answer(pages, None, {}, "unknown")
    try:
        found: Invitation | None = await aside(find, token)
        words: Wording | None = None if found is None else await aside(wording, found.cloud_id)
    except Unavailable as error:
        return _answer(pages, None, {}, "unavailable", {"Retry-After": str(error.retry_after_s)})
    if found is None or words is None:
        return _answer(pages, None, {}, "unknown")
    # Whether the phone that came with it may repeat is for the sign-in to say: nobody knows here which one this is.
    begun = bool(found.used_s) and not found.activated_s
    why = found.objection(clock.now_s(), found.used_by if begun else None)
    if why:
        return _answer(pages, words, {}, _WHY.get(why, "used"))
    return _answer(pages, words, _shown(found, words, typed) | {"begun": begun})


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


def _answer(
    pages: jinja2.Environment,
    words: Wording | None,
    shown: Mapping[str, Any],
    why: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    known = {"app": words.app if words else "", "support": words.support if words else ""}
    language = words.language if words and (_PAGES / words.language).is_dir() else ENGLISH
    page = pages.get_template(f"{language}/invitation.html").render(
        {**known, **shown, "why": why, "style": _STYLE, "begun": shown.get("begun", False)}
    )
    return Answer(_STATUS.get(why, 410), {**HEADERS, **(headers or {})}, page.encode())
