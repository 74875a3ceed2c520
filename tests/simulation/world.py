"""One run of a simulation: a server, its phones, people on both sides, and a quiet time at the end."""

from __future__ import annotations

import gc
import shutil
import tempfile
from pathlib import Path
from random import Random
from time import process_time
from typing import Final

import msgspec

from offhook.provider.tenant import Credential
from tests.simulation.administrators import Administrators, Intervals
from tests.simulation.clock import DAY_S, HOUR_S, Heap
from tests.simulation.finding import Finding
from tests.simulation.judge import Judge
from tests.simulation.network import Net, Weather
from tests.simulation.people import Person
from tests.simulation.phone import Phone
from tests.simulation.policyjudge import PolicyJudge
from tests.simulation.policymakers import Policymakers
from tests.simulation.ruledphone import ruled
from tests.simulation.server import Server
from tests.simulation.truth import Truth

# Everything has come right by then: the longest interval, and the longest that a phone waits after a failure.
CALM_S: Final = DAY_S + 3 * HOUR_S
LOOK_EVERY_S: Final = 3 * HOUR_S


class Plan(msgspec.Struct, frozen=True):
    """What is simulated. Two runs of one plan are the same."""

    seed: int
    phones: int = 40
    days: float = 10.0
    faults: float = 1.0
    tenants: int = 3
    deeds_per_day: float = 4.0
    administration_per_day: float = 24.0
    policies: float = 0.0
    intervals: Intervals = Intervals()

    def command(self) -> str:
        """What replays it."""
        return f"python -m tests.simulation {' '.join(self.options())}"

    def options(self) -> list[str]:
        """The same as options of the command, those left out that are as usual."""
        usual, options = Plan(self.seed), ["--seed", str(self.seed)]
        for name, value in msgspec.structs.asdict(self).items():
            if value != getattr(usual, name):
                texts = map(str, msgspec.structs.astuple(value) if isinstance(value, Intervals) else [value])
                options += [f"--{name.replace('_', '-')}", *texts]
        return options


class Summary(msgspec.Struct, frozen=True):
    """What happened."""

    plan: Plan
    took_s: float
    happened: int
    asked: int
    administered: int
    crashes: int
    signed_in: int
    sign_ins: int
    logouts: int
    answers: dict[str, int]
    policies: dict[str, int]

    def __str__(self) -> str:
        phone_days = self.plan.phones * self.plan.days
        answers = ", ".join(f"{said}: {count:,}" for said, count in sorted((self.answers | self.policies).items()))
        return (
            f"seed {self.plan.seed}: {self.plan.phones} phones for {self.plan.days:g} days in {self.took_s:.1f} s "
            f"of one core ({phone_days / self.took_s:,.0f} phone days a second), {self.happened:,} events, "
            f"{self.asked:,} questions, {self.administered:,} acts of administration, {self.crashes} server crashes, "
            f"{self.sign_ins:,} sign-ins, {self.logouts:,} logouts, {self.signed_in} signed in at the end\n{answers}"
        )


