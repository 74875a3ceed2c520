"""The sign-in as a conversation: what the phone asks for, in which order, and what it makes of the answers (D8)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

import msgspec

from offhook.core import accountxml, base, dialplan, mergeable, screen, theme, webservice
from offhook.core.accountxml import Reading
from offhook.core.base import Base
from offhook.core.diagnostics import Diagnostic
from offhook.core.dialplan import GlobalPart
from offhook.core.errors import Invalid
from offhook.core.login import CloudId, Login
from offhook.core.placeholders import Scope
from offhook.core.screen import Screen, Shown
from offhook.phone import assembly, logout, trust
from offhook.phone.assembly import Received
from offhook.phone.commands import Flow, KeepTrust, Remark, Save, Unregister, set_aside
from offhook.phone.device import Device
from offhook.phone.portal import Portal
from offhook.phone.saved import Saved, owner
from offhook.phone.stopped import Stopped, usable
from offhook.phone.talk import ACCOUNT_PART, BASE, GLOBAL_PART, KEY, SCREEN, THEME, Talk
from offhook.phone.trust import Trust

PROVIDER_SOURCE: Final = "provider"
SIGN_IN: Final = "sign-in"
_ASKED: Final = (webservice.GLOBAL, webservice.INITIAL)
UNMET: Final = Trust()
UNWRITABLE: Final = (
    "The username or the password has a character that no account can hold. Please check what you typed."
)
EMPTY: Final = {"username": "Please enter your username.", "password": "Please enter your password."}
INCOMPLETE: Final = "Your account is incomplete. Please contact your provider."


class Offered(msgspec.Struct, frozen=True):
    """The initial screen of a white label, the portal key that signed it, and what was tolerated."""

    screen: Screen
    portal_key: str
    remarks: tuple[Diagnostic, ...] = ()


def sign_in(
    login: Login,
    portal: Portal,
    device: Device,
    now: datetime,
    *,
    pinned: str = "",
    trusted: Trust = UNMET,
    earlier: Saved | None = None,
    trouble: str = "",
    shown: Shown | None = None,
    strict: bool = False,
) -> Flow[Saved]:
    """Ask for base and theme together, then the global part, then the account part; save once, when all have succeeded.

    `pinned` is the portal's key, where a person says it; `trusted` what the phone knows of the portal; `earlier` what
    it has saved, `trouble` why that cannot be read; `shown` the screen on which the user signs in. Raises Stopped.
    """
    talk = Talk(portal, device, strict=strict)
    with talk.noted():
        known = yield from talk.trust(_known(portal, pinned, trusted, earlier))
        app, package = yield from _base_and_theme(talk, login.cloud_id, known)
        _ask_for_what_is_missing(login, app, shown)
        scope = _scope(login, device)
        common = yield from _global_part(talk, app, scope)
        own = yield from _account_part(talk, app, scope, login)
        known_as = _known_as(own) or login.username
        is_back = earlier is not None and earlier.owner == owner(portal.url, login.cloud_id, known_as)
        before = earlier if earlier and is_back and not earlier.leaving else None
        if earlier and not is_back:
            talk.remarks.append(
                Diagnostic(
                    "phone",
                    f"{earlier.username}@{earlier.cloud_id} was signed in here before, and is signed out by this",
                )
            )
        saved = _record(talk, login, known.key, Received(app, package, common, own), now=now, earlier=before)
        saved = msgspec.structs.replace(saved, known_as="" if known_as == login.username else known_as)
        if earlier:
            yield KeepTrust(earlier.portal, trust.of_record(earlier), earlier=True)
        if earlier and not before:
            saved = logout.succeed(saved, earlier)
        if trouble:
            # Not before there is something to take its place: a sign-in that fails leaves the phone as it was.
            aside = yield from set_aside()
            yield Remark(Diagnostic("vault", f"could not be opened ({trouble}) and was set aside as {aside}"))
        yield Save(saved, package)
    if earlier and not before:
        yield Unregister()
    return saved


def initial_screen(
    cloud_id: CloudId,
    portal: Portal,
    device: Device,
    *,
    pinned: str = "",
    trusted: Trust = UNMET,
    earlier: Saved | None = None,
) -> Flow[Offered]:
    """The screen of an app: the stand-in for what a white label has built in. Raises Stopped."""
    talk = Talk(portal, device)
    with talk.noted():
        known = yield from talk.trust(_known(portal, pinned, trusted, earlier))
        (answer,) = yield from talk.parts(cloud_id, known, SCREEN)
        with usable(SCREEN, answer.status):
            offered = screen.loads(answer.body)
    return Offered(offered, known.key, tuple(talk.remarks))


def _ask_for_what_is_missing(login: Login, app: Base, shown: Shown | None) -> None:
    """An empty field is the user's slip and not worth a refusal by the provider: no service is asked. Raises Stopped.

    It is none where the screen has no such field, or where no service of the app wants it.
    """
    typed = {"username": login.username.strip(), "password": login.password.reveal()}
    for field, text in typed.items():
        label = getattr(shown, field) if shown else field
        if not text and label and _is_wanted(field, app):
            raise Stopped(Invalid.at("", EMPTY[field]), SIGN_IN, reason=f"the {field} is empty")


def _is_wanted(field: str, app: Base) -> bool:
    """Whether a service is told what stands in the field; without an account service it names the SIP account."""
    read = [webservice.define(prefix, lambda key: app.services.get(key, "")) for prefix in _ASKED]
    named_by_portal = mergeable.settle(app.account).text("username")
    if field == "username" and read[-1] is None and not named_by_portal:
        return True
    return any(f"%{field}%" in text for definition in read if definition for text in definition.templates)


def _base_and_theme(talk: Talk, cloud_id: CloudId, known: Trust) -> Flow[tuple[Base, bytes]]:
    """What the portal says to every phone of the app. An app without a readable theme is not signed in to."""
    about, looks = yield from talk.parts(cloud_id, known, BASE, THEME)
    with usable(BASE, about.status):
        app = base.loads(about.body)
    with usable(THEME, looks.status):
        theme.unpack(looks.body)
    talk.remarks.extend(app.diagnostics)
    return app, looks.body


def _global_part(talk: Talk, app: Base, scope: Scope) -> Flow[GlobalPart]:
    """What the provider adds beside the account, when the portal names such a service."""
    answer = yield from talk.call(GLOBAL_PART, webservice.GLOBAL, app, scope)
    if answer is None:
        return GlobalPart()
    with usable(GLOBAL_PART, answer.status):
        common = dialplan.loads(answer.body, mergeable.PROVIDER, PROVIDER_SOURCE)
    talk.remarks.extend(common.diagnostics)
    return common


def _account_part(talk: Talk, app: Base, scope: Scope, login: Login) -> Flow[Reading]:
    """The user's own account, when the portal names such a service; else what was typed."""
    answer = yield from talk.call(ACCOUNT_PART, webservice.INITIAL, app, scope)
    if answer is None:
        with usable(ACCOUNT_PART, text=UNWRITABLE):
            own = assembly.typed_account(login)
    else:
        with usable(ACCOUNT_PART, answer.status):
            own = accountxml.loads(answer.body, mergeable.PROVIDER, PROVIDER_SOURCE)
    talk.remarks.extend(own.diagnostics)
    return own


