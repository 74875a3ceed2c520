"""Rollouts under guard: what pauses them, what lets them go on, and what neither does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from offhook.core.errors import Unavailable
from offhook.policy.guarding import Counts
from offhook.provider.evidence import Fate, Met, Span, interval
from offhook.provider.population import Member
from offhook.provider.rollouts import AUTHOR, EVERY_S, Rollouts, Unasked
from offhook.provider.subscriber import Subscriber
from offhook.provider.tenant import Tenant
from offhook.storage.population import PopulationStore
from tests.world_fleet import held
from tests.world_provider import NOON_S, Provider
from tests.world_rollouts import HOUR_S, NAMES, Fleet, Known, Portal, rollout


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        yield provider


@pytest.fixture
def fleet(provider: Provider) -> Fleet:
    fleet = Fleet(provider)
    fleet.sign_in()
    return fleet


def has_the_rule(fleet: Fleet, text: str = rollout()) -> set[str]:
    """Publish it and let everybody ask; returns who has it."""
    fleet.publishes(text)
    fleet.ask()
    return fleet.treated


# --- what pauses ---


def test_phones_that_do_not_come_back_pause_it(fleet: Fleet) -> None:
    """The rule is at rest in a version by the guard, with the reason, and gone when phones next ask."""
    treated = has_the_rule(fleet)
    for _ in range(2):
        fleet.later(HOUR_S)
        fleet.ask(but=treated)

    ruled = fleet.ruled()
    statuses = fleet.ask()
    live = fleet.policies.history("EXAMPLE")[0]

    reason = f"100.0% of {len(treated)} phones with this rule did not come back, 0.0% of {24 - len(treated)} others"
    assert 5 < len(treated) < 19
    assert ruled == [f"new is paused, because {reason}: more than 10 points above"]
    assert fleet.live.rules[0].paused == f"{reason}: more than 10 points above"
    assert (live.author, live.note) == (AUTHOR, f"paused new: {reason}: more than 10 points above")
    assert set(statuses) <= {200, 304}
    assert all(b"X-new" not in fleet.phones[name].bodies["/prov/again"] for name in treated)
    assert fleet.ruled() == []


def test_phones_that_are_refused_pause_it(fleet: Fleet) -> None:
    """A rule that refuses those who ask again."""
    fleet.publishes(rollout('{ do = "refuse", message = "Not now." }'))

    statuses = fleet.ask()
    fleet.later(HOUR_S)
    fleet.ask()

    assert statuses.count(403) > 5
    assert "were refused, 0.0% of" in "".join(fleet.ruled())


def test_users_who_are_refused_at_the_sign_in_pause_it(provider: Provider) -> None:
    """There is no install of theirs yet; each counts as one phone."""
    fleet = Fleet(provider)
    fleet.publishes(rollout('{ do = "refuse", message = "Not now." }'))

    statuses = [provider.signs_in(name).status for name in NAMES for _ in range(2)]
    ruled = fleet.ruled()

    assert "were refused, there are no others" in "".join(ruled)
    assert fleet.report().treated.asked == statuses.count(403) / 2


def test_a_rule_that_spoils_what_a_phone_comes_back_with_pauses_it(fleet: Fleet) -> None:
    """Whoever is not recognised for it is refused, and nothing else is believed of them."""
    has_the_rule(fleet, rollout('{ do = "set", key = "cloud_password", value = "{cloud_id}" }'))

    statuses = fleet.ask()
    fleet.later(HOUR_S)
    fleet.ask()

    assert statuses.count(403) > 5
    assert "were refused" in "".join(fleet.ruled())


def test_a_device_too_many_is_a_refusal(fleet: Fleet) -> None:
    """The limit of a rule turns away who signs in on a second phone."""
    fleet.publishes(rollout('{ do = "at_most_devices", count = 1, then = "refuse" }'))

    refused = [fleet.provider.signs_in(name, installid="second").status for name in NAMES].count(403)
    fleet.ruled()

    assert refused > 5
    assert fleet.report().treated == Counts(refused, refused=refused)


def test_a_known_phone_that_signs_in_and_is_refused_counts_once(provider: Provider) -> None:
    """At the sign-in's address, with the token of before."""
    fleet = Fleet(provider)
    fleet.sign_in()
    fleet.publishes(rollout('{ do = "refuse", message = "Not now." }'))
    tokens = [(name, phone.account["cloud_password"]) for name, phone in fleet.phones.items()]

    statuses = [provider.signs_in(name, token).status for name, token in tokens]

    assert "were refused" in "".join(fleet.ruled())
    assert fleet.report().treated.asked == statuses.count(403) > 5


