"""TOML as an operator keeps a policy in git: a heading for each segment and rule, what is nested indented below."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED: Final = re.compile(r'["\\\x00-\x1f\x7f-\x9f\ud800-\udfff]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def dumps(document: Mapping[str, Any]) -> str:
    """A document of plain values, and of lists of tables, which follow them."""
    plain = {name: found for name, found in document.items() if not isinstance(found, list | tuple)}
    blocks = ["".join(_lines(plain))] if plain else []
    for name, found in document.items():
        if name not in plain:
            blocks += ["".join([f"[[{name}]]\n", *_lines(table)]) for table in found]
    return "\n".join(blocks)


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    return (f"{_name(name)} = {_written(found, '')}\n" for name, found in table.items())


def _written(found: object, indent: str) -> str:
    match found:
        case bool():
            return "true" if found else "false"
        case dict():
            return f"{{ {', '.join(f'{_name(name)} = {_written(one, indent)}' for name, one in found.items())} }}"
        case list() | tuple():
            return _list(found, indent)
        case datetime():
            return found.isoformat()
        case float():
            return str(int(found)) if found.is_integer() else repr(found)
        case str():
            return _text(found)
        case _:
            return str(found)


def _list(found: list[Any] | tuple[Any, ...], indent: str) -> str:
    """Tables one below the other, anything else in a line."""
    if not any(isinstance(one, dict) for one in found):
        return f"[{', '.join(_written(one, indent) for one in found)}]"
    deeper = f"{indent}  "
    return "\n".join(["[", *(f"{deeper}{_written(one, deeper)}," for one in found), f"{indent}]"])


def _name(name: str) -> str:
    return name if _BARE.fullmatch(name) else _basic(name)


def _text(text: str) -> str:
    lines = text.split("\n")
    if len(lines) > 1 and all(line.isprintable() for line in lines) and "'''" not in text and not text.endswith("'"):
        return f"'''\n{text}'''"
    return _basic(text)


def _basic(text: str) -> str:
    return '"' + _ESCAPED.sub(lambda found: _SHORT.get(found[0], f"\\u{ord(found[0]):04X}"), text) + '"'
