"""CSV: rows with their lines, read as PHP reads them or as spreadsheets write them, and notes about what was found."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Final, NamedTuple

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Fault, Invalid

MAX_RECORD: Final = 128 * 1024
MAX_ROWS: Final = 1_000_000
MAX_COLUMNS: Final = 200
MAX_NOTES: Final = 100

_BOM: Final = b"\xef\xbb\xbf"
# What PHP trims off a name.
_BLANK: Final = " \t\n\r\0\x0b"
# A backslash keeps the quote behind it from ending the cell and stays itself; blanks before the opening quote go away;
# what stands behind the closing one is added. Nothing is ever tried a second time, so a missing quote is found at once.
_QUOTED: Final = re.compile(r'[ \t\n\v\f\r]*+"((?:[^"\\]|\\.|"")*+)"([^,]*+)', re.DOTALL)
_OPENS: Final = re.compile(r'[ \t\n\v\f\r]*+"')


class Row(NamedTuple):
    """One record: the line it begins on, and its cells."""

    line: int
    cells: Sequence[str]


class Notes:
    """What was found in a file: faults, for which it is not used, and remarks. So many are kept, all are counted."""

    def __init__(self) -> None:
        self._faults: list[tuple[int, Fault]] = []
        self._remarks: list[tuple[int, Diagnostic]] = []
        self.fault_count = 0
        self.remark_count = 0

    @property
    def remarks(self) -> tuple[Diagnostic, ...]:
        """What was kept of the remarks, by line."""
        return tuple(remark for _, remark in sorted(self._remarks, key=_line))

    def fault(self, line: int, text: str) -> None:
        """Note down why the file cannot be used."""
        self.fault_count += 1
        if len(self._faults) < MAX_NOTES:
            self._faults.append((line, Fault(f"line {line}", text)))

    def remark(self, line: int, text: str) -> None:
        """Note down what somebody will want to know."""
        self.remark_count += 1
        if len(self._remarks) < MAX_NOTES:
            self._remarks.append((line, Diagnostic(f"line {line}", text)))

    def take(self, remarks: Iterable[Diagnostic]) -> None:
        """Note down what was said of something that belongs to the file; it comes first."""
        for remark in remarks:
            self.remark_count += 1
            self._remarks.append((0, remark))

    def take_faults(self, faults: Iterable[Fault]) -> None:
        """Note down why something that belongs to the file cannot be used; it comes first."""
        for fault in faults:
            self.fault_count += 1
            self._faults.append((0, fault))

    def check(self) -> None:
        """Raise Invalid with what was kept of the faults, by line, and how many more there are."""
        more = self.fault_count - len(self._faults)
        faults = [fault for _, fault in sorted(self._faults, key=_line)]
        Invalid.unless_empty([*faults, *([Fault("", f"and {more:,} more")] if more else [])])


def _line(note: tuple[int, object]) -> int:
    return note[0]


def read_php(file: BinaryIO, notes: Notes) -> Iterator[Row]:
    """The rows as PHP's fgetcsv gives them, without blank lines; a quote that is never closed is a fault."""
    lines = _lines(file, notes)
    for number, line in lines:
        record = line
        cells = _split(_without_end(record))
        while cells is None and len(record) <= MAX_RECORD and (further := next(lines, None)):
            record += further[1]
            cells = _split(_without_end(record)) if '"' in further[1] else None
        if cells is None:
            notes.fault(number, "has a quotation mark that is never closed")
            return
        if cells != [""]:
            yield Row(number, cells)


def read(file: BinaryIO, notes: Notes) -> Iterator[Row]:
    """The rows as spreadsheets write them (RFC 4180), without blank lines."""
    rows = csv.reader((line for _, line in _lines(file, notes)), strict=True)
    begins = 1
    try:
        for cells in rows:
            if cells:
                yield Row(begins, cells)
            begins = rows.line_num + 1
    except csv.Error as error:
        notes.fault(begins, f"is no CSV ({error})")


def header(rows: Iterator[Row], required: Sequence[str], notes: Notes) -> dict[str, int]:
    """The columns of the first row by name; of two that are called the same, the last counts, as it does in PHP.

    Raises Invalid when required ones are missing.
    """
    row = next(rows, None)
    notes.check()
    if row is None:
        raise Invalid.at("line 1", "is missing: the file is empty. Its first line names the columns.")
    columns: dict[str, int] = {}
    for position, cell in enumerate(row.cells[: MAX_COLUMNS + 1]):
        name = cell.strip(_BLANK)
        if name in columns:
            notes.remark(row.line, f"names the column {name} twice; the last one counts")
        if name:
            columns[name] = position
    if len(row.cells) > MAX_COLUMNS:
        notes.fault(row.line, f"names {len(row.cells):,} columns; at most {MAX_COLUMNS} are allowed")
    if missing := [name for name in required if name not in columns]:
        which = f"column{'s' * (len(missing) > 1)} {' and '.join(missing)}"
        notes.fault(row.line, f"does not name the {which}{_hint(columns)}")
    notes.check()
    return columns


def cells_of(row: Row, columns: Mapping[str, int], notes: Notes) -> dict[str, str]:
    """The cells of a row by column: what a short row leaves out is empty, what a long one has too many is not used."""
    cells = row.cells
    if len(cells) > len(columns) and len(cells) > max(columns.values()) + 1 and any(cells[max(columns.values()) + 1 :]):
        notes.remark(row.line, f"has {len(cells)} cells; what stands behind the last column is not used")
    return {name: cells[position] if position < len(cells) else "" for name, position in columns.items()}


def _hint(columns: Mapping[str, int]) -> str:
    for name in columns:
        for separator, called in ((";", "semicolons"), ("\t", "tabs")):
            if separator in name:
                return f": it has {called} between its cells where commas belong"
    return f"; it names {', '.join(columns)[:200]}" if columns else ""


def _lines(file: BinaryIO, notes: Notes) -> Iterator[tuple[int, str]]:
    """The lines with numbers and ends, without a byte order mark; one that is not UTF-8 is a fault and comes empty."""
    number = 0
    while line := file.readline(MAX_RECORD + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line) > MAX_RECORD or number > MAX_ROWS:
            over = (
                f"more than {MAX_RECORD:,} bytes"
                if len(line) > MAX_RECORD
                else f"more than {MAX_ROWS:,} lines before it"
            )
            notes.fault(number, f"has {over}; the file is not read further")
            return
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            notes.fault(number, f"is not UTF-8 text (byte {error.start + 1}); save the file as UTF-8")
            text = "\n"
        yield number, text


def _without_end(line: str) -> str:
    for end in ("\r\n", "\n", "\r"):
        if line.endswith(end):
            return line[: -len(end)]
    return line


def _split(record: str) -> list[str] | None:
    """The cells of a record; None when a quote is still open at its end."""
    if '"' not in record and "\r" not in record:
        return record.split(",")
    cells = []
    position = 0
    while position <= len(record):
        if found := _QUOTED.match(record, position):
            cells.append(found[1].replace('""', '"') + found[2])
            position = found.end() + 1
        elif _OPENS.match(record, position):
            return None
        else:
            end = record.find(",", position)
            end = len(record) if end < 0 else end
            cells.append(record[position:end].removesuffix("\r"))
            position = end + 1
    return cells
