"""What a phone says of itself and how it asks, as far as a policy may care."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Final

import msgspec

from offhook.policy.subject import Fact, Occasion, Subject
from offhook.provider.subscriber import Subscriber, username_key

GROUPS: Final = "groups"
MAX_GROUPS: Final = 100
MAX_GROUP: Final = 256
# Nobody's version or locale is longer; what is cut off is lost to rules.
MAX_FACT: Final = 100
_VERSION: Final = re.compile(r"^[^\s/]{1,64}/([0-9][^\s]{0,63})")
_PLATFORMS: Final = {
    "ios": re.compile(r"\b(?:ios|iphone|ipad|cfnetwork)\b", re.IGNORECASE),
    "android": re.compile(r"\bandroid\b", re.IGNORECASE),
    "windows": re.compile(r"\bwindows\b", re.IGNORECASE),
    "macos": re.compile(r"\b(?:macos|macintosh|mac os)\b", re.IGNORECASE),
    "linux": re.compile(r"\blinux\b", re.IGNORECASE),
}
# The words for platforms that are known of phones which do not say one themselves.
PLATFORMS: Final = frozenset(_PLATFORMS)


class Circumstances(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a phone beside its user; an empty text is not known.

    `network` is the address that a request came from, `editable` whether the phone signed in with a star (D17).
    """

    platform: str = ""
    app_version: str = ""
    os_version: str = ""
    locale: str = ""
    network: str = ""
    editable: bool = False

    @classmethod
    def told(cls, sent: Mapping[str, str], user_agent: str, network: str, *, editable: bool = False) -> Circumstances:
        """What a request tells: by its parameters, else by how the app calls itself."""
        platform = sent.get("platform", "") or _platform(user_agent)
        version = sent.get("app_version", "") or _app_version(user_agent)
        os_version, locale = sent.get("os_version", ""), sent.get("locale", "")
        return cls(_cut(platform), _cut(version), _cut(os_version), _cut(locale), network, editable)

    def over(self, known: Circumstances) -> Circumstances:
        """This, and what was known before where this says nothing; which version of the Cloud ID it is stays."""
        return Circumstances(
            self.platform or known.platform,
            self.app_version or known.app_version,
            self.os_version or known.os_version,
            self.locale or known.locale,
            self.network,
            editable=known.editable,
        )

    def kept(self) -> Circumstances:
        """What is kept of it: where somebody was is nobody's business afterwards."""
        return msgspec.structs.replace(self, network="") if self.network else self

    def fact(self, fact: Fact) -> str:
        """One of them as a text; those of the moment are not among them."""
        return str(getattr(self, fact.value, ""))


NOTHING: Final = Circumstances()


def subject_of(
    subscriber: Subscriber,
    circumstances: Circumstances,
    now_s: int,
    *,
    occasion: Occasion = Occasion.SIGN_IN,
    installs: int = 1,
    install_id: str = "",
    new_device: bool = True,
) -> Subject:
    """A user on a phone as a policy sees them. Their groups are those of the attribute `groups`, between commas."""
    attributes = subscriber.attributes
    return Subject(
        username=subscriber.username,
        username_key=username_key(subscriber.username),
        now_s=now_s,
        attributes=attributes,
        groups=groups(attributes.get(GROUPS, "")),
        platform=circumstances.platform or None,
        app_version=circumstances.app_version or None,
        os_version=circumstances.os_version or None,
        locale=circumstances.locale or None,
        editable=circumstances.editable,
        installs=installs,
        new_device=new_device,
        occasion=occasion,
        network=circumstances.network,
        install_id=install_id,
    )


def groups(written: str) -> frozenset[str]:
    """The groups that a text names; of too many the first ones, and none that is too long."""
    return frozenset(islice(_groups(written), MAX_GROUPS)) if written else frozenset()


def groups_fault(written: str) -> str | None:
    """Why a text cannot name the groups of a user, or None."""
    named = {name.strip() for name in written.split(",")} - {""}
    if len(named) > MAX_GROUPS:
        return f"names {len(named):,} groups; at most {MAX_GROUPS} are allowed"
    if any(len(name) > MAX_GROUP for name in named):
        return f"names a group of more than {MAX_GROUP} characters"
    return None


def _groups(written: str) -> Iterator[str]:
    names = dict.fromkeys(name.strip() for name in written.split(","))
    return (name for name in names if 0 < len(name) <= MAX_GROUP)


def _cut(written: str) -> str:
    return written.strip()[:MAX_FACT]


@lru_cache(maxsize=4096)
def _app_version(user_agent: str) -> str:
    found = _VERSION.match(user_agent)
    return found[1] if found else ""


@lru_cache(maxsize=4096)
def _platform(user_agent: str) -> str:
    return next((name for name, words in _PLATFORMS.items() if words.search(user_agent)), "")
