"""Invitations of a Cloud ID: made, listed, revoked, sent again, and what lets the phone in that comes with one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from offhook.core.errors import Conflict, Fault, Invalid, NotFound, Refused, Unavailable
from offhook.core.secret import Discreet, Secret
from offhook.provider import change as changes
from offhook.provider import invitation
from offhook.provider.change import Change
from offhook.provider.invitation import GONE, LEAST_S, MOST_S, Invitation, State, hashed_form, new_token, read_token
from offhook.provider.mail import is_address
from offhook.provider.onboarding import ByInvitation
from offhook.provider.ports import Chance, Clock, SubscriberStore, TenantStore
from offhook.provider.sealing import KeyedHash, Sealer
from offhook.provider.subscriber import State as SubscriberState
from offhook.provider.subscriber import Subscriber, username_key
from offhook.provider.tenant import Credential, Tenant

ID_BYTES: Final = 8
_ATTEMPTS: Final = 3


class InvitationStore(Protocol):
    """Keeps invitations. Every method is one transaction, and may raise Unavailable."""

    def add(self, invitations: Sequence[Invitation]) -> Sequence[Invitation]:
        """Keep new ones, each as the newest version of its user's; open ones of before are replaced by it."""

    def find(self, token_hash: bytes) -> Invitation | None:
        """The one of a token; None when there is none."""

    def claim(self, invitation_id: str, device: str, subscriber_id: int, now_s: int) -> bool:
        """Use it for a device, or go on using it; False when it is another one's, or not open any more."""

    def belongs(self, invitation_id: str, subscriber_id: int) -> None:
        """Note which user came in with it."""

    def newest(self, cloud_id: str, username_key: str) -> Invitation | None:
        """The newest one of a user."""

    def newest_of(self, cloud_id: str, keys: Sequence[str]) -> Mapping[str, Invitation]:
        """The newest ones of at most some hundred users, by their keys."""

    def all_of(self, cloud_id: str) -> Iterator[Invitation]:
        """All of a Cloud ID, the newest first, read in pages so that memory stays bounded."""

    def get(self, invitation_id: str) -> Invitation:
        """Find one; raises NotFound."""

    def revoke(self, invitation_id: str, now_s: int) -> bool:
        """Withdraw one, and its mail; False when it is not open any more."""

    def due(self, now_s: int, most: int) -> Sequence[str]:
        """Those whose mail is to be sent, and that nobody is sending, the oldest first."""

    def lease(self, invitation_id: str, runner: str, now_s: int, until_s: int) -> Invitation | None:
        """Take the mail of one upon oneself; None when somebody else did, or there is nothing to send any more."""

    def mailed(self, invitation_id: str, runner: str, now_s: int) -> None:
        """The mail server has taken it: the token is forgotten."""

    def not_mailed(self, invitation_id: str, runner: str, error: str, next_s: int) -> None:
        """It was not taken: next try then, or never for 0, when the token is forgotten."""


class Wanted(msgspec.Struct, frozen=True):
    """Whom to invite: attributes are for a user who is made when they come, `address` is where a mail goes."""

    username: str
    address: str = ""
    attributes: Mapping[str, str] = {}
    expires_s: int = 0


class Made(Discreet, frozen=True):
    """A new invitation with its token, which nobody can tell again."""

    invitation: Invitation
    token: Secret

    def __str__(self) -> str:
        return str(self.invitation)


