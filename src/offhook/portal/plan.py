"""What a change of an app would do: each addition, change and removal by place, counted, and what that means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from offhook.core import masking, mergeable
from offhook.core.dialplan import QuickDial, Removal
from offhook.core.difference import Kind, Line, summary
from offhook.core.lint import Finding
from offhook.core.screen import Screen
from offhook.core.theme import Theme
from offhook.portal.app import App
from offhook.portal.base import digest
from offhook.portal.remarks import losses, remarks

SHOWN: Final = 72
_AROUND: Final = 12
# What stands below these has the name of a key, and may be a secret.
_OF_KEYS: Final = ("account.", "services.", "preferences.", "dial_actions.")
_SECTIONS: Final = (
    *("cloud_id", "name", "account", "services", "preferences", "features", "reprovisioning", "screen"),
    *("replace_quick_dials_below", "quick_dials", "dial_actions", "theme"),
)


class _Content(msgspec.Struct, frozen=True):
    """What stands at a place: its text for people, and all of it, for what two texts may have in common."""

    text: str
    whole: object = None


class Plan(msgspec.Struct, frozen=True):
    """All that would change, and what somebody should know first."""

    lines: tuple[Line, ...] = ()
    remarks: tuple[Finding, ...] = ()

    @property
    def summary(self) -> str:
        """The counts in one line."""
        return summary(self.lines)

    @property
    def sections(self) -> frozenset[str]:
        """The sections of `app.toml`, and `theme`, in which something differs."""
        return frozenset(line.place.partition(".")[0] for line in self.lines)

    def __str__(self) -> str:
        return "\n".join([self.summary, *map(told, self.lines), *map(str, self.remarks)])


def plan(old: App | None, new: App, old_theme: Theme | None = None, new_theme: Theme | None = None) -> Plan:
    """Compare two versions, None for one that does not exist yet; remarks that the old one earned are not repeated."""
    before = {**_contents(old), **_theme_contents(old_theme)}
    after = {**_contents(new), **_theme_contents(new_theme)}
    lines = [_line(place, before.get(place), after.get(place)) for place in _places(before, after)]
    lines.append(_new_order(old, new))
    known = set(remarks(old)) if old else set()
    noted = [*(losses(old, new) if old else ()), *(remark for remark in remarks(new) if remark not in known)]
    return Plan(tuple(line for line in lines if line), tuple(noted))


def told(line: Line) -> str:
    """A line for people, its texts cut so that the first difference can be seen."""
    before, after = (text or '""' for text in shortened(line.before or "", line.after or ""))
    match line.kind:
        case Kind.ADDITION:
            return f"+ {line.place} = {after}"
        case Kind.CHANGE:
            return f"~ {line.place}: {before} -> {after}"
        case Kind.REMOVAL:
            return f"- {line.place} (was {before})"


def shortened(before: str, after: str) -> tuple[str, str]:
    """Two texts cut to one line each, so that the first difference can be seen."""
    before, after = before.replace("\n", "\\n"), after.replace("\n", "\\n")
    if max(len(before), len(after)) <= SHOWN:
        return before, after
    pairs = enumerate(zip(before, after, strict=False))
    differs = next((position for position, (one, other) in pairs if one != other), 0)
    start = max(0, differs - _AROUND)
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int) -> str:
    piece = text[start : start + SHOWN]
    return ("…" if start and piece else "") + piece + ("…" if start + SHOWN < len(text) else "")


def _places(before: Mapping[str, _Content], after: Mapping[str, _Content]) -> list[str]:
    """All places, in the order of the sections of `app.toml`."""
    places = dict.fromkeys([*after, *before])
    return sorted(places, key=lambda place: _SECTIONS.index(place.partition(".")[0]))


def _line(place: str, before: _Content | None, after: _Content | None) -> Line | None:
    if before == after:
        return None
    kind = Kind.ADDITION if before is None else Kind.REMOVAL if after is None else Kind.CHANGE
    return Line(kind, place, *(_shown(place, content) for content in (before, after)))


def _shown(place: str, content: _Content | None) -> str | None:
    if content is None:
        return None
    return masking.masked(place.rpartition(".")[2], content.text) if place.startswith(_OF_KEYS) else content.text


def _new_order(old: App | None, new: App) -> Line | None:
    """A line for quick dials that stand in another order and are otherwise the same."""
    before, after = ([item.id for item in app.quick_dials.items] if app else [] for app in (old, new))
    if before == after or sorted(before) != sorted(after):
        return None
    return Line(Kind.CHANGE, "quick_dials", ", ".join(before), ", ".join(after))


def _contents(app: App | None) -> dict[str, _Content]:
    """What stands at each place of an app."""
    if app is None:
        return {}
    plain = {place: _Content(text) for place, text in _settings(app)}
    quick_dials = {f"quick_dials.{_name(item.id)}": _quick_dial(item) for item in _quick_dials(app)}
    return plain | dict(_valued(app)) | quick_dials


def _settings(app: App) -> Iterator[tuple[str, str]]:
    yield "cloud_id", app.cloud_id
    yield "name", app.name
    yield "services.provider", _word(on=app.provider)
    yield from ((f"services.{key}", content) for key, content in app.services.items())
    yield from ((f"features.{name}", "true" if setting == "1" else setting) for name, setting in app.features.items())
    timing = app.reprovisioning
    yield "reprovisioning.enabled", _word(on=timing.enabled)
    yield "reprovisioning.interval_s", str(timing.interval_s)
    yield "reprovisioning.button", _word(on=timing.button)
    yield from _screen(app.screen)
    if app.quick_dials.replace_below is not None:
        yield "replace_quick_dials_below", str(app.quick_dials.replace_below)


def _valued(app: App) -> Iterator[tuple[str, _Content]]:
    actions = ((f"dial_actions.{_name(identity)}", values) for identity, values in app.dial_actions.items())
    for section, values in (("account", app.account), ("preferences", app.preferences), *actions):
        if not values and section.startswith("dial_actions."):
            yield section, _Content("without keys")
        for key, value in values.items():
            yield f"{section}.{key}", _Content(value.content + _priority(value.rank), value)


def _screen(screen: Screen) -> Iterator[tuple[str, str]]:
    yield "screen.mode", str(screen.__struct_config__.tag)
    for name in screen.__struct_fields__:
        setting = getattr(screen, name)
        if name != "texts":
            yield f"screen.{name}", _word(on=setting) if isinstance(setting, bool) else setting
    for name in screen.texts.__struct_fields__:
        if text := getattr(screen.texts, name):
            yield f"screen.texts.{name}", text


def _quick_dials(app: App) -> tuple[QuickDial | Removal, ...]:
    return (*app.quick_dials.removals, *app.quick_dials.items)


def _quick_dial(item: QuickDial | Removal) -> _Content:
    texts = ("removed",) if isinstance(item, Removal) else (item.display_name, item.uri, item.portrait_url)
    text = ", ".join(filter(None, texts))
    return _Content(text + _priority(item.rank), item)


def _theme_contents(theme: Theme | None) -> dict[str, _Content]:
    if theme is None:
        return {}
    manifest = theme.manifest
    texts = {f"texts.{name}.{tag}": text for name, tags in sorted(manifest.texts.items()) for tag, text in tags.items()}
    places = {
        **({"name": manifest.name} if manifest.name else {}),
        **{f"colours.{name}": colour for name, colour in sorted(manifest.colours.items())},
        **texts,
        **{f"images.{name}": path for name, path in sorted(manifest.images.items())},
        **{f"files.{path}": _file(content) for path, content in sorted(theme.files.items())},
    }
    return {f"theme.{place}": _Content(text) for place, text in places.items()}


def _file(content: bytes) -> str:
    return f"{len(content):,} bytes, {digest(content)[:12]}"


def _name(identity: str) -> str:
    """An id within a place, between quotes where its dots could be taken for the place's own."""
    return f'"{identity}"' if "." in identity else identity


def _priority(rank: int) -> str:
    return "" if rank == mergeable.PORTAL else f" (priority {rank})"


def _word(*, on: bool) -> str:
    return "true" if on else "false"
