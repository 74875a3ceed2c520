"""What is shown of values: secrets by their key, by what kind of value it is, and by what stands in it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core.keys import is_secret
from offhook.core.masking import in_the_clear, masked
from offhook.core.secret import MASK
from tests.core.law import ANYTHING, law


@pytest.mark.parametrize(
    ("key", "content", "shown"),
    [
        ("password", "hunter2", MASK),
        ("password", "", ""),
        ("pin", "1234", MASK),
        ("voicemailPin", "1234", MASK),
        ("codecOrder", "0,8", "0,8"),
        ("host", "sip.example.com:5060", "sip.example.com:5060"),
        ("extProvUrl", "https://prov.example/users/ann", "https://prov.example/users/ann"),
        ("extProvUrl", "https://ann:hunter2@prov.example/x", f"https://{MASK}@prov.example/x"),
        ("extProvUrl", "https://prov.example/x?key=hunter2", f"https://prov.example/x?key={MASK}"),
        (
            "extProvUrl",
            "https://prov.example/x?u=%account[username]%&v=1%build%#hunter2",
            f"https://prov.example/x?u=%account[username]%&v={MASK}#{MASK}",
        ),
        ("X-mine", "wss://ann@push.example/?hunter2", f"wss://{MASK}@push.example/?{MASK}"),
        ("X-mine", "//ann:hunter2@push.example/?hunter2", f"//{MASK}@push.example/?{MASK}"),
        ("extProvUrl", "//ann@prov.example/x", f"//{MASK}@prov.example/x"),
        ("extProvUrl", "https://prov.example/x?aHVudGVyMg=", f"https://prov.example/x?{MASK}"),
        (
            "extProvUrl",
            "https://prov.example/x?aHVudGVyMg==&%build%=&a=1",
            f"https://prov.example/x?{MASK}&%build%=&a={MASK}",
        ),
        ("extProvUrl", "ann:hunter2@prov.example/x", f"{MASK}@prov.example/x"),
        ("outboundProxy", "sip:ann:hunter2@sip.example:5060", f"sip:{MASK}@sip.example:5060"),
        ("outboundProxy", "SIPS:ann@sip.example:5061", "SIPS:ann@sip.example:5061"),
        ("title", "Ann <sip:ann:h@nter:2@sip.example>", f"Ann <sip:{MASK}@sip.example>"),
        ("title", "write to ann:hunter2@example.com at 9:30", f"write to {MASK}@example.com at 9:30"),
        ("genericRateCheckUrl", "not one?hunter2", f"not one?{MASK}"),
        ("extProvPostData", "u=%username%&p=%password%&key=hunter2", f"u=%username%&p=%password%&key={MASK}"),
        ("extProvPostData", "cloud_id=DEMO&p=hunter2", f"cloud_id=DEMO&p={MASK}"),
        ("genericSmsPostData", "hunter2=", MASK),
        ("genericSmsPostData", '{"key": "hunter2"}', MASK),
        ("genericSmsPostData", '{"to": ["%sms_to%", true, null]}', '{"to": ["%sms_to%", true, null]}'),
        ("genericSmsPostData", '{"pin": 1234}', MASK),
        ("X-PostData", "<key>hunter2</key>", MASK),
    ],
)
def test_what_is_shown_of_a_value(key: str, content: str, shown: str) -> None:
    """Passwords and PINs whole; of addresses the user and the query, of bodies what is no placeholder.

    A password before an `@` is one in any text, and a name without a value may be a token that ends in `=`.
    """
    assert masked(key, content) == shown


@pytest.mark.parametrize(
    ("name", "secret"), [("pin", True), ("PIN_2", True), ("voicemailPin", True), ("pinboard", False)]
)
def test_a_pin_is_a_secret(name: str, secret: bool) -> None:
    """Where it is a word of its own."""
    assert is_secret(name) is secret


@law
@given(st.sampled_from(["extProvUrl", "extProvPostData", "X-mine"]), ANYTHING)
def test_anything_can_be_masked(key: str, text: str) -> None:
    """No text breaks it, and masking twice is masking once."""
    for content in (f"https://h/?a={text}", text):
        once = masked(key, content)

        assert masked(key, once) == once


@pytest.mark.parametrize("text", ["a", "//", "a:", "<a:", "a@", "a:a@", "://", " sip:"])
def test_masking_takes_no_time(text: str) -> None:
    """The longest text that a key can have, whatever it is made of."""
    began_s = time.perf_counter()

    masked("X-mine", text * (65536 // len(text)) + "!")
    masked("extProvUrl", text * (65536 // len(text)) + "!")

    assert time.perf_counter() - began_s < 2


@pytest.mark.parametrize(
    ("key", "content", "shown", "told"),
    [
        ("X-conf", "<password>hunter2</password>", f"<password>{MASK}</password>", ["password"]),
        ("X-conf", "<a><pin>1</pin>b</a>", f"<a><pin>{MASK}</pin>b</a>", ["pin"]),
        ("X-conf", "<pin><b>1</b>2</pin>", f"<pin><b>{MASK}</b>{MASK}</pin>", ["pin", "pin"]),
        ("X-conf", "<pin><b c='1'/></pin>", f'<pin><b c="{MASK}"/></pin>', ["pin"]),
        ("X-conf", '<a token="hunter2" b="1">c</a>', f'<a b="1" token="{MASK}">c</a>', ["token"]),
        ("X-conf", "<a>https://x.example/?token=t</a>", f"<a>https://x.example/?token={MASK}</a>", ["token"]),
        ("X-conf", "<a>plain</a><b/>", "<a>plain</a><b/>", []),
        ("X-conf", "<pin>{pin}</pin>", f"<pin>{MASK}</pin>", []),
        ("X-conf", "<a>broken", MASK, []),
        ("password", "<a>1</a>", MASK, []),
    ],
)
def test_elements_are_masked_by_their_names(key: str, content: str, shown: str, told: list[str]) -> None:
    """Each by its own, and all within a secret; what stands there for itself is told of."""
    assert masked(key, content, markup=True) == shown
    assert sorted(in_the_clear(key, content, markup=True)) == told


@pytest.mark.parametrize(
    ("key", "content", "told"),
    [
        ("password", "hunter2", ["password"]),
        ("password", "{pin}", []),
        ("password", "", []),
        ("smsUrl", "https://joe:hunter2@x.example/", ["the password of an address"]),
        ("smsUrl", "https://joe:%password%@x.example/", []),
        ("smsUrl", "https://x.example/?api%5Fkey=1&lang=cs&token={t}", ["api_key"]),
        ("smsUrl", "https://x.example/?lang=cs#a", []),
        ("uri", "sip:joe:hunter2@x.example", ["the password of an address"]),
        ("title", "joe:hunter2@x.example", []),
        ("smsPostData", "to=%sms_to%&token=hunter2", ["token"]),
        ("smsPostData", '{"to": [{"pin": 1234}], "token": "{t}", "secret": null}', ["pin"]),
        ("smsPostData", "{broken", []),
    ],
)
def test_what_stands_in_the_clear(key: str, content: str, told: list[str]) -> None:
    """By the names of keys, of fields in queries and bodies, and as the password of an address; placeholders do not."""
    assert list(in_the_clear(key, content)) == told