def test_phones_that_fail_to_register_pause_it(fleet: Fleet) -> None:
    """That is what the SIP system says; as long as none is asked, nothing is known, and that is no trouble."""
    treated = has_the_rule(fleet)
    fleet.later(HOUR_S)
    fleet.ask()

    unasked = fleet.ruled(fleet.guards(Unasked()))
    found = fleet.report().treated
    ruled = fleet.ruled(fleet.guards(Known(missing=treated)))

    assert (unasked, found) == ([], Counts(len(treated)))
    assert "failed to register" in "".join(ruled)


# --- what does not ---


def test_equal_trouble_outside_is_not_the_rules(fleet: Fleet) -> None:
    """When nobody comes back, it is something else; but the next stage begins when its time has come."""
    treated = has_the_rule(fleet)

    fleet.later(2 * HOUR_S)
    early = fleet.ruled()
    fleet.later(HOUR_S)
    late = fleet.ruled()

    assert early == []
    assert late == ["new goes on to stage 2"]
    assert fleet.report().treated == Counts(len(treated), missing=len(treated))
    assert fleet.report().others == Counts(24 - len(treated), missing=24 - len(treated))


def test_too_few_phones_wait(fleet: Fleet) -> None:
    """They neither pause it nor let the next stage begin, whatever the clock says."""
    treated = has_the_rule(fleet, rollout(phones=20))
    fleet.later(4 * HOUR_S)
    fleet.ask(but=treated)

    ruled = fleet.ruled()

    assert ruled == []
    assert f"waits: {len(treated)} phones of at least 20" in str(fleet.report().ruling)


def test_the_next_stage_begins_after_the_last_was_looked_at(fleet: Fleet) -> None:
    """Not as long as nobody knows what becomes of its phones; then for all, and the counts begin anew."""
    has_the_rule(fleet)
    fleet.later(3 * HOUR_S)
    fleet.ask(but=NAMES)

    has_time_come = fleet.live.rules[0].rollout
    assert has_time_come is not None
    assert has_time_come.share(fleet.clock.now_s()) == 5000
    fleet.ask()
    ruled = fleet.ruled()
    fleet.ask()
    opened = fleet.policies.history("EXAMPLE")[0]

    assert ruled == ["new goes on to stage 2"]
    assert (opened.author, opened.note) == (AUTHOR, "stage 2 of new begins")
    assert fleet.treated == set(NAMES)
    assert fleet.ruled() == []
    assert fleet.report().treated.asked == 0
    fleet.later(HOUR_S)
    fleet.ask()
    assert fleet.ruled() == []
    assert (fleet.report().stage, fleet.report().treated) == (2, Counts(24))
    assert str(fleet.report().ruling) == "goes on as it is"


def test_a_phone_that_may_still_come_back_is_not_counted(fleet: Fleet) -> None:
    """Else the next stage would begin before anybody could be missing."""
    has_the_rule(fleet)

    fleet.ruled()

    assert (fleet.report().treated, fleet.report().others) == (Counts(0), Counts(0))


def test_those_that_come_back_soon_do_not_speak_for_the_others(provider: Provider) -> None:
    """The next stage waits until it is known of the first phones of this one what became of them."""
    fleet = Fleet(provider, interval_s=4 * HOUR_S)
    fleet.sign_in()
    has_the_rule(fleet)
    fleet.later(3 * HOUR_S)
    fleet.ask(but=sorted(fleet.treated)[4:])

    ruled = fleet.ruled(fleet.guards())
    fleet.ask(but=sorted(fleet.treated)[5:])
    ruled += fleet.ruled(fleet.guards())
    waits = str(fleet.report().ruling)
    fleet.later(4 * HOUR_S)

    assert ruled == []
    assert waits == "waits: the next stage begins at 2027-01-15 14:10 UTC"
    assert "did not come back" in "".join(fleet.ruled())


def test_late_comers_are_included(provider: Provider) -> None:
    """Who signs in after the stage began gets the rule if their lot says so, and counts."""
    fleet = Fleet(provider)
    fleet.publishes(rollout())
    fleet.later(HOUR_S)
    fleet.sign_in()
    treated = fleet.treated
    fleet.later(2 * HOUR_S)
    fleet.ask(but=treated)

    ruled = fleet.ruled()

    assert len(treated) > 5
    assert "did not come back" in "".join(ruled)


def test_who_was_logged_out_or_need_not_ask_is_not_missing(provider: Provider) -> None:
    """A rule that logs out does what it says; and with an interval of 0 a phone asks when it pleases."""
    fleet = Fleet(provider, interval_s=0)
    fleet.sign_in()
    treated = has_the_rule(fleet)
    fleet.later(10 * HOUR_S)
    at_rest = fleet.ruled()
    counted = fleet.report().treated
    fleet.publishes(rollout('{ do = "log_out", message = "Bye." }'))

    statuses = fleet.ask()
    fleet.later(10 * HOUR_S)

    assert (at_rest, counted) == (["new goes on to stage 2"], Counts(len(treated)))
    assert statuses.count(410) > 0
    assert fleet.ruled() == []
    assert fleet.report().treated.missing == 0
    assert held(provider)


