"""Account XML beside its golden cases: what must not be stored, values by language, representations."""

import pytest
from rich.pretty import pretty_repr

from offhook.core import accountxml
from offhook.core.mergeable import PROVIDER, Value, merge, settle

ESCAPED = "ends its element and begins another, or uses an XML namespace"


def markup(content: str) -> Value:
    return Value(content, PROVIDER, "provider", markup=True)


def text(content: str, **attributes: str) -> Value:
    return Value(content, PROVIDER, "provider", attributes=tuple(attributes.items()))


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("a b", text(""), "a b: is not a possible name of a key"),
        ("", text(""), "is not a possible name of a key"),
        ("n:a", text(""), "n:a: is not a possible name of a key"),
        ("9a", text(""), "9a: is not a possible name of a key"),
        ("k" * 129, text(""), f"{'k' * 80}: is not a possible name of a key"),
        ("a", text("b\x00"), "a: character U+0000 at position 2 cannot be written in XML"),
        ("a", text("\ud83d"), "a: character U+D83D at position 1 cannot be written in XML"),
        ("a", text("", lang="\ufffe"), "a: character U+FFFE at position 1 cannot be written in XML"),
        ("a", markup("<rule>"), "a: is not well-formed XML: an element is closed by another name"),
        ("a", markup("</a></account><account><a>"), "a: is not well-formed XML: something stands behind its end"),
        ("a", markup("</a><b/><a>"), f"a: {ESCAPED}"),
        ("a", markup("</a><a>"), f"a: {ESCAPED}"),
        ("a", markup("<a>" * 31 + "</a>" * 31), "a: is nested deeper than 32 levels"),
        ("a", markup('<v:b xmlns:v="v"/>'), f"a: {ESCAPED}"),
        ("a", text("", xmlns="v"), f"a: {ESCAPED}"),
    ],
)
def test_what_cannot_be_written_is_named(key: str, value: Value, fault: str) -> None:
    """Before a value is stored, its key and the reason say what keeps it from being read back."""
    found = [str(one) for one in accountxml.faults({"title": text("Ann"), key: value})]

    assert [one.removeprefix(": ") for one in found] == [fault]


def test_all_faults_are_found() -> None:
    """One fault for each key, in their order."""
    found = accountxml.faults({"a": text("\x01"), "b": text("fine"), "c": markup("<"), "d d": text("")})

    assert [fault.place for fault in found] == ["a", "c", "d d"]


LOCALIZED = '<value>Phone</value><value lang="cs">Telefon</value><value lang="pt-BR">Fone</value><other lang="de"/>'


@pytest.mark.parametrize(
    ("content", "locale", "shown"),
    [
        (LOCALIZED, "cs", "Telefon"),
        (LOCALIZED, "cs_CZ", "Telefon"),
        (LOCALIZED, "pt_BR", "Fone"),
        (LOCALIZED, "pt", "Phone"),
        (LOCALIZED, "de", "Phone"),
        (LOCALIZED, "", "Phone"),
        ('<value lang="cs">Telefon</value><value lang="de">Telefon!</value>', "en", "Telefon"),
        ("<value/>", "en", ""),
        ("<rule/>", "en", "<rule/>"),
    ],
)
def test_a_value_by_language(content: str, locale: str, shown: str) -> None:
    """The exact locale, else its language, else the untagged text, else the first; without values, all there is."""
    assert accountxml.localized(markup(content), locale) == shown


def test_a_text_is_the_same_in_every_language() -> None:
    """A text without values by language is shown as it is."""
    assert accountxml.localized(text("<value>"), "cs") == "<value>"


def test_ranks_are_written_where_they_differ() -> None:
    """The channel's own rank need not be said."""
    values = {"a": text("1"), "b": Value("2", 50, "provider", attributes=(("lang", 'c"s'),))}

    assert accountxml.dumps(values) == '<account>\n  <a>1</a>\n  <b lang="c&quot;s">2</b>\n</account>\n'
    assert accountxml.dumps(values, rank=PROVIDER).splitlines()[1:3] == [
        "  <a>1</a>",
        '  <b priority="50" lang="c&quot;s">2</b>',
    ]


def test_the_id_of_an_account_is_read() -> None:
    """The root's id tells an account from others; most answers have none."""
    assert accountxml.loads('<account id="7"/>', PROVIDER, "provider").account_id == "7"
    assert accountxml.loads("<account/>", PROVIDER, "provider").account_id is None


def test_a_value_has_children_when_it_is_a_sub_tree() -> None:
    """A text has none, whatever it looks like."""
    assert [child.tag for child in markup("<a/><b/>").children()] == ["a", "b"]
    assert text("<a/><b/>").children() == []


def test_a_document_answers_for_its_keys() -> None:
    """An absent key has no value and an empty text; a blanked one has both."""
    document = merge(settle({"title": text("Ann"), "host": text("")}), {})

    assert document.get("title") == text("Ann")
    assert document.values() == {"title": text("Ann"), "host": text("")}
    assert document.get("proxy") is None
    assert [document.text(key) for key in ("title", "host", "proxy")] == ["Ann", "", ""]


def test_a_value_does_not_show_itself() -> None:
    """A password in an account is in no representation, neither ours nor that of rich."""
    document = settle({"password": text("hunter2")})

    assert "hunter2" not in repr(document) + pretty_repr(document)
    assert repr(document.get("password")) == "Value(7 characters, rank 20, provider)"
