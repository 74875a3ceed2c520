"""A web service definition (Url, Method, PostData, ... behind one prefix) becomes one request."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid
from offhook.core.numbers import whole
from offhook.core.placeholders import Scope, Target, expand
from offhook.core.secret import Discreet, Secret

INITIAL: Final = "InitialProvisioning"
GLOBAL: Final = "initialGlobalProvisioning"
REPROVISIONING: Final = "extProv"
GLOBAL_REPROVISIONING: Final = "extGlobalProv"
REMOVAL_REPORTER: Final = "accountRemovalReporter"
PUSH_TOKEN_REPORTER: Final = "pushTokenReporter"
LOGOUT_STATUS_KEY: Final = f"{REPROVISIONING}LogoutStatusCode"
LOGOUT_STATUS_FAULT: Final = (
    "belongs to the Cloud ID, so that no phone takes a refusal for a logout: offhook tenant set CLOUDID --logout-status"
)

METHODS: Final = frozenset({"GET", "POST", "PUT", "HEAD", "DELETE"})
# What comes with these has no meaning (RFC 9110, 9.3), so a body is never sent.
BODILESS: Final = frozenset({"GET", "HEAD"})
SUFFIXES: Final = (
    "Url",
    "Method",
    "PostData",
    "ContentType",
    "AuthUsername",
    "AuthPassword",
    "CustomHeaders",
    "Timeout",
    "Interval",
    "Refresh",
    "LogoutStatusCode",
)
FORM: Final = "application/x-www-form-urlencoded"
DEFAULT_TIMEOUT_S: Final = 30
MAX_TIMEOUT_S: Final = 600
MAX_URL: Final = 8192
MAX_HEADERS: Final = 100

_MOST: Final = 999_999_999
_HEADER: Final = re.compile(r"(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:(?P<value>[^\0-\x08\x0a-\x1f\x7f]*)")
_LINE_END: Final = re.compile("\r\n|\r|\n")
# A user name in front of the host would show up in logs, and a backslash means different things to different parsers.
_URL: Final = re.compile(
    r"(?ai:https?)://(?:\[(?P<address>[0-9A-Fa-f:.]{2,45})\]|(?P<host>(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?))"
    r"(?::(?P<port>[0-9]{1,5}))?(?:[/?#][^\s\\]*)?"
)


class Credentials(msgspec.Struct, frozen=True):
    """For HTTP authentication: Digest, or Basic where the connection is secure."""

    username: str
    password: Secret


class Request(Discreet, frozen=True):
    """One call, ready to be performed. Its representation shows nothing that was filled in, as passwords are.

    `template` is the URL before it was filled in; a path may carry a password as well as a query.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout_s: float = DEFAULT_TIMEOUT_S
    credentials: Credentials | None = None
    template: str = ""

    @property
    def place(self) -> str:
        """Scheme, host and path, placeholders as they were written: what may be shown and logged."""
        return _place(self.template or self.url)

    def __str__(self) -> str:
        return f"{self.method} {self.place}"


class Response(Discreet, frozen=True):
    """One answer: header names in lower case, the body whole."""

    status: int
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        """The value of a header, or an empty text."""
        return self.headers.get(name.lower(), "")

    def __str__(self) -> str:
        return f"{self.status}, {len(self.body)} bytes"


class Definition(Discreet, frozen=True):
    """The keys of one web service, as written by an operator."""

    prefix: str
    url: str
    method: str = "GET"
    post_data: str = ""
    content_type: str = FORM
    auth_username: str = ""
    auth_password: str = ""
    custom_headers: str = ""
    timeout_s: int = DEFAULT_TIMEOUT_S
    interval_s: int = 0
    refresh_s: int = 0
    logout_status: int = 0
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def templates(self) -> tuple[str, ...]:
        """The texts in which placeholders stand."""
        return self.url, self.post_data, self.custom_headers, self.auth_username, self.auth_password

    def __str__(self) -> str:
        return f"{self.prefix}, {self.method} {_place(self.url)}"


class Prepared(msgspec.Struct, frozen=True):
    """A request, and what was tolerated in its making."""

    request: Request
    diagnostics: tuple[Diagnostic, ...] = ()


def define(prefix: str, lookup: Callable[[str], str]) -> Definition | None:
    """Read the keys of a prefix, whose first letter may be of either case; None when it has no Url.

    An unset Method is GET without PostData and POST with it. What cannot be used counts as unset, with a diagnostic.
    """
    if not _written("Url", prefix, lookup).strip():
        return None
    written = {suffix: _written(suffix, prefix, lookup) for suffix in SUFFIXES}
    remarks: list[Diagnostic] = []

    def number(suffix: str, default: int, limit: int) -> int:
        text = written[suffix].strip()
        found = whole(text) if text else default
        if found is not None and 0 <= found <= limit:
            return found
        remarks.append(
            Diagnostic(prefix + suffix, f"is not a whole number from 0 to {limit}; {default} counts instead")
        )
        return default

    method = written["Method"].strip().upper()
    if method and method not in METHODS:
        remarks.append(Diagnostic(prefix + "Method", f"is not one of {', '.join(sorted(METHODS))}; it counts as unset"))
        method = ""
    return Definition(
        prefix=prefix,
        url=written["Url"].strip(),
        method=method or ("POST" if written["PostData"] else "GET"),
        post_data=written["PostData"],
        content_type=written["ContentType"].strip() or FORM,
        auth_username=written["AuthUsername"],
        auth_password=written["AuthPassword"],
        custom_headers=written["CustomHeaders"],
        timeout_s=number("Timeout", DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S) or DEFAULT_TIMEOUT_S,
        interval_s=number("Interval", 0, _MOST),
        refresh_s=number("Refresh", 0, _MOST),
        logout_status=number("LogoutStatusCode", 0, 599),
        diagnostics=tuple(remarks),
    )


