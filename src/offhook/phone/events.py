"""What may happen to a phone while it waits."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class TimePassed(msgspec.Struct, frozen=True):
    """Nothing happened until the moment that was waited for."""


class SettingsOpened(msgspec.Struct, frozen=True):
    """The user opened the Settings page."""


class SettingsClosed(msgspec.Struct, frozen=True):
    """The user closed the Settings page."""


class CallBegan(msgspec.Struct, frozen=True):
    """A call is in progress. `ago_s` is how long it has been when this is told late."""

    number: str
    incoming: bool = False
    ago_s: float = 0.0


class CallEnded(msgspec.Struct, frozen=True):
    """A call is over: the one with this number, or all of them."""

    number: str = ""


class Button(msgspec.Struct, frozen=True):
    """The user pressed the button that looks for changes at once."""


class Edit(msgspec.Struct, frozen=True):
    """The user changed a setting of the account, or a preference of the app."""

    key: str
    content: str
    preference: bool = False


class DialAdded(msgspec.Struct, frozen=True):
    """The user added or changed a quick dial."""

    id: str
    display_name: str
    uri: str


class SignOut(msgspec.Struct, frozen=True):
    """The user asks to be signed out."""


class NetworkBack(msgspec.Struct, frozen=True):
    """The device is online again."""


class Quit(msgspec.Struct, frozen=True):
    """The app is closed."""


Event: TypeAlias = (
    TimePassed
    | SettingsOpened
    | SettingsClosed
    | CallBegan
    | CallEnded
    | Button
    | Edit
    | DialAdded
    | SignOut
    | NetworkBack
    | Quit
)
