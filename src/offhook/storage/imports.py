"""What an import brings, kept together: the tenant and its subscribers in one transaction."""

from __future__ import annotations

from collections.abc import Iterable

from offhook.provider.ports import Clock
from offhook.provider.subscriber import Subscriber
from offhook.provider.tenant import Tenant
from offhook.storage import subscribers, tenants
from offhook.storage.database import Database


class ImportStore:
    """Keeps a whole import or nothing of it."""

    def __init__(self, database: Database, clock: Clock, author: str = "") -> None:
        self._database = database
        self._clock = clock
        self._author = author

    def keep(self, tenant: Tenant | None, users: Iterable[Subscriber]) -> int:
        """Keep the tenant, if one is given, and the users; returns how many users.

        Raises Conflict, and keeps nothing, when a user was added or changed meanwhile.
        """
        with self._database.begin() as connection:
            if tenant is not None:
                tenants.put(connection, tenant, self._clock.now_s())
            return subscribers.put_all(connection, users, self._author)
