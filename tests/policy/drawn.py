"""Policies and subjects drawn at random, out of so few words that they often meet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, TypeVar

from hypothesis import strategies as st

from offhook.policy.conditions import All, Any, AnyCondition, Expression, InSegment, Not
from offhook.policy.during import During
from offhook.policy.effects import (
    AddDialAction,
    AddQuickDial,
    AnyEffect,
    AtMostDevices,
    Blank,
    LogOut,
    Refuse,
    RemoveDialAction,
    RemoveQuickDial,
    SetKey,
)
from offhook.policy.facts import (
    AppVersion,
    AtOccasion,
    Attribute,
    FromNetwork,
    InGroup,
    Installs,
    Locale,
    OsVersion,
    Platform,
    Version,
)
from offhook.policy.resolution import Overflow, Strength
from offhook.policy.rollout import WHOLE, Guard, Of, Rollout, Stage
from offhook.policy.rules import Policy, Rule, Segment
from offhook.policy.subject import Occasion, Subject

SINCE_S: Final = int(datetime(2026, 10, 20, tzinfo=UTC).timestamp())
UNTIL_S: Final = int(datetime(2027, 4, 5, tzinfo=UTC).timestamp())
ZONES: Final = ("Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")
SEGMENTS: Final = ("alpha", "beta", "gamma")
EXPRESSIONS: Final = (
    'user.tier == "gold"',
    'has(user.city) && user.city == "Praha"',
    'platform == "ios" || "sales" in groups',
    "app_version[1] > 1 && installs < 3",
    "1 / (installs - 1) == 1",
    'occasion == "again" && !editable && network.startsWith("10.")',
)
_T = TypeVar("_T")

moments_s = st.integers(SINCE_S, UNTIL_S)
moments = moments_s.map(lambda moment_s: datetime.fromtimestamp(moment_s, UTC))
names = st.sampled_from(("tier", "city", "desk"))
words = st.sampled_from(("gold", "silver", "Praha", "Brno"))
versions = st.sampled_from(("1", "9.1", "9.10", "10.0.1"))
networks = st.sampled_from(("10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"))
clocks = st.sampled_from(("00:00", "01:30", "02:00", "02:30", "03:00", "08:00", "18:00", "23:59"))


def some(values: st.SearchStrategy[_T]) -> st.SearchStrategy[tuple[_T, ...]]:
    """One to three of them."""
    return st.lists(values, min_size=1, max_size=3).map(tuple)


@st.composite
def hours(draw: st.DrawFn) -> During:
    """A time of the week, perhaps between two moments."""
    start, end = draw(st.lists(clocks, min_size=2, max_size=2, unique=True))
    days = draw(st.lists(st.sampled_from(("mon", "wed", "sat", "sun")), max_size=3).map(tuple))
    weekly = During(days=days, start=start, end=end, zone=draw(st.sampled_from(ZONES)))
    if draw(st.booleans()):
        return weekly
    since, until = sorted(draw(st.lists(moments, min_size=2, max_size=2, unique=True)))
    return During(days, start, end, weekly.zone, since, until)


leaves: Final[st.SearchStrategy[AnyCondition]] = st.one_of(
    st.builds(Attribute, names, is_=words),
    st.builds(Attribute, names, is_not=words),
    st.builds(Attribute, names, one_of=some(words)),
    st.builds(Attribute, names, begins_with=st.sampled_from(("g", "Pra"))),
    st.builds(Attribute, names, exists=st.booleans()),
    st.builds(InGroup, st.sampled_from(("sales", "board"))),
    st.builds(Platform, some(st.sampled_from(("ios", "android")))),
    st.builds(AppVersion, at_least=versions),
    st.builds(OsVersion, below=versions),
    st.builds(Locale, some(st.sampled_from(("cs", "de-AT")))),
    st.builds(Version, st.booleans()),
    st.builds(Installs, at_least=st.integers(0, 3)),
    st.builds(AtOccasion, st.sampled_from(Occasion)),
    st.builds(FromNetwork, some(networks)),
    st.builds(Expression, st.sampled_from(EXPRESSIONS)),
    hours(),
)


def conditions(segments: tuple[str, ...] = ()) -> st.SearchStrategy[AnyCondition]:
    """Conditions that may speak of these segments."""
    simple = st.one_of(leaves, st.builds(InSegment, st.sampled_from(segments))) if segments else leaves
    return st.recursive(
        simple,
        lambda inner: st.one_of(st.builds(All, some(inner)), st.builds(Any, some(inner)), st.builds(Not, inner)),
        max_leaves=5,
    )


effects: Final[st.SearchStrategy[AnyEffect]] = st.one_of(
    st.builds(
        SetKey, st.sampled_from(("X-a", "X-b")), st.sampled_from(("1", "two\nlines", '"')), st.sampled_from(Strength)
    ),
    st.builds(Blank, st.sampled_from(("X-a", "X-c"))),
    st.builds(AddQuickDial, st.sampled_from(("desk", "lab")), st.sampled_from(("1", "2")), st.just("Desk")),
    st.builds(RemoveQuickDial, st.sampled_from(("desk", "lab"))),
    st.builds(AddDialAction, st.just("autoCall"), st.just({"title": "Call", "e 1".replace(" ", "-"): "{x}"})),
    st.builds(RemoveDialAction, st.just("autoCall")),
    st.builds(AtMostDevices, st.integers(1, 3), st.sampled_from(Overflow), st.just("Enough.")),
    st.builds(Refuse, st.just("No.")),
    st.builds(LogOut, st.just("Out.")),
)
percents = st.integers(0, WHOLE).map(lambda number: number / 100)


@st.composite
def rollouts(draw: st.DrawFn) -> Rollout:
    """A percentage, or stages that grow."""
    of, salt = draw(st.sampled_from(Of)), draw(st.sampled_from(("", "salt")))
    if draw(st.booleans()):
        return Rollout(draw(percents), of=of, salt=salt)
    count = draw(st.integers(1, 4))
    begin = sorted(draw(st.lists(moments, min_size=count, max_size=count, unique=True)))
    shares = sorted(draw(st.lists(percents, min_size=count, max_size=count)))
    guard = draw(st.none() | st.just(Guard()))
    stages = tuple(Stage(since, percent) for since, percent in zip(begin, shares, strict=True))
    return Rollout(stages=stages, of=of, salt=salt, guard=guard, opened=draw(st.integers(1, 3)))


@st.composite
def rules(draw: st.DrawFn, identity: str) -> Rule:
    """A rule of that id."""
    laid = draw(st.lists(effects, max_size=3, unique_by=lambda effect: effect.target()).map(tuple))
    return Rule(
        identity,
        title=draw(st.text("aé\"'\\\n\t{}", max_size=5)),
        enabled=draw(st.sampled_from((True, True, True, False))),
        paused=draw(st.sampled_from(("", "", "", "it hurt"))),
        version=draw(st.integers(1, 5)),
        author=draw(st.sampled_from(("", "ann"))),
        changed_s=draw(st.sampled_from((0, SINCE_S))),
        when=draw(st.none() | conditions(SEGMENTS)),
        rollout=draw(st.none() | st.none() | rollouts()),
        effects=laid,
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy without faults; each segment speaks of those above it at most."""
    segments = tuple(Segment(name, draw(conditions(SEGMENTS[:position]))) for position, name in enumerate(SEGMENTS))
    count = draw(st.integers(0, 6))
    return Policy(draw(st.integers(0, 9)), segments, tuple(draw(rules(f"rule-{number}")) for number in range(count)))


@st.composite
def subjects(draw: st.DrawFn) -> Subject:
    """A subject of whom not everything is known."""
    return Subject(
        "Ann",
        draw(st.sampled_from(("ann", "bob", "cyd", ""))),
        draw(moments_s),
        attributes=draw(st.dictionaries(names, st.one_of(words, st.just("")))),
        groups=draw(st.frozensets(st.sampled_from(("sales", "board")))),
        platform=draw(st.sampled_from((None, "", "iOS", "android"))),
        app_version=draw(st.sampled_from((None, "9.1", "9.10.0", "beta"))),
        os_version=draw(st.sampled_from((None, "9", "17.2"))),
        locale=draw(st.sampled_from((None, "cs_CZ", "de-DE"))),
        editable=draw(st.booleans()),
        installs=draw(st.integers(1, 4)),
        occasion=draw(st.sampled_from(Occasion)),
        network=draw(st.sampled_from(("", "10.1.2.3", "2001:db8::1", "?"))),
        install_id=draw(st.sampled_from(("", "I1", "I2"))),
    )
