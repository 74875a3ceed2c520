"""What a person may change on a phone: the settings of the app, not what the provider made the account of."""

from __future__ import annotations

from typing import Final

from offhook.cli.exits import Misused
from offhook.core.catalogue import KEYS
from offhook.core.errors import NotFound, Refused
from offhook.core.keys import is_secret

# Who the account is, and whose: these come with the sign-in and go with it.
_IDENTITY: Final = frozenset(
    {"username", "authUsername", "cloud_username", "networkId", "cloud_id", "userCallerId", "X-install-id"}
)
_LIST: Final = "`offhook phone edit --help` lists what can be changed."


def settings() -> dict[str, list[str]]:
    """What can be changed, by section."""
    by_section = {
        section.title: [key.name for key in section.keys if not _why_not(key.name)] for section in KEYS.sections
    }
    return {title: names for title, names in by_section.items() if names}


def listed() -> str:
    """The same as text for a help."""
    return "What can be changed.\n\n" + "\n\n".join(
        f"{title}: {', '.join(names)}." for title, names in settings().items()
    )


def check(key: str, *, preference: bool = False) -> None:
    """Raises NotFound when there is no such setting, Refused when it is not the user's, Misused when it is no name."""
    if not key.strip() or "=" in key:
        raise Misused(f"{key[:80]!r} is no name of a setting; key and value are two words, as in codecOrder 8.")
    if preference:
        if KEYS.find(key):
            raise Misused(f"{key} belongs to the account, and is no preference of the app: leave --preference out.")
        if is_secret(key):
            raise Refused(f"{key} cannot be changed here: a preference is no place for a secret.")
        return
    if KEYS.find(key) is None and not key.startswith("X-"):
        near = KEYS.near(key)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise NotFound(f"There is no setting {key[:80]}.{guess} {_LIST}")
    if reason := _why_not(key):
        raise Refused(f"{key} cannot be changed here: {reason}. {_LIST}")


def _why_not(key: str) -> str:
    """Why a key is not the user's to change; empty when it is."""
    if key in _IDENTITY or key.startswith("X-"):
        return "it says whose account this is, and comes with the sign-in"
    if "." in key:
        return f"it is a part of {key.partition('.')[0]}, which is changed as a whole"
    if KEYS.service(key) or key.endswith(("_url", "_ws_method", "wcb_method")):
        return "it belongs to a web service of the provider"
    if is_secret(key):
        return "it is a secret that comes with the sign-in"
    return ""
