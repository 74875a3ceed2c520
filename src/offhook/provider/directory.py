"""The directory: what an operator does to the users of a Cloud ID, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Conflict, Fault, Invalid
from offhook.core.mergeable import PROVIDER
from offhook.core.secret import Secret
from offhook.provider import change as changes
from offhook.provider import settling
from offhook.provider.change import NOTHING, Change, Never
from offhook.provider.ports import Chance, Clock, SubscriberStore, TenantStore
from offhook.provider.sealing import Sealer
from offhook.provider.subscriber import Argon2, State, Subscriber, username_key

# Characters of a password, below which it is remarked upon.
SHORT: Final = 8
_SAMPLE: Final = 500
_ATTEMPTS: Final = 5


class Outcome(msgspec.Struct, frozen=True):
    """The subscriber as kept now, whether that is another than before, and what should be said about the change."""

    subscriber: Subscriber
    remarks: tuple[Diagnostic, ...] = ()
    is_changed: bool = True


@dataclass(frozen=True)
class Directory:
    """The use cases; `hash_password` is slow on purpose. Every change makes the subscriber's revision one more."""

    subscribers: SubscriberStore
    tenants: TenantStore
    sealer: Sealer
    hash_password: Callable[[Secret], Argon2]
    chance: Chance
    clock: Clock

    def add(
        self, cloud_id: str, username: str, password: Secret, change: Change = NOTHING, author: str = ""
    ) -> Outcome:
        """Add a user; SIP credentials that are not given are made up.

        Raises Invalid with every fault, NotFound for an unknown Cloud ID, Conflict when there is such a user, without
        regard to case.
        """
        tenant = self.tenants.get(cloud_id)
        Invalid.unless_empty((*changes.username_faults(username), *changes.password_faults(password), *_faults(change)))
        now_s = self.clock.now_s()
        blank = Subscriber(tenant.cloud_id, username.strip(), changes.NOBODY, created_s=now_s, changed_s=now_s)
        whole = msgspec.structs.replace(
            changes.signed(change, author, now_s),
            password=self.hash_password(password),
            generate_sip=tenant.sip is None,
        )
        settled = settling.settle(blank, whole, self.sealer, self.chance)
        remarks = (*changes.remarks(change), *_doubtful(password, change.expires_s, now_s))
        return Outcome(self.subscribers.add(settled), remarks)

    def get(self, cloud_id: str, username: str) -> Subscriber:
        """One user; raises NotFound."""
        return self.subscribers.get(cloud_id, username_key(username))

    def change(
        self, cloud_id: str, username: str, change: Change, password: Secret | None = None, author: str = ""
    ) -> Outcome:
        """Change a user; a change to what is so already is none. Raises Invalid with every fault, NotFound."""
        wrong = [*(changes.password_faults(password) if password is not None else ()), *_faults(change)]
        Invalid.unless_empty(wrong)
        if password is not None:
            change = msgspec.structs.replace(change, password=self.hash_password(password))
        now_s = self.clock.now_s()
        known, settled = self._settled(cloud_id, username, changes.signed(change, author, now_s))
        there, absent = _apart(change, known)
        return Outcome(
            settled,
            (
                *changes.remarks(there),
                *absent,
                *_locked(there, known, settled),
                *_doubtful(password, change.expires_s, now_s),
            ),
            settled != known,
        )

    def suspend(self, cloud_id: str, username: str) -> Subscriber:
        """Stop a user from using the service until resumed; raises NotFound."""
        return self._settled(cloud_id, username, Change(state=State.SUSPENDED))[1]

    def resume(self, cloud_id: str, username: str) -> Subscriber:
        """Let a suspended user use the service again; raises NotFound."""
        return self._settled(cloud_id, username, Change(state=State.ACTIVE))[1]

    def remove(self, cloud_id: str, username: str) -> None:
        """Forget a user and end all their installs, so that their phones are logged out; raises NotFound."""
        self.subscribers.remove(cloud_id, username_key(username), self.clock.now_s())

    def list(self, cloud_id: str) -> Iterator[Subscriber]:
        """All users of a Cloud ID by name, in bounded memory; raises NotFound for an unknown Cloud ID."""
        self.tenants.get(cloud_id)
        return self.subscribers.all_of(cloud_id)

    def count(self, cloud_id: str) -> int:
        """How many users a Cloud ID has."""
        return self.subscribers.count(cloud_id)

    def open_secrets(self, subscriber: Subscriber) -> dict[str, Secret]:
        """The secrets of a user, the SIP password among them; raises Unavailable when one cannot be opened."""
        return settling.open_secrets(subscriber, self.sealer)

    def opened(self, subscriber: Subscriber) -> Subscriber:
        """The user with those overrides readable that are kept sealed; raises Unavailable when one cannot be opened."""
        overrides = {key: settling.open_override(subscriber, key, self.sealer) for key in subscriber.overrides}
        return msgspec.structs.replace(subscriber, overrides=overrides)

    def columns(self, cloud_id: str) -> frozenset[str]:
        """What a template of this Cloud ID can ask for: the attributes and secrets of its first users."""
        users = islice(self.subscribers.all_of(cloud_id), _SAMPLE)
        return frozenset(name for user in users for name in (*user.attributes, *user.secrets))

    def _settled(self, cloud_id: str, username: str, change: Change) -> tuple[Subscriber, Subscriber]:
        """Lay the change over what is stored, anew when somebody else changed it meanwhile: before and after."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._attempt(cloud_id, username, change)
            except Conflict:
                continue
        return self._attempt(cloud_id, username, change)

    def _attempt(self, cloud_id: str, username: str, change: Change) -> tuple[Subscriber, Subscriber]:
        known = self.get(cloud_id, username)
        if known.state is State.PENDING and change.state is not None:
            raise Conflict(f"{known.name} is being made, and may not come in before it is done. Try again.")
        if change.state is not None:
            # Also where it changes nothing: an upstream may have suspended them before.
            self.subscribers.decided(known.cloud_id, known.id)
        settled = settling.settle(known, change, self.sealer, self.chance)
        if settled == known:
            return known, known
        settled = msgspec.structs.replace(settled, changed_s=self.clock.now_s())
        self.subscribers.replace(settled)
        return known, msgspec.structs.replace(settled, revision=settled.revision + 1)


def _apart(change: Change, known: Subscriber) -> tuple[Change, list[Diagnostic]]:
    """The change without what it would take away and is not there, and a remark upon each of that."""
    absent = []
    for kind, asked, there in (
        ("attribute", change.attributes, known.attributes),
        ("secret", change.secrets, known.secrets),
        ("key", change.overrides, known.overrides),
    ):
        absent += [
            Diagnostic(name, f"is no {kind} that was set for this user, so there is nothing to take back")
            for name, new in asked.items()
            if new is None and name not in there
        ]
    own = {item.id for item in known.quick_dials.items}
    absent += [
        Diagnostic(f"quick dial {identity}", "is none of this user's own; phones that have it are told to remove it")
        for identity, item in change.quick_dials.items()
        if item is None and identity not in own
    ]
    overrides = {key: new for key, new in change.overrides.items() if new is not None or key in known.overrides}
    return msgspec.structs.replace(change, overrides=overrides), absent


def _locked(change: Change, known: Subscriber, settled: Subscriber) -> Iterator[Diagnostic]:
    """Keys that phones have with a higher rank than they get from now on, and so keep (D5)."""
    for key in change.overrides:
        now, before = settled.overrides.get(key), known.overrides.get(key)
        if now is not None and now.former is not None:
            yield Diagnostic(key, f"is sent with rank {now.sent_rank} now. {settling.why_kept(now.former)}")
        elif now is None and before is not None and before.highest_rank > PROVIDER:
            yield Diagnostic(key, settling.why_kept(before.highest_rank))


def _doubtful(password: Secret | None, expires_s: int | Never | None, now_s: int) -> Iterator[Diagnostic]:
    """What nobody may have meant, and is done all the same."""
    if password is not None and (length := len(password.reveal())) < SHORT:
        yield Diagnostic("password", f"has {length} of at least {SHORT} characters: it may be found by trying")
    if isinstance(expires_s, int) and expires_s <= now_s:
        yield Diagnostic("expires", "is past: nobody can sign in, and phones are logged out when they next ask")


def _faults(change: Change) -> Iterator[Fault]:
    yield from changes.faults(change)
    if changes.has_empty_sip_password(change):
        yield Fault("SIP password", "must not be empty: no phone could register with it")