def _known_as(own: Reading) -> str:
    """The user's name as the provider writes it; a text of the portal's would make one user of all."""
    told = own.values.get("cloud_username")
    return told.content if told and not told.markup else ""


def _record(talk: Talk, login: Login, key: str, received: Received, *, now: datetime, earlier: Saved | None) -> Saved:
    """What to save, unless the app could not work with the account."""
    whole = assembly.assemble(received, earlier)
    talk.remarks.extend(whole.diagnostics)
    with usable(ACCOUNT_PART, text=INCOMPLETE):
        Invalid.unless_empty(assembly.missing(whole.account, talk.device.locale))
    return Saved(
        cloud_id=login.cloud_id,
        username=login.username,
        portal=talk.portal.url,
        portal_key=key,
        signed_in_at=now,
        base_version=received.app.version,
        extras=dict(login.extras),
        account=whole.account,
        quick_dials=whole.quick_dials,
        dial_actions=whole.dial_actions,
        preferences=whole.preferences,
        features=received.app.features,
        reprovisioning=received.app.reprovisioning,
        services=received.app.services,
        validators={service: validator for service, validator in talk.validators.items() if service != KEY},
        theme=hashlib.sha256(received.package).hexdigest(),
        diagnostics=tuple(dict.fromkeys(talk.remarks)),
        history=earlier.history if earlier else (),
        restored=earlier.restored if earlier else "",
        predecessors=earlier.predecessors if earlier else (),
    )


def _scope(login: Login, device: Device) -> Scope:
    """The placeholders of a sign-in: what was typed, the global ones, and no account yet."""
    typed = {
        "username": login.username,
        "password": login.password.reveal(),
        "fullcode": login.cloud_id.full_code,
    }
    return Scope(names={**device.names(), **typed}, extras=login.extras)


def _known(portal: Portal, pinned: str, trusted: Trust, earlier: Saved | None) -> Trust:
    """What the phone knows of this portal; a key that a person gives counts before any that was met."""
    if earlier and earlier.portal == portal.url:
        trusted = trust.of_record(earlier).and_also(trusted)
    return trusted.and_also(Trust(pinned))
