"""What a user would get, key by key, and why: from which layer, what it beat, and what was kept out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

import msgspec

from offhook.core import accountxml, dialplan, mergeable
from offhook.core.base import SOURCE, Base
from offhook.core.catalogue import KEYS
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import NotFound
from offhook.core.features import Features, gate
from offhook.core.lint import plain
from offhook.core.login import CloudId
from offhook.core.masking import masked
from offhook.core.mergeable import PROVIDER, Admit, Document, Value, everything
from offhook.core.secret import MASK, Discreet, Secret
from offhook.policy.evaluate import Trace
from offhook.policy.resolution import DeviceLimit, LetIn, Logout, Overflow, Resolution, Verdict
from offhook.policy.rules import Policy
from offhook.policy.subject import Occasion
from offhook.provider import change as changes
from offhook.provider import template
from offhook.provider.change import is_secret
from offhook.provider.circumstances import NOTHING, Circumstances
from offhook.provider.compose import OVERRIDE, POLICY, Composer, Composition, Grant, common
from offhook.provider.definitions import UNKNOWN_URL
from offhook.provider.ports import SubscriberStore, TenantStore
from offhook.provider.rulings import Case, Rulings
from offhook.provider.sipregister import Entry, owner_of
from offhook.provider.sipregister import Line as SipLine
from offhook.provider.subscriber import SIP_PASSWORD, Override, Subscriber, username_key
from offhook.provider.tenant import Tenant

COMMON: Final = "global part"
MADE_LATER: Final = "(made at each sign-in)"


class BaseSource(Protocol):
    """Where the portal's part is to be had."""

    def base(self, cloud_id: str, editable: bool) -> Base | None:  # noqa: FBT001 - as CloudId has it
        """The base configuration of an app, or None when this portal does not have it."""


class Said(Discreet, frozen=True):
    """A value that a layer offered; `reason` says why it is not the one that counts."""

    layer: str
    value: str
    reason: str

    def __str__(self) -> str:
        return self.layer


class Line(Discreet, frozen=True):
    """One key: its value (masked when it is a secret), the layer it comes from, and why.

    `layer` is empty when every value of this key was kept out.
    """

    key: str
    value: str
    layer: str
    reason: str
    beaten: tuple[Said, ...] = ()
    kept_out: tuple[Said, ...] = ()

    def __str__(self) -> str:
        return f"{self.key}, {self.layer}"


class Asked(msgspec.Struct, frozen=True):
    """On which phone, when, and by which policy: the Live one and now, unless something else is given.

    Unless it is said how many `installs` there are, this one included, those that there are now are counted.
    """

    circumstances: Circumstances = NOTHING
    occasion: Occasion = Occasion.SIGN_IN
    installs: int | None = None
    install_id: str = ""
    now_s: int | None = None
    policy: Policy | None = None


PLAINLY: Final = Asked()


class Dial(Discreet, frozen=True):
    """One quick dial: the layer it comes from, and why."""

    id: str
    name: str
    uri: str
    layer: str
    rank: int
    reason: str

    def __str__(self) -> str:
        return f"{self.id}, {self.layer}"


class Devices(msgspec.Struct, frozen=True):
    """How many devices a rule allows, how many there are, and what becomes of a sign-in on one more."""

    at_most: int
    active: int
    then: Overflow
    reason: str

    def __str__(self) -> str:
        if self.active < self.at_most:
            more = "so one more may sign in"
        elif self.then is Overflow.REFUSE:
            more = "so a sign-in on another one is refused"
        else:
            more = "so a sign-in on another one ends the oldest"
        return f"{self.active} of at most {self.at_most} are in use, {more}. {self.reason}"


