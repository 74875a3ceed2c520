"""A TOML table while it is read: what is asked for is known, what is left over is a fault, and every fault is kept."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from offhook.core import xml
from offhook.core.errors import Fault, Invalid
from offhook.core.keys import near
from offhook.core.kinds import quoted

MAX_CHARACTERS: Final = 1024 * 1024
_KINDS: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number with a fraction",
    str: "a text",
    dict: "a table",
    list: "a list",
}
T = TypeVar("T")


def parse(text: str, name: str) -> dict[str, Any]:
    """A TOML document of that name; raises Invalid that says where it breaks."""
    if len(text) > MAX_CHARACTERS:
        raise Invalid.at(name, f"is larger than {MAX_CHARACTERS:,} characters")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid.at(name, f"is not TOML: {error}") from None
    except RecursionError:
        raise Invalid.at(name, "is nested too deeply") from None


class Table:
    """One table, its place, and the faults found so far, which it shares with the tables inside it."""

    def __init__(self, content: Mapping[str, Any], place: str = "", faults: list[Fault] | None = None) -> None:
        self.content = content
        self.place = place
        self.faults: list[Fault] = [] if faults is None else faults
        self._asked: dict[str, None] = {}

    def text(self, name: str, default: str = "") -> str:
        """A text."""
        found = self._take(name, str, default)
        if reason := xml.forbidden(found):
            self.fault(name, reason)
        return found

    def switch(self, name: str, *, default: bool) -> bool:
        """True or false."""
        return self._take(name, bool, default)

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number within limits."""
        found = self._take(name, int, default)
        if least <= found <= most:
            return found
        self.fault(name, f"is {found}, where {least:,} to {most:,} is possible")
        return default

    def table(self, name: str) -> Table:
        """A table inside this one; empty when it is not there."""
        empty: dict[str, Any] = {}
        return Table(self._take(name, dict, empty), self.inside(name), self.faults)

    def tables(self, name: str) -> list[Table]:
        """The tables of an array of tables."""
        empty: list[Any] = []
        found = [
            Table(item, f"{self.inside(name)}[{position}]", self.faults) if isinstance(item, dict) else item
            for position, item in enumerate(self._take(name, list, empty), start=1)
        ]
        for item in found:
            if not isinstance(item, Table):
                self.fault(name, f"holds {kind_of(item)}; begin each entry with [[{self.inside(name)}]]")
        return [item for item in found if isinstance(item, Table)]

    def has(self, name: str) -> bool:
        """Whether the name is there; from now on it is known."""
        self._asked[name] = None
        return name in self.content

    def rest(self) -> dict[str, Any]:
        """What nobody has asked for by name; from now on it is known."""
        left = {name: value for name, value in self.content.items() if name not in self._asked}
        self._asked.update(dict.fromkeys(left))
        return left

    def fault(self, name: str, text: str) -> None:
        """Note what is wrong with a name of this table."""
        self.faults.append(Fault(self.inside(name), text))

    def finish(self) -> None:
        """Note each name that nobody has asked for as a fault, with the ones it may have been meant for."""
        for name in self.content:
            if name not in self._asked:
                self.fault(name, f"is not known here; {meant(name, self._asked)}")

    def inside(self, name: str) -> str:
        """The place of a name of this table."""
        return f"{self.place}.{name}" if self.place else name

    def _take(self, name: str, kind: type[T], default: T) -> T:
        if not self.has(name):
            return default
        found = self.content[name]
        if type(found) is kind:  # not isinstance: true is no number
            return found
        self.fault(name, f"is {kind_of(found)}, where {_KINDS[kind]} belongs")
        return default


def kind_of(found: object) -> str:
    """What somebody wrote, in words."""
    return _KINDS.get(type(found), "a date or time")


def meant(name: str, known: Iterable[str]) -> str:
    """A question or a list, for a name that is not known."""
    names = tuple(known)
    close = near(name, names)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there is {', '.join(names)}" if len(names) <= 12 else f"{quoted(name)} is like nothing that is known"
