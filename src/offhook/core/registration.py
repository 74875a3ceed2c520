"""Which keys of an account a SIP registration is made from: a change of one of them means to register again."""

from __future__ import annotations

from typing import Final

from offhook.core.mergeable import Document

KEYS: Final = (
    "username",
    "password",
    "authUsername",
    "host",
    "transport",
    "proxy",
    "outboundProxy_enabled",
    "outboundProxy_host",
    "outboundProxy_port",
    "outboundProxy_transport",
    "bgrOutboundProxy_port",
    "bgrTransport",
    "expires",
    "icm",
    "incomingDisabled",
    "sendAuthenticationPreemptively",
    "natTraversal",
    "STUN",
    "STUNUsername",
    "STUNPassword",
    "contactIP",
    "forcedContact",
    "ignoreSymmetricNat",
    "symmetricNatSubstituteAddress",
    "keepAlive",
    "keepAlivePeriod",
    "listeningPort",
    "networkUse",
)


def changed(before: Document, after: Document) -> bool:
    """Whether what the phone registered with is no longer what it should register with."""
    return before is not after and list(map(before.text, KEYS)) != list(map(after.text, KEYS))
