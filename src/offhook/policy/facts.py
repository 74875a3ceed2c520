"""Conditions on what is known of a user, a device and a request."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Annotated, Final, TypeAlias

import msgspec

from offhook.core.errors import Fault
from offhook.core.keys import is_secret
from offhook.core.kinds import quoted
from offhook.policy import versions
from offhook.policy.subject import Fact, Occasion
from offhook.policy.view import Condition, Known, Need, Needs, Truth, View

MAX_LISTED: Final = 500
_SHOWN: Final = 40
# So many bits stand before an address of IPv4 within IPv6.
_MAPPED: Final = 96
_FEW: Final = 4

Word: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Words: TypeAlias = Annotated[tuple[Word, ...], msgspec.Meta(min_length=1, max_length=MAX_LISTED)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class Attribute(Condition, frozen=True, tag="attribute"):
    """An attribute of the user is a text, is not, is one of several, begins with one, or exists. Case counts.

    Exactly one of these is asked. A user who lacks the attribute is not gold, so `is_not` holds.
    """

    name: Word
    is_: Word | None = msgspec.field(default=None, name="is")
    is_not: Word | None = None
    one_of: Words | None = None
    begins_with: Word | None = None
    exists: bool | None = None

    def holds(self, view: View) -> Truth:
        text = view.subject.attributes.get(self.name, "")
        if self.is_ is not None:
            return text == self.is_
        if self.one_of is not None:
            return text in self.one_of
        if self.is_not is not None:
            return text != self.is_not
        if self.begins_with is not None:
            return text.startswith(self.begins_with)
        return bool(text) is self.exists

    def needs(self, known: Known) -> Needs:
        if self.is_ is not None:
            return frozenset({Need("attribute", self.name, self.is_)})
        if self.one_of is not None:
            return frozenset(Need("attribute", self.name, text) for text in self.one_of)
        if self.begins_with is not None or self.exists:
            return frozenset({Need("present", self.name)})
        return None

    def faults(self) -> Iterator[Fault]:
        asked = [self.is_, self.is_not, self.one_of, self.begins_with, self.exists]
        if sum(one is not None for one in asked) != 1:
            yield Fault("", "needs exactly one of is, is_not, one_of, begins_with and exists")
        if is_secret(self.name):
            yield Fault("name", f"{shown(self.name)} is a secret, and no rule can read one")

    def told(self, view: View) -> str:
        text = view.subject.attributes.get(self.name, "")
        if self.holds(view) and (text or self.is_not is None):
            return str(self)
        seen = f"attribute {shown(self.name)} is {shown(text) if text else 'missing'}"
        if self.is_ is not None or self.one_of is not None:
            return f"{seen}, not {self._wanted()}"
        if self.begins_with is not None and text:
            return f"{seen}, which does not begin with {shown(self.begins_with)}"
        return seen

    def _wanted(self) -> str:
        return shown(self.is_) if self.is_ is not None else one_of(self.one_of or ())

    def __str__(self) -> str:
        name = f"attribute {shown(self.name)}"
        if self.is_not is not None:
            return f"{name} is not {shown(self.is_not)}"
        if self.begins_with is not None:
            return f"{name} begins with {shown(self.begins_with)}"
        if self.exists is not None:
            return f"{name} is there" if self.exists else f"{name} is missing"
        return f"{name} is {self._wanted()}"


class InGroup(Condition, frozen=True, tag="in_group"):
    """The user belongs to a group: one of the words of the attribute `groups`, between commas."""

    group: Word

    def faults(self) -> Iterator[Fault]:
        if "," in self.group or self.group != self.group.strip():
            yield Fault("group", "is nobody's: the groups of a user stand between commas, without blanks around them")

    def holds(self, view: View) -> Truth:
        return self.group in view.subject.groups

    def needs(self, known: Known) -> Needs:
        return frozenset({Need("group", self.group)})

    def told(self, view: View) -> str:
        return str(self) if self.holds(view) else f"not {self}"

    def __str__(self) -> str:
        return f"in group {shown(self.group)}"


class Platform(Condition, frozen=True, tag="platform", dict=True):
    """The app runs on one of these platforms, such as ios or android, as it names them itself; case does not count."""

    one_of: Words

    def holds(self, view: View) -> Truth:
        platform = view.subject.platform
        return platform.casefold() in self._folded if platform else None

    def needs(self, known: Known) -> Needs:
        return frozenset(Need("platform", name) for name in self._folded)

    @cached_property
    def _folded(self) -> frozenset[str]:
        return frozenset(word.strip().casefold() for word in self.one_of)

    def uses(self) -> Iterator[Fact]:
        yield Fact.PLATFORM

    def told(self, view: View) -> str:
        return _told(self, view, "platform", view.subject.platform, one_of(self.one_of))

    def __str__(self) -> str:
        return f"platform is {one_of(self.one_of)}"


class VersionOf(Condition, frozen=True, dict=True):
    """A version lies at or above one number, below another, or both."""

    at_least: Word | None = None
    below: Word | None = None

    def of(self, view: View) -> tuple[str, str | None]:
        """What it is the version of, and the version."""
        return "version", None

    def holds(self, view: View) -> Truth:
        numbers = versions.parse(self.of(view)[1] or "")
        if numbers is None:
            return None
        at_least, below = self._bounds
        return not (at_least is not None and numbers < at_least) and (below is None or numbers < below)

    @cached_property
    def _bounds(self) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
        return versions.parse(self.at_least or ""), versions.parse(self.below or "")

    def faults(self) -> Iterator[Fault]:
        if self.at_least is None and self.below is None:
            yield Fault("", "needs at_least, below, or both")
        for field in ("at_least", "below"):
            written = getattr(self, field)
            if written is not None and (fault := versions.fault(written)):
                yield Fault(field, fault)

    def told(self, view: View) -> str:
        noun, text = self.of(view)
        return _told(self, view, noun, text, self.wanted())

    def wanted(self) -> str:
        """The bounds as words."""
        bounds = [f"{self.at_least} or newer"] if self.at_least is not None else []
        bounds += [f"older than {self.below}"] if self.below is not None else []
        return ", but ".join(bounds)


class AppVersion(VersionOf, frozen=True, tag="app_version", dict=True):
    """The version of the app, `at_least` one or `below` another, compared as numbers: 9.10 is newer than 9.9."""

    def of(self, view: View) -> tuple[str, str | None]:
        return "app version", view.subject.app_version

    def uses(self) -> Iterator[Fact]:
        yield Fact.APP_VERSION

    def __str__(self) -> str:
        return f"app version is {self.wanted()}"


class OsVersion(VersionOf, frozen=True, tag="os_version", dict=True):
    """The version of the device's system, compared as numbers; it says little without a platform beside it."""

    def of(self, view: View) -> tuple[str, str | None]:
        return "system version", view.subject.os_version

    def uses(self) -> Iterator[Fact]:
        yield Fact.OS_VERSION

    def __str__(self) -> str:
        return f"system version is {self.wanted()}"


