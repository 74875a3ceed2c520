"""Web services in an account: placeholders that are never filled in, passwords in the open, bodies nobody sends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from offhook.core import webservice
from offhook.core.catalogue import KEYS
from offhook.core.keys import Service, near
from offhook.core.kinds import WebAddress
from offhook.core.lint.finding import Finding, Severity
from offhook.core.mergeable import Value
from offhook.core.placeholders import FUNCTIONS, is_password

_OF_THE_ACCOUNT: Final = re.compile(r"%account\[([A-Za-z_][A-Za-z0-9_.\-]{0,127})\]%")
_OF_THE_SIGN_IN: Final = re.compile(r"%(username|password|fullcode)%")
_PLACEHOLDER: Final = re.compile(r"%([A-Za-z_][A-Za-z0-9_.\-]*(?:\[[^\[\]%]{1,128}\])?)%")
_DIGEST: Final = re.compile(rf"%(?:{'|'.join(FUNCTIONS)})\([^()]*\)%")
_PLAIN_HOST: Final = re.compile(r"http://(?:[^/?#]*@)?(?:\[([^\]]*)\]|([^/?#:@]*))", re.IGNORECASE)
_PASSWORD_IN_ADDRESS: Final = re.compile(r"[a-z]+://[^/?#@:]*:[^/?#]+@", re.IGNORECASE)
_HEADER: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:.*")
_GUESSES: Final = 100
_SENT_FROM: Final = ("Url", "PostData", "CustomHeaders")


def references(document: Mapping[str, Value]) -> frozenset[str]:
    """The keys that templates of this document ask for with %account[...]%."""
    return frozenset(name for value in document.values() for name in _OF_THE_ACCOUNT.findall(value.content))


def unfilled(document: Mapping[str, Value]) -> Iterator[Finding]:
    """Placeholders of the first sign-in, which nothing stands in for later."""
    for name, value in document.items():
        service = KEYS.service(name)
        if service is None or service.portal_only:
            continue
        for parameter in dict.fromkeys(_OF_THE_SIGN_IN.findall(value.content)):
            severity: Severity = "error" if service.prefix == webservice.REPROVISIONING else "warning"
            what = f"holds %{parameter}%, which stands for something at the first sign-in only"
            yield Finding(severity, name, what, _instead(parameter))


def _instead(parameter: str) -> str:
    if parameter == "fullcode":
        return "Write the Cloud ID itself, or keep it in a key of your own and write %account[that key]%."
    return f"Write %account[{parameter}]%, or %account[cloud_{parameter}]% for what the user signed in with."


def nowhere(document: Mapping[str, Value]) -> Iterator[Finding]:
    """Keys that are asked for and that nobody knows; the first of them, since near names take a while to find."""
    asked = (
        (name, wanted)
        for name, value in document.items()
        if KEYS.service(name)
        for wanted in dict.fromkeys(_OF_THE_ACCOUNT.findall(value.content))
        if wanted not in document and not wanted.startswith("X-") and KEYS.find(wanted) is None
    )
    for name, wanted in islice(asked, _GUESSES):
        yield _nowhere(name, wanted, document)


def _nowhere(name: str, wanted: str, document: Mapping[str, Value]) -> Finding:
    what = f"asks for %account[{wanted}]%, which is neither a known key nor in this document"
    meant = near(wanted, [*document, *KEYS.by_name])
    if not meant:
        return Finding("note", name, what, f"See to it that the account has a key {wanted} from elsewhere.")
    return Finding("warning", name, what, f"Did you mean {' or '.join(meant)}?")


def in_the_open(document: Mapping[str, Value]) -> Iterator[Finding]:
    """Passwords on their way to a service that is not reached by https (D4)."""
    for name, value in document.items():
        key = KEYS.find(name)
        if key is not None and isinstance(key.kind, WebAddress):
            if _PASSWORD_IN_ADDRESS.match(value.content):
                how = "Put name and password into the keys that end in AuthUsername and AuthPassword."
                yield Finding("warning", name, "has a password in the address, which others get to see", how)
            if _is_plain(value.content):
                yield from _sent_plainly(name, document)


def _is_plain(address: str) -> bool:
    found = _PLAIN_HOST.match(address.strip())
    return found is not None and not webservice.is_loopback(found[1] or found[2])


def _sent_plainly(address_key: str, document: Mapping[str, Value]) -> Iterator[Finding]:
    for name in _sent_with(address_key, document):
        sent = _PLACEHOLDER.findall(_DIGEST.sub("", document[name].content))
        for password in sorted({placeholder for placeholder in sent if is_password(placeholder)}):
            what = f"sends %{password}% to an http address: the app writes asterisks instead"
            yield Finding("error", name, what, f"Make {address_key} an https address, or send %sha1(%{password}%)%.")


def _sent_with(address_key: str, document: Mapping[str, Value]) -> list[str]:
    service = KEYS.service(address_key)
    if service is None:
        return [address_key]
    names = [service.prefix + suffix for suffix in _SENT_FROM]
    return [name for name in (*names, *service.also) if name in document]


def requests(document: Mapping[str, Value]) -> Iterator[Finding]:
    """Definitions that become another request than they look like."""
    for service in KEYS.services:
        body_key, body = _written(service, "PostData", document)
        method_key, method = _written(service, "Method", document)
        header_key, headers = _written(service, "CustomHeaders", document)
        if body and method.upper() in webservice.BODILESS:
            yield Finding("warning", body_key, f"is never sent: {method_key} is {method}", "Make the method POST.")
        elif body.startswith(("{", "[")) and not _written(service, "ContentType", document)[1]:
            how = f"Set {body_key.removesuffix('PostData')}ContentType to application/json."
            yield Finding("warning", body_key, "looks like JSON and is sent as a form", how)
        if any(line.strip() and not _HEADER.fullmatch(line.strip()) for line in headers.splitlines()):
            yield Finding("error", header_key, "has a line that is no header", "Write one header a line, Name: value.")


def _written(service: Service, suffix: str, document: Mapping[str, Value]) -> tuple[str, str]:
    regular = service.prefix + suffix
    names = [regular, *(name for name in service.also if name.endswith(suffix))]
    return next(((name, document[name].content.strip()) for name in names if name in document), (regular, ""))


def escaped_twice(document: Mapping[str, Value]) -> Iterator[Finding]:
    """Addresses in which &amp; is left after reading."""
    for name, value in document.items():
        key = KEYS.find(name)
        if key is not None and isinstance(key.kind, WebAddress) and "&amp;" in value.content:
            how = "Write &amp; once, not &amp;amp;."
            yield Finding("error", name, "is escaped twice: it still holds &amp; after reading", how)
