"""SIP accounts through the life of users and phones: what a phone has works, and what ended does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from offhook.core.errors import Conflict, Unavailable
from offhook.core.login import CloudId
from offhook.provider.explain import Explain
from offhook.provider.knownlines import KnownLines
from offhook.provider.ports import NewInstall
from offhook.provider.sipaccounts import Address, SipAccount
from offhook.provider.sipdoctor import LineCheck
from offhook.provider.siplines import AWAY_S, LEASE_S
from offhook.provider.sipregister import Rotating, Wanted
from offhook.provider.subscriber import Argon2, StoredPassword
from offhook.provider.tenant import Credential, PerWhom, Sip
from offhook.storage import signin
from offhook.storage.signin import SignInStore
from offhook.storage.tables import sip_account, subscriber
from tests.world_directory import directory_of
from tests.world_provider import Phone, Provider
from tests.world_sip import SIP, MemorySip, SipWorld

DOMAIN = SIP.domain
PER_INSTALL = msgspec.structs.replace(SIP, accounts=PerWhom.INSTALL)
AT_SIGN_IN = msgspec.structs.replace(SIP, rotate_at_sign_in=True)
NOT_KEPT = msgspec.structs.replace(PER_INSTALL, keep_passwords=False)


class NoPortal:
    """There is no app of the Cloud ID here."""

    def base(self, cloud_id: str, editable: bool) -> None:
        return None


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        yield provider


@pytest.fixture
def world(provider: Provider) -> SipWorld:
    world = SipWorld(provider)
    provider.has_user("johndow@EXAMPLE", attributes={"number": "+4930123", "name": "John"})
    return world


def registers(world: SipWorld, phone: Phone) -> bool:
    return world.system.registers(phone.account.get("username", ""), DOMAIN, phone.account.get("password", ""))


def test_the_account_of_the_answer_works(world: SipWorld) -> None:
    """The first sign-in makes it, before it is answered; the second phone of the user gets the same one."""
    first, second = world.provider.phone(), world.provider.phone()

    assert registers(world, first)
    assert registers(world, second)
    assert first.account["username"] == second.account["username"]
    assert [what for what, _ in world.system.asked] == ["ensure"]
    account = world.system.accounts[Address(first.account["username"], DOMAIN)]
    assert (account.aliases, account.display_name) == (("4930123",), "John") or account.aliases == ("+4930123",)


def test_a_phone_that_asks_again_has_it_already(world: SipWorld) -> None:
    """Whether passwords are kept or not, per user or per install: what it was told is what it would get."""
    for sip in (SIP, PER_INSTALL, NOT_KEPT):
        world.set(sip, move=True)
        phone = world.provider.phone()
        assert registers(world, phone)

        assert phone.asks().status == 304
        phone.validators.clear()
        again = phone.asks()

        assert again.status == 200
        assert registers(world, phone)
        assert (b"<password>" in again.body) is sip.keep_passwords


def test_nobody_is_told_yes_without_an_account(world: SipWorld) -> None:
    """While the SIP system is away, who signs in is told to try again; the account comes by itself meanwhile."""

    def away(what: str) -> None:
        raise Unavailable("Away.")

    world.trouble.before = lambda what: away(what) if what.startswith("sip.") else None
    refused = world.provider.signs_in()
    world.trouble.over()
    world.provider.clock.time_s += 60
    world.works(1)

    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert len(world.system.accounts) == 1
    assert registers(world, world.provider.phone())
    assert world.provider.installs()[0]["state"] == "active"
    assert len(world.provider.installs()) == 1


def test_phones_that_ask_again_need_no_sip_system(world: SipWorld) -> None:
    """Nothing at all happens to them while it is away."""
    phone = world.provider.phone()

    def away(what: str) -> None:
        raise Unavailable("Away.")

    world.trouble.before = away

    assert phone.asks().status == 304
    phone.validators.clear()
    assert phone.asks().status == 200


@pytest.mark.parametrize("sip", [SIP, PER_INSTALL, NOT_KEPT])
def test_who_is_suspended_is_cut_off_and_comes_back_with_new_credentials(world: SipWorld, sip: object) -> None:
    """Their old password is good no more, also after they are resumed."""
    assert isinstance(sip, type(SIP))
    world.set(sip)
    phone = world.provider.phone()
    assert registers(world, phone)
    before = dict(phone.account)

    directory_of(world.provider).suspend("EXAMPLE", "johndow")
    world.works(1)
    suspended = world.system.registers(before["username"], DOMAIN, before["password"])
    directory_of(world.provider).resume("EXAMPLE", "johndow")
    world.works(1)

    assert not suspended
    assert not world.system.registers(before["username"], DOMAIN, before["password"])
    assert phone.asks().status == 200
    assert phone.account["password"] != before["password"]
    assert registers(world, phone)
    if not sip.keep_passwords:
        phone.asks()
        world.works(1)
        assert [entry.password for entry in world.entries()] == [""]
        assert phone.asks().status == 304


def test_each_way_a_phone_ends_ends_its_account(world: SipWorld) -> None:
    """Revoked, reported, replaced: that account alone is removed, and the others stay registered."""
    world.set(PER_INSTALL)
    provider = world.provider
    revoked, reported, stays = provider.phone(), provider.phone(), provider.phone()
    replaced = provider.phone(installid="device")
    newer = provider.phone(installid="device")
    assert all(registers(world, phone) for phone in (revoked, reported, stays, replaced, newer))

    provider.installs_desk.revoke(revoked.account["X-install-id"])
    reported.reports()
    newer.asks()
    world.works(1)

    assert [registers(world, phone) for phone in (revoked, reported, replaced)] == [False] * 3
    assert [registers(world, phone) for phone in (stays, newer)] == [True] * 2


def test_who_is_removed_leaves_nothing(world: SipWorld) -> None:
    """Neither the account of all phones, nor those of each."""
    world.provider.phone()
    directory_of(world.provider).remove("EXAMPLE", "johndow")
    world.works(1)

    assert world.system.accounts == {}
    assert [(one.wanted, one.password) for one in world.entries()] == [(Wanted.REMOVED, "")]


def test_a_held_logout_cuts_nobody_off(world: SipWorld) -> None:
    """What the fleet guard holds has not come to pass (D22): accounts work on, also when it is undone."""
    provider = world.provider
    phones = [provider.phone()]
    for number in range(40):
        provider.has_user(f"user{number}@EXAMPLE")
        phones.append(provider.phone(f"user{number}"))
    desk = directory_of(provider)
    for number in range(40):
        desk.suspend("EXAMPLE", f"user{number}")
    for phone in phones:
        phone.asks()
    world.works(2)
    held = [phone for phone in phones[1:] if registers(world, phone)]
    gone = 40 - len(held)

    report = provider.guarding.show("EXAMPLE")[0]
    provider.guarding.cancel("EXAMPLE", report.numbers)
    world.works(2)

    assert report.held > 0
    assert 0 < gone < 40
    assert all(registers(world, phone) for phone in held)


def test_what_is_held_and_let_go_is_cut_off(world: SipWorld) -> None:
    """As soon as somebody releases it, asked or not."""
    provider = world.provider
    for number in range(30):
        provider.has_user(f"user{number}@EXAMPLE")
        provider.phone(f"user{number}")
    for number in range(30):
        directory_of(provider).suspend("EXAMPLE", f"user{number}")
    world.works(1)
    before = len(world.system.disabled)

    with provider.database.begin() as connection:
        numbers = list(connection.exec_driver_sql("SELECT no FROM decision WHERE stage = 'counted'").scalars())
    provider.guarding.release("EXAMPLE", numbers)
    world.works(1)

    assert (before, len(world.system.disabled)) == (10, 30)


def test_an_account_that_is_over_is_cut_off_without_its_phone(world: SipWorld) -> None:
    """Its date is enough; prolonged, it gets new credentials."""
    provider = world.provider
    phone = provider.phone()
    user = world.user()
    later_s = provider.clock.time_s + 1000
    provider.subscribers.replace(msgspec.structs.replace(user, expires_s=later_s, changed_s=provider.clock.time_s))
    world.works(1)
    before = registers(world, phone)

    provider.clock.time_s = later_s
    world.works(1)
    after = registers(world, phone)
    provider.subscribers.replace(msgspec.structs.replace(world.user(), expires_s=None, changed_s=later_s))
    world.works(1)
    phone.asks()

    assert (before, after) == (True, False)
    assert registers(world, phone)


def test_a_rotation_drops_no_phone(world: SipWorld) -> None:
    """Both passwords are good until all active phones have come back with the newer one."""
    provider = world.provider
    first, second = provider.phone(), provider.phone()
    for phone in (first, second):
        phone.asks()
    old = first.account["password"]
    entry = world.entries()[0]

    world.register.rotate([entry.id], Rotating.OVERLAP, provider.clock.now_s())
    world.works(2)
    provider.clock.time_s += 5
    assert first.asks().status == 200
    first.asks()
    world.works(2)
    during = [registers(world, first), registers(world, second)]
    second.asks()
    second.asks()
    world.works(2)

    assert during == [True, True]
    assert old not in {first.account["password"], second.account["password"]}
    assert registers(world, first)
    assert registers(world, second)
    assert not world.system.registers(entry.address.username, DOMAIN, old)
    assert [what for what, _ in world.system.asked] == ["ensure", "rotate", "rotate"]


def test_the_overlap_has_an_end(world: SipWorld) -> None:
    """A phone that is switched off for longer gets the new password when it comes back."""
    phone = world.provider.phone()
    entry = world.entries()[0]
    world.register.rotate([entry.id], Rotating.OVERLAP, world.provider.clock.now_s())
    world.works(1)
    before = registers(world, phone)

    world.provider.clock.time_s += SIP.overlap_s
    world.works(2)
    after = registers(world, phone)

    assert (before, after) == (True, False)
    assert phone.asks().status == 200
    assert registers(world, phone)


def test_a_second_rotation_waits_for_the_first_unless_it_is_at_once(world: SipWorld) -> None:
    """Else the password that phones have would be good no more."""
    phone = world.provider.phone()
    entry = world.entries()[0]
    now_s = world.provider.clock.now_s()
    world.register.rotate([entry.id], Rotating.OVERLAP, now_s)
    world.works(1)

    refused = world.register.rotate([entry.id], Rotating.OVERLAP, now_s)
    still = registers(world, phone)
    taken = world.register.rotate([entry.id], Rotating.AT_ONCE, now_s)
    world.works(1)

    assert (refused, still, taken) == (0, True, 1)
    assert not registers(world, phone)
    phone.asks()
    assert registers(world, phone)


def test_rotations_of_a_cloud_id_are_spread(world: SipWorld) -> None:
    """When it is switched on, and ever after: no two come due together more often than by chance."""
    for number in range(60):
        world.provider.has_user(f"user{number}@EXAMPLE")
    world.works(2)
    every_s = 30 * 86400

    world.set(msgspec.structs.replace(SIP, rotate_every_s=every_s))

    due = sorted(entry.rotate_s - world.provider.clock.now_s() for entry in world.entries())
    assert len(due) == 61
    assert 0 <= due[0] < every_s / 4
    assert due[-1] > every_s / 2
    assert len(set(due)) > 50


def test_rotation_at_sign_in(world: SipWorld) -> None:
    """A further phone gets a new password, and the phones that were there go on with theirs meanwhile."""
    world.set(msgspec.structs.replace(SIP, rotate_at_sign_in=True))
    first = world.provider.phone()
    world.provider.clock.time_s += 60

    second = world.provider.phone()

    assert first.account["password"] != second.account["password"]
    assert registers(world, first)
    assert registers(world, second)


def test_a_system_is_not_left_by_mistake(world: SipWorld) -> None:
    """Settings that would make accounts elsewhere are refused, unless they are to be moved; then nobody is dropped."""
    phone = world.provider.phone()
    elsewhere = msgspec.structs.replace(SIP, domain="sip.example.net")

    with pytest.raises(Conflict, match="1 SIP accounts at berlin"):
        world.set(elsewhere)
    world.set(elsewhere, move=True)
    world.works(2)
    old = registers(world, phone)
    phone.asks()
    world.provider.clock.time_s += SIP.overlap_s
    world.works(2)

    assert old
    assert world.system.registers(phone.account["username"], "sip.example.net", phone.account["password"])
    assert not registers(world, phone)
    assert [address.domain for address in world.system.accounts] == ["sip.example.net"]


def test_users_of_before_move_into_the_system(provider: Provider) -> None:
    """A Cloud ID that gets a SIP system: its phones get accounts there when they next ask, one each or one a user."""
    world = SipWorld(provider)
    world.set(None, move=True)
    for name in ("ann", "bob"):
        provider.has_user(f"{name}@EXAMPLE", attributes={"username": name}, secrets={"password": "static"})
    phones = [provider.phone("ann"), provider.phone("ann"), provider.phone("bob")]
    static = [phone.account["password"] for phone in phones]

    world.set(PER_INSTALL)
    world.works(2)
    answers = [phone.asks().status for phone in phones]

    assert static == ["static"] * 3
    assert answers == [200] * 3
    assert all(registers(world, phone) for phone in phones)
    assert len({phone.account["username"] for phone in phones}) == 3


@pytest.mark.parametrize("answers", [True, False], ids=["done late", "not known"])
def test_a_late_write_enables_nobody_for_good(world: SipWorld, answers: bool) -> None:
    """A rotation outlives its lease; meanwhile the user is suspended, and another server has disabled the account."""
    world.provider.phone()
    (entry,) = world.entries()
    other = world.new_lines()

    def suspended() -> None:
        world.provider.clock.time_s += LEASE_S + 1
        world.provider.suspend(world.user())
        for name in other.due(10):
            other.do(name)

    world.lines.systems = {"berlin": Late(world.system, suspended, answers=answers)}
    world.register.rotate([entry.id], Rotating.OVERLAP, world.provider.clock.now_s())
    world.lines.run(entry.id)
    before = entry.address in world.system.disabled
    world.works(seconds=AWAY_S)

    assert not before
    assert entry.address in world.system.disabled
    assert [(one.wanted, one.done == one.version) for one in world.entries()] == [(Wanted.DISABLED, True)]


class Late(MemorySip):
    """Whose first rotation comes to pass after something else; whether it is answered or not."""

    def __init__(self, system: MemorySip, before: Callable[[], None], *, answers: bool) -> None:
        self._system, self._before, self._answers = system, before, answers

    def rotate(self, account: SipAccount, key: str) -> None:
        before, self._before = self._before, lambda: None
        before()
        self._system._set(account)
        if not self._answers:
            raise Unavailable("Away.")

    def disable(self, address: Address, key: str) -> None:
        self._system.disable(address, key)


def test_a_clock_that_was_set_back_keeps_nobody_connected(world: SipWorld) -> None:
    """A lease and a next try of a day ahead are over: whoever is suspended is cut off now."""
    world.provider.phone()
    (entry,) = world.entries()
    for at_work in (True, False):
        now_s = world.provider.clock.now_s()
        world.register.again(entry.id, now_s)
        claimed = world.register.claim(entry.id, "killed", now_s, now_s + LEASE_S)
        assert claimed is not None
        if not at_work:
            world.register.postpone(msgspec.structs.replace(claimed.entry, next_s=now_s + 300), "killed", now_s)
        world.provider.clock.time_s -= 86400
        world.works(1)
        assert [one.done == one.version for one in world.entries()] == [True]


def test_no_key_is_used_again_after_a_backup_came_back(world: SipWorld) -> None:
    """A SIP system that has seen a key does nothing more: here it would leave a suspended account in use."""
    world.provider.phone()
    keys = set[str]()
    with world.provider.database.begin() as connection:
        (before,) = connection.execute(sa.select(sip_account)).mappings().all()
        (user,) = connection.execute(sa.select(subscriber)).mappings().all()
    for _ in range(5):
        world.provider.suspend(world.user())
        world.works(1)
        keys |= {key for what, key in world.system.asked if what == "disable"}
        with world.provider.database.begin() as connection:
            connection.execute(sa.update(sip_account).values(**before))
            connection.execute(sa.update(subscriber).values(**user))

    assert len(keys) == 5


def test_the_doctor_only_looks(world: SipWorld) -> None:
    """Unless it is told to mend something: what time brings about is wanted by the server."""
    world.provider.phone()
    world.provider.subscribers.replace(
        msgspec.structs.replace(world.user(), expires_s=world.provider.clock.now_s() + 5)
    )
    world.works(1)
    before = world.entries()
    world.provider.clock.time_s += 10

    list(LineCheck(world.lines, world.provider.clock).find())

    assert world.entries() == before


def test_what_was_never_issued_is_removed(world: SipWorld) -> None:
    """An account whose install never came to be, since the server was killed in between, does not stay."""
    world.set(PER_INSTALL)
    world.lines.make(world.tenant, world.user(), "never issued")
    before = len(world.system.accounts)

    world.provider.clock.time_s += 601
    world.works(1)

    assert (before, len(world.system.accounts)) == (1, 0)


@pytest.mark.parametrize("sip", [PER_INSTALL, AT_SIGN_IN], ids=["per install", "rotated at sign-in"])
def test_who_is_turned_away_for_want_of_room_changes_nothing(
    world: SipWorld, sip: Sip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No account is made, and none is rotated, however often somebody tries."""
    world.set(sip)
    monkeypatch.setattr(signin, "MAX_INSTALLS", 2)
    for number in range(2):
        world.provider.phone(installid=f"phone {number}").asks()
    world.works()
    before = world.system.asked.copy()

    refused = [world.provider.signs_in(installid=f"more {number}").status for number in range(5)]
    world.works(1)

    assert set(refused) == {403}
    assert world.system.asked == before


