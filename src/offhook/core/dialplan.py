"""Quick dials and dial actions: what the global part carries beside the account (D23)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from lxml import etree

from offhook.core import accountxml, mergeable, xml
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Fault, Invalid
from offhook.core.kinds import quoted
from offhook.core.mergeable import Document, KeptOut, Value
from offhook.core.numbers import whole

BUILT_IN_ACTIONS: Final = (
    "autoCall",
    "voiceCall",
    "videoCall",
    "gsmCall",
    "webCallback",
    "callThrough",
    "text",
    "openUrl",
    "options",
    "customOptions",
    "forceOffnetCall",
)
MAX_ITEMS: Final = 2000
NODES: Final = ("quickDial", "dialActions", "preferences")
_FIELDS: Final = {"displayName": "display_name", "uri": "uri", "portraitUrl": "portrait_url"}


class QuickDial(msgspec.Struct, frozen=True):
    """A favourite on the dial screen; `id` is its identity."""

    id: str
    display_name: str = ""
    uri: str = ""
    portrait_url: str = ""
    rank: int = mergeable.PROVIDER
    source: str = "provider"


class Removal(msgspec.Struct, frozen=True):
    """`action="remove"`: the item goes, unless it outranks the removal."""

    id: str
    rank: int
    source: str


class QuickDials(msgspec.Struct, frozen=True):
    """A `quickDial` node: what to clear first, what to remove, what to set, in that order.

    `replace_below` is `maxQuickDialReplacePriority`: every stored item of a lower rank goes.
    """

    items: tuple[QuickDial, ...] = ()
    removals: tuple[Removal, ...] = ()
    replace_below: int | None = None


class GlobalPart(msgspec.Struct, frozen=True):
    """What a global answer or the portal's base says beside the account."""

    quick_dials: QuickDials = QuickDials()
    dial_actions: dict[str, dict[str, Value]] = {}
    preferences: dict[str, Value] = {}
    diagnostics: tuple[Diagnostic, ...] = ()


def loads(document: bytes | str, rank: int, source: str) -> GlobalPart:
    """Read a global answer; the name of its root does not matter. Raises Invalid."""
    root = xml.parse(document, "global provisioning")
    strangers = dict.fromkeys(str(child.tag)[:80] for child in root if child.tag not in NODES)
    remarks = (Diagnostic(tag, "does not belong into the global part and was kept out") for tag in strangers)
    part = read(root, rank, source)
    return msgspec.structs.replace(part, diagnostics=(*remarks, *part.diagnostics))


def read(root: etree._Element, rank: int, source: str) -> GlobalPart:
    """Read the `quickDial`, `dialActions` and `preferences` children of an element; others are not looked at."""
    remarks: list[Diagnostic] = []
    quick_dial, actions, preferences = (_only(root, name, remarks) for name in NODES)
    reading = accountxml.read_keys(preferences, rank, source)
    return GlobalPart(
        _quick_dials(quick_dial, rank, source, remarks),
        _dial_actions(actions, rank, source, remarks),
        reading.values,
        (*remarks, *reading.diagnostics),
    )


def _only(root: etree._Element, name: str, remarks: list[Diagnostic]) -> etree._Element:
    """The node of that name, an empty one when there is none."""
    found = root.findall(name)
    if len(found) > 1:
        remarks.append(Diagnostic(name, "stands more than once; the first one counts"))
    return found[0] if found else etree.Element(name)


def _children(node: etree._Element, tag: str, remarks: list[Diagnostic]) -> Iterable[tuple[str, etree._Element]]:
    """The children of that name, by their id."""
    found = node.findall(tag)
    if len(found) > MAX_ITEMS:
        raise Invalid.at(str(node.tag), f"has more than {MAX_ITEMS:,} items")
    if not all(child.get("id") for child in found):
        remarks.append(Diagnostic(str(node.tag), "has items without an id, which were left out"))
    return [(identity, child) for child in found if (identity := child.get("id"))]


def _quick_dials(node: etree._Element, rank: int, source: str, remarks: list[Diagnostic]) -> QuickDials:
    items: list[QuickDial] = []
    removals: list[Removal] = []
    for identity, item in _children(node, "item", remarks):
        written = _number(item, "priority", remarks)
        own_rank = rank if written is None else written
        action = item.get("action")
        if action == "remove":
            removals.append(Removal(identity, own_rank, source))
            continue
        if action is not None:
            what = f"has the action {quoted(action)}, which is not known, so it is set; there is remove"
            remarks.append(Diagnostic(f"quick dial {identity[:80]}", what))
        fields = {field: item.findtext(tag) or "" for tag, field in _FIELDS.items()}
        items.append(QuickDial(identity, rank=own_rank, source=source, **fields))
    counted = Counter(item.id for item in items)
    twice = "stands more than once; the last one of the highest rank counts"
    remarks.extend(Diagnostic(f"quick dial {identity[:80]}", twice) for identity, n in counted.items() if n > 1)
    return QuickDials(tuple(items), tuple(removals), _number(node, "maxQuickDialReplacePriority", remarks))


def _dial_actions(
    node: etree._Element, rank: int, source: str, remarks: list[Diagnostic]
) -> dict[str, dict[str, Value]]:
    actions: dict[str, dict[str, Value]] = {}
    for identity, action in _children(node, "dialAction", remarks):
        if identity in actions:
            remarks.append(Diagnostic(f"dial action {identity[:80]}", "stands more than once; the last one counts"))
        reading = accountxml.read_keys(action, rank, source)
        actions[identity] = reading.values
        remarks.extend(reading.diagnostics)
    return actions


