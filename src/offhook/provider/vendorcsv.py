"""The users file of the vendor's sample script: one user a line, in whatever columns the account template asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from offhook.core.secret import Secret
from offhook.provider import change as changes
from offhook.provider import lines, tables
from offhook.provider.change import Change, Clear, NewPassword
from offhook.provider.lines import HASHED, Line
from offhook.provider.subscriber import Bcrypt
from offhook.provider.tables import Notes

USERNAME: Final = "cloud_username"
PASSWORD: Final = "cloud_password"
CLOUD_ID: Final = "cloud_id"


class Users(NamedTuple):
    """A users file: the columns that are known of everybody, and the lines, read as they are asked for."""

    columns: frozenset[str]
    lines: Iterator[Line]


def read(file: BinaryIO, notes: Notes) -> Users:
    """Read a users file as the script does; raises Invalid when it does not say who signs in and how."""
    rows = tables.read_php(file, notes)
    columns = tables.header(rows, (USERNAME, PASSWORD), notes)
    if columns.pop(CLOUD_ID, None) is not None:
        notes.remark(1, f"names the column {CLOUD_ID}, which is not used: the Cloud ID is always the one asked for")
    others = {name: position for name, position in columns.items() if name not in {USERNAME, PASSWORD}}
    for fault in changes.faults(Change(attributes=dict.fromkeys(others, ""))):
        notes.fault(1, str(fault))
    notes.check()
    secret = tuple(filter(changes.is_secret, others))

    def users() -> Iterator[Line]:
        for row in rows:
            cells = tables.cells_of(row, columns, notes)
            username, password = cells.pop(USERNAME), cells.pop(PASSWORD)
            hidden = {name: Secret(cells.pop(name)) for name in secret}
            yield Line(row.line, username, Change(_password(password, username, row.line, notes), None, cells, hidden))

    return Users(frozenset(others), users())


def _password(cell: str, username: str, line: int, notes: Notes) -> NewPassword:
    if not cell.startswith(HASHED):
        if not cell and username.strip():
            notes.remark(line, f"{username} has no {PASSWORD}; nobody can sign in so until one is set")
        return Clear(Secret(cell)) if cell else changes.NOBODY
    hashed = Bcrypt(cell.removeprefix(HASHED))
    if fault := lines.hash_fault(hashed):
        notes.remark(
            line, f"what {username} has behind {HASHED} is {fault}; nobody can sign in so until another one is set"
        )
        return changes.NOBODY
    return hashed
