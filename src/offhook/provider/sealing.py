"""Secrets at rest: sealed to open only with a key outside the database, and only in the row they belong to."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from offhook.core.errors import Invalid, Unavailable
from offhook.core.secret import Secret
from offhook.provider.ports import Chance

NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32
DIGEST_BYTES: Final = 32
SIGN_IN_PASSWORD: Final = "cloud_password"


def place_of(cloud_id: str, username_key: str, name: str) -> str:
    """The row and column a subscriber's secret is bound to; the password of the sign-in is named `cloud_password`."""
    return f"subscriber|{cloud_id}|{_apart(username_key)}|{name}"


def place_of_override(cloud_id: str, username_key: str, key: str) -> str:
    """The place of an override; no attribute or secret may have braces in its name."""
    return place_of(cloud_id, username_key, f"{{override}}{key}")


def _apart(username_key: str) -> str:
    """Without a bar, so that no name reaches over into the column."""
    return username_key.replace("%", "%25").replace("|", "%7C")


class Sealer:
    """Encrypts with AES-256-GCM: `key id (1 byte) | nonce (12) | ciphertext`, in base64, bound to its place.

    New secrets are sealed with the current key; those of any other key that is still there open as well, so that keys
    can be changed one secret at a time.
    """

    def __init__(
        self,
        current: int,
        keys: Mapping[int, bytes],
        chance: Chance,
        read: Callable[[], tuple[int, Mapping[int, bytes]]] | None = None,
    ) -> None:
        self._chance, self._read = chance, read
        self._take(current, keys)

    def __repr__(self) -> str:
        return f"Sealer(current={self._current}, keys={sorted(self._ciphers)})"

    @property
    def current(self) -> int:
        """The number of the key that new secrets are sealed with."""
        return self._current

    def reload(self) -> None:
        """Take the keys as they are kept now, if somebody said where. Raises Invalid, and goes on with these."""
        if self._read is not None:
            self._take(*self._read())

    def _take(self, current: int, keys: Mapping[int, bytes]) -> None:
        assert current in keys
        assert all(0 < number < 256 and len(key) == KEY_BYTES for number, key in keys.items())
        # The ciphers first: another thread seals with the current one at any moment.
        self._ciphers = {number: AESGCM(key) for number, key in keys.items()}
        self._current = current

    def seal(self, text: str, place: str) -> str:
        """Encrypt a text for one place."""
        nonce, current = self._chance.token(NONCE_BYTES), self._current
        sealed = self._ciphers[current].encrypt(nonce, text.encode("utf-8", "surrogatepass"), place.encode())
        return base64.b64encode(bytes((current,)) + nonce + sealed).decode()

    def open(self, sealed: str, place: str) -> Secret:
        """Decrypt what was sealed for this very place.

        Raises Unavailable when the key is missing or the text is not what was sealed: an operator can put that right.
        """
        try:
            raw = base64.b64decode(sealed, validate=True)
            if raw[0] not in self._ciphers:
                # Another process may have made a new key a moment ago.
                with suppress(Invalid):
                    self.reload()
            cipher = self._ciphers.get(raw[0])
            if cipher is None:
                raise Unavailable(
                    f"{place} was sealed with key {raw[0]}, which is not among the keys of this installation "
                    f"({', '.join(map(str, sorted(self._ciphers)))}). Put that key back into the folder of the keys."
                )
            text = cipher.decrypt(raw[1 : 1 + NONCE_BYTES], raw[1 + NONCE_BYTES :], place.encode())
        except (InvalidTag, binascii.Error, IndexError, ValueError):
            raise Unavailable(
                f"{place} cannot be opened: it was sealed with another key of that number, for another place, or was "
                "changed. Restore database and keys from the same backup, or set the value anew."
            ) from None
        return Secret(text.decode("utf-8", "surrogatepass"))

    def is_current(self, sealed: str) -> bool:
        """Whether a text is sealed with the current key; another one is to be sealed anew when keys are changed."""
        return key_number(sealed) == self._current


def key_number(sealed: str) -> int:
    """The number of the key that a text was sealed with."""
    return base64.b64decode(sealed)[0]


class KeyedHash:
    """Turns tokens into what is kept of them: without the pepper nobody can tell a token from its hash, or make one."""

    def __init__(self, pepper: bytes) -> None:
        assert len(pepper) == KEY_BYTES
        self._pepper = pepper

    def __repr__(self) -> str:
        return "KeyedHash()"

    def of(self, token: Secret) -> bytes:
        """The hash of a token. Only for what a machine made up: it is too quick for a password that a person chose."""
        content = token.reveal().encode("utf-8", "surrogatepass")
        return blake2b(content, digest_size=DIGEST_BYTES, key=self._pepper, person=b"offhook-token").digest()

    def of_pair(self, username: str, password: Secret) -> bytes:
        """The hash of SIP credentials.

        A person may have chosen the password. It is kept encrypted under keys that lie beside the pepper, so whoever
        could guess it from this hash could as well open it there.
        """
        return self.of(Secret(f"{len(username)}:{username}:{password.reveal()}"))

    def digest(self, document: bytes) -> str:
        """Tells documents apart, and nobody can find out by guessing what one holds: 32 hexadecimal digits."""
        return blake2b(document, digest_size=16, key=self._pepper, person=b"offhook-answer").hexdigest()
