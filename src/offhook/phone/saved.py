"""What a signed-in phone keeps: one record, saved as a whole (D8)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from offhook.core import mergeable
from offhook.core.base import Reprovisioning
from offhook.core.diagnostics import Diagnostic
from offhook.core.dialplan import QuickDial
from offhook.core.login import CloudId, Login
from offhook.core.mergeable import Document, Value
from offhook.core.webservice import Response

USER_SOURCE: Final = "user"


class Validator(msgspec.Struct, frozen=True):
    """What to send back when a service is asked again: its ETag, and its Last-Modified or else its Date (D10)."""

    etag: str = ""
    last_modified: str = ""

    @classmethod
    def of(cls, answer: Response) -> Validator:
        """The one of a 200."""
        return cls(answer.header("etag"), answer.header("last-modified") or answer.header("date"))


class Saved(msgspec.Struct, frozen=True):
    """Everything one sign-in brought, and what the user changed since.

    `services` are the definitions that came beside the account; `theme` names its package by digest; `portal_key` is
    the key that was pinned. The password that the user typed is not part of it, unless it is the SIP password itself,
    because the portal names no account service.
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

    def __repr__(self) -> str:
        return f"Saved({self.username}@{self.cloud_id}, {len(self.account.keys)} keys)"

    def is_of(self, login: Login) -> bool:
        """Whether this was saved by the same user of the same app; Live and Editable are the same app."""
        return self.cloud_id.name == login.cloud_id.name and self.username.casefold() == login.username.casefold()


def users_own(document: Document) -> dict[str, Value]:
    """The values that the user chose and that are in force."""
    return {key: value for key, value in document.values().items() if is_users(value.rank, value.source)}


def is_users(rank: int, source: str) -> bool:
    """Whether something comes from the user and not from a service that claims the same rank."""
    return rank == mergeable.USER and source == USER_SOURCE