@dataclass(frozen=True)
class Invitations:
    """The use cases of an operator."""

    store: InvitationStore
    subscribers: SubscriberStore
    tenants: TenantStore
    tokens: KeyedHash
    sealer: Sealer
    chance: Chance
    clock: Clock
    has_mail: bool = False

    def invite(self, cloud_id: str, wanted: Wanted, author: str = "") -> Made:
        """Invite one user; raises Invalid with every fault, NotFound, Conflict."""
        (found,) = self.invite_all(cloud_id, [wanted], author)
        if isinstance(found, Invalid | NotFound | Conflict):
            raise found
        return found

    def invite_all(
        self, cloud_id: str, all_wanted: Sequence[Wanted], author: str = ""
    ) -> Sequence[Made | Invalid | NotFound | Conflict]:
        """Invite at most some hundred users in one transaction: what became of each, in order.

        Raises NotFound for an unknown Cloud ID, Invalid when nobody can be invited there.
        """
        tenant = self._tenant(cloud_id)
        keys = [username_key(one.username) for one in all_wanted if not tuple(changes.username_faults(one.username))]
        known = self.subscribers.known(cloud_id, keys)
        results: dict[int, Made | Invalid | NotFound | Conflict] = {}
        seen: set[str] = set()
        for place, wanted in enumerate(all_wanted):
            results[place] = self._made(tenant, wanted, known, seen, author)
        made = [one for one in results.values() if isinstance(one, Made)]
        kept = iter(self.store.add([one.invitation for one in made]))
        return [
            Made(next(kept), one.token) if isinstance(one, Made) else one
            for one in (results[place] for place in range(len(all_wanted)))
        ]

    def again(self, cloud_id: str, username: str, address: str = "", expires_s: int = 0, author: str = "") -> Made:
        """A new invitation like the newest one of a user, which it replaces. Raises NotFound, Invalid, Conflict."""
        former = self.newest(cloud_id, username)
        wanted = Wanted(former.username, address or former.address, former.attributes, expires_s)
        return self.invite(cloud_id, wanted, author)

    def newest(self, cloud_id: str, username: str) -> Invitation:
        """The newest invitation of a user; raises NotFound."""
        found = self.store.newest(cloud_id, username_key(username))
        if found is None:
            raise NotFound(f"{username}@{cloud_id} was never invited.")
        return found

    def of_cloud_id(
        self, cloud_id: str, states: Collection[State] = (), username: str = "", *, every: bool = False
    ) -> Iterator[Invitation]:
        """Those of a Cloud ID in one of these states, the newest first; replaced ones only when asked for."""
        self.tenants.get(cloud_id)
        now_s, key = self.clock.now_s(), username_key(username) if username else ""
        for one in self.store.all_of(cloud_id):
            state = one.state(now_s)
            if states and state not in states:
                continue
            if not states and not every and state is State.REPLACED:
                continue
            if not key or username_key(one.username) == key:
                yield one

    def revoke(self, cloud_id: str, username: str) -> Invitation:
        """Withdraw the newest invitation of a user. Raises NotFound; Conflict when it was used, or is over."""
        known, now_s = self.newest(cloud_id, username), self.clock.now_s()
        state = known.state(now_s)
        if state is State.ACTIVATED:
            raise Conflict(
                f"{known.name} has signed in with it. `offhook install list {cloud_id} --user {username}` names the "
                "phone, `offhook install revoke` signs it out."
            )
        if not self.store.revoke(known.id, now_s):
            raise Conflict(f"The invitation of {known.name} is {state} already.")
        return self.store.get(known.id)

    def _tenant(self, cloud_id: str) -> Tenant:
        tenant = self.tenants.get(cloud_id)
        if tenant.credential is Credential.PASSWORD:
            raise Invalid.at(
                "credential",
                "the app would keep the token of the invitation as its password: choose token or sip with "
                f"`offhook tenant set {cloud_id} --credential token`",
            )
        return tenant

    def _made(
        self, tenant: Tenant, wanted: Wanted, known: Mapping[str, Subscriber], seen: set[str], author: str
    ) -> Made | Invalid | NotFound | Conflict:
        lasts_s = wanted.expires_s or tenant.inviting.expires_s
        faults = [*_faults(wanted, lasts_s, has_mail=self.has_mail)]
        if faults:
            return Invalid(*faults)
        key = username_key(wanted.username)
        user = known.get(key)
        if user is None and not isinstance(tenant.onboarding, ByInvitation):
            return NotFound(
                f"There is no user {wanted.username}@{tenant.cloud_id}. Add them first, or let invitations make users: "
                f"`offhook onboarding invitation {tenant.cloud_id}`."
            )
        if key in seen:
            return Conflict(f"{wanted.username} stands here twice.")
        seen.add(key)
        return self._new(tenant.cloud_id, wanted, user, lasts_s, author)

    def _new(self, cloud_id: str, wanted: Wanted, user: Subscriber | None, lasts_s: int, author: str) -> Made:
        token = new_token(self.chance.token(invitation.TOKEN_BYTES))
        typed = read_token(token.reveal())
        assert typed is not None, "we can read what we write"
        now_s, new_id = self.clock.now_s(), self.chance.token(ID_BYTES).hex()
        attributes = dict(wanted.attributes)
        if wanted.address:
            attributes.setdefault("email", wanted.address)
        one = Invitation(
            id=new_id,
            cloud_id=cloud_id,
            username=user.username if user else wanted.username.strip(),
            version=1,
            token_hash=self.tokens.of(hashed_form(typed)),
            created_s=now_s,
            expires_s=now_s + lasts_s,
            attributes=attributes,
            subscriber_id=_settled(user),
            address=wanted.address,
            sealed=self.sealer.seal(token.reveal(), sealed_place(new_id)) if wanted.address else "",
            next_s=now_s if wanted.address else 0,
            author=author,
        )
        return Made(one, token)


