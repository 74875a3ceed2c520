"""What the operator says of each SIP system: a kind for each back-end, read from the file of connections."""

from __future__ import annotations

from typing import TypeAlias

from offhook.core.secret import Discreet, Secret
from offhook.outgoing import webhook


class Kamailio(Discreet, frozen=True, tag_field="kind", tag="kamailio", forbid_unknown_fields=True):
    """Kamailio: its database as SQLAlchemy names it, and the socket of its JSON-RPC."""

    database: Secret
    control: str

    def __str__(self) -> str:
        return f"Kamailio at {self.control}"


class Webhook(webhook.Settings, frozen=True, tag_field="kind", tag="webhook", forbid_unknown_fields=True):
    """The operator's own system."""


AnySystem: TypeAlias = Kamailio | Webhook
