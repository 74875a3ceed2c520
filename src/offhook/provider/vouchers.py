"""Users for whom an upstream vouches: its last good answer is kept, and what it changes becomes the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

import msgspec

from offhook.core.errors import Conflict, NotFound, Refused, Unavailable
from offhook.provider import change as changes
from offhook.provider.change import NOBODY, Change
from offhook.provider.circumstances import GROUPS
from offhook.provider.onboarding import ByUpstream, NumberFrom
from offhook.provider.ports import Clock, SubscriberStore, TenantStore
from offhook.provider.subscriber import SIP_USERNAME, State, Subscriber, username_key
from offhook.provider.tenant import Tenant
from offhook.provider.upstream import Upstream, Vouched

_ATTEMPTS: Final = 5
# While an upstream is down, each of its users is asked for this often.
DOWN_S: Final = 300
# A directory may answer once as if it were empty, while it is filled anew, say.
AGAIN_S: Final = 300
TAKEN: Final = "Somebody else has your name here. Please contact your provider."


class Voucher(msgspec.Struct, frozen=True):
    """What an upstream said of a user last. `gone_s` is since when it says that there is no such user any more.

    It is 0 again as soon as the operator says whether the user may use the service: then that holds.
    """

    cloud_id: str
    subscriber_id: int
    upstream: str
    answer: Vouched
    asked_s: int
    next_s: int
    gone_s: int = 0


class VoucherStore(Protocol):
    """Keeps the last good answers. Every method is one transaction, and may raise Unavailable."""

    def find(self, cloud_id: str, subscriber_id: int) -> Voucher | None:
        """What is known of a user; None when no upstream ever vouched for them."""

    def put(self, voucher: Voucher) -> None:
        """Keep an answer in place of the one before."""

    def due(self, now_s: int, most: int) -> Sequence[tuple[Voucher, str]]:
        """Those that are to be asked for again, with the names of their users; those of removed users are forgotten."""


class Authors(Protocol):
    """Subscribers as somebody changes them who is named in the decisions that come of it."""

    def __call__(self, author: str) -> SubscriberStore:
        """The subscribers for this author."""


def attributes_of(answer: Vouched, numbers: tuple[NumberFrom, ...] = ()) -> dict[str, str]:
    """What a user has of an upstream's answer, as far as it can be kept; their groups are the attribute `groups`.

    Groups stand between commas there, so that a comma in the name of one becomes a semicolon. What pools give is the
    pools' to say: an upstream could give a user the number of another one.
    """
    pooled = {one.attribute for one in numbers}
    said = {**answer.attributes}
    if answer.groups:
        said[GROUPS] = ",".join(name.replace(",", ";").strip() for name in answer.groups)
    return {
        name: text
        for name, text in said.items()
        if name != SIP_USERNAME
        and name not in pooled
        and not changes.is_secret(name)
        and not changes.faults(Change(attributes={name: text}))
    }


def laid_over(
    known: Subscriber, before: Vouched | None, answer: Vouched, numbers: tuple[NumberFrom, ...] = ()
) -> Mapping[str, str]:
    """The user's attributes with those of the answer; what only the answer before gave is gone, all else stays."""
    earlier = attributes_of(before, numbers) if before is not None else {}
    own = {name: text for name, text in known.attributes.items() if name not in earlier}
    return {**own, **attributes_of(answer, numbers)}


class Vouchers:
    """What becomes of an answer. All methods wait for the database, so they belong into a thread."""

    def __init__(self, store: VoucherStore, authors: Authors, clock: Clock) -> None:
        self._store, self._authors, self._clock = store, authors, clock

    def find(self, cloud_id: str, subscriber_id: int) -> Voucher | None:
        """What an upstream said of a user last."""
        return self._store.find(cloud_id, subscriber_id)

    def check(self, cloud_id: str, username: str, mode: ByUpstream) -> None:
        """Look whether somebody from the upstream can have this name here. Raises Refused, Unavailable."""
        with suppress(NotFound):
            known = self._authors(author_of(mode.upstream)).get(cloud_id, username_key(username))
            _refuse_ours(known, self._store.find(cloud_id, known.id))

    def vouched(self, tenant: Tenant, username: str, mode: ByUpstream, answer: Vouched) -> None:
        """The upstream vouches for a user who is there: what it says is theirs.

        Raises Refused when it is a user of the operator's own, NotFound, Unavailable.
        """
        answer, cloud_id = _without_secrets(answer), tenant.cloud_id
        users = self._authors(author_of(mode.upstream))
        for _ in range(_ATTEMPTS):
            known = users.get(cloud_id, username_key(username))
            before = self._store.find(cloud_id, known.id)
            _refuse_ours(known, before)
            changed = _changed(known, before, answer, tenant.numbers)
            try:
                if changed != known:
                    users.replace(msgspec.structs.replace(changed, changed_s=self._clock.now_s()))
            except Conflict:
                continue
            if before is None or _is_news(before, answer, self._clock.now_s(), mode):
                self._store.put(self._voucher(known, mode, answer))
            return
        raise Unavailable("This user is being changed all the time. Try again.")

    def gone(self, username: str, voucher: Voucher) -> None:
        """The upstream says that there is no such user, and is asked once more soon; `next_s` is when after that.

        When it says so twice that is a decision, and the fleet guard counts it (D22).
        """
        users, now_s = self._authors(author_of(voucher.upstream)), self._clock.now_s()
        for _ in range(_ATTEMPTS):
            now = self._store.find(voucher.cloud_id, voucher.subscriber_id)
            if now is None or now.answer != voucher.answer or now.asked_s != voucher.asked_s:
                # They have come in meanwhile.
                return
            try:
                known = users.get(voucher.cloud_id, username_key(username))
                later = msgspec.structs.replace(now, next_s=voucher.next_s)
                if known.id == voucher.subscriber_id and known.state is State.ACTIVE:
                    if now.gone_s:
                        users.replace(msgspec.structs.replace(known, state=State.SUSPENDED, changed_s=now_s))
                    else:
                        later = msgspec.structs.replace(later, next_s=min(voucher.next_s, now_s + AGAIN_S))
                    later = msgspec.structs.replace(later, gone_s=now_s)
            except NotFound:
                return
            except Conflict:
                continue
            self._store.put(later)
            return

    def _voucher(self, known: Subscriber, mode: ByUpstream, answer: Vouched) -> Voucher:
        now_s = self._clock.now_s()
        return Voucher(known.cloud_id, known.id, mode.upstream, answer, now_s, now_s + spread(known.id, mode.refresh_s))


