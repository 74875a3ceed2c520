"""The global answer: what is common to a Cloud ID, with the quick dials of one user on top."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from offhook.core import dialplan
from offhook.core.diagnostics import Diagnostic
from offhook.core.dialplan import GlobalPart, QuickDial, QuickDials, Removal
from offhook.core.mergeable import PROVIDER, Value
from offhook.policy.resolution import Resolution
from offhook.provider import template

SOURCE: Final = "provider"
POLICY: Final = "policy"


class GlobalAnswer(msgspec.Struct, frozen=True):
    """What the global web service says to one user."""

    part: GlobalPart

    def dumps(self) -> bytes:
        """The answer; equal settings give equal bytes."""
        return dialplan.dumps(self.part).encode()


def validate(document: str) -> tuple[Diagnostic, ...]:
    """Look at a common part before it is stored: what would be kept out or is odd. Raises Invalid."""
    return parse(document).diagnostics


@lru_cache(maxsize=256)
def parse(document: str) -> GlobalPart:
    """Read a common part, which may be empty. Raises Invalid."""
    return dialplan.loads(document, PROVIDER, SOURCE) if document.strip() else GlobalPart()


def for_user(common: GlobalPart, own: QuickDials) -> GlobalAnswer:
    """The common part, with the user's own quick dials over it.

    A removal takes a common item away and is sent on, since the phone may know the item from before. Clearing is about
    what the phone knows from before, not about what is sent along.
    """
    laid = dialplan.merge_quick_dials(common.quick_dials.items, QuickDials(own.items, own.removals))
    set_again = {item.id for item in own.items}
    removals = {removal.id: removal for removal in (*common.quick_dials.removals, *own.removals)}
    quick_dials = QuickDials(
        laid.items,
        tuple(removal for removal in removals.values() if removal.id not in set_again),
        common.quick_dials.replace_below if own.replace_below is None else own.replace_below,
    )
    return GlobalAnswer(msgspec.structs.replace(common, quick_dials=quick_dials))


def columns(resolution: Resolution) -> Iterator[str]:
    """What the dials of rules ask for."""
    for dial in resolution.quick_dials.values():
        if dial.item is not None:
            yield from template.columns(f"{dial.item.display_name} {dial.item.uri} {dial.item.portrait_url}")
    for action in resolution.dial_actions.values():
        yield from template.columns(" ".join((action.values or {}).values()))


def ruled(part: GlobalPart, resolution: Resolution, values: Mapping[str, str]) -> GlobalPart:
    """The common part with what rules say over it, filled in for one user."""

    def filled(text: str) -> str:
        return template.filled(Value(text, PROVIDER, POLICY), values).content

    items, removals = list[QuickDial](), list[Removal]()
    for identity, dial in resolution.quick_dials.items():
        if dial.item is None:
            removals.append(Removal(identity, PROVIDER, POLICY))
        else:
            name, uri, portrait = map(filled, (dial.item.display_name, dial.item.uri, dial.item.portrait_url))
            items.append(QuickDial(identity, name, uri, portrait, PROVIDER, POLICY))
    actions = dict(part.dial_actions)
    for identity, action in resolution.dial_actions.items():
        if action.values is None:
            actions.pop(identity, None)
            continue
        own = {name: Value(filled(text), PROVIDER, POLICY) for name, text in action.values.items()}
        actions[identity] = {**actions.get(identity, {}), **own}
    laid = for_user(part, QuickDials(tuple(items), tuple(removals))).part
    return msgspec.structs.replace(laid, dial_actions=actions)
