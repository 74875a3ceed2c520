"""Secrets at rest open with their key and in their place, and nowhere else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.provider.sealing import KeyedHash, Sealer, place_of
from tests.world_provider import LoadedDice

PLACE = place_of("EXAMPLE", "johndow", "password")
OLD, NEW = b"o" * 32, b"n" * 32
SECRET = "45F4BF5F0E191F5DCC27"


def sealer(*numbers: int) -> Sealer:
    """One with these keys, the last of them current."""
    keys = {1: OLD, 2: NEW}
    return Sealer(numbers[-1], {number: keys[number] for number in numbers}, LoadedDice())


@given(text=st.text(), name=st.text(), key=st.text())
def test_what_was_sealed_opens(text: str, name: str, key: str) -> None:
    """Every text of every script comes back, in a place of whatever name."""
    own = sealer(1)
    place = place_of("EXAMPLE", key.encode("utf-8", "replace").decode(), name.encode("utf-8", "replace").decode())

    sealed = own.seal(text, place)

    assert own.open(sealed, place).reveal() == text


def test_it_is_sealed_as_the_format_says() -> None:
    """One byte names the key, twelve are the nonce, the rest is the ciphertext with its tag."""
    raw = base64.b64decode(sealer(1, 2).seal(SECRET, PLACE))

    assert raw[0] == 2
    assert raw[1:13] == LoadedDice().token(12)
    assert len(raw) == 1 + 12 + len(SECRET) + 16


def test_equal_secrets_look_different() -> None:
    """Who reads the database cannot see which users have the same password."""
    own = sealer(1)

    assert own.seal(SECRET, PLACE) != own.seal(SECRET, PLACE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        place_of("EXAMPLE", "ann", "password"),
        place_of("OTHER", "johndow", "password"),
        place_of("EXAMPLE", "johndow", "cloud_password"),
    ],
)
def test_it_opens_in_its_own_row_only(elsewhere: str) -> None:
    """A sealed text that was copied to another user, Cloud ID or column does not open there."""
    sealed = sealer(1).seal(SECRET, PLACE)

    with pytest.raises(Unavailable, match="for another place"):
        sealer(1).open(sealed, elsewhere)


def test_no_name_reaches_over_into_the_column() -> None:
    """Two different places are never written the same."""
    assert place_of("EXAMPLE", "a|b", "c") != place_of("EXAMPLE", "a", "b|c")
    assert place_of("EXAMPLE", "a|b", "c") != place_of("EXAMPLE", "a%7Cb", "c")


@pytest.mark.parametrize("position", [1, 5, 14, 20, -1])
def test_a_changed_byte_is_noticed(position: int) -> None:
    """Nonce, ciphertext and tag are all protected."""
    raw = bytearray(base64.b64decode(sealer(1).seal(SECRET, PLACE)))
    raw[position] ^= 1

    with pytest.raises(Unavailable, match="was changed"):
        sealer(1).open(base64.b64encode(raw).decode(), PLACE)


@pytest.mark.parametrize("text", ["", "AQ==", "no base64!", "AQEBAQEBAQEBAQEBAQ=="])
def test_what_is_no_sealed_text_is_refused(text: str) -> None:
    """Whatever stands in the database, the answer is a clear one."""
    with pytest.raises(Unavailable, match="cannot be opened"):
        sealer(1).open(text, PLACE)


def test_old_keys_open_and_the_current_one_seals() -> None:
    """Keys are changed one secret at a time."""
    old = sealer(1).seal(SECRET, PLACE)
    both = sealer(1, 2)

    again = both.seal(both.open(old, PLACE).reveal(), PLACE)

    assert not both.is_current(old)
    assert both.is_current(again)
    assert sealer(2).open(again, PLACE) == Secret(SECRET)


def test_a_missing_key_is_named() -> None:
    """The operator learns which key to put back, and where."""
    sealed = sealer(1).seal(SECRET, PLACE)

    with pytest.raises(Unavailable) as caught:
        sealer(2).open(sealed, PLACE)

    assert caught.value.text == (
        "subscriber|EXAMPLE|johndow|password was sealed with key 1, which is not among the keys of this installation "
        "(2). Put that key back into the folder of the keys."
    )


def test_a_token_is_known_by_its_keyed_hash() -> None:
    """Equal tokens have equal hashes under one pepper, and none under another."""
    token = Secret("t0ken")

    hashed = KeyedHash(OLD).of(token)

    assert hashed == KeyedHash(OLD).of(Secret("t0ken"))
    assert hashed != KeyedHash(OLD).of(Secret("t0kem"))
    assert hashed != KeyedHash(NEW).of(token)
    assert len(hashed) == 32


def test_keys_do_not_show_themselves() -> None:
    """Neither keys nor pepper appear in a representation."""
    assert repr(sealer(1, 2)) == "Sealer(current=2, keys=[1, 2])"
    assert repr(KeyedHash(OLD)) == "KeyedHash()"
