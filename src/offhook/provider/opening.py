"""What is sealed of a user, opened with the keys, or veiled where many users are looked at and none must be opened."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from offhook.core.secret import MASK
from offhook.provider import settling
from offhook.provider.sealing import Sealer, place_of
from offhook.provider.sipregister import Line, place_of_line
from offhook.provider.subscriber import Override, Subscriber, username_key


class Opener(Protocol):
    """Opens what is sealed of a user, or puts something in its place."""

    def secret(self, subscriber: Subscriber, name: str) -> str:
        """A secret by its name."""

    def override(self, subscriber: Subscriber, key: str) -> Override:
        """An override by its key."""

    def line(self, line: Line) -> str:
        """The password of a SIP account that has one here."""


class Veil:
    """A mask in place of every secret: for looking at very many users, whose secrets are not to be opened for it."""

    def secret(self, subscriber: Subscriber, name: str) -> str:
        """As the port says."""
        return MASK

    def override(self, subscriber: Subscriber, key: str) -> Override:
        """As the port says."""
        override = subscriber.overrides[key]
        return msgspec.structs.replace(override, value=MASK, sealed=False) if override.sealed else override

    def line(self, line: Line) -> str:
        """As the port says."""
        return MASK


class Opening(msgspec.Struct, frozen=True):
    """Opens it with the keys."""

    sealer: Sealer

    def secret(self, subscriber: Subscriber, name: str) -> str:
        """As the port says; raises Unavailable."""
        place = place_of(subscriber.cloud_id, username_key(subscriber.username), name)
        return self.sealer.open(subscriber.secrets[name], place).reveal()

    def override(self, subscriber: Subscriber, key: str) -> Override:
        """As the port says; raises Unavailable."""
        return settling.open_override(subscriber, key, self.sealer)

    def line(self, line: Line) -> str:
        """As the port says; raises Unavailable."""
        return self.sealer.open(line.sealed, place_of_line(line.account_id)).reveal()


VEIL: Final = Veil()