class Locale(Condition, frozen=True, tag="locale", dict=True):
    """The app speaks one of these languages: `cs` is any Czech, `de-AT` that of Austria alone."""

    one_of: Words

    def holds(self, view: View) -> Truth:
        locale = view.subject.locale
        if not locale:
            return None
        spoken = _language(locale)
        return any(spoken == one or spoken.startswith(f"{one}-") for one in self._languages)

    @cached_property
    def _languages(self) -> tuple[str, ...]:
        return tuple(map(_language, self.one_of))

    def uses(self) -> Iterator[Fact]:
        yield Fact.LOCALE

    def told(self, view: View) -> str:
        return _told(self, view, "locale", view.subject.locale, one_of(self.one_of))

    def __str__(self) -> str:
        return f"locale is {one_of(self.one_of)}"


class Version(Condition, frozen=True, tag="version"):
    """The phone uses the Live version of the Cloud ID, or the Editable one (D17)."""

    editable: bool

    def holds(self, view: View) -> Truth:
        return view.subject.editable is self.editable

    def uses(self) -> Iterator[Fact]:
        yield Fact.EDITABLE

    def told(self, view: View) -> str:
        return str(Version(view.subject.editable))

    def __str__(self) -> str:
        return f"the Cloud ID is the {'Editable' if self.editable else 'Live'} version"


