"""Laws of what is filled in and what is typed, tried on random input and on real parsers."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx2
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import etree

from offhook.core import login, webservice, xml
from offhook.core.errors import Invalid
from offhook.core.login import CloudId, Link, OAuth
from offhook.core.placeholders import Scope, Target, expand
from offhook.core.secret import Secret
from tests.core.law import ANYTHING, UNICODE, law

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
    """A header value never ends its line, or is refused; blanks around it are no part of it, and cannot be sent."""
    definition = webservice.Definition(
        "extProv", "https://prov.example.net/", custom_headers="X-First: %a%\nX-Second: 2"
    )

    try:
        request = webservice.prepare(definition, Scope({"a": value})).request
    except Invalid:
        assert any(ord(letter) < 32 or ord(letter) == 127 for letter in value)
        return

    assert request.headers == (("X-First", value.strip(" \t")), ("X-Second", "2"))
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


PATHS: Final = st.lists(
    st.sampled_from(["%a%", ".%a%", "%a%.", "%2e%a%", "x", "..", "%a%%a%", "%sha1(a/%a%)%", ""]), min_size=1
)


@law
@given(PATHS, st.one_of(ANYTHING, st.text(alphabet="./%2eE?#\\", max_size=6)))
def test_a_value_never_leaves_its_segment_of_a_path(segments: list[str], value: str) -> None:
    """Not as the library sends it: as many segments, and those that the template wrote itself as they were."""
    written = [segment for segment in segments if "%a%" in segment or segment == "x"]
    template = "https://prov.example.net/" + "/".join(["users", *written, "prov"])

    try:
        filled = webservice.prepare(webservice.Definition("extProv", template), Scope({"a": value})).request.url
    except Invalid:
        assert value in {"", ".", ".."}
        return

    sent = httpx2.URL(filled).raw_path.decode().split("/")
    assert len(sent) == len(written) + 3
    assert (sent[1], sent[-1]) == ("users", "prov")
    assert [place for place, segment in enumerate(written) if segment == "x"] == [
        place for place, segment in enumerate(written) if segment == "x" and sent[place + 2] == "x"
    ]
