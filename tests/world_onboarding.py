"""Users who are made by sagas while everything fails around them, and what has to be true afterwards.

A further kind of thing that a saga makes joins by one step in `steps`, one doer in `doers`, and one check in `checks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from offhook.core.errors import NotFound, OffhookError, Refused
from offhook.provider import saga as moves
from offhook.provider.directory import Directory
from offhook.provider.doctor import Check, Doctor
from offhook.provider.numberdoctor import NumberCheck
from offhook.provider.numbering import Numbering
from offhook.provider.numbers import Pool, Range
from offhook.provider.passwords import hash_password
from offhook.provider.saga import Activate, AnyStep, CallHook, Enter, MakeSip, Patience, Saga, Stage, TakeNumber
from offhook.provider.sagas import Doers, Entered, Sagas
from offhook.provider.sipdoctor import LineCheck, SagaCheck
from offhook.provider.sipsteps import SipStep
from offhook.provider.subscriber import Argon2, State, Subscriber
from offhook.provider.thingsteps import NumberStep
from offhook.provider.usersteps import ActivateStep, EnterStep
from offhook.storage.numbers import NumberStore
from offhook.storage.sagas import PendingUsers, SagaStore
from tests.world_provider import Provider
from tests.world_sip import SIP, Killed, SipWorld, Trouble, TroubledStore

PATIENCE = Patience(for_s=40, tries=2, most_s=20)
STEPS: tuple[AnyStep, ...] = (Enter(), TakeNumber("main"), MakeSip(), CallHook("crm"), Activate())
NUMBERS = Range.parse("10000-29999")


class MemoryHook:
    """A system of the operator's, that has a record for each user; it says no to some of them."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble, self.records, self.answers = trouble, dict[str, str](), dict[str, Mapping[str, str] | None]()

    def do(self, saga: Saga, step: CallHook, key: str) -> Mapping[str, str]:
        with self.trouble.around("hook.do"):
            if key not in self.answers:
                said_no = saga.username.startswith("unwanted")
                self.answers[key] = None if said_no else {"desk": f"desk of {saga.username}"}
                if not said_no:
                    self.records[saga.username] = saga.id
            answer = self.answers[key]
        if answer is None:
            raise Refused("Not in this building.")
        return answer

    def undo(self, saga: Saga, step: CallHook, key: str) -> None:
        with self.trouble.around("hook.undo"):
            if self.records.get(saga.username) == saga.id:
                del self.records[saga.username]