def test_what_was_made_for_somebody_who_is_turned_away_at_last_goes_at_once(
    world: SipWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another phone took the room meanwhile."""
    world.set(PER_INSTALL)
    monkeypatch.setattr(signin, "MAX_INSTALLS", 1)

    class Slow(SignInStore):
        async def look_for_room(self, install: NewInstall) -> None:
            """It was there."""

    world.provider.sign_in._store = Slow(world.provider.database)
    world.provider.phone(installid="one")
    refused = world.provider.signs_in(installid="other")
    made = len(world.system.accounts)
    world.works(1)

    assert refused.status == 403
    assert (made, len(world.system.accounts)) == (2, 1)


def test_a_password_that_was_rotated_meanwhile_is_not_handed_out(world: SipWorld) -> None:
    """Checking who somebody is takes a while."""
    world.provider.phone()
    (entry,) = world.entries()

    class Slow(SignInStore):
        deeds = 1

        async def issue(self, install: NewInstall, upgraded: Argon2 | None, known: StoredPassword) -> None:
            if self.deeds:
                self.deeds = 0
                world.register.rotate([entry.id], Rotating.AT_ONCE, world.provider.clock.now_s())
                world.works()
            await super().issue(install, upgraded, known)

    world.provider.sign_in._store = Slow(world.provider.database)
    phone = world.provider.phone()

    assert registers(world, phone)


def test_a_name_that_somebody_has_is_not_given_twice(world: SipWorld) -> None:
    """Two users with the same SIP name: the second one gets another."""
    for name in ("ann", "bob"):
        world.provider.has_user(f"{name}@EXAMPLE", attributes={"username": "Desk"})

    names = [world.provider.phone(name).account["username"] for name in ("ann", "bob")]

    assert names[0] == "desk"
    assert names[1] != "desk"


def test_no_alias_takes_anothers_calls(world: SipWorld) -> None:
    """Neither a user part nor an alias is given twice, in whichever order they come; the doctor says who lacks one."""
    people = {
        "bob": {"username": "bob", "number": "1"},
        "eve": {"username": "Bob", "number": "2"},
        "mal": {"username": "mal", "extension": "bob"},
        "ann": {"username": "ann", "extension": "2"},
        "two": {"username": "2"},
    }
    for name, attributes in people.items():
        world.provider.has_user(f"{name}@EXAMPLE", attributes=attributes)
        world.provider.phone(name)
    names = [name for one in world.entries() for name in (one.address.username, *one.aliases)]
    found = list(LineCheck(world.lines, world.provider.clock).find())

    assert sorted(names) == sorted(set(names))
    assert {"bob", "mal", "ann", "1", "2"} <= set(names)
    assert {address.username: account.aliases for address, account in world.system.accounts.items()} == {
        entry.address.username: entry.aliases for entry in world.entries()
    }
    assert [one.text.split(":")[0] for one in found if one.remedy == ""] == [
        f"is not called by {name}, which {owner}@{DOMAIN} has"
        for name, owner in (("bob", "bob"), ("bob", "bob"), ("2", names[2]), ("2", names[2]))
    ]


def test_a_name_is_free_again_when_its_account_is_gone(world: SipWorld) -> None:
    """Whoever lacked it has it with the next wish."""
    for name in ("ann", "bob"):
        world.provider.has_user(f"{name}@EXAMPLE", attributes={"username": name, "extension": "201"})
        world.provider.phone(name)
    before = [one.aliases for one in world.entries()]

    world.provider.subscribers.remove("EXAMPLE", "ann", world.provider.clock.now_s())
    world.works()
    (bob,) = [one for one in world.entries() if one.address.username == "bob"]
    world.register.again(bob.id, world.provider.clock.now_s())
    world.works()

    assert before == [("201",), ()]
    assert world.system.accounts[bob.address].aliases == ("201",)


def test_a_changed_attribute_reaches_the_system(world: SipWorld) -> None:
    """A new number rings; a change of anything else of the user asks for nothing that differs."""
    world.provider.phone()
    user = world.user()

    world.provider.subscribers.replace(
        msgspec.structs.replace(user, attributes={**user.attributes, "extension": "201"}, changed_s=1)
    )
    world.works(1)

    assert [account.aliases for account in world.system.accounts.values()] == [("+4930123", "201")]


def test_sip_credentials_as_the_key_of_the_phone(world: SipWorld) -> None:
    """An app that authenticates with its SIP credentials comes through a rotation, an answer lost in between."""
    world.provider.tenants.put(msgspec.structs.replace(world.tenant, credential=Credential.SIP))
    phone = world.provider.phone()
    phone.asks()
    world.register.rotate([world.entries()[0].id], Rotating.OVERLAP, world.provider.clock.now_s())
    world.works(2)
    world.provider.clock.time_s += 5

    lost = phone.asks(keep=False)
    kept = phone.asks()
    after = phone.asks()

    assert (lost.status, kept.status, after.status) == (200, 200, 304)
    assert registers(world, phone)


def test_explain_tells_of_the_account_and_not_its_password(world: SipWorld) -> None:
    """As the phone is told, with masks."""
    provider = world.provider
    phone = provider.phone()
    explain = Explain(
        subscribers=provider.subscribers,
        tenants=provider.tenants,
        composer=provider.composer,
        rulings=provider.rulings,
        portal=NoPortal(),
        accounts=world.register,
    )

    explained = explain.account("johndow", CloudId("EXAMPLE"))

    shown = {line.key: line.value for line in explained.lines}
    assert shown["username"] == phone.account["username"]
    assert shown["password"] == "********"


def test_a_system_that_asks_us_finds_both_passwords_before_a_phone_is_told(world: SipWorld) -> None:
    """While the new one is being set it is good already, and the one of before still is; who is suspended has none."""
    provider, found = world.provider, list[SipAccount | None]()
    phone = provider.phone()
    address = Address(phone.account["username"], DOMAIN)
    known = KnownLines(world.register, "berlin", provider.sealer)
    world.trouble.before = lambda what: found.append(known.find(address)) if what == "sip.rotate" else None

    world.register.rotate([world.entries()[0].id], Rotating.OVERLAP, provider.clock.now_s())
    world.works(1)
    during, after = found[0], known.find(address)
    ringing = list(known.ringing(Address("+4930123", DOMAIN)))
    provider.suspend(world.user())
    suspended = known.find(address)

    assert during is not None
    assert after is not None
    assert during.former is not None
    assert during.former.reveal() == phone.account["password"]
    assert (during.password, during.former) == (after.password, after.former)
    assert ringing == [address]
    assert suspended is None
