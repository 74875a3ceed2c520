"""Laws of the core, tried on random input: merging, writing and reading, filling in, packing, signing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from offhook.core import accountxml, base, dialplan, login, mergeable, signing, theme, webservice, xml
from offhook.core.base import Base, Reprovisioning
from offhook.core.dialplan import GlobalPart, QuickDial, QuickDials, Removal
from offhook.core.errors import Invalid
from offhook.core.login import CloudId, Link, OAuth
from offhook.core.mergeable import Document, Value, merge
from offhook.core.placeholders import Scope, Target, expand
from offhook.core.secret import Secret
from offhook.core.theme import Manifest, Theme
from offhook.core.webservice import Response


def mark_pairs(marks: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(marks.items()))


# Always the same examples: a failure here is one that anybody can repeat.
law = settings(max_examples=100, derandomize=True, database=None, deadline=None)

RANKS: Final = st.integers(-5, 60)
ANYTHING: Final = st.text(st.characters(exclude_categories=[]))
UNICODE: Final = st.text(st.characters(exclude_categories=["Cs"]))
# Every script, white space and carriage returns included; only what XML 1.0 cannot carry is left out.
CARRIED: Final = st.text(st.characters(exclude_categories=["Cs"]).filter(lambda letter: xml.forbidden(letter) is None))
NAMES: Final = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,11}", fullmatch=True)
MARKS: Final = st.dictionaries(
    NAMES.filter(lambda name: name not in {"priority", "source", "xmlns"}), CARRIED, max_size=3
)
PLAIN: Final = st.builds(
    Value,
    CARRIED,
    RANKS,
    st.sampled_from(["portal", "provider", "user"]),
    attributes=MARKS.map(mark_pairs),
)
FEW: Final = st.dictionaries(
    st.sampled_from("abcd"),
    st.builds(Value, st.sampled_from("xyz"), RANKS, st.sampled_from(["s1", "s2", "s3"])),
    max_size=4,
)
HISTORY: Final = st.lists(FEW, max_size=6)
KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def settled(history: Iterable[Mapping[str, Value]]) -> Document:
    document = Document()
    for values in history:
        document = merge(document, values)
    return document


# --- merging ---------------------------------------------------------------------------------------------------------


@law
@given(HISTORY, FEW)
def test_merging_twice_is_merging_once(history: list[dict[str, Value]], incoming: dict[str, Value]) -> None:
    """The same values again change nothing: no value, and nothing that is remembered about them."""
    once = merge(settled(history), incoming)

    twice = merge(once, incoming)

    assert twice == once


@law
@given(HISTORY, FEW)
def test_rank_decides(history: list[dict[str, Value]], incoming: dict[str, Value]) -> None:
    """A lower rank never wins, an equal or higher one always does, and a key left out stays with all it remembers."""
    stored = settled(history)

    merged = merge(stored, incoming)

    for key in merged.keys:
        before, offered = stored.get(key), incoming.get(key)
        if offered is None:
            assert merged.keys[key] == stored.keys[key]
        elif before is not None and offered.rank < before.rank:
            assert merged.keys[key] == stored.keys[key]
            assert merged.kept_out[key][0].value == offered
        else:
            assert merged.get(key) == offered
    assert set(merged.keys) == {*stored.keys, *incoming}


@law
@given(HISTORY)
def test_what_is_remembered_is_bounded(history: list[dict[str, Value]]) -> None:
    """Each key remembers one earlier value and one refusal of each source, however long it lives."""
    document = settled([*history * 3])

    for key in document.keys:
        assert len(document.keys[key].replaced) <= 3
        assert len({refusal.value.source for refusal in document.kept_out.get(key, ())}) <= 3


# --- writing and reading ---------------------------------------------------------------------------------------------


@law
@given(st.dictionaries(NAMES, PLAIN, max_size=5))
def test_what_is_written_is_read(values: dict[str, Value]) -> None:
    """Every text that XML can carry comes back, with rank, source and attributes, and in its place."""
    assume(not accountxml.faults(values))

    reading = accountxml.loads(accountxml.dumps(values, ranks=True), mergeable.DEFAULT, "channel")

    assert list(reading.values.items()) == list(values.items())
    assert reading.diagnostics == ()


@law
@given(st.dictionaries(NAMES, CARRIED, max_size=5), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_any_encoding_of_unicode_is_read(texts: dict[str, str], encoding: str) -> None:
    """A byte order mark, or the declaration that XML wants for it, tells the encoding."""
    values = {key: Value(text, mergeable.PROVIDER, "provider") for key, text in texts.items()}
    document = f'<?xml version="1.0" encoding="{encoding}"?>\n' + accountxml.dumps(values)

    reading = accountxml.loads(document.encode(encoding), mergeable.PROVIDER, "provider")

    assert reading.values == values


def element_trees() -> st.SearchStrategy[str]:
    """Serialized elements, as some other writer would put them."""
    leaf = st.builds(element, NAMES, CARRIED, MARKS, st.just([]))
    trees = st.recursive(
        leaf,
        lambda below: st.builds(element, NAMES, CARRIED, MARKS, st.lists(st.tuples(below, CARRIED), max_size=3)),
        max_leaves=6,
    )
    return trees.map(lambda tree: etree.tostring(tree, encoding="unicode"))


def element(
    name: str, content: str, marks: Mapping[str, str], below: list[tuple[etree._Element, str]]
) -> etree._Element:
    made = etree.Element(name, dict(marks))
    made.text = content
    for child, tail in below:
        copy = etree.fromstring(etree.tostring(child))
        copy.tail = tail
        made.append(copy)
    return made


@law
@given(element_trees())
def test_sub_trees_come_back(tree: str) -> None:
    """A sub-tree that was read is written, and read again as the same value."""
    first = accountxml.loads(f"<account><key>{tree}</key></account>", mergeable.PROVIDER, "provider").values
    assume(first["key"].markup)

    again = accountxml.loads(accountxml.dumps(first), mergeable.PROVIDER, "provider").values

    assert again == first
    assert accountxml.faults(first) == []
    assert texts(first["key"].children()) == texts(etree.fromstring(f"<key>{tree}</key>"))


def texts(elements: Iterable[etree._Element]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Names, texts and attributes of leaves: what no normal form may touch."""
    leaves = [leaf for element in elements for leaf in element.iter() if len(leaf) == 0]
    return [(str(leaf.tag), leaf.text or "", sorted((str(n), str(v)) for n, v in leaf.items())) for leaf in leaves]


