"""Each migration on a database in which people have worked: all of it is there afterwards, and serves."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from offhook.core.secret import Secret
from offhook.provider.ports import KnownInstall
from offhook.provider.sealing import KeyedHash
from offhook.provider.subscriber import Bcrypt, State, Subscriber
from offhook.provider.tenant import Credential, Tenant
from offhook.storage import migrations, tables
from offhook.storage.database import Database
from offhook.storage.guard import GuardStore
from offhook.storage.installs import InstallStore
from offhook.storage.life import LifeStore
from offhook.storage.revisions import of_an_answer
from offhook.storage.signin import SignInStore
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.tenants import TenantStore
from tests.world_provider import SetClock, run

TOKENS: Final = KeyedHash(b"p" * 32)
CHANGED_S: Final = 1_700_000_000
FIRST: Final = """
INSERT INTO tenant VALUES
    ('EXAMPLE', '{"cloud_id":"EXAMPLE","credential":"sip"}', 5, 1700000000),
    ('OTHER', '{"cloud_id":"OTHER"}', 5, 6);
INSERT INTO subscriber VALUES
    (7, 'EXAMPLE', 'Ann', 'ann', 'argon2:x', 'active', '{"tier":"gold"}', '{}', '{"a":{"value":"b"}}',
     '{"items":[{"id":"desk","display_name":"Desk","uri":"9"}]}', 1, 3, 5, 1690000000),
    (8, 'EXAMPLE', 'bob', 'bob', 'bcrypt:y', 'suspended', '{}', '{}', '{}', '{}', 0, 1, 5, 1700000100);
INSERT INTO served_part VALUES ('EXAMPLE', 'live', 'base', 'd1', 1234);
INSERT INTO app_version VALUES ('EXAMPLE', 1, 'live', '{}', 't1', 'me', 'first', 1, 2, 3);
"""


SECOND: Final = """
INSERT INTO fleet_guard VALUES ('EXAMPLE', 1, 1700000000, 1700000050, 3), ('OTHER', 0, 5, 5, 1);
INSERT INTO held_logout VALUES ('I3', 'EXAMPLE', 'suspended', 1700000200, 1700000300);
UPDATE install SET state = 'ended', ended = 'revoked', ended_s = 1700000060, confirmed_s = 5 WHERE id = 'I1';
UPDATE install SET state = 'ended', ended = 'reported', ended_s = 1700000060 WHERE id = 'I2';
INSERT INTO subscriber (id, cloud_id, username, username_key, password, state, attributes, secrets, overrides,
                        quick_dials, sip_generated, revision, created_s, changed_s, expires_s)
VALUES (9, 'EXAMPLE', 'eve', 'eve', 'bcrypt:y', 'suspended', '{}', '{}', '{}', '{}', 0, 1, 5, 1600000000, NULL),
       (10, 'EXAMPLE', 'joe', 'joe', 'bcrypt:y', 'active', '{}', '{}', '{}', '{}', 0, 1, 5, 5, 1700000070),
       (11, 'EXAMPLE', 'max', 'max', 'bcrypt:y', 'active', '{}', '{}', '{}', '{}', 0, 1, 5, 5, 1600000000),
       (12, 'OTHER', 'max', 'max', 'bcrypt:y', 'suspended', '{}', '{}', '{}', '{}', 0, 1, 5, 1700000100, 1700000070);
