"""Whether a request comes from the install it names: by token, SIP credentials, or the user's password (D20)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Final

from offhook.core.errors import Refused, Unavailable
from offhook.provider.againrequest import AgainRequest
from offhook.provider.compose import Composer, Grant
from offhook.provider.limits import Attempts
from offhook.provider.ports import Clock, LifeStore, Passwords, Standing
from offhook.provider.rulings import Rulings
from offhook.provider.sealing import DIGEST_BYTES, SIGN_IN_PASSWORD, KeyedHash, place_of
from offhook.provider.subscriber import username_key
from offhook.provider.tenant import Credential

WRONG: Final = "This device is not known here. Please sign in again."


class Authenticity:
    """Finds the install of a request: one query, and a keyed hash unless the Cloud ID keeps the user's own password."""

    def __init__(
        self,
        *,
        store: LifeStore,
        tokens: KeyedHash,
        passwords: Passwords,
        composer: Composer,
        rulings: Rulings,
        attempts: Attempts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._passwords = passwords
        self._composer = composer
        self._rulings = rulings
        self._attempts = attempts
        self._clock = clock

    async def check(self, request: AgainRequest) -> Standing:
        """The install, whatever became of it. Raises Refused, TooMany and Unavailable.

        Who is right is never told to wait, since only what is wrong counts as a try. To ask with an install that nobody
        has is no try: it is one of so many that guessing is hopeless, and the phones of a whole office may do so after
        their installs were forgotten.
        """
        standing = await self._store.standing(request.cloud_id, request.install_id)
        if standing is None:
            # Nobody guesses an id of 128 random bits, so there is nothing to count: a whole office may be behind it.
            raise Refused(WRONG)
        await self._rulings.prepare(standing.tenant)
        if self._is_known(standing, request):
            return standing
        attempt = self._attempts.begin(request.cloud_id, request.install_id, request.client, self._clock.now_s())
        try:
            fits = await self._fits_otherwise(standing, request)
        except Unavailable:
            self._attempts.withdraw(attempt)
            raise
        if not fits:
            self._attempts.failed(attempt)
            raise Refused(WRONG)
        self._attempts.withdraw(attempt)
        return standing

    def _is_known(self, standing: Standing, request: AgainRequest) -> bool:
        sent = (self._tokens.of(request.secret), self._tokens.of_pair(request.username, request.secret))
        # Not any(): it would stop at the one that fits.
        return sum(hmac.compare_digest(known, one) for known in hashes(standing.hashes) for one in sent) > 0

    async def _fits_otherwise(self, standing: Standing, request: AgainRequest) -> bool:
        """Where the Cloud ID has other credentials now than the install was given, or the user's own password."""
        match standing.tenant.credential:
            case Credential.TOKEN:
                return False
            case Credential.SIP:
                return standing.state is not None and self._has_sip_credentials(standing, request)
            case Credential.PASSWORD:
                return await self._has_password(standing, request) or await self._had_password(standing, request)

    async def _has_password(self, standing: Standing, request: AgainRequest) -> bool:
        if standing.state is None:
            return False
        subscriber = standing.subscriber()
        row = place_of(subscriber.cloud_id, username_key(subscriber.username), SIGN_IN_PASSWORD)
        return await self._passwords.verify(subscriber.password, request.secret, row)

    async def _had_password(self, standing: Standing, request: AgainRequest) -> bool:
        """Whether one that is to be logged out comes with the password of before: that is good for nothing else."""
        is_out = standing.decided or standing.has_expired(self._clock.now_s())
        if standing.password is None or not is_out:
            return False
        return await self._passwords.verify(standing.password, request.secret, "")

    def _has_sip_credentials(self, standing: Standing, request: AgainRequest) -> bool:
        grant = Grant(standing.install_id, request.secret, again=True, line=standing.line)
        subscriber, told = standing.subscriber(), request.circumstances.over(standing.circumstances)
        case = self._rulings.again(standing.tenant, standing.subscriber_id, told, standing.install_id)
        composition = self._composer.compose(standing.tenant, subscriber, grant, case.resolve(subscriber))
        pair = composition.sip_credentials()
        known, sent = self._tokens.of_pair(*pair), self._tokens.of_pair(request.username, request.secret)
        return bool(pair[1]) and hmac.compare_digest(known, sent)


def hashes(joined: bytes) -> Iterator[bytes]:
    """The hashes that an install's column holds, one behind the other."""
    return (joined[start : start + DIGEST_BYTES] for start in range(0, len(joined), DIGEST_BYTES))
