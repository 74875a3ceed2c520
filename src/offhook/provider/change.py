"""A change to a subscriber: what is set and what taken away, the same for a command, a form and a line of CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from offhook.core import accountxml, keys, lint, xml
from offhook.core.diagnostics import Diagnostic
from offhook.core.dialplan import MAX_ITEMS, QuickDial, QuickDials
from offhook.core.errors import Fault, Invalid
from offhook.core.mergeable import Value
from offhook.core.secret import Discreet, Secret
from offhook.core.webservice import LOGOUT_STATUS_FAULT, LOGOUT_STATUS_KEY
from offhook.provider.circumstances import GROUPS, groups_fault
from offhook.provider.sealing import SIGN_IN_PASSWORD
from offhook.provider.subscriber import MAX_PASSWORD, SIP_PASSWORD, Argon2, Bcrypt, Override, State, username_key

MAX_TEXT: Final = 16 * 1024
MAX_NAME: Final = 128
MAX_ENTRIES: Final = 500

# No password is right for a hash that is none: so that nobody can sign in.
NOBODY: Final = Bcrypt("")

_PIN: Final = re.compile(r"(?<![A-Za-z])pin(?:code)?(?![a-z])|(?-i:(?<=[a-z])P(?:in|IN)(?![a-z]))|pwd", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(rf"[^{{}}\x00-\x1f]{{1,{MAX_NAME}}}")


class Clear(Discreet, frozen=True):
    """A password in the clear. It is sealed, not hashed: for very many of them hashing would take hours."""

    secret: Secret

    def __str__(self) -> str:
        return "in the clear"


NewPassword: TypeAlias = Argon2 | Bcrypt | Clear


class Never(msgspec.Struct, frozen=True):
    """An account that does not expire."""


class Change(Discreet, frozen=True):
    """What to do to a subscriber: None takes a named thing away, what is not mentioned stays.

    `quick_dials` are set or removed one by one, `all_quick_dials` replaces them all. A SIP password that is given was
    made by us if `sip_generated` says so; `generate_sip` makes the SIP credentials that are missing afterwards. Without
    `expires_s` the account expires when it did before.
    """

    password: NewPassword | None = None
    state: State | None = None
    attributes: Mapping[str, str | None] = {}
    secrets: Mapping[str, Secret | None] = {}
    overrides: Mapping[str, Override | None] = {}
    quick_dials: Mapping[str, QuickDial | None] = {}
    all_quick_dials: QuickDials | None = None
    sip_generated: bool = False
    generate_sip: bool = False
    expires_s: int | Never | None = None

    def __str__(self) -> str:
        names = (*self.attributes, *self.secrets, *self.overrides, *self.quick_dials)
        return f"{', '.join(names) or 'nothing by name'}"


NOTHING: Final = Change()


def signed(change: Change, author: str, now_s: int) -> Change:
    """The change with a note on each override of who set it, and when."""
    if not change.overrides:
        return change
    overrides = {
        key: override and msgspec.structs.replace(override, author=author, changed_s=now_s)
        for key, override in change.overrides.items()
    }
    return msgspec.structs.replace(change, overrides=overrides)


def is_secret(name: str) -> bool:
    """Whether what is called so is kept sealed: passwords, secrets, tokens and PINs of all spellings."""
    return keys.is_secret(name) or _PIN.search(name) is not None


def faults(change: Change) -> list[Fault]:
    """Everything that keeps a change from being stored: what XML cannot carry, impossible names, sizes."""
    return [
        *(password_faults(change.password.secret) if isinstance(change.password, Clear) else ()),
        *_attribute_faults(change.attributes),
        *_secret_faults(change.secrets),
        *_override_faults(change.overrides),
        *_quick_dial_faults(change),
    ]


def remarks(change: Change) -> tuple[Diagnostic, ...]:
    """What should be said of overrides although they are stored: unknown keys, wrong types, keys that phones keep."""
    values = {key: value_of(override) for key, override in change.overrides.items() if override is not None}
    found = [
        Diagnostic(one.key, f"{one.what}. {one.how}".strip()) for one in lint.lint(values) if one.severity != "note"
    ]
    for key, override in change.overrides.items():
        if override is None:
            found.append(
                Diagnostic(key, "is sent no longer; a phone that has it keeps it. Set it to nothing to blank it.")
            )
    return tuple(found)


def has_empty_sip_password(change: Change) -> bool:
    """Whether a SIP password is set to nothing, with which no phone can register."""
    given = change.secrets.get(SIP_PASSWORD)
    return given is not None and not given


def text_fault(text: str) -> str | None:
    """Why a text cannot be stored, or None."""
    if len(text) > MAX_TEXT:
        return f"has {len(text):,} characters; at most {MAX_TEXT:,} are allowed"
    return xml.forbidden(text)


def username_faults(username: str) -> tuple[Fault, ...]:
    """Why nobody can be called so; empty when somebody can."""
    try:
        username_key(username)
    except Invalid as error:
        return error.faults
    if reason := xml.forbidden(username):
        return (Fault("username", reason),)
    return () if username.strip().isprintable() else (Fault("username", "has characters that cannot be seen or typed"),)


def password_faults(password: Secret) -> Iterator[Fault]:
    """Why this cannot be somebody's password for the sign-in."""
    if not password:
        yield Fault("password", "must not be empty")
    if len(password.reveal()) > MAX_PASSWORD:
        yield Fault("password", f"has more than {MAX_PASSWORD:,} characters")


