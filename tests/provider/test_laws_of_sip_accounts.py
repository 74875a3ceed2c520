"""SIP accounts while servers are killed and the SIP system fails: what phones have works, and nothing is left over."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.core.errors import OffhookError
from offhook.provider.doctor import Doctor
from offhook.provider.sipdoctor import LineCheck
from offhook.provider.sipregister import Rotating, Wanted
from offhook.provider.subscriber import State
from offhook.provider.tenant import PerWhom, Sip
from tests.world_directory import directory_of
from tests.world_provider import Phone, Provider
from tests.world_sip import SIP, Killed, SipWorld

KINDS = (
    SIP,
    msgspec.structs.replace(SIP, rotate_at_sign_in=True),
    msgspec.structs.replace(SIP, accounts=PerWhom.INSTALL),
    msgspec.structs.replace(SIP, accounts=PerWhom.INSTALL, keep_passwords=False),
)
ACTS = ("sign in", "ask", "ask", "suspend", "resume", "revoke", "report", "rotate", "remove", "add", "round", "wait")


class Life:
    """Two users and their phones; whatever anybody does may end in a kill."""

    def __init__(self, provider: Provider, sip: Sip, dice: Random) -> None:
        self.provider, self.dice = provider, dice
        self.world = SipWorld(provider, sip)
        self.phones: dict[str, list[Phone]] = {"ann": [], "bob": []}
        for name in self.phones:
            provider.has_user(f"{name}@EXAMPLE")

    def does(self, act: str) -> None:
        name = self.dice.choice(("ann", "bob"))
        try:
            self._does(act, name)
        except Killed:
            self.world.lines = self.world.new_lines()
            self.provider.has_lines(self.world.lines)
        except OffhookError:
            pass

    def _does(self, act: str, name: str) -> None:
        provider, world, phones = self.provider, self.world, self.phones[name]
        provider.clock.time_s += 1
        desk = directory_of(provider)
        match act:
            case "sign in":
                answer = provider.signs_in(name)
                if answer.status == 200:
                    phones.append(Phone(provider, "EXAMPLE", answer))
            case "ask" if phones:
                self.dice.choice(phones).asks()
            case "suspend":
                desk.suspend("EXAMPLE", name)
            case "resume":
                desk.resume("EXAMPLE", name)
            case "revoke" if phones:
                provider.installs_desk.revoke(self.dice.choice(phones).account["X-install-id"])
            case "report" if phones:
                self.dice.choice(phones).reports()
            case "rotate":
                world.register.rotate([one.id for one in world.entries()], Rotating.OVERLAP, provider.clock.now_s())
            case "remove":
                desk.remove("EXAMPLE", name)
                phones.clear()
            case "add":
                provider.has_user(f"{name}@EXAMPLE")
            case "round":
                world.works(1)
            case _:
                provider.clock.time_s += self.dice.choice((10, 130, 700))

    def recovers(self) -> None:
        self.world.trouble.over()
        for _ in range(12):
            self.provider.clock.time_s += 130
            self.world.works(1)

    def faults(self) -> list[str]:
        world, provider = self.world, self.provider
        installs = {one["id"]: one for one in provider.installs()}
        found = [
            f"doctor: {one.place} {one.text}" for one in Doctor({"": LineCheck(world.lines, provider.clock)}).examine()
        ]
        for name, phones in self.phones.items():
            for phone in phones:
                active = installs[phone.account["X-install-id"]]["state"] == "active"
                user = next((one for one in provider.subscribers.all_of("EXAMPLE") if one.username == name), None)
                may = active and user is not None and user.state is State.ACTIVE
                if may:
                    phone.asks()
                works = world.system.registers(
                    phone.account.get("username", ""), SIP.domain, phone.account.get("password", "")
                )
                if may and not works:
                    found.append(f"{name} has a phone that cannot register")
                if not may and works and (user is None or user.state is State.SUSPENDED):
                    found.append(f"{name} is out, and registers")
                if not active and works and world.tenant.sip and world.tenant.sip.accounts is PerWhom.INSTALL:
                    found.append(f"a phone of {name} has ended, and registers")
        wanted = {one.address for one in world.entries() if one.wanted is not Wanted.REMOVED}
        found += [f"{address} is an orphan" for address in world.system.accounts if address not in wanted]
        return found


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(KINDS), st.lists(st.sampled_from(ACTS), min_size=5, max_size=40), st.randoms(use_true_random=False)
)
def test_whatever_happens_accounts_are_right_in_the_end(sip: Sip, acts: list[str], dice: Random) -> None:
    """Active phones register with what they are told; suspended and removed users, and ended phones, do not."""
    with TemporaryDirectory() as folder, closing(Provider(Path(folder))) as provider:
        life = Life(provider, sip, dice)
        life.world.trouble.by_dice(dice, killed=0.05, away=0.1)

        for act in acts:
            life.does(act)
        life.recovers()

        assert life.faults() == []


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(KINDS[:3]), st.lists(st.sampled_from(("ask", "round", "rotate", "wait")), max_size=30))
def test_a_rotation_never_drops_a_phone_that_asks(sip: Sip, acts: list[str]) -> None:
    """At each moment within the overlap, what a phone has is accepted, whoever else has asked or not."""
    with TemporaryDirectory() as folder, closing(Provider(Path(folder))) as provider:
        life = Life(provider, sip, Random(1))
        for _ in range(3):
            life.does("sign in")
        everyone = [phone for phones in life.phones.values() for phone in phones]

        for act in acts:
            life.does(act)

            for phone in everyone:
                assert life.world.system.registers(phone.account["username"], SIP.domain, phone.account["password"])
