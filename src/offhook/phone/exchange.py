"""One fetch on the wire: redirects followed and challenges met, by rules that keep a password where it was meant for.

The documents are silent about redirects. Ours: at most five; never from https to http; a body only goes again to the
same host, where the connection is no less safe than before; another host gets no header but the app's own and no
credentials. Digest answers any challenge, Basic only one that came over https or from this machine.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Generator
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx2
import msgspec

from offhook.core.webservice import Credentials, Request, is_loopback
from offhook.phone.commands import Answer, NoAnswer, Why

MAX_REDIRECTS: Final = 5
# What another host may see of a request: the app's own headers, which hold no secret.
OPEN_HEADERS: Final = frozenset({"connection", "cache-control", "user-agent"})

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD: Final = frozenset({307, 308})
_DIGEST: Final = re.compile(r"(?:^|,)\s*(digest\s.*)", re.IGNORECASE | re.DOTALL)
_BASIC: Final = re.compile(r"(?:^|,)\s*basic(?:\s|,|$)", re.IGNORECASE)

Exchange: TypeAlias = Generator[Request, Answer, Answer]


def exchange(request: Request) -> Exchange:
    """Send a request, and what its answers call for, until there is an answer to hand on."""
    for _ in range(MAX_REDIRECTS + 1):
        answer = yield request
        if not isinstance(answer, NoAnswer) and answer.status == 401:
            proven = _meet_challenge(request, answer.header("www-authenticate"))
            answer = (yield proven) if proven else answer
        if isinstance(answer, NoAnswer) or answer.status not in _REDIRECTS or not answer.header("location"):
            return answer
        following = _redirect(request, answer.status, answer.header("location"))
        if isinstance(following, NoAnswer):
            return following
        request = following
    return NoAnswer(Why.REDIRECT, f"more than {MAX_REDIRECTS} times")


def _redirect(request: Request, status: int, location: str) -> Request | NoAnswer:
    try:
        target = urlsplit(urljoin(request.url, location))
        near = _is_same_place(_place(urlsplit(request.url)), _place(target))
    except ValueError:
        return NoAnswer(Why.REDIRECT, "to something that is no address")
    if target.scheme not in {"http", "https"} or not target.hostname:
        return NoAnswer(Why.REDIRECT, "to something that is no web address")
    if urlsplit(request.url).scheme == "https" and target.scheme == "http":
        return NoAnswer(Why.REDIRECT, "from https to http")
    url = target._replace(netloc=target.netloc.rpartition("@")[2], fragment="").geturl()
    keeps_body = status in _KEEP_METHOD and bool(request.body)
    if keeps_body and not near:
        return NoAnswer(Why.REDIRECT, "to another host, which must not get the body")
    moved = msgspec.structs.replace(request, url=url)
    if not near:
        open_headers = tuple(header for header in request.headers if header[0].lower() in OPEN_HEADERS)
        moved = msgspec.structs.replace(moved, headers=open_headers, credentials=None)
    if status not in _KEEP_METHOD and request.method != "HEAD":
        bodiless = tuple(header for header in moved.headers if header[0].lower() != "content-type")
        moved = msgspec.structs.replace(moved, method="GET", body=b"", headers=bodiless)
    return moved


def _place(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _is_same_place(origin: tuple[str, str | None, int], target: tuple[str, str | None, int]) -> bool:
    """The same host, on the same port or moved up from http to https."""
    return origin == target or (origin[0], target[0], origin[1]) == ("http", "https", target[1])


def _meet_challenge(request: Request, challenge: str) -> Request | None:
    """The request with its proof of identity, or None when it has none for this challenge."""
    if request.credentials is None:
        return None
    if found := _DIGEST.search(challenge):
        proof = _digest(request, request.credentials, found.group(1))
    elif _BASIC.search(challenge) and _is_safe(request.url):
        pair = f"{request.credentials.username}:{request.credentials.password.reveal()}"
        proof = "Basic " + base64.b64encode(pair.encode("utf-8", "surrogatepass")).decode()
    else:
        return None
    return msgspec.structs.replace(request, headers=(*request.headers, ("Authorization", proof))) if proof else None


def _digest(request: Request, credentials: Credentials, challenge: str) -> str:
    """The header that answers a Digest challenge; empty when the challenge cannot be understood."""
    username = credentials.username.encode("utf-8", "surrogatepass")
    password = credentials.password.reveal().encode("utf-8", "surrogatepass")
    steps = httpx2.DigestAuth(username, password).auth_flow(httpx2.Request(request.method, request.url))
    next(steps)
    try:
        return steps.send(httpx2.Response(401, headers={"www-authenticate": challenge})).headers["authorization"]
    except (httpx2.ProtocolError, ValueError, NotImplementedError):
        # The library splits the challenge without looking, and does not do every kind of it.
        return ""


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")