def _written(suffix: str, prefix: str, lookup: Callable[[str], str]) -> str:
    key, other = spellings(prefix + suffix)
    return lookup(key) or lookup(other)


def spellings(key: str) -> tuple[str, str]:
    """A key of a service as it stands, and with its first letter of the other case: both mean the same."""
    return key, key[:1].swapcase() + key[1:]


def prepare(definition: Definition, scope: Scope, *, strict: bool = False) -> Prepared:
    """Fill a definition in; `strict` treats a loopback host like any other when it guards passwords (D4).

    Raises Invalid when the definition cannot become a request: another scheme than http or https, a header that breaks.
    """
    secure = _is_secure(definition.url, strict=strict)
    remarks = dict.fromkeys(definition.diagnostics)

    def filled(template: str, target: Target, suffix: str) -> str:
        expansion = expand(template, scope, target, definition.prefix + suffix, secure=secure)
        remarks.update(dict.fromkeys(expansion.diagnostics))
        return expansion.text

    url = filled(definition.url, Target.URL, "Url")
    if not is_url(url):
        wanted = f"an http or https URL without user name or spaces, of at most {MAX_URL:,} characters"
        raise Invalid.at(f"{definition.prefix}Url", f"is not {wanted}")
    headers = [
        # Blanks around a value are no part of it (RFC 9110, 5.5), and cannot be sent.
        (name, filled(value, Target.HEADER, "CustomHeaders").strip(" \t"))
        for name, value in _headers(definition, remarks)
    ]
    body = ""
    if definition.method not in BODILESS and definition.post_data:
        body = filled(definition.post_data, _body_target(definition.content_type), "PostData")
        headers.append(_header(f"Content-Type: {definition.content_type}", f"{definition.prefix}ContentType"))
    username = filled(definition.auth_username, Target.RAW, "AuthUsername")
    password = filled(definition.auth_password, Target.RAW, "AuthPassword")
    request = Request(
        method=definition.method,
        url=url,
        headers=tuple(headers),
        body=body.encode("utf-8", "surrogatepass"),
        timeout_s=definition.timeout_s,
        credentials=Credentials(username, Secret(password)) if username else None,
        template=definition.url,
    )
    return Prepared(request, tuple(remarks))


def _headers(definition: Definition, remarks: dict[Diagnostic, None]) -> list[tuple[str, str]]:
    place = f"{definition.prefix}CustomHeaders"
    lines = [line for line in _LINE_END.split(definition.custom_headers) if line.strip()]
    if len(lines) > MAX_HEADERS:
        raise Invalid.at(place, f"has more than {MAX_HEADERS} lines")
    headers = [_header(line, f"{place}, line {number}") for number, line in enumerate(lines, start=1)]
    extra = [(name, value) for name, value in headers if name.lower() != "content-type"]
    if len(extra) < len(headers):
        # It would contradict the one that decides how the body is escaped.
        remarks[Diagnostic(place, f"names Content-Type, which was left out; {definition.prefix}ContentType counts")] = (
            None
        )
    return extra


def _header(line: str, place: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(line.strip())
    if found is None:
        raise Invalid.at(place, "cannot be sent: a header is of the form Name: Value and has no control characters")
    return found["name"], found["value"].strip()


def _body_target(content_type: str) -> Target:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == FORM:
        return Target.FORM
    if kind == "application/json" or kind.endswith("+json"):
        return Target.JSON
    if kind in {"application/xml", "text/xml"} or kind.endswith("+xml"):
        return Target.XML
    return Target.RAW


def _place(url: str) -> str:
    scheme, slashes, rest = re.split("[?#]", url, maxsplit=1)[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}"


def is_url(url: str) -> bool:
    """Whether a text is an http or https URL that can be requested: nothing in front of its host, no blanks."""
    found = _URL.fullmatch(url) if len(url) <= MAX_URL and url.isprintable() else None
    if found is None or not 0 < int(found["port"] or 80) < 65536:
        return False
    return found["address"] is None or isinstance(_address(found["address"]), IPv6Address)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_secure(template: str, *, strict: bool) -> bool:
    scheme, _, rest = template.partition("://")
    if scheme.lower() == "https":
        return True
    found = _URL.fullmatch(f"http://{re.split('[/?#]', rest, maxsplit=1)[0]}")
    return found is not None and not strict and is_loopback(found["host"] or found["address"])
