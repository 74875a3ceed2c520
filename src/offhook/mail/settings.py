"""What the operator says of the mail server, read from the file of connections."""

from __future__ import annotations

from enum import StrEnum

from offhook.core.secret import Discreet, Secret


class Security(StrEnum):
    """How the connection is protected; the certificate is always verified."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"  # for a server on this machine, or in a network of your own


class Smtp(Discreet, frozen=True, tag_field="kind", tag="smtp", forbid_unknown_fields=True):
    """A mail server for outgoing mail, and the sender that recipients see.

    Without `security`, port 465 is TLS and any other one STARTTLS. `ca_file` holds the certificates of a server that
    has one of a private authority.
    """

    host: str
    sender: str
    port: int = 587
    username: str = ""
    password: Secret = Secret("")
    sender_name: str = ""
    reply_to: str = ""
    security: Security | None = None
    ca_file: str = ""
    timeout_s: float = 20.0

    @property
    def protection(self) -> Security:
        """How the connection is protected."""
        if self.security is not None:
            return self.security
        return Security.TLS if self.port == 465 else Security.STARTTLS

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
