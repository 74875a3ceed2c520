"""Sends mail through a mail server, one connection for each mail."""

from __future__ import annotations

import smtplib
import ssl
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from typing import Final

from offhook.core.errors import Refused, Unavailable
from offhook.mail.settings import Security, Smtp
from offhook.provider.mail import Mail, is_address

# A refusal of these is about this machine or its password, and not about the mail.
_OURS: Final = frozenset({502, 503, 504, 530, 534, 535, 538})
_RETRY_S: Final = 60
_MAX_SAID: Final = 200


class SmtpMailer:
    """The port over one mail server. Every text that it raises says what the server said, and holds nothing sent."""

    def __init__(self, settings: Smtp) -> None:
        self._settings = settings
        _, _, self._domain = settings.sender.rpartition("@")

    def send(self, mail: Mail, key: str) -> None:
        """As the port says."""
        message = self.written(mail, key)
        settings = self._settings
        try:
            with self._connected() as server:
                if settings.username:
                    server.login(settings.username, settings.password.reveal())
                server.send_message(message, from_addr=settings.sender, to_addrs=[mail.to])
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise self._error(code, said) from None
        except smtplib.SMTPAuthenticationError as error:
            raise self._down(f"does not take its user name and password ({_said(error.smtp_error)})") from None
        except smtplib.SMTPDataError as error:
            raise self._error(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPResponseException as error:
            # It does not take the sender, or us: another mail would fare no better.
            raise self._down(f"refuses us ({error.smtp_code} {_said(error.smtp_error)})") from None
        except (smtplib.SMTPException, ssl.SSLError, OSError) as error:
            raise self._down(f"cannot be used ({_said(str(error))})") from None

    def written(self, mail: Mail, key: str) -> EmailMessage:
        """The message as it goes out. Raises Refused for what cannot be an address."""
        if not is_address(mail.to):
            raise Refused("This is no address that mail can be sent to.")
        settings = self._settings
        message = EmailMessage(policy=SMTP)
        try:
            message["From"] = Address(settings.sender_name, addr_spec=settings.sender)
            message["To"] = Address(addr_spec=mail.to)
            message["Subject"] = mail.subject
            if settings.reply_to:
                message["Reply-To"] = Address(addr_spec=settings.reply_to)
        except (ValueError, MessageError):
            raise Unavailable(
                "The sender under [mail] in connections.toml is no address, or its name no name."
            ) from None
        # Of the key alone, so that a mailbox knows one that comes twice, and with nothing of what it holds.
        message["Message-ID"] = f"<{sha256(key.encode()).hexdigest()[:32]}@{self._domain or 'offhook.invalid'}>"
        # Nobody's out-of-office note is to come back.
        message["Auto-Submitted"] = "auto-generated"
        message["Date"] = format_datetime(datetime.now(UTC))
        message.set_content(mail.text, cte="quoted-printable")
        message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
        html = message.get_payload()[1]  # type: ignore[index]  # it has just become a list of two
        for content_id, picture in mail.pictures:
            html.add_related(  # type: ignore[union-attr]  # one of our own parts
                picture, "image", "png", cid=f"<{content_id}>", filename=f"{content_id}.png", disposition="inline"
            )
        return message

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.protection is Security.TLS:
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=settings.timeout_s, context=context)
        server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_s)
        if settings.protection is Security.STARTTLS:
            try:
                # Raises where the server does not offer it: nothing is ever sent in the clear instead.
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server

    def _error(self, code: int, said: bytes | str) -> Refused | Unavailable:
        """A refusal for good is one of the mail (RFC 5321, 4.2.1: 5yz), unless it is about who sends it."""
        if 500 <= code <= 599 and code not in _OURS:
            return Refused(f"The mail server refuses it: {code} {_said(said)}")
        return self._down(f"does not take it now ({code} {_said(said)})")

    def _down(self, what: str) -> Unavailable:
        return Unavailable(f"The mail server {self._settings} {what}.", _RETRY_S)


def _said(said: bytes | str) -> str:
    """What a server said, on one line."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return "".join(mark if mark.isprintable() else " " for mark in text)[:_MAX_SAID].strip()
