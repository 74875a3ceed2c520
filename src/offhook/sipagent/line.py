"""A line: what an account says of SIP, and how baresip is told.

baresip reads an account as `<sip:user@host>;name=value;...` and looks for each `;name=` in the whole of it, so that a
value could name another parameter. What cannot be said in that form is refused; nothing of ours is ever escaped by a
rule that baresip does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, unquote

from offhook.core.errors import Fault, Invalid
from offhook.core.mergeable import Document
from offhook.core.secret import Discreet, Secret

TRANSPORTS: Final = {"": "udp", "udp": "udp", "tcp": "tcp", "tls": "tls", "tls+sip:": "tls"}
# A line is written to a pipe that nobody waits for: it has to fit with room to spare.
MAX_BYTES: Final = 1000
MAX_SECONDS: Final = 86_400
_DEFAULT_EXPIRES_S: Final = 600
_TLS_PORT: Final = 5061
_HOST: Final = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>\d{1,5}))?"
)
# What RFC 3261 lets stand in the user part of an address.
_USER_SAFE: Final = "-_.!~*'()&=+$,"
# Half of a surrogate pair is no sign at all.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# A value in which baresip would find another parameter: with its sign of equality, or one that needs none.
_PARAMETER: Final = re.compile(r";\s*(?:\w[\w.-]*\s*=|audio_codecs|video_codecs|stunuser|stunpass)", re.IGNORECASE)
_URI: Final = re.compile(r"(?:sips?:)?(?P<user>[^@;?<>\s]{1,256})(?:@(?P<host>[^@;?<>\s]{1,261}))?(?:[;?].*)?")


class Place(Discreet, frozen=True):
    """A server: its name or address, and the port when one was said."""

    name: str
    port: int | None = None

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}:{self.port}"


class Line(Discreet, frozen=True):
    """An account that can be registered. `hop` is the server that is contacted where it is not the domain's."""

    username: str
    auth_username: str
    password: Secret
    domain: Place
    transport: str = "udp"
    hop: Place | None = None
    expires_s: int = _DEFAULT_EXPIRES_S

    def __str__(self) -> str:
        return f"{self.address} over {self.transport}"

    @property
    def address(self) -> str:
        """The address of record, without the scheme."""
        return f"{quote(self.username, safe=_USER_SAFE)}@{self.domain}"

    @property
    def tls(self) -> tuple[str, int] | None:
        """The server and its port, where TLS has to show that it is the right one."""
        if self.transport != "tls":
            return None
        at = self.hop or self.domain
        return at.name.strip("[]"), at.port or _TLS_PORT

    def account(self) -> str:
        """The line for baresip, with the password. Raises Invalid when it would be too long."""
        hop = self.hop or (self.domain if self.transport != "udp" else None)
        words = [f"<sip:{self.address}>", f"regint={self.expires_s}", "call_transfer=no"]
        if hop is not None:
            port = _TLS_PORT if hop.port is None and self.transport == "tls" else hop.port
            words.append(f'outbound="sip:{Place(hop.name, port)};transport={self.transport}"')
        words.append(f'auth_user="{self.auth_username}"')
        if self.password:
            # The last one: a password may end with a backslash, which keeps a quotation open to the end of the line.
            words.append(f'auth_pass="{self.password.reveal()}"')
        line = ";".join(words)
        if len(line.encode()) > MAX_BYTES:
            raise Invalid.at("account", f"is longer than a SIP agent takes: {MAX_BYTES} bytes with everything")
        return line

    def dialled(self, number: str) -> str:
        """What is called for what a person typed. Raises Invalid when that is neither a number nor an address."""
        found = _URI.fullmatch(number.strip())
        if found is None or _CONTROL.search(number):
            raise Invalid.at("number", "is neither a number nor a SIP address")
        host = self.domain if found["host"] is None else _place("number", found["host"])
        return f"sip:{quote(unquote(found['user']), safe=_USER_SAFE)}@{host}"

    def named(self, uri: str) -> str:
        """Who that address is for people: of the own domain, the user part says enough."""
        found = _URI.fullmatch(uri)
        if found is None:
            return uri
        user = unquote(found["user"], errors="replace")
        return user if found["host"] in {None, str(self.domain), self.domain.name} else f"{user}@{found['host']}"


def parse(account: Document) -> Line:
    """What an account says of SIP. Raises Invalid, which names every key that cannot be used, and shows no secret."""
    faults: list[Fault] = []
    username, domain = account.text("username"), None
    for key in ("username", "host"):
        if not account.text(key):
            faults.append(Fault(key, "is missing"))
    try:
        domain = _place("host", account.text("host")) if account.text("host") else None
        hop, transport = _way(account)
    except Invalid as error:
        raise Invalid(*faults, *error.faults) from None
    faults.extend(_unfit(account))
    Invalid.unless_empty(faults)
    assert domain is not None
    password = Secret(account.text("password"))
    auth_username = account.text("authUsername") or username
    return Line(username, auth_username, password, domain, transport, hop, _expires_s(account.text("expires")))


def _way(account: Document) -> tuple[Place | None, str]:
    """The server that is contacted, and how: an outbound proxy that is switched on comes before the proxy."""
    key, place, word = "proxy", account.text("proxy"), account.text("transport")
    if account.text("outboundProxy_enabled") == "1" and account.text("outboundProxy_host"):
        key, place = "outboundProxy_host", account.text("outboundProxy_host")
        word = account.text("outboundProxy_transport") or word
    transport = TRANSPORTS.get(word.strip().lower())
    if transport is None:
        raise Invalid.at("transport", f"is {word[:20]!r}, and not one of udp, tcp, tls, tls+sip:")
    if not place:
        return None, transport
    hop = _place(key, place)
    port = account.text("outboundProxy_port")
    if key != "proxy" and hop.port is None and port:
        hop = _place("outboundProxy_port", f"{hop.name}:{port}")
    return hop, transport


def _place(key: str, text: str) -> Place:
    found = _HOST.fullmatch(text.strip())
    port = int(found["port"]) if found and found["port"] else None
    if found is None or (port is not None and not 1 <= port <= 65535):
        raise Invalid.at(key, f"is {text[:60]!r}, and not a host or host:port")
    return Place(found["name"], port)


def _unfit(account: Document) -> Iterator[Fault]:
    """Values that no SIP agent, or not this one, can be told."""
    for key in ("username", "authUsername", "password"):
        if _CONTROL.search(account.text(key)):
            yield Fault(key, "holds a control character")
    own = "authUsername" if account.text("authUsername") else "username"
    if re.search(r'["\\]', account.text(own)) or _PARAMETER.search(account.text(own)):
        yield Fault(own, "holds signs that cannot stand in a name for SIP authentication")
    if not _quotable(account.text("password")):
        yield Fault("password", "holds signs in an order that the SIP agent of this phone cannot be told")


def _quotable(text: str) -> bool:
    """Whether baresip reads the last value of a line back as it is when it stands in quotation marks.

    A mark inside opens and closes as well; a backslash hides the sign after it; outside, a blank or a semicolon ends.
    """
    quoted = escaped = False
    for mark in f'"{text}"':
        if escaped:
            escaped = False
        elif mark == "\\":
            escaped = True
        elif mark == '"':
            quoted = not quoted
        elif not quoted and mark in " ;":
            return False
    return not _PARAMETER.search(text)


def _expires_s(text: str) -> int:
    """The seconds that are asked for; what is no sensible number is as if nothing was said."""
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) <= MAX_SECONDS else _DEFAULT_EXPIRES_S