def _attribute_faults(attributes: Mapping[str, str | None]) -> Iterator[Fault]:
    if len(attributes) > MAX_ENTRIES:
        yield Fault("attributes", f"are {len(attributes):,}; at most {MAX_ENTRIES} are allowed")
    for name, text in attributes.items():
        if _ATTRIBUTE.fullmatch(name) is None:
            yield Fault(
                f"attribute {name[:MAX_NAME]!r}", f"needs a name of 1 to {MAX_NAME} characters without {{ and }}"
            )
        if text is not None and (fault := text_fault(text)):
            yield Fault(name, fault)
        if name == GROUPS and text is not None and (fault := groups_fault(text)):
            yield Fault(name, fault)


def _secret_faults(secrets: Mapping[str, Secret | None]) -> Iterator[Fault]:
    for name, secret in secrets.items():
        if _ATTRIBUTE.fullmatch(name) is None:
            yield Fault(f"secret {name[:MAX_NAME]!r}", f"needs a name of 1 to {MAX_NAME} characters without {{ and }}")
        if secret is not None and (fault := text_fault(secret.reveal())):
            yield Fault(name, fault)


def _override_faults(overrides: Mapping[str, Override | None]) -> Iterator[Fault]:
    if len(overrides) > MAX_ENTRIES:
        yield Fault("overrides", f"are {len(overrides):,}; at most {MAX_ENTRIES} are allowed")
    given = {key: override for key, override in overrides.items() if override is not None}
    yield from accountxml.faults({key: value_of(override) for key, override in given.items()})
    for key, override in given.items():
        if key == LOGOUT_STATUS_KEY:
            yield Fault(key, LOGOUT_STATUS_FAULT)
        if key in {SIP_PASSWORD, SIGN_IN_PASSWORD}:
            yield Fault(key, "is a secret and no override: it has a place of its own, where it is kept encrypted")
        if len(override.value) > MAX_TEXT:
            yield Fault(key, f"has {len(override.value):,} characters; at most {MAX_TEXT:,} are allowed")


def _quick_dial_faults(change: Change) -> Iterator[Fault]:
    whole = change.all_quick_dials or QuickDials()
    items = [*(item for item in change.quick_dials.values() if item is not None), *whole.items]
    identities = [*(item.id for item in items), *(removal.id for removal in whole.removals)]
    if len(identities) > MAX_ITEMS:
        yield Fault("quick dials", f"are {len(identities):,}; at most {MAX_ITEMS:,} are allowed")
    for identity in {one for one in identities if identities.count(one) > 1}:
        yield Fault(f"quick dial {identity}", "stands more than once")
    for item in items:
        if not item.id.strip() or not item.uri.strip():
            yield Fault(f"quick dial {item.id}".strip(), "needs an id and a number or address to dial")
        for text in (item.id, item.display_name, item.uri, item.portrait_url):
            if fault := text_fault(text):
                yield Fault(f"quick dial {item.id[:MAX_NAME]}", fault)


def value_of(override: Override) -> Value:
    """The value that an override gives its key."""
    return Value(override.value, override.sent_rank, "override", markup=override.markup)
