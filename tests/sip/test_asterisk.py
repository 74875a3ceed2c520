"""What is particular to Asterisk, by the schema and the meaning that it documents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from offhook.core.errors import Refused, Unavailable
from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, SipAccount
from offhook.sip import settings
from offhook.sip.asterisk import Asterisk
from tests.sip import asterisk_schema

ANN = Address("ann", "sip.example.com")
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "asterisk"


@pytest.fixture(params=[False, True], ids=["first", "recent"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either state of the schema."""
    url = f"sqlite:///{tmp_path / 'asterisk.sqlite3'}"
    asterisk_schema.make(url, recent=request.param)
    return url


@pytest.fixture
def database(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def rows(database: sa.Connection, table: str) -> list[dict[str, object]]:
    found = database.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1"))
    return [{name: value for name, value in row._mapping.items() if value is not None} for row in found]


def test_an_account_is_these_rows(url: str, database: sa.Connection) -> None:
    """As the guide and Asterisk's own pages say; what the operator wants besides is there, with its type."""
    own = settings.Asterisk(
        Secret(url), context="phones", allow="opus", endpoint={"device_state_busy_at": "2"}, aor={"max_contacts": "3"}
    )
    account = SipAccount(ANN, Secret("new"), Secret("old"), display_name='Ann; "A" ${x}')

    Asterisk(own).ensure(account, "1:1")

    new, old = (ha1.reveal() for ha1 in account.ha1s())
    usual = {"auth_type": "md5", "realm": "sip.example.com", "username": "ann"}
    assert rows(database, "ps_auths") == [
        {"id": "ann", "md5_cred": new, **usual},
        {"id": "ann#2", "md5_cred": old, **usual},
    ]
    assert rows(database, "ps_aors") == [{"id": "ann", "max_contacts": 3, "remove_existing": "no"}]
    assert rows(database, "ps_endpoints") == [
        {
            "id": "ann",
            "aors": "ann",
            "auth": "ann,ann#2",
            "context": "phones",
            "disallow": "all",
            "allow": "opus",
            "device_state_busy_at": 2,
            "callerid": '"Ann A x" <ann>',
        }
    ]


def test_a_disabled_account_has_no_endpoint(url: str, database: sa.Connection) -> None:
    """One without an auth would be open to everybody. Its auth is kept, of a length that Asterisk takes."""
    system = Asterisk(settings.Asterisk(Secret(url)))
    system.ensure(SipAccount(ANN, Secret("new"), Secret("old"), aliases=("1",)), "1:1")

    system.disable(ANN, "1:2")

    (kept,) = rows(database, "ps_auths")
    assert str(kept["md5_cred"]).startswith("disabled")
    assert len(str(kept["md5_cred"])) == 32
    assert rows(database, "ps_endpoints") == rows(database, "ps_aors") == []
    found = system.look_up(ANN)
    assert found is not None
    assert (found.enabled, found.ha1s, found.aliases) == (False, (), ("1",))


def test_columns_of_the_operator_stay(url: str, database: sa.Connection) -> None:
    """What somebody set by hand is not ours."""
    system = Asterisk(settings.Asterisk(Secret(url)))
    system.ensure(SipAccount(ANN, Secret("new")), "1:1")
    database.execute(sa.text("UPDATE ps_endpoints SET transport = 'by-hand'"))

    system.rotate(SipAccount(ANN, Secret("newer")), "1:2")

    assert rows(database, "ps_endpoints")[0]["transport"] == "by-hand"


def test_who_is_registered_has_a_contact_that_lasts(url: str, database: sa.Connection) -> None:
    """Of the very account, capitals and all; one that has expired, or whose end is no number, does not count."""
    now = 1_800_000_000
    system = Asterisk(settings.Asterisk(Secret(url)), clock_s=lambda: now)
    ends = {"ann^3B@1": now - 1, "ann^3B@2": now + 1, "bob;@1": now + 1, "Eve^3B@1": now + 1, "dan^3B@1": now}
    for one, until in ends.items():
        database.execute(
            sa.text("INSERT INTO ps_contacts (id, expiration_time) VALUES (:id, :until)"),
            {"id": one, "until": str(until)},
        )
    database.execute(sa.text("INSERT INTO ps_contacts (id) VALUES ('joe^3B@1')"))
    people = [Address(name, "sip.example.com") for name in ("ann", "bob", "eve", "dan", "joe", "nn")]

    some, all_of_them = (
        system.registered(people),
        system.registered([*people, *(Address(f"x{n}", "d") for n in range(60))]),
    )

    assert {one.username for one, registered in some.items() if registered} == {"ann", "bob"}
    assert {one: all_of_them[one] for one in people} == some


def test_another_domain_has_the_name_already(url: str) -> None:
    """Asterisk tells endpoints apart by the user part alone: nothing is overwritten or removed."""
    system = Asterisk(settings.Asterisk(Secret(url)))
    system.ensure(SipAccount(ANN, Secret("a")), "1:1")
    other = Address("ann", "sip.example.org")

    wishes: list[Callable[[], None]] = [
        lambda: system.ensure(SipAccount(other, Secret("b")), "2:1"),
        lambda: system.remove(other, "2:2"),
        lambda: system.disable(other, "2:3"),
    ]
    for wish in wishes:
        with pytest.raises(Refused, match="another SIP domain"):
            wish()

    found = system.look_up(ANN)
    assert found is not None
    assert found.enabled


@pytest.mark.parametrize("name", ["a,b", "a;b", "a/b", "a@b", "a#2", "", "a b"])
def test_names_that_would_be_read_otherwise_are_refused(url: str, name: str) -> None:
    """A comma would name two auths, a slash or an @ another endpoint."""
    system = Asterisk(settings.Asterisk(Secret(url)))

    with pytest.raises(Refused):
        system.ensure(SipAccount(Address(name, "sip.example.com"), Secret("a")), "1:1")


def test_what_is_missing_is_listed(url: str, database: sa.Connection, tmp_path: Path) -> None:
    """Tables, and columns that the settings name; a good one has no faults. The guide's table is the one we use."""
    assert Asterisk(settings.Asterisk(Secret(url))).faults() == ()
    odd = Asterisk(settings.Asterisk(Secret(url), endpoint={"no_such": "x"}))
    assert odd.faults() == ("The table ps_endpoints lacks no_such.",)
    with pytest.raises(Unavailable, match="no_such"):
        odd.ensure(SipAccount(ANN, Secret("a")), "1:1")

    database.execute(sa.text("DROP TABLE offhook_aliases"))

    without = Asterisk(settings.Asterisk(Secret(url)))
    assert without.faults() == ("The table offhook_aliases is missing: make it as the guide says.",)
    with pytest.raises(Unavailable, match="offhook_aliases"):
        without.look_up(ANN)
    for statement in (GUIDE / "offhook_aliases.sql").read_text().split(";"):
        if statement.strip():
            database.execute(sa.text(statement))
    assert without.faults() == ()


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_the_dial_plan_of_the_guide_rings_at_all(engine: str, request: pytest.FixtureRequest) -> None:
    """Its statement finds the endpoints of a name and of an alias, and none of a disabled account."""
    url = request.getfixturevalue(f"asterisk_{engine}")
    (statement,) = re.findall(r"readsql=(.*)", (GUIDE.parent / "sip-asterisk.md").read_text())
    system = Asterisk(settings.Asterisk(Secret(url)))
    for number in range(3):
        ringing = SipAccount(Address(f"ring{number}", "sip.example.com"), Secret("a"), aliases=("555", f"55{number}"))
        system.ensure(ringing, f"{number}:1")
    system.disable(Address("ring2", "sip.example.com"), "2:2")
    system.close()
    found = {}

    store = sa.create_engine(url)
    with store.connect() as connection:
        for dialled in ("555", "551", "552", "ring0", "nobody"):
            asked = statement.replace("${SQL_ESC(${ARG1})}", dialled)
            if engine == "sqlite":
                asked = asked.replace("string_agg", "group_concat")
            ways = connection.execute(sa.text(asked)).scalar() or ""
            found[dialled] = sorted(ways.split("&"))
    store.dispose()

    both = ["PJSIP/ring0", "PJSIP/ring1"]
    assert found == {"555": both, "551": both[1:], "552": [""], "ring0": both[:1], "nobody": [""]}


@pytest.mark.postgres
def test_names_that_are_too_long_are_refused(asterisk_postgres: str) -> None:
    """Where the engine says so."""
    system = Asterisk(settings.Asterisk(Secret(asterisk_postgres)))

    with pytest.raises(Refused, match="too long"):
        system.ensure(SipAccount(Address("a" * 100, "sip.example.com"), Secret("a")), "1:1")

    system.close()
