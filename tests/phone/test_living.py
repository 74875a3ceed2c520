"""The asynchronous driver of a life: real sockets, real waiting, and many phones in one loop."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

from offhook.core.errors import OffhookError
from offhook.core.mergeable import Document
from offhook.phone import events
from offhook.phone.commands import Answer, DeviceCommand, DeviceReply, Fetch, Flow, KeepTheme, Save, Unregister
from offhook.phone.drive import perform
from offhook.phone.edge import Edge
from offhook.phone.handset import Handset
from offhook.phone.keystore import FileKeystore
from offhook.phone.living import Mailbox, Surroundings, Web, live
from offhook.phone.logout import decide, leave
from offhook.phone.portal import Portal
from offhook.phone.saved import Saved
from offhook.phone.steps import Ended, Entered, Event, Remarked, Shown, Waiting
from offhook.phone.useragent import (
    Failed,
    NotPossible,
    NotRegistered,
    NoUserAgent,
    Registered,
    Registering,
    Registration,
)
from tests.phone.play import ANN, DEVICE, PORTAL
from tests.phone.play_life import phone
from tests.phone.world_life import LivingWorld, refusal
from tests.world_portal import served

PHONES = 50
MAX_BYTES = 30_000


class Direct:
    """A network without sockets, for many phones."""

    def __init__(self, world: LivingWorld) -> None:
        self.world = world

    async def ask(self, fetch: Fetch) -> Answer:
        await asyncio.sleep(0)
        return self.world.respond(fetch.request)


class Stubborn:
    """A user agent whose server does not answer."""

    state: Registration = Registered()

    async def register(self, account: Document) -> None:
        self.state = Registered()

    async def unregister(self) -> None:
        await asyncio.sleep(3600)


def test_a_life_over_sockets(tmp_path: Path) -> None:
    """Started, edited, told to go by the server: each is heard by whoever watches, and the report arrives."""
    world, told = LivingWorld(), list[Event]()
    handset = Handset(tmp_path, device=DEVICE)

    states = list[Registration]()

    async def play(address: str) -> None:
        rest = asyncio.Event()

        def watch(event: Event) -> None:
            told.append(event)
            if isinstance(event, Waiting):
                rest.set()

        mail, agent = Mailbox(), NoUserAgent()
        async with Web(told.append) as web:
            around = Surroundings(web, Edge(handset.act, watch), mail, agent)
            await live(handset.signing_in(ANN, Portal(address)), around)
            life = asyncio.ensure_future(live(handset.living().run(), around))
            await rest.wait()
            states.append(agent.state)
            world.instead["again"] = refusal(410, "Good bye.")
            mail.post(events.Edit("expires", "soon"))
            mail.post(events.Button())
            left = await asyncio.wait_for(life, 10)
            assert left
            assert left.message == "Good bye."
            states.append(agent.state)

    with served(world) as address, handset.alone():
        asyncio.run(play(address))

    assert [event.state.value for event in told if isinstance(event, Entered)][-2:] == ["logging out", "signed out"]
    assert [event.message for event in told if isinstance(event, Shown)] == ["Good bye."]
    assert states == [NotPossible(), NotRegistered()]
    assert any(isinstance(event, Remarked) for event in told)
    assert [event.good for event in told if isinstance(event, Ended) and event.status == 304] != []
    assert len(world.said("removed")) == 1


def test_how_things_stand_in_words() -> None:
    """Each way to stand with the SIP server is a word or a short sentence."""
    standings = (
        *(NotRegistered(), NotPossible(), Registering(), Registered(), Registered("204@sip.example.com")),
        *(Failed(401, "Unauthorized"), Failed(0, "no answer")),
    )

    assert [str(standing) for standing in standings] == [
        "not registered",
        "provisioned; this phone does not register with a SIP server",
        "registering",
        "registered",
        "registered as 204@sip.example.com",
        "failed: 401 Unauthorized",
        "failed: no answer",
    ]


def test_waiting_in_a_mailbox() -> None:
    """What is there comes at once; what comes rings; what does not come is time that passed."""

    async def play() -> None:
        mail = Mailbox()
        assert await mail.take(0.0) == events.TimePassed()
        assert await mail.take(0.01) == events.TimePassed()
        mail.post(events.Button())
        mail.post(events.Quit())
        assert await mail.take(None) == events.Button()
        assert await mail.take(0.0) == events.Quit()
        waiting = asyncio.ensure_future(mail.take(None))
        await asyncio.sleep(0)
        mail.post(events.SignOut())
        mail.post(events.Button())
        assert await waiting == events.SignOut()
        assert await mail.take(1) == events.Button()

    asyncio.run(play())


def test_a_server_that_does_not_answer_is_not_waited_for() -> None:
    """Un-registering takes at most as long as the conversation allows."""

    def flow() -> Flow[None]:
        yield Unregister(0.05)

    async def play() -> float:
        begin = time.perf_counter()
        around = Surroundings(Direct(LivingWorld()), Edge(lambda command: None), agent=Stubborn())
        await live(flow(), around)
        return time.perf_counter() - begin

    assert 0.04 < asyncio.run(play()) < 2


def test_a_conversation_without_a_user_agent_may_unregister_too() -> None:
    """The blocking driver has none, so there is nothing to do."""
    play = phone()
    saved = decide(play.saved, "")

    left = perform(leave(saved, DEVICE), Edge(play.handset.act))

    assert left.leaving
    assert len(play.handset.kept.take_reports()) == 1


def test_what_a_disk_says_is_heard_by_the_conversation() -> None:
    """A save that fails ends a sign-in in words; so does anything else that the device cannot do."""

    def full(command: DeviceCommand) -> DeviceReply:
        raise OffhookError("The disk is full.")

    edge = Edge(full)

    assert str(edge.act(Save(phone().saved, b""))) == "The disk is full."
    assert str(edge.act(KeepTheme(b"secret"))) == "The disk is full."
    assert repr(KeepTheme(b"secret")) == "KeepTheme(6 bytes)"


def test_a_phone_at_rest_is_small(tmp_path: Path) -> None:
    """Thousands fit into one process: no client, no thread, no theme of its own."""
    world, handsets = LivingWorld(), list[Handset]()
    keystore = FileKeystore(tmp_path / "keystore")

    def handset(number: int) -> Handset:
        return Handset(tmp_path / str(number), keystore=keystore, device=DEVICE)

    async def play() -> float:
        network = Direct(world)
        for number in range(PHONES):
            one = handset(number)
            await live(one.signing_in(ANN, PORTAL), Surroundings(network, Edge(one.act)))
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        lives = []
        for number in range(PHONES):
            one = handset(number)
            handsets.append(one)
            lives.append(asyncio.ensure_future(live(one.living().run(), Surroundings(network, Edge(one.act)))))
        await asyncio.sleep(0.5)
        world.asked.clear()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        for one_life in lives:
            one_life.cancel()
            with suppress(asyncio.CancelledError):
                await one_life
        return (after - before) / PHONES

    size_bytes = asyncio.run(play())

    assert size_bytes < MAX_BYTES
    assert all(isinstance(one.saved().saved, Saved) for one in handsets[:3])
