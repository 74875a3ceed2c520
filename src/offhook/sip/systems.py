"""From settings to the back-end that they mean."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, assert_never

from offhook.core.errors import Unavailable
from offhook.provider.sipaccounts import Address, SipAccount, SipAccounts
from offhook.sip.asterisk import Asterisk
from offhook.sip.freeswitch import FreeSwitch, Register
from offhook.sip.kamailio import Kamailio
from offhook.sip.settings import AnySystem
from offhook.sip.settings import Asterisk as AsteriskSettings
from offhook.sip.settings import FreeSwitch as FreeSwitchSettings
from offhook.sip.settings import Kamailio as KamailioSettings
from offhook.sip.settings import Webhook as WebhookSettings
from offhook.sip.webhook import Webhook


class System(SipAccounts, Protocol):
    """A SIP system that was opened: what the provider asks of it, and what its operator does."""

    def faults(self) -> tuple[str, ...]:
        """What is wrong with how it is set up, each with how to mend it; none when it can be used. It asks it."""

    def close(self) -> None:
        """Let go of its connections; the next use opens new ones."""


class Unread:
    """In the place of our register, where nobody opened it."""

    def find(self, address: Address) -> SipAccount | None:
        """Nothing is known. Raises Unavailable."""
        raise Unavailable("This SIP system asks us for its accounts: it has none of its own to look at.")

    def ringing(self, alias: Address) -> Collection[Address]:
        """Nothing is known. Raises Unavailable."""
        raise Unavailable("This SIP system asks us for its accounts: it has none of its own to look at.")


def open_system(settings: AnySystem, register: Register | None = None) -> System:
    """The back-end of these settings. Nothing is connected before it is asked for something.

    `register` is our own register of the accounts of this system: FreeSWITCH asks us for it.
    """
    match settings:
        case KamailioSettings():
            return Kamailio(settings)
        case AsteriskSettings():
            return Asterisk(settings)
        case FreeSwitchSettings():
            return FreeSwitch(settings, register or Unread())
        case WebhookSettings():
            return Webhook(settings)
        case _:
            assert_never(settings)
