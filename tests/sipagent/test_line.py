"""What an account says of SIP reaches the agent as it is, or is refused by key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core.errors import Invalid
from offhook.core.mergeable import Document, Value, settle
from offhook.sipagent.line import Line, Place, parse

PLAIN = {"username": "204", "password": "s3cret", "host": "sip.example.com"}


def document(**keys: str) -> Document:
    return settle({key: Value(text, 20, "test") for key, text in keys.items()})


def line(**keys: str) -> Line:
    return parse(document(**PLAIN | keys))


def faults(**keys: str) -> list[str]:
    with pytest.raises(Invalid) as raised:
        line(**keys)
    assert "s3cret" not in raised.value.text
    return [fault.place for fault in raised.value.faults]


@pytest.mark.parametrize(
    ("keys", "written"),
    [
        ({}, '<sip:204@sip.example.com>;regint=600;call_transfer=no;auth_user="204";auth_pass="s3cret"'),
        ({"password": ""}, '<sip:204@sip.example.com>;regint=600;call_transfer=no;auth_user="204"'),
        (
            {"authUsername": "a b", "expires": "120", "username": "näme/2"},
            '<sip:n%C3%A4me%2F2@sip.example.com>;regint=120;call_transfer=no;auth_user="a b";auth_pass="s3cret"',
        ),
        (
            {"expires": "never"},
            '<sip:204@sip.example.com>;regint=600;call_transfer=no;auth_user="204";auth_pass="s3cret"',
        ),
        (
            {"host": "[2001:db8::1]:5070", "password": ""},
            '<sip:204@[2001:db8::1]:5070>;regint=600;call_transfer=no;auth_user="204"',
        ),
    ],
)
def test_an_account(keys: dict[str, str], written: str) -> None:
    """As baresip reads it."""

    assert line(**keys).account() == written


@pytest.mark.parametrize(
    ("keys", "outbound"),
    [
        ({"proxy": "edge.example.com"}, "sip:edge.example.com;transport=udp"),
        ({"transport": "TCP"}, "sip:sip.example.com;transport=tcp"),
        ({"transport": "tls"}, "sip:sip.example.com:5061;transport=tls"),
        ({"transport": "tls+sip:", "proxy": "192.0.2.7:5071"}, "sip:192.0.2.7:5071;transport=tls"),
        (
            {"proxy": "edge.example.com", "outboundProxy_enabled": "1", "outboundProxy_host": "out.example.com"},
            "sip:out.example.com;transport=udp",
        ),
        (
            {
                "outboundProxy_enabled": "1",
                "outboundProxy_host": "out.example.com",
                "outboundProxy_port": "5080",
                "outboundProxy_transport": "tcp",
            },
            "sip:out.example.com:5080;transport=tcp",
        ),
        ({"proxy": "edge.example.com", "outboundProxy_host": "out.example.com"}, "sip:edge.example.com;transport=udp"),
    ],
)
def test_the_way(keys: dict[str, str], outbound: str) -> None:
    """Through an outbound proxy that is switched on, else the proxy, else to the domain itself; over its transport."""

    assert f';outbound="{outbound}";' in line(**keys).account()


def test_tls_has_a_name_to_show() -> None:
    """The server that is contacted, with the port of TLS when none is said."""

    assert line().tls is None
    assert line(transport="tls").tls == ("sip.example.com", 5061)
    assert line(transport="tls", proxy="[::1]:7").tls == ("::1", 7)


@pytest.mark.parametrize(
    ("keys", "places"),
    [
        ({"username": "", "host": ""}, ["username", "host"]),
        ({"host": "a b"}, ["host"]),
        ({"host": "sip.example.com:99999"}, ["host"]),
        ({"host": 'x>;outbound="sip:evil"'}, ["host"]),
        ({"username": "", "proxy": "x;y"}, ["username", "proxy"]),
        ({"outboundProxy_enabled": "1", "outboundProxy_host": "a", "outboundProxy_port": "0"}, ["outboundProxy_port"]),
        ({"transport": "pigeon"}, ["transport"]),
        ({"username": "a\nb"}, ["username"]),
        ({"username": "\udc80", "authUsername": "x"}, ["username"]),
        ({"authUsername": 'a"b'}, ["authUsername"]),
        ({"authUsername": "a\\"}, ["authUsername"]),
        ({"username": "a;auth_pass=b"}, ["username"]),
        ({"password": 's3cret"; x'}, ["password"]),
        ({"password": 's3cret";x'}, ["password"]),
        ({"password": "s3cret;outbound=sip:evil"}, ["password"]),
        ({"password": "s3cret; Regint =5"}, ["password"]),
        ({"password": "s3cret;audio_codecs"}, ["password"]),
        ({"password": "s3cret\r\n"}, ["password"]),
    ],
)
def test_what_cannot_be_said(keys: dict[str, str], places: list[str]) -> None:
    """Is named by its key, and a password is not shown."""

    assert faults(**keys) == places


def test_a_line_that_is_too_long() -> None:
    """It is refused: the agent would cut it."""
    with pytest.raises(Invalid, match="1000 bytes"):
        line(password="ä" * 500).account()


def test_nothing_is_shown() -> None:
    """A line is represented by its address."""

    assert repr(line()) == "Line(204@sip.example.com over udp)"


def read_back(text: str) -> dict[str, str]:
    """The parameters of an account, as baresip finds them: the first place of each `;name=`, then its value."""
    _, _, behind = text.partition(">")
    found = {}
    for name in ("regint", "call_transfer", "outbound", "auth_user", "auth_pass", "answermode", "mediaenc", "extra"):
        place = behind.lower().find(f";{name}=")
        if place >= 0:
            found[name] = value_of(behind[place + len(name) + 2 :])
    return found


def value_of(text: str) -> str:
    quoted = escaped = False
    end = 0
    for mark in text:
        if escaped:
            escaped = False
        elif mark == "\\":
            escaped = True
        elif mark == '"':
            quoted = not quoted
        elif not quoted and mark in " ;\t\r\n":
            break
        end += 1
    value = text[:end]
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


TEXTS = st.one_of(st.text(max_size=20), st.text(alphabet='ab";\\= \n<>', max_size=12))


@given(username=TEXTS, auth_username=TEXTS, password=TEXTS)
def test_no_value_breaks_out(username: str, auth_username: str, password: str) -> None:
    """Whatever the values are: the agent reads each as it is and finds nothing else, or they are refused."""
    keys = {"username": username, "authUsername": auth_username, "password": password, "host": "sip.example.com"}
    try:
        written = parse(document(**keys)).account()
    except Invalid:
        return

    found = read_back(written)

    expected = {"regint": "600", "call_transfer": "no", "auth_user": auth_username or username}
    assert found == expected | ({"auth_pass": password} if password else {})
    assert written.count(">") == 1 + password.count(">") + (auth_username or username).count(">")


@pytest.mark.parametrize(
    ("typed", "uri"),
    [
        ("204", "sip:204@sip.example.com"),
        (" +420 5", None),
        ("+4205", "sip:+4205@sip.example.com"),
        ("bob@other.example:5070", "sip:bob@other.example:5070"),
        ("sip:bob@other.example;transport=tcp", "sip:bob@other.example"),
        ("bob@not_a host", None),
        ("bob@-", None),
        ("", None),
        ("a\x01b", None),
    ],
)
def test_who_is_called(typed: str, uri: str | None) -> None:
    """A number of the own domain, or an address; anything else is refused."""
    if uri is None:
        with pytest.raises(Invalid, match="number"):
            line().dialled(typed)
    else:
        assert line().dialled(typed) == uri


def test_who_calls() -> None:
    """The user part says enough of the own domain."""
    own = line()

    assert own.named("sip:204@sip.example.com") == "204"
    assert own.named("sip:n%C3%A4me@sip.example.com;user=phone") == "näme"
    assert own.named("sip:204@other.example") == "204@other.example"
    assert own.named("<nobody knows>") == "<nobody knows>"


def test_a_place() -> None:
    """Is shown as it is written."""

    assert [str(Place("a")), str(Place("a", 5))] == ["a", "a:5"]
