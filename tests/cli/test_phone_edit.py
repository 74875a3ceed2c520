"""What a person may change on a phone, and how everything else is refused."""

from __future__ import annotations

import pytest

from offhook.cli import phone_edit
from offhook.cli.exits import Misused
from offhook.core.errors import NotFound, OffhookError, Refused
from tests.cli.test_phone import run


@pytest.mark.parametrize("key", ["codecOrder", "dtmfOrder", "title", "transport", "host", "ringingTone"])
def test_settings_are_the_users(key: str) -> None:
    """What an app's own settings offer; a licence or a lock may still say no."""
    phone_edit.check(key)


@pytest.mark.parametrize(
    ("key", "kind", "said"),
    [
        ("codecOrdr", NotFound, "Did you mean codecOrder?"),
        ("nonsense", NotFound, "There is no setting nonsense."),
        ("X-install-id", Refused, "whose account this is"),
        ("X-anything", Refused, "whose account this is"),
        ("username", Refused, "whose account this is"),
        ("password", Refused, "a secret"),
        ("STUNPassword", Refused, "a secret"),
        ("extProvUrl", Refused, "a web service of the provider"),
        ("wcb_url", Refused, "a web service of the provider"),
        ("opusOptions.fec", Refused, "a part of opusOptions"),
        ("", Misused, "is no name of a setting"),
        ("codecOrder=8", Misused, "key and value are two words"),
        ("=x", Misused, "key and value are two words"),
    ],
)
def test_what_is_not_the_users(key: str, kind: type[OffhookError], said: str) -> None:
    """Each is refused for its own reason, and the way to the list is shown."""
    with pytest.raises(kind, match=said.replace("?", r"\?")) as refused:
        phone_edit.check(key)

    assert kind is Misused or "offhook phone edit --help" in refused.value.text


@pytest.mark.parametrize(("key", "kind"), [("codecOrder", Misused), ("apiToken", Refused), ("", Misused)])
def test_what_is_no_preference(key: str, kind: type[OffhookError]) -> None:
    """A key of the account, a secret, nothing at all; any other name may be a preference."""
    phone_edit.check("ringtone", preference=True)

    with pytest.raises(kind):
        phone_edit.check(key, preference=True)


def test_the_list_is_in_the_help() -> None:
    """By section, and every name on it is accepted."""
    shown = " ".join(run("edit", "--help").stdout.split())

    for title, names in phone_edit.settings().items():
        assert f"{title}: {', '.join(names)}." in shown
        for name in names:
            phone_edit.check(name)
