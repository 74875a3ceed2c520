"""How users are shown: to a person as a table, to a program as JSON; secrets only when asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from offhook.cli.exits import plain
from offhook.cli.moments import iso, shown, with_moments
from offhook.core.diagnostics import Diagnostic
from offhook.core.secret import MASK, Secret
from offhook.provider import change as changes
from offhook.provider.installs import Install
from offhook.provider.subscriber import SIP_USERNAME, Override, State, Subscriber

PAGE: Final = 200
_PLAIN_WIDTH: Final = 200
PASSWORDS: Final[Mapping[str, str]] = {
    "argon2": "hashed",
    "bcrypt": "hashed (bcrypt, until the next sign-in)",
    "sealed": "encrypted (until the next sign-in)",
    "none": "none: nobody can sign in",
}


def record(user: Subscriber, secrets: Mapping[str, Secret] | None = None) -> dict[str, Any]:
    """A user as an object; each secret is null unless it is given."""
    return {
        "name": user.name,
        "cloud_id": user.cloud_id,
        "username": user.username,
        "state": user.state.value,
        "password": _kind(user),
        "attributes": user.attributes,
        "secrets": {name: secrets[name].reveal() if secrets else None for name in user.secrets},
        "sip_generated": user.sip_generated,
        "overrides": {
            key: _override_record(override) | ({"value": None} if _hides(key, secrets) else {})
            for key, override in user.overrides.items()
        },
        "quick_dials": msgspec.to_builtins(user.quick_dials),
        "revision": user.revision,
        "created_at": iso(user.created_s),
        "changed_at": iso(user.changed_s),
        "expires_at": iso(user.expires_s),
    }


def write_records(users: Iterable[Subscriber]) -> None:
    """A JSON array of users, one a line, however many there are."""
    sys.stdout.write("[")
    for number, user in enumerate(users):
        sys.stdout.write(("," if number else "") + "\n" + msgspec.json.encode(record(user)).decode())
    sys.stdout.write("\n]\n")


def phones_record(installs: Sequence[Install]) -> dict[str, Any]:
    """How many phones a user has, when one of them last asked, and how many had the newest account then."""
    return {
        "phones": len(installs),
        "last_asked_at": iso(max((one.seen_s for one in installs), default=0)),
        "phones_current": sum(one.is_current for one in installs),
    }


def phones(installs: Sequence[Install]) -> str:
    """The same for a person: whether what was set for the user has arrived."""
    if not installs:
        return "none"
    last = shown(max(one.seen_s for one in installs))
    current = sum(one.is_current for one in installs)
    return f"{len(installs)}, last asked: {last}; {current} had the newest account then"


def show(user: Subscriber, secrets: Mapping[str, Secret] | None = None, phones: str = "") -> None:
    """One user, with all that is set."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    colour = "green" if user.state is State.ACTIVE else "red"
    table.add_row("User", plain(user.name))
    table.add_row("State", Text(user.state.value, colour))
    table.add_row("Sign-in password", PASSWORDS[_kind(user)])
    if user.expires_s is not None:
        table.add_row("Expires", shown(user.expires_s))
    for name, text in user.attributes.items():
        table.add_row(plain(name), plain(text))
    for name in user.secrets:
        made = " (made here)" if name == "password" and user.sip_generated else ""
        table.add_row(plain(name), plain(secrets[name].reveal() if secrets else MASK) + made)
    for key, override in user.overrides.items():
        table.add_row(f"{key} =", _override(key, override, secrets))
    for item in user.quick_dials.items:
        table.add_row("Quick dial", plain(f"{item.id}: {item.display_name}, {item.uri}"))
    for removal in user.quick_dials.removals:
        table.add_row("Quick dial", plain(f"{removal.id}: taken away"))
    table.add_row("Changed", shown(user.changed_s))
    if phones:
        table.add_row("Phones", phones)
    _console().print(table)


def show_all(users: Iterable[Subscriber], total: int) -> None:
    """Users as a table; without a terminal as lines with tabs: username, state, SIP username, when changed."""
    rows = (
        (user.username, user.state.value, user.attributes.get(SIP_USERNAME, ""), shown(user.changed_s))
        for user in users
    )
    if not sys.stdout.isatty():
        for row in rows:
            sys.stdout.write("\t".join(map(plain, row)) + "\n")
        return
    table = Table("User", "State", "SIP username", "Changed", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*map(plain, row))
    console = _console()
    console.print(table)
    if total > table.row_count:
        console.print(Text(f"{table.row_count:,} of {total:,}; --limit 0 shows all", "dim"))


def page() -> int:
    """How many a person wants to see at once; 0 means all, for a program."""
    return PAGE if sys.stdout.isatty() else 0


def remark(remarks: Iterable[Diagnostic]) -> None:
    """What should be said of a change, on the standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for one in remarks:
        console.print(Text.assemble(("Note: ", "bold yellow"), plain(str(one))))


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)


def _kind(user: Subscriber) -> str:
    return "none" if user.password == changes.NOBODY else str(type(user.password).__struct_config__.tag)


def _override_record(override: Override) -> dict[str, Any]:
    record = {name: getattr(override, name) for name in ("value", "markup", "rank", "author", "changed_s")}
    return with_moments(record)


def _override(key: str, override: Override, secrets: Mapping[str, Secret] | None) -> str:
    value = MASK if _hides(key, secrets) else plain(override.value)
    rank = f"  (priority {override.rank})" if override.rank is not None else ""
    author = f"  by {plain(override.author)}" if override.author else ""
    return f"{value}{rank}{author}"


def _hides(key: str, secrets: Mapping[str, Secret] | None) -> bool:
    return secrets is None and changes.is_secret(key)
