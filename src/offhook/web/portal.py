"""The portal's face to phones: base, theme and screen of an app by its Cloud ID alone, for any cache to carry (D16)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from offhook.core import signing
from offhook.core.errors import Invalid, NotFound, Unavailable
from offhook.core.login import CloudId
from offhook.portal.base import Package, Part
from offhook.portal.ports import Clock
from offhook.portal.published import Published
from offhook.web import dates
from offhook.web.app import error_answer
from offhook.web.http import Answer, Call, Handler

# A cache may hand a Live version on for a minute, and for a day while we do not answer: its signature keeps it genuine.
LIVE_CACHING: Final = "public, max-age=60, stale-if-error=86400"
# Who tests an Editable wants to see the last change.
EDITABLE_CACHING: Final = "public, no-cache"
KEY_CACHING: Final = "public, no-cache"
# A 304 carries what may be news to a cache; the signature is that of the 200 which the cache has.
_IN_304: Final = ("ETag", "Last-Modified", "Cache-Control")


def endpoints(published: Published, key: Ed25519PublicKey, clock: Clock) -> dict[str, Handler]:
    """The handlers by their paths."""
    parts: dict[str, Handler] = {
        f"/portal/{{cloud_id}}/{part.value}": partial(_part, published, clock, part) for part in Part
    }
    return {"/portal/key": partial(_key, key), **parts}


async def _key(key: Ed25519PublicKey, call: Call) -> Answer:
    """The public key that apps pin."""
    if refusal := _wrong_method(call):
        return refusal
    headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": KEY_CACHING}
    return Answer(200, headers, f"{signing.public_text(key)}\n".encode())


async def _part(published: Published, clock: Clock, part: Part, call: Call) -> Answer:
    """A part of an app, or 304 when the caller has it."""
    if refusal := _wrong_method(call):
        return refusal
    try:
        cloud_id = CloudId.parse(call.parameters["cloud_id"])
        package = await published.part(cloud_id, part)
    except Invalid as error:
        return error_answer(400, error.text)
    except NotFound as error:
        return error_answer(404, error.text)
    except Unavailable as error:
        return error_answer(503, error.text, {"Retry-After": str(error.retry_after_s)})
    headers = {**package.headers, "Cache-Control": EDITABLE_CACHING if cloud_id.editable else LIVE_CACHING}
    if is_unchanged(call.headers, package, clock.now_s()):
        return Answer(304, {name: headers[name] for name in _IN_304})
    return Answer(200, headers, package.body)


def is_unchanged(headers: Mapping[str, str], package: Package, now_s: int) -> bool:
    """Whether the caller has this very content: If-None-Match decides, else If-Modified-Since (RFC 9110, 13.2.2).

    A date that we issued is compared for equality, any other as the RFC says. One from the future is in doubt, and a
    doubt is answered whole (D10).
    """
    if (tags := headers.get("if-none-match")) is not None:
        candidates = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return tags.strip() == "*" or package.etag in candidates
    since_s = dates.read(headers.get("if-modified-since", "")[:100])
    if since_s is None:
        return False
    return since_s == package.modified_s or package.modified_s < since_s <= now_s


def _wrong_method(call: Call) -> Answer | None:
    if call.method in {"GET", "HEAD"}:
        return None
    return error_answer(405, "Only GET and HEAD are possible here.", {"Allow": "GET, HEAD"})
