"""What every SIP system promises the provider: one suite for all back-ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from offhook.core.errors import NotFound
from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, SipAccount
from tests.sip.places import Place

NewName = Callable[[], Address]
_keys = (f"test:{number}" for number in itertools.count(1))


def is_off(place: Place, address: Address) -> bool:
    """Not there, or disabled: our own register tells no difference."""
    found = place.system.look_up(address)
    return found is None or not found.enabled


def test_an_account_that_was_ensured_registers(place: Place, new_name: NewName) -> None:
    """Before, its password is refused; afterwards it is accepted, and no other; asked again, nothing changes."""
    account = SipAccount(new_name(), Secret("first-pw"), aliases=("4930100", "100"), display_name='Ann "A" <x>')
    key = next(_keys)

    assert not place.register(account.address, "first-pw")
    assert place.system.look_up(account.address) is None

    for _ in range(3):
        place.system.ensure(account, key)

        assert place.register(account.address, "first-pw")
        assert not place.register(account.address, "other-pw")
        found = place.system.look_up(account.address)
        assert found is not None
        assert found.enabled
        assert found.ha1s == account.ha1s()
        assert found.aliases == ("100", "4930100")


def test_what_was_there_before_makes_no_difference(place: Place, new_name: NewName) -> None:
    """Ensured again with other passwords and aliases, an account has these and no others."""
    address = new_name()
    place.system.ensure(SipAccount(address, Secret("a"), Secret("b"), aliases=("1", "2")), next(_keys))

    place.system.ensure(SipAccount(address, Secret("c"), aliases=("2", "3")), next(_keys))

    found = place.system.look_up(address)
    assert found is not None
    assert found.aliases == ("2", "3")
    assert [place.register(address, password) for password in "abc"] == [False, False, True]


def test_a_rotation_loses_no_phone(place: Place, new_name: NewName) -> None:
    """The registration stays; the former password is good for as long as it is named, and then no more."""
    address = new_name()
    place.system.ensure(SipAccount(address, Secret("old")), next(_keys))
    assert place.register(address, "old")

    place.system.rotate(SipAccount(address, Secret("new"), Secret("old")), next(_keys))

    assert place.system.registered([address]) == {address: True}
    assert place.register(address, "old")
    assert place.register(address, "new")
    found = place.system.look_up(address)
    assert found is not None
    assert found.ha1s == (address.ha1(Secret("new")), address.ha1(Secret("old")))

    place.system.rotate(SipAccount(address, Secret("new")), next(_keys))

    assert place.register(address, "new")
    assert not place.register(address, "old")


def test_nothing_is_rotated_that_is_not_there(place: Place, new_name: NewName) -> None:
    """And nothing is made of it."""
    account = SipAccount(new_name(), Secret("new"))

    with pytest.raises(NotFound):
        place.system.rotate(account, next(_keys))

    assert place.system.look_up(account.address) is None


def test_a_disabled_account_is_nowhere_registered(place: Place, new_name: NewName) -> None:
    """No password is good, the registration is gone, also asked twice; ensured again, it is as before."""
    account = SipAccount(new_name(), Secret("new"), Secret("old"), aliases=("17",))
    place.system.ensure(account, next(_keys))
    assert place.register(account.address, "new")
    key = next(_keys)

    for _ in range(2):
        place.system.disable(account.address, key)

        assert place.system.registered([account.address]) == {account.address: False}
        assert is_off(place, account.address)
        assert not place.register(account.address, "new")
        assert not place.register(account.address, "old")

    place.system.ensure(account, next(_keys))

    assert place.register(account.address, "new")
    assert place.system.look_up(account.address) is not None


def test_a_removed_account_is_gone(place: Place, new_name: NewName) -> None:
    """With its registration and its aliases; whether it was enabled or disabled; asked again, it is no fault."""
    enabled, disabled = (SipAccount(new_name(), Secret("pw"), Secret("old"), aliases=("23",)) for _ in range(2))
    for account in (enabled, disabled):
        place.system.ensure(account, next(_keys))
        assert place.register(account.address, "pw")
    place.system.disable(disabled.address, next(_keys))

    for account in (enabled, disabled, enabled):
        place.system.remove(account.address, next(_keys))

        assert place.system.look_up(account.address) is None
        assert place.system.registered([account.address]) == {account.address: False}
        assert not place.register(account.address, "pw")


def test_what_is_not_there_is_disabled_and_removed_as_well(place: Place, new_name: NewName) -> None:
    """It is as it is wanted, so it is no fault."""
    address = new_name()

    place.system.disable(address, next(_keys))
    place.system.remove(address, next(_keys))

    assert place.system.look_up(address) is None


def test_others_are_left_alone(place: Place, new_name: NewName) -> None:
    """What happens to one account happens to no other, also where the name begins alike or differs in capitals."""
    address = new_name()
    mine = SipAccount(address, Secret("mine"), aliases=("5",))
    others = [
        SipAccount(Address(name, address.domain), Secret("theirs"), Secret("older"), aliases=("5",))
        for name in (f"{address.username}0", f"x{address.username}", address.username[:-1] + "_")
    ]
    for account in (mine, *others):
        place.system.ensure(account, next(_keys))
        assert place.register(account.address, account.password.reveal())

    place.system.rotate(SipAccount(address, Secret("new"), Secret("mine")), next(_keys))
    place.system.disable(address, next(_keys))
    place.system.remove(address, next(_keys))

    for account in others:
        found = place.system.look_up(account.address)
        assert found is not None
        assert found.ha1s == account.ha1s()
        assert found.aliases == ("5",)
    assert set(place.system.registered([one.address for one in others]).values()) == {True}


def test_nobody_asked_for_is_nobody_registered(place: Place) -> None:
    """An empty question has an empty answer."""
    assert place.system.registered([]) == {}


def test_no_account_shows_a_secret(place: Place, new_name: NewName) -> None:
    """Neither as it is wanted, nor as it is found."""
    account = SipAccount(new_name(), Secret("very-secret"), Secret("once-secret"))
    place.system.ensure(account, next(_keys))

    shown = f"{account!r} {account} {place.system.look_up(account.address)!r} {place.system.look_up(account.address)}"

    assert "secret" not in shown.lower()
    assert not any(ha1.reveal() in shown for ha1 in account.ha1s())
