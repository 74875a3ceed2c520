"""Golden cases of the policy: a file says what it shows, holds the rules, asks for subjects, and lists the answers.

After the dashes stand what comes out: for each subject whether they are let in, the keys with their reasons, and why
the other rules did not match. A file without subjects lists the faults of its rules.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from offhook.core.errors import Invalid
from offhook.core.features import Features
from offhook.core.mergeable import USER, Value
from offhook.policy import document
from offhook.policy.acceptance import refusals
from offhook.policy.clock import day_and_time
from offhook.policy.evaluate import Compiled
from offhook.policy.guarding import Counts, Open, Pause, Steady, Wait, judge
from offhook.policy.resolution import Beaten, LetIn, Logout, Refusal, Resolution, Setting
from offhook.policy.rules import Policy
from offhook.policy.subject import Occasion, Subject

DASHES: Final = "-" * 40 + "\n"
NOON: Final = "2026-11-02T12:00:00+00:00"
DEVICE: Final = {"app": "app_version", "os": "os_version"} | {
    name: name for name in ("platform", "locale", "network", "install_id")
}


def play(case: str) -> str:
    """What comes out of the case."""
    _, _, rest = case.partition("== rules\n")
    rest, _, guarded = rest.partition("== guard\n")
    rules, _, asked = rest.partition("== ask\n")
    try:
        policy = document.parse(rules)
    except Invalid as error:
        return "".join(f"{fault}\n" for fault in error.faults)
    compiled = Compiled(policy)
    answers = [line for ask in asked.splitlines() if ask.strip() for line in _answer(compiled, ask)]
    answers += [_ruling(policy, line) for line in guarded.splitlines() if line.strip()]
    return "".join(f"{line}\n" for line in answers)


def subject_of(ask: str) -> tuple[Subject, dict[str, str]]:
    """The subject that a line describes: a name, then what is known; what is no fact is an attribute."""
    name, *words = shlex.split(ask)
    told = dict(word.split("=", 1) for word in words)
    facts = {field: told.pop(word, None) for word, field in DEVICE.items()}
    other = {word: told.pop(word) for word in [*told] if word.startswith("chose.") or word == "features"}
    subject = Subject(
        name,
        name.casefold(),
        int(datetime.fromisoformat(told.pop("at", NOON)).timestamp()),
        groups=frozenset(told.pop("groups", "").split(",")) - {""},
        platform=facts["platform"],
        app_version=facts["app_version"],
        os_version=facts["os_version"],
        locale=facts["locale"],
        editable=told.pop("version", "live") == "editable",
        installs=int(told.pop("installs", "1")),
        occasion=Occasion(told.pop("occasion", "sign_in")),
        network=facts["network"] or "",
        install_id=facts["install_id"] or "",
        attributes=told,
    )
    return subject, other


def _answer(compiled: Compiled, ask: str) -> Iterator[str]:
    subject, other = subject_of(ask)
    resolution = compiled.resolve(subject)
    yield f"== {ask}"
    yield from _verdict(resolution)
    features = None
    if "features" in other:
        features = Features.parse(dict.fromkeys(filter(None, other["features"].split(",")), True))
    chosen = {key[6:]: Value(text, USER, "user") for key, text in other.items() if key.startswith("chose.")}
    kept_out = refusals(resolution.settings, features, chosen)
    for key, setting in resolution.settings.items():
        yield f"{key} = {_value(setting)}"
        yield f"    {setting.reason}"
        if key in kept_out:
            yield f"    The app ignores it: {kept_out[key]}."
        yield from _beaten(setting.beaten)
    for name, dial in resolution.quick_dials.items():
        yield f"quick dial {name}: {f'{dial.item.display_name!r} calls {dial.item.uri}' if dial.item else 'removed'}"
        yield f"    {dial.reason}"
        yield from _beaten(dial.beaten)
    for name, action in resolution.dial_actions.items():
        yield f"dial action {name}: {'left out' if action.values is None else dict(action.values)}"
        yield f"    {action.reason}"
        yield from _beaten(action.beaten)
    yield from _others(compiled, subject, resolution)


def _verdict(resolution: Resolution) -> Iterator[str]:
    match resolution.verdict:
        case LetIn():
            yield "let in"
        case Refusal(message=message, reason=reason):
            yield f"refused: {message}"
            yield f"    {reason}"
        case Logout(message=message, reason=reason):
            yield f"logged out: {message}"
            yield f"    {reason}"
    if limit := resolution.device_limit:
        yield f"devices: {limit.count}, then {limit.then}"
        yield f"    {limit.reason}"


def _value(setting: Setting) -> str:
    if not setting.sent:
        return f"(not sent again; {setting.value} at the sign-in)"
    return f"{setting.value or '(blank)'} (rank {setting.rank})"


def _beaten(beaten: tuple[Beaten, ...]) -> Iterator[str]:
    for one in beaten:
        yield f"    beats {one.value or 'nothing'}: {one.reason}"


def _others(compiled: Compiled, subject: Subject, resolution: Resolution) -> Iterator[str]:
    for trace in compiled.trace(subject):
        if trace.matched is not True:
            yield f"{'no' if trace.matched is False else 'not known'}: {trace.reason}"
    if resolution.next_flip_s is not None:
        yield f"may change by itself: {day_and_time(resolution.next_flip_s)}"


def _ruling(policy: Policy, line: str) -> str:
    """A line is: a moment, then what became of the phones with the rule, then of the others."""
    at, *words = shlex.split(line)
    told = {name: int(number) for name, _, number in (word.partition("=") for word in words)}
    ours = Counts(told.pop("asked"), told.pop("missing", 0), told.pop("unregistered", 0), told.pop("refused", 0))
    theirs = Counts(told.pop("others", 0), **{name.removeprefix("others_"): number for name, number in told.items()})
    rollout = policy.rules[0].rollout
    assert rollout is not None
    match judge(rollout, ours, theirs, int(datetime.fromisoformat(at).timestamp())):
        case Pause(reason):
            return f"{line}\n    pause: {reason}"
        case Wait(reason):
            return f"{line}\n    wait: {reason}"
        case Open(opened):
            return f"{line}\n    open stage {opened}"
        case Steady():
            return f"{line}\n    go on"
