"""Coming in the first time: an upstream vouches, a code is sent, and all that a user needs is made, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest
from lxml import etree

from offhook.core.errors import Refused, Unavailable
from offhook.provider.change import NOBODY, Change
from offhook.provider.directory import Directory
from offhook.provider.hooks import Wish
from offhook.provider.numbers import Use
from offhook.provider.onboarding import Closed, SignUp
from offhook.provider.passwords import hash_password
from offhook.provider.subscriber import State
from offhook.provider.tenant import PerWhom, Sip, Tenant
from offhook.web.http import Answer, Call
from tests.world_newcomers import Onboarding
from tests.world_provider import CLIENT, Phone

GLOBAL = "/prov/global"
POLICY = """
[[rules]]
id = "bosses"
when = { if = "in_group", group = "boss" }
then = [{ do = "set", key = "codecOrder", value = "8" }]
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Onboarding]:
    with closing(Onboarding(tmp_path)) as opened:
        opened.has_numbers("201-203")
        yield opened


def account(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer.body
    return {str(node.tag): node.text or "" for node in etree.fromstring(answer.body)}


def said(answer: Answer) -> str:
    return str(etree.fromstring(answer.body).findtext("message"))


def phone(world: Onboarding, username: str = "ann") -> Phone:
    """A phone that has just signed in."""
    answer = world.signs_in(username, "right")
    assert answer.status == 200, answer.body
    return Phone(world, "EXAMPLE", answer)


def at_once(world: Onboarding, count: int, username: str, password: str) -> list[Answer]:
    """So many phones sign in together, in one event loop."""
    wanted = {"cloud_id": "EXAMPLE", "cloud_username": username, "cloud_password": password}

    async def one(number: int) -> Answer:
        query = urlencode(wanted | {"installid": f"phone-{number}"})
        return await world.handlers["/prov"](Call("GET", "/prov", query, client=CLIENT))

    async def all_of_them() -> list[Answer]:
        return await asyncio.gather(*(one(number) for number in range(count)))

    return world.loop.run(all_of_them())


# --- an upstream ---


def test_whom_the_upstream_vouches_for_is_made_once(world: Onboarding) -> None:
    """With its attributes and groups, a number, and what a hook gives; both calls of a sign-in cost one question."""
    world.opens(None, "crm")
    world.people.has("ann", "right", "sales", "staff", mail="ann@example.com")

    common = world.get(GLOBAL, **asked("ann", "right"))
    first = account(world.signs_in("ann", "right"))
    second = account(world.signs_in("ann", "right"))

    user = world.subscribers.get("EXAMPLE", "ann")
    assert (common.status, first["number"], first["mailbox"], second["number"]) == (200, "201", "box-ann", "201")
    assert user.attributes | {"username": ""} == {
        "username": "",
        "mail": "ann@example.com",
        "groups": "sales,staff",
        "number": "201",
        "mailbox": "box-ann",
    }
    assert (user.state, user.password) == (State.ACTIVE, NOBODY)
    assert world.people.asked == ["ann"]
    assert [wish.attributes["number"] for wish, _ in world.crm.wishes] == ["201"]
    assert [one.use for one in world.numbers.kept("EXAMPLE")] == [Use.ASSIGNED]


def asked(username: str, password: str) -> dict[str, str]:
    return {"cloud_id": "EXAMPLE", "cloud_username": username, "cloud_password": password}


def test_a_secret_of_the_upstream_is_not_kept(world: Onboarding) -> None:
    """What is one by its name becomes no attribute, and stands nowhere in the database."""
    world.opens()
    world.people.has("ann", "right", mail="a@example.com", userPassword="ThisIsSecret")

    account(world.signs_in("ann", "right"))

    world.database.close()
    kept = b"".join(file.read_bytes() for file in world.database.path.parent.glob("provider.sqlite3*"))
    assert b"a@example.com" in kept
    assert b"ThisIsSecret" not in kept


def test_all_names_of_a_user_lead_to_the_same_one(world: Onboarding) -> None:
    """It is the upstream's name for them that counts, not what was typed."""
    world.opens()
    world.people.has("ann")

    account(world.signs_in("ann", "right"))
    account(world.signs_in("ann@corp.example", "right"))

    assert world.users() == ["ann"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nobody_from_the_upstream_becomes_a_user_of_the_operators(world: Onboarding, method: str) -> None:
    """By typing a name that leads to the one that somebody has here: they are told, and that user is as before."""
    world.opens()
    has = {"number": "9", "username": "u", "mailbox": ""}
    world.has_user("ann@EXAMPLE", "12345678", attributes=has)
    world.people.has("ann", department="sales")
    query = urlencode(asked("ann@corp.example", "right"))

    answers = [world.call(Call(method, path, query, client=CLIENT)) for path in ("/prov", GLOBAL)]

    assert [answer.status for answer in answers] == [403, 403]
    assert dict(world.subscribers.get("EXAMPLE", "ann").attributes) == has
    assert world.signs_in("ann", "12345678").status == 200


def test_what_a_pool_gives_nobody_else_does(world: Onboarding) -> None:
    """Neither the upstream, when they come in and later, nor a hook, which may repeat what it was told."""
    world.opens(None, "crm")
    world.crm.gives = lambda wish: {"mailbox": "", "number": wish.attributes["number"]}
    for name in ("ann", "bob"):
        world.people.has(name, number="201")

    numbers = [account(world.signs_in(name, "right"))["number"] for name in ("ann", "bob")]
    world.clock.time_s += 4000
    world.refreshes()
    world.crm.gives = lambda wish: {"mailbox": "", "number": "201"}
    world.people.has("eve")
    other = world.signs_in("eve", "right")

    assert numbers == ["201", "202"]
    assert world.subscribers.get("EXAMPLE", "bob").attributes["number"] == "202"
    assert other.status == 503
    assert list(world.doctor.examine()) == []


def test_a_wrong_password_is_asked_once(world: Onboarding) -> None:
    """And makes nothing; what the upstream says to the person is passed on."""
    world.opens()
    world.people.has("ann")
    world.people.refusing["bob"] = "Your password has expired."

    wrong, unknown, told = (world.signs_in(name, "wrong") for name in ("ann", "eve", "bob"))

    assert [answer.status for answer in (wrong, unknown, told)] == [403, 403, 403]
    assert said(wrong) == said(unknown)
    assert said(told) == "Your password has expired."
    assert world.people.asked == ["ann", "eve", "bob"]
    assert world.users() == []


def test_while_the_upstream_is_down_phones_go_on(world: Onboarding) -> None:
    """New sign-ins get 503, and when to come back; phones that ask again get their answer as ever."""
    world.opens()
    world.people.has("ann")
    its_phone = phone(world)
    world.clock.time_s += 4000
    world.people.down = True

    new = world.signs_in("bob", "right")
    again = its_phone.asks()
    world.refreshes()

    assert (new.status, new.headers["Retry-After"]) == (503, "7")
    assert again.status == 304
    assert world.told == ["The directory is down."]
    assert world.subscribers.get("EXAMPLE", "ann").state is State.ACTIVE
    assert its_phone.asks().status == 304


def test_changed_groups_reach_the_policy(world: Onboarding) -> None:
    """Without a sign-in: the upstream is asked again from time to time, and what it does not say any more goes."""
    world.opens()
    world.people.has("ann", "right", "sales", mail="a@example.com")
    world.has_policy(POLICY)
    its_phone = phone(world)
    world.people.has("ann", "right", "boss")

    world.refreshes()
    early = world.subscribers.get("EXAMPLE", "ann").attributes["groups"]
    world.clock.time_s += 3600
    world.refreshes()

    user = world.subscribers.get("EXAMPLE", "ann")
    assert (early, user.attributes["groups"], user.attributes.get("mail")) == ("sales", "boss", None)
    assert user.attributes["number"] == "201"
    assert its_phone.asks().status == 200
    assert its_phone.account["codecOrder"] == "8"


def test_who_is_gone_from_the_upstream_is_logged_out(world: Onboarding) -> None:
    """By a decision of the upstream's, which the fleet guard counts; who comes back there may come in again."""
    world.opens()
    world.people.has("ann")
    its_phone = phone(world)
    del world.people.known["ann"]

    world.clock.time_s += 4000
    world.refreshes()
    once = its_phone.asks().status
    world.clock.time_s += 299
    world.refreshes()
    early = its_phone.asks().status
    world.clock.time_s += 1
    world.refreshes()
    status = its_phone.asks().status
    with world.database.begin() as connection:
        authors = list(connection.exec_driver_sql("SELECT reason, author FROM decision"))
    world.people.has("ann")
    back = world.signs_in("ann", "right")

    assert (once, early, status) == (304, 304, 410)
    assert [tuple(row) for row in authors] == [("suspended", "upstream corp")]
    assert back.status == 200


def test_one_empty_answer_logs_nobody_out(world: Onboarding) -> None:
    """A directory that is filled anew: when it is asked again they are there, and that begins anew then."""
    world.opens()
    world.people.has("ann")
    its_phone = phone(world)
    there = dict(world.people.known)

    for empty in (True, False, True, False):
        world.people.known = {} if empty else there
        world.clock.time_s += 4000
        world.refreshes()

        assert world.subscribers.get("EXAMPLE", "ann").state is State.ACTIVE
        assert its_phone.asks().status == 304


@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_whom_the_operator_suspended_stays_so(world: Onboarding, when: str) -> None:
    """Whatever the upstream says then: also where it had suspended them itself. Who was resumed is left to it again."""
    world.opens()
    world.people.has("ann")
    phone(world)
    there = dict(world.people.known)
    directory = Directory(world.subscribers, world.tenants, world.sealer, hash_password, world.dice, world.clock)
    steps = ("before", "empty", "between", "empty", "after", "there", "there")

    def play(suspending: str) -> State:
        for step in steps:
            if step == suspending:
                directory.change("EXAMPLE", "ann", Change(state=State.SUSPENDED))
            if step in {"empty", "there"}:
                world.people.known = there if step == "there" else {}
                world.clock.time_s += 4000
                world.refreshes()
        return world.subscribers.get("EXAMPLE", "ann").state

    assert play(when) is State.SUSPENDED
    assert world.signs_in("ann", "right").status == 403
    directory.resume("EXAMPLE", "ann")
    assert play("never") is State.ACTIVE


def test_a_user_with_a_password_of_ours_needs_no_upstream(world: Onboarding) -> None:
    """The operator added them: their password is checked here, also while the upstream is down."""
    world.opens()
    world.has_user("admin@EXAMPLE", "12345678", attributes={"number": "9", "username": "u", "mailbox": ""})
    world.people.down = True

    right, wrong = world.signs_in("admin", "12345678"), world.signs_in("admin", "other")

    assert (right.status, wrong.status) == (200, 403)
    assert world.people.asked == []


@pytest.mark.parametrize("accounts", [None, PerWhom.USER, PerWhom.INSTALL])
def test_two_hundred_sign_ins_make_one_user(world: Onboarding, accounts: PerWhom | None) -> None:
    """With one number and one SIP account, or one for each phone; a hook and the upstream are asked once."""
    world.opens(None, "crm", sip=None if accounts is None else Sip("berlin", "sip.example.org", accounts))
    world.people.has("ann")

    answers = [answer for answer in at_once(world, 200, "ann", "right") if answer.status == 200]

    assert world.users() == ["ann"]
    assert [(one.number, one.use) for one in world.numbers.kept("EXAMPLE")] == [("201", Use.ASSIGNED)]
    assert len(world.crm.wishes) == 1
    assert world.people.asked == ["ann"]
    assert {account(answer)["number"] for answer in answers} == {"201"}
    names = {account(answer)["username"] for answer in answers}
    assert {address.username for address in world.berlin.accounts} >= (names if accounts else set())
    if accounts is not PerWhom.INSTALL:
        assert (len(answers), len(names), world.berlin.made) == (200, 1, 1 if accounts else 0)


def test_a_sip_system_that_is_down_keeps_new_users_out(world: Onboarding) -> None:
    """Nobody is told yes who could not register; when it is up again, it goes on by itself."""
    world.opens(sip=Sip("berlin", "sip.example.org"))
    world.people.has("ann")

    def away(what: str) -> None:
        raise Unavailable("Away.")

    world.berlin.trouble.before = away
    down = world.signs_in("ann", "right")
    world.berlin.trouble.over()
    world.clock.time_s += 120
    up = account(world.signs_in("ann", "right"))

    assert down.status == 503
    assert world.berlin.registers(up["username"], "sip.example.org", up["password"])
    (sip_account,) = world.berlin.accounts.values()
    assert "201" in sip_account.aliases or world.register.all()[0].version > 1


# --- what is made ---


def test_nobody_is_told_yes_before_all_is_made(world: Onboarding) -> None:
    """A hook that is down: 503, and when it is up again the next try finds everything done."""
    world.opens(None, "crm")
    world.people.has("ann")

    def away(wish: Wish) -> None:
        raise Unavailable("Away.")

    world.crm.trouble = away
    impatient = world.signs_in("ann", "right")
    pending = world.subscribers.get("EXAMPLE", "ann").state
    world.crm.trouble = lambda wish: None
    world.clock.time_s += 31
    world.sagas.resume()
    later = world.signs_in("ann", "right")

    assert (impatient.status, pending) == (503, State.PENDING)
    assert account(later)["mailbox"] == "box-ann"


def test_a_hook_that_says_no_leaves_nothing_behind(world: Onboarding) -> None:
    """Its text reaches the person, the number is free again at once, and a later try begins anew."""
    world.opens(None, "crm")
    world.people.has("ann")

    def full(wish: Wish) -> None:
        if not wish.undo:
            raise Refused("All seats are taken.")

    world.crm.trouble = full
    no = world.signs_in("ann", "right")
    left = world.users(), world.numbers.stocks("EXAMPLE", world.clock.now_s())[0].free, dict(world.crm.mailboxes)
    world.crm.trouble = lambda wish: None
    yes = world.signs_in("ann", "right")

    assert (no.status, said(no)) == (403, "All seats are taken.")
    assert left == ([], 3, {"ann@EXAMPLE": 0})
    assert yes.status == 200


def test_a_pool_that_is_empty_or_missing_waits_for_the_operator(world: Onboarding) -> None:
    """The person is asked to come back; when there are numbers, it goes on by itself."""
    world.opens(number="other")
    world.people.has("ann")

    before = world.signs_in("ann", "right")
    world.has_numbers("301", name="other")
    world.clock.time_s += 61
    after = world.signs_in("ann", "right")

    assert before.status == 503
    assert account(after)["number"] == "301"


@pytest.mark.parametrize("given", [{"password": "x"}, {"username": "x"}, {"a{b": "x"}])
def test_a_hook_gives_no_secrets(world: Onboarding, given: dict[str, str]) -> None:
    """Attributes are readable, so what is a secret, or cannot be kept, is not taken."""
    world.opens(None, "crm")
    world.people.has("ann")
    world.crm.gives = lambda wish: given

    answer = world.signs_in("ann", "right")

    assert answer.status == 503
    assert "x" not in str(world.subscribers.get("EXAMPLE", "ann").attributes.get("password"))


def test_a_removed_user_gives_their_number_back(world: Onboarding) -> None:
    """And a new one of the same name gets another."""
    world.opens()
    world.people.has("ann")
    account(world.signs_in("ann", "right"))

    world.subscribers.remove("EXAMPLE", "ann", world.clock.now_s())
    world.clock.time_s += 100
    again = account(world.signs_in("ann", "right"))

    assert again["number"] == "202"


def test_the_hooks_of_a_removed_user_take_back_what_they_did(world: Onboarding) -> None:
    """It is written down with the removal, and done when the system answers; also for one who is being made."""
    world.opens(None, "crm")
    world.people.has("ann")
    world.people.has("bob")
    account(world.signs_in("ann", "right"))

    def away(wish: Wish) -> None:
        raise Unavailable("Away.")

    world.crm.trouble = away
    assert world.signs_in("bob", "right").status == 503
    for name in ("ann", "bob"):
        world.subscribers.remove("EXAMPLE", name, world.clock.now_s())
    world.sagas.resume()
    there = dict(world.crm.mailboxes)
    world.crm.trouble = lambda wish: None
    for _ in range(3):
        world.clock.time_s += 400
        world.sagas.resume()

    assert there == {"ann@EXAMPLE": 1}
    assert world.crm.mailboxes == {"ann@EXAMPLE": 0, "bob@EXAMPLE": 0}
    assert world.crm.wishes[-1][0].undo
    assert next(wish.attributes["mailbox"] for wish, _ in world.crm.wishes if wish.undo and wish.username == "ann")
    assert world.sagas.store.stuck(world.clock.now_s()) == []
    assert world.numbers.stocks("EXAMPLE", world.clock.now_s())[0].free == 2


ASSIGN = "`offhook numbers assign 203 ann@EXAMPLE`, or change the user."


def test_the_doctor_compares_numbers_with_users(world: Onboarding) -> None:
    """Each difference in words; what can be is mended, the pool's record being the right one."""
    world.opens()
    for name in ("ann", "bob"):
        world.people.has(name)
        account(world.signs_in(name, "right"))
    assert list(world.doctor.examine()) == []
    ann, bob = (world.subscribers.get("EXAMPLE", name) for name in ("ann", "bob"))
    world.subscribers.replace(msgspec.structs.replace(ann, attributes={"number": "203"}))
    world.subscribers.replace(msgspec.structs.replace(bob, attributes={}))
    world.has_user("eve@EXAMPLE", attributes={"number": ""})
    with world.database.begin() as connection:
        connection.exec_driver_sql("UPDATE number SET subscriber_id = 99 WHERE number = '202'")

    found = [(one.place, one.text, one.remedy) for one in world.doctor.examine()]
    mended = [(one.place, one.mended) for one in world.doctor.examine(mend=True)]
    left = list(world.doctor.examine(mend=True))

    assert found == [
        ("201", "is given to ann@EXAMPLE, whose number says 203.", "write it into the user's record"),
        ("202", "is given to a user who is not there.", "give it back"),
        (
            "203",
            f"is the number of ann@EXAMPLE, and is free in its pool. {ASSIGN}",
            "",
        ),
        ("bob@EXAMPLE", "has no number from the pool main.", "give one"),
        ("eve@EXAMPLE", "has no number from the pool main.", "give one"),
    ]
    assert mended[0] == ("201", True)
    assert [one.mended for one in left] == [False]
    assert "No number of the pool main" in left[0].text
    numbers = {name: world.subscribers.get("EXAMPLE", name).attributes["number"] for name in ("ann", "bob", "eve")}
    assert (numbers["ann"], len(set(numbers.values()))) == ("201", 3)


# --- signing up ---


def code(world: Onboarding) -> str:
    world.sign_ups._threads.submit(lambda: None).result()
    return world.postman.codes[-1][1]


def test_signing_up_with_a_code(world: Onboarding) -> None:
    """The first call asks for a code, the second brings it as the password, to both services of the sign-in."""
    world.opens(SignUp())

    first = world.signs_in("ann@mail.example", "")
    given = code(world)
    common = world.get(GLOBAL, **asked("ann@mail.example", given))
    second = world.signs_in("ann@mail.example", given)

    assert (first.status, common.status) == (403, 200)
    assert "a code was sent" in said(first)
    assert account(second)["number"] == "201"
    assert world.subscribers.get("EXAMPLE", "ann@mail.example").attributes["email"] == "ann@mail.example"
    assert [address for address, _ in world.postman.codes] == ["ann@mail.example"]


def test_answers_do_not_tell_who_is_known(world: Onboarding) -> None:
    """A user who signed up, one to whom the operator gave a password, and a stranger are told the same."""
    world.opens(SignUp())
    world.has_user("known@mail.example@EXAMPLE", "12345678", attributes={"number": "1", "username": "u"})
    world.signs_in("old@mail.example", "")
    account(world.signs_in("old@mail.example", code(world)))
    names = ("known@mail.example", "old@mail.example", "new@mail.example")
    world.clock.time_s += 600

    for password in ("", "wrong", "000000"):
        answers = [world.signs_in(name, password) for name in names]
        assert len({(answer.status, answer.body) for answer in answers}) == 1

    sent = len(world.postman.codes)
    limited = [[world.signs_in(name, "").status for _ in range(4)] for name in names]
    assert limited[0] == limited[1] == limited[2]
    assert limited[0][-1] == 429
    assert sent == 5
    assert world.signs_in("known@mail.example", "12345678").status == 200


def test_a_code_is_good_for_one_device_and_some_time(world: Onboarding) -> None:
    """A lost answer may be asked for again; another phone, a guess too many, or a late one is refused."""
    world.opens(SignUp(code_s=300))
    world.signs_in("ann@mail.example", "")
    given = code(world)

    mine = [world.signs_in("ann@mail.example", given, installid="A").status for _ in range(2)]
    other = world.signs_in("ann@mail.example", given, installid="B").status
    world.clock.time_s += 300
    late = world.signs_in("ann@mail.example", given, installid="A").status
    world.signs_in("bob@mail.example", "")
    right = code(world)
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    guesses = [world.signs_in("bob@mail.example", wrong).status for _ in range(5)]

    assert (mine, other, late) == ([200, 200], 403, 403)
    assert guesses == [403] * 5
    assert world.signs_in("bob@mail.example", right).status == 403


def test_a_stranger_does_not_use_up_the_guesses_of_others(world: Onboarding) -> None:
    """They are counted by network; there is an end to all of them as well."""
    world.opens(SignUp(code_s=3600))
    world.signs_in("ann@mail.example", "")
    right = code(world)
    wrong = f"{(int(right) + 1) % 1_000_000:06}"

    def tries(given: str, client: str) -> int:
        world.clock.time_s += 10
        query = urlencode(asked("ann@mail.example", given) | {"installid": "A"})
        return world.call(Call("GET", "/prov", query, client=client)).status

    for number in range(7):
        tries(wrong, "203.0.113.9" if number < 6 else "2001:db8::1")
    assert tries(right, "203.0.113.9") == 403
    assert tries(right, "198.51.100.1") == 200
    for number in range(40):
        tries(wrong, f"198.51.100.{number + 2}")
    assert tries(right, "198.51.100.1") == 403


def test_nobody_gets_more_than_some_codes_in_a_day(world: Onboarding) -> None:
    """It is kept in the database: who asks again after a restart, or at another server, gets no more."""
    world.opens(SignUp())
    world.has_user("known@mail.example@EXAMPLE", "12345678", attributes={"number": "1", "username": "u"})
    names = ("known@mail.example", "new@mail.example")

    answers: dict[str, list[int]] = {name: [] for name in names}
    for _ in range(12):
        for name in names:
            answers[name].append(world.signs_in(name, "").status)
        world.clock.time_s += 600
    last = world.signs_in(names[1], "")
    sent = len(world.postman.codes)
    world.clock.time_s += int(last.headers["Retry-After"])

    assert list(answers.values()) == [[403] * 10 + [429] * 2] * 2
    assert sent == 10
    assert [world.signs_in(name, "").status for name in names] == [403, 403]


def test_who_has_a_password_here_costs_as_much_as_a_stranger(world: Onboarding) -> None:
    """The same is written for both, whether a code is asked for or guessed: time does not tell them apart either."""
    world.opens(SignUp())
    world.has_user("known@mail.example@EXAMPLE", "12345678", attributes={"number": "1", "username": "u"})

    for name in ("known@mail.example", "new@mail.example"):
        for password in ("", "000000", "wrong", "000000"):
            world.signs_in(name, password)
    world.sign_ups._threads.submit(lambda: None).result()
    with world.database.begin() as connection:
        rows = connection.exec_driver_sql("SELECT tried, in_day FROM sign_up_code").fetchall()

    assert len({tuple(row) for row in rows}) == 1
    assert len(rows) == 2
    assert [address for address, _ in world.postman.codes] == ["new@mail.example"] * 2


def test_a_screen_of_its_own_asks_for_a_code(world: Onboarding) -> None:
    """At an address for that alone, which says so with 202, and only when it is asked to with POST."""
    world.opens(SignUp())
    form = urlencode({"cloud_id": "EXAMPLE", "cloud_username": "ann@mail.example"}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}

    looked = world.call(Call("GET", "/prov/sign-up", form.decode()))
    asked_for = world.call(Call("POST", "/prov/sign-up", "", headers, form))
    by_path = world.call(Call("POST", "/prov/EXAMPLE/sign-up", "", headers, form))
    given = code(world)
    world.opens(Closed())
    closed = world.call(Call("POST", "/prov/sign-up", "", headers, form))

    assert [answer.status for answer in (looked, asked_for, by_path, closed)] == [405, 202, 202, 400]
    assert "a code was sent" in said(asked_for)
    assert len(world.postman.codes) == 2
    world.opens(SignUp())
    assert world.signs_in("ann@mail.example", given).status == 200


def test_only_addresses_that_the_operator_wants(world: Onboarding) -> None:
    """No code goes to another domain, nor to what is no address."""
    world.opens(SignUp(domains=("mail.example",)))

    answers = [world.signs_in(name, "") for name in ("ann@other.example", "ann", "a\r\nb@mail.example")]

    assert {answer.status for answer in answers} == {403}
    assert world.postman.codes == []
    assert world.signs_in("ann@mail.example", "").status == 403
    assert code(world)


def test_a_code_that_cannot_be_sent_is_noted(world: Onboarding) -> None:
    """The person sees no difference; the operator does. Without anybody to send it, it is our fault: 503."""
    world.opens(SignUp())
    world.postman.down = True

    answer = world.signs_in("ann@mail.example", "")
    world.sign_ups._threads.submit(lambda: None).result()
    world.opens(SignUp(sent_by="nobody"))

    assert (answer.status, world.told) == (403, ["The mail server is down."])
    assert world.signs_in("ann@mail.example", "").status == 503


def test_a_closed_cloud_id_is_as_ever(world: Onboarding) -> None:
    """A stranger is refused, and a request without a password is none."""
    world.opens(Closed())

    assert world.signs_in("eve", "x").status == 403
    assert world.signs_in("eve", "").status == 400
    assert world.users() == []


def test_settings_of_before_are_read(world: Onboarding) -> None:
    """A Cloud ID whose settings know nothing of onboarding is closed."""
    old = msgspec.json.decode(b'{"cloud_id":"EXAMPLE"}', type=Tenant)

    assert (old.onboarding, old.numbers, old.hooks) == (Closed(), (), ())
