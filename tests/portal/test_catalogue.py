"""The life of an app: it starts as an Editable, goes Live, is changed, goes back, and nothing is lost (D17)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from offhook.core.difference import Kind, count
from offhook.core.errors import Conflict, NotFound, OffhookError
from offhook.core.theme import Theme
from offhook.portal.versions import Ground, State
from tests.world_apps import LOGO, NOON_S, Desk, a_theme, an_app, desk


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as opened:
        yield opened


def test_a_new_app_starts_as_an_editable(office: Desk) -> None:
    """What is made is Editable until it is published, with its author and note."""
    app = an_app()

    made = office.portal.create(app, a_theme(), "Ann", "first try")

    assert (made.number, made.state, made.author, made.note) == (1, State.EDITABLE, "Ann", "first try")
    assert office.portal.show("EXAMPLE") == made
    assert office.portal.theme(made) == a_theme()
    with pytest.raises(Conflict, match="already an app"):
        office.portal.create(app)


def test_going_live_and_on(office: Desk) -> None:
    """Publishing makes the Editable Live and the Live before it part of the history; editing copies Live."""
    office.portal.create(an_app(expires=60))
    first = office.portal.publish("EXAMPLE", author="Ann", note="go")

    copy = office.portal.edit("EXAMPLE")
    again = office.portal.edit("EXAMPLE")
    office.portal.accept(office.portal.propose(an_app(expires=90), a_theme()), "Bob", "longer")
    second = office.portal.publish("EXAMPLE")

    assert (first.state, first.published_s) == (State.LIVE, first.changed_s)
    assert (copy.app, copy.theme) == (first.app, first.theme)
    assert again == copy
    assert [(version.number, version.state, version.note) for version in office.portal.history("EXAMPLE")] == [
        (2, State.LIVE, "longer"),
        (1, State.PAST, "go"),
    ]
    assert office.portal.show("EXAMPLE", State.LIVE) == second


def test_moments_only_ever_grow(office: Desk) -> None:
    """Changes within one second, and after the clock was set back, still have moments of their own."""
    moments = [office.portal.create(an_app()).changed_s]
    for number in range(3):
        moments.append(office.portal.publish("EXAMPLE").changed_s)
        moments.append(office.portal.edit("EXAMPLE").changed_s)
        proposal = office.portal.propose(an_app(expires=100 + number), Theme())

        moments.append(office.portal.accept(proposal).changed_s)

        office.clock.time_s -= 3600

    assert moments == list(range(NOON_S, NOON_S + len(moments)))


def test_a_proposal_is_worth_nothing_once_its_ground_has_moved(office: Desk) -> None:
    """Who looked at a difference does not overwrite what somebody else did since."""
    office.portal.create(an_app(expires=60))
    seen = office.portal.propose(an_app(expires=90), Theme())
    office.portal.accept(office.portal.propose(an_app(expires=120), Theme()))

    with pytest.raises(Conflict, match="changed by somebody else"):
        office.portal.accept(seen)

    assert office.portal.show("EXAMPLE").app == an_app(expires=120)


def test_a_new_app_is_not_made_twice(office: Desk) -> None:
    """Two people who propose the same new app do not overwrite each other."""
    one, other = (office.portal.propose(an_app(expires=number), Theme()) for number in (60, 90))
    office.portal.accept(one)

    with pytest.raises(Conflict):
        office.portal.accept(other)


def test_publishing_what_was_looked_at(office: Desk) -> None:
    """An Editable that changed after it was looked at does not go Live unseen."""
    office.portal.create(an_app(expires=60))
    seen = office.portal.propose_publishing("EXAMPLE")
    office.portal.accept(office.portal.propose(an_app(expires=90), Theme()))

    with pytest.raises(Conflict, match="changed by somebody else"):
        office.portal.publish("EXAMPLE", seen.seen)

    assert count(seen.plan.lines, Kind.ADDITION) > 0
    assert office.portal.show("EXAMPLE").state is State.EDITABLE


def test_publishing_does_not_undo_a_rollback(office: Desk) -> None:
    """Who looked at a difference from one Live does not replace another, to which somebody went back meanwhile."""
    office.live(an_app(expires=60))
    office.live(an_app(expires=90))
    office.portal.accept(office.portal.propose(an_app(expires=120), Theme()))
    seen = office.portal.propose_publishing("EXAMPLE")
    applied = office.portal.propose(an_app(expires=150), Theme(), live=True)
    office.portal.restore("EXAMPLE", 1)

    with pytest.raises(Conflict, match="changed by somebody else"):
        office.portal.publish("EXAMPLE", seen.seen)
    version = office.portal.accept(applied)
    with pytest.raises(Conflict, match="changed by somebody else"):
        office.portal.publish("EXAMPLE", Ground(version.stamp, applied.seen.live))

    assert office.portal.show("EXAMPLE", State.LIVE).app == an_app(expires=60)
    assert office.portal.publish("EXAMPLE", office.portal.propose_publishing("EXAMPLE").seen).state is State.LIVE


def test_only_one_of_many_publishes(tmp_path: Path) -> None:
    """When several people publish what they saw, on several machines, it goes Live once; the others are told."""
    with desk(tmp_path) as one, desk(tmp_path) as two, desk(tmp_path) as three:
        one.live(an_app())
        one.portal.edit("EXAMPLE")
        proposal = one.portal.propose_publishing("EXAMPLE")

        def publish(office: Desk) -> str:
            try:
                return office.portal.publish("EXAMPLE", proposal.seen).state.value
            except OffhookError as error:
                return type(error).__name__

        with ThreadPoolExecutor(3) as threads:
            outcomes = sorted(threads.map(publish, (one, two, three)))

        assert outcomes == ["NotFound", "NotFound", "live"]
        assert [version.state for version in one.portal.history("EXAMPLE")] == [State.LIVE, State.PAST]


def test_restoring_an_old_live(office: Desk) -> None:
    """An old Live becomes the Editable, to be looked at first, or goes Live at once and leaves the Editable alone."""
    office.live(an_app(expires=60), a_theme("One"))
    office.live(an_app(expires=90), a_theme("Two"))
    office.portal.accept(office.portal.propose(an_app(expires=120), Theme()))

    live = office.portal.restore("EXAMPLE", 1)
    proposal = office.portal.propose_restoring("EXAMPLE", 1)
    editable = office.portal.accept(proposal)

    assert (live.number, live.state, live.app, live.note) == (
        4,
        State.LIVE,
        an_app(expires=60),
        "restored from version 1",
    )
    assert office.portal.theme(live) == a_theme("One")
    assert (editable.number, editable.app) == (3, an_app(expires=60))
    assert [str(line) for line in proposal.plan.lines if line.place.startswith("account")] == [
        "~ account.expires: 120 -> 60"
    ]


def test_going_back_from_what_was_looked_at(office: Desk) -> None:
    """A Live that somebody replaced after the difference was looked at is not replaced again unseen."""
    office.live(an_app(expires=60))
    office.live(an_app(expires=90))
    proposal = office.portal.propose_restoring("EXAMPLE", 1, live=True)
    office.live(an_app(expires=120))

    with pytest.raises(Conflict, match="changed by somebody else"):
        office.portal.restore("EXAMPLE", 1, proposal.seen)

    assert office.portal.show("EXAMPLE", State.LIVE).app == an_app(expires=120)


def test_what_is_not_there(office: Desk) -> None:
    """Whoever asks for what is not there is told what there is to do."""
    portal = office.portal
    asked = (
        lambda: portal.edit("NONE"),
        lambda: portal.publish("NONE"),
        lambda: portal.propose_publishing("NONE"),
        lambda: portal.show("NONE"),
        lambda: portal.history("NONE"),
    )
    for ask in asked:
        with pytest.raises(NotFound, match="offhook app create NONE"):
            ask()
    office.live(an_app())

    for ask in (lambda: portal.publish("EXAMPLE"), lambda: portal.propose_publishing("EXAMPLE")):
        with pytest.raises(NotFound, match="offhook app edit EXAMPLE"):
            ask()
    portal.edit("EXAMPLE")
    for ask in (lambda: portal.restore("EXAMPLE", 2), lambda: portal.show("EXAMPLE", 9)):
        with pytest.raises(NotFound, match="offhook app history EXAMPLE"):
            ask()


def test_all_apps_are_listed(office: Desk) -> None:
    """The list holds the Live and the Editable of each app."""
    office.live(an_app("B"))
    office.portal.edit("B")
    office.portal.create(an_app("A"))

    found = office.portal.all()

    assert [(version.cloud_id, version.state) for version in found] == [
        ("A", State.EDITABLE),
        ("B", State.LIVE),
        ("B", State.EDITABLE),
    ]


def test_a_proposal_keeps_its_content_out_of_logs(office: Desk) -> None:
    """What might hold secrets is not part of a representation."""
    proposal = office.portal.propose(an_app(password="canary"), Theme(files={"logo.png": LOGO}))

    assert repr(proposal) == "Proposal(EXAMPLE, 11 additions, 0 changes, 0 removals)"
