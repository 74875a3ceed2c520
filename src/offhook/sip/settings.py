"""What the operator says of each SIP system: a kind for each back-end, read from the file of connections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Final, Literal, TypeAlias

from offhook.core.secret import Discreet, Secret
from offhook.outgoing import webhook
from offhook.sip import database, jsonrpc

_COLUMN: Final = re.compile(r"[a-z0-9_]{1,40}")
_OURS: Final = frozenset({"id", "aors", "auth", "callerid"})
MIN_PASSWORD: Final = 12
# A wish makes Kamailio answer some times, all of which have to be over while the lease of its runner lasts.
MOST_S: Final = 10.0


class Kamailio(Discreet, frozen=True, tag_field="kind", tag="kamailio", forbid_unknown_fields=True):
    """Kamailio: its database as SQLAlchemy names it, and the address of its JSON-RPC.

    `registrations` says where it is read who is registered: in its table (written through), or from its memory.
    """

    database: Secret
    control: str
    registrations: Literal["table", "control"] = "table"
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        _refuse(database.fault(self.database), jsonrpc.fault(self.control), _time_fault(self.timeout_s, MOST_S))

    def __str__(self) -> str:
        return f"Kamailio at {jsonrpc.shown(self.control)}"


class Asterisk(Discreet, frozen=True, tag_field="kind", tag="asterisk", forbid_unknown_fields=True):
    """Asterisk: the database of its PJSIP realtime tables, and what each endpoint and AOR is to have besides."""

    database: Secret
    context: str = "offhook"
    allow: str = "opus,g722,ulaw,alaw"
    endpoint: Mapping[str, str] = {}
    aor: Mapping[str, str] = {}

    def __post_init__(self) -> None:
        columns = (*self.endpoint, *self.aor)
        odd = next((name for name in columns if name in _OURS or not _COLUMN.fullmatch(name)), None)
        _refuse(
            database.fault(self.database),
            f"{odd!r} is no column that endpoint and aor can set" if odd is not None else "",
            "" if self.context and self.allow else "context and allow must not be empty",
        )

    def __str__(self) -> str:
        return "Asterisk"


class FreeSwitch(Discreet, frozen=True, tag_field="kind", tag="freeswitch", forbid_unknown_fields=True):
    """FreeSWITCH: who may ask us for its directory, and the event socket where registrations are asked and removed.

    A request must come with this name and password (HTTP Basic), and from one of the networks where any are named.
    """

    username: str
    password: Secret
    networks: tuple[str, ...] = ()
    context: str = "default"
    control: str = ""
    control_password: Secret = Secret("")
    profile: str = "internal"
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        _refuse(
            "username must be there, without a colon" if not self.username or ":" in self.username else "",
            f"password must have at least {MIN_PASSWORD} characters"
            if len(self.password.reveal()) < MIN_PASSWORD
            else "",
            *(f"networks: {text!r} is no network such as 192.0.2.0/24" for text in self.networks if _no_network(text)),
            "" if not self.control or _is_tcp(self.control) else 'control must be "tcp:host:port", its event socket',
            "" if not self.control or self.control_password else "control_password must be there where control is",
            "" if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", self.profile) else "profile must be the name of a SIP profile",
            _time_fault(self.timeout_s, 2 * MOST_S),
        )

    def __str__(self) -> str:
        return f"FreeSWITCH, its profile {self.profile}"


class Webhook(webhook.Settings, frozen=True, tag_field="kind", tag="webhook", forbid_unknown_fields=True):
    """The operator's own system."""


AnySystem: TypeAlias = Kamailio | Asterisk | FreeSwitch | Webhook


def _refuse(*faults: str) -> None:
    """All of them together, as the reader of the file reports them."""
    if found := "; ".join(filter(None, faults)):
        raise ValueError(found)


def _time_fault(timeout_s: float, most_s: float) -> str:
    return "" if 0.1 <= timeout_s <= most_s else f"timeout_s must be from 0.1 to {most_s:g} seconds"


def _no_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return True
    return False


def _is_tcp(control: str) -> bool:
    scheme, _, rest = control.partition(":")
    host, _, port = rest.rpartition(":")
    return scheme == "tcp" and bool(host) and port.isdecimal() and 0 < int(port) < 65_536
