"""Policies and subjects drawn at random, out of so few words that they often meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final, TypeVar

from hypothesis import strategies as st

from offhook.policy.conditions import All, Any, AnyCondition, Expression, InSegment, Not
from offhook.policy.during import Day, During
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
NAMES: Final = ("tier", "city", "desk")
WORDS: Final = ("gold", "silver", "Praha", "Brno")
VERSIONS: Final = ("1", "9.1", "9.10", "10.0.1")
CLOCKS: Final = ("00:00", "01:30", "02:00", "02:30", "03:00", "08:00", "18:00", "23:59")
WEEK: Final[tuple[Day, ...]] = ("mon", "wed", "sat", "sun")
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
percents = st.integers(0, WHOLE).map(lambda number: number / 100)
_seeds = st.integers(0, 2**32)


# A library that could shrink what it draws needs seconds for as many policies as these dice throw in one.
def _some(dice: Random, values: Sequence[_T]) -> tuple[_T, ...]:
    return tuple(dice.choice(values) for _ in range(dice.randint(1, 3)))


def _moment(dice: Random) -> datetime:
    return datetime.fromtimestamp(dice.randint(SINCE_S, UNTIL_S), UTC)


def _hours(dice: Random) -> During:
    start, end = dice.sample(CLOCKS, 2)
    days, zone = tuple(dice.sample(WEEK, dice.randint(0, 3))), dice.choice(ZONES)
    if dice.random() < 0.5:
        return During(days, start, end, zone)
    since, until = sorted((_moment(dice), _moment(dice)))
    return During(days, start, end, zone, since, until)


LEAVES: Final[tuple[Callable[[Random], AnyCondition], ...]] = (
    lambda dice: Attribute(dice.choice(NAMES), is_=dice.choice(WORDS)),
    lambda dice: Attribute(dice.choice(NAMES), is_=dice.choice(WORDS)),
    lambda dice: Attribute(dice.choice(NAMES), is_not=dice.choice(WORDS)),
    lambda dice: Attribute(dice.choice(NAMES), one_of=_some(dice, WORDS)),
    lambda dice: Attribute(dice.choice(NAMES), begins_with=dice.choice(("g", "Pra"))),
    lambda dice: Attribute(dice.choice(NAMES), exists=dice.random() < 0.5),
    lambda dice: InGroup(dice.choice(("sales", "board"))),
    lambda dice: Platform(_some(dice, ("ios", "android"))),
    lambda dice: AppVersion(at_least=dice.choice(VERSIONS)),
    lambda dice: OsVersion(below=dice.choice(VERSIONS)),
    lambda dice: Locale(_some(dice, ("cs", "de-AT"))),
    lambda dice: Version(dice.random() < 0.5),
    lambda dice: Installs(at_least=dice.randint(0, 3)),
    lambda dice: AtOccasion(dice.choice((*Occasion,))),
    lambda dice: FromNetwork(_some(dice, ("10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"))),
    lambda dice: Expression(dice.choice(EXPRESSIONS)),
    _hours,
    _hours,
)


def condition(dice: Random, segments: Sequence[str] = (), depth: int = 3) -> AnyCondition:
    """A condition that may speak of these segments."""
    if segments and dice.random() < 0.2:
        return InSegment(dice.choice(segments))
    if depth == 0 or dice.random() < 0.5:
        return dice.choice(LEAVES)(dice)
    parts = tuple(condition(dice, segments, depth - 1) for _ in range(dice.randint(1, 3)))
    return dice.choice((All(parts), Any(parts), Not(parts[0])))


def _effects(dice: Random) -> tuple[AnyEffect, ...]:
    every: list[AnyEffect] = [
        SetKey(dice.choice(("X-a", "X-b")), dice.choice(("1", "two\nlines", '"')), dice.choice((*Strength,))),
        Blank(dice.choice(("X-c", "X-d"))),
        SetKey(dice.choice(("X-c", "X-d")), "<a>1</a>", markup=True),
        AddQuickDial(dice.choice(("desk", "lab")), dice.choice("12"), "Desk"),
        RemoveQuickDial(dice.choice(("desk", "lab"))),
        AddDialAction("autoCall", {"title": "Call", "uri": "{x}"}),
        RemoveDialAction("autoCall"),
        AtMostDevices(dice.randint(1, 3), dice.choice((*Overflow,)), "Enough."),
        Refuse("No."),
        LogOut("Out."),
    ]
    chosen = {effect.target(): effect for effect in dice.sample(every, dice.randint(0, 3))}
    return tuple(chosen.values())


def rollout(dice: Random) -> Rollout:
    """A percentage, or stages that grow."""
    of, salt = dice.choice((*Of,)), dice.choice(("", "salt"))
    if dice.random() < 0.5:
        return Rollout(dice.randint(0, WHOLE) / 100, of=of, salt=salt)
    count = dice.randint(1, 4)
    begin = sorted({_moment(dice) for _ in range(count)})
    shares = sorted(dice.randint(0, WHOLE) / 100 for _ in begin)
    guard = dice.choice((None, Guard()))
    stages = tuple(Stage(since, percent) for since, percent in zip(begin, shares, strict=True))
    return Rollout(stages=stages, of=of, salt=salt, guard=guard, opened=dice.randint(1, 3))


def _rule(dice: Random, identity: str) -> Rule:
    return Rule(
        identity,
        title="".join(_some(dice, "aé\"'\\\n\t{}")),
        enabled=dice.random() < 0.9,
        paused=dice.choice(("", "", "", "", "it hurt")),
        version=dice.randint(1, 5),
        author=dice.choice(("", "ann")),
        changed_s=dice.choice((0, SINCE_S)),
        when=None if dice.random() < 0.2 else condition(dice, SEGMENTS),
        rollout=rollout(dice) if dice.random() < 0.3 else None,
        effects=_effects(dice),
    )


def _policy(dice: Random) -> Policy:
    """A policy without faults; each segment speaks of those above it at most."""
    segments = tuple(Segment(name, condition(dice, SEGMENTS[:position])) for position, name in enumerate(SEGMENTS))
    count = dice.randint(0, 8)
    return Policy(dice.randint(0, 9), segments, tuple(_rule(dice, f"rule-{number}") for number in range(count)))


def _subject(dice: Random) -> Subject:
    """A subject of whom not everything is known."""
    return Subject(
        "Ann",
        dice.choice(("ann", "bob", "cyd", "")),
        dice.randint(SINCE_S, UNTIL_S),
        attributes={name: dice.choice((*WORDS, "")) for name in dice.sample(NAMES, dice.randint(0, 3))},
        groups=frozenset(dice.sample(("sales", "board"), dice.randint(0, 2))),
        platform=dice.choice((None, "", "iOS", "android")),
        app_version=dice.choice((None, "9.1", "9.10.0", "beta")),
        os_version=dice.choice((None, "9", "17.2")),
        locale=dice.choice((None, "cs_CZ", "de-DE")),
        editable=dice.random() < 0.5,
        installs=dice.randint(1, 4),
        occasion=dice.choice((*Occasion,)),
        network=dice.choice(("", "10.1.2.3", "2001:db8::1", "?")),
        install_id=dice.choice(("", "I1", "I2")),
    )


policies = _seeds.map(lambda seed: _policy(Random(seed)))
subjects = _seeds.map(lambda seed: _subject(Random(seed)))
rollouts = _seeds.map(lambda seed: rollout(Random(seed)))
conditions = _seeds.map(lambda seed: condition(Random(seed)))