def test_who_may_not_ask_anyway_does_not_count(fleet: Fleet) -> None:
    """Suspended users have no part in it."""
    treated = has_the_rule(fleet)
    for name in treated:
        fleet.provider.suspend(fleet.provider.subscribers.get("EXAMPLE", name))
    fleet.later(4 * HOUR_S)
    fleet.ask(but=treated)

    assert fleet.ruled() == []
    assert fleet.report().treated == Counts(0)


def test_the_portals_interval_counts_where_the_provider_says_none(provider: Provider) -> None:
    """What is not sent stays as the portal has it; where nobody here knows it, nobody is missing."""
    fleet = Fleet(provider)
    provider.has_tenant(Tenant("EXAMPLE"))
    fleet.sign_in()
    treated = has_the_rule(fleet)
    fleet.later(2 * HOUR_S)
    fleet.ask(but=treated)

    found = []
    for portal in (Portal(), Portal(0), Portal(HOUR_S)):
        found += [(fleet.ruled(fleet.guards(portal=portal)), fleet.report().treated)]

    assert found[:2] == [([], Counts(0)), ([], Counts(len(treated)))]
    assert "did not come back" in "".join(found[2][0])


# --- who looks, and when ---


def test_two_processes_rule_once(fleet: Fleet) -> None:
    """What one of them has begun is not begun by another one; and when it takes long, only the first has its way."""
    treated = has_the_rule(fleet)
    fleet.later(2 * HOUR_S)
    fleet.ask(but=treated)
    others: list[str] = []

    class Slow:
        """While this one looks, a second process does, at once and after a while."""

        def registered(self, users: Sequence[Subscriber]) -> dict[int, bool]:
            others.extend(f"{one.rule} {one.ruling}" for one in fleet.guards().look())
            others.append("and then")
            others.extend(fleet.ruled())
            return {}

    ruled = fleet.ruled(fleet.guards(Slow()))

    assert others[0] == "and then"
    assert len(others) == 2
    assert ruled == []
    assert len(fleet.policies.history("EXAMPLE")) == 2


def test_a_fault_of_the_guards_own_decides_nothing(fleet: Fleet) -> None:
    """Half a census is none; the next one comes in its time."""
    treated = has_the_rule(fleet)
    fleet.later(2 * HOUR_S)
    fleet.ask(but=treated)

    class Broken(PopulationStore):
        def all_of(self, cloud_id: str) -> Iterator[Member]:
            yield next(super().all_of(cloud_id))
            raise Unavailable("The disk is full.")

    guards = fleet.guards()
    broken = Rollouts(
        policies=fleet.policies,
        tenants=fleet.provider.tenants,
        population=Broken(fleet.provider.database),
        rounds=guards._rounds,
        portal=Portal(),
        clock=fleet.clock,
    )
    with pytest.raises(Unavailable, match="full"):
        fleet.ruled(broken)

    assert not fleet.live.rules[0].paused
    assert len(fleet.ruled()) == 1


def test_what_is_not_guarded_is_not_looked_at(fleet: Fleet) -> None:
    """No rule, no guard, a rule at rest, and a policy that cannot be read."""
    guards, rounds = fleet.guards(), fleet.guards()._rounds

    for text in ("", rollout().replace(", guard = ", ", salt = 'x' } # "), rollout(more="enabled = false\n")):
        fleet.publishes(text)
        assert fleet.ruled(guards) == []
    with fleet.provider.database.begin() as connection:
        connection.exec_driver_sql("UPDATE policy_version SET text = 'rules = 1', number = 9 WHERE state = 'live'")
        connection.exec_driver_sql("UPDATE tenant SET settings = replace(settings, '\"policy\":3', '\"policy\":9')")

    assert fleet.ruled(guards) == []
    assert rounds.latest("EXAMPLE") is None


def test_a_clock_that_ran_ahead_holds_nobody_up(fleet: Fleet) -> None:
    """A round in a far future is not one that somebody else is at."""
    has_the_rule(fleet)
    fleet.later(400 * 24 * HOUR_S)
    fleet.ruled()
    fleet.clock.time_s = NOON_S + HOUR_S

    fleet.ruled()

    assert fleet.report().at_s == NOON_S + HOUR_S + EVERY_S


