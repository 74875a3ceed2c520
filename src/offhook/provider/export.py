"""Users as a CSV file of our own, written with all that is set for them; `intake` reads it again.

A cell is a text as it is; an empty cell says that there is none. A cell that begins with `"` or `{` is JSON: a string
that could be misread (an empty one, or one that a spreadsheet would take for a formula), or an object.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import msgspec

from offhook.core.dialplan import QuickDials
from offhook.core.errors import Conflict
from offhook.provider import change as changes
from offhook.provider import expiry, settling
from offhook.provider.sealing import Sealer
from offhook.provider.subscriber import Override, Sealed, State, Subscriber, write_password

USERNAME: Final = "username"
STATE: Final = "state"
PASSWORD: Final = "password"
SIP_GENERATED: Final = "sip_generated"
QUICK_DIALS: Final = "quick_dials"
EXPIRES: Final = "expires"
ATTRIBUTE: Final = "attribute:"
SECRET: Final = "secret:"
OVERRIDE: Final = "override:"
FIXED: Final = (USERNAME, STATE, EXPIRES, PASSWORD, SIP_GENERATED, QUICK_DIALS)

# What a spreadsheet runs instead of showing it; a number with its sign is none.
_FORMULA: Final = re.compile(r"[=@\t\r]|[+-](?![0-9 ().-]*\Z)")
Users: TypeAlias = Callable[[], Iterable[Subscriber]]


class Setting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An override in a cell that is more than a text."""

    value: str
    rank: int | None = None
    markup: bool = False


def write(users: Users, sealer: Sealer | None = None) -> Iterator[str]:
    """The file, a piece at a time: every user with all that is set for them, which takes two looks at the users.

    With a sealer, secrets and overrides that may be some are written in the clear, and passwords as hashes; a password
    in the clear never is.
    Raises Conflict when users were changed between the two looks.
    """
    columns = _columns(users(), with_secrets=sealer is not None)
    buffer = io.StringIO()
    table = csv.writer(buffer)
    table.writerow(columns)
    for user in users():
        if user.state is State.PENDING:
            # Nobody has let them in yet, and whoever does begins anew elsewhere.
            continue
        cells = _cells(user, sealer)
        if not cells.keys() <= set(columns):
            raise Conflict("The users were changed during the export. Try again.")
        table.writerow([cells.get(column, "") for column in columns])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _columns(users: Iterable[Subscriber], *, with_secrets: bool) -> list[str]:
    attributes: dict[str, None] = {}
    secrets: dict[str, None] = {}
    overrides: dict[str, None] = {}
    for user in users:
        attributes |= dict.fromkeys(user.attributes)
        secrets |= dict.fromkeys(user.secrets)
        overrides |= dict.fromkeys(user.overrides)
    return [
        *(name for name in FIXED if with_secrets or name != PASSWORD),
        *(ATTRIBUTE + name for name in attributes),
        *(SECRET + name for name in secrets if with_secrets),
        *(OVERRIDE + key for key in overrides if with_secrets or not changes.is_secret(key)),
    ]


def _cells(user: Subscriber, sealer: Sealer | None) -> dict[str, str]:
    cells = {
        USERNAME: _cell(user.username),
        STATE: user.state.value,
        EXPIRES: expiry.written(user.expires_s),
        SIP_GENERATED: str(int(user.sip_generated)),
        QUICK_DIALS: "" if user.quick_dials == QuickDials() else msgspec.json.encode(user.quick_dials).decode(),
    }
    cells |= {ATTRIBUTE + name: _cell(text) for name, text in user.attributes.items()}
    cells |= {
        OVERRIDE + key: _override_cell(override if sealer is None else settling.open_override(user, key, sealer))
        for key, override in user.overrides.items()
        if sealer is not None or not (override.sealed or changes.is_secret(key))
    }
    if sealer is not None:
        secrets = settling.open_secrets(user, sealer)
        cells |= {SECRET + name: _cell(secret.reveal()) for name, secret in secrets.items()}
        known = not isinstance(user.password, Sealed) and user.password != changes.NOBODY
        cells[PASSWORD] = write_password(user.password) if known else ""
    return cells


def _cell(text: str) -> str:
    if not text or text[0] in '"{' or _FORMULA.match(text):
        return msgspec.json.encode(text).decode()
    return text


def _override_cell(override: Override) -> str:
    if override.markup or override.rank is not None:
        return msgspec.json.encode(Setting(override.value, override.rank, override.markup)).decode()
    return _cell(override.value)
