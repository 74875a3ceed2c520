"""Templates of accounts: filled in once, escaped, and looked at before they are kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core import accountxml
from offhook.core.errors import Invalid
from offhook.core.mergeable import PROVIDER
from offhook.provider import template

# Every character that XML can carry.
CARRIED = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff", min_codepoint=0x20)
    | st.sampled_from("\t\n\r{}&<>\"'")
)
COLUMNS = st.sampled_from(["a", "b", "password", "display name", "spalte-ü"])


def filled(text: str, **values: str) -> dict[str, str]:
    """The texts of the keys as a phone reads them."""
    values_of = template.parse(text).fill(values)
    return {
        key: value.content for key, value in accountxml.loads(accountxml.dumps(values_of), 20, "test").values.items()
    }


@given(values=st.dictionaries(COLUMNS, CARRIED))
def test_values_arrive_as_they_are(values: dict[str, str]) -> None:
    """In texts, in sub-trees and in attributes, a parser gets back each value, never what another stands for."""
    text = "<account>" + "".join(
        f'<k{number}>{{{column}}}</k{number}><t{number}><v lang="{{{column}}}">{{{column}}}</v></t{number}>'
        for number, column in enumerate(values)
    )

    account = template.parse(f"{text}</account>").fill(values)

    read = accountxml.loads(accountxml.dumps(account), PROVIDER, "test").values
    for number, value in enumerate(values.values()):
        assert read[f"k{number}"].content == value
        (child,) = read[f"t{number}"].children()
        assert (child.text or "", child.get("lang")) == (value, value)


def test_nothing_is_filled_in_twice() -> None:
    """A display name that looks like a placeholder does not show the SIP password."""
    account = filled("<account><title>{name}</title></account>", name="{password}", password="s3cret")

    assert account == {"title": "{password}"}


@pytest.mark.parametrize("text", ["{x}", "{", "}", "{}", "{{x}}", "{ name}", "{name }", '{"name": 1}', "{NAME}"])
def test_what_is_no_placeholder_stays(text: str) -> None:
    """Unknown names and stray braces are text, and the case of a column counts."""
    assert filled(f"<account><k>{text}</k></account>", name="Ann") == {"k": text}


def test_doubled_braces_are_no_escape() -> None:
    """The placeholder within them is filled in, as the vendor's script does."""
    assert filled("<account><k>{{name}}</k></account>", name="Ann") == {"k": "{Ann}"}


def test_a_template_may_be_wrapped_and_commented() -> None:
    """One account counts, whatever is around it; comments and declarations are left out."""
    text = '<?xml version="1.0"?><!-- ours --><all><x/><account id="7"><!-- {a} --><k>{a}</k></account></all>'

    parsed = template.parse(text)

    assert filled(text, a="1") == {"k": "1"}
    assert [str(remark) for remark in parsed.diagnostics] == ["account: its id is left out: the app makes it up"]


def test_a_rank_of_its_own_goes_out() -> None:
    """The rank that the template asks for reaches the phone; a label of a source would not be believed there."""
    values = template.parse('<account><k priority="50" source="desk">1</k></account>').fill({})

    assert accountxml.dumps(values, rank=PROVIDER) == '<account>\n  <k priority="50">1</k>\n</account>\n'


def test_an_empty_template_has_no_keys() -> None:
    """A Cloud ID needs no template."""
    assert template.parse(" \n").fill({"a": "1"}) == {}


def test_it_is_parsed_once() -> None:
    """The same text is the same template, for all users."""
    assert template.parse("<account><k>{a}</k></account>") is template.parse("<account><k>{a}</k></account>")


def test_a_good_template_passes_and_strangers_are_pointed_out() -> None:
    """A placeholder that no column stands for is named, with what may have been meant."""
    text = "<account><title>{display_nam}</title><a>{username} {cloud_id}</a><b>{other}</b></account>"

    remarks = template.validate(text, ["username", "display_name"])

    assert [str(remark) for remark in remarks] == [
        "title: {display_nam} is none of the columns and stays as it is; did you mean {display_name}?",
        "b: {other} is none of the columns and stays as it is",
    ]
    assert template.validate(text) == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<account><title>A & B</title></account>", "Account XML, line 1, column 20: is not well-formed XML"),
        ("<account><{column}>1</{column}></account>", "is not well-formed XML"),
        ("<provisioning/>", "needs exactly one <account>"),
        ("<a><account/><account/></a>", "needs exactly one <account>"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><account>&x;</account>', "DTD"),
        (
            '<account><k priority="{rank}" lang="{lang}">1</k></account>',
            "k: has a placeholder in its attribute lang, where none is filled in",
        ),
        (f"<account>{'x' * template.MAX_BYTES}</account>", "bytes; at most 262,144 are allowed"),
    ],
)
def test_a_template_that_would_not_work_is_refused(text: str, fault: str) -> None:
    """Whatever is wrong is found before any phone meets it."""
    with pytest.raises(Invalid) as caught:
        template.validate(text)

    assert fault in str(caught.value)


def test_every_fault_is_named() -> None:
    """Not only the first."""
    with pytest.raises(Invalid) as caught:
        template.validate('<account><a x="{p}">1</a><b y="{q}">2</b></account>')

    assert [fault.place for fault in caught.value.faults] == ["a", "b"]


def test_it_shows_no_values() -> None:
    """A template may hold a password for everybody."""
    assert "s3cret" not in repr(template.parse("<account><password>s3cret</password></account>"))
