"""Signing in: who may come in, what they get, and what is kept of it."""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final, Protocol

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from offhook.core.secret import Discreet, Secret
from offhook.policy.draft import TOO_MANY
from offhook.policy.resolution import DeviceLimit, Logout, Overflow, Refusal
from offhook.policy.subject import Fact
from offhook.provider.compose import Composer, Composition, Grant
from offhook.provider.dating import Dating
from offhook.provider.evidence import TurnedAway
from offhook.provider.limits import Attempts
from offhook.provider.ports import (
    Chance,
    Clock,
    Found,
    KnownInstall,
    NewInstall,
    Passwords,
    Room,
    Sighting,
    SignInStore,
)
from offhook.provider.reception import Guest, Reception
from offhook.provider.request import MAX_LABEL, Inputs, SignInRequest
from offhook.provider.rulings import Case, Rulings
from offhook.provider.sealing import SIGN_IN_PASSWORD, KeyedHash, place_of
from offhook.provider.sightings import Sightings
from offhook.provider.sipregister import Line
from offhook.provider.subscriber import State, Subscriber, username_key
from offhook.provider.tenant import Credential, Names, PerWhom, Tenant
from offhook.provider.validators import NEVER_SERVED, Edition, Served, Validators
from offhook.provider.waiting import not_ready

INSTALL_ID_BYTES: Final = 16
TOKEN_BYTES: Final = 32
ATTEMPTS: Final = 3
WRONG: Final = "Wrong username or password."
SUSPENDED: Final = "Your account is suspended. Please contact your provider."
EXPIRED: Final = "Your account has expired. Please contact your provider."
NOT_HERE: Final = "You cannot sign in here now. Please contact your provider."
UNKNOWN: Final = "There is no app of this Cloud ID here."


class Issued(Discreet, frozen=True):
    """An account for one install: the answer, and what may be said of it.

    The validators are those of what the install would get if it asked again.
    """

    document: bytes
    validators: Validators
    cloud_id: str
    subscriber_id: int
    install_id: str
    is_new: bool
    keys: int
    diagnostics: tuple[Diagnostic, ...] = ()

    def __str__(self) -> str:
        return f"{self.install_id}, {self.keys} keys"


class Common(msgspec.Struct, frozen=True):
    """The global part for one user."""

    document: bytes
    validators: Validators


class Entrant(Discreet, frozen=True):
    """Somebody who may come in; `by_token` when it was no password that proved it, `elsewhere` when none kept here."""

    tenant: Tenant
    subscriber: Subscriber
    inputs: Inputs
    install: KnownInstall | None
    by_token: bool
    modified_s: int
    line: Line | None = None
    elsewhere: bool = False

    def __str__(self) -> str:
        return self.tenant.cloud_id


class Lines(Protocol):
    """Gives an install that signs in its account in a SIP system, which is made unless it is there."""

    async def line(self, tenant: Tenant, subscriber: Subscriber, install_id: str, *, rotate: bool) -> Line:
        """The account; with `rotate`, a new password where the settings want one. Raises Unavailable, Refused."""

    async def drop(self, account_id: str) -> None:
        """The install that this account was made for is not issued. Raises Unavailable."""


class NoLines:
    """Where nothing is known of SIP systems."""

    async def line(self, tenant: Tenant, subscriber: Subscriber, install_id: str, *, rotate: bool) -> Line:
        """As the port says."""
        raise not_ready()

    async def drop(self, account_id: str) -> None:
        """As the port says."""


