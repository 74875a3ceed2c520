"""What somebody who changes an app would rather know before its phones do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from offhook.core import mergeable, webservice
from offhook.core.base import Reprovisioning
from offhook.core.features import Features, gate
from offhook.core.keys import is_secret
from offhook.core.lint import SEVERITIES, Finding, lint, templates
from offhook.core.mergeable import Value
from offhook.portal.app import App

SHORT_S: Final = 60
_LIKELY_A_PLACEHOLDER: Final = "%"
_KEPT: Final = "is no longer sent, so phones that have it keep it"
_REQUIRED: Final = ("title", "host")


def remarks(app: App) -> tuple[Finding, ...]:
    """Everything worth knowing about an app that can be used as it is, by place; the worst first."""
    found = (*_account(app), *_services(app), *_ranks(app), *_secrets(app), *_reprovisioning(app.reprovisioning))
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: SEVERITIES.index(finding.severity)))


def losses(old: App, new: App) -> Iterator[Finding]:
    """What a phone keeps although it is no longer sent, and what stops to count (D5, D18)."""
    sections = (("account", old.account, new.account), ("preferences", old.preferences, new.preferences))
    for section, before, after in sections:
        for key, value in before.items():
            if key not in after and value.content:
                how = "Send another one." if key in _REQUIRED else f'Send it empty ({key} = "") to take it back.'
                yield Finding("warning", f"{section}.{key}", _KEPT, how)
    yield from _lost_quick_dials(old, new)
    for identity, values in old.dial_actions.items():
        kept = new.dial_actions.get(identity, {})
        for key in values:
            if key not in kept:
                yield Finding("warning", f"dial_actions.{identity}.{key}", _KEPT, f'Send it empty ({key} = "").')
    for feature in old.features:
        if feature not in new.features:
            what = "is switched off: what services set for single users no longer counts where it needs this feature"
            yield Finding("warning", f"features.{feature}", what, "Make sure that nobody needs it.")


def _lost_quick_dials(old: App, new: App) -> Iterator[Finding]:
    named = {item.id for item in new.quick_dials.items} | {item.id for item in new.quick_dials.removals}
    below = new.quick_dials.replace_below
    for item in old.quick_dials.items:
        if item.id not in named and (below is None or item.rank >= below):
            yield Finding("warning", f"quick_dials.{item.id}", _KEPT, "List it with remove = true.")


def _account(app: App) -> Iterator[Finding]:
    plain = {key: msgspec.structs.replace(value, rank=mergeable.PORTAL) for key, value in app.account.items()}
    yield from _at("account", lint(plain))
    for key in _REQUIRED:
        if key not in app.account:
            what = "is missing: only users whose provider service sends one can use the app"
            yield Finding("warning", f"account.{key}", what, "Set it here, for all of them.")
    admit = gate(Features.parse(app.features))
    for key, value in app.account.items():
        # The portal's host is the one that counts without a licence; nothing needs to be said of it.
        if key != "host" and (reason := admit(key, value)):
            what = f"counts for all users as it stands here; a service that changes it for one of them {reason}"
            yield Finding("note", f"account.{key}", what, "Switch the feature on if that is needed.")


def _services(app: App) -> Iterator[Finding]:
    as_values = {key: Value(content, mergeable.PORTAL, "portal") for key, content in app.services.items()}
    yield from _at("services", (*templates.in_the_open(as_values), *templates.requests(as_values)))
    if not app.provider and f"{webservice.INITIAL}Url" not in app.services:
        what = "is false, and no other service gives the account: what users type becomes their SIP login"
        yield Finding("note", "services.provider", what, f"Set {webservice.INITIAL}Url, or leave provider out.")


def _ranks(app: App) -> Iterator[Finding]:
    for section, values in (("account", app.account), ("preferences", app.preferences)):
        for key, value in values.items():
            if value.rank > mergeable.USER:
                what = f"has priority {value.rank}, so neither a service nor the user can change it"
                yield Finding("warning", f"{section}.{key}", what, "Leave the priority out unless you want that.")
            elif value.rank == mergeable.USER:
                what = f"has priority {value.rank}: each check takes back what the user chose"
                yield Finding("warning", f"{section}.{key}", what, "Leave the priority out unless you want that.")


def _secrets(app: App) -> Iterator[Finding]:
    contents = {f"account.{key}": value.content for key, value in app.account.items() if is_secret(key)}
    contents |= {f"services.{key}": content for key, content in app.services.items() if is_secret(key)}
    for place, content in contents.items():
        if content.strip() and _LIKELY_A_PLACEHOLDER not in content:
            what = "goes to every phone, and everybody who knows the Cloud ID can read it"
            yield Finding("warning", place, what, "Have the provider service send it, to each user their own.")


def _reprovisioning(plan: Reprovisioning) -> Iterator[Finding]:
    place = "reprovisioning.interval_s"
    if not plan.enabled or plan.interval_s == 0:
        way = "when their user presses the button" if plan.button else "after they sign in anew"
        place, what = ("reprovisioning.enabled", "is false") if not plan.enabled else (place, "is 0")
        how = "Set enabled = true and interval_s = 86400 to have changes arrive within a day."
        yield Finding("warning", place, f"{what}: later changes reach phones only {way}", how)
    elif plan.interval_s < SHORT_S:
        what = f"makes every phone ask every {plan.interval_s} seconds"
        yield Finding("warning", place, what, f"Take {SHORT_S} or more.")


def _at(section: str, findings: tuple[Finding, ...]) -> Iterator[Finding]:
    return (msgspec.structs.replace(finding, key=f"{section}.{finding.key}") for finding in findings)
