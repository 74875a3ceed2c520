"""TOML written so that people like to keep it in git: short values in line, long texts as they are, a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from offhook.core import toml


def dumps(document: Mapping[str, Any]) -> str:
    """A document of texts, whole numbers, true and false, tables, and lists of tables.

    Tables at the top and those within them that hold tables only get a heading; any other table stands in line.
    """
    return "\n".join("".join(block) for block in _blocks("", document) if block)


def _blocks(path: str, table: Mapping[str, Any]) -> Iterator[list[str]]:
    plain = {name: found for name, found in table.items() if not _has_heading(found, top=not path)}
    if plain or (path and not table):
        heading = [f"[{path}]\n"] if path else []
        yield [*heading, *_lines(plain)]
    for name, found in table.items():
        if name in plain:
            continue
        inside = f"{path}.{toml.name(name)}" if path else toml.name(name)
        if isinstance(found, list):
            yield from ([f"[[{inside}]]\n", *_lines(item)] for item in found)
        else:
            yield from _blocks(inside, found)


def _has_heading(found: object, *, top: bool) -> bool:
    if isinstance(found, list):
        return True
    return isinstance(found, dict) and (top or any(not _is_detail(name) for name in found))


def _is_detail(name: str) -> bool:
    """Whether a name belongs to a value that is written as a table of its own."""
    return name in {"value", "xml", "priority"}


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{toml.name(name)} = {_written(found)}\n" for name, found in table.items()]


def _written(found: object) -> str:
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, dict):
        return "{ " + ", ".join(f"{toml.name(name)} = {_written(inner)}" for name, inner in found.items()) + " }"
    return toml.text(found) if isinstance(found, str) else str(found)
