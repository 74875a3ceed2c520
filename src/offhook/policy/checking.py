"""Records that can say what is wrong with them, and the places where records stand within each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from offhook.core.errors import Fault


class Checked(msgspec.Struct, frozen=True):
    """A record that can say what is wrong with itself, its type and limits aside."""

    def faults(self) -> Iterator[Fault]:
        """What is wrong, by place within it; what it holds speaks for itself."""
        return iter(())

    @classmethod
    def alone(cls, field: str, found: object) -> Iterator[Fault]:  # noqa: ARG003 - for those that look
        """What is wrong with one field's value whatever the others are, so that it is told beside their faults."""
        return iter(())


def faults_within(record: object, place: str) -> Iterator[Fault]:
    """What is wrong with a record and with all that it holds, by place."""
    if isinstance(record, Checked):
        yield from inside(place, record.faults())
    if isinstance(record, tuple):
        for position, one in enumerate(record, 1):
            yield from faults_within(one, f"{place}[{position}]")
    if isinstance(record, msgspec.Struct):
        names = zip(record.__struct_fields__, record.__struct_encode_fields__, strict=True)
        for name, written in names:
            yield from faults_within(getattr(record, name), field_place(place, written, record.__struct_config__.tag))


def inside(place: str, faults: Iterable[Fault]) -> Iterator[Fault]:
    """Faults of something that stands at a place."""
    return (Fault(f"{place}, {fault.place}" if fault.place else place, fault.text) for fault in faults)


def field_place(place: str, field: str, tag: object) -> str:
    """The place of a field; `of` is called by what it is of, so that one reads `when, all[2]`."""
    called = str(tag) if field == "of" and tag else field
    return f"{place}, {called}" if place else called
