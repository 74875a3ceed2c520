"""Words of rules that nobody has: attributes, their values, groups and platforms that no user or phone is known by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from offhook.core.diagnostics import Diagnostic
from offhook.core.keys import near
from offhook.policy.conditions import reach
from offhook.policy.facts import Attribute, InGroup, Platform, one_of, shown
from offhook.policy.rules import Policy
from offhook.policy.stamping import said, segments_of
from offhook.provider.circumstances import GROUPS, PLATFORMS
from offhook.provider.population import Member

# So many different words are kept in mind, to say what may have been meant.
_MOST: Final = 500
# No attribute is called so: the names of all attributes, and the groups.
_NAMES: Final = ""
_GROUPS: Final = ","


class Vocabulary:
    """What the rules that differ from the Live ones ask for, and what is met of it while users are looked at."""

    def __init__(self, live: Policy | None, new: Policy) -> None:
        live = live or Policy()
        ours, theirs = segments_of(new), segments_of(live)
        known = {rule.id: said(rule, theirs) for rule in live.rules}
        self._asked: dict[Attribute | InGroup | Platform, str] = {}
        for rule in new.rules:
            if rule.active and rule.when is not None and known.get(rule.id) != said(rule, ours):
                for one in reach(rule.when, ours):
                    if isinstance(one, Attribute | InGroup | Platform):
                        self._asked.setdefault(one, rule.id)
        self._names = {one.name for one in self._asked if isinstance(one, Attribute)}
        self._groups = {one.group for one in self._asked if isinstance(one, InGroup)}
        self._met: dict[str, set[str]] = defaultdict(set)
        self._platforms: set[str] = set()
        self._wanted = {(one.name, word) for one in self._asked if isinstance(one, Attribute) for word in _words(one)}
        self._begun: set[Attribute] = set()

    def heard(self, members: Iterable[Member]) -> Iterator[Member]:
        """The users, one after the other, while their words are noted."""
        for subscriber, phones in members:
            if self._asked:
                self._note(subscriber.attributes)
                for phone in phones:
                    _keep(self._platforms, phone.circumstances.platform.casefold())
            yield subscriber, phones

    def remarks(self) -> Iterator[Diagnostic]:
        """Which words nobody has, and what may have been meant; nothing where there is nobody."""
        if not self._met:
            return
        for one, rule in self._asked.items():
            yield from (Diagnostic(f"rule {rule}", text) for text in self._of(one))

    def _note(self, attributes: Mapping[str, str]) -> None:
        for name, text in attributes.items():
            if not text:
                continue
            _keep(self._met[_NAMES], name, wanted=name in self._names)
            if name == GROUPS:
                for group in map(str.strip, text.split(",")):
                    _keep(self._met[_GROUPS], group, wanted=group in self._groups)
            if name in self._names:
                _keep(self._met[name], text, wanted=(name, text) in self._wanted)
                for one in self._asked:
                    if isinstance(one, Attribute) and one.name == name and one.begins_with is not None:
                        self._begun |= {one} if text.startswith(one.begins_with) else set()

    def _of(self, one: Attribute | InGroup | Platform) -> Iterator[str]:
        match one:
            case Attribute():
                yield from self._of_attribute(one)
            case InGroup():
                groups = self._met[_GROUPS]
                if one.group not in groups:
                    yield f"no user is in group {shown(one.group)}{_meant(one.group, groups)}"
            case Platform():
                for word in one.one_of:
                    if word.strip().casefold() not in self._platforms | PLATFORMS:
                        heard = one_of(sorted(self._platforms | PLATFORMS))
                        yield f"no phone is known to run on {shown(word)}; they say {heard}"

    def _of_attribute(self, one: Attribute) -> Iterator[str]:
        names = self._met[_NAMES]
        if one.name not in names:
            if one.exists is not False:
                yield f"no user has the attribute {shown(one.name)}{_meant(one.name, names)}"
            return
        for word in _words(one):
            if word not in self._met[one.name]:
                yield f"no user's {shown(one.name)} is {shown(word)}{_meant(word, self._met[one.name])}"
        if one.begins_with is not None and one not in self._begun:
            yield f"no user's {shown(one.name)} begins with {shown(one.begins_with)}"


def _words(one: Attribute) -> tuple[str, ...]:
    """The values that somebody should have, or the condition says the same of everybody."""
    return tuple(word for word in (one.is_, one.is_not, *(one.one_of or ())) if word is not None)


def _keep(words: set[str], word: str, *, wanted: bool = False) -> None:
    if word and (wanted or len(words) < _MOST):
        words.add(word)


def _meant(word: str, words: Iterable[str]) -> str:
    meant = near(word, words)
    return f"; did you mean {shown(meant[0])}?" if meant else ""
