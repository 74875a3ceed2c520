"""Laws of documents, tried on random input: merging, writing, reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import etree

from offhook.core import accountxml, base, dialplan, mergeable, xml
from offhook.core.base import Base, Reprovisioning
from offhook.core.dialplan import GlobalPart, QuickDial, QuickDials, Removal
from offhook.core.errors import Invalid
from offhook.core.mergeable import Document, Value, merge
from tests.core.law import ANYTHING, UNICODE, law


def mark_pairs(marks: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(marks.items()))


RANKS: Final = st.integers(-5, 60)
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


def test_a_key_remembers_eight_and_no_source_twice() -> None:
    """The latest first; a source that speaks again is not remembered beside what it says now."""
    document = settled({"a": Value(f"v{number}", number, f"s{number}")} for number in range(12))
    refused = settled([{"a": Value("top", 50, "lock")}, *({"a": Value("x", 1, f"s{number}")} for number in range(12))])

    assert [old.source for old in document.keys["a"].replaced] == [f"s{number}" for number in range(10, 2, -1)]
    assert [kept.value.source for kept in refused.kept_out["a"]] == [f"s{number}" for number in range(11, 3, -1)]
    again = merge(document, {"a": Value("new", 60, "s5")})
    assert "s5" not in [old.source for old in again.keys["a"].replaced]


# --- writing and reading ---------------------------------------------------------------------------------------------


@law
@given(st.dictionaries(NAMES, PLAIN, max_size=5))
def test_what_is_written_is_read(values: dict[str, Value]) -> None:
    """Every text that XML can carry comes back, with rank and attributes, in its place; the channel is the source."""
    assume(not accountxml.faults(values))

    written = accountxml.dumps(values, rank=mergeable.DEFAULT)
    reading = accountxml.loads(written, mergeable.DEFAULT, "channel")

    heard = {key: msgspec.structs.replace(value, source="channel") for key, value in values.items()}
    assert list(reading.values.items()) == list(heard.items())
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

    assert msgspec.structs.replace(dialplan.loads(text, rank, "provider"), diagnostics=()) == part


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

    read = base.loads(text)
    common = msgspec.structs.replace(read.common, diagnostics=())
    assert msgspec.structs.replace(read, common=common, diagnostics=()) == written
    assert base.dumps(read) == text
