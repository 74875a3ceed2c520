"""Two accounts are compared by what an app makes of them."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core import accountxml, dialplan
from offhook.core.catalogue import KEYS
from offhook.core.comparison import Veil, What, compare, compare_common, stays_behind
from offhook.core.dialplan import GlobalPart
from offhook.core.kinds import Listing, Switch, Text, Whole
from offhook.core.mergeable import PROVIDER, Value
from offhook.core.secret import MASK
from tests.core.law import law

Account = dict[str, Value]


def account(inside: str) -> Account:
    return accountxml.loads(f"<account>{inside}</account>", PROVIDER, "service").values


def common(inside: str) -> GlobalPart:
    return dialplan.loads(f"<provisioning>{inside}</provisioning>", PROVIDER, "service")


def compared(theirs: str, ours: str) -> list[tuple[str, What]]:
    return [(one.key, one.what) for one in compare(account(theirs), account(ours)) if not one.expected]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("<codecOrder>0, 8,9</codecOrder>", "<codecOrder>0,8,9</codecOrder>"),
        ("<extProvInterval> 0600\n</extProvInterval>", "<extProvInterval>600</extProvInterval>"),
        ("<allowVideo> 1 </allowVideo>", "<allowVideo>1</allowVideo>"),
        # An app takes every other word for the default of this switch, which is on.
        ("<allowVideo>true</allowVideo>", "<allowVideo>1</allowVideo>"),
        ("<transport>TLS</transport>", "<transport>tls</transport>"),
        ("<host>SIP.Example.net</host>", "<host>sip.example.net</host>"),
        ("<vpnStartupUrl>HTTPS://A.net/x</vpnStartupUrl>", "<vpnStartupUrl>https://a.net/x</vpnStartupUrl>"),
        ("<title>a</title><host>b</host>", "<host>b</host><title>a</title>"),
        ("<title priority='20'>a</title>", "<title>a</title>"),
        ("<title/>", "<title></title>"),
        ("<title><value>Ann</value></title>", "<title>Ann</title>"),
        (
            "<title><value>Ann</value><value lang='de'>Anna</value></title>",
            "<title><value lang='de'>Anna</value><value>Ann</value></title>",
        ),
        (
            "<opusOptions><fec>1</fec><complexity>05</complexity></opusOptions>",
            "<opusOptions>\n <complexity>5</complexity>\n <fec>1</fec>\n</opusOptions>",
        ),
        ("<quickDial><item id='a'/><item id='b'/></quickDial>", "<quickDial><item id='b'/><item id='a'/></quickDial>"),
        ("<rewriting><rule a='1' b='2'/></rewriting>", "<rewriting> <rule b='2' a='1'></rule> </rewriting>"),
    ],
)
def test_the_same_in_other_words(theirs: str, ours: str) -> None:
    """An app does the same with both."""
    assert compared(theirs, ours) == []


@pytest.mark.parametrize(
    ("theirs", "ours", "key", "what"),
    [
        ("<codecOrder>0,8</codecOrder>", "<codecOrder>8,0</codecOrder>", "codecOrder", What.VALUE),
        ("<callWaiting>true</callWaiting>", "<callWaiting>0</callWaiting>", "callWaiting", What.NO_SWITCH),
        ("<allowMessage>true</allowMessage>", "<allowMessage>1</allowMessage>", "allowMessage", What.NO_SWITCH),
        ("<title>Ann</title>", "<title>ann</title>", "title", What.VALUE),
        ("<title>Ann</title>", "<title>Ann </title>", "title", What.BLANKS),
        ("<X-own>1</X-own>", "<X-own>01</X-own>", "X-own", What.VALUE),
        ("<title>Ann</title>", "<title priority='50'>Ann</title>", "title", What.RANK),
        ("<title>Ann</title>", "", "title", What.NOT_OURS),
        ("", "<title>Ann</title>", "title", What.NOT_THEIRS),
        ("<title/>", "", "title", What.NOT_BLANKED),
        ("", "<title/>", "title", What.BLANKED),
        ("<title>Ann</title>", "<title/>", "title", What.VALUE),
        ("<title lang='de'>Ann</title>", "<title>Ann</title>", "title", What.VALUE),
        ("<title><value lang='de'>A</value></title>", "<title><value>B</value></title>", "title", What.VALUE),
        ("<rewriting><a/><b/></rewriting>", "<rewriting><b/><a/></rewriting>", "rewriting", What.VALUE),
        ("<rewriting>x<a/></rewriting>", "<rewriting><a/>x</rewriting>", "rewriting", What.VALUE),
        ("<quickDial><item id='a'/></quickDial>", "<quickDial/>", "quickDial", What.VALUE),
        (
            "<extProvInterval>60</extProvInterval>",
            "<extProvInterval>61</extProvInterval>",
            "extProvInterval",
            What.VALUE,
        ),
        # A phone that knows their address goes on asking there.
        ("<extProvUrl>https://a.net/</extProvUrl>", "", "extProvUrl", What.NOT_OURS),
        ("<extProvUrl>https://a.net/</extProvUrl>", "<extProvUrl/>", "extProvUrl", What.VALUE),
        ("<cloud_password>x</cloud_password>", "", "cloud_password", What.NOT_OURS),
    ],
)
def test_a_difference(theirs: str, ours: str, key: str, what: What) -> None:
    """It is told by its key, and in what it consists."""
    assert compared(theirs, ours) == [(key, what)]


def test_what_has_to_differ() -> None:
    """Tokens, the number of the install and what holds it, addresses of services."""
    theirs = account(
        "<cloud_password>pa55word</cloud_password><extProvUrl>https://old.example.net/p</extProvUrl>"
        "<wsContactsUrl>https://c.example.net/?i=OLD-1&amp;x=1</wsContactsUrl><X-install-id>OLD-1</X-install-id>"
    )
    ours = account(
        "<cloud_password>t0k/en</cloud_password><extProvUrl>https://new.example.net/again</extProvUrl>"
        "<wsContactsUrl>https://c.example.net/?i=12AB&amp;x=1</wsContactsUrl>"
        "<X-install-id>12AB</X-install-id><cloud_username>ann</cloud_username><extProvMethod>POST</extProvMethod>"
    )

    found = compare(theirs, ours)

    assert {one.key for one in found if one.expected} == {*theirs, *ours}
    assert all(one.expected for one in found)
    assert [one.expected for one in found if one.key == "wsContactsUrl"] == ["it holds what X-install-id says"]


@pytest.mark.parametrize("known", ["<cloud_password>pa55 word</cloud_password>", ""])
def test_a_token_where_a_password_was(known: str) -> None:
    """Whoever checks the password there will refuse the token, so that this counts as a difference."""
    theirs = account(
        f"{known}<password>pa55 word</password><wsContactsUrl>https://c.example.net/?p=pa55%20word</wsContactsUrl>"
    )
    ours = account(
        "<cloud_password>t0k/en</cloud_password><password>t0k/en</password>"
        "<wsContactsUrl>https://c.example.net/?p=t0k%2Fen</wsContactsUrl>"
    )

    found = [(one.key, one.what) for one in compare(theirs, ours, ["pa55 word"]) if not one.expected]

    assert found == [("password", What.TOKEN), ("wsContactsUrl", What.TOKEN)]


def test_secrets_are_told_to_differ_and_not_shown() -> None:
    """By their key, in addresses, in texts that repeat one, and when the user's own password stands somewhere."""
    theirs = account(
        "<password>one-secret</password><X-a>see one-secret</X-a><X-b>typed-word</X-b><X-c>two%20words</X-c>"
        "<wsContactsUrl>https://x.example/?k=one</wsContactsUrl><X-d><a token='q1w2'/></X-d><X-e>42</X-e>"
    )

    found = {
        one.key: one for one in compare(theirs, account("<password>other</password>"), ["typed-word", "two words"])
    }

    assert (found["password"].theirs, found["password"].ours) == ("********", "********")
    assert found["X-a"].theirs == "see ********"
    assert found["X-b"].theirs == "********"
    assert found["X-c"].theirs == "********"
    assert found["wsContactsUrl"].theirs == "https://x.example/?k=********"
    assert found["X-d"].theirs == "********"
    assert found["X-e"].theirs == "42"
    assert "one-secret" not in repr(found)


