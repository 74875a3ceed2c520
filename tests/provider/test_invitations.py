"""Invitations: a token lets one phone in, once; whoever comes with it later, elsewhere or too late is told why not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from offhook.core.errors import Conflict, Invalid, NotFound
from offhook.core.login import parse_link
from offhook.provider import invitation as tokens
from offhook.provider.invitation import State, new_token, read_token, ticket
from offhook.provider.invitations import Made, Wanted
from offhook.provider.onboarding import ByInvitation, ByUpstream, Closed, SignUp
from offhook.provider.subscriber import State as UserState
from offhook.provider.tenant import Credential, Tenant
from offhook.web.http import Answer, Call
from tests.world_newcomers import Onboarding
from tests.world_provider import CLIENT, Phone

GLOBAL = "/prov/global"
REFUSING = """
[[rules]]
id = "no-windows"
when = { if = "platform", one_of = ["windows"] }
then = [{ do = "refuse", message = "Not on Windows." }]
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Onboarding]:
    with closing(Onboarding(tmp_path)) as opened:
        opened.has_numbers("201-203")
        opened.opens(ByInvitation())
        yield opened


def said(answer: Answer) -> str:
    return str(etree.fromstring(answer.body).findtext("message"))


def invited(world: Onboarding, username: str = "ann", **wanted: object) -> Made:
    return world.invitations.invite("EXAMPLE", msgspec.convert({"username": username} | wanted, Wanted))


def comes(world: Onboarding, made: Made, device: str = "phone-1", username: str = "ann", **sent: str) -> Answer:
    return world.signs_in(username, made.token.reveal(), installid=device, **sent)


def state(world: Onboarding, username: str = "ann") -> State:
    world.sightings.flush()
    return world.invitations.newest("EXAMPLE", username).state(world.clock.now_s())


# --- coming in ---


def test_an_invitation_makes_the_user_and_lets_their_phone_in(world: Onboarding) -> None:
    """With all that a new user gets, and with what the operator said of them."""
    made = invited(world, attributes={"mailbox": "17"}, address="ann@example.com")

    answer = comes(world, made)

    assert answer.status == 200
    assert b"<number>201</number>" in answer.body
    assert b"<mailbox>17</mailbox>" in answer.body
    user = world.subscribers.get("EXAMPLE", "ann")
    assert (user.state, user.attributes["email"]) == (UserState.ACTIVE, "ann@example.com")
    assert state(world) is State.ACTIVATED


def test_an_invitation_lets_in_whom_the_operator_added(world: Onboarding) -> None:
    """In every mode, without their password, which goes on being good."""
    world.has_user("bob@EXAMPLE", "password-of-bob")
    for mode in (Closed(), ByInvitation(), ByUpstream("corp"), SignUp()):
        world.opens(mode, number="")
        made = invited(world, "bob")

        answers = comes(world, made, username="bob"), world.signs_in("bob", "password-of-bob", installid="x")

        assert [one.status for one in answers] == [200, 200]
    assert world.people.asked == []
    assert world.postman.codes == []


def test_both_services_of_a_sign_in_take_the_token(world: Onboarding) -> None:
    """In either order: an app calls two."""
    made = invited(world)

    answers = (
        comes(world, made, path=GLOBAL),
        comes(world, made),
        comes(world, made, path=GLOBAL),
    )

    assert [one.status for one in answers] == [200, 200, 200]
    assert len(world.installs()) == 1


def test_a_phone_goes_on_with_what_it_was_given(world: Onboarding) -> None:
    """It asks again with its own token; the invitation is not needed any more."""
    made = invited(world)
    phone = Phone(world, "EXAMPLE", comes(world, made))

    answer = phone.asks()

    assert answer.status in {200, 304}
    assert phone.account["cloud_password"] != made.token.reveal()


def test_a_token_is_read_however_it_is_typed(world: Onboarding) -> None:
    """In small letters, without hyphens, with blanks, with O for 0 and L for 1."""
    made = invited(world)
    typed = made.token.reveal().lower().replace("-", " ").replace("0", "o").replace("1", "l")

    answer = world.signs_in("ann", f" {typed} ", installid="phone-1")

    assert answer.status == 200


