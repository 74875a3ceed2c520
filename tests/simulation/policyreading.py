"""A policy as its file says, read by a few lines of our own: what it gives whom at what moment."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias

from offhook.policy.rollout import lot

Rule: TypeAlias = Mapping[str, Any]

# One key for each thing that a rule may do with one. Only the first is in the template as well, so that something else
# is sent where no rule sets it; what is not sent of the others stays on the phone (D5).
PLAIN: Final = "X-rule-plain"
BARE: Final = "X-rule-bare"
LOCKED: Final = "X-rule-locked"
ONCE: Final = "X-rule-once"
FAULT: Final = "X-fault"
FLOOR: Final = "of the template"
CHECKED: Final = (PLAIN, BARE, LOCKED)


class Who(NamedTuple):
    """Whoever asks, as far as the rules of a simulation care."""

    username: str
    install_id: str
    tier: str
    platform: str


class Given(NamedTuple):
    """What is said to them: the values by key and by which rule; a verdict in place of an account, if there is one."""

    values: dict[str, str]
    verdict: str = ""
    matched: frozenset[str] = frozenset()


class Reading:
    """One version of a policy."""

    def __init__(self, text: str) -> None:
        self.rules: list[Rule] = tomllib.loads(text).get("rules", [])
        self.limits = any(effect["do"] == "at_most_devices" for rule in self.rules for effect in rule.get("then", []))

    def rule(self, identity: str) -> Rule | None:
        """A rule by its id."""
        return next((rule for rule in self.rules if rule["id"] == identity), None)

    @property
    def active(self) -> set[str]:
        """Those that are for somebody."""
        return {rule["id"] for rule in self.rules if is_active(rule)}

    def given(self, who: Who, now_s: int) -> Given:
        """What it gives somebody who asks again; of two rules the upper one decides."""
        values, verdict, matched = {PLAIN: FLOOR}, "", []
        taken: set[str] = set()
        for rule in self.rules:
            if not is_active(rule) or not _holds(rule, who, now_s):
                continue
            matched.append(rule["id"])
            for effect in rule.get("then", []):
                if effect["do"] in {"set", "blank"} and effect["key"] not in taken:
                    taken.add(effect["key"])
                    values[effect["key"]] = effect.get("value", "")
                elif effect["do"] in {"refuse", "log_out"}:
                    verdict = verdict or effect["do"]
        return Given(values, verdict, frozenset(matched))

    def strokes(self, since_s: int, until_s: int) -> Iterator[int]:
        """The moments within a span at which somebody may get something else by itself."""
        for rule in self.rules:
            for stage in rule.get("rollout", {}).get("stages", []):
                yield int(stage["since"].timestamp())
            yield from _strokes(rule.get("when"), since_s, until_s)


def is_active(rule: Rule) -> bool:
    """Whether it is not at rest."""
    return not rule.get("paused") and rule.get("enabled", True)


def share(rollout: Mapping[str, Any], now_s: int) -> int:
    """For how many it is, in hundredths of a percent."""
    if "percent" in rollout:
        return round(float(rollout["percent"]) * 100)
    stages = rollout["stages"][: rollout.get("opened", 1)] if "guard" in rollout else rollout["stages"]
    percents: list[float] = [one["percent"] for one in stages if one["since"].timestamp() <= now_s]
    return round(max(percents, default=0) * 100)


def _holds(rule: Rule, who: Who, now_s: int) -> bool:
    if "when" in rule and not _is_true(rule["when"], who, now_s):
        return False
    rollout = rule.get("rollout")
    if rollout is None:
        return True
    drawer = who.install_id if rollout.get("of") == "installs" else who.username
    # How a lot is drawn is a matter of definition, so that nobody else's way of drawing would do.
    return lot(drawer, rollout.get("salt") or rule["id"]) < share(rollout, now_s)


def _is_true(when: Mapping[str, Any], who: Who, now_s: int) -> bool:
    match when["if"]:
        case "attribute":
            return bool(who.tier == when["is"])
        case "platform":
            return who.platform in when["one_of"]
        case "not":
            return not _is_true(when["of"], who, now_s)
        case "all":
            return all(_is_true(one, who, now_s) for one in when["of"])
        case "any":
            return any(_is_true(one, who, now_s) for one in when["of"])
        case _:
            return _is_now(when, now_s)


def _is_now(when: Mapping[str, Any], now_s: int) -> bool:
    if "from" in when:
        minute = now_s % 86400 // 60
        return _minute(when["from"]) <= minute < _minute(when["to"])
    return bool(when["since"].timestamp() <= now_s < when["until"].timestamp())


def _strokes(when: Mapping[str, Any] | None, since_s: int, until_s: int) -> Iterator[int]:
    match (when or {}).get("if"):
        case "not":
            yield from _strokes(when["of"], since_s, until_s)  # type: ignore[index]  # it has one
        case "all" | "any":
            for one in when["of"]:  # type: ignore[index]  # it has some
                yield from _strokes(one, since_s, until_s)
        case "during" if when is not None and "from" in when:
            midnight_s = since_s - since_s % 86400
            for day_s in range(midnight_s, until_s + 86400, 86400):
                yield from (day_s + 60 * _minute(when[name]) for name in ("from", "to"))
        case "during" if when is not None:
            yield from (int(when[name].timestamp()) for name in ("since", "until"))


def _minute(written: str) -> int:
    hours, _, minutes = written.partition(":")
    return int(hours) * 60 + int(minutes)


def moment(at_s: float) -> datetime:
    """As a policy writes it."""
    return datetime.fromtimestamp(int(at_s), UTC)