@law
@given(ANYTHING)
def test_exactly_what_xml_cannot_carry_is_refused(text: str) -> None:
    """What has no fault can be read back, and what has one could not have been."""
    values = {
        "key": Value(text, mergeable.PROVIDER, "provider"),
        "mark": Value("", 20, "provider", attributes=(("a", text),)),
    }

    faults = accountxml.faults(values)

    if faults:
        assert [fault.place for fault in faults] == ["key", "mark"]
        with pytest.raises(Invalid):
            accountxml.loads(accountxml.dumps(values), mergeable.PROVIDER, "provider")
    else:
        assert accountxml.loads(accountxml.dumps(values), mergeable.PROVIDER, "provider").values == values


def test_each_code_point_is_carried_or_refused() -> None:
    """All of Unicode: refused is what the production Char of XML 1.0 leaves out, the rest comes back."""
    allowed = [*map(chr, (9, 10, 13)), *map(chr, range(0x20, 0xD800)), *map(chr, range(0xE000, 0xFFFE))]
    allowed += map(chr, range(0x10000, 0x110000))

    refused = {letter for letter in map(chr, range(0x110000)) if xml.forbidden(letter)}

    assert refused.isdisjoint(allowed)
    assert len(refused) + len(allowed) == 0x110000
    for start in range(0, len(allowed), 200_000):
        values = {"key": Value("".join(allowed[start : start + 200_000]), 20, "provider")}
        assert accountxml.loads(accountxml.dumps(values), 20, "provider").values == values


@law
@given(st.one_of(st.binary(), UNICODE, element_trees().map(lambda tree: f"<account>{tree}</account>")))
def test_any_document_is_read_or_refused(document: bytes | str) -> None:
    """Whatever arrives, there is an answer, and the refusal can be shown."""
    try:
        reading = accountxml.loads(document, mergeable.PROVIDER, "provider")
        dialplan.loads(document, mergeable.PROVIDER, "provider")
    except Invalid:
        return

    assert accountxml.faults(reading.values) == []


@law
@given(ANYTHING)
def test_error_messages_come_back(message: str) -> None:
    """What we write as an error is what the app shows, and cleaning it twice is cleaning it once."""
    shown = accountxml.read_error(accountxml.write_error(message).encode())

    again = accountxml.read_error(accountxml.write_error(shown or "").encode())

    assert again == shown
    assert shown is None or len(shown) <= accountxml.MAX_MESSAGE


# --- base and global part --------------------------------------------------------------------------------------------

