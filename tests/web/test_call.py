"""A request as it is shown where something went wrong."""

from __future__ import annotations

from offhook.web.http import Call


def test_a_request_hides_what_was_sent() -> None:
    """Neither path, query, headers nor body of a request are repeated in a traceback or a log."""
    call = Call(
        "GET", "/prov/ann/canary", "cloud_password=canary", {"x": "canary"}, b"canary", "192.0.2.7", {"a": "canary"}
    )

    assert repr(call) == "Call(GET)"
