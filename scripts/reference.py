"""Writes the reference pages that are tables of the code: of keys, features, states of a phone, and policies."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from offhook.core.catalogue import KEYS
from offhook.core.catalogue.patterns import PATTERNS
from offhook.core.features import FEATURES, Feature, gating
from offhook.core.keys import Key, Service
from offhook.phone import states
from offhook.phone.states import Transition
from offhook.policy import examples, kinds
from offhook.policy.kinds import Shape

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "reference"

_GENERATED: Final = "<!-- Written by scripts/reference.py from the tables of the code: change those, then run it. -->"
_ABOUT_KEYS: Final = """\
What an account document may hold. A key is a child of `<account>`; upper and lower case count; a key that is not listed
is kept as a parameter of your own, and a web service reads it with `%account[name]%`.

**Known from** says how much to trust a row. *documented*: a public page describes it. *seen*: it stands in shipped
defaults or in running services. *inferred*: the name is certain, its meaning was read off the name.
"""
_ABOUT_SERVICES: Final = """\
A web service is a family of keys: each prefix below takes each suffix, so `extProv` and `Url` make `extProvUrl`.
"""
_ABOUT_FEATURES: Final = """\
An app is licensed for features. Where one is missing, the app ignores what a provider sends for its keys and says so;
what the portal's own base says is always taken. Keys that stand nowhere below are free.
"""
_ABOUT_STATES: Final = """\
A phone is in one of these states, and there is no way between them but the arrows: the code asserts it. A phone that
starts finds itself signed out, running, or in the middle of a logout that a crash interrupted, which then goes on.
"""
_ABOUT_POLICY: Final = """\
A policy is a TOML file (or JSON, with the same names): segments and rules, in the order in which you write them. All
rules that match an account are laid into it, and of two that decide the same thing the upper one counts. `offhook
policy plan CLOUDID FILE` says what is wrong with a file, by line, and whom it would change; `offhook policy kinds NAME`
prints a piece of this page. What a fact is not known of (an app that does not tell its platform, say) neither a
condition nor its opposite holds. The file that `policy export` writes begins with `number`, the version that it is:
publishing it later is refused where it would undo what became Live meanwhile.
"""
_ABOUT_CEL: Final = """\
The condition `expression` holds when an expression in [CEL](https://cel.dev) is true. It knows no time, so that an
answer changes only with what it is made from; for hours there is `during`. It has at most 1,000 characters, and what it
costs is bounded.
"""


def account_keys() -> str:
    """The page of all keys."""
    heading = ("Key", "Value", "Default", "Meaning", "Known from")
    sections = [f"## {one.title}\n\n{_table(heading, map(_key, one.keys))}" for one in KEYS.sections]
    return _page(
        "Keys of an account",
        _ABOUT_KEYS,
        *sections,
        "## Web services",
        _ABOUT_SERVICES,
        _table(("Prefix", "What it is for", "Set in", "Known from"), map(_service, KEYS.services)),
        _table(("Suffix", "Value", "Default", "Meaning"), (_key(suffix)[:-1] for suffix in KEYS.suffixes)),
        "## Attributes and elements",
        _table(heading, map(_key, PATTERNS)),
    )


def features() -> str:
    """The page of all features."""
    heading = ("Feature", "Written as", "What it is for", "Keys it covers")
    return _page("Features", _ABOUT_FEATURES, _table(heading, map(_feature, FEATURES)))


def phone_states() -> str:
    """The page of the states of a phone."""
    heading = ("From", "To", "When")
    diagram = f"```mermaid\n{states.diagram()}\n```"
    return _page("States of a phone", _ABOUT_STATES, diagram, _table(heading, map(_transition, states.TRANSITIONS)))


def policy() -> str:
    """The page of what a policy can hold."""
    sections: list[str] = []
    for group in kinds.groups():
        sections += [f"## {group.title}\n\n{group.about}", *map(_kind, group.kinds)]
    read = ((f"`{name}`", meaning) for name, meaning in examples.VARIABLES.items())
    called = ((name, f"`{text}`") for name, text in examples.FUNCTIONS.items())
    return _page(
        "What a policy can hold",
        _ABOUT_POLICY,
        *sections,
        f"## Expressions\n\n{_ABOUT_CEL}",
        _table(("Name", "What it is"), read),
        _table(("Made of", "Such as"), called),
    )


def _kind(kind: Shape) -> str:
    rows = (
        (f"`{one.name}`", one.value.replace("\n", " "), "needed" if one.needed else one.default and f"`{one.default}`")
        for one in kind.fields
    )
    about = kind.about.replace("\n", "\n\n")
    table = _table(("Field", "What it holds", "Left out"), rows)
    return f"### `{kind.written}`\n\n{about}\n\n{table}\n\n```toml\n{kind.example}```"


def pages() -> dict[Path, str]:
    """Each page and what it has to say."""
    return {
        FOLDER / "account-keys.md": account_keys(),
        FOLDER / "features.md": features(),
        FOLDER / "phone-states.md": phone_states(),
        FOLDER / "policy.md": policy(),
    }


def _page(title: str, *pieces: str) -> str:
    return "\n\n".join((f"# {title}", _GENERATED, *(piece.rstrip() for piece in pieces))) + "\n"


def _key(key: Key) -> tuple[str, ...]:
    needed = gating(key.name)
    licence = f" Needs {' or '.join(f'`{one.name}`' for one in needed)}." if needed else ""
    default = f"`{key.default}`" if key.default else ""
    return f"`{key.name}`", str(key.kind), default, key.summary + licence, key.evidence


def _service(service: Service) -> tuple[str, ...]:
    return f"`{service.prefix}`", service.summary, "portal" if service.portal_only else "account", service.evidence


def _feature(feature: Feature) -> tuple[str, ...]:
    setting = '"example.com"' if feature.bounded else "true"
    covered = [*(f"`{key}`" for key in feature.keys), *(f"`{prefix}…`" for prefix in feature.prefixes)]
    return f"`{feature.name}`", f"`{feature.name} = {setting}`", feature.summary, ", ".join(covered)


def _transition(one: Transition) -> tuple[str, ...]:
    return one.origin.value, one.target.value, one.when


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