def test_publishing_something_else_does_not_make_it_begin_anew(fleet: Fleet) -> None:
    """Only who changes the rule does; and a stage that a guard has opened stays open for a file that knows of none."""
    has_the_rule(fleet)
    fleet.ruled()
    began_s = fleet.report().since_s
    other = '\n[[rules]]\nid = "other"\nthen = []\n'
    fleet.later(HOUR_S)
    fleet.publishes(rollout() + other)
    fleet.ruled()
    beside_s = fleet.report().since_s
    fleet.later(2 * HOUR_S)
    fleet.ask()
    opened = fleet.ruled()
    fleet.ask()
    fleet.publishes(rollout())
    statuses = fleet.ask()
    fleet.publishes(rollout(phones=6))
    fleet.ruled()

    assert (began_s, beside_s) == (NOON_S, NOON_S)
    assert opened == ["new goes on to stage 2"]
    assert set(statuses) == {304}
    assert fleet.report().since_s > NOON_S + 3 * HOUR_S
    assert fleet.report().stage == 1


def test_a_draft_takes_back_nothing_that_a_guard_decided(fleet: Fleet) -> None:
    """What was drafted before leaves stages open and the rule paused; a person lets it go on."""
    fleet.policies.keep_draft(fleet.policies.propose("EXAMPLE", rollout(), "ann"), "ann")
    treated = has_the_rule(fleet)
    fleet.later(3 * HOUR_S)
    fleet.ask()
    opened = [fleet.ruled(), [str(one) for one in fleet.policies.propose_draft("EXAMPLE").remarks]]
    fleet.ask()
    fleet.later(2 * HOUR_S)
    paused = fleet.ruled(fleet.guards(Known(NAMES)))

    proposal = fleet.policies.propose_draft("EXAMPLE")
    fleet.policies.publish(proposal, "ann")
    stands = fleet.live.rules[0]
    fleet.policies.publish(fleet.policies.propose_resuming("EXAMPLE", "new", "ann"), "ann")

    assert opened[1] == ["draft: was written before there was any, and Live is policy 3 by now"]
    assert len(paused) == 1
    assert any("rule new: stays paused, because 100.0% of 24 phones" in str(one) for one in proposal.remarks)
    assert "100.0% of 24 phones" in stands.paused
    assert stands.rollout
    assert stands.rollout.opened == 2
    assert not fleet.live.rules[0].paused
    assert treated


def test_a_guard_says_which_phones_it_cannot_see(fleet: Fleet) -> None:
    """Rules that ask from where a phone asks, or whether it signs in, are told of in the plan."""
    of = '{ if = "from_network", one_of = ["192.0.2.0/24"] }, { if = "occasion", is = "sign_in" }'
    when = f'when = {{ if = "all", of = [{of}] }}\n'

    remarks = fleet.policies.propose("EXAMPLE", rollout(more=when)).remarks

    assert "is not told of network or occasion: it may wait for ever" in str(remarks[0])


# --- what becomes of a phone ---


@pytest.mark.parametrize(
    ("met", "fate"),
    [
        pytest.param(Met(900, interval_s=100), None, id="asked before it began"),
        pytest.param(Met(19_900, interval_s=3600), None, id="may still come back"),
        pytest.param(Met(19_900, 19_000, interval_s=3600), Fate(False, False), id="came back"),
        pytest.param(Met(12_000, interval_s=3600), Fate(True, False), id="overdue"),
        pytest.param(Met(12_000, 11_000, interval_s=3600), Fate(True, False), id="came back once, and then not"),
        pytest.param(Met(1_500, interval_s=60), None, id="overdue before the window"),
        pytest.param(Met(19_000, 0, 19_500, interval_s=3600), Fate(False, True), id="refused"),
        pytest.param(Met(19_000, 0, 0, interval_s=0), Fate(False, False), id="need not ask"),
        pytest.param(Met(19_000, 0, 0), None, id="nobody knows when it asks"),
        pytest.param(Met(19_000, 18_000, 0), Fate(False, False), id="nobody knows when it asks, and it came back"),
        pytest.param(Met(90_000, interval_s=60), None, id="asked by a clock that ran ahead"),
    ],
)
def test_what_became_of_a_phone(met: Met, fate: Fate | None) -> None:
    """Within the window of a stage that began at 1,000, at 20,000."""
    assert met.fate(Span(1_000, 20_000, 10_000), None) == fate


@pytest.mark.parametrize(
    ("written", "seconds"), [(None, None), ("3600", 3600), (" 60 ", 60), ("", 0), ("-1", 0), ("soon", 0)]
)
def test_an_interval_is_read_as_a_phone_does(written: str | None, seconds: int | None) -> None:
    """What is no number means that it never asks by itself."""
    assert interval(written) == seconds
