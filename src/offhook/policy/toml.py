"""TOML as an operator keeps a policy in git: a heading for each segment and rule, what is nested indented below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from offhook.core import toml


def dumps(document: Mapping[str, Any]) -> str:
    """A document of plain values, and of lists of tables, which follow them."""
    plain = {name: found for name, found in document.items() if not isinstance(found, list | tuple)}
    blocks = ["".join(_lines(plain))] if plain else []
    for name, found in document.items():
        if name not in plain:
            blocks += ["".join([f"[[{name}]]\n", *_lines(table)]) for table in found]
    return "\n".join(blocks)


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    return (f"{toml.name(name)} = {_written(found, '')}\n" for name, found in table.items())


def _written(found: object, indent: str) -> str:
    match found:
        case bool():
            return "true" if found else "false"
        case dict():
            return f"{{ {', '.join(f'{toml.name(name)} = {_written(one, indent)}' for name, one in found.items())} }}"
        case list() | tuple():
            return _list(found, indent)
        case datetime():
            return found.isoformat()
        case float():
            return str(int(found)) if found.is_integer() else repr(found)
        case str():
            return toml.text(found)
        case _:
            return str(found)


def _list(found: list[Any] | tuple[Any, ...], indent: str) -> str:
    """Tables one below the other, anything else in a line."""
    if not any(isinstance(one, dict) for one in found):
        return f"[{', '.join(_written(one, indent) for one in found)}]"
    deeper = f"{indent}  "
    return "\n".join(["[", *(f"{deeper}{_written(one, deeper)}," for one in found), f"{indent}]"])
