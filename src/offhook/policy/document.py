"""A policy as text: the operator's TOML file or the API's JSON, read with every fault together, written stably."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from offhook.core.errors import Fault, Invalid
from offhook.policy import toml
from offhook.policy.reader import Reader
from offhook.policy.rules import MAX_RULES, MAX_SEGMENTS, Policy, Rule, Segment, common_faults, place_of

MAX_CHARACTERS: Final = 8 * 1024 * 1024
NAME: Final = "policy"
_LISTS: Final = ("segments", "rules")
_Kind = TypeVar("_Kind", Rule, Segment)


def parse(text: str) -> Policy:
    """A policy from TOML, or from JSON if the text begins with a brace; raises Invalid with every fault."""
    document = _decoded(text)
    reader = Reader()
    head = {name: found for name, found in document.items() if name not in _LISTS}
    bare = reader.read(Policy, head, "")
    segments, rules = _read(reader, Segment, document, "segments"), _read(reader, Rule, document, "rules")
    # A segment that could not be read is known by its name all the same.
    written = document.get("segments", [])
    known = [_identity(raw) for raw in written] if isinstance(written, list) else []
    Invalid.unless_empty([*reader.faults, *common_faults(segments, rules, known)])
    assert bare is not None
    return Policy(bare.number, tuple(segments.values()), tuple(rules.values()))


def dumps(policy: Policy) -> str:
    """A policy as the TOML that `parse` reads back as an equal one; equal input gives equal text."""
    document = msgspec.to_builtins(policy, builtin_types=(datetime,))
    return toml.dumps(document)


def _decoded(text: str) -> Mapping[str, Any]:
    if len(text) > MAX_CHARACTERS:
        raise Invalid.at(NAME, f"is larger than {MAX_CHARACTERS:,} characters")
    is_json = text.lstrip().startswith("{")
    try:
        document = msgspec.json.decode(text) if is_json else tomllib.loads(text)
    except (msgspec.DecodeError, ValueError) as error:
        raise Invalid.at(NAME, f"is not {'JSON' if is_json else 'TOML'}: {error}") from None
    except RecursionError:
        raise Invalid.at(NAME, "is nested too deeply") from None
    assert isinstance(document, dict)
    return document


def _read(reader: Reader, kind: type[_Kind], document: Mapping[str, Any], table: str) -> dict[int, _Kind]:
    """The entries of a list that can be read, by their position."""
    found = document.get(table, [])
    if not isinstance(found, list):
        reader.faults.append(Fault(table, f"is no list; begin each entry with [[{table}]]"))
        return {}
    most = MAX_RULES if table == "rules" else MAX_SEGMENTS
    if len(found) > most:
        reader.faults.append(Fault(table, f"are {len(found):,}; at most {most:,} are allowed"))
        return {}
    read = {}
    for position, raw in enumerate(found, 1):
        entry = reader.read(kind, raw, place_of(table, position, _identity(raw)))
        if entry is not None:
            read[position] = entry
    return read


def _identity(raw: object) -> str:
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) else ""
