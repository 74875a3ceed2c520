"""The directory: what an operator does to users, and what is refused or remarked upon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core.dialplan import QuickDial, QuickDials, Removal
from offhook.core.errors import Conflict, Invalid, NotFound, Unavailable
from offhook.core.secret import Secret
from offhook.provider import change as changes
from offhook.provider.change import Change, Clear
from offhook.provider.compose import Grant
from offhook.provider.directory import Directory
from offhook.provider.subscriber import Override, State, Subscriber
from offhook.provider.tenant import Credential, Tenant
from offhook.storage.subscribers import SubscriberStore
from tests.world_directory import directory_of
from tests.world_provider import NOON_S, Provider

PASSWORD = Secret("12345678")


class Overtaken(SubscriberStore):
    """A store in which somebody else is quicker, the first time."""

    overtaken = False

    def get(self, cloud_id: str, username_key: str) -> Subscriber:
        found = super().get(cloud_id, username_key)
        if not self.overtaken:
            self.overtaken = True
            self.replace(msgspec.structs.replace(found, state=State.SUSPENDED))
        return found


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE", credential=Credential.SIP))
        yield provider


@pytest.fixture
def directory(provider: Provider) -> Directory:
    return directory_of(provider)


def revealed(directory: Directory, user: Subscriber) -> dict[str, str]:
    return {name: secret.reveal() for name, secret in directory.open_secrets(user).items()}


def test_the_documented_user_is_added_and_signs_in(provider: Provider, directory: Directory) -> None:
    """The user of the documentation's example gets the four nodes of its answer."""
    change = Change(
        attributes={"username": "B63349F4EE"},
        secrets={"password": Secret("45F4BF5F0E191F5DCC27")},
        overrides={"allowMessage": Override("0")},
    )

    outcome = directory.add("EXAMPLE", "johndow", PASSWORD, change, "op")

    assert outcome.subscriber == directory.get("EXAMPLE", "JohnDow")
    assert outcome.subscriber.overrides["allowMessage"] == Override("0", author="op", changed_s=NOON_S)
    assert not outcome.subscriber.sip_generated
    assert "45F4BF5F0E191F5DCC27" not in str(outcome.subscriber)
    answer = provider.signs_in()
    assert answer.status == 200
    assert b"<password>45F4BF5F0E191F5DCC27</password>\n  <allowMessage>0</allowMessage>" in answer.body


def test_sip_credentials_that_are_not_given_are_made(directory: Directory) -> None:
    """Ten hexadecimal digits for the name, and a password of 160 random bits."""

    user = directory.add("EXAMPLE", "ann", PASSWORD).subscriber

    password = revealed(directory, user)["password"]
    assert user.sip_generated
    assert len(user.attributes["username"]) == 10
    assert len(password) == 40
    assert set(user.attributes["username"] + password) <= set("0123456789ABCDEF")


@pytest.mark.parametrize("name", ["Ann", "ANN", " ann "])
def test_a_username_is_taken_whatever_its_case(directory: Directory, name: str) -> None:
    """Nobody else can have the name in other letters, and everybody is found by it."""
    directory.add("EXAMPLE", "ann", PASSWORD)

    with pytest.raises(Conflict):
        directory.add("EXAMPLE", name, PASSWORD)

    assert directory.get("EXAMPLE", name).username == "ann"


def test_a_user_needs_a_cloud_id(directory: Directory) -> None:
    """Nobody is added to a Cloud ID that is not there, and none of its users are listed."""
    with pytest.raises(NotFound, match="NONE"):
        directory.add("NONE", "ann", PASSWORD)
    with pytest.raises(NotFound, match="NONE"):
        directory.list("NONE")


def test_every_fault_is_said_at_once(directory: Directory) -> None:
    """What XML cannot carry, impossible names, secrets in the wrong place: all are told, nothing is stored."""
    change = Change(
        attributes={"tier": "\x07", "{x}": "y", "long": "x" * 20000},
        secrets={"pin": Secret("\ufffe"), "": Secret("x")},
        overrides={
            "1st": Override("x"),
            "title": Override("\x00"),
            "password": Override("x"),
            "blf": Override("<uri>", markup=True),
            "ringtone": Override("x" * 20000),
        },
        quick_dials={"": QuickDial("", "x", "1"), "d": QuickDial("d", "\x01", "2"), "e": QuickDial("e")},
    )

    with pytest.raises(Invalid) as caught:
        directory.add("EXAMPLE", "an\x00n", Secret(""), change)

    places = [fault.place for fault in caught.value.faults]
    assert places == [
        "username",
        "password",
        "tier",
        "attribute '{x}'",
        "long",
        "pin",
        "secret ''",
        "1st",
        "title",
        "blf",
        "password",
        "ringtone",
        "quick dial",
        "quick dial d",
        "quick dial e",
    ]
    assert list(directory.list("EXAMPLE")) == []