"""


def upgrade(path: Path, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()


def made_by_the_first(path: Path) -> None:
    """A database as the first version of the tables had it, with two users and their phones."""
    upgrade(path, "0001")
    installs = [
        ("I1", "EXAMPLE", 7, TOKENS.of(Secret("one")), "phone", "app/1", 100),
        ("I2", "EXAMPLE", 7, TOKENS.of(Secret("two")), "", "app/2", 200),
        ("I3", "EXAMPLE", 8, TOKENS.of(Secret("three")), "phone", "app/3", 300),
    ]
    with closing(sqlite3.connect(path)) as driver, driver:
        driver.executescript(FIRST)
        driver.executemany("INSERT INTO install VALUES (?, ?, ?, ?, ?, ?, ?)", installs)


def test_the_life_of_phones_begins_for_those_who_were_there(tmp_path: Path) -> None:
    """0002: users, settings and phones stay as they were; phones are active, and what they have has a date."""
    made_by_the_first(tmp_path / "db")

    with closing(Database(tmp_path / "db")) as database:
        installs = list(InstallStore(database).all_of("EXAMPLE", None))
        users = list(SubscriberStore(database).all_of("EXAMPLE"))
        tenants = TenantStore(database, SetClock()).all()
        active, suspended = (run(LifeStore(database).standing("EXAMPLE", name)) for name in ("I1", "I3"))
        found = run(SignInStore(database).look_up("EXAMPLE", "ann", "", TOKENS.of(Secret("two"))))
        with database.engine.connect() as connection:
            differences = compare_metadata(MigrationContext.configure(connection), tables.metadata)
        others = [
            database.reader.execute(f"SELECT * FROM {name}").fetchall() for name in ("served_part", "app_version")
        ]

    assert differences == []
    assert tenants == [Tenant("EXAMPLE", credential=Credential.SIP), Tenant("OTHER")]
    assert [(one.username, one.id, one.state, one.revision) for one in users] == [
        ("Ann", 7, State.ACTIVE, 3),
        ("bob", 8, State.SUSPENDED, 1),
    ]
    assert (users[0].overrides["a"].value, users[0].quick_dials.items[0].uri, users[0].expires_s) == ("b", "9", None)
    assert [(one.id, one.user, one.ended, one.seen_s, one.has_push_token) for one in installs] == [
        ("I1", "Ann", None, 0, False),
        ("I2", "Ann", None, 0, False),
        ("I3", "bob", None, 0, False),
    ]
    assert active is not None
    assert suspended is not None
    assert (active.ended, active.modified_s) == (None, of_an_answer(CHANGED_S + 1, None))
    assert (suspended.ended, suspended.modified_s) == ("suspended", of_an_answer(0, CHANGED_S + 101))
    assert found.install == KnownInstall("I2", TOKENS.of(Secret("two")))
    assert found.modified_s == active.modified_s
    assert others == [
        [("EXAMPLE", "live", "base", "d1", 1234)],
        [("EXAMPLE", 1, "live", "{}", "t1", "me", "first", 1, 2, 3)],
    ]


def test_a_change_after_the_migration_is_a_later_one(tmp_path: Path) -> None:
    """0002: also when the clock was set back meanwhile, of a user as of a Cloud ID."""
    made_by_the_first(tmp_path / "db")

    with closing(Database(tmp_path / "db")) as database:
        dates = [modified_s(database)]
        users, settings = SubscriberStore(database), TenantStore(database, SetClock(10))
        users.replace(changed(users.get("EXAMPLE", "ann"), "x"))
        dates.append(modified_s(database))
        settings.put(Tenant("EXAMPLE", template="<account><a>1</a></account>"))
        dates.append(modified_s(database))
        users.replace(changed(users.get("EXAMPLE", "ann"), "y"))
        dates.append(modified_s(database))

    assert dates == sorted(set(dates))


def test_what_is_held_stays_held(tmp_path: Path) -> None:
    """0003: what the guard holds is a decision; all else was decided before anybody counted, and goes."""
    made_by_the_first(tmp_path / "db")
    upgrade(tmp_path / "db", "0002")
    with closing(sqlite3.connect(tmp_path / "db")) as driver, driver:
        driver.executescript(SECOND)

    with closing(Database(tmp_path / "db")) as database:
        held = {(one.no, one.reason, one.users) for one in GuardStore(database).reports("EXAMPLE")[0].decisions}
        others = GuardStore(database).reports("OTHER")
        rows = database.reader.execute("SELECT id, suspended_by, expired_by FROM subscriber ORDER BY id").fetchall()
        installs = database.reader.execute("SELECT id, ended_by FROM install ORDER BY id").fetchall()
        done = GuardStore(database).cancel("EXAMPLE", [2, 3, 4], 1_700_001_000)
        with database.engine.connect() as connection:
            differences = compare_metadata(MigrationContext.configure(connection), tables.metadata)

    assert differences == []
    assert held == {(2, "expired", 1), (3, "suspended", 1), (4, "revoked", 1)}
    assert [(one.held, one.decisions) for one in others] == [(0, ())]
    assert rows == [(7, 0, 0), (8, 3, 0), (9, 0, 0), (10, 0, 2), (11, 0, 1), (12, 0, 1)]
    assert installs == [("I1", 4), ("I2", 0), ("I3", 0)]
    assert (done.resumed, done.prolonged, done.due, done.reactivated, done.staying) == (1, 0, 1, 1, 0)


def test_a_number_is_never_given_again(tmp_path: Path) -> None:
    """0003: the numbers of users who were removed, the newest one too, stay theirs."""
    made_by_the_first(tmp_path / "db")

    with closing(Database(tmp_path / "db")) as database:
        users = SubscriberStore(database)
        users.remove("EXAMPLE", "bob", 7)
        added = users.add(Subscriber("EXAMPLE", "eve", Bcrypt("x")))

    assert added.id == 9


def changed(user: Subscriber, tier: str) -> Subscriber:
    return msgspec.structs.replace(user, attributes={"tier": tier}, changed_s=10)


def modified_s(database: Database) -> int:
    standing = run(LifeStore(database).standing("EXAMPLE", "I1"))
    assert standing is not None
    return standing.modified_s


def test_every_version_can_be_written_for_the_other_engine() -> None:
    """All migrations in a row are statements of PostgreSQL, too."""
    written = io.StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written})
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())

    with Operations.context(context):
        for script in reversed(scripts):
            script.module.upgrade()

    assert "ALTER TABLE subscriber ADD COLUMN suspended_by INTEGER" in written.getvalue()
    assert "_alembic_tmp" not in written.getvalue()
