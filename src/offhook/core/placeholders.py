"""Placeholders such as %username% and %account[X-id]%: found, filled in once, and escaped by where they land."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Final
from urllib.parse import quote, quote_plus, unquote

from offhook.core import xml
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid
from offhook.core.secret import MASK, Discreet

FUNCTIONS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "sha1": lambda text: hashlib.sha1(text, usedforsecurity=False).hexdigest(),
    "sha256": lambda text: hashlib.sha256(text).hexdigest(),
    "md5": lambda text: hashlib.md5(text, usedforsecurity=False).hexdigest(),
}
# What a user signs in with; so is every key of an account or a link whose name ends in "password".
_PASSWORDS: Final = frozenset({"password", "account[password]", "account[cloud_password]"})
MAX_NESTING: Final = 8
MAX_TEMPLATE: Final = 64 * 1024
MAX_TEXT: Final = 1024 * 1024

_MARK: Final = re.compile(
    rf"%(?:(?P<function>{'|'.join(FUNCTIONS)})\(|(?P<name>[A-Za-z_][A-Za-z0-9_.\-]*(?:\[[^\[\]%/?#]{{1,128}}\])?)%)"
)
_BRACKET: Final = re.compile(rf"%(?P<function>{'|'.join(FUNCTIONS)})\(|\)%")
_HOST: Final = re.compile(r"://[^/?#]*")
_QUERY: Final = re.compile("[?#]")
_DOTS: Final = frozenset({".", ".."})
_LONGEST_DOTS: Final = len("%2E%2E")
_AUTHORITY: Final = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_BREAKS_HEADER: Final = re.compile("[\0-\x08\x0a-\x1f\x7f]")
# A stretch between two escapes of a URL or a form can look like a name; names begin in lower case, escapes hardly ever.
_PERCENT_ESCAPE: Final = re.compile("%(?:[A-F][0-9A-F]|[a-f][0-9a-f]%)")


class Target(Enum):
    """Where a value lands, which decides how it is escaped (D3)."""

    URL = "URL"
    FORM = "form body"
    JSON = "JSON body"
    XML = "XML body"
    HEADER = "header"
    RAW = "body"


_PERCENT_ESCAPED: Final = frozenset({Target.URL, Target.FORM})


class Scope(Discreet, frozen=True):
    """The values that exist for one call.

    `names` are the service's own and the global ones (`%username%`, `%installid%`); `account` is None before there is
    an account, so that `%account[...]%` is unknown during sign-in; `extras` came with the link (`%global[branch]%`).
    """

    names: Mapping[str, str] = {}
    account: Mapping[str, str] | None = None
    extras: Mapping[str, str] = {}

    def find(self, name: str) -> str | None:
        """The value of a placeholder, or None when it is not known in this scope."""
        if not name.endswith("]"):
            return self.names.get(name)
        family, _, key = name[:-1].partition("[")
        if family == "account" and self.account is not None:
            return self.account.get(key)
        return self.extras.get(key) if family == "global" else None

    def __str__(self) -> str:
        return ", ".join((*self.names, *(f"account[{key}]" for key in self.account or {}), *self.extras))


class Expansion(Discreet, frozen=True):
    """A template with its values in place, and what stayed as it was."""

    text: str
    diagnostics: tuple[Diagnostic, ...] = ()

    def __str__(self) -> str:
        return f"{len(self.text)} characters, {len(self.diagnostics)} remarks"


def expand(template: str, scope: Scope, target: Target, place: str, *, secure: bool = True) -> Expansion:
    """Fill in a template; values are never looked at again, unknown names stay (D3).

    A function around an unknown name stays as well, so that nobody takes the digest of a mistake for a password's.
    Unless `secure`, a password becomes asterisks (D4); inside a function it does not, since only its digest travels.
    Raises Invalid when a value cannot stand where it lands, or the text becomes too large.
    """
    if len(template) > MAX_TEMPLATE:
        raise Invalid.at(place, f"is longer than {MAX_TEMPLATE:,} characters")
    if "%" not in template:
        return Expansion(template)
    filling = _Filling(template, scope, target, place, secure=secure)
    text = filling.fill(0, len(template))
    if target is Target.URL:
        _look_at_path(text, filling.begins, place)
    return Expansion(text, tuple(filling.remarks))


def is_password(name: str) -> bool:
    """Whether a placeholder stands for a password, which an open connection must not carry (D4)."""
    return name in _PASSWORDS or name.lower().endswith("password]")


class _Filling:
    """One pass over one template: each character is looked at once, whatever somebody has written there."""

    def __init__(self, template: str, scope: Scope, target: Target, place: str, *, secure: bool) -> None:
        self.template, self.scope, self.target, self.place, self.secure = template, scope, target, place, secure
        self.escape = _ESCAPES[target]
        self.remarks: dict[Diagnostic, None] = {}
        self.ends = _ends(template)
        self.host = _host(template)
        self.unknown = 0
        self.size = 0
        # Where in the text, which is the URL in the end, each value begins.
        self.begins: list[int] = []

    def fill(self, start: int, end: int, depth: int = 0) -> str:
        """The text between two positions of the template."""
        pieces: list[str] = []
        position, length = start, 0
        while found := _MARK.search(self.template, position, end):
            pieces.append(self.template[position : found.start()])
            length += len(pieces[-1])
            if depth == 0:
                self.begins.append(length)
            piece, position = self._function(found, depth) if found["function"] else self._name(found, depth)
            pieces.append(piece)
            length += len(piece)
            self.size += len(piece)
            if self.size > MAX_TEXT:
                raise Invalid.at(self.place, f"becomes longer than {MAX_TEXT:,} characters")
        pieces.append(self.template[position:end])
        return "".join(pieces)

    def _function(self, found: re.Match[str], depth: int) -> tuple[str, int]:
        """The digest, and where the template goes on."""
        end = self.ends.get(found.start())
        if end is None:
            return self._stays(found, "is not closed with )%")
        if depth == MAX_NESTING:
            return self._stays(found, f"is the {MAX_NESTING + 1}th function inside another")
        unknown = self.unknown
        argument = self.fill(found.end(), end - len(")%"), depth + 1)
        if self.unknown > unknown:
            return self.template[found.start() : end], end
        return FUNCTIONS[found["function"]](argument.encode("utf-8", "surrogatepass")), end

    def _name(self, found: re.Match[str], depth: int) -> tuple[str, int]:
        """The value as it may stand there, and where the template goes on."""
        value = self.scope.find(found["name"])
        if value is not None:
            return value if depth else self._escaped(found["name"], value, found.start()), found.end()
        if self.target in _PERCENT_ESCAPED and _PERCENT_ESCAPE.match(self.template, found.start()):
            return "%", found.start() + 1
        return self._stays(found, "is not known here and stays as it is")

    def _stays(self, found: re.Match[str], reason: str) -> tuple[str, int]:
        self.unknown += 1
        self._remark(f"{found.group()} {reason}")
        return "%", found.start() + 1

    def _escaped(self, name: str, value: str, position: int) -> str:
        if is_password(name) and not self.secure:
            self._remark(f"%{name}% became asterisks, since the URL is not https")
            return MASK
        in_host = self.target is Target.URL and position < self.host.stop
        try:
            return _in_host(value, position - self.host.start) if in_host else self.escape(value)
        except ValueError as reason:
            raise Invalid.at(self.place, f"the value of %{name}% {reason}") from None

    def _remark(self, text: str) -> None:
        self.remarks[Diagnostic(self.place, text)] = None


def _ends(template: str) -> dict[int, int]:
    """Where each function that is closed begins, and where the template goes on behind it."""
    ends: dict[int, int] = {}
    begun: list[int] = []
    for bracket in _BRACKET.finditer(template):
        if bracket["function"]:
            begun.append(bracket.start())
        elif begun:
            ends[begun.pop()] = bracket.end()
    return ends


def _host(template: str) -> range:
    """Where the template of a URL names its host, from the colon of its scheme on; behind its end when it does not."""
    found = _HOST.search(template)
    return range(found.start(), found.end()) if found else range(len(template), len(template))


def _look_at_path(url: str, begins: Collection[int], place: str) -> None:
    """Raise Invalid when a value makes a segment of the path `.` or `..`, which leads to another path than was meant.

    No escaping helps against that: %2E%2E means the same (RFC 3986, 6.2.2.2).
    """
    host = _HOST.search(url)
    if host is None:
        return
    start = host.end()
    for segment in _QUERY.split(url[start:], maxsplit=1)[0].split("/"):
        end = start + len(segment)
        if len(segment) <= _LONGEST_DOTS and unquote(segment) in _DOTS and any(start <= one <= end for one in begins):
            raise Invalid.at(place, "has a value that makes a part of the path '.' or '..', which leads elsewhere")
        start = end + len("/")


def _in_host(value: str, behind_scheme: int) -> str:
    if behind_scheme < 0 or not _AUTHORITY.fullmatch(value):
        raise ValueError("stands where the URL names its host, and is not a host name")
    return value


def _in_xml(value: str) -> str:
    if reason := xml.forbidden(value):
        raise ValueError(f"cannot be sent: {reason}")
    return xml.attribute(value)


def _in_header(value: str) -> str:
    if _BREAKS_HEADER.search(value):
        raise ValueError("has a line break or another control character, which a header cannot carry")
    return value


_ESCAPES: Final[Mapping[Target, Callable[[str], str]]] = {
    Target.URL: lambda value: quote(value, safe="", errors="surrogatepass"),
    Target.FORM: lambda value: quote_plus(value, errors="surrogatepass"),
    Target.JSON: lambda value: json.dumps(value)[1:-1],
    Target.XML: _in_xml,
    Target.HEADER: _in_header,
    Target.RAW: str,
}
