"""The catalogue of keys: what each kind of value takes, and how keys are looked up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core import webservice
from offhook.core.catalogue import KEYS
from offhook.core.catalogue.patterns import PATTERNS
from offhook.core.keys import Key, is_secret
from offhook.core.kinds import Address, Choice, Kind, Listing, Switch, Text, Tree, WebAddress, Whole, Word, quoted

ROWS = [key for section in KEYS.sections for key in section.keys]


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        (Text(), "", None),
        (Text(), "<Ünï&cødé>", None),
        (Switch(), "1", None),
        (Switch(), "0", None),
        (Switch(), "true", '"true" is neither 1 (on) nor 0 (off)'),
        (Whole(), "-5", None),
        (Whole(), "5.5", '"5.5" is not a whole number'),
        (Whole(), "٣", '"٣" is not a whole number'),
        (Whole(30, unit="seconds"), "29", "29 is too small: at least 30 seconds"),
        (Whole(30, unit="seconds"), "30", None),
        (Whole(0, 63), "64", "64 is too large: at most 63"),
        (Whole(0, 63), "63", None),
        (Choice(("udp", "tcp")), "udp", None),
        (Choice(("udp", "tcp")), "UDP", '"UDP" is none of udp, tcp'),
        (Choice(("udp", "tcp"), any_case=True), "UDP", None),
        (Choice(("udp", "tcp"), any_case=True), "utp", '"utp" is none of udp, tcp; did you mean udp?'),
        (Choice(("GET", "POST")), "POSTS", '"POSTS" is none of GET, POST; did you mean POST?'),
        (Word(("auto", "ice")), "turn", None),
        (Word(("auto", "ice")), "auto ice", '"auto ice" is not a single word'),
        (Listing(Whole(0, 127)), "0, 8,9", None),
        (Listing(Whole(0, 127)), "0,128", "128 is too large: at most 127"),
        (Listing(Whole(0, 127)), "0,,8", "has an empty item between its commas"),
        (Listing(Whole(0, 127)), "0,8,0", 'names "0" twice'),
        (Address(), "sip.example.com", None),
        (Address(), "sip.example.com:5061", None),
        (Address(), "[2001:db8::1]:5060", None),
        (Address(), "bücher.example", None),
        (Address(), "sip:sip.example.com", "holds a whole address: only host or host:port belongs here"),
        (Address(), "sip.example.com:0", "0 is not a port: 1 to 65535"),
        (Address(), "sip.example.com:65536", "65536 is not a port: 1 to 65535"),
        (Address(), "two words", '"two words" is not host or host:port'),
        (WebAddress(), "HTTPS://example.com/?u=%account[username]%", None),
        (WebAddress(), "example.com", "is not a web address: it needs a scheme and a host, and no blanks"),
        (WebAddress(), "https:///path", "is not a web address: it needs a scheme and a host, and no blanks"),
        (WebAddress(), "lua://script", "starts with lua://, where only http or https works"),
        (WebAddress(("http", "https", "lua")), "lua://script", None),
        (Tree(), "text", "holds a text, where only elements have a meaning"),
    ],
)
def test_what_a_kind_says_of_a_text(kind: Kind, content: str, said: str | None) -> None:
    """A text of the right kind passes; any other is answered with words a person can act upon."""
    assert kind.fault(content) == said


@pytest.mark.parametrize(
    ("kind", "described"),
    [
        (Text(), "any text"),
        (Switch(), "0 or 1"),
        (Whole(), "a whole number"),
        (Whole(5, unit="seconds"), "a whole number of seconds, 5 or more"),
        (Whole(1, 65535), "a whole number from 1 to 65535"),
        (Choice(("udp", "tcp")), "one of udp, tcp"),
        (Word(), "a word"),
        (Word(("auto",)), "a word such as auto"),
        (Listing(Whole()), "a list with commas, each item a whole number"),
        (Address(), "host or host:port"),
        (WebAddress(), "a web address, http or https"),
        (Tree(), "elements"),
    ],
)
def test_a_kind_describes_itself(kind: Kind, described: str) -> None:
    """The reference page and the linter say in the same words what a key takes."""
    assert str(kind) == described


def test_an_unseen_word_is_doubted_and_not_refused() -> None:
    """Of a list that is known in part, an unknown word gets a remark; without a list nobody can tell."""
    kind = Word(("auto", "ice"))

    assert kind.doubt("turn") == '"turn" is none of the words that are known here (auto, ice)'
    assert kind.doubt("ice") is None
    assert Word().doubt("turn") is None


def test_what_is_quoted_is_short_and_harmless() -> None:
    """A long value is cut, and what could move a terminal's cursor is left out."""
    assert quoted("a\n b\x9b31m") == '"a b31m"'
    assert quoted("x" * 41) == f'"{"x" * 40}…"'


