"""From the lines of a users file to what they would make of the users: counted, checked, and put by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Final, Literal, TypeAlias

import msgspec

from offhook.core.diagnostics import Diagnostic
from offhook.provider import change as changes
from offhook.provider.lines import Line
from offhook.provider.ports import Chance, SubscriberStore
from offhook.provider.sealing import Sealer
from offhook.provider.settling import settle
from offhook.provider.subscriber import Argon2, Subscriber, username_key
from offhook.provider.tables import Notes
from offhook.provider.tenant import Tenant

CHUNK: Final = 500
TenantIs: TypeAlias = Literal["new", "changed", "as it was"]
Progress: TypeAlias = Callable[[int], None]


class Counts(msgspec.Struct, frozen=True):
    """How many lines a file has, and how many users it adds, changes, leaves as they are, passes over, lacks.

    `kept_passwords` are users whose password was hashed here since: theirs stays, and the file's is not looked at.
    """

    lines: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: int = 0
    absent: int = 0
    kept_passwords: int = 0


class Plan(msgspec.Struct, frozen=True):
    """What an import would do; to be closed. The users wait in a nameless file, sealed as they will be kept."""

    tenant: Tenant
    tenant_is: TenantIs
    counts: Counts
    remarks: tuple[Diagnostic, ...]
    remark_count: int
    waiting: IO[bytes]

    def close(self) -> None:
        """Let go of the file."""
        self.waiting.close()

    @property
    def changes_what_exists(self) -> bool:
        """Whether users or settings that are there already become others."""
        return self.counts.changed > 0 or self.tenant_is == "changed"

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.counts.added and not self.changes_what_exists and self.tenant_is == "as it was"


class Named:
    """The lines that name a user for the first time, with the name without regard to case.

    The vendor's script passes over the others, so `lenient` remarks upon them; otherwise they are faults.
    """

    def __init__(self, lines: Iterator[Line], notes: Notes, *, lenient: bool) -> None:
        self._lines = lines
        self._notes = notes
        self._object = notes.remark if lenient else notes.fault
        self._first: dict[str, int] = {}
        self.read = 0
        self.skipped = 0

    def __iter__(self) -> Iterator[tuple[str, Line]]:
        return self

    def __next__(self) -> tuple[str, Line]:
        for line in self._lines:
            self.read += 1
            if key := self._key(line):
                return key, line
            self.skipped += 1
        raise StopIteration

    def _key(self, line: Line) -> str | None:
        if not line.username.strip():
            self._object(line.number, "has no username and is left out")
            return None
        if faults := changes.username_faults(line.username):
            self._notes.fault(line.number, "; ".join(map(str, faults)))
            return None
        key = username_key(line.username)
        if first := self._first.get(key):
            self._object(line.number, f"{line.username} stands on line {first} already, and the first one counts")
            return None
        self._first[key] = line.number
        return key


@dataclass(frozen=True)
class Planner:
    """Lays lines over what is known of the users of a Cloud ID."""

    subscribers: SubscriberStore
    sealer: Sealer
    chance: Chance
    cloud_id: str
    author: str
    now_s: int
    replace_passwords: bool

    def plan(self, named: Named, waiting: IO[bytes], notes: Notes, progress: Progress) -> Counts:
        """Put those users by who are new or become others, in bounded memory, and count all."""
        added = changed = unchanged = kept = 0
        while chunk := list(islice(named, CHUNK)):
            known = self.subscribers.known(self.cloud_id, [key for key, _ in chunk])
            for key, line in chunk:
                if not self._is_sound(line, notes):
                    continue
                old = known.get(key)
                keeps = old is not None and self._keeps_password(old, line)
                kept += keeps
                new = self._new(line, notes) if old is None else self._over(old, line, keeps_password=keeps)
                if new is old:
                    unchanged += 1
                    continue
                added, changed = added + (old is None), changed + (old is not None)
                waiting.write(msgspec.json.encode(new) + b"\n")
            progress(named.read)
        if not named.read:
            notes.remark(1, "names the columns, and no user follows")
        absent = self.subscribers.count(self.cloud_id) - changed - unchanged
        return Counts(named.read, added, changed, unchanged, named.skipped, absent, kept)

    def _is_sound(self, line: Line, notes: Notes) -> bool:
        """Whether the line can be used; after any fault none is, since nothing will be kept."""
        for fault in changes.faults(line.change):
            notes.fault(line.number, str(fault))
        if changes.has_empty_sip_password(line.change):
            notes.remark(line.number, f"{line.username} has an empty SIP password, with which no phone can register")
        return not notes.fault_count

    def _keeps_password(self, old: Subscriber, line: Line) -> bool:
        """Whether a password stays: one that is hashed for good could only be compared slowly, for many in hours."""
        given = line.change.password
        is_settled = isinstance(old.password, Argon2) and given is not None and not isinstance(given, Argon2)
        return is_settled and not self.replace_passwords

    def _new(self, line: Line, notes: Notes) -> Subscriber:
        if line.change.password is None:
            notes.remark(line.number, f"{line.username} is new and has no password; nobody can sign in so yet")
        blank = Subscriber(
            self.cloud_id, line.username.strip(), changes.NOBODY, created_s=self.now_s, changed_s=self.now_s
        )
        return settle(blank, changes.signed(line.change, self.author, self.now_s), self.sealer, self.chance)

    def _over(self, old: Subscriber, line: Line, *, keeps_password: bool) -> Subscriber:
        change = changes.signed(line.change, self.author, self.now_s)
        change = msgspec.structs.replace(
            change, generate_sip=False, password=None if keeps_password else change.password
        )
        new = settle(msgspec.structs.replace(old, username=line.username.strip()), change, self.sealer, self.chance)
        return old if new == old else msgspec.structs.replace(new, changed_s=self.now_s)