def test_the_global_part() -> None:
    """Quick dials by their id, removals, dial actions and preferences."""
    theirs = common(
        "<quickDial maxQuickDialReplacePriority='21'><item id='a'><uri>1</uri></item><item id='b'><uri>2</uri></item>"
        "<item id='gone' action='remove'/></quickDial><preferences><dnd>1</dnd></preferences>"
        "<dialActions><dialAction id='x'><title>T</title></dialAction></dialActions>"
    )
    ours = common(
        "<quickDial><item id='b'><uri>2</uri></item><item id='a' priority='50'><uri>3</uri></item></quickDial>"
        "<dialActions><dialAction id='x'><title>U</title></dialAction></dialActions>"
    )

    found = {(one.key, one.what) for one in compare_common(theirs, ours)}

    assert compare_common(theirs, theirs) == ()
    assert found == {
        ("quickDial/maxQuickDialReplacePriority", What.NOT_OURS),
        ("quickDial gone/remove", What.NOT_OURS),
        ("quickDial a/set", What.RANK),
        ("quickDial a/uri", What.VALUE),
        ("dialAction x/title", What.VALUE),
        ("preferences/dnd", What.NOT_OURS),
    }


@pytest.mark.parametrize(
    ("theirs", "ours", "behind"),
    [
        ("", "<extProvUrl>https://old.example.net/p</extProvUrl>", ["extProvUrl"]),
        ("<extProvUrl>https://x.net/a</extProvUrl>", "<extProvUrl>https://X.net/b</extProvUrl>", ["extProvUrl"]),
        ("<extProvUrl>https://x.net/a</extProvUrl>", "<extProvUrl>https://new.net/b</extProvUrl>", []),
        ("", "<extProvUrl>https://[bad/</extProvUrl>", []),
        ("", "<extProvUrl/>", []),
    ],
)
def test_a_phone_that_is_led_back(theirs: str, ours: str, behind: list[str]) -> None:
    """Where our account names the service that was to be left."""
    assert list(stays_behind(account(theirs), account(ours), "old.example.net")) == behind