def test_a_lost_answer_is_repeated_for_the_same_device(world: Onboarding) -> None:
    """For as long as its phone has not come back, within an hour; then the text says that it was used."""
    made = invited(world)
    first = comes(world, made)
    again = comes(world, made)
    world.clock.time_s += tokens.REPEAT_S

    late = comes(world, made)

    assert [first.status, again.status, late.status] == [200, 200, 403]
    assert said(late) == tokens.USED


def test_a_phone_that_has_come_back_needs_no_repetition(world: Onboarding) -> None:
    """So the link of a phone that is signed out, perhaps since it was stolen, signs nobody in again."""
    made = invited(world)
    phone = Phone(world, "EXAMPLE", comes(world, made))
    phone.asks()
    world.sightings.flush()

    came_back = comes(world, made)
    other = invited(world)
    Phone(world, "EXAMPLE", comes(world, other, "phone-2"))
    world.installs_desk.revoke(world.installs()[-1]["id"])
    signed_out = comes(world, other, "phone-2")

    assert (came_back.status, said(came_back)) == (403, tokens.USED)
    assert (signed_out.status, said(signed_out)) == (403, tokens.USED)


def test_another_device_is_told_why_it_is_refused(world: Onboarding) -> None:
    """Also one that says no name of itself and comes from elsewhere."""
    made = invited(world)
    comes(world, made)

    other, nameless = comes(world, made, "phone-2"), comes(world, made, "")

    assert [(one.status, said(one)) for one in (other, nameless)] == [(403, tokens.TAKEN)] * 2
    assert len(world.installs()) == 1


def test_two_devices_at_once_and_one_gets_in(world: Onboarding) -> None:
    """The same token on many phones in the same moment, for a user who is yet to be made."""
    made = invited(world)

    answers = at_once(world, made, 20)

    assert sorted(one.status for one in answers) == [200] + [403] * 19
    assert {said(one) for one in answers if one.status == 403} == {tokens.TAKEN}
    assert len({one["device"] for one in world.installs()}) == 1
    assert world.users() == ["ann"]


def test_looking_uses_nothing(world: Onboarding) -> None:
    """HEAD by whatever checks links leaves the invitation as it was, and makes nobody."""
    made = invited(world)
    wanted = {"cloud_id": "EXAMPLE", "cloud_username": "ann", "cloud_password": made.token.reveal()}

    for _ in range(5):
        world.call(Call("HEAD", "/prov", urlencode(wanted | {"installid": "scanner"})))

    assert state(world) is State.CREATED
    assert world.users() == []
    assert comes(world, made).status == 200


# --- who does not come in ---


def test_what_is_over_says_so(world: Onboarding) -> None:
    """Expired, withdrawn, replaced by a newer one, for somebody who was removed, for somebody else."""
    expired, revoked, old = (invited(world, name) for name in ("eve", "rob", "ann"))
    world.invitations.revoke("EXAMPLE", "rob")
    newer = world.invitations.again("EXAMPLE", "ann")
    world.has_user("gone@EXAMPLE")
    gone = invited(world, "gone")
    world.subscribers.remove("EXAMPLE", "gone", 5)
    assert comes(world, revoked, username="rob").status == 403

    texts = {
        "revoked": said(comes(world, revoked, username="rob")),
        "old": said(comes(world, old)),
        "gone": said(comes(world, gone, username="gone")),
        "somebody else's": said(comes(world, newer, username="rob")),
    }
    good = comes(world, newer)
    world.clock.time_s += 8 * 86400
    texts["expired"] = said(comes(world, expired, username="eve"))

    assert texts == {
        "revoked": tokens.REVOKED,
        "old": tokens.OLD,
        "gone": tokens.GONE,
        "somebody else's": "Wrong username or password.",
        "expired": tokens.EXPIRED,
    }
    assert good.status == 200
    assert newer.invitation.version == 2


def test_who_came_in_and_was_removed_is_not_made_again(world: Onboarding) -> None:
    """Not by the same device with the same invitation."""
    made = invited(world)
    comes(world, made)
    world.subscribers.remove("EXAMPLE", "ann", 5)

    answer = comes(world, made)

    assert (answer.status, said(answer), world.users()) == (403, tokens.GONE, [])


