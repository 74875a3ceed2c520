"""A fleet: many real phones in one loop, and what it says of a server."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime

import msgspec
import pytest

from offhook.core.login import CloudId, Login
from offhook.core.secret import Secret
from offhook.core.webservice import Request, Response
from offhook.phone import fleet as fleets
from offhook.phone.alike import shared
from offhook.phone.backup import Backup, Found
from offhook.phone.changes import MOST, Changes
from offhook.phone.commands import (
    Answer,
    DropBackup,
    DropReport,
    Fetch,
    KeepTheme,
    NoAnswer,
    PutBackup,
    PutReport,
    TakeBackup,
    TakeReports,
    Why,
)
from offhook.phone.fleet import Fleet, Pace, Report, Words
from offhook.phone.pocket import Pocket
from offhook.phone.reports import Report as Removal
from offhook.phone.saved import Saved, Validator
from offhook.phone.spread import Spread
from offhook.phone.steps import Ended, Event
from tests.phone.play import ANN, PORTAL
from tests.phone.play_life import WALL, phone
from tests.phone.world_life import LivingWorld, refusal

SERVICES = {"portal key", "base", "theme", "global part", "account part"}
PHONES = 50
MAX_BYTES = 30_000
GONE = "could not sign in"


class Direct:
    """A network without sockets; what is `lost`, or comes `once`, goes before what the world says."""

    def __init__(self, world: LivingWorld, told: Callable[[Event], None]) -> None:
        self.world, self.told = world, told
        self.lost: dict[str, NoAnswer] = {}
        self.once: dict[str, list[Response]] = {}
        self.is_broken = False

    async def ask(self, fetch: Fetch) -> Answer:
        await asyncio.sleep(0)
        if self.is_broken:
            raise RuntimeError("a bug")
        waiting = self.once.get(fetch.service)
        answer: Answer = waiting.pop(0) if waiting else self.lost.get(fetch.service) or self._answer(fetch)
        status = answer.status if isinstance(answer, Response) else None
        self.told(Ended(fetch.service, str(status), 0.01, status))
        return answer

    def _answer(self, fetch: Fetch) -> Response:
        return self.world.respond(fetch.request)


class Scene:
    """A fleet and its world."""

    def __init__(self, phones: int = 3, pace: Pace | None = None, logins: list[Login] | None = None) -> None:
        self.world = LivingWorld()
        self.fleet = Fleet(logins or [ANN] * phones, PORTAL, pace or Pace(), chance=lambda: 0.0)
        self.network = Direct(self.world, self.fleet.told)

    def play(self, until: Callable[[Report], bool]) -> Report:
        """Run until something is seen, which may meddle."""

        async def played() -> Report:
            living = asyncio.ensure_future(self.fleet.run(self.network, for_s=20))
            async with asyncio.timeout(10):
                while not until(self.fleet.report()):  # noqa: ASYNC110 - nobody tells; it is looked at
                    await asyncio.sleep(0.01)
            report = self.fleet.report()
            living.cancel()
            with suppress(asyncio.CancelledError):
                await living
            return report

        return asyncio.run(played())


def asked(service: str, times: int) -> Callable[[Report], bool]:
    return lambda report: any(one.name == service and sum(one.answers.values()) >= times for one in report.services)


def test_phones_sign_in_and_ask_again() -> None:
    """All of them run, each service was asked by each, and everything has its age."""
    scene = Scene(pace=Pace(interval_s=1))

    report = scene.play(lambda report: asked("account part", 6)(report) and report.states == {"running": 3})

    assert {service.name for service in report.services} == SERVICES
    assert {service.name: sum(service.answers.values()) for service in report.services}["base"] == 3
    assert {service: age.count for service, age in report.ages.items()} == {
        "account part": 3,
        "global part": 3,
        "base": 3,
    }
    assert (report.phones, report.errors, report.changes) == (3, {}, ())
    assert report.lateness.count


def test_phones_start_along_the_ramp() -> None:
    """The second one comes when half of the time is over."""
    scene = Scene(2, Pace(ramp_s=60))

    report = scene.play(lambda report: "running" in report.states)

    assert report.states == {"running": 1, "not started": 1}


def test_a_time_that_is_over() -> None:
    """Phones live on until then, and the report stays."""
    scene = Scene(1)

    asyncio.run(scene.fleet.run(scene.network, for_s=0.3))

    assert scene.fleet.report().states == {"running": 1}
    assert 0.3 <= scene.fleet.report().elapsed_s < 5


def test_a_change_is_timed() -> None:
    """From the first phone that took it over to the last one; what was there when the fleet began is none."""
    scene = Scene(pace=Pace(interval_s=1))
    scene.world.revisions["again"] = 10**9

    def changed(report: Report) -> bool:
        if asked("account part", 6)(report) and scene.world.revisions["again"] == 10**9:
            scene.world.change_account()
        return len(report.changes) == 2 and report.changes[0].phones == 3

    report = scene.play(changed)

    assert report.changes[0].service == "account part"
    assert report.changes[0].after_first.count == 3
    assert report.changes[0].after_first.max_s < 5


def test_phones_leave_when_they_are_told_to() -> None:
    """A logout is no error; the fleet is over when all are gone and their reports are delivered."""
    scene = Scene(pace=Pace(interval_s=1))

    def signing_out(report: Report) -> bool:
        if report.states == {"running": 3}:
            scene.world.instead["again"] = refusal(410, "Good bye.")
        return report.states == {"signed out": 3}

    report = scene.play(signing_out)

    assert report.errors == {}
    assert {age.count for age in report.ages.values()} == {0}
    assert len(scene.world.said("removed")) == 3


def test_what_goes_wrong_is_counted() -> None:
    """By service and status, or by the reason why there is no answer; a remark is a note."""
    scene = Scene(1, Pace(interval_s=1))

    def spoilt(report: Report) -> bool:
        scene.network.lost = {"account part": NoAnswer(Why.CUT_OFF)} if report.states == {"running": 1} else {}
        scene.world.instead["common"] = refusal(500)
        return len(report.errors) == 2

    report = scene.play(spoilt)

    assert report.errors.keys() == {"account part: cut off", "global part: answered 500"}
    assert any("cut off" in note for note in report.notes)


def test_a_sign_in_that_is_tried_again() -> None:
    """When the server asks for that; a refusal is the end of that phone."""
    wrong = Login(CloudId.parse("DEMO"), "ann", Secret("guess"))
    scene = Scene(logins=[ANN, wrong])
    scene.network.once["base"] = [refusal(503, "Later.", retry_after="1")]

    report = scene.play(lambda report: report.states == {"running": 1, GONE: 1})

    assert report.errors["sign-in: base answered 503"] == 1
    assert report.errors["sign-in: global part answered 403"] == 1


def test_a_phone_that_breaks_is_heard_of() -> None:
    """A bug of ours is no finding about the server."""
    scene = Scene(1)
    scene.network.is_broken = True

    with pytest.raises(RuntimeError):
        asyncio.run(scene.fleet.run(scene.network, for_s=5))


def test_phones_at_rest_share_what_is_equal() -> None:
    """The record is as it was, and most of it is there once for all of them."""
    scene = Scene(2, Pace(interval_s=1))

    scene.play(asked("account part", 4))

    one, other = (member.pocket.saved for member in scene.fleet.members)
    assert one
    assert other
    assert one.account == other.account
    assert all(one.account.keys[key] is other.account.keys[key] for key in one.account.keys)
    assert one.services is other.services


def test_a_phone_of_a_fleet_is_small() -> None:
    """Thousands of them fit into one process."""
    sizes = list[float]()

    def weighed(report: Report) -> bool:
        if not asked("account part", 2 * PHONES)(report) or report.states != {"running": PHONES}:
            return False
        scene.world.asked.clear()
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
        return True

    Scene(2).play(asked("account part", 2))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    scene = Scene(PHONES, Pace(interval_s=2))
    scene.play(weighed)
    tracemalloc.stop()

    assert (sizes[0] - before) / PHONES < MAX_BYTES


def test_sharing_changes_nothing() -> None:
    """What differs stays what it was."""
    play = phone()
    before = play.saved
    play.handset.edit("codecOrder", "3")

    mixed = shared(play.saved, before)

    assert mixed == play.saved
    assert mixed.account.keys["title"] is before.account.keys["title"]
    assert mixed.account.text("codecOrder") == "3"


def test_a_pocket() -> None:
    """Reports and backups come back until they are dropped; of a theme nothing is kept."""
    pocket, backup, removal = Pocket(), Backup(), Removal("1", Request("POST", "http://127.0.0.1/prov/removed"))
    assert (pocket.act(TakeBackup("ann")), pocket.act(TakeReports())) == (None, ())
    pocket.act(DropReport("1"))
    pocket.act(DropBackup("ann"))

    pocket.act(KeepTheme(b"zip"))
    pocket.act(PutBackup("ann", backup))
    pocket.act(PutReport(removal))
    found = pocket.act(TakeBackup("ann"))

    assert isinstance(found, Found)
    assert found.backup == backup
    assert pocket.act(TakeReports()) == (removal,)
    pocket.act(DropReport("1"))
    pocket.act(DropBackup("ann"))
    assert (pocket.act(TakeBackup("ann")), pocket.act(TakeReports())) == (None, ())


def test_percentiles() -> None:
    """None is too small, and none is more than 2% too large."""
    spread = Spread(number / 1000 for number in range(1, 1001))

    seen = spread.percentiles()

    assert seen.count == 1000
    assert 0.5 <= seen.p50_s <= 0.51
    assert 0.95 <= seen.p95_s <= 0.969
    assert 0.99 <= seen.p99_s <= 1.0
    assert seen.max_s == 1.0
    assert Spread().percentiles().p99_s == 0.0
    assert Spread([0.0]).percentiles().p50_s == 0.0


def test_many_different_words() -> None:
    """They are counted together from some number on."""
    words = Words()

    for number in range(fleets.MOST_WORDS + 5):
        words.add(str(number))
    words.add("0")

    assert words.counted["0"] == 2
    assert words.counted[fleets.OTHERS] == 5


def test_many_changes() -> None:
    """The oldest are forgotten; what has no date is none."""
    changes, before = Changes(WALL), phone().saved

    def after(revision: str) -> Saved:
        return msgspec.structs.replace(before, validators={"base": Validator("", revision)})

    for number in range(MOST + 5):
        changes.kept(before, after(format_datetime(WALL + timedelta(seconds=number + 1))), 1.0, WALL)
    changes.kept(before, after("yesterday"), 1.0, WALL)

    assert len(changes.all()) == MOST
    assert changes.all()[0].after_server.max_s == 0.0