SERVICES: Final = st.dictionaries(
    st.sampled_from(["InitialProvisioningUrl", "initialGlobalProvisioningPostData", "wsContactsUrl"]), CARRIED
)


def values_of(source: str) -> st.SearchStrategy[dict[str, Value]]:
    return st.dictionaries(
        NAMES, st.builds(Value, CARRIED, RANKS, st.just(source), attributes=MARKS.map(mark_pairs)), max_size=3
    )


def parts_of(source: str) -> st.SearchStrategy[GlobalPart]:
    some = CARRIED.filter(bool)
    items = st.builds(QuickDial, some, CARRIED, CARRIED, CARRIED, RANKS, st.just(source))
    removals = st.builds(Removal, some, RANKS, st.just(source))
    below = st.none() | st.integers(-9, 99)
    quick_dials = st.builds(
        QuickDials, st.lists(items, max_size=3).map(tuple), st.lists(removals, max_size=2).map(tuple), below
    )
    return st.builds(GlobalPart, quick_dials, st.dictionaries(some, values_of(source), max_size=2), values_of(source))


@law
@given(parts_of("provider"), st.sampled_from([mergeable.PORTAL, mergeable.PROVIDER]))
def test_the_global_part_comes_back(part: GlobalPart, rank: int) -> None:
    """Quick dials, dial actions and preferences come back with their ranks, whatever channel they travel on."""
    assume(not dialplan.faults(part))

    text = dialplan.dumps(part, rank)

    assert dialplan.loads(text, rank, "provider") == part


BASES: Final = st.builds(
    Base,
    CARRIED,
    st.integers(0, 999_999_999),
    values_of("portal"),
    SERVICES,
    st.dictionaries(NAMES, CARRIED, max_size=3),
    st.builds(Reprovisioning, st.booleans(), st.integers(0, 999_999_999), st.booleans()),
    parts_of("portal"),
)


@law
@given(BASES)
def test_the_base_comes_back(written: Base) -> None:
    """A base configuration comes back whole, and writing it again gives the same text."""
    assume(not base.faults(written))

    text = base.dumps(written)

    assert base.loads(text) == written
    assert base.dumps(base.loads(text)) == text


# --- filling in ------------------------------------------------------------------------------------------------------

PIECES: Final = st.sampled_from(
    ["%", "%a%", "%b%", "%account[a]%", "%global[b]%", "%sha1(", ")%", "%c3", "://", "/", "?", "x"]
)
TEMPLATES: Final = st.lists(PIECES | UNICODE).map("".join)


@law
@given(TEMPLATES, st.sampled_from(Target))
def test_what_is_not_known_stays(template: str, target: Target) -> None:
    """Without any values, a template without functions stays as it is, letter by letter."""
    assume(")%" not in template)

    assert expand(template, Scope(), target, "place").text == template


@law
@given(TEMPLATES, UNICODE, UNICODE)
def test_a_value_is_never_filled_in_again(template: str, first: str, second: str) -> None:
    """Filling in marks, and putting the values where the marks are, is the same as filling in the values."""
    assume(")%" not in template)
    assume("\ue000" not in template + first + second)
    assume("\ue001" not in template + first + second)

    marked = expand(template, Scope({"a": "\ue000", "b": "\ue001"}), Target.RAW, "place").text

    filled = expand(template, Scope({"a": first, "b": second}), Target.RAW, "place").text
    assert filled == "".join({"\ue000": first, "\ue001": second}.get(letter, letter) for letter in marked)


@law
@given(UNICODE)
def test_a_value_survives_a_url(value: str) -> None:
    """A path segment and a query parameter come back from a real parser of URLs."""
    template = "https://prov.example.net:8443/first/%a%/last?one=%a%&two=%a%"

    parts = urlsplit(expand(template, Scope({"a": value}), Target.URL, "place").text)

    assert [unquote(segment) for segment in parts.path.split("/")] == ["", "first", value, "last"]
    assert parse_qs(parts.query, keep_blank_values=True, strict_parsing=True) == {"one": [value], "two": [value]}
    assert parts.hostname == "prov.example.net"


@law
@given(UNICODE)
def test_a_value_survives_a_form(value: str) -> None:
    """A form field comes back from a real parser of forms."""
    body = expand("one=%a%&two=%a%", Scope({"a": value}), Target.FORM, "place").text

    assert parse_qs(body, keep_blank_values=True, strict_parsing=True) == {"one": [value], "two": [value]}


@law
@given(ANYTHING)
def test_a_value_survives_json(value: str) -> None:
    """A JSON string comes back from a real parser of JSON, single surrogates included."""
    body = expand('{"%a%": ["%a%"]}', Scope({"a": value}), Target.JSON, "place").text

    assert json.loads(body) == {value: [value]}