def test_everything_has_a_limit() -> None:
    """Numbers of attributes, keys and quick dials are limited, and no quick dial stands twice."""
    many = [str(number) for number in range(changes.MAX_ENTRIES + 1)]
    dials = [QuickDial(str(number % 2000), "x", "1") for number in range(2001)]

    faults = changes.faults(
        Change(
            attributes=dict.fromkeys(many, "x"),
            overrides={f"k{name}": Override("x") for name in many},
            all_quick_dials=QuickDials(tuple(dials)),
        )
    )

    assert [str(fault) for fault in faults] == [
        "attributes: are 501; at most 500 are allowed",
        "overrides: are 501; at most 500 are allowed",
        "quick dials: are 2,001; at most 2,000 are allowed",
        "quick dial 0: stands more than once",
    ]


@pytest.mark.parametrize("username", ["", "  ", "x" * 257, "a\u200bb", "a\nb"])
def test_impossible_usernames(directory: Directory, username: str) -> None:
    """Empty, overlong and invisible names are refused."""
    with pytest.raises(Invalid, match="username"):
        directory.add("EXAMPLE", username, PASSWORD)


def test_what_is_odd_is_stored_and_remarked_upon(directory: Directory) -> None:
    """Unknown keys, wrong types and strange ranks are no reason to refuse."""
    change = Change(
        overrides={
            "alowMessage": Override("0"),
            "allowVideo": Override("yes"),
            "X-token": Override("t"),
            "codecOrder": Override("0,8", rank=50),
        }
    )

    outcome = directory.add("EXAMPLE", "ann", PASSWORD, change)

    remarks = {remark.place: remark.text for remark in outcome.remarks}
    assert "Did you mean allowMessage" in remarks["alowMessage"]
    assert "neither 1 (on) nor 0 (off)" in remarks["allowVideo"]
    assert "X-token" not in remarks
    assert "locks the user out" in remarks["codecOrder"]
    assert outcome.subscriber.overrides["allowVideo"].value == "yes"


def test_a_change_is_only_what_it_says(provider: Provider, directory: Directory) -> None:
    """What is not mentioned stays, None takes away, and the revision counts up."""
    before = directory.add(
        "EXAMPLE", "ann", PASSWORD, Change(attributes={"a": "1", "b": "2"}, overrides={"x": Override("1")})
    ).subscriber
    provider.clock.time_s += 60

    outcome = directory.change(
        "EXAMPLE",
        "ANN",
        Change(attributes={"a": None, "c": "3"}, overrides={"x": None}, secrets={"pin": Secret("1")}),
        Secret("new horse"),
    )

    after = outcome.subscriber
    assert after == directory.get("EXAMPLE", "ann")
    assert {"b": "2", "c": "3"}.items() <= after.attributes.items()
    assert "a" not in after.attributes
    assert after.overrides == {}
    assert revealed(directory, after) == {**revealed(directory, before), "pin": "1"}
    assert (after.revision, after.created_s, after.changed_s) == (2, NOON_S, NOON_S + 60)
    assert [remark.place for remark in outcome.remarks] == ["x"]
    assert provider.signs_in("ann", "new horse").status == 200
    assert provider.signs_in("ann", "12345678").status == 403


def test_a_change_to_what_is_so_already_is_none(provider: Provider, directory: Directory) -> None:
    """Setting the same once more changes neither revision nor time, nor who set it first."""
    change = Change(attributes={"a": "1"}, secrets={"pin": Secret("1")}, overrides={"x": Override("1")})
    before = directory.add("EXAMPLE", "ann", PASSWORD, change, "first").subscriber
    provider.clock.time_s += 60

    after = directory.change("EXAMPLE", "ann", change, author="second").subscriber

    assert after == before
    assert directory.resume("EXAMPLE", "ann") == before


