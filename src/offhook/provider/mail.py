"""Mail to users: what is sent, and who writes and sends it."""

from __future__ import annotations

import re
from typing import Final, Protocol

from offhook.core.secret import Discreet, Secret
from offhook.provider.invitation import Ticket, Wording

MAX_ADDRESS: Final = 254
# What a mail server takes without escapes; stranger ones exist, and nobody has one.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))+"
)


class Mail(Discreet, frozen=True):
    """One mail, as text and as HTML; `pictures` are shown in it, by content id. It may hold a token, so it hides."""

    to: str
    subject: str
    text: str
    html: str
    pictures: tuple[tuple[str, bytes], ...] = ()

    def __str__(self) -> str:
        return f"a mail to {self.to}"


class Mailer(Protocol):
    """Sends mail. It waits for the server, so it belongs into a thread."""

    def send(self, mail: Mail, key: str) -> None:
        """Hand the mail over; `key` makes its Message-ID, so that one sent twice is known for the same.

        Raises Refused when it will never be taken (no such mailbox), Unavailable when it may be later.
        """


class Letters(Protocol):
    """Writes mails, in the words of a Cloud ID."""

    def invitation(self, address: str, ticket: Ticket, wording: Wording) -> Mail:
        """The mail with an invitation."""

    def code(self, address: str, code: Secret, minutes: int, wording: Wording) -> Mail:
        """The mail with the code of somebody who signs up."""


def is_address(text: str) -> bool:
    """Whether mail can be sent there."""
    local, _, _ = text.rpartition("@")
    return len(text) <= MAX_ADDRESS and len(local) <= 64 and _ADDRESS.fullmatch(text) is not None
