"""How a phone is shown: its steps as they happen, and its account with where every value came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from offhook.cli.exits import plain, print_object
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid, NotFound
from offhook.core.masking import masked
from offhook.core.mergeable import Document, KeptOut, Value
from offhook.core.theme import Manifest
from offhook.phone.handset import Handset
from offhook.phone.saved import Left, Saved
from offhook.phone.steps import Began, Ended, Event, Skipped

PROVISIONED: Final = "This phone is provisioned. To register it with its SIP server, let it run: offhook phone run"
_SHOWN: Final = 60
_PLAIN_WIDTH: Final = 120


class Steps:
    """The steps of a conversation: kept for a report and, given a console, shown as they happen.

    On a terminal they are alive; elsewhere each is a line when it is over.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console
        self.places: dict[str, str] = {}
        self.done: list[Ended | Skipped] = []
        self._live: Live | None = None
        self._settled = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Events happen inside."""
        if not self.console or not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, get_renderable=self._table, auto_refresh=False) as self._live:
            yield
        self._live, self._settled = None, len(self.done)

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, Began):
            self.places[event.service] = event.place
        elif isinstance(event, Ended | Skipped):
            self.done.append(event)
            if self.console and not self._live:
                cells = (cell.plain.ljust(14) for cell in self._row(event))
                self.console.print(" ".join(cells).rstrip(), soft_wrap=True, markup=False)
        if self._live:
            self._live.refresh()

    def objects(self) -> list[dict[str, Any]]:
        """The steps for a program, in the order in which they ended."""
        return [self._object(step) for step in self.done]

    def _object(self, step: Ended | Skipped) -> dict[str, Any]:
        if isinstance(step, Skipped):
            return {"step": step.service, "status": None, "outcome": "skipped", "milliseconds": 0.0, "why": step.why}
        return {
            "step": step.service,
            "status": step.status,
            "outcome": step.outcome,
            "milliseconds": round(step.elapsed_s * 1000, 1),
            "place": self.places.get(step.service, ""),
        }

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        over = {step.service for step in self.done}
        for step in self.done[self._settled :]:
            table.add_row(*self._row(step))
        for service, place in self.places.items():
            if service not in over:
                table.add_row(Text(service), Text("…", "yellow"), Text(""), Text(plain(place), "dim"))
        return table

    def _row(self, step: Ended | Skipped) -> tuple[Text, Text, Text, Text]:
        if isinstance(step, Skipped):
            return Text(step.service, "dim"), Text("skipped", "dim"), Text(""), Text(plain(step.why), "dim")
        outcome = Text(plain(step.outcome), "green" if step.good else "bold red")
        time = Text(f"{step.elapsed_s * 1000:,.0f} ms")
        return Text(step.service), outcome, time, Text(plain(self.places.get(step.service, "")), "dim")


def phone_object(saved: Saved, manifest: Manifest | None, *, reveal: bool) -> dict[str, Any]:
    """A phone for a program; secrets are masked unless `reveal`."""
    return {
        "cloud_id": str(saved.cloud_id),
        "username": saved.username,
        "portal": saved.portal,
        "portal_key": saved.portal_key,
        "signed_in_at": saved.signed_in_at.isoformat(timespec="seconds"),
        "version": saved.base_version,
        "account": [_key_object(key, saved.account, reveal=reveal) for key in _keys(saved.account)],
        "preferences": [_key_object(key, saved.preferences, reveal=reveal) for key in _keys(saved.preferences)],
        "quick_dials": [
            {"id": item.id, "name": item.display_name, "uri": item.uri, "rank": item.rank, "source": item.source}
            for item in saved.quick_dials
        ],
        "history": [
            {
                "number": call.number,
                "began_at": call.began_at.isoformat(timespec="seconds"),
                "duration_s": call.duration_s,
                "incoming": call.incoming,
            }
            for call in saved.history
        ],
        "dial_actions": list(saved.dial_actions),
        "features": saved.features,
        "theme": {"digest": saved.theme, "name": manifest.name if manifest else None},
        "registers": False,
    }


def remark_objects(remarks: Iterable[Diagnostic]) -> list[dict[str, str]]:
    """What was tolerated, for a program."""
    return [{"place": remark.place, "text": remark.text} for remark in remarks]


def print_phone(console: Console, saved: Saved, manifest: Manifest | None, *, reveal: bool) -> None:
    """A phone for a person."""
    who = f"{saved.username}@{saved.cloud_id}" if saved.username else str(saved.cloud_id)
    theme = (manifest.name or "unnamed") if manifest else "cannot be read"
    console.print()
    console.print(
        Text(f"{plain(who)}, version {saved.base_version}, from {plain(saved.portal)}; theme: {plain(theme)}", "bold")
    )
    console.print(_account_table(saved.account, reveal=reveal))
    if saved.quick_dials:
        console.print()
        dials = Table("Quick dial", "Number", "From", box=None, padding=(0, 2, 0, 0), title_justify="left")
        for item in saved.quick_dials:
            name = item.display_name or item.id
            dials.add_row(Text(plain(name)), Text(plain(item.uri)), Text(f"{item.source} {item.rank}"))
        console.print(dials)
    console.print()
    console.print(Text(PROVISIONED, "dim"))


def print_all(
    handset: Handset,
    saved: Saved,
    remarks: list[Diagnostic],
    steps: Steps | None = None,
    *,
    reveal: bool = False,
    json: bool = False,
) -> None:
    """A phone and what was tolerated, for a person or for a program."""
    try:
        manifest = handset.vault.theme(saved.theme).manifest
    except Invalid as invalid:
        manifest = None
        remarks.append(Diagnostic("theme", f"cannot be read: {invalid.text}"))
    if json:
        report: dict[str, Any] = {"diagnostics": remark_objects(remarks), "error": None}
        if steps is not None:
            report["steps"] = steps.objects()
        print_object(phone_object(saved, manifest, reveal=reveal) | report)
        return
    console = console_for()
    print_remarks(console, remarks)
    print_phone(console, saved, manifest, reveal=reveal)


def nobody(left: Left | None) -> NotFound:
    """Nobody is signed in. What the server said when it ended the last account was true then, and need not be now."""
    words = f" The last sign-out came with these words: {left.message}" if left and left.message else ""
    return NotFound(f"Nobody is signed in on this phone.{words} Sign in with `offhook phone sign-in`.")


def print_remarks(console: Console, remarks: Iterable[Diagnostic]) -> None:
    """What was tolerated, for a person."""
    for remark in remarks:
        console.print(Text.assemble(("Note: ", "yellow"), plain(str(remark))), soft_wrap=True)


def console_for(*, stderr: bool = False) -> Console:
    """A console; where there is no terminal, wide enough for a table."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=_PLAIN_WIDTH)


