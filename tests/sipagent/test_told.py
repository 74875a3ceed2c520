"""What the agent tells: messages become news."""

from __future__ import annotations

import pytest

from offhook.sipagent import told
from offhook.sipagent.told import Answer, Began, CallClosed, CallRings, CallStands, Gone, RegisterFail, RegisterOk


@pytest.mark.parametrize(
    ("message", "news"),
    [
        ('{"response":true,"ok":true,"data":"a password","token":"7"}', Answer("7", good=True)),
        ('{"response":true,"ok":false}', Answer("", good=False)),
        ('{"type":"REGISTERING","class":"register"}', Began()),
        ('{"event":true,"type":"REGISTER_OK","param":"200 OK"}', RegisterOk()),
        ('{"type":"REGISTER_FAIL","param":"403 Not here"}', RegisterFail(403, "Not here")),
        (
            '{"type":"REGISTER_FAIL","param":"Connection timed out [110]"}',
            RegisterFail(0, "Connection timed out [110]"),
        ),
        ('{"type":"REGISTER_FAIL"}', RegisterFail(0, "no answer")),
        (
            '{"type":"CALL_INCOMING","id":"1","peeruri":"sip:b@c","direction":"incoming"}',
            CallRings("1", "sip:b@c", True),
        ),
        (
            '{"type":"CALL_RINGING","id":"1","peeruri":"sip:b@c","direction":"outgoing"}',
            CallRings("1", "sip:b@c", False),
        ),
        ('{"type":"CALL_ESTABLISHED","id":"1","peeruri":"sip:b@c"}', CallStands("1", "sip:b@c", False)),
        (
            '{"type":"CALL_CLOSED","id":"1","peeruri":"sip:b@c","param":"486 Busy"}',
            CallClosed("1", "sip:b@c", False, "486 Busy"),
        ),
        ('{"type":"EXIT"}', Gone()),
        ('{"type":"CALL_RTCP","param":7}', None),
        ('{"type":7}', None),
        ("[]", None),
        ("{", None),
        ("[" * 100_000, None),
    ],
)
def test_news(message: str, news: told.Told | None) -> None:
    """Each message says one thing, or nothing that matters."""

    assert told.parse(message.encode()) == news


def test_no_reason_is_endless() -> None:
    """What a server says is cut, and need not be UTF-8."""
    found = told.parse(b'{"type":"REGISTER_FAIL","param":"500 ' + b"\xff" * 1000 + b'"}')

    assert isinstance(found, RegisterFail)
    assert len(found.reason) < 200