class World:
    """Everything that takes part; a test may bring a server or phones with a bug."""

    def __init__(
        self, plan: Plan, folder: Path, server_type: type[Server] = Server, phone_type: type[Phone] = Phone
    ) -> None:
        self.plan, self.heap, self.truth = plan, Heap(), Truth()
        random = Random(f"{plan.seed} world")
        self.judge = PolicyJudge(self.heap, self.truth) if plan.policies else Judge(self.heap, self.truth)
        self.server = self.judge.server = server_type(folder, self.heap, f"{plan.seed} server")
        self.net = Net(self.heap, self.server, self.judge, f"{plan.seed} net", Weather().times(plan.faults))
        self.administrators = Administrators(
            *(self.heap, self.server, self.net, self.truth, f"{plan.seed} administrators"),
            every_s=DAY_S / plan.administration_per_day,
            faults=plan.faults,
        )
        self.phones: list[Phone] = []
        self.people: list[Person] = []
        for number in range(plan.tenants):
            self._found(number, random, ruled(phone_type) if plan.policies else phone_type)
        self.policymakers: Policymakers | None = None
        if isinstance(self.judge, PolicyJudge):
            self.policymakers = Policymakers(
                *(self.heap, self.administrators, self.judge, self.phones, f"{plan.seed} policymakers"),
                every_s=DAY_S / plan.policies,
            )

    def _found(self, number: int, random: Random, phone_type: type[Phone]) -> None:
        """A Cloud ID with its share of the phones; some users have two phones, some phones two users."""
        places = range(number, self.plan.phones, self.plan.tenants)
        names = [f"user{place}" for place in places]
        credential = (Credential.TOKEN, Credential.SIP, Credential.PASSWORD)[number % 3]
        tenant = self.administrators.found(f"CLOUD{number}", names, credential, self.plan.intervals)
        users = list(tenant.users.values())
        for place, user in zip(places, users, strict=True):
            phone = phone_type(place, self.heap, self.net, self.judge, f"{self.plan.seed} phone {place}")
            others = [random.choice(users)] if random.random() < 0.3 else []
            sharing = [user, *(one for one in others if one is not user)]
            person = Person(
                *(phone, sharing, self.heap, f"{self.plan.seed} person {place}"),
                every_s=DAY_S / self.plan.deeds_per_day,
                faults=self.plan.faults,
            )
            self.phones.append(phone)
            self.people.append(person)

    def run(self) -> None:
        """Live, calm down, and look at everything. Raises Finding."""
        end_s = self.plan.days * DAY_S
        for person in self.people:
            person.begin()
        self.administrators.begin()
        if self.policymakers:
            self.policymakers.begin()
        self.heap.after(LOOK_EVERY_S, self._look)
        self.heap.run_until(end_s)
        self.net.weather = Weather().times(0)
        self.administrators.calm_down()
        if self.policymakers:
            self.policymakers.calm_down()
        for person in self.people:
            person.calm_down()
        for hour in range(1, int(CALM_S / HOUR_S)):
            self.heap.run_until(end_s + hour * HOUR_S)
            self.administrators.calm_down()
            for person in self.people:
                person.calm_down()
        self.heap.run_until(end_s + CALM_S)
        for phone in self.phones:
            self.judge.finished(phone)

    def _look(self) -> None:
        for phone in self.phones:
            self.judge.look_at(phone)
        self.heap.after(LOOK_EVERY_S, self._look)

    def summary(self, took_s: float) -> Summary:
        """What happened."""
        return Summary(
            plan=self.plan,
            took_s=took_s,
            happened=self.heap.happened,
            asked=self.net.asked,
            administered=self.administrators.done,
            crashes=self.server.crashes,
            signed_in=sum(phone.is_signed_in for phone in self.phones),
            sign_ins=len(self.truth.installs),
            logouts=sum(len(phone.left_installs) for phone in self.phones),
            answers=self.judge.answers,
            policies=self.policymakers.done if self.policymakers else {},
        )

    def story(self, finding: Finding) -> str:
        """What happened last on the phone that a finding is about."""
        if finding.phone is None:
            return ""
        phone = next(one for one in self.phones if one.number == finding.phone)
        return "\n".join(f"  {when_s / DAY_S:9.4f} d  {line}" for when_s, line in phone.story)


def simulate(plan: Plan, server_type: type[Server] = Server, phone_type: type[Phone] = Phone) -> Summary:
    """Run a plan. Raises Finding, with the story of the phone and the command that replays it as its notes."""
    usual, memory = gc.get_threshold(), Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="offhook-simulation-", dir=memory if memory.is_dir() else None))
    try:
        # Hardly anything here goes in circles; looking for them takes a third of the time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 20, 20)
        began_s = process_time()
        world = World(plan, folder, server_type, phone_type)
        try:
            world.run()
        except Finding as finding:
            when = f"at {world.heap.now_s / DAY_S:.4f} d, phone {finding.phone}; it happened before:"
            finding.add_note(f"{when}\n{world.story(finding)}\nTo replay it: {plan.command()}")
            raise
        except Exception as error:
            error.add_note(f"To replay it: {plan.command()}")
            raise
        finally:
            world.server.close()
        return world.summary(process_time() - began_s)
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)
        shutil.rmtree(folder)
