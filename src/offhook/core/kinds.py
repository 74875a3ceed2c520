"""The kinds of value that a key can hold, and what to tell a person whose text is none of its kind."""

from __future__ import annotations

import difflib
import re
from typing import Final, TypeAlias

import msgspec

from offhook.core.numbers import whole

_SHOWN: Final = 40
_DIGITS: Final = 18
_ADDRESS: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(?P<port>[0-9]{1,5}))?")
_WEB_ADDRESS: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://[^\s/?#]\S*")


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Any text."""

    def fault(self, content: str) -> str | None:
        """None: every text will do."""
        return None

    def __str__(self) -> str:
        return "any text"


class Switch(msgspec.Struct, frozen=True, tag="switch"):
    """On or off. Only the digits count: an app takes any other text for "use the default"."""

    def fault(self, content: str) -> str | None:
        """What is wrong with the text, or None."""
        return None if content in {"0", "1"} else f"{quoted(content)} is neither 1 (on) nor 0 (off)"

    def __str__(self) -> str:
        return "0 or 1"


class Whole(msgspec.Struct, frozen=True, tag="whole"):
    """A whole number, perhaps with a least and then perhaps a largest, perhaps of a unit."""

    least: int | None = None
    most: int | None = None
    unit: str = ""

    def fault(self, content: str) -> str | None:
        """What is wrong with the text, or None."""
        number = whole(content, _DIGITS) if content == content.strip() else None
        if number is None:
            return f"{quoted(content)} is not a whole number"
        if self.least is not None and number < self.least:
            return f"{content} is too small: at least {self._measured(self.least)}"
        if self.most is not None and number > self.most:
            return f"{content} is too large: at most {self._measured(self.most)}"
        return None

    def _measured(self, number: int) -> str:
        return f"{number} {self.unit}".rstrip()

    def __str__(self) -> str:
        measured = f"a whole number of {self.unit}" if self.unit else "a whole number"
        if self.least is None:
            return measured
        return (
            f"{measured}, {self.least} or more" if self.most is None else f"{measured} from {self.least} to {self.most}"
        )


class Choice(msgspec.Struct, frozen=True, tag="choice"):
    """One of these words and no other."""

    words: tuple[str, ...]
    any_case: bool = False

    def fault(self, content: str) -> str | None:
        """What is wrong with the text, or None."""
        if content in self.words:
            return None
        if self.any_case and content.lower() in {word.lower() for word in self.words}:
            return None
        near = difflib.get_close_matches(content[:_SHOWN], self.words, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        return f"{quoted(content)} is none of {', '.join(self.words)}{meant}"

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}"


class Word(msgspec.Struct, frozen=True, tag="word"):
    """A word out of a list that is known in part: others may be right, so none is refused."""

    seen: tuple[str, ...] = ()

    def fault(self, content: str) -> str | None:
        """What is wrong with the text, or None."""
        return None if len(content.split()) == 1 else f"{quoted(content)} is not a single word"

    def doubt(self, content: str) -> str | None:
        """What to say of a word that nobody has been seen to use, or None."""
        if not self.seen or content in self.seen:
            return None
        return f"{quoted(content)} is none of the words that are known here ({', '.join(self.seen)})"

    def __str__(self) -> str:
        return f"a word such as {', '.join(self.seen)}" if self.seen else "a word"


class Listing(msgspec.Struct, frozen=True, tag="listing"):
    """Several items with commas between them, the preferred one first."""

    item: Whole | Choice | Word

    def fault(self, content: str) -> str | None:
        """What is wrong with the first faulty item, or None."""
        items = [item.strip() for item in content.split(",")]
        for position, item in enumerate(items):
            if not item:
                return "has an empty item between its commas"
            if fault := self.item.fault(item):
                return fault
            if item in items[:position]:
                return f"names {quoted(item)} twice"
        return None

    def __str__(self) -> str:
        return f"a list with commas, each item {self.item}"


class Address(msgspec.Struct, frozen=True, tag="address"):
    """A host name or address, perhaps with a port."""

    def fault(self, content: str) -> str | None:
        """What is wrong with the text, or None."""
        if content.lower().startswith(("sip:", "sips:", "http:", "https:")):
            return "holds a whole address: only host or host:port belongs here"
        found = _ADDRESS.fullmatch(content)
        if found is None:
            return f"{quoted(content)} is not host or host:port"
        if found["port"] and not 0 < int(found["port"]) < 65536:
            return f"{found['port']} is not a port: 1 to 65535"
        return None

    def __str__(self) -> str:
        return "host or host:port"


class WebAddress(msgspec.Struct, frozen=True, tag="web_address"):
    """The address of a web service. It may hold passwords, so what is said of it never quotes it."""

    schemes: tuple[str, ...] = ("http", "https")

    def fault(self, content: str) -> str | None:
        """What is wrong with the text, or None."""
        found = _WEB_ADDRESS.fullmatch(content)
        if found is None:
            return "is not a web address: it needs a scheme and a host, and no blanks"
        if found["scheme"].lower() not in self.schemes:
            return f"starts with {found['scheme'][:_SHOWN]}://, where only {' or '.join(self.schemes)} works"
        return None

    def __str__(self) -> str:
        return f"a web address, {' or '.join(self.schemes)}"


class Tree(msgspec.Struct, frozen=True, tag="tree"):
    """Elements, which count as one value together."""

    def fault(self, content: str) -> str | None:
        """What is wrong with a text; elements are looked at where their meaning is known."""
        return "holds a text, where only elements have a meaning"

    def __str__(self) -> str:
        return "elements"


Kind: TypeAlias = Text | Switch | Whole | Choice | Word | Listing | Address | WebAddress | Tree


def quoted(content: str) -> str:
    """The text between quotes, cut short, fit for one line."""
    line = "".join(character for character in " ".join(content.split()) if character.isprintable())
    return f'"{line[:_SHOWN]}…"' if len(line) > _SHOWN else f'"{line}"'
