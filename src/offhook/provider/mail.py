"""Mail to users: what is sent, and who sends it."""

from __future__ import annotations

from typing import Protocol

from offhook.core.secret import Discreet


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