class OnboardingWorld:
    """Servers that are killed and started anew, on one database, beside one SIP system and one hook."""

    def __init__(self, provider: Provider, seed: int = 0) -> None:
        self.provider, self.dice = provider, Random(seed)
        self.sip = SipWorld(provider, SIP)
        self.trouble = self.sip.trouble
        self.hook = MemoryHook(self.trouble)
        self.steps = STEPS
        self.numbers = NumberStore(provider.database)
        self.numbers.add(Pool("EXAMPLE", "main", NUMBERS.kind, 0, (NUMBERS,)), 0)
        directory = Directory(
            provider.subscribers, provider.tenants, provider.sealer, hash_password, provider.dice, provider.clock
        )
        self.numbering = Numbering(self.numbers, provider.tenants, provider.subscribers, directory, provider.clock)
        self.told_yes: dict[str, int] = {}
        self.killed = 0
        self.starts()

    def starts(self) -> None:
        """A server that has just started: it has nothing in mind."""
        self.sip.lines = self.sip.new_lines()
        store: Any = TroubledStore(SagaStore(self.provider.database), self.trouble)
        self.sagas = Sagas(
            store=store, doers=self.doers(), clock=self.provider.clock, chance=self.provider.dice, patience=PATIENCE
        )

    def doers(self) -> Doers:
        users: Any = TroubledStore(PendingUsers(self.provider.database), self.trouble)
        numbers: Any = TroubledStore(self.numbers, self.trouble)
        return {
            Enter: EnterStep(users, self.provider.clock),
            MakeSip: SipStep(self.sip.lines, self.provider.subscribers, self.provider.tenants),
            TakeNumber: NumberStep(numbers, self.provider.clock),
            CallHook: self.hook,
            Activate: ActivateStep(users, self.provider.clock),
        }

    def checks(self) -> dict[str, Check]:
        clock = self.provider.clock
        return {
            "sip": LineCheck(self.sip.lines, clock),
            "sagas": SagaCheck(self.sagas, clock),
            "numbers": NumberCheck(self.numbering, self.sagas.store),
        }

    # --- what happens ---

    def enters(self, name: str) -> Entered:
        now_s = self.provider.clock.now_s()
        pending = Subscriber("EXAMPLE", name, Argon2("x"), State.PENDING, created_s=now_s, changed_s=now_s)
        return self.sagas.store.enter(
            pending, moves.to_make(self.sagas.new_id(), "EXAMPLE", 0, name, self.steps, now_s)
        )

    def signs_in(self, name: str) -> bool:
        """Whether the user was told "yes": they are let in, and have all that they are to have."""
        entered = self.enters(name)
        if entered.saga is not None:
            ran = self.sagas.run(entered.saga.id)
            if ran is None or ran.stage is not Stage.DONE:
                return False
        elif entered.subscriber.state is not State.ACTIVE:
            return False
        self.told_yes[name] = entered.subscriber.id
        return True

    def tries(self, name: str) -> None:
        """Sign in at a server that may be killed, and is started anew then."""
        try:
            self.signs_in(name)
        except Killed:
            self.killed += 1
            self.starts()
        except OffhookError:
            pass

    def goes_round(self) -> None:
        """What the server does beside requests; it may be killed, too."""
        try:
            self.sip.works(1)
            for saga_id in self.sagas.due(500):
                self.sagas.run(saga_id)
        except Killed:
            self.killed += 1
            self.starts()
        except OffhookError:
            pass

    def recovers(self) -> None:
        """Everything works again, for long enough."""
        self.trouble.over()
        for _ in range(60):
            self.provider.clock.time_s += 130
            self.goes_round()

    # --- what has to be true ---

    def faults(self) -> Iterator[str]:
        provider, system = self.provider, self.sip.system
        users = {user.username: user for user in provider.subscribers.all_of("EXAMPLE")}
        entries = {entry.subscriber_id: entry for entry in self.sip.entries()}
        kept: dict[int, list[str]] = {}
        for one in self.numbers.kept("EXAMPLE"):
            kept.setdefault(one.subscriber_id, []).append(one.number)
        (stock,) = self.numbers.stocks("EXAMPLE", provider.clock.now_s())
        if (stock.assigned, stock.free) != (len(users), len(NUMBERS) - len(users)):
            yield f"numbers are lost: {stock}"
        for name, known in self.told_yes.items():
            if name not in users or users[name].id != known:
                yield f"{name} was told yes, and is not there"
        for name, user in users.items():
            if user.state is not State.ACTIVE:
                yield f"{name} is left {user.state}"
                continue
            entry = entries.get(user.id)
            if entry is None or not system.registers(
                entry.address.username, entry.address.domain, self.sip.password(entry)
            ):
                yield f"{name} cannot register"
            if name not in self.hook.records:
                yield f"{name} has no record in the hook"
            if kept.get(user.id) != [user.attributes.get("number")]:
                yield f"{name} has not the number {user.attributes.get('number')}"
            if user.attributes.get("desk") != f"desk of {name}":
                yield f"{name} lacks what was given"
        ids = {user.id for user in users.values()}
        owned = {entry.address for entry in entries.values() if entry.subscriber_id in ids}
        yield from (f"{address} is an orphan" for address in system.accounts if address not in owned)
        yield from (f"{name} is left in the hook" for name in self.hook.records if name not in users)
        yield from (f"doctor: {one.place} {one.text}" for one in Doctor(self.checks()).examine())

    def user(self, name: str) -> Subscriber | None:
        try:
            return self.provider.subscribers.get("EXAMPLE", name)
        except NotFound:
            return None
