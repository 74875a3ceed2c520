"""What an administrator works with, on the real database of a provider."""

from __future__ import annotations

import io

from offhook.provider.directory import Directory
from offhook.provider.imports import USUAL, Importer, Manner
from offhook.provider.planning import Counts
from offhook.provider.subscriber import Argon2
from offhook.storage.imports import ImportStore
from offhook.storage.subscribers import SubscriberStore
from tests.world_provider import Provider


def directory_of(provider: Provider, subscribers: SubscriberStore | None = None) -> Directory:
    return Directory(
        subscribers or provider.subscribers,
        provider.tenants,
        provider.sealer,
        lambda password: Argon2(provider.argon2.hash(password.reveal())),
        provider.dice,
        provider.clock,
    )


def importer_of(provider: Provider) -> Importer:
    return Importer(
        ImportStore(provider.database, provider.clock),
        provider.subscribers,
        provider.tenants,
        provider.sealer,
        provider.dice,
        provider.clock,
    )


def imports(provider: Provider, file: str | bytes, cloud_id: str = "EXAMPLE", manner: Manner = USUAL) -> Counts:
    """Import a file of our own and say what came of it."""
    importer = importer_of(provider)
    plan = importer.plan_own(io.BytesIO(file.encode() if isinstance(file, str) else file), cloud_id, manner)
    importer.carry_out(plan)
    plan.close()
    return plan.counts