class Invited:
    """Lets phones in that come with an invitation. Its methods wait for the database."""

    def __init__(self, store: InvitationStore, tokens: KeyedHash, clock: Clock) -> None:
        self._store, self._tokens, self._clock = store, tokens, clock

    def find(self, token: Secret) -> Invitation | None:
        """The invitation of a token; None when it is none of ours."""
        return self._store.find(self._tokens.of(hashed_form(token)))

    def let_in(self, found: Invitation, user: Subscriber | None, device: str, *, keep: bool) -> None:
        """Use an invitation for a device; with `keep` false, only see whether it could be. Raises Refused."""
        if found.subscriber_id and (user is None or user.id != found.subscriber_id):
            raise Refused(GONE)
        for _ in range(_ATTEMPTS):
            now_s = self._clock.now_s()
            if why := found.objection(now_s, device):
                raise Refused(why)
            if found.activated_s or not keep or self._store.claim(found.id, device, _settled(user), now_s):
                return
            # Another phone was quicker, or somebody has just withdrawn it.
            found = self._store.get(found.id)
        raise Unavailable("This invitation is being changed all the time. Try again.")

    def belongs(self, found: Invitation, user: Subscriber) -> None:
        """Note who came in with it: if they are removed, it makes nobody anew."""
        if not found.subscriber_id:
            self._store.belongs(found.id, user.id)


def _settled(user: Subscriber | None) -> int:
    """Who it is; nobody while they are being made, since that may come to nothing."""
    return user.id if user is not None and user.state is not SubscriberState.PENDING else 0


def sealed_place(invitation_id: str) -> str:
    """What the token of a mail that is yet to be sent is bound to."""
    return f"invitation|{invitation_id}"


def _faults(wanted: Wanted, lasts_s: int, *, has_mail: bool) -> Iterator[Fault]:
    yield from changes.username_faults(wanted.username)
    yield from changes.faults(Change(attributes=wanted.attributes))
    if wanted.address and not is_address(wanted.address):
        yield Fault("mail", f"{wanted.address[:80]!r} is no address that mail can be sent to")
    if wanted.address and not has_mail:
        yield Fault("mail", "there is no mail server: name one under [mail] in connections.toml")
    if not LEAST_S <= lasts_s <= MOST_S:
        yield Fault("expires", "an invitation is good for 5 minutes to 400 days")