def _written(key: str) -> st.SearchStrategy[str]:
    known = KEYS.find(key)
    match known and known.kind:
        case Switch():
            return st.sampled_from(["0", "1", "", "true", "yes"])
        case Whole():
            return st.integers(0, 200).map(str)
        case Listing(item=Whole()):
            return st.lists(st.integers(0, 127), max_size=5, unique=True).map(lambda all_: ",".join(map(str, all_)))
        case _:
            return st.text(st.sampled_from("aB1 &<é%"), max_size=6)


KEY = st.sampled_from([
    *("title", "host", "codecOrder", "dtmfOrder", "allowVideo", "allowMessage", "extProvInterval", "password"),
    *("X-own", "vpnStartupUrl", "transport", "voicemailPin", "X-install-id", "cloud_password", "extProvUrl"),
])  # fmt: skip


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    keys = draw(st.lists(KEY, unique=True, max_size=8))
    return {key: Value(draw(_written(key)), draw(st.sampled_from([20, 20, 50])), "service") for key in keys}


def _otherwise(values: Account, dice: random.Random) -> Account:
    """The same account as somebody else would write it."""
    said = list(values.items())
    dice.shuffle(said)
    return {key: Value(_rewritten(key, value.content), value.rank, "somebody") for key, value in said}


def _rewritten(key: str, content: str) -> str:
    known = KEYS.find(key)
    match known and known.kind:
        case Listing():
            return " , ".join(content.split(",")) + "\n" if content else content
        case Whole():
            return f" 0{content} "
        case None | Text():
            return content
        case _:
            return f"\n  {content} "


@law
@given(accounts(), st.randoms(use_true_random=False))
def test_an_account_is_like_itself(values: Account, dice: random.Random) -> None:
    """In any order, with any blanks between and around what cannot hold any, and by way of a document."""
    assert compare(values, _otherwise(values, dice)) == ()
    written = accountxml.dumps(values, rank=PROVIDER).replace("\n", "\n\n\t")
    again = accountxml.loads(written.encode(), PROVIDER, "service").values
    assert [one for one in compare(again, values) if one.what is not What.BLANKS] == []


def _plainly(key: str) -> st.SearchStrategy[str]:
    """Values of which no two mean the same."""
    known = KEYS.find(key)
    match known and known.kind:
        case Switch():
            return st.sampled_from(["0", "1", ""])
        case Whole() | Listing():
            return _written(key)
        case _:
            return st.text(st.sampled_from("abc"), max_size=3)


@law
@given(accounts(), KEY, st.data())
def test_every_real_difference_is_found(values: Account, key: str, data: st.DataObject) -> None:
    """One key is changed in value or rank, added or left out: it is told, and nothing else is."""
    one = st.none() | st.builds(Value, _plainly(key), st.sampled_from([20, 50]), st.just("service"))
    old, new = data.draw(st.tuples(one, one).filter(lambda pair: pair[0] != pair[1]))
    others = {other: value for other, value in values.items() if other != key}

    found = compare(_with(others, key, old), _with(others, key, new))

    assert {one.key for one in found} == {key}


def _with(values: Account, key: str, value: Value | None) -> Account:
    return values if value is None else {**values, key: value}


@law
@given(accounts(), accounts())
def test_neither_side_matters(theirs: Account, ours: Account) -> None:
    """What differs does so from either side."""
    there, back = compare(theirs, ours), compare(ours, theirs)

    assert {(one.key, one.theirs, one.ours) for one in there} == {(one.key, one.ours, one.theirs) for one in back}


@law
@given(accounts(), accounts(), st.text(st.sampled_from("qwxyz"), min_size=4, max_size=9), KEY)
def test_no_secret_is_shown(theirs: Account, ours: Account, secret: str, key: str) -> None:
    """Wherever it stands."""
    theirs |= {"password": Value(secret, 20, "service"), key: Value(f"a{secret}b", 20, "service")}

    found = compare(theirs, ours, [])

    assert not any(secret in f"{one.theirs} {one.ours}" for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "x/hu%2fnter%222",
        'HU/NTER"2',
        '{"p": "hu\\/nter\\"2"}',
        '{"p": "hu/nter\\"2"}',
        *(base64.b64encode(before + b'hu/nter"2').decode() for before in (b"", b":", b"ann:", b"ab:")),
    ],
)
def test_a_password_is_masked_however_it_is_written(text: str) -> None:
    """In escapes of small letters, in JSON, and in base64 with whatever stands before it."""
    shown = Veil(['hu/nter"2']).over(text)

    assert MASK in shown
    assert "nter" not in shown.lower()
    assert base64.b64encode(b"nter").decode()[:4] not in shown
    assert Veil([]).over(text) == text
