"""CSV as PHP reads it and as spreadsheets write it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core.errors import Invalid
from offhook.provider import tables
from offhook.provider.tables import Notes, Row

# What fgetcsv with its usual settings gives for each of these lines.
AS_PHP = (
    (b"a,b", ["a", "b"]),
    (b"a,", ["a", ""]),
    (b",,", ["", "", ""]),
    (b" a , b ", [" a ", " b "]),
    (b'"a,b",c', ["a,b", "c"]),
    (b'"a""b",c', ['a"b', "c"]),
    (b'""""', ['"']),
    (b'a"b,c', ['a"b', "c"]),
    (b'"a"b,c', ["ab", "c"]),
    (b'"a" ,c', ["a ", "c"]),
    (b'"a"b"c",d', ['ab"c"', "d"]),
    (b'x, \t"a",b', ["x", "a", "b"]),
    (b'"a\\"b",c', ['a\\"b', "c"]),
    (b'"a\\\\",c', ["a\\\\", "c"]),
    (b'"\\"""",c', ['\\""', "c"]),
    (b"a\\,b", ["a\\", "b"]),
    (b'"a\nb",c', ["a\nb", "c"]),
    (b'"a\r\n\r\nb"\r\n', ["a\r\n\r\nb"]),
    (b"a\r,b\r\n", ["a", "b"]),
    (b"   ", ["   "]),
    (b"\xef\xbb\xbfa,\xc3\xa4", ["a", "ä"]),
)


def rows(content: bytes) -> tuple[list[Row], Notes]:
    notes = Notes()
    return list(tables.read_php(io.BytesIO(content), notes)), notes


def faults(notes: Notes) -> list[str]:
    with pytest.raises(Invalid) as caught:
        notes.check()
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(("line", "cells"), AS_PHP, ids=[str(line) for line, _ in AS_PHP])
def test_cells_are_those_of_php(line: bytes, cells: list[str]) -> None:
    """Backslashes, blanks and text around quotation marks are taken as PHP takes them."""

    found, notes = rows(line)

    assert [list(row.cells) for row in found] == [cells]
    assert notes.fault_count == 0


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\\\x00", exclude_categories=["Cs"])), min_size=2), min_size=1
    )
)
def test_what_a_spreadsheet_writes_both_read(table: list[list[str]]) -> None:
    """Without backslashes, PHP's way and the usual one are the same."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(table)
    content = buffer.getvalue().encode()

    as_php, _ = rows(content)
    as_usual = list(tables.read(io.BytesIO(content), Notes()))

    assert [list(row.cells) for row in as_php] == table
    assert [(row.line, list(row.cells)) for row in as_usual] == [(row.line, list(row.cells)) for row in as_php]


def test_rows_know_their_lines() -> None:
    """Blank lines and lines within cells count."""

    found, _ = rows(b'a\n\n"b\nc",d\r\n\r\ne')

    assert [(row.line, row.cells[0]) for row in found] == [(1, "a"), (3, "b\nc"), (6, "e")]


def test_what_is_no_text_is_told_by_line() -> None:
    """Reading goes on behind a line that is not UTF-8."""

    found, notes = rows(b"a\n\xe4\nb\n\xff\n")

    assert [row.cells[0] for row in found] == ["a", "b"]
    assert faults(notes) == [
        "line 2: is not UTF-8 text (byte 1); save the file as UTF-8",
        "line 4: is not UTF-8 text (byte 1); save the file as UTF-8",
    ]


@pytest.mark.parametrize("read", [tables.read_php, tables.read])
def test_an_open_quotation_mark_is_a_fault(read: Callable[[BinaryIO, Notes], Iterator[Row]]) -> None:
    """It is told where the mark stands, however long the rest of the file is, and nothing is taken for a row."""
    notes = Notes()
    content = io.BytesIO(b'a\n"b\n' + b"c,d\n" * 1000)

    found = list(read(content, notes))

    assert [list(row.cells) for row in found] == [["a"]]
    assert faults(notes)[0].startswith("line 2: ")


def test_files_are_read_within_limits() -> None:
    """A line that never ends, and a quotation mark that is never closed, are given up."""
    endless = b"a" * (tables.MAX_RECORD * 3)
    unclosed = b'"' + b"a\n" * (tables.MAX_RECORD * 3)

    _, first = rows(b"x\n" + endless)
    _, second = rows(unclosed)

    assert "more than 131,072 bytes" in faults(first)[0]
    assert "never closed" in faults(second)[0]


def test_a_hundred_notes_are_enough() -> None:
    """All faults are counted, a hundred are told, by line."""
    notes = Notes()
    for line in range(250, 0, -1):
        notes.fault(line, "is wrong")
        notes.remark(line, "is odd")

    told = faults(notes)

    assert len(told) == 101
    assert (told[0], told[-1]) == ("line 151: is wrong", "and 150 more")
    assert (len(notes.remarks), notes.remark_count) == (100, 250)


def test_too_many_columns_are_a_fault() -> None:
    """The number of columns is limited."""
    notes = Notes()
    found = tables.read_php(io.BytesIO(",".join(f"c{number}" for number in range(201)).encode()), notes)

    with pytest.raises(Invalid, match="names 201 columns"):
        tables.header(found, ("c1",), notes)
