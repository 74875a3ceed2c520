"""What passes over the wire: a request as the library sends it, an answer cut at its limit, a failure in our words."""

from __future__ import annotations

import os
import ssl
import time
from functools import cache
from typing import Any, Final

import httpx2

from offhook.core.errors import Invalid
from offhook.core.webservice import Request, Response
from offhook.phone.commands import Answer, NoAnswer, Why

# Named, so that the library does not by itself send a name and password that stand in a URL.
NO_AUTH: Final = httpx2.Auth()
# UnicodeError: what Python itself says of a host name that no resolver takes.
FAILURES: Final = (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError)

# Where the library looks first for the authorities it trusts.
_AUTHORITIES: Final = "SSL_CERT_FILE"
_NO_REUSE: Final = httpx2.Limits(max_keepalive_connections=0)
_LOOPBACK: Final = ("all://localhost", "all://127.0.0.1", "all://[::1]")
_BROKE_OFF: Final = ("Server disconnected", "peer ")
_Failure = httpx2.HTTPError | httpx2.InvalidURL | UnicodeError


def client_settings(tls: ssl.SSLContext | None) -> dict[str, Any]:
    """For a client of either kind: a connection for each request, and no proxy for what is on this machine."""
    return {"verify": tls or system_trust(), "mounts": dict.fromkeys(_LOOPBACK), "limits": _NO_REUSE}


@cache
def system_trust() -> ssl.SSLContext:
    """The authorities that this machine trusts, read once: that takes longer than a whole sign-in.

    Raises Invalid when they cannot be read.
    """
    try:
        return httpx2.create_ssl_context()
    except OSError as error:
        path = os.environ.get(_AUTHORITIES) or "the file of this system"
        reason = "it holds no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise Invalid.at(_AUTHORITIES, f"{path} cannot be used: {reason}") from None


class Deadline:
    """A moment after which nothing more is waited for."""

    def __init__(self, seconds: float) -> None:
        self.at = time.perf_counter() + seconds

    def has_passed(self) -> bool:
        """Whether it is over."""
        return time.perf_counter() > self.at

    def left_s(self) -> float:
        """The seconds that are left: a little at least, since a timeout of 0 means none."""
        return max(self.at - time.perf_counter(), 0.001)


def written(request: Request, deadline: Deadline) -> httpx2.Request:
    """The library's request: exactly our headers, with Host and Content-Length."""
    headers = [(name.encode(), value.encode("utf-8", "surrogatepass")) for name, value in request.headers]
    return httpx2.Request(
        request.method,
        request.url,
        headers=headers,
        content=request.body or None,
        extensions={"timeout": httpx2.Timeout(deadline.left_s()).as_dict()},
    )


class Body:
    """The body of an answer as it comes in, after decompression; what goes beyond the limit is not read."""

    def __init__(self, limit_bytes: int, deadline: Deadline) -> None:
        self.limit_bytes, self.deadline = limit_bytes, deadline
        self.content = bytearray()

    def add(self, piece: bytes) -> bool:
        """Take a piece; False when no more is wanted."""
        self.content += piece
        return not (self._is_over() or self.deadline.has_passed())

    def finished(self, answer: httpx2.Response) -> Answer:
        """The answer with its body. A refusal that is too long loses its text, not its status."""
        if self._is_over() and answer.is_success:
            return NoAnswer(Why.TOO_LARGE, f"more than {self.limit_bytes:,} bytes")
        if self.deadline.has_passed():
            return NoAnswer(Why.TIMEOUT)
        content = b"" if self._is_over() else bytes(self.content)
        return Response(answer.status_code, dict(answer.headers.items()), content)

    def _is_over(self) -> bool:
        return len(self.content) > self.limit_bytes


def lost(failure: _Failure) -> NoAnswer:
    """Why there is no answer. The library's own words are not repeated, since they may quote a header or a URL."""
    cause = _root(failure)
    if isinstance(cause, ssl.SSLError):
        return NoAnswer(Why.TLS, getattr(cause, "verify_message", "") or cause.reason or "")
    detail = (cause.strerror or "") if isinstance(cause, OSError) else ""
    match failure:
        case httpx2.TimeoutException():
            return NoAnswer(Why.TIMEOUT)
        case httpx2.LocalProtocolError():
            return NoAnswer(Why.UNSENDABLE, "one of the headers of the request cannot be sent")
        case httpx2.ConnectError() | httpx2.ProxyError() | httpx2.InvalidURL() | UnicodeError():
            return NoAnswer(Why.UNREACHABLE, detail)
        case httpx2.ReadError() | httpx2.WriteError() | httpx2.CloseError():
            return NoAnswer(Why.CUT_OFF, detail)
        case _:
            return NoAnswer(Why.CUT_OFF if str(failure).startswith(_BROKE_OFF) else Why.GARBLED)


def _root(failure: BaseException) -> BaseException:
    """What the library wrapped."""
    while (inner := failure.__cause__ or failure.__context__) is not None:
        failure = inner
    return failure
