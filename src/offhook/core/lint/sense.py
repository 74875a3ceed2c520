"""Keys side by side: values that are right by themselves and wrong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from offhook.core.features import Features, gate, gating
from offhook.core.lint.finding import Finding
from offhook.core.mergeable import PORTAL, Value
from offhook.core.numbers import whole

_PAIRS: Final = (
    ("rtpPortRangeStart", "rtpPortRangeEnd"),
    ("videoMinKbpsWifi", "videoMaxKbpsWifi"),
    ("videoMinKbps3G", "videoMaxKbps3G"),
)
# Statuses that a service, or what stands in front of it, answers when something is merely broken (D21).
_TROUBLE: Final = frozenset({"408", "429", "500", "502", "503", "504"})
_SHORT_S: Final = 60


def _text(document: Mapping[str, Value], key: str) -> str:
    return document[key].content.strip() if key in document else ""


def licences(document: Mapping[str, Value], features: Features | None) -> Iterator[Finding]:
    """Overrides that an app ignores, since its features do not cover them (D18)."""
    if features is None:
        if "host" in document and document["host"].rank > PORTAL:
            names = " or ".join(feature.name for feature in gating("host"))
            what = f"counts only when the app has the feature {names}; else the portal's host is used"
            yield Finding("note", "host", what, "Name the app's features to have this checked.")
        return
    admit = gate(features)
    for name, value in document.items():
        if reason := admit(name, value):
            how = "Have the portal switch the feature on, or leave the key out: the app ignores it."
            yield Finding("warning", name, reason, how)


def interval(document: Mapping[str, Value]) -> Iterator[Finding]:
    """A re-provisioning that never comes by itself, or far too often (D9)."""
    if "extProvUrl" in document and not _text(document, "extProvUrl"):
        return
    written = _text(document, "extProvInterval")
    seconds = whole(written)
    if seconds is not None and 0 < seconds < _SHORT_S:
        how = f"Take {_SHORT_S} or more: every phone asks this often."
        yield Finding("warning", "extProvInterval", f"makes the app ask every {seconds} seconds", how)
    elif seconds == 0:
        what = "is 0: the app asks again only when the account is created or edited"
        yield Finding("warning", "extProvInterval", what, "Give the seconds between two checks, such as 3600.")
    elif "extProvUrl" in document and not written:
        what = "has no extProvInterval beside it: unless the portal has one, the app never asks by itself"
        yield Finding("note", "extProvUrl", what, "Send extProvInterval too, such as 3600.")


def logout(document: Mapping[str, Value]) -> Iterator[Finding]:
    """A logout status that also means something else."""
    written = _text(document, "extProvLogoutStatusCode")
    if written in _TROUBLE:
        what = f"is {written}, which servers and proxies also answer when they are merely in trouble"
        yield Finding("warning", "extProvLogoutStatusCode", what, "Take one that means nothing else, such as 410.")
    elif written.startswith("3") and len(written) == 3:
        what = f"is {written}, which tells an app to look elsewhere or that nothing changed"
        yield Finding("error", "extProvLogoutStatusCode", what, "Take one that means nothing else, such as 410.")


def pairs(document: Mapping[str, Value]) -> Iterator[Finding]:
    """Ranges that end before they begin."""
    for first, last in _PAIRS:
        start, end = whole(_text(document, first)), whole(_text(document, last))
        if start is not None and end is not None and start > end:
            yield Finding("error", first, f"is {start}, more than {last}, which is {end}", "Swap or correct them.")


def encryption(document: Mapping[str, Value]) -> Iterator[Finding]:
    """Media keys that travel in signalling which anybody on the way can read."""
    transport = _text(document, "transport").lower()
    for key in ("sdesIncoming", "sdesOutgoing"):
        if transport in {"udp", "tcp"} and _text(document, key) in {"enabled", "required"}:
            what = f"puts the keys of encrypted calls into SIP, and transport {transport} sends SIP unencrypted"
            yield Finding("warning", key, what, "Make transport tls+sip: or tls.")


def sending(document: Mapping[str, Value]) -> Iterator[Finding]:
    """The body of the send-message service under the name that documents do not know."""
    for regular, documented in (
        ("genericSmsSendPostData", "genericSmsPostData"),
        ("genericSmsSendContentType", "genericSmsContentType"),
    ):
        if _text(document, regular) and documented not in document:
            how = f"Send the same value as {documented} too."
            yield Finding("note", regular, f"is documented as {documented}, and not every app reads this name", how)
