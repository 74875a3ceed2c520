"""How apps are shown: plans in colour, versions as tables, and both as JSON; secrets only when asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from rich.text import Text

from offhook.cli.exits import plain
from offhook.cli.moments import iso, shown
from offhook.cli.showing import console, counts, show_lines, table, tell
from offhook.core import masking
from offhook.core.lint import Finding
from offhook.core.mergeable import Value
from offhook.core.theme import Theme
from offhook.portal import writing
from offhook.portal.app import App
from offhook.portal.plan import Plan, told
from offhook.portal.versions import State, Version

_SEVERITIES: Final = {"error": "bold red", "warning": "bold yellow", "note": "dim"}


def show_plan(plan: Plan) -> None:
    """What would change, line by line, then what somebody should know, then the counts."""
    show_lines(plan.lines, told, map(_remark, plan.remarks))


def _remark(remark: Finding) -> Text:
    text = Text.assemble((f"{remark.severity.capitalize()}: ", _SEVERITIES[remark.severity]), plain(remark.key), " ")
    return text.append(plain(f"{remark.what}. {remark.how}"))


def show_version(version: Version, theme: Theme, *, reveal: bool) -> None:
    """A version: where it stands, then its `app.toml`, then its theme."""
    tell(headline(version))
    sys.stdout.write(f"\n{writing.dumps(version.app if reveal else masked(version.app))}\n")
    images = ", ".join(f"{path} ({len(content):,} bytes)" for path, content in sorted(theme.files.items()))
    tell(f"Theme {theme.manifest.name or 'without a name'}: {images or 'no images'}")


def headline(version: Version) -> str:
    """A version in one line."""
    when = f"published {shown(version.published_s)}" if version.published_s else f"changed {shown(version.changed_s)}"
    by = f" by {version.author}" if version.author else ""
    return f"Version {version.number} of {version.cloud_id} ({version.state}), {when}{by}" + _after(version.note)


def show_history(versions: Iterable[Version]) -> None:
    """The versions of an app, the newest first."""
    shown_as = table("Version", "State", "Published", "Changed", "Author", "Note")
    for version in versions:
        state = Text(version.state, "green" if version.state is State.LIVE else "")
        shown_as.add_row(
            str(version.number),
            state,
            shown(version.published_s) if version.published_s else "",
            shown(version.changed_s),
            plain(version.author),
            plain(version.note),
        )
    console().print(shown_as)


def show_all(versions: Iterable[Version]) -> None:
    """All apps, one a line."""
    apps: dict[str, dict[State, Version]] = {}
    for version in versions:
        apps.setdefault(version.cloud_id, {})[version.state] = version
    shown_as = table("Cloud ID", "Name", "Live", "Editable", "Changed")
    for cloud_id, standing in apps.items():
        numbers = [str(standing[state].number) if state in standing else "" for state in (State.LIVE, State.EDITABLE)]
        newest = max(standing.values(), key=lambda version: version.changed_s)
        shown_as.add_row(cloud_id, plain(newest.app.name), *numbers, shown(newest.changed_s))
    console().print(shown_as)


def plan_record(plan: Plan) -> dict[str, Any]:
    """A plan as an object."""
    return {**counts(plan.lines), "remarks": msgspec.to_builtins(plan.remarks)}


def version_record(version: Version, *, whole: bool = False, reveal: bool = False) -> dict[str, Any]:
    """A version as an object; the `whole` one with its content, as `app.toml` has it."""
    record: dict[str, Any] = {
        "cloud_id": version.cloud_id,
        "version": version.number,
        "state": version.state.value,
        "name": version.app.name,
        "author": version.author,
        "note": version.note,
        "created_at": iso(version.created_s),
        "changed_at": iso(version.changed_s),
        "published_at": iso(version.published_s),
        "theme": version.theme,
    }
    return record | ({"app": writing.to_document(version.app if reveal else masked(version.app))} if whole else {})


def masked(app: App) -> App:
    """An app whose secrets cannot be read."""
    hidden = {key: masking.masked(key, text) for key, text in app.services.items()}
    return msgspec.structs.replace(
        app,
        account=_masked(app.account),
        preferences=_masked(app.preferences),
        services=hidden,
        dial_actions={identity: _masked(values) for identity, values in app.dial_actions.items()},
    )


def _masked(values: dict[str, Value]) -> dict[str, Value]:
    return {key: _hidden(value, masking.masked(key, value.content)) for key, value in values.items()}


def _hidden(value: Value, shown: str) -> Value:
    return value if shown == value.content else msgspec.structs.replace(value, content=shown, markup=False)


def _after(note: str) -> str:
    return f": {note}" if note else ""
