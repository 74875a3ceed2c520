"""What one user gets, key by key, laid over each other in layers, and why each value is what it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from offhook.core import accountxml
from offhook.core.diagnostics import Diagnostic
from offhook.core.mergeable import PROVIDER, Document, Settled, Value
from offhook.core.secret import Discreet, Secret
from offhook.core.webservice import LOGOUT_STATUS_KEY
from offhook.policy.resolution import Beaten, Resolution, Setting
from offhook.provider import evidence, globalpart, settling, template
from offhook.provider.evidence import INTERVAL_KEY
from offhook.provider.globalpart import GlobalAnswer
from offhook.provider.opening import VEIL, Opener, Opening
from offhook.provider.rulings import SAYS_NOTHING
from offhook.provider.sealing import Sealer
from offhook.provider.sipregister import Line
from offhook.provider.subscriber import SIP_PASSWORD, SIP_USERNAME, Override, Subscriber
from offhook.provider.tenant import Credential, Tenant

SIP: Final = "SIP credentials"
SIP_DOMAIN: Final = "sip_domain"
POLICY: Final = "policy"
OVERRIDE: Final = "user"
INSTALL: Final = "install"
INSTALL_KEY: Final = "X-install-id"
STATUS: Final = "logout status"


class Grant(Discreet, frozen=True):
    """What one install gets for itself: its id, its token, and the password as it was typed.

    An install that asks `again` has its token. It is left out then, and what is left out stays (D5). So does the
    password of its `line`, its account in a SIP system, where that is not kept.
    """

    install_id: str
    token: Secret
    submitted: Secret = Secret("")
    again: bool = False
    line: Line | None = None

    def __str__(self) -> str:
        return self.install_id


class Composition(Discreet, frozen=True):
    """The account of one user: each key with its value, what it beat, and a sentence of why.

    `withheld` are keys that a rule has given at the sign-in, and which are not sent again; `beaten` tells what other
    rules wanted.
    """

    document: Document
    reasons: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...] = ()
    withheld: Mapping[str, Value] = {}
    beaten: Mapping[str, tuple[Beaten, ...]] = {}

    def sip_credentials(self) -> tuple[str, Secret]:
        """The SIP username and password, wherever they come from; empty when there are none."""
        return self._text(SIP_USERNAME), Secret(self._text(SIP_PASSWORD))

    @property
    def interval_s(self) -> int | None:
        """When the phone is told to ask by itself; None when it is told nothing of it now."""
        return evidence.interval(self.document.text(INTERVAL_KEY)) if INTERVAL_KEY in self.document.keys else None

    def _text(self, key: str) -> str:
        return self.withheld[key].content if key in self.withheld else self.document.text(key)

    def dumps(self) -> bytes:
        """The answer. Equal settings give equal bytes; a value with a rank of its own says so."""
        return accountxml.dumps(self.document.values(), rank=PROVIDER).encode()

    def __str__(self) -> str:
        return f"{len(self.document.keys)} keys"


class Composer(msgspec.Struct, frozen=True):
    """Lays the layers over each other: template, SIP credentials, policy, the user's own settings, the install.

    A later layer wins whatever priority an earlier one asks the phone for: the priority is for the phone to judge by.
    """

    sealer: Sealer

    def compose(
        self, tenant: Tenant, subscriber: Subscriber, grant: Grant, resolution: Resolution = SAYS_NOTHING
    ) -> Composition:
        """The account of this user on this install. Raises Unavailable when a secret of theirs cannot be opened."""
        return compose(tenant, subscriber, grant, resolution, Opening(self.sealer))

    def common(self, tenant: Tenant, subscriber: Subscriber, resolution: Resolution = SAYS_NOTHING) -> GlobalAnswer:
        """The global part of this user; raises Unavailable when a secret that it asks for cannot be opened."""
        return common(tenant, subscriber, resolution, Opening(self.sealer))


def compose(
    tenant: Tenant,
    subscriber: Subscriber,
    grant: Grant,
    resolution: Resolution = SAYS_NOTHING,
    opener: Opener = VEIL,
    *,
    keys: Collection[str] | None = None,
) -> Composition:
    """The account of a user on an install, with whatever opens their secrets, or with masks in their place.

    With `keys`, these are as they would be, and others that the template has may be missing.
    """
    laying = _Laying()
    status = Value(str(tenant.logout_status), PROVIDER, STATUS)
    if tenant.former_statuses:
        laying.lay(LOGOUT_STATUS_KEY, status, "The status that logs phones out was changed.")
    asked = template.parse(tenant.template)
    asked = asked if keys is None else asked.only(keys)
    texts = (setting.value for setting in resolution.settings.values())
    columns = asked.columns.union(*map(template.columns, texts))
    values = _values(tenant, subscriber, columns, opener, grant.line) | {"cloud_password": _credential(tenant, grant)}
    for key, value in asked.fill(values).items():
        if _is_forgotten(asked.entries[key].columns, grant.line):
            continue
        laying.lay(key, value, _why_template(asked.entries[key].columns, values))
    for key, text, why in _sip(subscriber, opener, grant.line, laying):
        laying.lay(key, Value(text, PROVIDER, SIP), why)
    for key, setting in resolution.settings.items():
        if _is_forgotten(template.columns(setting.value), grant.line):
            continue
        laying.rule(key, setting, values)
    for key in subscriber.overrides:
        override = opener.override(subscriber, key)
        laying.lay(key, Value(override.value, override.sent_rank, OVERRIDE, override.markup), _why_override(override))
    for key, text, why in _install(tenant, subscriber, grant):
        laying.lay(key, Value(text, PROVIDER, INSTALL), why)
    # A phone that knew another status would be logged out by a mere refusal, or by nothing at all.
    if not laying.lacks(LOGOUT_STATUS_KEY) and laying.keys[LOGOUT_STATUS_KEY].value != status:
        laying.lay(LOGOUT_STATUS_KEY, status, "The status that logs phones out is the Cloud ID's own.")
    remarks = (*asked.diagnostics, *asked.unfilled(values), *_unfilled(resolution, values))
    return Composition(Document(laying.keys), laying.reasons, remarks, laying.withheld, laying.beaten)


def common(
    tenant: Tenant, subscriber: Subscriber, resolution: Resolution = SAYS_NOTHING, opener: Opener = VEIL
) -> GlobalAnswer:
    """The global part of a user: what is common to all, then what rules say, then the user's own quick dials."""
    part = globalpart.parse(tenant.common)
    if resolution.quick_dials or resolution.dial_actions:
        columns = frozenset(globalpart.columns(resolution))
        part = globalpart.ruled(part, resolution, _values(tenant, subscriber, columns, opener))
    return globalpart.for_user(part, subscriber.quick_dials)


