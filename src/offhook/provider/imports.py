"""Import: a file of users becomes a plan, and the plan becomes users, all of them or none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, BinaryIO, Final, Protocol

import msgspec

from offhook.core.errors import Invalid, NotFound, Unavailable
from offhook.core.login import CloudId
from offhook.provider import intake, tenancy, vendorcsv
from offhook.provider.lines import Line
from offhook.provider.planning import Named, Plan, Planner, Progress, TenantIs
from offhook.provider.ports import Chance, Clock, SubscriberStore, TenantStore
from offhook.provider.sealing import Sealer
from offhook.provider.subscriber import Subscriber
from offhook.provider.tables import Notes
from offhook.provider.tenant import Credential, Tenant

_RECORD: Final = msgspec.json.Decoder(Subscriber)


class ImportStore(Protocol):
    """Keeps what an import brings, in one transaction."""

    def keep(self, tenant: Tenant | None, users: Iterable[Subscriber]) -> int:
        """Keep the tenant, if one is given, and the users; returns how many users. Raises Conflict."""


def no_progress(lines: int) -> None:
    """Nobody watches."""


class Manner(msgspec.Struct, frozen=True):
    """How to import: who does it, whether passwords that are hashed here give way, and who watches the lines go by."""

    author: str = ""
    replace_passwords: bool = False
    progress: Progress = no_progress


USUAL: Final = Manner()
_NO_ROOM: Final = (
    "What was read cannot be put by in {0} ({1}). Make room there, or name another folder in TMPDIR. Nothing was "
    "changed."
)


@dataclass(frozen=True)
class Importer:
    """The use cases: plan an import of either format, and carry a plan out."""

    store: ImportStore
    subscribers: SubscriberStore
    tenants: TenantStore
    sealer: Sealer
    chance: Chance
    clock: Clock

    def plan_vendor(
        self,
        file: BinaryIO,
        cloud_id: str,
        template: str | None = None,
        credential: Credential | None = None,
        manner: Manner = USUAL,
    ) -> Plan:
        """Plan to take over the two files of the vendor's sample script; the Cloud ID is made when there is none.

        Without a template, that of the Cloud ID stays. Raises Invalid with the faults of both files by place.
        """
        notes = Notes()
        name = CloudId.parse(cloud_id).name
        before = self._tenant(name)
        after = before or Tenant(name)
        after = msgspec.structs.replace(
            after,
            template=after.template if template is None else template,
            credential=credential or after.credential,
        )
        users = vendorcsv.read(file, notes)
        try:
            notes.take(tenancy.check(after, users.columns))
        except Invalid as error:
            notes.take_faults(error.faults)
        tenant_is: TenantIs = "new" if before is None else "as it was" if before == after else "changed"
        return self._plan(Named(users.lines, notes, lenient=True), after, tenant_is, notes, manner)

    def plan_own(self, file: BinaryIO, cloud_id: str, manner: Manner = USUAL) -> Plan:
        """Plan to take in a file as `export.write` writes it, whole or in part; what it does not say stays.

        Raises Invalid with every fault by line, NotFound for an unknown Cloud ID.
        """
        notes = Notes()
        tenant = self.tenants.get(cloud_id)
        lines: Iterator[Line] = intake.read(file, notes)
        return self._plan(Named(lines, notes, lenient=False), tenant, "as it was", notes, manner)

    def carry_out(self, plan: Plan) -> int:
        """Keep what was planned, in one transaction; returns how many users were written.

        Raises Conflict, and changes nothing, when somebody changed one of the users since.
        """
        plan.waiting.seek(0)
        tenant = None if plan.tenant_is == "as it was" else plan.tenant
        return self.store.keep(tenant, map(_RECORD.decode, plan.waiting))

    def _tenant(self, cloud_id: str) -> Tenant | None:
        try:
            return self.tenants.get(cloud_id)
        except NotFound:
            return None

    def _plan(self, named: Named, tenant: Tenant, tenant_is: TenantIs, notes: Notes, manner: Manner) -> Plan:
        planner = Planner(
            self.subscribers,
            self.sealer,
            self.chance,
            tenant.cloud_id,
            manner.author,
            self.clock.now_s(),
            manner.replace_passwords,
        )
        waiting = _put_by()
        try:
            counts = planner.plan(named, waiting, notes, manner.progress)
            waiting.flush()
            notes.check()
        except OSError as error:
            with suppress(OSError):
                waiting.close()
            raise Unavailable(_NO_ROOM.format(tempfile.gettempdir(), error.strerror)) from error
        except BaseException:
            waiting.close()
            raise
        return Plan(tenant, tenant_is, counts, notes.remarks, notes.remark_count, waiting)


def _put_by() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise Unavailable(_NO_ROOM.format("a temporary folder", error.strerror)) from error
