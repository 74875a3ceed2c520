"""Signed requests to systems of the operator's, as Standard Webhooks describes them: JSON there, JSON back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import msgspec
from standardwebhooks import Webhook as Signer

from offhook.core import address
from offhook.core.errors import Refused, Unavailable
from offhook.core.secret import Discreet, Secret
from offhook.outgoing.deadline import hanging_up

MAX_ANSWER_BYTES: Final = 64 * 1024
MAX_MESSAGE: Final = 500
MIN_KEY_BYTES: Final = 24
# Two of them one after the other are still over before anybody else begins with the same thing (LEASE_S).
MOST_S: Final = 50.0
NO: Final = frozenset({403, 410, 422})
_PREFIX: Final = "whsec_"


class Settings(Discreet, frozen=True, forbid_unknown_fields=True):
    """Where to send it, and the secret that signs it: `whsec_` and 24 bytes or more in base64."""

    url: str
    secret: Secret
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if wrong := address.fault(self.url):
            raise ValueError(f"url {wrong}")
        if not 0.1 <= self.timeout_s <= MOST_S:
            raise ValueError(f"timeout_s must be from 0.1 to {MOST_S:g} seconds")
        try:
            key = base64.b64decode(self.secret.reveal().removeprefix(_PREFIX) + "==")
        except binascii.Error:
            key = b""
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"secret must be {_PREFIX} and at least {MIN_KEY_BYTES} bytes in base64")

    def __str__(self) -> str:
        return address.shown(self.url)


def now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


class Webhook:
    """One address that is asked with signed requests; used in a thread."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = now) -> None:
        self._settings, self._clock = settings, clock
        self._signer = Signer(settings.secret.reveal())

    def ask(self, kind: str, content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """Send `{"type": kind, "data": content}` with `key` as its webhook-id, and return the object that comes back.

        Asked again with the same key, the system does nothing more. Raises Refused where it says no for good, with
        403, 410 or 422 and a `message` for the person. Everything else that is no success is Unavailable: no answer,
        one that cannot be read, a system that is busy, a secret or an address that is wrong.
        """
        body = msgspec.json.encode({"type": kind, "data": content}).decode()
        answer, read = self._send(body, key)
        if answer.is_success and not read:
            return {}
        try:
            said = msgspec.json.decode(read, type=dict[str, Any])
        except msgspec.DecodeError:
            said = {}
            if answer.is_success:
                raise Unavailable(f"{self._settings} answered what is no JSON object.") from None
        if answer.is_success:
            return said
        message = said.get("message")
        told = message[:MAX_MESSAGE] if isinstance(message, str) else ""
        if answer.status_code in NO and told:
            raise Refused(told)
        raise Unavailable(f"{self._settings} answered {answer.status_code}{told and ': '}{told or '.'}")

    def _send(self, body: str, key: str) -> tuple[httpx2.Response, bytes]:
        moment = self._clock()
        headers = {
            "content-type": "application/json",
            "webhook-id": key,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": self._signer.sign(key, moment, body),
        }
        try:
            with (
                hanging_up(self._settings.timeout_s) as end,
                httpx2.Client(timeout=self._settings.timeout_s, trust_env=False) as client,
                client.stream(
                    "POST", self._settings.url, content=body.encode(), headers=headers, extensions=dict(end.extensions)
                ) as answer,
            ):
                read = b""
                for piece in answer.iter_bytes():
                    read += piece
                    if len(read) > MAX_ANSWER_BYTES:
                        raise Unavailable(f"{self._settings} answered more than {MAX_ANSWER_BYTES:,} bytes.")
                return answer, read
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unavailable(f"{self._settings} does not answer ({type(error).__name__}).") from None
