"""What every upstream promises the provider: one suite for all kinds."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.identity.sources import bare, open_upstream
from offhook.provider.upstream import Vouched
from tests.identity.places import ANN, ODD, Place

KNOWN_ANN = Vouched("ann", {"email": "ann@example.com"}, ("office, north", "sales"))
# Each of them means something to a filter, a name of a directory, SQL, an address, or a terminal.
INJECTIONS = (
    *("*", "a*", "ann)(uid=*", "*)(|(uid=*", "ann\\2a", "ann,ou=people", "(", "\\", "CORP\\ann"),
    *("ann' OR '1'='1", "ann'--", 'ann"; DROP TABLE users', ":username", "{username}"),
    *("../users/ann", "ann?x=1", "ann%00", "ann\x00", "ann\n", "ä" * 300, "\udcff"),
)


def test_who_has_the_right_password_is_vouched_for(place: Place) -> None:
    """With the name that is theirs there, however they typed it, with attributes and groups."""
    with closing(place.source) as source:
        for typed in ("ann", "ann@example.com"):
            assert source.vouch(typed, Secret(ANN[1])) == KNOWN_ANN


@pytest.mark.parametrize(
    ("username", "password"), [("ann", "wrong"), ("ann", "ben-right"), ("nobody", "ann-right"), ("ann", ""), ("", "x")]
)
def test_who_has_not_is_not(place: Place, username: str, password: str) -> None:
    """Wrong and unknown alike; what is empty is not even asked."""
    with closing(place.source) as source:
        assert source.vouch(username, Secret(password)) is None

    if not (username and password):
        assert place.told == []


@pytest.mark.parametrize("username", INJECTIONS)
def test_what_is_typed_is_never_more_than_a_name(place: Place, username: str) -> None:
    """Nobody gets in or is found by what means something to the language that is spoken there."""
    with closing(place.source) as source:
        assert source.vouch(username, Secret("ann-right")) is None
        assert source.look_up(username) is None


def test_passwords_are_taken_as_they_are(place: Place) -> None:
    """Whatever letters they have; names as well."""
    with closing(place.source) as source:
        found = source.vouch(ODD[0], Secret(ODD[1]))

        assert found is not None
        assert found.username == ODD[0]
        assert source.vouch(ODD[0], Secret(ODD[1] + " ")) is None
        assert source.vouch(ODD[0], Secret("\udcff")) is None


def test_users_are_looked_up_by_their_names(place: Place) -> None:
    """Without a password they are the same as with it."""
    with closing(place.source) as source:
        assert source.look_up("ann") == KNOWN_ANN
        assert source.look_up("nobody") is None


def test_it_can_be_examined(place: Place) -> None:
    """Nothing is wrong where nothing is; where nobody is, a sentence says so."""
    with closing(place.source) as source, closing(bare(place.away)) as away:
        assert source.faults() == ()
        assert len(away.faults()) == 1


def test_silence_is_no_answer(place: Place) -> None:
    """When nobody is there nothing is known, and that is known soon."""
    began = time.monotonic()
    with closing(open_upstream(place.away)) as source:
        with pytest.raises(Unavailable) as raised:
            source.vouch("ann", Secret("ann-right"))
        with pytest.raises(Unavailable):
            source.look_up("ann")

    assert raised.value.retry_after_s > 0
    assert time.monotonic() - began < 5


def test_no_password_is_told(place: Place) -> None:
    """The steps say names, and the settings show no secret."""
    with closing(place.source) as source:
        source.vouch("ann", Secret("ann-right"))
        source.vouch("ann", Secret("ann-wrong"))

    shown = f"{place.told} {place.settings!r} {place.settings}"
    assert place.told
    assert not [word for word in ("ann-right", "ann-wrong", "secret", "hidden", "$2b$") if word in shown]
