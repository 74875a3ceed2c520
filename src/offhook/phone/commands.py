"""What a conversation may want done, and what it is told in return."""

from __future__ import annotations

from collections.abc import Generator
from enum import Enum
from typing import TypeAlias, TypeVar

import msgspec

from offhook.core import xml
from offhook.core.webservice import Request, Response
from offhook.phone.saved import Saved


class Fetch(msgspec.Struct, frozen=True):
    """Ask a service; at most `limit_bytes` of its answer are read."""

    service: str
    request: Request
    limit_bytes: int = xml.MAX_BYTES


class FetchAll(msgspec.Struct, frozen=True):
    """Ask several services at the same time; the answers come in the order of the fetches."""

    fetches: tuple[Fetch, ...]


class Skip(msgspec.Struct, frozen=True):
    """Tell whoever watches that a step is left out, and why."""

    service: str
    why: str


class Save(msgspec.Struct, frozen=True):
    """Keep the record and the theme package it names: both or, if anything goes wrong, neither."""

    saved: Saved
    theme: bytes

    def __repr__(self) -> str:
        return f"Save({self.saved!r}, {len(self.theme)} bytes)"


class Why(Enum):
    """Why a service gave no answer that could be read to its end."""

    UNREACHABLE = "cannot be reached"
    TIMEOUT = "no answer in time"
    CUT_OFF = "cut off"
    TLS = "not secure"
    GARBLED = "not HTTP"
    TOO_LARGE = "too large"
    REDIRECT = "redirected"


class NoAnswer(msgspec.Struct, frozen=True):
    """There is no answer; `detail` is for whoever mends it and holds no secret."""

    why: Why
    detail: str = ""


Answer: TypeAlias = Response | NoAnswer
Command: TypeAlias = Fetch | FetchAll | Skip | Save
Reply: TypeAlias = Answer | tuple[Answer, ...] | None

Result = TypeVar("Result")
Flow: TypeAlias = Generator[Command, Reply, Result]


def fetch(one: Fetch) -> Flow[Answer]:
    """Ask one service."""
    answer = yield one
    assert isinstance(answer, Response | NoAnswer)
    return answer


def fetch_all(*fetches: Fetch) -> Flow[tuple[Answer, ...]]:
    """Ask several services at the same time."""
    answers = yield FetchAll(fetches)
    assert isinstance(answers, tuple)
    return answers
