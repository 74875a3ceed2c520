"""Re-provisioning: what an install gets that asks again, or that it has it already, or that it is to be logged out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from offhook.core.errors import Refused, Unavailable
from offhook.core.secret import Discreet
from offhook.policy.resolution import Logout, Overflow, Refusal, Resolution, Verdict
from offhook.policy.subject import Occasion
from offhook.provider.againrequest import AgainRequest
from offhook.provider.authenticity import WRONG, Authenticity, hashes
from offhook.provider.circumstances import Circumstances
from offhook.provider.compose import Composer, Composition, Grant
from offhook.provider.dating import Dating
from offhook.provider.fleetguard import RETRY_AFTER_S, FleetGuard
from offhook.provider.ports import Clock, Ending, LifeStore, Sighting, Standing
from offhook.provider.rulings import Case, Rulings
from offhook.provider.sealing import KeyedHash
from offhook.provider.sightings import Sightings
from offhook.provider.signin import EXPIRED, SUSPENDED
from offhook.provider.tenant import Credential
from offhook.provider.validators import ACCOUNT, GLOBAL, Edition, Validators

# What an install was given last, what it came with, and two whose answers may still be on their way.
MOST_HASHES: Final = 4
MESSAGES: Final = {
    Ending.REVOKED: "Your provider has signed this device out.",
    Ending.DELETED: "Your account does not exist any more.",
    Ending.REPORTED: "This device was signed out.",
    Ending.SUSPENDED: SUSPENDED,
    Ending.EXPIRED: EXPIRED,
    Ending.RULE: "Your provider has signed this device out.",
    Ending.LIMIT: "You have signed in on another device, and may be signed in on only so many.",
}


class Fresh(Discreet, frozen=True):
    """The whole answer."""

    install_id: str
    document: bytes
    validators: Validators

    def __str__(self) -> str:
        return f"{self.install_id}, {len(self.document)} bytes"


class Unchanged(msgspec.Struct, frozen=True):
    """The install has it already."""

    install_id: str
    validators: Validators


class LoggedOut(msgspec.Struct, frozen=True):
    """The install is to be logged out, with this status and message."""

    install_id: str
    status: int
    reason: Ending
    message: str


Outcome: TypeAlias = Fresh | Unchanged | LoggedOut


class Reprovision:
    """The use cases of both services that an install calls from time to time."""

    def __init__(
        self,
        *,
        authenticity: Authenticity,
        store: LifeStore,
        guard: FleetGuard,
        sightings: Sightings,
        composer: Composer,
        rulings: Rulings,
        tokens: KeyedHash,
        clock: Clock,
    ) -> None:
        self._authenticity = authenticity
        self._store = store
        self._guard = guard
        self._sightings = sightings
        self._composer = composer
        self._rulings = rulings
        self._tokens = tokens
        self._clock = clock

    async def account(self, request: AgainRequest) -> Outcome:
        """The account of the install's user. Raises Refused, TooMany, Unavailable; a fault never logs anybody out."""
        standing = await self._recognised(request)
        told = request.circumstances.over(standing.circumstances)
        case, seen = self._case(standing, told), self._seen(standing, request, told, ACCOUNT)
        known = self._sightings.served(standing.install_id)
        dating = Dating.of(case, standing.modified_s, standing.served if known is None else known)
        self._sightings.saw(seen)
        if decided := await self._decided(standing, seen.seen_s):
            return await self._logout(standing, decided, seen, self._said_of_limit(standing, case))
        if dating.known_s is not None:
            edition = Edition.of_account(standing.install_id, dating.known_s)
            if validators := edition.is_held(request.claim):
                return Unchanged(standing.install_id, validators)
        subscriber = standing.subscriber()
        resolution = case.resolve(subscriber)
        if logged_out := await self._judged(standing, resolution.verdict, seen):
            return logged_out
        composition = await self._composed(standing, request, resolution)
        document = composition.dumps()
        answered = dating.answered(self._tokens.digest(document), case.now_s, seen.held_s)
        self._sightings.saw(msgspec.structs.replace(seen, served=answered, interval_s=composition.interval_s))
        dated_s = standing.modified_s if answered is None else answered.dated_s
        return self._answer(Edition.of_account(standing.install_id, dated_s), standing, request, document)

    async def _composed(self, standing: Standing, request: AgainRequest, resolution: Resolution) -> Composition:
        grant = Grant(standing.install_id, request.secret, request.secret, again=True, line=standing.line)
        composition = self._composer.compose(standing.tenant, standing.subscriber(), grant, resolution)
        if standing.tenant.credential is Credential.SIP:
            given = self._tokens.of_pair(*composition.sip_credentials())
            came_with = self._tokens.of_pair(request.username, request.secret)
            await self._remember(standing, given, came_with)
        return composition

    async def _judged(self, standing: Standing, verdict: Verdict, seen: Sighting) -> LoggedOut | None:
        """What a rule makes of the install: a logout if the guard lets it go, a refusal that logs nobody out, or None.

        A rule whose logouts were withdrawn says nothing of them.
        """
        if isinstance(verdict, Refusal):
            self._sightings.refused(standing.install_id, seen.seen_s)
            raise Refused(verdict.message)
        if isinstance(verdict, Logout) and (decided := await self._guard.ruled(standing, verdict.by, seen.seen_s)):
            return await self._logout(standing, decided, seen, verdict.message)
        return None

    async def common(self, request: AgainRequest) -> Outcome:
        """The global part for the install's user; raises as `account`.

        No install has a date of its own for it. So where rules make it vary, a date says nothing: only equal bytes do.
        """
        standing = await self._recognised(request)
        told = request.circumstances.over(standing.circumstances)
        case, seen = self._case(standing, told), self._seen(standing, request, told, GLOBAL)
        if decided := await self._decided(standing, seen.seen_s):
            return await self._logout(standing, decided, seen, self._said_of_limit(standing, case))
        edition = Edition.of_global(standing.tenant.cloud_id, standing.subscriber_id, standing.modified_s)
        policy = case.policy
        varies = policy is not None and policy.dials and (policy.varies or policy.draws_installs)
        if not varies and (validators := edition.is_held(request.claim)):
            return Unchanged(standing.install_id, validators)
        subscriber = standing.subscriber()
        answer = self._composer.common(standing.tenant, subscriber, case.resolve(subscriber))
        return self._answer(edition, standing, request, answer.dumps(), by_date=not varies)

    def _case(self, standing: Standing, told: Circumstances) -> Case:
        return self._rulings.again(standing.tenant, standing.subscriber_id, told, standing.install_id)

    def _seen(self, standing: Standing, request: AgainRequest, told: Circumstances, service: str) -> Sighting:
        """The note of a request; what counts for the fleet guard counts from here on."""
        self._guard.asked(standing)
        edition = Edition.of_account(standing.install_id, 0)
        if service == GLOBAL:
            edition = Edition.of_global(standing.tenant.cloud_id, standing.subscriber_id, 0)
        return Sighting(
            standing.install_id,
            self._clock.now_s(),
            edition.held_s(request.claim),
            request.user_agent,
            self._proved(standing, request),
            circumstances=told,
            asked=service == ACCOUNT,
        )

    async def _recognised(self, request: AgainRequest) -> Standing:
        """The install, unless another one has taken its place; that one must not be logged out for it."""
        try:
            standing = await self._authenticity.check(request)
        except Refused:
            # Whoever it was, a phone that is refused for what a rule gave it must not go unnoticed.
            self._sightings.refused(request.install_id, self._clock.now_s())
            raise
        if standing.ended is Ending.REPLACED:
            raise Refused(WRONG)
        if standing.ended is None and standing.state is None:
            raise Unavailable(f"The install {standing.install_id} has no user. Restore the database from a backup.")
        return standing

    async def _decided(self, standing: Standing, now_s: int) -> Mapping[Ending, int]:
        """Why the install is to be logged out: somebody's decisions, never that something is missing."""
        if not standing.has_expired(now_s):
            if standing.expired_by:
                await self._store.not_due(standing.tenant.cloud_id, now_s)
            return standing.decided
        by = standing.expired_by
        if not by and not standing.decided:
            by = await self._store.come_due(standing.tenant.cloud_id, standing.subscriber_id, now_s)
        return {**standing.decided, Ending.EXPIRED: by} if by else standing.decided

    async def _logout(
        self, standing: Standing, decided: Mapping[Ending, int], seen: Sighting, message: str = ""
    ) -> LoggedOut:
        reason = await self._guard.lets_go(standing, decided)
        if reason is None:
            raise Unavailable("The fleet guard holds this logout back.", RETRY_AFTER_S)
        self._sightings.saw(msgspec.structs.replace(seen, told=True))
        status = standing.tenant.logout_status_of(seen.held_s)
        said = message if reason in {Ending.RULE, Ending.LIMIT} else ""
        return LoggedOut(standing.install_id, status, reason, said or MESSAGES[reason])

    def _said_of_limit(self, standing: Standing, case: Case) -> str:
        """What the rule says to a phone that it has ended for another one, as long as there is such a rule."""
        if standing.ended is not Ending.LIMIT or standing.state is None:
            return ""
        signing_in = msgspec.structs.replace(case, occasion=Occasion.SIGN_IN)
        limit = signing_in.resolve(standing.subscriber()).device_limit
        return "" if limit is None or limit.then is not Overflow.END_OLDEST else limit.message

    def _proved(self, standing: Standing, request: AgainRequest) -> bytes:
        """The hash of what was given last, if there are others and the install comes with this one."""
        newest, *others = list(hashes(standing.hashes)) or [b""]
        if not others:
            return b""
        sent = (self._tokens.of(request.secret), self._tokens.of_pair(request.username, request.secret))
        return newest if newest in sent else b""

    async def _remember(self, standing: Standing, given: bytes, came_with: bytes) -> None:
        """Keep what the install is about to be given, before it is: else a lost note would lock it out for good."""
        known = list(hashes(standing.hashes))
        if known[:1] == [given]:
            return
        wanted = dict.fromkeys([given, came_with, *known])
        await self._store.remember(standing.install_id, b"".join(list(wanted)[:MOST_HASHES]))

    def _answer(
        self, edition: Edition, standing: Standing, request: AgainRequest, document: bytes, *, by_date: bool = True
    ) -> Outcome:
        digest = self._tokens.digest(document)
        validators = edition.validators(digest)
        if edition.has(request.claim, digest) or (by_date and edition.is_held(request.claim)):
            return Unchanged(standing.install_id, validators)
        return Fresh(standing.install_id, document, validators)
