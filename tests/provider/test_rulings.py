"""How policies are had ready: beside the event loop, each once, and as many as memory allows."""

from __future__ import annotations

import asyncio

import pytest

from offhook.core.errors import Unavailable
from offhook.provider.rulings import MOST_CHARACTERS, Rulings
from offhook.provider.tenant import Tenant
from tests.world_provider import SetClock

RULES = "".join(
    f'[[rules]]\nid = "r{number}"\nthen = [{{ do = "set", key = "X-{number}", value = "1" }}]\n'
    for number in range(2000)
)


class Shelf:
    """Policies by their Cloud IDs, which counts how often one is taken down."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.read: list[str] = []

    def policy(self, cloud_id: str, number: int) -> str:
        self.read.append(cloud_id)
        return self.texts[cloud_id]

    def installs(self, cloud_id: str, subscriber_id: int, device: str) -> int:
        return 0


def test_a_policy_is_compiled_once_and_beside_the_event_loop() -> None:
    """Who asks meanwhile waits for the same one, and everybody else is answered."""
    shelf = Shelf({"EXAMPLE": RULES})
    rulings, tenant, ticks = Rulings(shelf, SetClock()), Tenant("EXAMPLE", policy=1), 0

    async def asked() -> None:
        nonlocal ticks
        waiting = asyncio.gather(*(rulings.prepare(tenant) for _ in range(5)))
        while not waiting.done():
            ticks += 1
            await asyncio.sleep(0.001)
        await waiting
        await rulings.prepare(tenant)

    asyncio.run(asked())
    compiled = rulings.policy(tenant)

    assert compiled is not None
    assert (len(compiled.policy.rules), shelf.read) == (2000, ["EXAMPLE"])
    assert ticks > 5


def test_who_gives_up_waiting_takes_nothing_from_the_others() -> None:
    """And a policy that cannot be read is our fault for everybody who waits."""
    shelf = Shelf({"EXAMPLE": RULES, "BROKEN": "rules = 1"})
    rulings = Rulings(shelf, SetClock())

    async def asked() -> None:
        first = asyncio.create_task(rulings.prepare(Tenant("EXAMPLE", policy=1)))
        await asyncio.sleep(0)
        second = asyncio.create_task(rulings.prepare(Tenant("EXAMPLE", policy=1)))
        await asyncio.sleep(0)
        first.cancel()
        await second

    asyncio.run(asked())
    with pytest.raises(Unavailable, match="Policy 1 of BROKEN cannot be read"):
        asyncio.run(rulings.prepare(Tenant("BROKEN", policy=1)))

    assert shelf.read == ["EXAMPLE", "BROKEN"]


def test_as_many_are_kept_as_memory_allows() -> None:
    """Hundreds of small ones; of large ones those that were asked last."""
    large = "#" * (MOST_CHARACTERS // 3)
    shelf = Shelf({f"T{number}": "" for number in range(200)} | dict.fromkeys(("A", "B", "C", "D"), large))
    rulings = Rulings(shelf, SetClock())

    for _ in range(2):
        for number in range(200):
            rulings.policy(Tenant(f"T{number}", policy=1))
    small = len(shelf.read)
    for name in ("A", "B", "C", "A", "D", "A", "B"):
        rulings.policy(Tenant(name, policy=1))

    assert small == 200
    assert shelf.read[200:] == ["A", "B", "C", "D", "B"]
