"""Signing up: a code goes to an e-mail address, and whoever has the code may come in under that address."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Final, Protocol

import msgspec

from offhook.core.errors import OffhookError, Refused, TooMany, Unavailable
from offhook.core.secret import Secret
from offhook.provider.limits import Buckets, Rate, network_of
from offhook.provider.mail import is_address
from offhook.provider.onboarding import SignUp
from offhook.provider.ports import Chance, Clock
from offhook.provider.sealing import KeyedHash

DIGITS: Final = 6
# Of a code from one network, so that strangers cannot use up its owner's; and from all of them.
TRIES: Final = 5
TRIES_IN_ALL: Final = 40
DAY_S: Final = 86400
KEY_BYTES: Final = 16
AT_ONCE: Final = 2
WAITING: Final = 500
MOST_BUCKETS: Final = 50_000
# The same whether or not there is somebody of that address already.
SENT: Final = (
    "If this address can be used here, a code was sent to it just now. Enter the code in place of the password, and "
    "sign in again."
)
TOO_MANY: Final = "Too many codes were asked for. Please wait and try again."
WRONG_CODE: Final = "This code is wrong, or too old. To get a new one, sign in without a password."
NOT_THIS_ADDRESS: Final = "You cannot sign up with this address. Please use the e-mail address that you were asked for."
_CODE: Final = re.compile(rf"[0-9]{{{DIGITS}}}")


class Limits(msgspec.Struct, frozen=True):
    """How many codes are sent: to one address, also within a day, for one network, and for one Cloud ID."""

    address: Rate = Rate(burst=3, every_s=600)
    network: Rate = Rate(burst=20, every_s=60)
    cloud_id: Rate = Rate(burst=300, every_s=2)
    a_day: int = 10


class Sent(msgspec.Struct, frozen=True):
    """The newest code that was sent to an address, known by its keyed hash."""

    cloud_id: str
    username_key: str
    code_hash: bytes
    expires_s: int


class Codes(Protocol):
    """Keeps codes. Every method is one transaction, and may raise Unavailable."""

    def put(self, sent: Sent, now_s: int, a_day: int) -> int:
        """Keep one in place of the one before and return 0; those that are over are forgotten.

        Where there were so many in a day, nothing changes, and the seconds to wait are returned.
        """

    def spend(self, given: Sent, device: str, network: str, now_s: int) -> bool:
        """Whether it is the code, in time, and for its first device; a try is used up if not, before it is said.

        There are some for each network, and some for all of them.
        """


class Sender(Protocol):
    """Gets a code to an address. It waits, so it belongs into a thread."""

    def send(self, cloud_id: str, address: str, code: Secret, key: str) -> None:
        """Send it. Raises Refused, Unavailable."""


class SignUps:
    """Sends codes, and tells whether one is right."""

    def __init__(
        self,
        *,
        codes: Codes,
        senders: Callable[[str], Sender | None],
        tokens: KeyedHash,
        clock: Clock,
        chance: Chance,
        noted: Callable[[str], None],
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        self._a_day = limits.a_day
        self._codes, self._senders, self._tokens = codes, senders, tokens
        self._clock, self._chance, self._noted = clock, chance, noted
        self._addresses = Buckets(limits.address, MOST_BUCKETS)
        self._networks = Buckets(limits.network, MOST_BUCKETS)
        self._cloud_ids = Buckets(limits.cloud_id, MOST_BUCKETS)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="codes")
        self._room = BoundedSemaphore(AT_ONCE + WAITING)

    def close(self) -> None:
        """Send what is waiting, and no more."""
        self._threads.shutdown()

    def ask(
        self, cloud_id: str, mode: SignUp, address: str, username_key: str, client: str, *, send: bool, keep: bool
    ) -> None:
        """Send a code to an address. Without `send` all is done but that, so that nobody can tell, also not by time.

        With `keep` unset it is only looked whether one could be sent.
        Raises Refused for what is no address, or none of the right domain; TooMany, Unavailable. Waits for a write.
        """
        if not is_address(address) or not mode.admits(address):
            raise Refused(NOT_THIS_ADDRESS)
        sender = self._senders(mode.sent_by)
        if sender is None:
            raise Unavailable("There is nobody to send codes: name a mail server, or the hook, in the connections.", 60)
        self._count(cloud_id, username_key, client)
        if not keep:
            return
        number = int.from_bytes(self._chance.token(8)) % 10**DIGITS
        code, now_s = Secret(f"{number:0{DIGITS}}"), self._clock.now_s()
        hashed = self._hash(cloud_id, username_key, code)
        wait_s = self._codes.put(Sent(cloud_id, username_key, hashed, now_s + mode.code_s), now_s, self._a_day)
        if wait_s:
            raise TooMany(TOO_MANY, wait_s)
        self._hand_over(sender if send else None, cloud_id, address, code)

    def fits(self, cloud_id: str, username_key: str, code: Secret, device: str, client: str) -> bool:
        """Whether this code was put for the address. Waits for a write."""
        now_s = self._clock.now_s()
        given = Sent(cloud_id, username_key, self._hash(cloud_id, username_key, code), now_s)
        return self._codes.spend(given, device, network_of(client), now_s)

    def _count(self, cloud_id: str, username_key: str, client: str) -> None:
        now_s = self._clock.now_s()
        counted = (
            (self._addresses, f"{cloud_id}|{username_key}"),
            (self._networks, network_of(client)),
            (self._cloud_ids, cloud_id),
        )
        wait_s = max(buckets.wait_s(name, now_s) for buckets, name in counted)
        if wait_s > 0:
            raise TooMany(TOO_MANY, int(wait_s) + 1)
        for buckets, name in counted:
            buckets.take(name, now_s)

    def _hand_over(self, sender: Sender | None, cloud_id: str, address: str, code: Secret) -> None:
        """In a thread of its own: how long it takes must not tell whether anything is sent."""
        if not self._room.acquire(blocking=False):
            raise Unavailable("Too many codes wait to be sent.")
        key = self._chance.token(KEY_BYTES).hex()
        future = self._threads.submit(self._send, sender, cloud_id, address, code, key)
        future.add_done_callback(lambda _: self._room.release())

    def _send(self, sender: Sender | None, cloud_id: str, address: str, code: Secret, key: str) -> None:
        try:
            if sender is not None:
                sender.send(cloud_id, address, code, key)
        except OffhookError as error:
            # Whoever waits for the code asks for another one.
            self._noted(error.text)

    def _hash(self, cloud_id: str, username_key: str, code: Secret) -> bytes:
        # With its length in front, no part can reach into the next.
        return self._tokens.of(Secret(f"code|{cloud_id}|{len(username_key)}:{username_key}|{code.reveal()}"))


def is_code(password: Secret) -> bool:
    """Whether it looks like a code, and not like a password, or nothing."""
    return _CODE.fullmatch(password.reveal().strip()) is not None


def same(kept: bytes, given: bytes) -> bool:
    """Whether two hashes are the same, in the same time whatever differs."""
    return hmac.compare_digest(kept, given)