def _number(node: etree._Element, name: str, remarks: list[Diagnostic]) -> int | None:
    number = whole(node.get(name))
    if number is None and name in node.attrib:
        place = f"{node.tag!s} {node.get('id', '')[:80]}".rstrip()
        remarks.append(Diagnostic(place, f"{name} is not a whole number, and counts as not written"))
    return number


class MergedQuickDials(msgspec.Struct, frozen=True):
    """The items after a merge, and what the merge could not do."""

    items: tuple[QuickDial, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


def merge_quick_dials(stored: Iterable[QuickDial], incoming: QuickDials) -> MergedQuickDials:
    """Clear by rank, then remove, then set; an item of a higher rank stays, and keeps its place when it is replaced."""
    below = incoming.replace_below
    items = {item.id: item for item in stored if below is None or item.rank >= below}
    remarks: list[Diagnostic] = []
    for removal in incoming.removals:
        known = items.get(removal.id)
        if known is not None and _wins(removal.id, removal.rank, known, remarks):
            del items[removal.id]
    for item in incoming.items:
        known = items.get(item.id)
        if known is None or _wins(item.id, item.rank, known, remarks):
            items[item.id] = item
    return MergedQuickDials(tuple(items.values()), tuple(remarks))


def _wins(identity: str, rank: int, known: QuickDial, remarks: list[Diagnostic]) -> bool:
    if rank >= known.rank:
        return True
    why = f"rank {rank} is below rank {known.rank} ({known.source}); it stays"
    remarks.append(Diagnostic(f"quick dial {identity}", why))
    return False


def merge_dial_actions(
    stored: Mapping[str, Document], incoming: Mapping[str, Mapping[str, Value]], *, beneath: bool = False
) -> dict[str, Document]:
    """Each action is mergeable by itself and found by its id; an unknown id is added; `beneath` as in `merge`."""
    merged = dict(stored)
    for identity, values in incoming.items():
        merged[identity] = mergeable.merge(merged.get(identity, Document()), values, beneath=beneath)
    return merged


def refusals(actions: Mapping[str, Document]) -> list[tuple[str, str, KeptOut]]:
    """Every value that an action kept out: action, key, refusal."""
    return [
        (identity, key, refusal)
        for identity, action in actions.items()
        for key, kept in action.kept_out.items()
        for refusal in kept
    ]


def faults(part: GlobalPart) -> list[Fault]:
    """What keeps a global part from being written, by place: characters and names XML cannot carry."""
    found = accountxml.faults(part.preferences)
    for identity, values in part.dial_actions.items():
        found += _unwritable(f"dial action {identity[:80]}", identity)
        found += accountxml.faults(values)
    for removal in part.quick_dials.removals:
        found += _unwritable(f"quick dial {removal.id[:80]}", removal.id)
    for item in part.quick_dials.items:
        found += _unwritable(f"quick dial {item.id[:80]}", item.id, item.display_name, item.uri, item.portrait_url)
    return found


def _unwritable(place: str, identity: str, *texts: str) -> list[Fault]:
    reasons = ["has no id"] if not identity else []
    reasons += [reason for text in (identity, *texts) if (reason := xml.forbidden(text))]
    return [Fault(place, reason) for reason in reasons]


def write(part: GlobalPart, indent: str = "  ", rank: int = mergeable.PROVIDER) -> str:
    """The three nodes as XML lines, those that say something; equal input gives equal text.

    `rank` is the one of the channel they travel on: what has another one says so.
    """
    lines = [*_write_quick_dials(part.quick_dials, indent, rank)]
    if part.dial_actions:
        lines.append(f"{indent}<dialActions>")
        for identity, values in part.dial_actions.items():
            lines.append(f'{indent}  <dialAction id="{xml.attribute(identity)}">')
            lines.extend(accountxml.write_keys(values, rank=rank, indent=f"{indent}    "))
            lines.append(f"{indent}  </dialAction>")
        lines.append(f"{indent}</dialActions>")
    if part.preferences:
        lines.append(f"{indent}<preferences>")
        lines.extend(accountxml.write_keys(part.preferences, rank=rank, indent=f"{indent}  "))
        lines.append(f"{indent}</preferences>")
    return "\n".join(lines)


def dumps(part: GlobalPart, rank: int = mergeable.PROVIDER) -> str:
    """A global answer; `rank` as in `write`."""
    return f"<provisioning>\n{write(part, rank=rank)}\n</provisioning>\n"


def _write_quick_dials(quick_dials: QuickDials, indent: str, rank: int) -> Iterable[str]:
    if quick_dials == QuickDials():
        return
    below = quick_dials.replace_below
    clearing = f' maxQuickDialReplacePriority="{below}"' if below is not None else ""
    yield f"{indent}<quickDial{clearing}>"
    for removal in quick_dials.removals:
        yield f'{indent}  <item {_identity(removal, rank)} action="remove"/>'
    for item in quick_dials.items:
        yield f"{indent}  <item {_identity(item, rank)}>"
        for tag, field in _FIELDS.items():
            if content := getattr(item, field):
                yield f"{indent}    <{tag}>{xml.text(content)}</{tag}>"
        yield f"{indent}  </item>"
    yield f"{indent}</quickDial>"


def _identity(item: QuickDial | Removal, rank: int) -> str:
    return f'id="{xml.attribute(item.id)}"' + (f' priority="{item.rank}"' if item.rank != rank else "")