class Explanation(Discreet, frozen=True):
    """The whole account of one user, as their phone settles it, and their quick dials beside it.

    `verdict` is empty, or says why a rule gives them none. `trace` tells of every rule why it matched or did not.
    `next_change_s` is when that may become different by itself. `devices` tells of the limit, if there is one.
    """

    user: str
    lines: tuple[Line, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    quick_dials: tuple[Dial, ...] = ()
    verdict: str = ""
    trace: tuple[Trace, ...] = ()
    next_change_s: int | None = None
    devices: Devices | None = None

    def __str__(self) -> str:
        return self.user


class AccountSource(Protocol):
    """Knows the accounts that users and phones have in SIP systems."""

    def of_owner(self, cloud_id: str, subscriber_id: int, install_id: str) -> Entry | None:
        """The one of a user, or of an install."""


class Explain:
    """The use case of the same name."""

    def __init__(
        self,
        *,
        subscribers: SubscriberStore,
        tenants: TenantStore,
        composer: Composer,
        rulings: Rulings,
        portal: BaseSource,
        accounts: AccountSource | None = None,
    ) -> None:
        self._accounts = accounts
        self._subscribers = subscribers
        self._tenants = tenants
        self._composer = composer
        self._rulings = rulings
        self._portal = portal

    def account(self, username: str, cloud_id: CloudId, asked: Asked = PLAINLY) -> Explanation:
        """What this user would get, and why a phone would refuse it if it would. Rules are asked as in a live answer.

        Raises NotFound, and Unavailable when a secret of theirs cannot be opened.
        """
        tenant = self._tenants.get(cloud_id.name)
        subscriber = self._subscribers.get(cloud_id.name, username_key(username))
        case = self._rulings.supposed(tenant, asked.policy, asked.now_s, _phone(asked, cloud_id))
        if asked.installs is None:
            case = self._rulings.counted(case, tenant, subscriber.id)
        resolution = case.resolve(subscriber)
        again = asked.occasion is Occasion.AGAIN
        made = Secret(MADE_LATER)
        line = self._sip_account(tenant, subscriber, asked.install_id)
        grant = Grant(asked.install_id or MADE_LATER, made, made, again=again, line=line)
        composition = self._composer.compose(tenant, subscriber, grant, resolution)
        base = self._base(cloud_id)
        admit, remarks = _licences(base)
        settled = mergeable.merge(mergeable.settle(base.account if base else {}), composition.document.values(), admit)
        hidden = _Hidden(tenant, subscriber, resolution)
        lines = tuple(_line(key, settled, composition, base, hidden) for key in {**settled.keys, **settled.kept_out})
        refusals = () if base is None else _refusals(settled, cloud_id.name)
        remarks = (*refusals, *composition.diagnostics, *remarks, *_unfit(settled, hidden), *_withheld(composition))
        return Explanation(
            f"{subscriber.username}@{cloud_id}",
            lines,
            remarks,
            tuple(_dials(tenant, subscriber, base, resolution)),
            verdict=_said(resolution.verdict),
            trace=() if case.policy is None else tuple(case.policy.trace(case.subject(subscriber))),
            next_change_s=resolution.next_flip_s,
            devices=_devices(case, resolution.device_limit),
        )

    def _sip_account(self, tenant: Tenant, subscriber: Subscriber, install_id: str) -> SipLine | None:
        """What is told of the account in a SIP system, when there is one."""
        if tenant.sip is None or self._accounts is None:
            return None
        entry = self._accounts.of_owner(tenant.cloud_id, subscriber.id, owner_of(tenant.sip, install_id))
        return entry.line if entry is not None and entry.is_ready else None

    def unlicensed(self, cloud_id: str, overrides: Mapping[str, Override | None]) -> list[Diagnostic]:
        """Overrides that the Live app keeps out for want of a licence (D18); none for an app that is elsewhere."""
        base = self._portal.base(cloud_id, False)
        admit, _ = _licences(base)
        given = {key: changes.value_of(override) for key, override in overrides.items() if override is not None}
        return [
            Diagnostic(key, f"has no effect now: it {reason}. To change that: offhook app edit {cloud_id}")
            for key, value in given.items()
            if (reason := admit(key, value))
        ]

    def _base(self, cloud_id: CloudId) -> Base | None:
        base = self._portal.base(cloud_id.name, cloud_id.editable)
        if base is None and cloud_id.editable and self._portal.base(cloud_id.name, False) is not None:
            name = cloud_id.name
            raise NotFound(
                f"The app {name} has no Editable version, so that phones are refused {cloud_id}. "
                f"Leave the star out, or make one: offhook app edit {name}"
            )
        return base


def _phone(asked: Asked, cloud_id: CloudId) -> Case:
    circumstances = msgspec.structs.replace(asked.circumstances, editable=cloud_id.editable)
    return Case(None, 0, circumstances, asked.occasion, asked.installs or 1, asked.install_id)


def _devices(case: Case, limit: DeviceLimit | None) -> Devices | None:
    if limit is None:
        return None
    signs_in = case.occasion is Occasion.SIGN_IN and case.new_device
    return Devices(limit.count, case.installs - signs_in, limit.then, limit.reason)


def _said(verdict: Verdict) -> str:
    if isinstance(verdict, LetIn):
        return ""
    happens = "logged out" if isinstance(verdict, Logout) else "refused"
    return f"The phone is {happens}: {verdict.message or '(no message)'} {verdict.reason}"


def _withheld(composition: Composition) -> Iterator[Diagnostic]:
    """Keys that a phone has since its sign-in, or does not have."""
    return (
        Diagnostic(key, f"is given at the sign-in, and not sent again. {composition.reasons[key]}")
        for key in composition.withheld
    )


def _refusals(settled: Document, cloud_id: str) -> Iterator[Diagnostic]:
    """The keys without which a phone saves no account."""
    for key in KEYS.by_name.values():
        found = settled.keys.get(key.name)
        if key.required and (found is None or not accountxml.localized(found.value, "").strip()):
            how = "give the user one with --sip-username, or put it into the template"
            if key.name != "username":
                how = f"set it for all users: offhook app edit {cloud_id} --set account.{key.name}=..., and publish it"
            said = f'phones refuse this account, and their users read "{key.name}: is empty"'
            yield Diagnostic(key.name, f"is empty: {said}. To mend it, {how}")


def _unfit(settled: Document, hidden: _Hidden) -> Iterator[Diagnostic]:
    """Values that are none of their key's kind, which apps take for the default or worse."""
    shown = {key: value for key, value in settled.values().items() if not hidden.hides(key)}
    for finding in plain.values(shown):
        if finding.severity == "error" and shown[finding.key.partition("/")[0]].content.strip():
            yield Diagnostic(finding.key, f"{finding.what}. {finding.how}")


def _licences(base: Base | None) -> tuple[Admit, tuple[Diagnostic, ...]]:
    if base is None:
        remark = "is no app of this portal, so its own values are missing here, and licences were not judged"
        return everything, (Diagnostic("Cloud ID", remark),)
    features, remarks = Features.received(base.features)
    return gate(features), (*base.diagnostics, *remarks)


class _Hidden:
    """Which keys are masked: by their names, or because the template or a rule puts a secret of the user into them."""

    def __init__(self, tenant: Tenant, subscriber: Subscriber, resolution: Resolution) -> None:
        secret = {*subscriber.secrets, SIP_PASSWORD, "cloud_password"}
        asked = {key: entry.columns for key, entry in template.parse(tenant.template).entries.items()}
        ruled = {key: template.columns(setting.value) for key, setting in resolution.settings.items()}
        self._keys = {
            key for columns in (asked, ruled) for key, names in columns.items() if not secret.isdisjoint(names)
        }

    def shown(self, key: str, value: Value) -> str:
        """The value as a person may see it."""
        if value.content and self.hides(key):
            return MASK
        return masked(key, value.content, markup=value.markup)

    def hides(self, key: str) -> bool:
        """Whether nothing of this key's values may be seen."""
        return key in self._keys or is_secret(key)


def _line(key: str, settled: Document, composition: Composition, base: Base | None, hidden: _Hidden) -> Line:
    kept_out = tuple(
        Said(refusal.value.source, hidden.shown(key, refusal.value), refusal.reason)
        for refusal in settled.kept_out.get(key, ())
    )
    winner = settled.keys.get(key)
    if winner is None:
        return Line(key, "", "", "No value of it was let in.", kept_out=kept_out)
    from_portal = base is not None and winner.value == base.account.get(key)
    layer, reasons = winner.value.source, composition.reasons
    ruled = composition.beaten.get(key, ())
    earlier = () if from_portal else composition.document.keys[key].replaced
    beaten = [Said(value.source, hidden.shown(key, value), f"the layer {layer} is laid over it") for value in earlier]
    beaten += [
        Said(value.source, hidden.shown(key, value), _gave_way(value, winner.value)) for value in winner.replaced
    ]
    wanted = ((Value(one.value or "", PROVIDER, POLICY, one.markup), one.reason) for one in ruled)
    beaten += [Said(POLICY, hidden.shown(key, value), why) for value, why in wanted]
    reason = _why_portal(winner.value) if from_portal else reasons[key]
    return Line(key, hidden.shown(key, winner.value), layer, reason, tuple(beaten), kept_out)


def _why_portal(value: Value) -> str:
    if value.source == SOURCE:
        return "The app says so for every user."
    why = "The app names no other service, so its phones call this provider service."
    if UNKNOWN_URL not in value.content:
        return why
    return f"{why} {UNKNOWN_URL} stands for the address of the server, which only `offhook serve` knows."


def _dials(tenant: Tenant, subscriber: Subscriber, base: Base | None, resolution: Resolution) -> Iterator[Dial]:
    """What stands on the dial screen, as a phone lays it together; with masks where a rule asks for secrets."""
    own = subscriber.quick_dials
    sent = common(tenant, subscriber, resolution).part.quick_dials
    for item in dialplan.merge_quick_dials(base.common.quick_dials.items if base else (), sent).items:
        if item not in sent.items:
            layer, reason = SOURCE, "The app says so for every user."
        elif item in own.items:
            layer, reason = OVERRIDE, "Set for this user alone."
        elif item.source == POLICY:
            layer, reason = POLICY, resolution.quick_dials[item.id].reason
        else:
            layer, reason = COMMON, "The global part says so for every user."
        yield Dial(item.id, item.display_name, masked("uri", item.uri), layer, item.rank, reason)


def _gave_way(beaten: Value, winner: Value) -> str:
    return f"rank {beaten.rank} ({beaten.source}) gives way to rank {winner.rank} ({winner.source})"
