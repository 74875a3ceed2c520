"""Records read from what a file holds, by the types of their fields; every fault is kept, with its place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar, get_args

import msgspec
from msgspec import inspect

from offhook.core import xml
from offhook.core.errors import Fault
from offhook.core.keys import near
from offhook.core.kinds import quoted
from offhook.policy.checking import Checked, field_place, inside
from offhook.policy.during import Day

MAX_DEPTH: Final = 64
_NAMES: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    dict: "a table",
    list: "a list",
    datetime: "a moment",
}
_MISSING: Final = object()
_BROKEN: Final = object()
_WEEK: Final = get_args(Day)
# What another kind calls the same thing.
_ALIKE: Final = {"is": "one_of", "in": "one_of", "one_of": "is"}
# Kinds taken apart already: there are as many as are ever read.
_KINDS: Final[dict[object, inspect.Type]] = {}
T = TypeVar("T")


class Reader:
    """Reads records, and keeps what is wrong with them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def read(self, kind: type[T], raw: object, place: str) -> T | None:
        """A record of this kind; None when it cannot be made. One that is made may have faults of its own."""
        if kind not in _KINDS:
            _KINDS[kind] = inspect.type_info(kind)
        found: T = self._value(_KINDS[kind], raw, place, 0)
        return None if found is _BROKEN else found

    def _fault(self, place: str, text: str) -> Any:  # noqa: ANN401 - stands for a value of any kind
        self.faults.append(Fault(place, text))
        return _BROKEN

    def _value(self, kind: inspect.Type, raw: object, place: str, depth: int) -> Any:  # noqa: ANN401 - any kind's value
        if depth > MAX_DEPTH:
            return self._fault(place, "is nested too deeply")
        match kind:
            case inspect.UnionType():
                return self._union(kind, raw, place, depth)
            case inspect.StructType():
                return self._struct(kind, raw, place, depth)
            case inspect.VarTupleType():
                return self._items(kind, raw, place, depth)
            case inspect.DictType():
                return self._table(kind, raw, place, depth)
            case inspect.StrType():
                return self._text(kind, raw, place)
            case inspect.BoolType():
                return raw if isinstance(raw, bool) else self._wrong(place, raw, "true or false")
            case inspect.IntType() | inspect.FloatType():
                return self._number(kind, raw, place)
            case inspect.DateTimeType():
                return self._moment(raw, place)
            case inspect.EnumType():
                return self._word(place, raw, {str(one.value): one for one in kind.cls})
            case _:
                assert isinstance(kind, inspect.LiteralType)
                return self._word(place, raw, {one: one for one in in_order(kind.values)})

    def _union(self, kind: inspect.UnionType, raw: object, place: str, depth: int) -> Any:  # noqa: ANN401 - as above
        members = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        if raw is None and len(members) < len(kind.types):
            return None
        structs = {str(one.tag): one for one in members if isinstance(one, inspect.StructType)}
        if not structs or len(members) == 1:
            return self._value(members[0], raw, place, depth)
        if not isinstance(raw, dict):
            return self._wrong(place, raw, "a table")
        field = str(next(iter(structs.values())).tag_field)
        tag = self._word(f"{place}, {field}", raw.get(field, _MISSING), {name: name for name in structs})
        return self._struct(structs[tag], raw, place, depth) if tag is not _BROKEN else _BROKEN

    def _struct(self, kind: inspect.StructType, raw: object, place: str, depth: int) -> Any:  # noqa: ANN401 - as above
        if not isinstance(raw, dict):
            return self._wrong(place, raw, "a table")
        fields = {field.encode_name: field for field in kind.fields}
        values = {}
        for name in raw:
            if name not in fields and name != kind.tag_field:
                values[name] = self._fault(
                    place, f"has {quoted(str(name))}, which means nothing here; {_meant(str(name), fields)}"
                )
        for name, field in fields.items():
            if name in raw:
                values[field.name] = self._value(field.type, raw[name], field_place(place, name, kind.tag), depth + 1)
            elif field.required:
                values[field.name] = self._fault(place, f"lacks {name}")
        if _BROKEN in values.values():
            self._alone(kind, values, place)
            return _BROKEN
        found = kind.cls(**values)
        if isinstance(found, Checked):
            self.faults.extend(inside(place, found.faults()))
        return found

    def _alone(self, kind: inspect.StructType, values: Mapping[str, Any], place: str) -> None:
        """Whatever can be said of the other fields of a record that cannot be made."""
        if issubclass(kind.cls, Checked):
            for name, found in values.items():
                if found is not _BROKEN:
                    self.faults.extend(inside(place, kind.cls.alone(name, found)))

    def _items(self, kind: inspect.VarTupleType, raw: object, place: str, depth: int) -> Any:  # noqa: ANN401 - as above
        if not isinstance(raw, list):
            return self._wrong(place, raw, "a list")
        if not self._fits(len(raw), kind.min_length, kind.max_length, place, "items"):
            return _BROKEN
        items = tuple(
            self._value(kind.item_type, one, f"{place}[{position}]", depth + 1) for position, one in enumerate(raw, 1)
        )
        return _BROKEN if _BROKEN in items else items

    def _table(self, kind: inspect.DictType, raw: object, place: str, depth: int) -> Any:  # noqa: ANN401 - as above
        if not isinstance(raw, dict):
            return self._wrong(place, raw, "a table")
        if not self._fits(len(raw), kind.min_length, kind.max_length, place, "entries"):
            return _BROKEN
        names = [self._value(kind.key_type, name, place, depth + 1) for name in raw]
        texts = [
            self._value(kind.value_type, one, f"{place}, {str(name)[:40]}", depth + 1) for name, one in raw.items()
        ]
        return _BROKEN if _BROKEN in (*names, *texts) else dict(zip(names, texts, strict=True))

    def _text(self, kind: inspect.StrType, raw: object, place: str) -> Any:  # noqa: ANN401 - as above
        if not isinstance(raw, str):
            return self._wrong(place, raw, "a text")
        if reason := xml.forbidden(raw):
            return self._fault(place, reason)
        if kind.min_length and not raw:
            return self._fault(place, "must not be empty")
        return raw if self._fits(len(raw), None, kind.max_length, place, "characters") else _BROKEN

    def _number(self, kind: inspect.IntType | inspect.FloatType, raw: object, place: str) -> Any:  # noqa: ANN401 - as above
        whole = isinstance(kind, inspect.IntType)
        if isinstance(raw, bool) or not isinstance(raw, int if whole else int | float):
            return self._wrong(place, raw, "a whole number" if whole else "a number")
        assert isinstance(raw, int | float)
        least, most = kind.ge, kind.le
        assert least is not None
        assert most is not None
        if math.isnan(raw) or not least <= raw <= most:
            return self._fault(place, f"is {str(raw)[:40]}, where {least:,} to {most:,} is possible")
        return raw if whole else float(raw)

    def _moment(self, raw: object, place: str) -> Any:  # noqa: ANN401 - as above
        found = raw
        if isinstance(raw, str):
            try:
                found = msgspec.convert(raw, datetime)
            except msgspec.ValidationError:
                found = None
        if not isinstance(found, datetime):
            return self._wrong(place, raw, "a moment, such as 2027-01-31T08:00:00+01:00")
        if found.tzinfo is None:
            return self._fault(place, "lacks an offset: write 2027-01-31T08:00:00+01:00, or Z at the end for UTC")
        return found

    def _word(self, place: str, raw: object, words: Mapping[str, T]) -> Any:  # noqa: ANN401 - as above
        if isinstance(raw, str) and raw in words:
            return words[raw]
        said = "is missing" if raw is _MISSING else f"is {_shown(raw)}"
        return self._fault(place, f"{said}; {_meant(str(raw), words)}")

    def _fits(self, size: int, least: int | None, most: int | None, place: str, what: str) -> bool:
        if least is not None and size < least:
            self._fault(place, "is empty" if least == 1 else f"has too few {what}: {least:,} are needed")
        elif most is not None and size > most:
            self._fault(place, f"has {size:,} {what}; at most {most:,} are allowed")
        else:
            return True
        return False

    def _wrong(self, place: str, raw: object, wanted: str) -> Any:  # noqa: ANN401 - as above
        return self._fault(place, f"is {_shown(raw)}, where {wanted} is needed")


def _shown(raw: object) -> str:
    return quoted(raw) if isinstance(raw, str) else _NAMES.get(type(raw), "something else")


def in_order(values: Iterable[object]) -> tuple[str, ...]:
    """The words of a choice, of which the library only knows the alphabet, as people order them."""
    words = [str(one) for one in values]
    return tuple(sorted(words, key=_WEEK.index)) if {*words} <= {*_WEEK} else tuple(words)


def _meant(name: str, names: Iterable[str]) -> str:
    names = list(names)
    meant = near(name, names) or [one for one in names if name.casefold().startswith(one)]
    if name in _ALIKE and _ALIKE[name] in names:
        meant = [_ALIKE[name]]
    if meant:
        return f"did you mean {meant[0]}?"
    return f"there are {', '.join(names)}" if len(names) > 1 else f"there is only {names[0]}"
