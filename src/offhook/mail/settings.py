"""What the operator says of the mail server, read from the file of connections."""

from __future__ import annotations

from offhook.core.secret import Discreet, Secret


class Smtp(Discreet, frozen=True, tag_field="kind", tag="smtp", forbid_unknown_fields=True):
    """A mail server for outgoing mail, and the sender that recipients see."""

    host: str
    sender: str
    port: int = 587
    username: str = ""
    password: Secret = Secret("")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