def test_users_are_suspended_resumed_and_removed(provider: Provider, directory: Directory) -> None:
    """A suspended user cannot sign in, a resumed one can, a removed one is gone."""
    directory.add("EXAMPLE", "ann", PASSWORD)

    assert directory.suspend("EXAMPLE", "ann").state is State.SUSPENDED
    assert provider.signs_in("ann").status == 403
    assert directory.resume("EXAMPLE", "ann").revision == 3
    assert provider.signs_in("ann").status == 200
    directory.remove("EXAMPLE", "Ann")
    assert [install["ended"] for install in provider.installs()] == ["deleted"]
    with pytest.raises(NotFound):
        directory.suspend("EXAMPLE", "ann")


def test_quick_dials_are_changed_one_by_one(directory: Directory) -> None:
    """One that is taken away is taken off the phones that have it; one that is set again is not."""
    desk, help_ = QuickDial("desk", "Desk", "200"), QuickDial("help", "Help", "299")
    directory.add("EXAMPLE", "ann", PASSWORD, Change(quick_dials={"desk": desk, "help": help_}))

    removed = directory.change("EXAMPLE", "ann", Change(quick_dials={"desk": None})).subscriber
    again = directory.change("EXAMPLE", "ann", Change(quick_dials={"desk": desk})).subscriber

    assert removed.quick_dials == QuickDials((help_,), (Removal("desk", 20, "provider"),))
    assert again.quick_dials == QuickDials((help_, desk))


def test_a_new_sip_password_is_made_or_given(directory: Directory) -> None:
    """One that is made counts as ours, one that is given does not."""
    first = directory.add("EXAMPLE", "ann", PASSWORD).subscriber

    given_one = directory.change("EXAMPLE", "ann", Change(secrets={"password": Secret("chosen")})).subscriber
    made = directory.change("EXAMPLE", "ann", Change(secrets={"password": None}, generate_sip=True)).subscriber

    assert (given_one.sip_generated, revealed(directory, given_one)["password"]) == (False, "chosen")
    assert made.sip_generated
    assert made.attributes == first.attributes
    assert len(revealed(directory, made)["password"]) == 40
    assert revealed(directory, made) != revealed(directory, first)


def test_changes_at_the_same_time_both_count(provider: Provider, directory: Directory) -> None:
    """A change that meets another one is laid over what is there then."""
    directory.add("EXAMPLE", "ann", PASSWORD)
    busy = directory_of(provider, Overtaken(provider.database))

    changed = busy.change("EXAMPLE", "ann", Change(attributes={"tier": "gold"})).subscriber

    assert (changed.state, changed.attributes["tier"]) == (State.SUSPENDED, "gold")


def test_a_template_can_ask_for_what_users_have(directory: Directory) -> None:
    """The columns of a Cloud ID are the attributes and secrets of its users."""
    directory.add("EXAMPLE", "ann", PASSWORD, Change(attributes={"tier": "gold"}, secrets={"pin": Secret("1")}))

    assert directory.columns("EXAMPLE") == {"tier", "username", "pin", "password"}


@pytest.mark.parametrize(
    "name", ["password", "sip_password", "SECRET", "apiKey", "token2", "PIN", "pin_2", "voicemailPin", "pwd"]
)
def test_names_that_say_secret(name: str) -> None:
    """All spellings of password, secret, token and PIN are kept encrypted."""
    assert changes.is_secret(name)


@pytest.mark.parametrize("name", ["username", "shipping", "spinning", "pinboard", "tier", "phone_number1", "opinion"])
def test_names_that_do_not(name: str) -> None:
    """Other names are not, though letters of theirs may say so."""
    assert not changes.is_secret(name)


@given(st.text(max_size=20), st.text(max_size=20))
def test_changes_hide_what_they_hold(text: str, password: str) -> None:
    """No representation of a change shows a secret or a value."""
    change = Change(password=Clear(Secret(f"canary{password}")), secrets={"pin": Secret(f"canary{text}")})

    assert "canary" not in f"{change} {change!r} {change.password!r}"