class SignIn:
    """The use cases of both web services that an app calls to sign in."""

    def __init__(
        self,
        *,
        store: SignInStore,
        passwords: Passwords,
        sightings: Sightings,
        composer: Composer,
        rulings: Rulings,
        tokens: KeyedHash,
        attempts: Attempts,
        clock: Clock,
        chance: Chance,
        lines: Lines | None = None,
        reception: Reception | None = None,
    ) -> None:
        self._store, self._lines, self._reception = store, lines or NoLines(), reception
        self._passwords = passwords
        self._sightings = sightings
        self._composer = composer
        self._rulings = rulings
        self._tokens = tokens
        self._attempts = attempts
        self._clock = clock
        self._chance = chance
        # Those Cloud IDs that call their parameters otherwise than usual, as far as they were met.
        self._names: dict[str, Names] = {}

    async def account(self, request: SignInRequest) -> Issued:
        """The account of the user who signs in, on a new install, or on the one they come with.

        Raises Invalid, NotFound for an unknown Cloud ID, Refused, TooMany, Unavailable.
        """
        for _ in range(ATTEMPTS):
            with suppress(Conflict):
                return await self._account(request)
        raise Unavailable("This user is being changed all the time. Try again.")

    async def _account(self, request: SignInRequest) -> Issued:
        """Raises Conflict as well, when the user is not any more who was let in."""
        entrant = await self._let_in(request)
        grant, is_new = self._grant(entrant)
        case = self._case(entrant, grant, is_new=is_new)
        resolution = case.resolve(entrant.subscriber)
        if isinstance(resolution.verdict, Refusal | Logout):
            self._note_refusal(entrant, case, is_new=is_new)
            raise Refused(resolution.verdict.message or NOT_HERE)
        room = room_of(resolution.device_limit)
        if entrant.tenant.sip is not None and request.keep and not _has_line(entrant, is_new=is_new):
            if is_new:
                # Nothing is made or changed in a SIP system for somebody who is turned away afterwards.
                looked = msgspec.structs.replace(self._install(entrant, case, b"", request.user_agent), room=room)
                await self._with_room(entrant, case, self._store.look_for_room(looked))
            line = await self._lines.line(
                entrant.tenant, entrant.subscriber, grant.install_id, rotate=is_new and entrant.line is not None
            )
            grant = msgspec.structs.replace(grant, line=line)
        composition = self._composer.compose(entrant.tenant, entrant.subscriber, grant, resolution)
        document = composition.dumps()
        validators, served = self._told(entrant, grant, case, document)
        if is_new and request.keep:
            hashed = self._hash(entrant.tenant, grant, composition)
            install = self._install(entrant, case, hashed, request.user_agent)
            room = room_of(resolution.device_limit) if case.new_device else None
            if room is not None and case.installs > room.count:
                # Which phone was not seen for longest is known only with what was noted just now.
                await asyncio.to_thread(self._sightings.flush)
            install = msgspec.structs.replace(
                install,
                served=served or NEVER_SERVED,
                room=room,
                interval_s=composition.interval_s,
                line=grant.line if entrant.tenant.sip is not None else None,
                has_own_line=_has_own_line(entrant.tenant),
            )
            await self._with_room(entrant, case, self._issued(entrant, install))
        elif not is_new:
            seen = self._sighting(grant, request, case, served)
            self._sightings.saw(msgspec.structs.replace(seen, interval_s=composition.interval_s))
        return Issued(
            document=document,
            validators=validators,
            cloud_id=entrant.tenant.cloud_id,
            subscriber_id=entrant.subscriber.id,
            install_id=grant.install_id,
            is_new=is_new and request.keep,
            keys=len(composition.document.keys),
            diagnostics=composition.diagnostics,
        )

    async def common(self, request: SignInRequest) -> Common:
        """The global part for the user who signs in; makes no install. Raises as `account`."""
        entrant = await self._let_in(request)
        subscriber = entrant.subscriber
        case = self._rulings.sign_in(
            entrant.tenant, subscriber.id, entrant.inputs.circumstances, "", entrant.inputs.device
        )
        document = self._composer.common(entrant.tenant, subscriber, case.resolve(subscriber)).dumps()
        edition = Edition.of_global(subscriber.cloud_id, subscriber.id, entrant.modified_s)
        return Common(document, edition.validators(self._tokens.digest(document)))

    def _case(self, entrant: Entrant, grant: Grant, *, is_new: bool) -> Case:
        """A new install signs in; one that is known asks for the same again, as it may at this address, too."""
        tenant, user, inputs = entrant.tenant, entrant.subscriber, entrant.inputs
        if is_new:
            return self._rulings.sign_in(tenant, user.id, inputs.circumstances, grant.install_id, inputs.device)
        return self._rulings.again(tenant, user.id, inputs.circumstances, grant.install_id)

    def _told(self, entrant: Entrant, grant: Grant, case: Case, document: bytes) -> tuple[Validators, Served | None]:
        """What to say of the answer: the validators of what this install would get if it asked again.

        That leaves out the token, and what rules give at a sign-in alone. Where rules look at the occasion, asking
        again may bring more, and what is said of this answer is never said of that one.
        """
        served = NEVER_SERVED
        if entrant.install is not None:
            served = self._sightings.served(entrant.install.id) or entrant.install.served
        dating = Dating.of(case.again(), entrant.modified_s, served)
        occasional = case.uses(Fact.OCCASION)
        forgets = entrant.tenant.sip is not None and not entrant.tenant.sip.keep_passwords
        if not occasional and (entrant.tenant.credential is Credential.TOKEN or case.policy is not None or forgets):
            again = msgspec.structs.replace(grant, again=True, line=_line_again(entrant.tenant, grant))
            resolution = case.again().resolve(entrant.subscriber)
            document = self._composer.compose(entrant.tenant, entrant.subscriber, again, resolution).dumps()
        digest = self._tokens.digest(document)
        answered = dating.answered(digest, self._clock.now_s(), 0)
        if answered is not None and occasional:
            answered = msgspec.structs.replace(answered, variant="")
        edition = Edition.of_account(grant.install_id, entrant.modified_s if answered is None else answered.dated_s)
        return edition.validators(digest), answered

    async def ask_for_code(self, request: SignInRequest) -> str:
        """Send a code to whoever wants to sign up; returns what to tell them. Raises as `account`."""
        tenant, found, inputs = await self._look_up(request)
        if self._reception is None:
            raise Refused(NOT_HERE)
        Invalid.unless_empty(self._reception.faults(tenant, inputs))
        return await self._reception.ask_for_code(Guest(tenant, found, inputs, request))

    async def _let_in(self, request: SignInRequest) -> Entrant:
        tenant, found, inputs = await self._look_up(request)
        Invalid.unless_empty(self._reception.faults(tenant, inputs) if self._reception else inputs.faults)
        await self._rulings.prepare(tenant)
        by_token, elsewhere = self._has_token(found, inputs), False
        if not by_token:
            admitted = await self._admitted(Guest(tenant, found, inputs, request))
            if elsewhere := admitted is not None:
                found = await self._again(found, admitted, inputs)
        if found.subscriber is None:
            # Somebody vouched for them, and nothing is kept of a request that only looks.
            raise Refused(WRONG)
        if found.subscriber.state is State.PENDING:
            found = await self._ready(found, inputs)
        assert found.subscriber is not None, "whoever is made is there"
        if found.subscriber.state is State.SUSPENDED:
            raise Refused(SUSPENDED)
        if found.subscriber.expires_s is not None and found.subscriber.expires_s <= self._clock.now_s():
            raise Refused(EXPIRED)
        return Entrant(
            tenant, found.subscriber, inputs, found.install, by_token, found.modified_s, found.line, elsewhere
        )

    async def _admitted(self, guest: Guest) -> str | None:
        """The key of a user whom somebody else vouched for; None when the password that is kept here was right."""

        async def check() -> None:
            await self._check_password(guest.tenant, guest.found, guest.inputs, guest.request.client)

        if self._reception is None:
            await check()
            return None
        return await self._reception.admit(guest, check)

    async def _again(self, found: Found, key: str, inputs: Inputs) -> Found:
        """What is known of the user who was admitted, by the name that is theirs."""
        assert found.tenant is not None
        token_hash = self._tokens.of(inputs.password)
        return await self._store.look_up(found.tenant.cloud_id, key, inputs.install_id, token_hash)

    async def _ready(self, found: Found, inputs: Inputs) -> Found:
        """The same user when all is made that they need. Raises Refused, Unavailable."""
        assert found.subscriber is not None
        if self._reception is None:
            raise not_ready()
        await self._reception.ready(found.subscriber)
        found = await self._again(found, username_key(found.subscriber.username), inputs)
        if found.subscriber is None or found.subscriber.state is State.PENDING:
            raise not_ready()
        return found

    async def _look_up(self, request: SignInRequest) -> tuple[Tenant, Found, Inputs]:
        """One query; two when the Cloud ID turns out to call its parameters otherwise than it did before."""
        cloud_id = request.tenant_id()
        names = self._names.get(cloud_id, Names())
        inputs, found = await self._find(cloud_id, request, names)
        if found.tenant is not None and found.tenant.names != names:
            self._names[cloud_id] = found.tenant.names
            inputs, found = await self._find(cloud_id, request, found.tenant.names)
        if found.tenant is None:
            raise NotFound(UNKNOWN)
        return found.tenant, found, inputs

    async def _find(self, cloud_id: str, request: SignInRequest, names: Names) -> tuple[Inputs, Found]:
        inputs = request.read(names)
        token_hash = self._tokens.of(inputs.password)
        return inputs, await self._store.look_up(cloud_id, inputs.username_key, inputs.install_id, token_hash)

    def _has_token(self, found: Found, inputs: Inputs) -> bool:
        """Whether the password is the token of an install of this subscriber, which needs no slow hash (D20).

        An app that asks for its account again at this same address, as with the vendor's sample, sends it so; if it
        does not send the install id along, the token is long enough to name the install as well.
        """
        known = found.install
        return known is not None and hmac.compare_digest(known.token_hash, self._tokens.of(inputs.password))

    async def _check_password(self, tenant: Tenant, found: Found, inputs: Inputs, client: str) -> None:
        attempt = self._attempts.begin(tenant.cloud_id, inputs.username_key, client, self._clock.now_s())
        stored = found.subscriber.password if found.subscriber else None
        row = place_of(tenant.cloud_id, inputs.username_key, SIGN_IN_PASSWORD)
        try:
            fits = await self._passwords.verify(stored, inputs.password, row)
        except Unavailable:
            self._attempts.withdraw(attempt)
            raise
        if not fits:
            self._attempts.failed(attempt)
            raise Refused(WRONG)
        self._attempts.withdraw(attempt)

    def _grant(self, entrant: Entrant) -> tuple[Grant, bool]:
        """What this install gets, and whether it is a new one.

        An app that comes with its install id and the right password keeps its install, unless a token goes with it:
        that one cannot be told again, so there has to be a new pair.
        """
        known, password = entrant.install, entrant.inputs.password
        if known is not None and (entrant.by_token or entrant.tenant.credential is not Credential.TOKEN):
            return Grant(known.id, token=password, submitted=password, line=entrant.line), False
        install_id = self._chance.token(INSTALL_ID_BYTES).hex().upper()
        token = base64.urlsafe_b64encode(self._chance.token(TOKEN_BYTES)).rstrip(b"=").decode()
        return Grant(install_id, Secret(token), submitted=password, line=entrant.line), True

    def _hash(self, tenant: Tenant, grant: Grant, composition: Composition) -> bytes:
        """What is kept of that with which the install may come back; nothing where that is the user's own password."""
        match tenant.credential:
            case Credential.TOKEN:
                return self._tokens.of(grant.token)
            case Credential.SIP:
                return self._tokens.of_pair(*composition.sip_credentials())
            case Credential.PASSWORD:
                return b""

    def _install(self, entrant: Entrant, case: Case, hashed: bytes, user_agent: str) -> NewInstall:
        return NewInstall(
            id=case.install_id,
            cloud_id=entrant.tenant.cloud_id,
            subscriber_id=entrant.subscriber.id,
            token_hash=hashed,
            device=entrant.inputs.device,
            user_agent=user_agent[:MAX_LABEL],
            created_s=case.now_s,
            circumstances=case.circumstances,
        )

    def _sighting(self, grant: Grant, request: SignInRequest, case: Case, served: Served | None) -> Sighting:
        return Sighting(
            grant.install_id,
            self._clock.now_s(),
            0,
            request.user_agent[:MAX_LABEL],
            circumstances=case.circumstances,
            served=served,
            asked=True,
        )

    def _note_refusal(self, entrant: Entrant, case: Case, *, is_new: bool) -> None:
        """A rule turns somebody away who has the right password, on an install or before there is one."""
        if not is_new:
            self._sightings.refused(case.install_id, case.now_s)
            return
        user = entrant.subscriber
        told = case.circumstances.kept()
        self._sightings.turned_away(TurnedAway(user.cloud_id, user.id, case.now_s, case.install_id, told))

    async def _with_room(self, entrant: Entrant, case: Case, looking: Awaitable[None]) -> None:
        try:
            await looking
        except Refused:
            self._note_refusal(entrant, case, is_new=True)
            raise

    async def _issued(self, entrant: Entrant, install: NewInstall) -> None:
        """Store the install; where that comes to nothing, an account that was made for it is not needed."""
        try:
            await self._keep(entrant, install)
        except (Refused, Conflict):
            if install.line is not None and install.has_own_line:
                # What cannot be said now is found by itself after a while.
                with suppress(Unavailable):
                    await self._lines.drop(install.line.account_id)
            raise

    async def _keep(self, entrant: Entrant, install: NewInstall) -> None:
        """Store the install, and a hash of today's where the password was kept otherwise till now."""
        stored, better = entrant.subscriber.password, None
        # What somebody else vouched for is no password of ours.
        if not entrant.elsewhere and self._passwords.is_outdated(stored):
            better = await self._passwords.hash(entrant.inputs.password)
        await self._store.issue(install, better, stored)


def _has_line(entrant: Entrant, *, is_new: bool) -> bool:
    """Whether nothing has to be made: the account of all phones is there, or this phone's own."""
    sip = entrant.tenant.sip
    needs_new = is_new and sip is not None and (sip.accounts is PerWhom.INSTALL or sip.rotate_at_sign_in)
    return entrant.line is not None and not needs_new


def _has_own_line(tenant: Tenant) -> bool:
    """Whether each install is issued with an account of its own."""
    return tenant.sip is not None and tenant.sip.accounts is PerWhom.INSTALL


def _line_again(tenant: Tenant, grant: Grant) -> Line | None:
    """What the install is told of its account when it asks again: no password that is not kept."""
    if grant.line is None or tenant.sip is None or tenant.sip.keep_passwords:
        return grant.line
    return msgspec.structs.replace(grant.line, sealed="")


def room_of(limit: DeviceLimit | None) -> Room | None:
    """What a limit leaves of room; the store looks again, since two phones may sign in at once."""
    if limit is None:
        return None
    return Room(limit.count, (limit.message or TOO_MANY) if limit.then is Overflow.REFUSE else "")
