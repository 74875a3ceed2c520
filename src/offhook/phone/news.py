"""What the services said anew, and the record with it laid in: merged by rank, the user's own kept (D5, D18)."""

from __future__ import annotations

import hashlib

import msgspec

from offhook.core import accountxml, base, dialplan, mergeable, theme, webservice
from offhook.core.accountxml import Reading
from offhook.core.base import Base
from offhook.core.diagnostics import Diagnostic
from offhook.core.dialplan import GlobalPart
from offhook.core.errors import Invalid
from offhook.core.features import Features, gate
from offhook.core.mergeable import Admit, Document, Settled
from offhook.core.webservice import Response
from offhook.phone import assembly, trust
from offhook.phone.flow import PROVIDER_SOURCE
from offhook.phone.saved import Saved, Validator
from offhook.phone.talk import ACCOUNT_PART, BASE, GLOBAL_PART, THEME

# The definition whose validator is worth nothing when its address becomes another one.
_ASKED_BY = {ACCOUNT_PART: webservice.REPROVISIONING, GLOBAL_PART: webservice.GLOBAL_REPROVISIONING}


class News(msgspec.Struct, frozen=True):
    """What is to be applied at the next safe moment; of each part only the newest. A theme is kept already."""

    app: Base | None = None
    theme: str = ""
    common: GlobalPart | None = None
    own: Reading | None = None
    validators: dict[str, Validator] = {}

    def __repr__(self) -> str:
        return f"News({', '.join(self.validators)})"

    def __bool__(self) -> bool:
        return bool(self.validators)

    def without(self, service: str) -> News:
        """When the service says that the phone is right as it is."""
        if service not in self.validators:
            return self
        left = {name: validator for name, validator in self.validators.items() if name != service}
        match service:
            case "base":
                return msgspec.structs.replace(self, app=None, validators=left)
            case "theme":
                return msgspec.structs.replace(self, theme="", validators=left)
            case "global part":
                return msgspec.structs.replace(self, common=None, validators=left)
            case _:
                return msgspec.structs.replace(self, own=None, validators=left)


class Applied(msgspec.Struct, frozen=True):
    """The record with the news in it, and what was tolerated."""

    saved: Saved
    remarks: tuple[Diagnostic, ...] = ()


def read_account(news: News, answer: Response) -> News:
    """With an answer of the account service; raises Invalid."""
    own = accountxml.loads(answer.body, mergeable.PROVIDER, PROVIDER_SOURCE)
    return msgspec.structs.replace(news, own=own, validators={**news.validators, ACCOUNT_PART: Validator.of(answer)})


def read_common(news: News, answer: Response) -> News:
    """With an answer of the global service; raises Invalid."""
    part = dialplan.loads(answer.body, mergeable.PROVIDER, PROVIDER_SOURCE)
    validators = {**news.validators, GLOBAL_PART: Validator.of(answer)}
    return msgspec.structs.replace(news, common=part, validators=validators)


def read_base(news: News, answer: Response, saved: Saved) -> News:
    """With a base configuration; raises Invalid when it is not signed with the pinned key, or older than ours."""
    trust.believe(answer, saved.cloud_id, BASE, trust.of_record(saved))
    app = base.loads(answer.body)
    return msgspec.structs.replace(news, app=app, validators={**news.validators, BASE: Validator.of(answer)})


def read_theme(news: News, answer: Response, saved: Saved) -> News:
    """With the digest of a theme package; raises Invalid as for a base."""
    trust.believe(answer, saved.cloud_id, THEME, trust.of_record(saved))
    theme.unpack(answer.body)
    digest = hashlib.sha256(answer.body).hexdigest()
    return msgspec.structs.replace(news, theme=digest, validators={**news.validators, THEME: Validator.of(answer)})


def apply(saved: Saved, news: News, locale: str) -> Applied:
    """Lay the news into a record, the parts in the order of a sign-in; raises Invalid when no account would be left."""
    remarks: list[Diagnostic] = []
    after = saved
    if news.app:
        after = _with_app(after, news.app, remarks)
    if news.theme:
        after = msgspec.structs.replace(after, theme=news.theme)
    if news.common:
        after = _with_common(after, news.common, remarks)
    if news.own:
        features, _ = Features.received(after.features)
        account = mergeable.merge(after.account, news.own.values, gate(features))
        after = msgspec.structs.replace(after, account=account)
        remarks.extend(news.own.diagnostics)
    Invalid.unless_empty(assembly.missing(after.account, locale))
    validators = _current({**saved.validators, **news.validators}, saved, after)
    if news.app and not news.common:
        # The whole of it is wanted, to be laid over the new base.
        validators.pop(GLOBAL_PART, None)
    return Applied(msgspec.structs.replace(after, validators=validators), tuple(remarks))


def _with_app(saved: Saved, app: Base, remarks: list[Diagnostic]) -> Saved:
    features, odd = Features.received(app.features)
    account = relicensed(mergeable.merge(saved.account, app.account, beneath=True), gate(features))
    remarks.extend((*app.diagnostics, *odd))
    with_app = msgspec.structs.replace(
        saved,
        account=account,
        base_version=app.version,
        features=app.features,
        services=app.services,
        reprovisioning=app.reprovisioning,
    )
    return _with_common(with_app, app.common, remarks, beneath=True)


def _with_common(saved: Saved, part: GlobalPart, remarks: list[Diagnostic], *, beneath: bool = False) -> Saved:
    """With a global part; the portal's own lies `beneath` what the user and the provider said."""
    dials = dialplan.merge_quick_dials(saved.quick_dials, part.quick_dials)
    remarks.extend((*part.diagnostics, *dials.diagnostics))
    return msgspec.structs.replace(
        saved,
        quick_dials=dials.items,
        dial_actions=dialplan.merge_dial_actions(saved.dial_actions, part.dial_actions, beneath=beneath),
        preferences=mergeable.merge(saved.preferences, part.preferences, beneath=beneath),
    )


def relicensed(account: Document, admit: Admit) -> Document:
    """The account under other licences: what is no longer admitted gives way, what was kept out is tried again."""
    keys: dict[str, Settled] = {}
    lost = dict[str, mergeable.Value]()
    for key, settled in account.keys.items():
        allowed = [
            value
            for value in (settled.value, *settled.replaced)
            if value.source == base.SOURCE or admit(key, value) is None
        ]
        if allowed:
            keys[key] = settled if allowed[0] is settled.value else Settled(allowed[0], tuple(allowed[1:]))
        if not allowed or allowed[0] is not settled.value:
            lost[key] = settled.value
    document = mergeable.merge(Document(keys, account.kept_out), lost, admit)
    for key, kept in account.kept_out.items():
        for refusal in reversed(kept):
            portals = refusal.value.source == base.SOURCE
            by = mergeable.everything if portals else admit
            document = mergeable.merge(document, {key: refusal.value}, by, beneath=portals)
    return document


def _current(validators: dict[str, Validator], before: Saved, after: Saved) -> dict[str, Validator]:
    """Without those of a service that is another one now: what it said is of no use to its successor."""
    moved = {
        service
        for service, prefix in _ASKED_BY.items()
        if before.account.text(f"{prefix}Url") != after.account.text(f"{prefix}Url")
    }
    return {service: validator for service, validator in validators.items() if service not in moved}
