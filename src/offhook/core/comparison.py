"""Two accounts compared by what an app makes of them, key by key; what has to differ is told apart."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus, urlsplit

from offhook.core import dialplan, webservice, xml
from offhook.core.dialplan import GlobalPart, QuickDials
from offhook.core.keys import is_secret
from offhook.core.masking import masked
from offhook.core.meaning import is_default, meaning
from offhook.core.mergeable import Value
from offhook.core.secret import MASK, Discreet

# A shorter word stands in many texts by chance, so only a value that is nothing else is taken for it.
_LEAST_WORD: Final = 4
# What a switch says is no secret, whatever else says the same.
_SWITCHES: Final = frozenset({"", "0", "1"})
# What each service makes for one install.
_INSTALL: Final = "X-install-id"
_CREDENTIAL: Final = "cloud_password"
_WHY_OWN: Final[Mapping[str, str]] = {
    _INSTALL: "each service numbers its installs itself",
    _CREDENTIAL: "each service gives what a phone comes back with; ours is a token, and if another service of yours "
    "checks the password itself, import with --credential password",
}
_WHY_ADDED: Final[Mapping[str, str]] = {
    _INSTALL: "ours numbers its installs",
    _CREDENTIAL: "ours gives each install a token to come back with",
    "cloud_username": "ours names whom the token belongs to",
}
_SERVICES: Final = (
    webservice.REPROVISIONING,
    webservice.GLOBAL_REPROVISIONING,
    webservice.REMOVAL_REPORTER,
    webservice.PUSH_TOKEN_REPORTER,
)
# How a service is called. How often, and which answer logs out, is not among it: that should be the same.
_ADDRESSED: Final = ("Url", "Method", "PostData", "ContentType", "AuthUsername", "AuthPassword", "CustomHeaders")
_DEFINITIONS: Final = frozenset(prefix + suffix for prefix in _SERVICES for suffix in _ADDRESSED)
_WHY_SERVICE: Final = "each service names its own address, and what is to be sent there"


class What(StrEnum):
    """In what two values of a key differ, and what that does to a phone."""

    VALUE = "another value"
    TOKEN = "ours holds the phone's token where theirs holds a password: who checks passwords will refuse it"
    NO_SWITCH = "a switch that is neither 0 nor 1 does what the app does by itself, whatever word stands there"
    BLANKS = "the same value, but for blanks around it"
    RANK = "another rank"
    NOT_OURS = "only theirs sends it; with ours, phones keep what they have, and new ones have none"
    NOT_THEIRS = "only ours sends it"
    NOT_BLANKED = "only theirs takes it away, by sending it empty; with ours, phones keep what they have"
    BLANKED = "only ours takes it away, by sending it empty"


class Difference(Discreet, frozen=True):
    """One difference in one key, with both values as anybody may see them; None for one that was not sent.

    `expected` says why it has to be so; it is empty when it has not.
    """

    key: str
    what: What
    theirs: str | None
    ours: str | None
    expected: str = ""

    def __str__(self) -> str:
        return f"{self.key}, {self.what.name}"


def compare(
    theirs: Mapping[str, Value], ours: Mapping[str, Value], secrets: Iterable[str] = ()
) -> tuple[Difference, ...]:
    """All differences, in the order of their keys in `theirs` and then in `ours`.

    `secrets` are further words that must not be seen, such as the password that was sent. The order of keys has no
    meaning, what is not sent stays on a phone, and what is sent empty is taken away (D5).
    """
    secrets = tuple(secrets)
    veil = Veil((*secrets, *_secrets(theirs), *_secrets(ours)))
    own = _Own.of(theirs, ours, secrets)
    return tuple(
        difference for key in {**theirs, **ours} for difference in _of(key, theirs.get(key), ours.get(key), veil, own)
    )


def compare_common(theirs: GlobalPart, ours: GlobalPart, secrets: Iterable[str] = ()) -> tuple[Difference, ...]:
    """The same for two global parts, whose things are called `quickDial ID/uri`, `dialAction ID/title` and the like."""
    return compare(dict(_flat(theirs)), dict(_flat(ours)), secrets)


def stays_behind(theirs: Mapping[str, Value], ours: Mapping[str, Value], host: str) -> Iterator[str]:
    """The keys of our account that lead a phone back for its later questions: to `host`, or where theirs leads it."""
    for prefix in _SERVICES:
        key = f"{prefix}Url"
        found = _host(ours[key].content) if key in ours else ""
        if found and found in {host.lower(), _host(theirs[key].content) if key in theirs else ""}:
            yield key


class Veil:
    """Hides secrets by their keys, and by themselves wherever else they stand."""

    def __init__(self, words: Iterable[str]) -> None:
        bare = {each for word in words for each in (word, word.strip())}
        spelled = {spelling for word in bare - _SWITCHES for spelling in _spellings(word)}
        self._short = {word for word in spelled if len(word) < _LEAST_WORD}
        # The longest first, since one may be a part of another. An escape can be written in small letters as well.
        words = sorted(spelled - self._short, key=len, reverse=True)
        self._words = re.compile("|".join(map(re.escape, words)), re.IGNORECASE) if words else None

    def over(self, text: str) -> str:
        """A text without those words."""
        if text in self._short:
            return MASK
        return text if self._words is None else self._words.sub(MASK, text)

    def value(self, key: str, value: Value) -> str:
        """What may be seen of a value."""
        if value.markup and (is_secret(key) or _tells(value)):
            return MASK
        return self.over(value.content if value.markup else masked(key, value.content))


def _tells(value: Value) -> bool:
    """Whether elements may hold a secret: by a name among them, or in an address."""
    nodes = [node for child in value.children() for node in child.iter()]
    names = [str(name) for node in nodes for name in (node.tag, *node.keys())]
    return "://" in value.content or any(map(is_secret, names))


class _Side(NamedTuple):
    """The words that one service made for the install, or that the user typed: they stand in further values."""

    install: tuple[str, ...]
    credential: tuple[str, ...]

    @classmethod
    def of(cls, values: Mapping[str, Value], typed: tuple[str, ...]) -> _Side:
        return cls(_words(values, _INSTALL), (*_words(values, _CREDENTIAL), *typed))

    def leaves(self, key: str, value: Value, *, credential: bool) -> Hashable:
        """What a value means with a mark in the place of these words."""
        told = value.content
        for word in self.install:
            told = _without(told, word, _INSTALL)
        for word in self.credential if credential else ():
            told = _without(told, word, _CREDENTIAL)
        return meaning(key, _with(value, told))


class _Own(NamedTuple):
    """Those of both services."""

    theirs: _Side
    ours: _Side

    @classmethod
    def of(cls, theirs: Mapping[str, Value], ours: Mapping[str, Value], typed: tuple[str, ...]) -> _Own:
        return cls(_Side.of(theirs, typed), _Side.of(ours, typed))

    def makes(self, key: str, theirs: Value, ours: Value, *, credential: bool) -> bool:
        """Whether two values differ by nothing but these words."""
        left = self.theirs.leaves(key, theirs, credential=credential)
        return left == self.ours.leaves(key, ours, credential=credential)


def _words(values: Mapping[str, Value], key: str) -> tuple[str, ...]:
    value = values.get(key)
    return (value.content,) if value is not None and _says(value) and not value.markup else ()


def _of(key: str, theirs: Value | None, ours: Value | None, veil: Veil, own: _Own) -> Iterator[Difference]:
    shown_theirs = None if theirs is None else veil.value(key, theirs)
    shown_ours = None if ours is None else veil.value(key, ours)
    if ours is None:
        assert theirs is not None, "a key is of one of both"
        yield Difference(key, What.NOT_OURS if _says(theirs) else What.NOT_BLANKED, shown_theirs, shown_ours)
        return
    if theirs is None:
        what = What.NOT_THEIRS if _says(ours) else What.BLANKED
        added = _WHY_ADDED.get(key, _WHY_SERVICE if key in _DEFINITIONS else "")
        yield Difference(key, what, shown_theirs, shown_ours, added if _says(ours) else "")
        return
    if meaning(key, theirs) != meaning(key, ours):
        yield Difference(key, _what(key, theirs, ours, own), shown_theirs, shown_ours, _why(key, theirs, ours, own))
    if theirs.rank != ours.rank:
        yield Difference(key, What.RANK, f"rank {theirs.rank}", f"rank {ours.rank}")


def _what(key: str, theirs: Value, ours: Value, own: _Own) -> What:
    """In what two values differ that do not mean the same."""
    if is_default(key, theirs) or is_default(key, ours):
        return What.NO_SWITCH
    if meaning(key, _stripped(theirs)) == meaning(key, _stripped(ours)):
        return What.BLANKS
    return What.TOKEN if key != _CREDENTIAL and own.makes(key, theirs, ours, credential=True) else What.VALUE


def _why(key: str, theirs: Value, ours: Value, own: _Own) -> str:
    """Why two values cannot but differ; empty when they could be the same.

    A token in another key than its own is none of that: where a template puts the password into the address of another
    service, or into the SIP password, that service would refuse the token.
    """
    if not (_says(theirs) and _says(ours)):
        return ""
    if key in _WHY_OWN:
        return _WHY_OWN[key]
    if key in _DEFINITIONS:
        return _WHY_SERVICE
    return f"it holds what {_INSTALL} says" if own.makes(key, theirs, ours, credential=False) else ""


def _without(text: str, word: str, name: str) -> str:
    """The text with a name in the place of a word, however that is escaped; a short one only where it stands alone."""
    if len(word) < _LEAST_WORD:
        return f"\0{name}\0" if text == word else text
    for spelling in _spellings(word):
        text = text.replace(spelling, f"\0{name}\0")
    return text


def _with(value: Value, content: str) -> Value:
    return Value(content, value.rank, value.source, attributes=value.attributes)


def _stripped(value: Value) -> Value:
    return value if value.markup else _with(value, value.content.strip())


def _says(value: Value) -> bool:
    return bool(value.content.strip())


def _spellings(word: str) -> tuple[str, ...]:
    """A word as it is written in texts, addresses, forms, elements, JSON, and in whatever was made base64."""
    spelled = (word, quote(word, safe="", errors="surrogatepass"), quote_plus(word, errors="surrogatepass"))
    written = (json.dumps(word, ensure_ascii=one)[1:-1] for one in (False, True))
    in_json = [each for text in written for each in (text, text.replace("/", "\\/"))]
    return tuple(dict.fromkeys((*spelled, xml.text(word), xml.attribute(word), *in_json, *_in_base64(word))))


def _in_base64(word: str) -> Iterator[str]:
    """What of the word is always the same, whatever stands before and behind it."""
    raw = word.encode("utf-8", "surrogatepass")
    if len(raw) < _LEAST_WORD:
        return
    for before, start in enumerate((0, 2, 3)):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * before + raw).decode()[start : (before + len(raw)) * 8 // 6]


def _secrets(values: Mapping[str, Value]) -> Iterator[str]:
    return (value.content for key, value in values.items() if is_secret(key) and not value.markup)


def _flat(part: GlobalPart) -> Iterator[tuple[str, Value]]:
    """A global part as keys; of items with the same id, the one counts that a phone takes."""
    dials = part.quick_dials
    if dials.replace_below is not None:
        yield "quickDial/maxQuickDialReplacePriority", _plain(str(dials.replace_below))
    for removal in dials.removals:
        yield f"quickDial {removal.id}/remove", Value("yes", removal.rank, removal.source)
    for item in dialplan.merge_quick_dials((), QuickDials(dials.items)).items:
        yield f"quickDial {item.id}/set", Value("yes", item.rank, item.source)
        fields = (("displayName", item.display_name), ("uri", item.uri), ("portraitUrl", item.portrait_url))
        yield from ((f"quickDial {item.id}/{name}", _plain(text)) for name, text in fields if text)
    for identity, values in part.dial_actions.items():
        yield f"dialAction {identity}/set", _plain("yes")
        yield from ((f"dialAction {identity}/{key}", value) for key, value in values.items())
    yield from ((f"preferences/{key}", value) for key, value in part.preferences.items())


def _host(url: str) -> str:
    try:
        return urlsplit(url.strip()).hostname or ""
    except ValueError:
        return ""


def _plain(text: str) -> Value:
    return Value(text, 0, "")