def _values(
    tenant: Tenant, subscriber: Subscriber, columns: frozenset[str], opener: Opener, line: Line | None = None
) -> dict[str, str]:
    """What the placeholders stand for; only those secrets are opened that are asked for."""
    own = subscriber.secrets.keys() - ({SIP_PASSWORD} if line else set())
    opened = {name: opener.secret(subscriber, name) for name in own if name in columns}
    built_in = {"cloud_username": subscriber.username, "cloud_id": tenant.cloud_id}
    if line is not None:
        built_in |= {SIP_USERNAME: line.username, SIP_DOMAIN: line.domain}
        if line.sealed and SIP_PASSWORD in columns:
            built_in[SIP_PASSWORD] = opener.line(line)
    return {**subscriber.attributes, **opened, **built_in}


def _is_forgotten(columns: Collection[str], line: Line | None) -> bool:
    """Whether a text needs a SIP password that is not kept: it is left out, and the phone keeps what it has (D5)."""
    return line is not None and not line.sealed and SIP_PASSWORD in columns


def _sip(subscriber: Subscriber, opener: Opener, line: Line | None, laying: _Laying) -> Iterator[tuple[str, str, str]]:
    """The SIP credentials that the template does not give: of the account in a SIP system, or those of the user."""
    if laying.lacks(SIP_USERNAME):
        if line is not None:
            yield SIP_USERNAME, line.username, "The name of the account in the SIP system."
        elif SIP_USERNAME in subscriber.attributes:
            yield SIP_USERNAME, subscriber.attributes[SIP_USERNAME], "The user's SIP username."
    if laying.lacks(SIP_PASSWORD):
        if line is not None and line.sealed:
            yield SIP_PASSWORD, opener.line(line), "The password of the account in the SIP system."
        elif line is None and SIP_PASSWORD in subscriber.secrets:
            yield SIP_PASSWORD, opener.secret(subscriber, SIP_PASSWORD), "The user's SIP password."


