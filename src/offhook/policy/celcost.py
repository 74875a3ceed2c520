"""What evaluating an expression costs: counted in its parsed form, since a text can hide what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

# The fields of google.protobuf.Any, of cel.expr.CheckedExpr and of cel.expr.Expr (checked.proto, syntax.proto).
_ANY_VALUE: Final = 2
_CHECKED_EXPR: Final = 4
_SELECT, _CALL, _LIST, _STRUCT, _LOOP = 5, 6, 7, 8, 9
_PARTS: Final = {_SELECT: {1}, _CALL: {1, 3}, _LIST: {1}}
_LISTS: Final = {_LIST, _STRUCT}
_ENTRIES: Final = 2
_ENTRY_PARTS: Final = {3, 4}
# Where a loop begins and what it runs through are evaluated once, its condition, step and result for each element.
_LOOP_ONCE: Final = {2, 4, 7}
_LOOP_EACH: Final = {5, 6}
_FUNCTION: Final = 2
_LOOKS_THROUGH: Final = b"@in"
_GROWS: Final = frozenset({b"_+_", b"matches"})
_BLOCK: Final = 4096
_NUMBER: Final = 0
# What is of a fixed size: so many bytes.
_FIXED: Final = {1: 8, 5: 4}


class Cost(NamedTuple):
    """How many nodes are evaluated once, and for each element.

    Of them, how many look through a list, or make texts; and how long the longest list is that is written out.
    """

    loops: int = 0
    once: int = 0
    each: int = 0
    through_once: int = 0
    through_each: int = 0
    growing: int = 0
    listed: int = 0

    def units(self, elements: int, longest: int) -> int:
        """The cost for lists and tables of at most so many elements, and texts of so many characters."""
        elements = max(elements, self.listed)
        nodes = self.once + elements * (self.through_once + self.each + elements * self.through_each)
        return nodes * (1 + self.growing * longest // _BLOCK)


def cost(serialized: bytes) -> Cost:
    """The cost of an expression that was checked, and serialized as CEL's libraries do."""
    checked = dict(_fields(serialized))[_ANY_VALUE]
    counts = dict.fromkeys(Cost._fields, 0)
    waiting = [(dict(_fields(checked))[_CHECKED_EXPR], False)]
    while waiting:
        node, looped = waiting.pop()
        counts["each" if looped else "once"] += 1
        for kind, content in _fields(node):
            if kind == _LOOP:
                counts["loops"] += 1
            if kind == _CALL:
                function = dict(_fields(content)).get(_FUNCTION, b"")
                counts["through_each" if looped else "through_once"] += function == _LOOKS_THROUGH
                counts["growing"] += function in _GROWS
            parts = [(part, looped or each) for part, each in _parts(kind, content)]
            counts["listed"] = max(counts["listed"], len(parts) if kind in _LISTS else 0)
            waiting += parts
    return Cost(**counts)


def _parts(kind: int, content: bytes) -> Iterator[tuple[bytes, bool]]:
    """The nodes of which one is made, and whether they are evaluated for each element."""
    for field, part in _fields(content):
        if kind == _LOOP and field in _LOOP_ONCE | _LOOP_EACH:
            yield part, field in _LOOP_EACH
        if kind == _STRUCT and field == _ENTRIES:
            yield from ((one, False) for name, one in _fields(part) if name in _ENTRY_PARTS)
        if field in _PARTS.get(kind, ()):
            yield part, False


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message in the wire format of protocol buffers that hold bytes: texts and messages."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        if (kind := key & 7) in _FIXED:
            at += _FIXED[kind]
            continue
        size, at = _number(message, at)
        if kind != _NUMBER:
            yield key >> 3, message[at : at + size]
            at += size


def _number(message: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        found |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 128:
            return found, at
