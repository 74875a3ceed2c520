"""What phones are served: what was published last, from memory while nothing changes, dated so that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from offhook.core import base, signing, theme
from offhook.core.errors import Invalid, NotFound, Unavailable
from offhook.core.login import CloudId
from offhook.core.screen import Screen, WhiteLabel
from offhook.core.webservice import Response
from offhook.portal.base import Package, Part
from offhook.portal.published import Published
from offhook.portal.reading import from_document
from tests.world_apps import DEFINITIONS, KEY, NOON_S, Desk, a_theme, an_app, desk

LIVE = CloudId.parse("example")
EDITABLE = CloudId.parse("example*")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as opened:
        yield opened


def response(package: Package) -> Response:
    """A package as it arrives."""
    return Response(200, {name.lower(): text for name, text in package.headers.items()}, package.body)


@pytest.mark.anyio
async def test_all_parts_of_both_versions(office: Desk) -> None:
    """Base, theme and screen are those of the version that was asked for."""
    white = {"cloud_id": "EXAMPLE", "screen": {"mode": "white_label", "texts": {"title": "Welcome"}}}
    office.live(an_app(expires=60), a_theme("Live"))
    office.portal.accept(office.portal.propose(from_document(white), a_theme("Editable")))

    live, editable = [[await office.published.part(version, part) for part in Part] for version in (LIVE, EDITABLE)]

    first, second = base.loads(live[0].body), base.loads(editable[0].body)
    assert (first.version, first.account["expires"].content, first.services) == (1, "60", DEFINITIONS)
    assert (second.version, second.account, second.cloud_id) == (2, {}, "EXAMPLE")
    assert [theme.unpack(parts[1].body).manifest.name for parts in (live, editable)] == ["Live", "Editable"]
    screen: Screen = msgspec.json.decode(editable[2].body, type=Screen)
    assert isinstance(screen, WhiteLabel)
    assert screen.texts.title == "Welcome"


@pytest.mark.anyio
async def test_answers_are_genuine_for_their_address_alone(office: Desk) -> None:
    """The signature holds for body, part and version, and for nothing else."""
    office.live(an_app(), a_theme())
    office.portal.edit("EXAMPLE")
    package = await office.published.part(LIVE, Part.BASE)

    signing.verify(response(package), "EXAMPLE", "base", KEY.public_key())

    for cloud_id, part in (("EXAMPLE", "theme"), ("EXAMPLE*", "base"), ("OTHER", "base")):
        with pytest.raises(Invalid):
            signing.verify(response(package), cloud_id, part, KEY.public_key())
    editable = await office.published.part(EDITABLE, Part.BASE)
    signing.verify(response(editable), "EXAMPLE*", "base", KEY.public_key())


@pytest.mark.anyio
async def test_what_another_process_publishes_is_served_next(tmp_path: Path) -> None:
    """A server sees what the command line does in another process with its very next answer."""
    with desk(tmp_path) as server, desk(tmp_path) as command_line:
        command_line.live(an_app(expires=60))
        before = await server.published.part(LIVE, Part.BASE)
        command_line.live(an_app(expires=90))

        after = await server.published.part(LIVE, Part.BASE)

    assert base.loads(before.body).account["expires"].content == "60"
    assert base.loads(after.body).account["expires"].content == "90"


@pytest.mark.anyio
async def test_nothing_is_made_twice(office: Desk) -> None:
    """While nothing is written anywhere, an answer comes from memory; after any write, one query is enough."""
    office.live(an_app(), a_theme())
    statements: list[str] = []
    first = [await office.published.part(LIVE, part) for part in (*Part, *Part)][3:]
    office.database.reader.set_trace_callback(statements.append)

    again = [await office.published.part(LIVE, part) for part in Part]
    asked_at_rest = [statement for statement in statements if not statement.startswith("PRAGMA data_version")]
    office.portal.create(an_app("OTHER"))
    statements.clear()
    after_a_write = await office.published.part(LIVE, Part.BASE)

    assert [one is other for one, other in zip(first, again, strict=True)] == [True, True, True]
    assert asked_at_rest == []
    assert after_a_write is first[0]
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 1


@pytest.mark.anyio
async def test_the_date_of_an_answer_grows_when_it_changes_and_only_then(office: Desk) -> None:
    """Last-Modified tells contents of one address apart, however quickly they follow, and for whatever reason."""
    dates = []
    for expires in (60, 90, 60):
        office.live(an_app(expires=expires), a_theme())
        dates.append([(await office.published.part(LIVE, part)).modified_s for part in Part])
    office.definitions = {**office.definitions, "InitialProvisioningMethod": "POST"}
    office.portal.create(an_app("OTHER"))

    newest = await office.published.part(LIVE, Part.BASE)

    bases, themes, screens = zip(*dates, strict=True)
    assert bases == (NOON_S, NOON_S + 1, NOON_S + 2)
    assert set(themes) == set(screens) == {NOON_S}
    assert newest.modified_s == NOON_S + 3
    assert base.loads(newest.body).services["InitialProvisioningMethod"] == "POST"


@pytest.mark.anyio
async def test_after_a_restore_everything_is_dated_anew(tmp_path: Path) -> None:
    """Also by a server that goes on, and when the clock was set back: each part is later than it was, and the same."""
    with desk(tmp_path) as server, desk(tmp_path) as command_line:
        server.live(an_app(), a_theme())
        before = [await server.published.part(LIVE, part) for part in Part]
        dates, after, parts = [], before, 0
        for time_s in (NOON_S + 500, NOON_S - 500):
            command_line.clock.time_s = time_s
            parts = command_line.portal.redate()
            after = [await server.published.part(LIVE, part) for part in Part]
            dates.append({one.modified_s for one in after})

    assert (parts, dates) == (3, [{NOON_S + 500}, {NOON_S + 501}])
    assert [one.body for one in after] == [one.body for one in before]
    for part, one in zip(Part, after, strict=True):
        signing.verify(response(one), "EXAMPLE", part, KEY.public_key())


@pytest.mark.anyio
async def test_another_process_serves_the_same_answer(tmp_path: Path) -> None:
    """Two servers, or one after a restart, give equal content with equal headers."""
    with desk(tmp_path) as one, desk(tmp_path) as two:
        one.live(an_app(), a_theme())
        two.clock.time_s += 500

        answers = [[await office.published.part(LIVE, part) for part in Part] for office in (one, two)]

    assert answers[0] == answers[1]


@pytest.mark.anyio
async def test_what_is_not_served_says_why(office: Desk) -> None:
    """An unknown app, an app without an Editable and one that was never published are told apart (D1)."""
    office.portal.create(an_app("NEW"))
    office.live(an_app())

    with pytest.raises(NotFound, match=r"no app with the Cloud ID OTHER\b"):
        await office.published.part(CloudId.parse("other*"), Part.BASE)
    with pytest.raises(NotFound, match="has no Editable version now"):
        await office.published.part(EDITABLE, Part.BASE)
    with pytest.raises(NotFound, match="not published yet"):
        await office.published.part(CloudId.parse("new"), Part.THEME)


@pytest.mark.anyio
async def test_an_editable_that_went_live_is_gone(office: Desk) -> None:
    """Memory does not outlive what it is of."""
    office.portal.create(an_app())
    await office.published.part(EDITABLE, Part.BASE)
    office.portal.publish("EXAMPLE")

    with pytest.raises(NotFound):
        await office.published.part(EDITABLE, Part.BASE)


@pytest.mark.anyio
async def test_memory_is_bounded(office: Desk) -> None:
    """Of many apps, those that were asked for last stay in memory."""
    small = Published(office.store, office.themes, lambda _: {}, KEY, office.clock, most_bytes=3 * 5000)
    for name in ("A", "B", "C", "D"):
        office.live(an_app(name))
    first = [await small.part(CloudId(name), Part.BASE) for name in ("A", "B", "C")]
    await small.part(CloudId("A"), Part.BASE)

    await small.part(CloudId("D"), Part.BASE)

    again = [await small.part(CloudId(name), Part.BASE) for name in ("A", "C", "B")]
    assert again[0] is first[0]
    assert again[2] is not first[1]
    assert again[2] == first[1]


@pytest.mark.anyio
async def test_a_damaged_theme_is_a_fault_of_ours(office: Desk) -> None:
    """A theme that was changed on the disk is not served; applying it again mends it."""
    office.live(an_app(), a_theme())
    digest = office.portal.show("EXAMPLE").theme
    (office.folder / "themes" / f"{digest}.zip").write_bytes(b"nonsense")

    with pytest.raises(Unavailable, match="missing or damaged"):
        await office.published.part(LIVE, Part.THEME)

    office.themes.put(theme.pack(a_theme()))
    assert theme.unpack((await office.published.part(LIVE, Part.THEME)).body) == a_theme()


def test_a_package_keeps_its_body_out_of_logs() -> None:
    """A representation names a package and does not show it."""

    assert repr(Package({}, b"canary", '"1"', 1)) == 'Package("1", 6 bytes)'