def _unfilled(resolution: Resolution, values: Mapping[str, str]) -> Iterator[Diagnostic]:
    for key, setting in resolution.settings.items():
        for column in template.columns(setting.value):
            if column not in values:
                yield Diagnostic(key, f"{{{column}}} is not known for this user and stays as it is")


class _Laying:
    """Keys as they are being laid."""

    def __init__(self) -> None:
        self.keys: dict[str, Settled] = {}
        self.reasons: dict[str, str] = {}
        self.withheld: dict[str, Value] = {}
        self.beaten: dict[str, tuple[Beaten, ...]] = {}

    def lacks(self, key: str) -> bool:
        return key not in self.keys

    def lay(self, key: str, value: Value, why: str) -> None:
        """Set a key; what it had before is remembered as beaten."""
        earlier = self.keys.get(key)
        self.keys[key] = Settled(value, (earlier.value, *earlier.replaced) if earlier else ())
        self.reasons[key] = why
        self.withheld.pop(key, None)

    def rule(self, key: str, setting: Setting, values: Mapping[str, str]) -> None:
        """What a rule says of a key. One that is not sent again takes away what lies below, or that would be sent."""
        value = template.filled(Value(setting.value, setting.rank, POLICY, setting.markup), values)
        if setting.beaten:
            self.beaten[key] = setting.beaten
        if setting.sent:
            self.lay(key, value, setting.reason)
            return
        self.keys.pop(key, None)
        self.reasons[key] = setting.reason
        self.withheld[key] = value


def _credential(tenant: Tenant, grant: Grant) -> str:
    """What `{cloud_password}` stands for (D20); nothing where the app authenticates with its SIP credentials."""
    match tenant.credential:
        case Credential.TOKEN:
            return grant.token.reveal()
        case Credential.PASSWORD:
            return grant.submitted.reveal()
        case Credential.SIP:
            return ""


def _install(tenant: Tenant, subscriber: Subscriber, grant: Grant) -> Iterator[tuple[str, str, str]]:
    if tenant.credential is Credential.TOKEN:
        yield "cloud_username", subscriber.username, "The name that goes with the token."
        if not grant.again:
            yield (
                "cloud_password",
                grant.token.reveal(),
                "A token of this install alone, in place of the user's password.",
            )
    yield INSTALL_KEY, grant.install_id, "Names this install."


def _why_template(columns: tuple[str, ...], values: Mapping[str, str]) -> str:
    filled = [f"{{{column}}}" for column in columns if column in values]
    if not filled:
        return "The template says so for every user."
    return f"The template says so, with {' and '.join(filled)} of this user."


def _why_override(override: Override) -> str:
    author = f" by {override.author}" if override.author else ""
    day = f" on {datetime.fromtimestamp(override.changed_s, UTC):%Y-%m-%d}" if override.changed_s else ""
    kept = f" {settling.why_kept(override.former)}." if override.former is not None else ""
    return f"Set for this user alone{author}{day}.{kept}"
