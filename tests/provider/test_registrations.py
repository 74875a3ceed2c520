"""Whether phones are registered: what SIP systems tell the guards of rollouts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from offhook.core.errors import Unavailable
from offhook.provider.registrations import SipRegistrations
from offhook.provider.sipaccounts import Address
from tests.world_provider import Provider
from tests.world_sip import SIP, MemorySip, SipWorld


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        yield provider


class Away(MemorySip):
    """A system that does not answer."""

    def registered(self, addresses: Collection[Address]) -> Mapping[Address, bool]:
        raise Unavailable("Away.")


def test_a_user_is_registered_with_one_of_their_accounts(provider: Provider) -> None:
    """Who has none, or whose system does not answer, is left out: nothing is known of them, which is no trouble."""
    world = SipWorld(provider)
    users = []
    for name in ("ann", "bob", "eve"):
        provider.has_user(f"{name}@EXAMPLE")
        users.append(world.user(name))
    ann, bob, eve = users
    for user in (ann, bob):
        world.lines.make(world.tenant, user, "")
    mine = next(entry for entry in world.entries() if entry.subscriber_id == ann.id)
    world.system.registers(mine.address.username, mine.address.domain, world.password(mine))

    told = SipRegistrations(world.register, {"berlin": world.system}).registered(users)
    away = SipRegistrations(world.register, {"berlin": Away()}).registered(users)
    nowhere = SipRegistrations(world.register, {}).registered(users)

    assert SIP.system == "berlin"
    assert told == {ann.id: True, bob.id: False}
    assert eve.id not in told
    assert (away, nowhere) == ({}, {})
