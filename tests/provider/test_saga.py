"""Sagas: whatever fails, and whoever is killed, they are done or undone as a whole, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core.errors import Conflict, NotFound, Refused, Unavailable
from offhook.provider import saga as moves
from offhook.provider.saga import Activate, CallHook, Enter, MakeSip, Patience, Saga, Stage, TakeNumber
from offhook.provider.sagas import LEASE_S, Doers, Sagas
from offhook.provider.subscriber import Argon2, State, Subscriber
from offhook.provider.tenant import Tenant
from offhook.provider.usersteps import ActivateStep, EnterStep
from offhook.storage.sagas import KEPT_S, PendingUsers, SagaStore
from tests.world_provider import NOON_S, Provider

STEPS = (Enter(), TakeNumber("berlin"), MakeSip(), CallHook("crm"), Activate())


def new(steps: tuple[moves.AnyStep, ...] = STEPS) -> Saga:
    return moves.to_make("S", "EXAMPLE", 7, "ann", steps, 1000)


@given(st.lists(st.sampled_from(["done", "refused", "unavailable"]), max_size=60))
def test_it_goes_forward_and_back_and_ends(outcomes: list[str]) -> None:
    """At each moment the steps below its position are those that may have happened; it ends with all, or with none."""
    saga, now_s, happened = new(), 1000, set[int]()

    for outcome in outcomes:
        if saga.is_over:
            break
        saga = moves.started(saga)
        index = STEPS.index(saga.step)
        if saga.stage is Stage.FORWARD:
            happened.add(index)
        now_s += 400
        match outcome:
            case "done":
                if saga.stage is Stage.BACKWARD:
                    happened.discard(index)
                saga = moves.succeeded(saga, now_s)
            case "refused":
                saga = moves.refused(saga, "No.", now_s)
            case _:
                saga = moves.unavailable(saga, "Away.", now_s)
        reached = saga.position + (1 if saga.started and saga.stage is Stage.FORWARD else 0)
        assert happened <= set(range(reached))

    if saga.stage is Stage.DONE:
        assert happened == set(range(len(STEPS)))
    if saga.stage is Stage.UNDONE:
        assert happened == set()


def test_no_two_operations_have_the_same_key() -> None:
    """Each step, and each undoing of one, has a key of its own."""
    saga, keys = new(), list[str]()
    while saga.position < len(STEPS) - 1:
        keys.append(saga.key)
        saga = moves.succeeded(moves.started(saga), 1000)
    saga = moves.refused(moves.started(saga), "No.", 1000)
    while not saga.is_over:
        keys.append(saga.key)
        saga = moves.succeeded(moves.started(saga), 1000)

    assert len(keys) == len(set(keys)) == len(STEPS) - 1 + len(STEPS)


def test_it_turns_back_only_after_its_time_and_its_tries() -> None:
    """A server that was off for a day tries again as often as another one would."""
    patience = Patience(for_s=60, tries=3)
    saga = moves.started(new())

    late = moves.unavailable(saga, "Away.", 90_000, patience)
    often = late
    for _ in range(2):
        often = moves.unavailable(often, "Away.", 90_000, patience)

    assert late.stage is Stage.FORWARD
    assert (often.stage, often.position) == (Stage.BACKWARD, 1)


def test_a_removal_undoes_what_was_made() -> None:
    """The steps of the making, from the last to the first; a refusal does not stop it."""
    made = msgspec.structs.replace(new(), position=5, stage=Stage.DONE, given={"number": "201"})
    saga = moves.to_remove(made, "R", 2000)

    saga = moves.refused(moves.started(saga), "No.", 2000)

    assert (saga.stage, saga.step, saga.key, saga.given) == (Stage.BACKWARD, Activate(), "R:4:undo", {"number": "201"})


class Away:
    """A step that fails as told, and remembers its keys."""

    def __init__(self, *troubles: Exception | None) -> None:
        self.troubles, self.keys, self.there = list(troubles), list[str](), False

    def do(self, saga: Saga, step: object, key: str) -> Mapping[str, str]:
        self._meet(key)
        self.there = True
        return {"number": "201"}

    def undo(self, saga: Saga, step: object, key: str) -> None:
        self._meet(key)
        self.there = False

    def _meet(self, key: str) -> None:
        self.keys.append(key)
        if self.troubles and (trouble := self.troubles.pop(0)) is not None:
            raise trouble


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE"))
        yield provider


def sagas(provider: Provider, hook: Away) -> Sagas:
    users = PendingUsers(provider.database)
    doers: Doers = {
        Enter: EnterStep(users, provider.clock),
        Activate: ActivateStep(users, provider.clock),
        CallHook: hook,
    }
    return Sagas(store=SagaStore(provider.database), doers=doers, clock=provider.clock, chance=provider.dice)


def entered(provider: Provider, sagas: Sagas) -> Saga:
    pending = Subscriber("EXAMPLE", "ann", Argon2("x"), State.PENDING, created_s=NOON_S, changed_s=NOON_S)
    steps = (Enter(), CallHook("crm"), Activate())
    found = sagas.store.enter(pending, moves.to_make(sagas.new_id(), "EXAMPLE", 0, "ann", steps, NOON_S))
    assert found.saga is not None
    return found.saga


def test_a_user_is_let_in_when_all_is_done(provider: Provider) -> None:
    """With what was given on the way; and two who come at once have one saga."""
    hook = Away()
    work = sagas(provider, hook)
    first, second = entered(provider, work), entered(provider, work)

    ended = work.run(first.id)

    user = provider.subscribers.get("EXAMPLE", "ann")
    assert first == second
    assert ended is not None
    assert ended.stage is Stage.DONE
    assert (user.state, user.attributes) == (State.ACTIVE, {"number": "201"})
    assert work.run(first.id) is None


def test_what_is_unavailable_is_asked_again_with_the_same_key(provider: Provider) -> None:
    """After a while, by whoever goes round; nobody is let in before."""
    hook = Away(Unavailable("Away."))
    work = sagas(provider, hook)
    saga = entered(provider, work)

    first = work.resume()
    too_early = work.resume()
    provider.clock.time_s += 60
    later = work.resume()

    assert [one.error for one in first] == ["Away."]
    assert too_early == []
    assert [one.stage for one in later] == [Stage.DONE]
    assert hook.keys == [f"{saga.id}:1", f"{saga.id}:1"]


def test_who_is_refused_is_forgotten(provider: Provider) -> None:
    """The step that said no is undone as well, since an earlier try of it may have happened."""
    hook = Away(Refused("Not in this building."))
    work = sagas(provider, hook)
    saga = entered(provider, work)

    ended = work.run(saga.id)

    assert ended is not None
    assert (ended.stage, ended.refusal) == (Stage.UNDONE, "Not in this building.")
    assert hook.keys == [f"{saga.id}:1", f"{saga.id}:1:undo"]
    with pytest.raises(NotFound):
        provider.subscribers.get("EXAMPLE", "ann")
    assert entered(provider, work).id != saga.id


def test_one_runner_at_a_time(provider: Provider) -> None:
    """Whoever has the lease goes on; who has lost it notices before acting."""
    work = sagas(provider, Away())
    saga = entered(provider, work)
    store = work.store

    mine = store.claim(saga.id, "me", NOON_S, NOON_S + LEASE_S)
    theirs = store.claim(saga.id, "other", NOON_S + 1, NOON_S + 1 + LEASE_S)
    after = store.claim(saga.id, "other", NOON_S + LEASE_S, NOON_S + 2 * LEASE_S)

    assert mine == after == saga
    assert theirs is None
    with pytest.raises(Conflict):
        store.keep(saga, "me", 0)


def test_a_clock_that_was_set_back_holds_nothing_up(provider: Provider) -> None:
    """What was to wait for a minute, or was leased, does not wait for a day and a minute."""
    work = sagas(provider, Away(Unavailable("Away."), Unavailable("Away.")))
    saga = entered(provider, work)
    work.run(saga.id)
    provider.clock.time_s -= 86400
    work.resume()
    now_s = provider.clock.time_s = provider.clock.time_s + 60
    leased = work.store.claim(saga.id, "killed", now_s, now_s + LEASE_S)
    provider.clock.time_s -= 86400
    ended = work.resume()

    assert leased is not None
    assert [one.stage for one in ended] == [Stage.DONE]


class Mailboxes:
    """A hook of two servers: the first call is slower than its lease, and the second server is told no."""

    def __init__(self, provider: Provider) -> None:
        self.provider, self.there, self.keys = provider, set[str](), list[str]()
        self.other: Sagas | None = None

    def do(self, saga: Saga, step: object, key: str) -> Mapping[str, str]:
        self.keys.append(key)
        if len(self.keys) > 1:
            raise Refused("No licence is left.")
        self.provider.clock.time_s += LEASE_S + 1
        assert self.other is not None
        self.other.run(saga.id)
        self.there.add(saga.username)
        return {}

    def undo(self, saga: Saga, step: object, key: str) -> None:
        self.keys.append(key)
        self.there.discard(saga.username)


@pytest.mark.parametrize("is_back", [False, True], ids=["gone", "made again"])
def test_what_comes_late_is_undone_once_more(provider: Provider, is_back: bool) -> None:
    """With a key of its own, since that of the first undo was used; but not from somebody who was made since then."""
    hook: Any = Mailboxes(provider)
    hook.other = sagas(provider, hook)
    saga = entered(provider, hook.other)

    if is_back:
        run = hook.other.run
        hook.other.run = lambda saga_id: (run(saga_id), provider.has_user("ann@EXAMPLE"))
    first = sagas(provider, hook).run(saga.id)
    later = sagas(provider, hook).resume()

    assert first is None
    assert hook.other.store.get(saga.id).stage is Stage.UNDONE
    assert hook.there == ({"ann"} if is_back else set())
    assert len(later) == (0 if is_back else 1)
    assert len(hook.keys) == len(set(hook.keys)) + 1 == (3 if is_back else 4)


def test_what_is_over_is_forgotten_after_a_week(provider: Provider) -> None:
    """Till then whoever waits can look what came of it."""
    work = sagas(provider, Away())
    saga = entered(provider, work)
    work.run(saga.id)
    assert work.store.get(saga.id).is_over
    provider.clock.time_s += KEPT_S + 1

    work.store.begin(moves.to_make("other", "EXAMPLE", 99, "bob", STEPS, provider.clock.now_s()))

    with pytest.raises(NotFound):
        work.store.get(saga.id)
