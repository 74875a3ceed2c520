"""What a signed-in phone keeps: one record, saved as a whole (D8)."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Final

import msgspec

from offhook.core import mergeable
from offhook.core.base import Reprovisioning
from offhook.core.diagnostics import Diagnostic
from offhook.core.dialplan import QuickDial
from offhook.core.login import CloudId
from offhook.core.mergeable import Document, Value
from offhook.core.webservice import Response

USER_SOURCE: Final = "user"
MAX_CALLS: Final = 500


class Validator(msgspec.Struct, frozen=True):
    """What to send back when a service is asked again: its ETag, and its Last-Modified or else its Date (D10)."""

    etag: str = ""
    last_modified: str = ""

    @classmethod
    def of(cls, answer: Response) -> Validator:
        """The one of a 200."""
        return cls(answer.header("etag"), answer.header("last-modified") or answer.header("date"))


class Call(msgspec.Struct, frozen=True):
    """One call of the local history; the time is for the person to read, and decides nothing."""

    number: str
    began_at: datetime
    duration_s: int = 0
    incoming: bool = False


class Step(Enum):
    """What a logout has to do next (D13)."""

    UNREGISTER = "un-register"
    REPORT = "put the removal report into the queue"
    BACK_UP = "back up"
    ERASE = "erase"


class Leaving(msgspec.Struct, frozen=True):
    """A logout that has begun: the next step, and what to tell the person in the end."""

    step: Step = Step.UNREGISTER
    message: str = ""


class Left(msgspec.Struct, frozen=True):
    """What a phone keeps of an account that is gone: the portal, and the words for the sign-in screen."""

    portal: str
    message: str = ""


class Saved(msgspec.Struct, frozen=True):
    """Everything one sign-in brought, and what the user changed since.

    `services` are the definitions that came beside the account; `theme` names its package by digest; `portal_key` is
    the key that was pinned. The password that the user typed is not part of it, unless it is the SIP password itself,
    because the portal names no account service. `history` has the latest call first; `leaving` is there from the moment
    a logout is decided; `restored` names the backup that is in this record already; `predecessors` are the records of
    those who were signed in before, whose logout is not finished. `username` is what was typed; `known_as` is what the
    provider calls the user, where that is something else.
    """

    cloud_id: CloudId
    username: str
    portal: str
    portal_key: str
    signed_in_at: datetime
    base_version: int = 0
    extras: dict[str, str] = {}
    account: Document = Document()
    quick_dials: tuple[QuickDial, ...] = ()
    dial_actions: dict[str, Document] = {}
    preferences: Document = Document()
    features: dict[str, str] = {}
    reprovisioning: Reprovisioning = Reprovisioning()
    services: dict[str, str] = {}
    validators: dict[str, Validator] = {}
    theme: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    history: tuple[Call, ...] = ()
    leaving: Leaving | None = None
    restored: str = ""
    predecessors: tuple[Saved, ...] = ()
    known_as: str = ""

    def __repr__(self) -> str:
        return f"Saved({self.username}@{self.cloud_id}, {len(self.account.keys)} keys)"

    @property
    def owner(self) -> str:
        """Whose record this is."""
        return owner(self.portal, self.cloud_id, self.known_as or self.username)

    def with_call(self, call: Call) -> Saved:
        """The record with one more call in its history, of which the oldest go when there are too many."""
        return msgspec.structs.replace(self, history=(call, *self.history)[:MAX_CALLS])


def owner(portal: str, cloud_id: CloudId, username: str) -> str:
    """One user of one app at one portal: Live and Editable are the same app.

    Whether upper and lower case are the same is for the provider to say: the name counts as the provider writes it,
    and as it was typed where it does not say. So a capital that the keyboard put there makes nobody else of a user,
    and nobody gets what belongs to a namesake.
    """
    return f"{portal}\n{cloud_id.name}\n{username}"


def users_own(document: Document) -> dict[str, Value]:
    """The values that the user chose: those in force, and those that a lock or a missing licence keeps out for now."""
    out = {
        key: refusal.value
        for key, refusals in document.kept_out.items()
        for refusal in refusals
        if is_users(refusal.value.rank, refusal.value.source)
    }
    return out | {
        key: settled.value
        for key, settled in document.keys.items()
        if is_users(settled.value.rank, settled.value.source)
    }


def is_users(rank: int, source: str) -> bool:
    """Whether something comes from the user and not from a service that claims the same rank."""
    return rank == mergeable.USER and source == USER_SOURCE
