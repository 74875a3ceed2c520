"""`app.toml`: what a person writes becomes an app, its faults are named together, and what is written reads back."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given

from offhook.core import base
from offhook.core.errors import Invalid
from offhook.portal import app as apps
from offhook.portal import reading, toml, writing
from offhook.portal.app import App
from offhook.portal.base import base_bytes
from offhook.portal.plan import plan
from tests.world_apps import DEFINITIONS, an_app, random_apps

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "portal"


def cases(family: str) -> pytest.MarkDecorator:
    """One test for each file of a family, named as the file is."""
    return pytest.mark.parametrize("path", sorted((GOLDEN / family).glob("*.txt")), ids=lambda path: str(path.stem))


def parts(path: Path) -> list[str]:
    """What stands between the lines of dashes, without the sentence on top."""
    _, _, rest = path.read_text(encoding="utf-8").partition("\n\n")
    return [part.strip("\n") for part in re.split("^---$", rest, flags=re.MULTILINE)]


@cases("base")
def test_app_toml_becomes_a_base_document(path: Path) -> None:
    """Each section of `app.toml` has its place in the base document that phones read (D16)."""
    written, expected = parts(path)

    document = base_bytes(reading.loads(written), 7, DEFINITIONS).decode()

    assert document.strip() == expected


@cases("faults")
def test_every_fault_is_named_with_its_place(path: Path) -> None:
    """Whoever writes an `app.toml` is told of all its faults at once, and of what was probably meant."""
    written, expected = parts(path)

    with pytest.raises(Invalid) as found:
        reading.loads(written)

    assert "\n".join(map(str, found.value.faults)) == expected


@cases("plans")
def test_a_plan_counts_and_names_what_changes(path: Path) -> None:
    """A plan says what would be added, changed and removed, and what somebody should know first."""
    before, after, expected = parts(path)

    found = plan(reading.loads(before) if before else None, reading.loads(after))

    assert str(found) == expected


@given(random_apps())
def test_what_is_written_reads_back(app: App) -> None:
    """Writing an app and reading it gives the same app, and writing that the same text."""

    text = writing.dumps(app)

    assert reading.loads(text) == app
    assert writing.dumps(reading.loads(text)) == text


@given(random_apps(), random_apps())
def test_a_plan_is_empty_exactly_when_nothing_differs(old: App, new: App) -> None:
    """No change goes by without a line, and no line stands for nothing."""

    found = plan(old, new)

    assert (not found.lines) == (old == new)
    assert plan(new, new).lines == ()


@given(random_apps())
def test_every_app_can_be_read_by_phones(app: App) -> None:
    """What a portal accepts, the core reads back as it was meant, ranks included."""

    received = base.loads(base_bytes(app, 3, DEFINITIONS))

    assert {key: (value.content, value.rank) for key, value in received.account.items()} == {
        key: (value.content, value.rank) for key, value in app.account.items()
    }
    assert received.common.quick_dials == app.quick_dials
    assert received.common.preferences == app.preferences
    assert received.version == 3


def test_known_keys_are_written_as_what_they_are() -> None:
    """Switches are true and false and numbers are numbers, unless that would change their text."""
    app = an_app(allowMessage="1", expires="600", bgrTransport="udp", rtpPortRangeStart="08000")

    text = writing.dumps(app)

    assert [line for line in text.splitlines() if line.startswith(("allow", "expires", "rtp"))] == [
        "expires = 600",
        'rtpPortRangeStart = "08000"',
        "allowMessage = true",
    ]
    assert reading.loads(text) == app


def test_our_provider_answers_unless_another_is_named() -> None:
    """The definitions of our own service go out, except for services that the app defines itself."""
    ours = {**DEFINITIONS, "initialGlobalProvisioningUrl": "https://prov.example.com/prov/global"}
    own = {"InitialProvisioningUrl": "https://else.example.com/", "InitialProvisioningMethod": "POST"}
    app = reading.from_document({"cloud_id": "EXAMPLE", "services": own})

    both = base.loads(base_bytes(app, 1, ours)).services
    none = base.loads(base_bytes(App("EXAMPLE", provider=False), 1, ours)).services

    assert both == {**own, "initialGlobalProvisioningUrl": "https://prov.example.com/prov/global"}
    assert none == {}


def test_every_service_key_is_one_that_phones_look_for() -> None:
    """The portal's table of service keys and the core's rule for them are the same."""

    assert all(base.is_service_key(key) for key in apps.SERVICE_KEYS)
    assert apps.service_key("initialProvisioningUrl") == "InitialProvisioningUrl"


def test_an_app_that_phones_could_not_read_is_refused() -> None:
    """A base document beyond the limits of phones is refused when it is written, not when it is served."""
    keys = {f"X-{number}": "x" * 1000 for number in range(1100)}

    with pytest.raises(Invalid, match="larger than 1,048,576 bytes"):
        an_app(**keys)


@pytest.mark.parametrize("text", ["", "a = [", "a" * (1024 * 1024 + 1), "x = " + "[" * 5000 + "]" * 5000])
def test_what_is_no_toml_is_refused(text: str) -> None:
    """A file that is empty, broken, too large or nested too deeply is a fault and nothing worse."""

    with pytest.raises(Invalid):
        reading.loads(text)


def test_long_texts_stay_readable() -> None:
    """Elements and texts of several lines are written line by line, whatever quotes they hold."""
    document = {"account": {"a": "one\ntwo", "b": {"xml": "<x>\n</x>\n"}, "c": "it's\n'''", "d": "\r\n\x7f\u0085"}}

    text = toml.dumps(document)

    assert tomllib.loads(text) == document
    assert "a = '''\none\ntwo'''" in text
