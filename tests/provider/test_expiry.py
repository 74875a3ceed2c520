"""When an account ends: as people write it, and as a file of users carries it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core.errors import Invalid
from offhook.provider import expiry
from offhook.provider.tenant import Tenant
from tests.world_directory import imports
from tests.world_provider import Provider


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE"))
        yield provider


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_what_is_written_reads_the_same(expires_s: int) -> None:
    """Every second of the calendar."""

    assert expiry.parse(expiry.written(expires_s)) == expires_s


@pytest.mark.parametrize(
    ("word", "expires_s"),
    [("2020-01-31", 1580428800), ("2020-01-31T01:00", 1580432400), ("2020-01-31T01:00+01:00", 1580428800)],
)
def test_a_date_is_read_in_utc(word: str, expires_s: int) -> None:
    """Unless it says where it is meant."""

    assert expiry.parse(word) == expires_s


@pytest.mark.parametrize("word", ["", "soon", "2027-02-30", "Never", "0" * 99])
def test_what_is_no_date_is_refused(word: str) -> None:
    """With an example of what is."""
    with pytest.raises(Invalid, match="takes a date like 2027-01-31, or never"):
        expiry.parse(word)


def test_a_file_says_when_accounts_end(provider: Provider) -> None:
    """A date sets it, an empty cell takes it away, and without the column it stays."""
    imports(provider, "username,expires\nann,2020-01-31\nbob,2020-01-31T00:00:00Z\ncarla,\n")
    imports(provider, "username,expires\nbob,\n")
    imports(provider, "username,attribute:tier\nann,gold\n")

    found = {user.username: user.expires_s for user in provider.subscribers.all_of("EXAMPLE")}

    assert found == {"ann": 1580428800, "bob": None, "carla": None}
    with pytest.raises(Invalid, match="line 2: expires takes a date"):
        imports(provider, "username,expires\nann,soon\n")
