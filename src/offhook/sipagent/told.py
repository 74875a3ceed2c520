"""What baresip tells: answers to commands, how a registration went, and what happens to calls."""

from __future__ import annotations

import json
import re
from typing import Any, Final, TypeAlias

import msgspec

_STATUS: Final = re.compile(r"([1-6]\d\d)\s+(.*)", re.DOTALL)
_MAX_REASON: Final = 200


class Answer(msgspec.Struct, frozen=True):
    """A command was carried out, or not. The words of the answer may hold a password and are not kept."""

    token: str
    good: bool


class Began(msgspec.Struct, frozen=True):
    """The account is one, and the server is asked."""


class RegisterOk(msgspec.Struct, frozen=True):
    """The registration was accepted, for the first time or again."""


class RegisterFail(msgspec.Struct, frozen=True):
    """The registration was refused with a status, or there is none and it is 0."""

    status: int
    reason: str


class CallRings(msgspec.Struct, frozen=True):
    """A call that is not answered yet."""

    id: str
    peer: str
    incoming: bool


class CallStands(msgspec.Struct, frozen=True):
    """A call was answered."""

    id: str
    peer: str
    incoming: bool


class CallClosed(msgspec.Struct, frozen=True):
    """A call is over."""

    id: str
    peer: str
    incoming: bool
    reason: str


class Gone(msgspec.Struct, frozen=True):
    """The agent has done all it had to, and ends."""


Told: TypeAlias = Answer | Began | RegisterOk | RegisterFail | CallRings | CallStands | CallClosed | Gone


def parse(message: bytes) -> Told | None:
    """What a message says; None when it is none of these, or cannot be read."""
    try:
        found = json.loads(message.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if found.get("response") is True:
        return Answer(_text(found, "token"), found.get("ok") is True)
    return _event(found)


def _event(found: dict[str, Any]) -> Told | None:
    words = _text(found, "param")[:_MAX_REASON]
    match _text(found, "type"):
        case "REGISTERING":
            return Began()
        case "REGISTER_OK":
            return RegisterOk()
        case "REGISTER_FAIL":
            status = _STATUS.fullmatch(words)
            return RegisterFail(int(status[1]), status[2]) if status else RegisterFail(0, words or "no answer")
        case "CALL_INCOMING" | "CALL_RINGING" | "CALL_PROGRESS":
            return CallRings(*_call(found))
        case "CALL_ESTABLISHED":
            return CallStands(*_call(found))
        case "CALL_CLOSED":
            return CallClosed(*_call(found), words)
        case "EXIT":
            return Gone()
        case _:
            return None


def _call(found: dict[str, Any]) -> tuple[str, str, bool]:
    return _text(found, "id"), _text(found, "peeruri"), _text(found, "direction") == "incoming"


def _text(found: dict[str, Any], key: str) -> str:
    text = found.get(key)
    return text if isinstance(text, str) else ""