@given(st.sampled_from(ROWS), st.text())
def test_any_text_can_be_asked_about(key: Key, content: str) -> None:
    """No text makes a check fail; what it says is one line."""
    said = key.fault(content)

    assert said is None or (said and "\n" not in said)


@pytest.mark.parametrize("key", ROWS, ids=lambda key: str(key.name))
def test_every_row_is_sound(key: Key) -> None:
    """A default is a value that its own key takes, and a summary is a sentence."""
    assert not key.default or key.fault(key.default) is None
    assert key.summary[0].isupper()
    assert key.summary.endswith((".", "`."))


def test_no_key_has_two_rows() -> None:
    """A name stands once in all sections; the attributes beside them have names of their own."""
    names = [key.name for key in (*ROWS, *PATTERNS)]

    assert len(names) == len(set(names))


def test_an_empty_text_takes_a_value_away() -> None:
    """Every key can be blanked but those that an account needs to be saved."""
    refusing = [key.name for key in ROWS if key.fault(" ")]

    assert refusing == ["title", "username", "host"]
    assert KEYS.by_name["title"].fault("") == "must not be empty: an app saves no account without it"


def test_a_prefix_with_a_suffix_is_a_key() -> None:
    """Keys of a known web service are known without a row of their own."""
    found = KEYS.find("accountRemovalReporterTimeout")

    assert found is not None
    assert found.kind == Whole(0, unit="seconds")
    assert KEYS.find("unheardOfTimeout") is None


@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        ("extProvInterval", "extProv"),
        ("genericMediaUploaderUrl", "genericMediaUploader"),
        ("genericMediaUploadUrl", "genericMediaUpload"),
        ("genericSmsPostData", "genericSmsSend"),
        ("InitialProvisioningUrl", "InitialProvisioning"),
    ],
)
def test_a_key_belongs_to_its_service(key: str, prefix: str) -> None:
    """The longest prefix decides, and keys of an older spelling count."""
    service = KEYS.service(key)

    assert service is not None
    assert service.prefix == prefix


@pytest.mark.parametrize("key", ["title", "extProvColour", "wcb_url"])
def test_other_keys_belong_to_no_service(key: str) -> None:
    """Neither ordinary keys, nor unknown ones, nor those that break the rule of prefix and suffix."""
    assert KEYS.service(key) is None


def test_the_suffixes_are_those_that_requests_are_built_from() -> None:
    """The catalogue knows no suffix that a web service definition would not read."""
    assert {suffix.name for suffix in KEYS.suffixes} <= set(webservice.SUFFIXES)
    assert {"extProvInterval", "extProvLogoutStatusCode"} <= set(KEYS.by_name)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("voicemailNumber", ("voiceMailNumber",)),
        ("hots", ("host",)),
        ("callerID", ("userCallerId",)),
        ("favouriteColour", ()),
        ("x" * 100_000, ()),
    ],
)
def test_near_names_are_offered(typed: str, meant: tuple[str, ...]) -> None:
    """A slip of the finger or of case finds its key; a name of one's own finds none."""
    assert KEYS.near(typed)[: len(meant) or None] == meant


def test_parts_of_a_key_are_known() -> None:
    """The options of a codec are elements of one key."""
    assert list(KEYS.parts("broadsoft")) == ["automaticHoldRetrieve"]
    assert KEYS.parts("title") == {}


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("cloud_password", True),
        ("STUNPassword", True),
        ("wsContactsAuthPassword", True),
        ("pushTokenReporterAuthPassword", True),
        ("extProvCustomHeaders", True),
        ("X-token", True),
        ("apiKey", True),
        ("apiPass", True),
        ("clientSecret", True),
        ("username", False),
        ("pushTokenReporterUrl", False),
        ("X-install-id", False),
    ],
)
def test_secrets_are_known_by_their_name(name: str, secret: bool) -> None:
    """Passwords, tokens and headers are masked, also those that a provider made up."""
    assert is_secret(name) is secret
