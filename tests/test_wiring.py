"""The joined server: what it serves while another process writes to the same data folder."""

from __future__ import annotations

import base64
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from offhook import connections, wiring
from offhook.config import DataFolder
from offhook.core.secret import Secret
from offhook.provider.subscriber import Argon2, StoredPassword
from offhook.provider.tenant import Sip, Tenant
from offhook.storage.database import Database
from offhook.web.events import Field
from offhook.web.http import Answer, Call


class NoPassword:
    """Knows nobody."""

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        return False

    async def hash(self, password: Secret) -> Argon2:
        return Argon2("")

    def is_outdated(self, stored: StoredPassword) -> bool:
        return False


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def ignore(event: str, **fields: Field) -> None:
    """Take an event and forget it."""


@pytest.mark.anyio
async def test_the_portal_answers_while_somebody_writes(tmp_path: Path) -> None:
    """A lock that another process holds for minutes delays no answer of the portal, and no other one behind it."""
    folder = DataFolder(tmp_path).make()
    with closing(Database(folder.database)) as database:
        parts = wiring.Parts(folder, database)
        wiring.Desk(parts).make_app("EXAMPLE")
        base = wiring.handlers_of(parts, NoPassword(), "https://a.example", ignore)["/portal/{cloud_id}/base"]
        call = Call("GET", "/portal/EXAMPLE/base", parameters={"cloud_id": "EXAMPLE"})
        first = await base(call)
        # Something was written, so it has to look again whether that concerns this app.
        parts.tenants.put(Tenant("OTHER"))

        with closing(sqlite3.connect(folder.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            started_s = time.monotonic()
            again = await base(call)
            lasted_s = time.monotonic() - started_s

    assert (first.status, again) == (200, first)
    assert lasted_s < 2


GUARDED = """
[[rules]]
id = "new"
rollout = { percent = 100, guard = { phones = 1 } }
then = [{ do = "set", key = "X-new", value = "1" }]
"""


def test_guards_look_on_while_the_server_runs(tmp_path: Path) -> None:
    """What they do is an event, and a version of the policy; that the database is in trouble is an event as well."""
    folder, heard = DataFolder(tmp_path).make(), list[tuple[str, dict[str, Field]]]()

    def hear(event: str, **fields: Field) -> None:
        heard.append((event, fields))

    def await_event(name: str) -> dict[str, Field]:
        until_s = time.monotonic() + 10
        while name not in dict(heard) and time.monotonic() < until_s:
            time.sleep(0.01)
        return dict(heard)[name]

    with closing(Database(folder.database)) as database:
        desk = wiring.Desk(wiring.Parts(folder, database))
        desk.tenants.put(Tenant("EXAMPLE"))
        desk.directory.add("EXAMPLE", "ann", Secret("12345678"))
        desk.policies.publish(desk.policies.propose("EXAMPLE", GUARDED))
        with database.begin() as connection:
            connection.exec_driver_sql(REFUSED)
        with wiring.guarding(desk.rollouts, hear, 0.01):
            paused = await_event("rollout.paused")
        with database.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE tenant RENAME TO elsewhere")
        with wiring.guarding(desk.rollouts, hear, 0.01):
            trouble = await_event("rollouts.unavailable")
        with database.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO tenant")
        history = desk.policies.history("EXAMPLE")

    assert (paused["tenant"], paused["rule"]) == ("EXAMPLE", "new")
    assert str(paused["said"]).startswith("is paused, because 100.0% of 1 phones with this rule were refused")
    assert trouble["reason"]
    assert history[0].author == "rollout guard"


# An install that was refused some time after the rule was published.
REFUSED = """
INSERT INTO install (id, cloud_id, subscriber_id, token_hash, device, user_agent, created_s, refused_s)
VALUES ('I1', 'EXAMPLE', 1, x'', '', '', 1, 4000000000)
"""


CONNECTED = """
[sip.office]
kind = "freeswitch"
username = "switch"
password = "a long password of ours"
"""


@pytest.mark.anyio
async def test_a_freeswitch_is_answered_from_the_register(tmp_path: Path) -> None:
    """A server that has one among its connections tells it who may register, if it says who it is."""
    folder = DataFolder(tmp_path).make()
    file = folder.path / connections.FILE
    file.write_text(CONNECTED)
    file.chmod(0o600)
    basic = base64.b64encode(b"switch:a long password of ours").decode()
    with closing(Database(folder.database)) as database, closing(wiring.Parts(folder, database)) as parts:
        desk = wiring.Desk(parts)
        desk.tenants.put(Tenant("EXAMPLE", sip=Sip("office", "sip.example.net")))
        ann = desk.directory.add("EXAMPLE", "ann", Secret("12345678")).subscriber
        parts.elsewhere.lines.make(parts.tenants.get("EXAMPLE"), ann, "")
        known = parts.elsewhere.register.all()[0].address
        asked = {"section": "directory", "action": "sip_auth", "user": known.username, "domain": known.domain}
        form = {"content-type": "application/x-www-form-urlencoded"}

        async def ask(headers: dict[str, str]) -> Answer:
            handler = wiring.handlers_of(parts, NoPassword(), "", ignore)["/sip/{system}/directory"]
            body = urlencode(asked).encode()
            names = {"system": "office"}
            return await handler(
                Call("POST", "/sip/office/directory", headers=form | headers, body=body, parameters=names)
            )

        told = await ask({"authorization": f"Basic {basic}"})
        stranger = await ask({})

    assert told.status == 200
    assert b'name="a1-hash"' in told.body
    assert stranger.status == 401
