"""Hooks as signed webhooks: one address of the operator's for each, asked to do its part and to undo it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from offhook.core.errors import Unavailable
from offhook.core.secret import Secret
from offhook.outgoing.webhook import Webhook
from offhook.provider.hooks import Wish

DO: Final = "user.provision"
UNDO: Final = "user.deprovision"
CODE: Final = "user.code"


class WebhookHook:
    """The port over one address. The body is `{"type": ..., "data": {...}}`; `attributes` of the answer come back."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    def perform(self, wish: Wish, key: str) -> Mapping[str, str]:
        """As the port says."""
        content = {
            "step": wish.step,
            "cloud_id": wish.cloud_id,
            "username": wish.username,
            "attributes": dict(wish.attributes),
        }
        answer = self._webhook.ask(UNDO if wish.undo else DO, content, key)
        return {} if wish.undo else _attributes(answer)


class WebhookCodes:
    """Hands the code of somebody who signs up to a system of the operator's, which gets it to them."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    def send(self, cloud_id: str, address: str, code: Secret, key: str) -> None:
        """As the port says."""
        self._webhook.ask(CODE, {"cloud_id": cloud_id, "address": address, "code": code.reveal()}, key)


def _attributes(answer: Mapping[str, Any]) -> Mapping[str, str]:
    try:
        return msgspec.convert(answer.get("attributes", {}), dict[str, str])
    except msgspec.ValidationError:
        raise Unavailable("A hook answered with attributes that are no texts by name.") from None