class Installs(Condition, frozen=True, tag="installs"):
    """The user has so many active installs, `at_least` or `at_most`, this one included."""

    at_least: Count | None = None
    at_most: Count | None = None

    def holds(self, view: View) -> Truth:
        count = view.subject.installs
        return (self.at_least is None or count >= self.at_least) and (self.at_most is None or count <= self.at_most)

    def uses(self) -> Iterator[Fact]:
        yield Fact.INSTALLS

    def faults(self) -> Iterator[Fault]:
        if self.at_least is None and self.at_most is None:
            yield Fault("", "needs at_least, at_most, or both")

    def told(self, view: View) -> str:
        return _told(self, view, "number of installs", str(view.subject.installs), self._wanted())

    def _wanted(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least} to {self.at_most}"
        return f"{self.at_most} or fewer" if self.at_least is None else f"{self.at_least} or more"

    def __str__(self) -> str:
        return f"number of installs is {self._wanted()}"


class AtOccasion(Condition, frozen=True, tag="occasion"):
    """The phone signs in for the first time, or asks again."""

    is_: Occasion = msgspec.field(name="is")

    def holds(self, view: View) -> Truth:
        return view.subject.occasion is self.is_

    def needs(self, known: Known) -> Needs:
        return frozenset({Need("occasion", self.is_)})

    def uses(self) -> Iterator[Fact]:
        yield Fact.OCCASION

    def told(self, view: View) -> str:
        return str(AtOccasion(view.subject.occasion))

    def __str__(self) -> str:
        return "the phone signs in" if self.is_ is Occasion.SIGN_IN else "the phone asks again"


class FromNetwork(Condition, frozen=True, tag="from_network", dict=True):
    """The request comes from one of these networks: an address, or a range such as 10.0.0.0/8 or 2001:db8::/32."""

    one_of: Words

    def holds(self, view: View) -> Truth:
        address = _address(view.subject.network)
        if address is None:
            return None
        number, bits = int(address), address.max_prefixlen
        return any(number >> bits - length in found for length, found in self._networks.get(bits, {}).items())

    @cached_property
    def _networks(self) -> dict[int, dict[int, set[int]]]:
        """How the addresses of the networks begin: by the bits of an address, and of a beginning."""
        beginnings: dict[int, dict[int, set[int]]] = {}
        for network in map(_network, self.one_of):
            assert network is not None, "what is no network was refused"
            bits, length = network.max_prefixlen, network.prefixlen
            beginning = int(network.network_address) >> bits - length
            beginnings.setdefault(bits, {}).setdefault(length, set()).add(beginning)
        return beginnings

    def uses(self) -> Iterator[Fact]:
        yield Fact.NETWORK

    def faults(self) -> Iterator[Fault]:
        for position, written in enumerate(self.one_of, start=1):
            if _network(written) is None:
                yield Fault(f"one_of[{position}]", f"{quoted(written)} is no network, such as 10.0.0.0/8")

    def told(self, view: View) -> str:
        return _told(self, view, "network", view.subject.network, one_of(self.one_of))

    def __str__(self) -> str:
        return f"network is {one_of(self.one_of)}"


def _told(condition: Condition, view: View, noun: str, text: str | None, wanted: str) -> str:
    """What is to be said of a fact that may not be known."""
    truth = condition.holds(view)
    if truth is None:
        return f"{noun} {shown(text)} cannot be read" if text else f"{noun} is not known"
    return f"{noun} is {shown(text or '')}" + ("" if truth else f", not {wanted}")


def shown(text: str) -> str:
    """A text within a sentence: bare when that is clear, else quoted; not too long."""
    clear = text.isprintable() and text == " ".join(text.split()) and 0 < len(text) <= _SHOWN and "," not in text
    return text if clear else quoted(text)


def one_of(words: Iterable[str]) -> str:
    """Several words as people say them; of many, the first few."""
    every = [shown(word) for word in words]
    if len(every) > _FEW + 1:
        every = [*every[:_FEW], f"one of {len(every) - _FEW} others"]
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} or {every[-1]}"


def _language(locale: str) -> str:
    return locale.strip().lower().replace("_", "-").partition(".")[0]


def _network(written: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """A network; one of IPv4 within IPv6 is taken for what it is, as its addresses are."""
    try:
        network = ipaddress.ip_network(written.strip(), strict=False)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED:
        return network
    return ipaddress.ip_network((mapped, network.prefixlen - _MAPPED))


@lru_cache(maxsize=4096)
def _address(written: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address; one of IPv4 that a socket of IPv6 reports is taken for what it is."""
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
