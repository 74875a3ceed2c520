"""Golden cases: files that an operator can read. A sentence, what goes in, a line of dashes, what comes out.

A new case is a new file under tests/golden/FAMILY; nothing else is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from offhook.core import accountxml, dialplan, login, webservice
from offhook.core.diagnostics import Diagnostic
from offhook.core.dialplan import QuickDial
from offhook.core.errors import Invalid
from offhook.core.login import CloudId, Link, Login
from offhook.core.mergeable import Document, Value, merge
from offhook.core.placeholders import Scope, Target, expand
from offhook.core.secret import Secret

GOLDEN: Final = Path(__file__).parents[1] / "golden"
FAMILIES: Final = ("merge", "placeholders", "login", "links", "errors", "dialplan", "webservice")
TARGETS: Final = {target.name.lower(): target for target in Target}

_CHANNEL: Final = re.compile(r"^([a-z ]+) (\d+):$", re.MULTILINE)
_DASHES: Final = re.compile(r"^-{3,}$", re.MULTILINE)


def cases(family: str) -> pytest.MarkDecorator:
    """One test for each file of a family, named as the file is."""
    return pytest.mark.parametrize("path", sorted((GOLDEN / family).glob("*.txt")), ids=lambda path: str(path.stem))


def read(path: Path) -> tuple[str, str, str]:
    """The sentence, what goes in, what comes out."""
    above, below = _DASHES.split(path.read_text(encoding="utf-8"), maxsplit=1)
    sentence, _, given = above.partition("\n\n")
    return sentence, given.strip("\n"), below.strip("\n")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_case_says_what_it_shows(family: str) -> None:
    """Each family has cases, each of them begins with a sentence, and no two show the same."""
    sentences = [read(path)[0] for path in (GOLDEN / family).glob("*.txt")]

    assert sentences
    assert len(set(sentences)) == len(sentences)
    assert not [sentence for sentence in sentences if sentence[0].islower() or not sentence.endswith(".")]


@cases("merge")
def test_merging(path: Path) -> None:
    """Documents settle by rank, and each key remembers why (D5, D6)."""
    _, given, expected = read(path)

    shown = refusal_or(merged_accounts, given)

    assert shown == expected


@cases("placeholders")
def test_placeholders(path: Path) -> None:
    """Values are filled in once, escaped by where they land; passwords stay off open connections (D3, D4)."""
    _, given, expected = read(path)

    shown = refusal_or(expanded, given)

    assert shown == expected


@cases("login")
def test_login(path: Path) -> None:
    """What was typed becomes Cloud ID, username and password (D1, D2)."""
    _, given, expected = read(path)

    shown = refusal_or(typed, given)

    assert shown == expected


@cases("links")
def test_links(path: Path) -> None:
    """What was tapped or scanned becomes a login, or is refused with a reason (D2)."""
    _, given, expected = read(path)

    shown = refusal_or(linked, given)

    assert shown == expected


@cases("errors")
def test_errors(path: Path) -> None:
    """What a user gets to read when a service says no (D7)."""
    _, given, expected = read(path)

    shown = refusal_or(error_shown, given)

    assert shown == expected


@cases("dialplan")
def test_dialplan(path: Path) -> None:
    """Quick dials, dial actions and preferences settle item by item (D5, D23)."""
    _, given, expected = read(path)

    shown = refusal_or(merged_dialplan, given)

    assert shown == expected


@cases("webservice")
def test_webservice(path: Path) -> None:
    """The keys of a service become one request (D3, D4)."""
    _, given, expected = read(path)

    shown = refusal_or(prepared, given)

    assert shown == expected


def refusal_or(show: Callable[[str], Iterator[str]], given: str) -> str:
    """The lines that are shown, or why the input is refused."""
    try:
        return "\n".join(show(given)) or "nothing"
    except Invalid as invalid:
        return "\n".join(f"refused: {fault}" for fault in invalid.faults)


def fields(given: str) -> dict[str, str]:
    """Lines of `name: value`; a value in double quotes is read as JSON, for what cannot be seen on a line."""
    pairs = (line.partition(":") for line in given.splitlines())
    values = ((name, value.strip()) for name, _, value in pairs)
    return {name: str(json.loads(value)) if value.startswith('"') else value for name, value in values}


def inside(family: str, given: Mapping[str, str]) -> dict[str, str]:
    """The fields of the form `family[key]`, by key."""
    opening = f"{family}["
    return {name[len(opening) : -1]: value for name, value in given.items() if name.startswith(opening)}


def channels(given: str) -> list[tuple[str, int, str]]:
    """The documents behind lines such as `provider 20:`, with source and rank."""
    _, *parts = _CHANNEL.split(given)
    return [(parts[i], int(parts[i + 1]), parts[i + 2].strip()) for i in range(0, len(parts), 3)]


def remarks(diagnostics: tuple[Diagnostic, ...]) -> Iterator[str]:
    return (f"remark: {diagnostic}" for diagnostic in diagnostics)


def visible(text: str) -> str:
    """A text on one line: in quotes when it would not be seen otherwise."""
    return text if text.isprintable() and text == text.strip() and text else json.dumps(text, ensure_ascii=False)


def value_line(value: Value) -> str:
    marks = "".join(f" {name}={text}" for name, text in value.attributes)
    return f"{visible(value.content)} ({value.source} {value.rank}){marks}"


def document_lines(document: Document, indent: str = "") -> Iterator[str]:
    for key, settled in document.keys.items():
        yield f"{indent}{key} = {value_line(settled.value)}"
        yield from (f"{indent}  instead of {value_line(old)}" for old in settled.replaced)
        yield from (
            f"{indent}  not {value_line(refusal.value)}: {refusal.reason}" for refusal in document.kept_out.get(key, ())
        )


def merged_accounts(given: str) -> Iterator[str]:
    document = Document()
    diagnostics: tuple[Diagnostic, ...] = ()
    for source, rank, text in channels(given):
        reading = accountxml.loads(text, rank, source)
        document = merge(document, reading.values)
        diagnostics += reading.diagnostics
    yield from document_lines(document)
    yield from remarks(diagnostics)


def expanded(given: str) -> Iterator[str]:
    said = fields(given)
    scope = Scope(
        {name: text for name, text in said.items() if name in {"username", "password", "fullcode", "installid"}},
        inside("account", said) or None,
        inside("global", said),
    )
    target = TARGETS[said["lands in"]]
    expansion = expand(said["template"], scope, target, "Template", secure=said.get("connection") != "open")
    yield visible(expansion.text)
    yield from remarks(expansion.diagnostics)


def login_lines(cloud_id: CloudId, username: str | None, password: Secret | None) -> Iterator[str]:
    version = "the Editable version of " if cloud_id.editable else ""
    yield f"cloud id: {version}{cloud_id.name} (%fullcode% is {cloud_id.full_code})"
    yield f"username: {'to be asked for' if username is None else visible(username)}"
    yield f"password: {'to be asked for' if password is None else visible(password.reveal())}"


def typed(given: str) -> Iterator[str]:
    said = fields(given)
    fixed = CloudId.parse(said["white label"]) if "white label" in said else None
    entered: Login = login.parse_field(said["first field"], Secret(said.get("password", "")), fixed)
    yield from login_lines(entered.cloud_id, entered.username, entered.password)


def linked(given: str) -> Iterator[str]:
    said = fields(given)
    scheme = said.get("white label scheme", login.SCHEME)
    link: Link = login.parse_link(said["link"], scheme)
    yield from login_lines(link.cloud_id, link.username, link.password)
    if link.environment != "production":
        yield f"environment: {link.environment}"
    yield from (f"global[{key}]: {visible(value)}" for key, value in link.extras.items())
    if link.oauth:
        yield f"oauth: {link.oauth.provider} with the token {link.oauth.token.reveal()}"
    yield f"written again: {login.write_link(link, scheme)}"


def error_shown(given: str) -> Iterator[str]:
    kind, _, text = given.partition(":\n")
    if kind == "we say":
        yield accountxml.write_error(fields(f"it: {text}")["it"]).strip()
    else:
        message = accountxml.read_error(text.encode())
        yield "nothing: the app shows its generic message" if message is None else message


def merged_dialplan(given: str) -> Iterator[str]:
    items: tuple[QuickDial, ...] = ()
    actions: dict[str, Document] = {}
    preferences = Document()
    diagnostics: tuple[Diagnostic, ...] = ()
    for source, rank, text in channels(given):
        part = dialplan.loads(text, rank, source)
        quick_dials = dialplan.merge_quick_dials(items, part.quick_dials)
        items = quick_dials.items
        actions = dialplan.merge_dial_actions(actions, part.dial_actions)
        preferences = merge(preferences, part.preferences)
        diagnostics += (*part.diagnostics, *quick_dials.diagnostics)
    for item in items:
        picture = f", picture {item.portrait_url}" if item.portrait_url else ""
        name = visible(item.display_name)
        yield f"quick dial {item.id}: {name} calls {item.uri} ({item.source} {item.rank}){picture}"
    for identity, action in actions.items():
        yield f"dial action {identity}:"
        yield from document_lines(action, "  ")
    if preferences.keys:
        yield "preferences:"
        yield from document_lines(preferences, "  ")
    yield from remarks(diagnostics)


def prepared(given: str) -> Iterator[str]:
    said = fields(given)
    definition = webservice.define(said["service"], lambda key: said.get(key, ""))
    if definition is None:
        yield "no such service"
        return
    names = {name: text for name, text in said.items() if name in {"username", "password", "fullcode", "installid"}}
    scope = Scope(names, inside("account", said) or None, inside("global", said))
    result = webservice.prepare(definition, scope, strict=said.get("strict") == "yes")
    request = result.request
    yield f"{request.method} {request.url}"
    yield from (f"{name}: {visible(text)}" for name, text in request.headers)
    if request.body:
        yield f"body: {visible(request.body.decode())}"
    if request.credentials:
        yield f"signs in as {request.credentials.username} with {request.credentials.password.reveal()}"
    yield f"answer within {request.timeout_s} s"
    numbers = {"again every": definition.interval_s, "refreshed every": definition.refresh_s}
    yield from (f"{what} {seconds} s" for what, seconds in numbers.items() if seconds)
    if definition.logout_status:
        yield f"logs out at status {definition.logout_status}"
    yield f"in logs: {request}"
    yield from remarks(result.diagnostics)