@law
@given(ANYTHING)
def test_a_value_survives_xml(value: str) -> None:
    """Texts and attributes of either quote come back from a real parser of XML, or the value is refused."""
    template = "<a one='%a%' two=\"%a%\">%a%</a>"

    try:
        body = expand(template, Scope({"a": value}), Target.XML, "place").text
    except Invalid:
        assert xml.forbidden(value)
        return

    root = etree.fromstring(body.encode())
    assert [root.get("one"), root.get("two"), root.text or ""] == [value] * 3


@law
@given(ANYTHING)
def test_a_value_stays_within_its_header(value: str) -> None:
    """A header value never ends its line, or is refused."""
    definition = webservice.Definition(
        "extProv", "https://prov.example.net/", custom_headers="X-First: %a%\nX-Second: 2"
    )

    try:
        request = webservice.prepare(definition, Scope({"a": value})).request
    except Invalid:
        assert any(ord(letter) < 32 or ord(letter) == 127 for letter in value)
        return

    assert request.headers == (("X-First", value), ("X-Second", "2"))
    assert not any(letter in "\r\n\0" for letter in value)


@law
@given(st.fixed_dictionaries({}, optional={f"extProv{suffix}": TEMPLATES for suffix in webservice.SUFFIXES}), UNICODE)
def test_any_definition_becomes_a_request_or_is_refused(keys: dict[str, str], value: str) -> None:
    """Whatever an operator wrote, there is a request that can be sent, or a refusal that can be shown."""
    definition = webservice.define("extProv", lambda key: keys.get(key, ""))
    assume(definition)
    assert definition is not None

    try:
        request = webservice.prepare(definition, Scope({"a": value}, {"a": value}, {"b": value})).request
    except Invalid:
        return

    assert webservice.is_url(request.url)
    assert request.method in webservice.METHODS
    assert 0 < request.timeout_s <= webservice.MAX_TIMEOUT_S


# --- logins and links ------------------------------------------------------------------------------------------------

SHORT: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CLOUD_IDS: Final = st.from_regex(r"[A-Za-z0-9._-]{1,64}\*?", fullmatch=True).map(CloudId.parse)
EXTRAS: Final = st.dictionaries(SHORT.filter(lambda key: key not in {"env", "token", "provider"}), SHORT, max_size=2)
USERS: Final = st.one_of(
    st.tuples(st.none(), st.none()), st.tuples(SHORT, st.none()), st.tuples(SHORT, SHORT.map(Secret))
)
OAUTHS: Final = st.none() | st.builds(OAuth, SHORT.filter(bool), SHORT.filter(bool).map(Secret))


def link(
    cloud_id: CloudId,
    user: tuple[str | None, Secret | None],
    environment: str,
    extras: dict[str, str],
    oauth: OAuth | None,
) -> Link:
    return Link(cloud_id, *user, environment, extras, oauth)


@law
@given(st.builds(link, CLOUD_IDS, USERS, st.sampled_from(login.ENVIRONMENTS), EXTRAS, OAUTHS), st.booleans())
def test_a_link_comes_back(made: Link, slashes: bool) -> None:
    """Every link that can be written is read as what it was."""
    written = login.write_link(made, slashes=slashes)
    assume(len(written) <= login.MAX_TEXT)

    assert login.parse_link(written) == made
    assert written.isascii()
    assert login.is_link(written)


@law
@given(CLOUD_IDS, SHORT, SHORT)
def test_a_field_comes_back(cloud_id: CloudId, username: str, password: str) -> None:
    """An encoded username and a plain password are what they were."""
    typed = f"{quote(username, safe='')}@{cloud_id.full_code}"

    entered = login.parse_field(typed, Secret(password))

    assert (entered.cloud_id, entered.username, entered.password.reveal()) == (cloud_id, username, password)


@law
@given(
    st.lists(
        st.sampled_from(["csc:", "//", "@", ":", "%", "/oauth", "?", "&", "=", "#", "ID", "*", "env"]) | ANYTHING
    ).map("".join)
)
def test_any_text_is_a_link_or_refused(text: str) -> None:
    """Whatever a camera reads, there is a link or a refusal that can be shown, and a link can be written again."""
    try:
        read = login.parse_link(text)
    except Invalid:
        return

    assert login.parse_link(login.write_link(read)) == read


# --- themes ----------------------------------------------------------------------------------------------------------

