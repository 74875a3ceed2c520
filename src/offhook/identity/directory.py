"""One connection with a server of a directory: opened within TLS, bound, searched, each within its time."""

from __future__ import annotations

import math
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import ldap3
import msgspec
from ldap3.core.exceptions import LDAPExceptionError
from pyasn1.error import PyAsn1Error

from offhook.core.secret import Secret
from offhook.identity.asking import Deadline
from offhook.identity.certificates import context
from offhook.identity.settings import Ldap as Settings

# Asks OpenLDAP and others to say why a bind failed (draft-behera-ldap-password-policy); unknown ones pass it over.
POLICY: Final = "1.3.6.1.4.1.42.2.27.8.5.1"
# What the library raises for a server that is away, and for one that answers what is no LDAP.
UNREADABLE: Final = (LDAPExceptionError, PyAsn1Error, OSError, LookupError, ValueError, TypeError)
_TLS: Final = "the certificate or the encryption of the server is refused"


class Unreachable(Exception):
    """A server that does not answer, or what it answers cannot be read."""


class Answer(msgspec.Struct, frozen=True):
    """The result of one operation; `policy` is what the password policy says of a bind, where it says something."""

    code: int
    meaning: str
    text: str
    entries: Sequence[Mapping[str, Any]] = ()
    policy: int | None = None

    def __str__(self) -> str:
        said = f"{self.meaning} ({self.code})"
        text = self.text.replace("\x00", "").strip()
        return f"{said}, {text[:200]}" if text else said


class _Verifying(ldap3.Tls):
    """TLS as Python does it: the certificate's name and its issuer are verified with the handshake."""

    def __init__(self, verifying: ssl.SSLContext) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = verifying

    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:  # noqa: FBT001, FBT002
        """In place of the library's own, which looks at the name after the handshake, and never at an address."""
        _send_at_once(connection.socket)
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=connection.server.host)


class Link:
    """The connection. `how` says whether it is encrypted. Raises Unreachable, also when it is opened."""

    def __init__(self, url: str, settings: Settings, deadline: Deadline) -> None:
        self.deadline = deadline
        read = urlsplit(url)
        secure = read.scheme == "ldaps"
        start_tls = settings.start_tls and not secure
        tls = _Verifying(context(settings.ca_file)) if secure or start_tls else None
        server = ldap3.Server(
            read.hostname or "",
            port=read.port or (636 if secure else 389),
            use_ssl=secure,
            tls=tls,
            get_info=ldap3.NONE,
            connect_timeout=deadline.left_s(),
        )
        self._connection = ldap3.Connection(
            server, auto_bind=ldap3.AUTO_BIND_NONE, auto_referrals=False, check_names=False, read_only=True
        )
        try:
            self._connection.open(read_server_info=False)
            if start_tls:
                self._connection.socket.settimeout(deadline.left_s())
                self._connection.start_tls(read_server_info=False)
        except UNREADABLE as error:
            self.close()
            raise _unreachable(error) from None
        version = getattr(self._connection.socket, "version", None)
        self.how = f" ({version()})" if version is not None else ", unencrypted"

    def bind(self, name: str, password: Secret) -> Answer:
        """Say who we are. An empty password is never sent: a directory would take it for nobody at all, and say yes."""
        assert password
        link = self._connection
        link.user, link.authentication = name, ldap3.SIMPLE
        # As bytes, so that the library leaves it as it was typed.
        link.password = password.reveal().encode()
        try:
            self._allow()
            link.bind(read_server_info=False, controls=[(POLICY, False, None)])
        except UNREADABLE as error:
            raise _unreachable(error) from None
        finally:
            link.password = None
        return self._answer()

    def search(self, base: str, asked: str, wanted: Sequence[str], *, scope: Any, most: int) -> Answer:  # noqa: ANN401 - the library's
        """Entries below a base. Referrals to other servers are not followed: they would get our password."""
        try:
            seconds = self._allow()
            self._connection.search(
                base,
                asked,
                search_scope=scope,
                attributes=list(dict.fromkeys(wanted)) or [ldap3.NO_ATTRIBUTES],
                size_limit=most,
                time_limit=math.ceil(seconds),
            )
        except UNREADABLE as error:
            raise _unreachable(error) from None
        found = self._connection.response or ()
        return self._answer([one for one in found if one["type"] == "searchResEntry"])

    def close(self) -> None:
        """Go away, without waiting for anything."""
        left = self._connection.socket
        self._connection.strategy.close()
        # The library forgets one that could not be connected.
        if left is not None:
            left.close()

    def _allow(self) -> float:
        """Every operation gets the time that is left."""
        seconds = self.deadline.left_s()
        if self._connection.socket is None:
            raise Unreachable("the server went away")
        self._connection.socket.settimeout(seconds)
        return seconds

    def _answer(self, entries: Sequence[Mapping[str, Any]] = ()) -> Answer:
        result: Mapping[str, Any] = self._connection.result or {}
        if "result" not in result:
            raise Unreachable("the server went away")
        control = (result.get("controls") or {}).get(POLICY) or {}
        return Answer(
            int(result["result"]),
            str(result["description"]),
            str(result["message"]),
            entries,
            _policy(control.get("value")),
        )


def _send_at_once(plain: socket.socket) -> None:
    """Without it every question within TLS takes 40 ms: what is sent waits until the server has confirmed the rest."""
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _policy(value: object) -> int | None:
    """The error of a password policy: [1] ENUMERATED, which stands last in its sequence."""
    if isinstance(value, bytes) and len(value) >= 5 and value[-3:-1] == b"\x81\x01":
        return value[-1]
    return None


def _unreachable(error: Exception) -> Unreachable:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "SSL" in text:
        reason = text.partition("certificate verify failed: ")[2].partition("(_ssl")[0].strip()
        return Unreachable(f"{_TLS}{': ' + reason if reason else ''}")
    if "timed out" in text:
        return Unreachable("it does not answer in time")
    if "refused" in text:
        return Unreachable("nobody listens there")
    return Unreachable(f"it cannot be reached ({type(error).__name__})")