def test_an_override_that_is_a_secret_is_sealed(provider: Provider, directory: Directory) -> None:
    """It is kept as the SIP password is, sent as it was given, and setting it once more is no change."""
    change = Change(overrides={"X-token": Override("canary", rank=30), "title": Override("T")})
    first = directory.add("EXAMPLE", "ann", PASSWORD, change).subscriber

    again = directory.change("EXAMPLE", "ann", change).subscriber
    stored = provider.subscribers.get("EXAMPLE", "ann")

    composed = provider.composer.compose(Tenant("EXAMPLE"), stored, Grant("I", Secret("t")))
    assert again.revision == first.revision
    assert stored.overrides["X-token"].sealed
    assert not stored.overrides["title"].sealed
    assert "canary" not in repr(stored) + msgspec.json.encode(stored).decode() + repr(change.overrides)
    assert (composed.document.text("X-token"), composed.document.keys["X-token"].value.rank) == ("canary", 30)
    assert directory.opened(stored).overrides["X-token"].value == "canary"


def test_a_sealed_override_opens_only_where_it_was_put(provider: Provider, directory: Directory) -> None:
    """Whoever can write to the database alone cannot move it to another user or key, nor show it as an attribute."""
    change = Change(overrides={"X-token": Override("canary")}, secrets={"pin": Secret("4711")})
    ann = directory.add("EXAMPLE", "ann", PASSWORD, change).subscriber
    directory.add("EXAMPLE", "bob", PASSWORD)
    bob = directory.get("EXAMPLE", "bob")
    elsewhere = [
        msgspec.structs.replace(bob, overrides=ann.overrides),
        msgspec.structs.replace(ann, overrides={"X-secret": ann.overrides["X-token"]}),
        msgspec.structs.replace(ann, overrides={"X-token": Override(ann.secrets["pin"], sealed=True)}),
    ]

    for moved in elsewhere:
        with pytest.raises(Unavailable, match="cannot be opened"):
            directory.opened(moved)


def test_an_override_of_before_is_sealed_when_it_is_set_anew(provider: Provider, directory: Directory) -> None:
    """What an earlier release kept readable goes on being sent, and is sealed as soon as somebody sets it."""
    provider.has_user("ann@EXAMPLE", overrides={"X-token": Override("canary")})
    before = directory.get("EXAMPLE", "ann")

    directory.change("EXAMPLE", "ann", Change(overrides={"X-token": Override("canary")}))

    after = directory.get("EXAMPLE", "ann")
    assert directory.opened(before).overrides["X-token"].value == "canary"
    assert (before.overrides["X-token"].sealed, after.overrides["X-token"].sealed) == (False, True)
    assert directory.opened(after).overrides["X-token"].value == "canary"


def test_a_lower_rank_unlocks_nothing(directory: Directory) -> None:
    """Phones keep what they got with a higher rank (D5): that is said, until the rank is as high again."""

    def said(override: Override | None) -> list[str]:
        outcome = directory.change("EXAMPLE", "ann", Change(overrides={"callWaiting": override}))
        return [remark.text.partition(".")[0] for remark in outcome.remarks if "rank 50" in remark.text]

    kept = "Phones that got it with rank 50 keep what they got, since no lower rank replaces it, until their user"
    directory.add("EXAMPLE", "ann", PASSWORD, Change(overrides={"callWaiting": Override("0", rank=50)}))

    lowered, again, gone = said(Override("1")), said(Override("0", rank=45)), said(None)
    raised = [said(Override("0", rank=50)), said(Override("0")), said(Override("1", rank=50))][-1]

    assert (lowered, again, raised) == (["is sent with rank 20 now"], ["is sent with rank 45 now"], [])
    assert gone == [f"{kept} signs in anew"]
    assert directory.get("EXAMPLE", "ann").overrides["callWaiting"].former is None


def test_what_nobody_may_have_meant_is_remarked_upon(directory: Directory) -> None:
    """A password of one character, and an end that is past: both are done."""
    past = Change(expires_s=NOON_S)

    added, changed = directory.add("EXAMPLE", "ann", Secret("x"), past), directory.change("EXAMPLE", "ann", past)

    said = {remark.place: remark.text for remark in added.remarks}
    assert said["password"] == "has 1 of at least 8 characters: it may be found by trying"
    assert said["expires"].startswith("is past: nobody can sign in")
    assert [remark.place for remark in changed.remarks] == ["expires"]
