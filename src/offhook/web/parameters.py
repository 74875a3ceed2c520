"""The parameters of a request: from its query, and from a body that is a form or a JSON object, which wins."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import unquote

from offhook.core.errors import Invalid
from offhook.core.webservice import FORM
from offhook.web.app import error_answer
from offhook.web.http import MAX_BODY, Answer, Call

JSON: Final = "application/json"
MAX_QUERY: Final = 8192
MAX_PARAMETERS: Final = 200
# What stands whole between `=` and `&` and is a placeholder, such as %account[username]%: no escapes (D19).
_UNEXPANDED: Final = re.compile(r"(?<==)%[A-Za-z_][A-Za-z0-9_.-]*(\[[^][&=%]*\])?%(?=&|$)")
_HALF: Final = re.compile("[\ud800-\udfff]")
METHODS: Final = ("GET", "HEAD", "POST")


def objection(call: Call) -> Answer | None:
    """Why parameters cannot be read from this request at all, or None."""
    if call.method not in METHODS:
        return error_answer(405, "This address takes GET and POST.", {"Allow": ", ".join(METHODS)})
    if len(call.body) > MAX_BODY:
        return error_answer(413, f"The request is larger than {MAX_BODY:,} bytes.")
    if len(call.query) > MAX_QUERY:
        return error_answer(414, f"The query is longer than {MAX_QUERY:,} characters.")
    if _body(call) and _content_type(call) not in {FORM, JSON}:
        return error_answer(415, f"The request must be {FORM} or {JSON}.")
    return None


def read(call: Call) -> dict[str, str]:
    """The parameters by name; raises Invalid, whose text repeats nothing of what was sent."""
    query = _texts(_form, call.query.encode("latin-1"), "its query") if call.query else {}
    if not _body(call):
        return query
    kind = _json if _content_type(call) == JSON else _form
    return query | _texts(kind, call.body, "its body")


def _body(call: Call) -> bytes:
    return call.body if call.method == "POST" else b""


def _content_type(call: Call) -> str:
    return call.headers.get("content-type", FORM).partition(";")[0].strip().lower()


def _texts(parse: Callable[[str], Iterable[tuple[str, object]]], raw: bytes, place: str) -> dict[str, str]:
    pairs = _pairs(parse, raw)
    # Not raised where the fault is caught: that exception holds what was sent, and would hang on to this one.
    if pairs is None:
        raise Invalid.at(place, "cannot be read")
    texts = {name: text for name, text in pairs if isinstance(text, str)}
    if len(pairs) > MAX_PARAMETERS:
        raise Invalid.at(place, f"has more than {MAX_PARAMETERS} parameters")
    if len({name for name, _ in pairs}) < len(pairs):
        raise Invalid.at(place, "has a parameter more than once")
    if _HALF.search("".join(texts.values())):
        raise Invalid.at(place, "has half a character")
    return texts


def _pairs(parse: Callable[[str], Iterable[tuple[str, object]]], raw: bytes) -> list[tuple[str, object]] | None:
    try:
        return list(parse(raw.decode()))
    except (ValueError, TypeError, RecursionError):
        return None


def _form(text: str) -> Iterable[tuple[str, object]]:
    """The fields of a form; a placeholder that an app does not know arrives as it was written, `%ac` of it included."""
    if "%" in text:
        text = _UNEXPANDED.sub(lambda found: found.group().replace("%", "%25"), text)
    # One more than there may be is enough to see that there are too many.
    fields = [field.partition("=") for field in text.replace("+", " ").split("&", MAX_PARAMETERS + 1) if field]
    return [(_unquoted(name), _unquoted(value)) for name, _, value in fields]


def _unquoted(written: str) -> str:
    return unquote(written, errors="strict") if "%" in written else written


def _json(text: str) -> Iterable[tuple[str, object]]:
    """The members of the outermost object, each as often as it stands there; a number as it is written."""
    found = json.loads(text, object_pairs_hook=_Members, parse_int=str, parse_float=str)
    if not isinstance(found, _Members):
        raise TypeError
    return found


class _Members(list[tuple[str, object]]):
    """The members of an object."""
