"""The subject of a policy: one user on one install, at one moment, as far as it is known."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Occasion(StrEnum):
    """Why the phone asks."""

    SIGN_IN = "sign_in"
    AGAIN = "again"


class Fact(StrEnum):
    """What a policy can read that is no property of the user: an answer that was computed from it depends on it."""

    PLATFORM = "platform"
    APP_VERSION = "app_version"
    OS_VERSION = "os_version"
    LOCALE = "locale"
    EDITABLE = "editable"
    INSTALLS = "installs"
    OCCASION = "occasion"
    NETWORK = "network"


class Subject(msgspec.Struct, frozen=True):
    """One user on one install, at one moment.

    Attributes and groups are known in full: what is not among them the user does not have, and an attribute that is
    empty counts as one that is not there. What comes with the request may be None or empty, which means not known.
    `installs` counts the active installs, this one included, and `new_device` says that this is none of them yet.
    `username_key` and `install_id` draw the lots of rollouts.
    """

    username: str
    username_key: str
    now_s: int
    attributes: Mapping[str, str] = {}
    groups: frozenset[str] = frozenset()
    platform: str | None = None
    app_version: str | None = None
    os_version: str | None = None
    locale: str | None = None
    editable: bool = False
    installs: int = 1
    new_device: bool = True
    occasion: Occasion = Occasion.SIGN_IN
    network: str = ""
    install_id: str = ""