PATHS: Final = st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}){0,2}\.(png|SVG)", fullmatch=True
)
COLOURS: Final = st.dictionaries(
    UNICODE, st.from_regex(r"#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?", fullmatch=True), max_size=3
)
TEXTS: Final = st.dictionaries(UNICODE, st.dictionaries(UNICODE, UNICODE, max_size=2), max_size=2)


@st.composite
def themes(draw: st.DrawFn) -> Theme:
    files = draw(st.dictionaries(PATHS, st.binary(), max_size=4))
    images = draw(st.dictionaries(UNICODE, st.sampled_from(sorted(files)), max_size=3)) if files else {}
    return Theme(Manifest(draw(UNICODE), draw(COLOURS), draw(TEXTS), images), files)


@law
@given(themes())
def test_a_theme_comes_back(packed: Theme) -> None:
    """A theme is unpacked as it was packed, and the order of its parts makes no difference to the bytes."""
    package = theme.pack(packed)

    manifest = packed.manifest
    shuffled = Theme(
        msgspec.structs.replace(manifest, colours=dict(reversed(manifest.colours.items()))),
        dict(reversed(packed.files.items())),
    )
    assert theme.unpack(package) == packed
    assert theme.pack(shuffled) == package


@law
@given(st.binary() | st.tuples(st.integers(0, 400), st.integers(1, 255)).map(lambda change: damaged(*change)))
def test_any_package_is_read_or_refused(package: bytes) -> None:
    """Damaged or made up, a package gives a theme or a refusal, and nothing else."""
    try:
        unpacked = theme.unpack(package)
    except Invalid:
        return

    assert theme.unpack(theme.pack(unpacked)) == unpacked


def damaged(position: int, flip: int) -> bytes:
    package = bytearray(theme.pack(Theme(Manifest("ACME", images={"logo": "logo.png"}), {"logo.png": b"picture" * 9})))
    package[position % len(package)] ^= flip
    return bytes(package)


# --- signatures ------------------------------------------------------------------------------------------------------

BODY: Final = b"<provisioning/>"
SIGNED: Final = signing.sign(
    {
        "Content-Type": "application/xml",
        "ETag": '"5f2c"',
        "Last-Modified": "Sun, 15 Mar 2026 00:46:17 GMT",
        signing.CLOUD_ID_HEADER: "ACME*",
        signing.PART_HEADER: "base",
    },
    BODY,
    datetime(2026, 3, 15, tzinfo=UTC),
    KEY,
)
HEADERS: Final = {name.lower(): value for name, value in SIGNED.items()}


def verify(response: Response) -> None:
    signing.verify(response, "ACME*", "base", KEY.public_key())


def test_the_answer_itself_is_genuine() -> None:
    """What was signed verifies; without this, the laws below would prove nothing."""
    verify(Response(200, HEADERS, BODY))


@law
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_flipped_byte_of_the_body_is_refused(position: int, flip: int) -> None:
    """Not one bit of the body can be changed."""
    body = bytearray(BODY)
    body[position] ^= flip

    with pytest.raises(Invalid, match="not signed by the pinned portal key"):
        verify(Response(200, HEADERS, bytes(body)))


@law
@given(
    st.sampled_from([name for name in signing.COVERED if name != "@status"]), st.integers(0, 999), st.integers(1, 255)
)
def test_a_flipped_byte_of_a_covered_header_is_refused(name: str, position: int, flip: int) -> None:
    """Nor can one bit of a header that the signature covers."""
    value = HEADERS[name]
    at = position % len(value)
    changed = value[:at] + chr(ord(value[at]) ^ flip) + value[at + 1 :]

    with pytest.raises(Invalid, match="portal base"):
        verify(Response(200, {**HEADERS, name: changed}, BODY))


@law
@given(st.sampled_from(["signature", "signature-input", "content-digest"]), ANYTHING | st.text("();=\"'@:,*-_aé9 \t"))
def test_any_signature_that_is_none_is_refused(name: str, value: str) -> None:
    """Whatever stands where signature or digest belong, the answer is refused, and nothing breaks."""
    assume(value != HEADERS[name])

    with pytest.raises(Invalid, match="not signed by the pinned portal key"):
        verify(Response(200, {**HEADERS, name: value}, BODY))


@law
@given(st.integers(100, 599))
def test_another_status_is_refused(status: int) -> None:
    """The status is covered, so an old error cannot be passed off as a configuration."""
    assume(status != 200)

    with pytest.raises(Invalid, match="not signed by the pinned portal key"):
        verify(Response(status, HEADERS, BODY))
