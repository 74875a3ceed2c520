"""What must not be shown: it hides itself in representations, logs and tracebacks."""

from __future__ import annotations

import hmac
from typing import Final

import msgspec

MASK: Final = "********"


class Secret:
    """A password or token. Only `reveal` gives it out; comparing takes the same time whatever differs."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one line that needs it."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_encoded(self), _encoded(other))

    def __hash__(self) -> int:
        return hash(self._text)


class Discreet(msgspec.Struct, frozen=True):
    """A record whose fields may hold secrets: it is represented by what its `__str__` tells, in tracebacks too."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """The same for rich, which would rather ask for the fields."""
        return [("shown", str(self))]


def _encoded(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")