def test_of_whom_is_removed_invitations_say_no_more(world: Onboarding) -> None:
    """Neither their address nor what was known of them; a mail that waits is not sent; one of before makes nobody."""
    first = invited(world)
    world.has_user("ann@EXAMPLE")
    second = invited(world, address="ann@example.com", attributes={"name": "Ann Lee"})

    world.subscribers.remove("EXAMPLE", "ann", 5)

    kept = world.invitations.newest("EXAMPLE", "ann")
    assert (kept.address, kept.attributes, kept.sealed) == ("", {}, "")
    assert world.invitation_store.due(world.clock.now_s(), 9) == []
    assert [said(comes(world, one)) for one in (first, second)] == [tokens.GONE] * 2
    assert world.users() == []


def test_what_is_long_over_is_forgotten(world: Onboarding) -> None:
    """When somebody else is invited."""
    invited(world)
    world.clock.time_s += 500 * 86400

    invited(world, "bob")

    with pytest.raises(NotFound):
        world.invitations.newest("EXAMPLE", "ann")


def test_a_closed_cloud_id_makes_nobody(world: Onboarding) -> None:
    """Not even for an invitation of the time when it was open."""
    made = invited(world)
    world.opens(Closed())

    answer = comes(world, made)

    assert (answer.status, said(answer), world.users()) == (403, tokens.GONE, [])


def test_an_account_that_takes_long_is_waited_for_by_the_device_that_began(world: Onboarding) -> None:
    """Its invitation is not lost when the app is asked to come back later, and nobody else can have it."""
    world.opens(ByInvitation(), number="later")
    made = invited(world)
    first, other = comes(world, made), comes(world, made, "phone-2")
    world.has_numbers("301", name="later")
    world.clock.time_s += 3 * 86400
    opened = state(world)
    for saga in world.sagas.due(9):
        world.sagas.run(saga)

    answer = comes(world, made)

    assert (first.status, other.status, opened, answer.status) == (503, 403, State.OPENED, 200)
    assert state(world) is State.ACTIVATED


def test_a_phone_that_got_nothing_gives_way_after_an_hour(world: Onboarding) -> None:
    """A rule refused it, say: its user need not ask for another invitation. While it goes on trying, it has it."""
    world.has_policy(REFUSING)
    made = invited(world)
    refused = comes(world, made, platform="windows")
    soon = comes(world, made, "phone-2")
    world.clock.time_s += 1800
    comes(world, made, platform="windows")
    world.clock.time_s += 1800
    later = comes(world, made, "phone-2")
    world.clock.time_s += 1800

    at_last = comes(world, made, "phone-2")
    first = comes(world, made)

    assert [one.status for one in (refused, soon, later, at_last, first)] == [403, 403, 403, 200, 403]
    assert said(first) == tokens.TAKEN
    assert {one["device"] for one in world.installs()} == {"phone-2"}


def test_a_token_of_nobody_counts_as_a_wrong_password(world: Onboarding) -> None:
    """It is not asked about elsewhere, and no code is sent for it."""
    token = new_token(b"x" * 17).reveal()
    for mode in (Closed(), ByInvitation(), ByUpstream("corp"), SignUp()):
        world.opens(mode)

        answer = world.signs_in("ann", token)

        assert (answer.status, said(answer)) == (403, "Wrong username or password.")
    assert (world.people.asked, world.postman.codes) == ([], [])


# --- what an operator does ---


def test_nobody_is_invited_whose_app_would_keep_the_token_as_its_password(world: Onboarding) -> None:
    """Such a Cloud ID says how to mend it."""
    world.has_tenant(Tenant("EXAMPLE", credential=Credential.PASSWORD))

    with pytest.raises(Invalid, match="--credential token"):
        invited(world)


def test_who_cannot_be_invited_is_said_one_by_one(world: Onboarding) -> None:
    """And the others are invited."""
    wanted = [Wanted("ann"), Wanted("bob", "not an address"), Wanted(""), Wanted("ANN"), Wanted("eve", expires_s=1)]

    found = world.invitations.invite_all("EXAMPLE", wanted)

    assert [type(one) for one in found] == [Made, Invalid, Invalid, Conflict, Invalid]
    world.opens(Closed())
    assert [type(one) for one in world.invitations.invite_all("EXAMPLE", [Wanted("new")])] == [NotFound]


