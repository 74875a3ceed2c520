"""The mails that are to be sent: those of invitations, which survive a crash, and those with a code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from offhook.core.errors import NotFound, OffhookError, Refused, Unavailable
from offhook.core.secret import Secret
from offhook.provider.invitation import EXPIRED, Invitation, ticket
from offhook.provider.invitations import InvitationStore, sealed_place
from offhook.provider.mail import Letters, Mail, Mailer
from offhook.provider.onboarding import CODE_S, SignUp
from offhook.provider.ports import Chance, Clock, TenantStore
from offhook.provider.sealing import Sealer
from offhook.provider.wordings import Wordings

# Longer than a mail server is waited for.
LEASE_S: Final = 300
LANES: Final = ("one", "two")
IN_A_ROW: Final = 5
PAUSE_S: Final = 30
FIRST_WAIT_S: Final = 60
MOST_WAIT_S: Final = 3600
MAX_ERROR: Final = 300
RUNNER_BYTES: Final = 8
NO_ADDRESS: Final = (
    "Nobody said how phones reach this server, so an invitation cannot be mailed: start it with --public-url, or write "
    "public_url into connections.toml."
)


class Post:
    """Sends one mail at a time. Whoever has its lease does; after a crash the same mail goes out once more at most.

    A mail that goes out twice has the same Message-ID and the same link, so mailboxes and people know it for one.
    """

    def __init__(
        self,
        *,
        store: InvitationStore,
        mailer: Mailer,
        letters: Letters,
        wordings: Wordings,
        sealer: Sealer,
        clock: Clock,
        chance: Chance,
        public_url: Callable[[], str],
    ) -> None:
        self._store, self._mailer, self._letters, self._wordings = store, mailer, letters, wordings
        self._sealer, self._clock, self._public_url = sealer, clock, public_url
        self._runner = chance.token(RUNNER_BYTES).hex()

    def due(self, most: int) -> Sequence[str]:
        """Invitations whose mail is to be sent."""
        return self._store.due(self._clock.now_s(), most)

    def do(self, name: str) -> object:
        """Send one, unless somebody else does. Raises Unavailable when all mails have to wait."""
        now_s = self._clock.now_s()
        one = self._store.lease(name, self._runner, now_s, now_s + LEASE_S)
        if one is None:
            return None
        if one.expires_s <= now_s:
            self._store.not_mailed(one.id, self._runner, one.error or EXPIRED, 0)
            return None
        try:
            self._mailer.send(self._written(one), f"invitation-{one.id}")
        except Refused as error:
            self._store.not_mailed(one.id, self._runner, error.text[:MAX_ERROR], 0)
        except OffhookError as error:
            wait_s = min(FIRST_WAIT_S * 2 ** min(one.tries - 1, 10), MOST_WAIT_S)
            self._store.not_mailed(one.id, self._runner, error.text[:MAX_ERROR], self._clock.now_s() + wait_s)
            raise
        else:
            self._store.mailed(one.id, self._runner, self._clock.now_s())
        return None

    def _written(self, one: Invitation) -> Mail:
        public_url = self._public_url()
        if not public_url:
            raise Unavailable(NO_ADDRESS)
        wording = self._wordings.of(one.cloud_id)
        token = self._sealer.open(one.sealed, sealed_place(one.id))
        return self._letters.invitation(one.address, ticket(one, token, wording.scheme, public_url), wording)


class Deliveries:
    """The chore that sends what waits: a few at a time in two lanes, since a server that hangs holds up its lane.

    After trouble nothing is tried for a while, so that a server which is down keeps no thread from other chores.
    """

    def __init__(self, post: Post, clock: Clock) -> None:
        self._post, self._clock, self._until_s = post, clock, 0

    def due(self, most: int) -> Sequence[str]:
        """The lanes, while anything is to be sent."""
        now_s = self._clock.now_s()
        # A clock that was set back must not make the pause any longer.
        paused = now_s < self._until_s <= now_s + PAUSE_S
        return () if paused or not self._post.due(1) else LANES[:most]

    def do(self, name: str) -> object:
        """Send some. Raises Unavailable at the first one that has to wait."""
        for one in self._post.due(IN_A_ROW):
            try:
                self._post.do(one)
            except Unavailable:
                self._until_s = self._clock.now_s() + PAUSE_S
                raise
        return None


class MailedCodes:
    """Brings codes by mail."""

    def __init__(self, mailer: Mailer, letters: Letters, wordings: Wordings, tenants: TenantStore) -> None:
        self._mailer, self._letters, self._wordings, self._tenants = mailer, letters, wordings, tenants

    def send(self, cloud_id: str, address: str, code: Secret, key: str) -> None:
        """As the port of whoever gets codes to people says."""
        mail = self._letters.code(address, code, self._minutes(cloud_id), self._wordings.of(cloud_id))
        self._mailer.send(mail, f"code-{key}")

    def _minutes(self, cloud_id: str) -> int:
        try:
            mode = self._tenants.get(cloud_id).onboarding
        except NotFound:
            mode = None
        return (mode.code_s if isinstance(mode, SignUp) else CODE_S) // 60
