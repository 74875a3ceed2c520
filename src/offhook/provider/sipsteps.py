"""The step of a saga that makes a SIP account, or removes it."""

from __future__ import annotations

from collections.abc import Mapping

from offhook.core.errors import Refused
from offhook.provider.ports import SubscriberStore, TenantStore
from offhook.provider.saga import MakeSip, Saga
from offhook.provider.siplines import SipLines
from offhook.provider.sipregister import owner_of
from offhook.provider.subscriber import username_key


class SipStep:
    """The register does the work, with keys of its own: it is the same account, whoever asks for it."""

    def __init__(self, lines: SipLines, subscribers: SubscriberStore, tenants: TenantStore) -> None:
        self._lines, self._subscribers, self._tenants = lines, subscribers, tenants

    def do(self, saga: Saga, step: MakeSip, key: str) -> Mapping[str, str]:
        """As the port says; where no SIP system is named, there is nothing to do."""
        tenant = self._tenants.get(saga.cloud_id)
        if tenant.sip is None or (owner_of(tenant.sip, "one") and not saga.install_id):
            return {}
        subscriber = self._subscribers.get(saga.cloud_id, username_key(saga.username))
        if subscriber.id != saga.subscriber_id:
            raise Refused("The user who was to get a SIP account is not there any more.")
        # Known by now are attributes that are the user's only when they are let in: the number rings here.
        self._lines.make(tenant, subscriber, saga.install_id)
        return {}

    def undo(self, saga: Saga, step: MakeSip, key: str) -> None:
        """As the port says."""
        self._lines.unmake(saga.cloud_id, saga.subscriber_id, saga.install_id)
