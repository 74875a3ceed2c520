"""What an operator does with numbers: fill pools, look, give a certain number, take one back, keep one out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Conflict, Invalid, NotFound
from offhook.provider import numbers
from offhook.provider.change import Change
from offhook.provider.directory import Outcome
from offhook.provider.numbers import QUARANTINE_S, Kept, NumberStore, Pool, Range, Stock, Use, Wanted
from offhook.provider.ports import Clock, SubscriberStore, TenantStore
from offhook.provider.subscriber import Subscriber, username_key

DEFAULT: Final = "number"


class Changing(Protocol):
    """Changes a user, as the directory does."""

    def change(self, cloud_id: str, username: str, change: Change) -> Outcome:
        """Lay a change over what is known of a user. Raises NotFound."""


class Found(msgspec.Struct, frozen=True):
    """One number: what is known of it, if anything, and the pool that it is in."""

    number: str
    pool: Pool
    kept: Kept | None
    use: Use


@dataclass(frozen=True)
class Numbering:
    """The use cases. A number and the attribute of its user are two records: the number's is written first."""

    store: NumberStore
    tenants: TenantStore
    subscribers: SubscriberStore
    directory: Changing
    clock: Clock

    def add(self, cloud_id: str, pool: str, ranges: list[str], quarantine_s: int | None = None) -> list[Diagnostic]:
        """Add ranges to a pool, which is made if need be. Raises Invalid, NotFound, Conflict."""
        tenant = self.tenants.get(cloud_id)
        parsed = tuple(map(Range.parse, ranges))
        kinds = {one.kind for one in parsed}
        if len(kinds) > 1:
            raise Invalid.at("ranges", "are of world-wide numbers and of extensions: give each kind a pool of its own")
        known = next((one.pool for one in self.stocks(cloud_id) if one.pool.name == pool), None)
        rest = (known.quarantine_s if known else QUARANTINE_S) if quarantine_s is None else quarantine_s
        kind = next(iter(kinds), known.kind if known else numbers.Kind.E164)
        self.store.add(Pool(tenant.cloud_id, numbers.pool_name(pool), kind, rest, parsed), self.clock.now_s())
        return [remark for one in parsed for remark in one.remarks()]

    def stocks(self, cloud_id: str) -> list[Stock]:
        """The pools of a Cloud ID. Raises NotFound."""
        self.tenants.get(cloud_id)
        return self.store.stocks(cloud_id, self.clock.now_s())

    def of_pool(self, cloud_id: str, pool: str = "") -> list[Kept]:
        """Numbers of which something is known. Raises NotFound."""
        if pool and pool not in {one.pool.name for one in self.stocks(cloud_id)}:
            raise NotFound(f"{cloud_id} has no pool {pool}.")
        return self.store.kept(cloud_id, pool)

    def one(self, cloud_id: str, number: str) -> Found:
        """One number. Raises Invalid, NotFound when it is in no pool."""
        plain = numbers.written(number)
        pool = self.store.pool_of(cloud_id, plain)
        kept = next(iter(self.store.kept(cloud_id, number=plain)), None)
        return Found(plain, pool, kept, kept.use_at(self.clock.now_s()) if kept else Use.FREE)

    def assign(self, cloud_id: str, number: str, username: str, attribute: str = DEFAULT) -> Found:
        """Give a user this very number; one who has still to come gets it when they do. Raises as the store."""
        found = self.one(cloud_id, number)
        user = self._user(cloud_id, username)
        wanted = Wanted(cloud_id, found.pool.name, user.id if user else 0, username_key(username), attribute)
        self.store.assign(wanted, found.number, self.clock.now_s())
        if user is not None:
            self.directory.change(cloud_id, username, Change(attributes={attribute: found.number}))
        return self.one(cloud_id, number)

    def release(self, cloud_id: str, number: str, *, at_once: bool = False) -> Kept:
        """Take a number back, from its user too. Raises NotFound when nobody has it."""
        found = self.one(cloud_id, number)
        if found.kept is None:
            raise NotFound(f"{found.number} is free: there is nobody to release it from.")
        if found.kept.subscriber_id and found.kept.use is Use.RESERVED:
            raise Conflict(f"{found.number} is for {found.kept.username}, who is being made. Try again in a moment.")
        self._forget(found.kept)
        return self.store.release(cloud_id, found.number, self.clock.now_s(), at_once=at_once)

    def exclude(self, cloud_id: str, number: str) -> Found:
        """Never give a number. Raises Conflict when somebody has it."""
        self.store.exclude(cloud_id, numbers.written(number), self.clock.now_s())
        return self.one(cloud_id, number)

    def _forget(self, kept: Kept) -> None:
        """The user's attribute goes first: a number that is theirs by name alone would be given to another."""
        user = self._user(kept.cloud_id, kept.username) if kept.subscriber_id else None
        if user is not None and user.attributes.get(kept.attribute) == kept.number:
            self.directory.change(kept.cloud_id, user.username, Change(attributes={kept.attribute: None}))

    def _user(self, cloud_id: str, username: str) -> Subscriber | None:
        try:
            return self.subscribers.get(cloud_id, username_key(username))
        except NotFound:
            return None
