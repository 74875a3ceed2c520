"""What a user made on one device: what the device has promised to keep, and what it was only told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from offhook.phone import events
from offhook.phone.backup import Backup
from offhook.phone.saved import Saved, is_users, users_own

Act: TypeAlias = events.Edit | events.DialAdded | events.CallBegan


class Things:
    """The things of one user on one device."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.told: list[tuple[str, str]] = []

    def tell(self, act: Act) -> None:
        """The user did something, and the device does not promise anything yet."""
        self.told.append(thing(act))

    def note(self, found: dict[str, str]) -> None:
        """The device has written this down for good: what it was told and is there, it keeps from now on."""
        for position in range(len(self.told) - 1, -1, -1):
            place, text = self.told[position]
            if found.get(place) == text:
                self.kept[place] = text
                self.told = [one for one in self.told[:position] if one[0] != place] + self.told[position + 1 :]
                self.note(found)
                return

    def forget(self, place: str) -> None:
        """The device said no."""
        self.told = [one for one in self.told if one[0] != place]

    def lost(self, found: Mapping[str, str]) -> str:
        """The first thing that is not there although it was to be kept; empty when all are."""
        waiting = {place for place, _ in self.told}
        for place, text in self.kept.items():
            if found.get(place) != text and not (place in waiting and (place, found.get(place)) in self.told):
                return f"{place} is {found.get(place)!r} and not {text!r}"
        return ""


def thing(act: Act) -> tuple[str, str]:
    """Where a thing is kept, and what it says."""
    match act:
        case events.Edit(key=key, content=content, preference=preference):
            return f"{'preference' if preference else 'setting'} {key}", content
        case events.DialAdded(id=identity, display_name=name, uri=uri):
            return f"quick dial {identity}", f"{name} {uri}"
        case events.CallBegan(number=number):
            return f"call {number}", "made"


def of_record(saved: Saved) -> dict[str, str]:
    """The user's things in a record."""
    found = {f"setting {key}": value.content for key, value in users_own(saved.account).items()}
    found |= {f"preference {key}": value.content for key, value in users_own(saved.preferences).items()}
    own = (item for item in saved.quick_dials if is_users(item.rank, item.source))
    found |= {f"quick dial {item.id}": f"{item.display_name} {item.uri}" for item in own}
    return found | {f"call {call.number}": "made" for call in saved.history}


def of_backup(backup: Backup) -> dict[str, str]:
    """The user's things in a backup."""
    found = {f"setting {key}": value.content for key, value in backup.account.items()}
    found |= {f"preference {key}": value.content for key, value in backup.preferences.items()}
    found |= {f"quick dial {item.id}": f"{item.display_name} {item.uri}" for item in backup.quick_dials}
    return found | {f"call {call.number}": "made" for call in backup.history}


def of_others(found: Mapping[str, str], name: str) -> str:
    """The first thing that another user made; empty when there is none. All that a user makes names its maker."""
    for place, text in found.items():
        maker = (place.partition(" ")[2] if text == "made" else text).partition("#")[0]
        if maker != name:
            return f"{place} was made by {maker}"
    return ""
