"""The three things a phone keeps up to date: how often it asks for each, and one check of one (D9 to D11, D24)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from offhook.core import webservice
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid, OffhookError
from offhook.core.mergeable import Document
from offhook.core.webservice import Definition, Prepared, Request
from offhook.phone import again, news, reports, trust
from offhook.phone.again import LogOut, New, Outcome, Unchanged, Useless
from offhook.phone.commands import Fetch, Flow, KeepTheme, Remark, Skip, fetch, fetch_all
from offhook.phone.device import Device
from offhook.phone.news import News
from offhook.phone.portal import Portal
from offhook.phone.saved import Saved
from offhook.phone.talk import ACCOUNT_PART, BASE, GLOBAL_PART, THEME, question


class Check(StrEnum):
    """What is kept up to date, in the order in which it is asked for.

    The account comes first, since it may end everything; the global part comes after the portal, which it lies upon.
    """

    ACCOUNT = ACCOUNT_PART
    PORTAL = "portal part"
    GLOBAL = GLOBAL_PART


class Checked(msgspec.Struct, frozen=True):
    """What came of a check: `outcome` decides when it is done again; `news` is all that waits to be applied."""

    outcome: Outcome
    news: News


# The services whose answers make up each of them.
PARTS: Final = {Check.ACCOUNT: (ACCOUNT_PART,), Check.PORTAL: (BASE, THEME), Check.GLOBAL: (GLOBAL_PART,)}
_PREFIXES: Final = {Check.ACCOUNT: webservice.REPROVISIONING, Check.GLOBAL: webservice.GLOBAL_REPROVISIONING}
_Parts: TypeAlias = tuple[tuple[str, Outcome], ...]


class Services:
    """The services that an account names, and the requests to them: made once, since an account seldom changes."""

    __slots__ = ("_account", "_found", "_prepared", "device", "strict")

    def __init__(self, device: Device, *, strict: bool = False) -> None:
        self.device, self.strict = device, strict
        self._account: Document | None = None
        self._found: Mapping[Check, Definition] = {}
        self._prepared: dict[Check, Prepared] = {}

    def of(self, saved: Saved) -> Mapping[Check, Definition]:
        """The definition of each check, where there is one."""
        if self._account is not saved.account:
            self._account, self._found, self._prepared = saved.account, definitions(saved), {}
        return self._found

    def request(self, definition: Definition, check: Check, saved: Saved) -> Prepared:
        """The request of a definition from `of`; raises Invalid when there cannot be one."""
        if check not in self._prepared:
            scope = reports.account_scope(saved, self.device)
            self._prepared[check] = webservice.prepare(definition, scope, strict=self.strict)
        return self._prepared[check]


def definitions(saved: Saved) -> dict[Check, Definition]:
    """The web service definition of each check, where the account has one."""
    read = {check: webservice.define(prefix, saved.account.text) for check, prefix in _PREFIXES.items()}
    return {check: definition for check, definition in read.items() if definition}


def intervals(saved: Saved, found: Mapping[Check, Definition]) -> dict[Check, int]:
    """The seconds between two checks; 0 where nothing is asked by itself, no key where there is nothing to ask."""
    plan = saved.reprovisioning
    named = {check: definition.interval_s for check, definition in found.items()}
    return {Check.PORTAL: plan.interval_s if plan.enabled else 0, **named}


class Asking(msgspec.Struct, frozen=True):
    """Who asks and whom, what the phone has, and what waits to be applied already."""

    saved: Saved
    news: News
    services: Services


def ask(check: Check, asking: Asking) -> Flow[Checked]:
    """Ask for one of them; what cannot be used changes nothing (D11)."""
    if check is Check.PORTAL:
        checked = yield from _portal(asking)
    else:
        checked = yield from _service(check, asking)
    if isinstance(checked.outcome, Useless):
        yield Remark(Diagnostic(check.value, checked.outcome.why))
    return checked


def _service(check: Check, asking: Asking) -> Flow[Checked]:
    service, saved = check.value, asking.saved
    definition = asking.services.of(saved).get(check)
    if definition is None:
        yield Skip(service, "the account names no such service")
        return Checked(Unchanged(), asking.news)
    try:
        prepared = asking.services.request(definition, check, saved)
    except Invalid as error:
        return Checked(Useless(f"cannot be asked: {error.text}"), asking.news)
    for diagnostic in prepared.diagnostics:
        yield Remark(diagnostic)
    # When the portal's part is new, the global part is laid over it as a whole.
    stale = check is Check.GLOBAL and asking.news.app is not None
    answer = yield from fetch(_fetch(service, prepared.request, asking, known=not stale))
    outcome = again.outcome(answer, definition.logout_status if check is Check.ACCOUNT else 0)
    return _read(((service, outcome),), asking)


def _portal(asking: Asking) -> Flow[Checked]:
    saved = asking.saved
    portal = Portal(saved.portal)
    urls = {part: portal.part_url(saved.cloud_id, part) for part in (BASE, THEME)}
    answers = yield from fetch_all(*(_fetch(part, Request("GET", url), asking) for part, url in urls.items()))
    about, looks = map(again.outcome, answers)
    checked = _read(((BASE, about), (THEME, looks)), asking)
    if isinstance(looks, New) and not isinstance(checked.outcome, Useless):
        try:
            yield KeepTheme(looks.response.body)
        except OffhookError as error:
            return Checked(again.unusable(error), asking.news)
    return checked


def _fetch(service: str, request: Request, asking: Asking, *, known: bool = True) -> Fetch:
    validator = asking.saved.validators.get(service) if known else None
    return question(asking.services.device, service, again.conditional(request, validator))


def _read(parts: _Parts, asking: Asking) -> Checked:
    """All of the parts, or none of them."""
    for _, outcome in parts:
        if isinstance(outcome, LogOut):
            return Checked(outcome, asking.news)
    if useless := [outcome for _, outcome in parts if isinstance(outcome, Useless)]:
        # Whoever asks for more time is obeyed, though another part may have failed for another reason.
        longest_s = max((one.retry_after_s for one in useless if one.retry_after_s is not None), default=None)
        return Checked(msgspec.structs.replace(useless[0], retry_after_s=longest_s), asking.news)
    found = asking.news
    try:
        for service, outcome in parts:
            found = _laid_in(found, service, outcome, asking.saved)
        if found:
            # Whether an app could work with it is better known now than when it is to be applied.
            news.apply(asking.saved, found, asking.services.device.locale)
    except Invalid as error:
        return Checked(again.unusable(error), asking.news)
    return Checked(parts[0][1], found)


def _laid_in(found: News, service: str, outcome: Outcome, saved: Saved) -> News:
    if isinstance(outcome, Unchanged):
        return _right_as_it_is(found, service, outcome, saved)
    assert isinstance(outcome, New)
    match service:
        case "base":
            return news.read_base(found, outcome.response, saved)
        case "theme":
            return news.read_theme(found, outcome.response, saved)
        case "global part":
            return news.read_common(found, outcome.response)
        case _:
            return news.read_account(found, outcome.response)


def _right_as_it_is(found: News, service: str, outcome: Unchanged, saved: Saved) -> News:
    """What waited is no longer news; another validator for what the phone has is kept."""
    left = found.without(service)
    if service in trust.SIGNED:
        # A 304 has no signature: whoever sits on the way must not set the date that keeps old parts out.
        return left
    if outcome.validator is None or outcome.validator == saved.validators.get(service):
        return left
    return msgspec.structs.replace(left, validators={**left.validators, service: outcome.validator})
