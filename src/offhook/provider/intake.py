"""Users from a CSV file of our own: as `export` writes it, or with some of its columns, written by a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple, TypeVar

import msgspec

from offhook.core.dialplan import QuickDials
from offhook.core.errors import Invalid
from offhook.core.keys import near
from offhook.core.secret import Secret
from offhook.provider import change as changes
from offhook.provider import expiry, lines, settling, tables
from offhook.provider.change import Change, Clear, Never, NewPassword
from offhook.provider.export import (
    ATTRIBUTE,
    EXPIRES,
    FIXED,
    OVERRIDE,
    PASSWORD,
    QUICK_DIALS,
    SECRET,
    SIP_GENERATED,
    STATE,
    USERNAME,
    Setting,
)
from offhook.provider.lines import Line
from offhook.provider.passwords import is_weak
from offhook.provider.subscriber import SIP_PASSWORD, Argon2, Bcrypt, Override, State
from offhook.provider.tables import Notes

# Different overrides of one file that are looked at closely.
MAX_LOOKED_AT: Final = 1000

_WEAK: Final = (
    "has a password hash that is weaker than those made here, perhaps as others below; each is made anew when its user "
    "next signs in"
)
T = TypeVar("T")


class _Columns(NamedTuple):
    """The columns that are about things with names: column by name."""

    attributes: dict[str, str]
    secrets: dict[str, str]
    overrides: dict[str, str]


def read(file: BinaryIO, notes: Notes) -> Iterator[Line]:
    """Read a file that `write` wrote, or one with some of its columns; what has no column stays as it is.

    An empty cell takes away what it is about, but for passwords and secrets, which then stay. Raises Invalid when
    columns are missing or not known.
    """
    rows = tables.read(file, notes)
    columns = tables.header(rows, (USERNAME,), notes)
    named = _named(columns, notes)
    sample = Change(
        attributes=dict.fromkeys(named.attributes, ""),
        secrets=dict.fromkeys(named.secrets),
        overrides=dict.fromkeys(named.overrides, Override("")),
    )
    for fault in changes.faults(sample):
        notes.fault(1, str(fault))
    notes.check()
    looked_at: set[tuple[str, str]] = set()
    for row in rows:
        cells = _Cells(row.line, tables.cells_of(row, columns, notes), notes)
        change = _change(cells, named)
        _remark(change, looked_at, row.line, notes)
        if isinstance(change.password, Argon2) and (PASSWORD, "weak") not in looked_at and is_weak(change.password):
            looked_at.add((PASSWORD, "weak"))
            notes.remark(row.line, _WEAK)
        username = cells.text(USERNAME)
        if username is not None or not cells.raw(USERNAME):
            yield Line(row.line, username or "", change)


def _named(columns: Iterable[str], notes: Notes) -> _Columns:
    """The columns by what they are about; one that is about nothing is a fault."""
    found = _Columns({}, {}, {})
    for column in columns:
        for prefix, names in zip((ATTRIBUTE, SECRET, OVERRIDE), found, strict=True):
            if column.startswith(prefix):
                names[column.removeprefix(prefix)] = column
                break
        else:
            if column not in FIXED:
                meant = near(column, FIXED) or (ATTRIBUTE + column, OVERRIDE + column)
                notes.fault(1, f"names the column {column}, which is none; did you mean {' or '.join(meant)}?")
    for name in [name for name in found.attributes if changes.is_secret(name)]:
        notes.fault(
            1, f"names the column {ATTRIBUTE}{name}; a secret belongs into {SECRET}{name}, to be kept encrypted"
        )
    return found


class _Cells:
    """The cells of one row; a cell that cannot be read is a fault of its line and counts as empty."""

    def __init__(self, line: int, cells: dict[str, str], notes: Notes) -> None:
        self._line = line
        self._cells = cells
        self._notes = notes

    def fault(self, column: str, text: str) -> None:
        """Note down what is wrong with a cell."""
        self._notes.fault(self._line, f"{column} {text}")

    def remark(self, column: str, text: str) -> None:
        """Note down what is strange about a cell."""
        self._notes.remark(self._line, f"{column} {text}")

    def has(self, column: str) -> bool:
        """Whether there is such a column."""
        return column in self._cells

    def raw(self, column: str) -> str:
        """The cell as it stands; empty when there is no such column."""
        return self._cells.get(column, "")

    def text(self, column: str) -> str | None:
        """The text of a cell; None when it is empty."""
        cell = self.raw(column)
        return self.json(column, str) if cell.startswith(('"', "{")) else cell or None

    def json(self, column: str, kind: type[T]) -> T | None:
        """What a cell of JSON holds; None when it is empty."""
        cell = self.raw(column)
        if not cell:
            return None
        try:
            return msgspec.json.decode(cell, type=kind)
        except msgspec.DecodeError as error:
            self.fault(
                column, f"begins like JSON and is none ({error}); a text that begins so stands between quotation marks"
            )
        return None

    def override(self, column: str) -> Override | None:
        """The override in a cell; None when it is empty."""
        if self.raw(column).startswith("{"):
            setting = self.json(column, Setting)
            return Override(setting.value, setting.markup, setting.rank) if setting else None
        text = self.text(column)
        return None if text is None else Override(text)

    def expiry(self) -> int | Never | None:
        """When the account ends: never for an empty cell, None without such a column."""
        if not self.has(EXPIRES):
            return None
        try:
            return expiry.parse(self.text(EXPIRES) or expiry.NEVER)
        except Invalid as error:
            self.fault(EXPIRES, error.faults[0].text)
            return None

    def choice(self, column: str, known: Collection[str]) -> str | None:
        """One of the known words; None when the cell is empty."""
        word = self.text(column)
        if word is None or word in known:
            return word
        self.fault(column, f"holds {word[:40]!r} where {' or '.join(known)} belongs")
        return None

    def password(self) -> NewPassword | None:
        """The password of the sign-in: a hash behind its kind, else in the clear; None when the cell is empty."""
        text = self.text(PASSWORD)
        if text is None:
            return None
        for kind, prefix in ((Argon2, "argon2:"), (Bcrypt, lines.HASHED)):
            if text.startswith(prefix):
                hashed = kind(text.removeprefix(prefix))
                if fault := lines.hash_fault(hashed):
                    self.fault(PASSWORD, f"begins with {prefix} and goes on with {fault}")
                    return None
                return hashed
        return Clear(Secret(text)) if text else changes.NOBODY


def _change(cells: _Cells, named: _Columns) -> Change:
    state = cells.choice(STATE, (State.ACTIVE, State.SUSPENDED))
    secrets = {name: text for name, column in named.secrets.items() if (text := cells.text(column)) is not None}
    generated = cells.choice(SIP_GENERATED, ("0", "1"))
    sip_password = secrets.get(SIP_PASSWORD)
    ours = generated == "1" and sip_password is not None and settling.is_generated(Secret(sip_password))
    if generated == "1" and sip_password is not None and not ours:
        cells.remark(SIP_GENERATED, f"is 1, and the password in {SECRET}{SIP_PASSWORD} is none that was made here")
    dials = cells.json(QUICK_DIALS, QuickDials)
    return Change(
        password=cells.password(),
        state=State(state) if state else None,
        attributes={name: cells.text(column) for name, column in named.attributes.items()},
        secrets={name: Secret(text) for name, text in secrets.items()},
        overrides={key: cells.override(column) for key, column in named.overrides.items()},
        all_quick_dials=(dials or QuickDials()) if cells.has(QUICK_DIALS) else None,
        sip_generated=ours,
        generate_sip=generated != "0",
        expires_s=cells.expiry(),
    )


def _remark(change: Change, looked_at: set[tuple[str, str]], line: int, notes: Notes) -> None:
    """Remark upon overrides, upon the same one only once."""
    for key, override in change.overrides.items():
        if override is not None and (key, override.value) not in looked_at and len(looked_at) < MAX_LOOKED_AT:
            looked_at.add((key, override.value))
            for remark in changes.remarks(Change(overrides={key: override})):
                notes.remark(line, str(remark))