def test_one_that_was_used_is_not_withdrawn(world: Onboarding) -> None:
    """It is the phone that is to be signed out then."""
    made = invited(world)
    comes(world, made)

    with pytest.raises(Conflict, match="install revoke"):
        world.invitations.revoke("EXAMPLE", "ann")


def test_states_are_listed_and_filtered(world: Onboarding) -> None:
    """The newest first; replaced ones when they are asked for."""
    for name in ("ann", "bob", "eve"):
        world.clock.time_s += 1
        invited(world, name)
    comes(world, world.invitations.again("EXAMPLE", "eve"), username="eve")

    listed = [one.username for one in world.invitations.of_cloud_id("EXAMPLE")]
    activated = [one.username for one in world.invitations.of_cloud_id("EXAMPLE", {State.ACTIVATED})]
    every = [one.state(world.clock.now_s()) for one in world.invitations.of_cloud_id("EXAMPLE", every=True)]

    assert sorted(listed) == ["ann", "bob", "eve"]
    assert activated == ["eve"]
    assert sorted(every) == ["activated", "created", "created", "replaced"]


def test_nothing_shows_a_token(world: Onboarding) -> None:
    """Not the database, not the events, not what is printed of the records."""
    made = invited(world)
    comes(world, made)
    comes(world, made, "phone-2")
    bare = read_token(made.token.reveal())
    assert bare is not None

    shown = repr((made, world.invitations.newest("EXAMPLE", "ann"), world.noted.events))
    with world.database.begin() as connection:
        kept = repr(connection.exec_driver_sql("SELECT * FROM invitation").fetchall())

    for text in (made.token.reveal(), bare.reveal()):
        assert text not in shown + kept


# --- laws ---


@given(st.binary(min_size=17, max_size=17), st.text(max_size=30))
def test_what_is_written_is_read(random: bytes, username: str) -> None:
    """A token, and the link with it, whoever it is for."""
    token = new_token(random)
    one = tokens.Invitation("i", "EXAMPLE", username, 1, b"", 0, 0)

    links = ticket(one, token, "acme", "https://prov.example.net/")
    link = parse_link(links.app_link.reveal(), "acme")

    assert (link.cloud_id.name, link.username, link.password) == ("EXAMPLE", username, token)
    assert links.page.reveal() == f"https://prov.example.net/invite/{token.reveal()}"
    assert read_token(token.reveal()) == read_token(token.reveal().replace("-", "").lower())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["one", "two", "three", "back", "hour", "revoke", "sign out", "look"]), min_size=1, max_size=12
    )
)
def test_a_token_opens_one_family_of_installs(tmp_path_factory: pytest.TempPathFactory, happens: list[str]) -> None:
    """Whatever happens in which order, all phones that came in with it are one device."""
    with closing(Onboarding(tmp_path_factory.mktemp("law"))) as world:
        world.opens(ByInvitation(), number="")
        made, phones = invited(world), list[Phone]()
        for event in happens:
            if event in {"one", "two", "three"}:
                answer = comes(world, made, event)
                phones += [Phone(world, "EXAMPLE", answer)] if answer.status == 200 else []
            elif event == "look":
                comes(world, made, "two", path=GLOBAL)
            elif event == "hour":
                world.clock.time_s += 3600
            elif event == "back" and phones:
                phones[-1].asks()
                world.sightings.flush()
            elif event == "sign out" and phones:
                world.installs_desk.revoke(world.installs()[-1]["id"])
            elif event == "revoke" and not phones:
                world.invitation_store.revoke(made.invitation.id, world.clock.now_s())

        assert len({one["device"] for one in world.installs()}) <= 1


def at_once(world: Onboarding, made: Made, count: int) -> list[Answer]:
    """So many phones come together, in one event loop."""
    wanted = {"cloud_id": "EXAMPLE", "cloud_username": "ann", "cloud_password": made.token.reveal()}

    async def ask() -> list[Answer]:
        return await asyncio.gather(
            *(
                world.handlers["/prov"](
                    Call("GET", "/prov", urlencode(wanted | {"installid": f"phone-{one}"}), client=CLIENT)
                )
                for one in range(count)
            )
        )

    return world.loop.run(ask())