class Refresh:
    """A chore: whoever has a voucher is asked for again from time to time, without a password.

    While the upstream is down nothing changes: that it says nothing is never taken for a no.
    """

    def __init__(
        self,
        store: VoucherStore,
        vouchers: Vouchers,
        tenants: TenantStore,
        upstreams: Callable[[str], Upstream | None],
        clock: Clock,
    ) -> None:
        self._store, self._vouchers, self._tenants = store, vouchers, tenants
        self._upstreams, self._clock = upstreams, clock
        self._due: dict[str, tuple[Voucher, str]] = {}

    def due(self, most: int) -> Sequence[str]:
        """As the port says."""
        found = self._store.due(self._clock.now_s(), most)
        named = {f"{voucher.cloud_id}:{voucher.subscriber_id}": (voucher, username) for voucher, username in found}
        self._due |= named
        return list(named)

    def do(self, name: str) -> None:
        """Ask for one user."""
        voucher, username = self._due.pop(name)
        tenant, now_s = self._tenant(voucher.cloud_id), self._clock.now_s()
        mode = tenant.onboarding if tenant is not None else None
        if tenant is None or not isinstance(mode, ByUpstream) or mode.upstream != voucher.upstream:
            # The Cloud ID asks another one now, or none: whoever signs in is asked for there.
            self._store.put(msgspec.structs.replace(voucher, next_s=now_s + 86400))
            return
        upstream = self._upstreams(voucher.upstream)
        try:
            if upstream is None:
                raise Unavailable(f"There is no upstream {voucher.upstream} in the file of connections.")
            answer = upstream.look_up(voucher.answer.username)
        except Refused:
            answer = None
        except Unavailable:
            self._store.put(msgspec.structs.replace(voucher, next_s=now_s + min(DOWN_S, mode.refresh_s)))
            raise
        if answer is None:
            later = msgspec.structs.replace(voucher, next_s=now_s + spread(voucher.subscriber_id, mode.refresh_s))
            self._vouchers.gone(username, later)
        else:
            self._vouchers.vouched(tenant, username, mode, answer)

    def _tenant(self, cloud_id: str) -> Tenant | None:
        try:
            return self._tenants.get(cloud_id)
        except NotFound:
            return None


def author_of(upstream: str) -> str:
    """Who decides what an upstream says."""
    return f"upstream {upstream}"


def spread(subscriber_id: int, every_s: int) -> int:
    """Users who came together are not asked for together for ever: up to a tenth sooner."""
    return every_s - (subscriber_id * 7919) % max(every_s // 10, 1)


def _without_secrets(answer: Vouched) -> Vouched:
    """What may be kept of an answer: it is kept as it is, and can be read."""
    open_ones = {name: text for name, text in answer.attributes.items() if not changes.is_secret(name)}
    return msgspec.structs.replace(answer, attributes=open_ones)


def _refuse_ours(known: Subscriber, before: Voucher | None) -> None:
    """Whoever has a password of ours, and was never vouched for, is somebody else, whatever they are called."""
    if known.password != NOBODY and before is None:
        raise Refused(TAKEN)


def _changed(known: Subscriber, before: Voucher | None, answer: Vouched, numbers: tuple[NumberFrom, ...]) -> Subscriber:
    attributes = dict(laid_over(known, before.answer if before else None, answer, numbers))
    came_back = before is not None and before.gone_s > 0 and known.state is State.SUSPENDED
    return msgspec.structs.replace(known, attributes=attributes, state=State.ACTIVE if came_back else known.state)


def _is_news(before: Voucher, answer: Vouched, now_s: int, mode: ByUpstream) -> bool:
    """Whether it is worth a write: a phone that signs in again and again says nothing new."""
    same = (before.answer, before.upstream, before.gone_s) == (answer, mode.upstream, 0)
    return not same or before.next_s <= now_s or not 0 <= now_s - before.asked_s < min(60, mode.refresh_s)
