"""Users with their passwords from a CSV file, for commands that sign in as them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from offhook.cli import asking
from offhook.core.errors import Invalid
from offhook.core.secret import Secret

OUR_COLUMNS: Final = ("username", "password")
# Those of the users file of the vendor's sample script, where username and password are the SIP credentials.
VENDOR_COLUMNS: Final = ("cloud_username", "cloud_password")
_MAX_BYTES: Final = 64 * 1024 * 1024


def read(path: Path, *others: tuple[str, str]) -> Iterator[tuple[str, Secret]]:
    """The users in the order of their lines, by the columns `others` where these are, else username and password.

    Raises Misused or Invalid.
    """
    rows = csv.DictReader(io.StringIO(asking.text_from(path, _MAX_BYTES), newline=""))
    try:
        named = set(rows.fieldnames or ())
        columns = next((pair for pair in (*others, OUR_COLUMNS) if named.issuperset(pair)), None)
        if columns is None:
            raise Invalid.at(str(path), "does not begin with a line that names the columns username and password")
        for row in rows:
            yield row[columns[0]] or "", Secret(row[columns[1]] or "")
    except csv.Error as error:
        raise Invalid.at(f"{path}, after line {rows.line_num}", str(error)) from None