def _account_table(account: Document, *, reveal: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("Key", "Value", "From", "What else"):
        # On a narrow terminal a long name goes on in the next line: half an id is of no use.
        table.add_column(title, overflow="fold")
    for key in _keys(account):
        settled = account.keys.get(key)
        value = Text(_short(key, settled.value, reveal=reveal)) if settled else Text("not set", "dim")
        origin = Text(_origin(settled.value)) if settled else Text("")
        table.add_row(Text(plain(key)), value, origin, Text("\n".join(_history(key, account, reveal=reveal)), "dim"))
    return table


def _history(key: str, account: Document, *, reveal: bool) -> Iterator[str]:
    settled = account.keys.get(key)
    for old in settled.replaced if settled else ():
        yield f"replaced {_short(key, old, reveal=reveal)!r} of {_origin(old)}"
    for kept in account.kept_out.get(key, ()):
        yield f"kept out {_short(key, kept.value, reveal=reveal)!r}: {plain(kept.reason)}"


def _keys(document: Document) -> list[str]:
    """The keys with a value, then those of which every value was kept out."""
    return [*document.keys, *(key for key in document.kept_out if key not in document.keys)]


def _key_object(key: str, document: Document, *, reveal: bool) -> dict[str, Any]:
    settled = document.keys.get(key)
    value = _value_object(key, settled.value, reveal=reveal) if settled else dict.fromkeys(("value", "source", "rank"))
    return {
        "key": key,
        **value,
        "replaced": [_value_object(key, old, reveal=reveal) for old in (settled.replaced if settled else ())],
        "kept_out": [_kept_object(key, kept, reveal=reveal) for kept in document.kept_out.get(key, ())],
    }


def _kept_object(key: str, kept: KeptOut, *, reveal: bool) -> dict[str, Any]:
    return {**_value_object(key, kept.value, reveal=reveal), "reason": kept.reason}


def _value_object(key: str, value: Value, *, reveal: bool) -> dict[str, Any]:
    return {"value": _masked(key, value, reveal=reveal), "source": value.source, "rank": value.rank}


def _masked(key: str, value: Value, *, reveal: bool) -> str:
    return value.content if reveal else masked(key, value.content)


def _short(key: str, value: Value, *, reveal: bool) -> str:
    text = plain(" ".join(_masked(key, value, reveal=reveal).split()))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _origin(value: Value) -> str:
    return f"{plain(value.source)} {value.rank}"
