"""`offhook install` and `offhook fleet-guard`, beside a server on the same data folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from lxml import etree
from typer.testing import CliRunner, Result

from offhook import wiring
from offhook.cli.main import app
from offhook.cli.options import author
from offhook.config import DataFolder
from offhook.core import base
from offhook.core.login import CloudId
from offhook.core.secret import Secret
from offhook.provider.subscriber import Argon2, StoredPassword
from offhook.storage.database import Database
from offhook.web.http import Answer, Call
from tests.world_provider import Noted

FORM = {"content-type": "application/x-www-form-urlencoded"}


class AnyPassword:
    """Every password is right."""

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        return stored is not None

    async def hash(self, password: Secret) -> Argon2:
        raise AssertionError

    def is_outdated(self, stored: StoredPassword) -> bool:
        return False


class Office:
    """A server without sockets, and commands typed beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = DataFolder(folder).make()
        self.database = Database(self.folder.database, inline=True, flushed=False)
        self.parts = wiring.Parts(self.folder, self.database)
        self.handlers = wiring.handlers_of(self.parts, AnyPassword(), "https://prov.example.net", Noted())

    def close(self) -> None:
        self.database.close()

    def types(self, *words: str) -> Result:
        env = {"OFFHOOK_DATA": str(self.folder.path), "COLUMNS": "200"}
        return CliRunner().invoke(app, words, env=env, catch_exceptions=False)

    def does(self, *words: str) -> Any:  # noqa: ANN401 - an object or an array
        result = self.types(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def asks(self, path: str, sent: dict[str, str]) -> Answer:
        return asyncio.run(self._asks(path, sent))

    async def _asks(self, path: str, sent: dict[str, str]) -> Answer:
        return await self.handlers[path](Call("POST", path, "", FORM, urlencode(sent).encode()))

    def signs_in(self, username: str) -> dict[str, str]:
        sent = {"cloud_id": "EXAMPLE", "cloud_username": username, "cloud_password": "x"}
        answer = self.asks("/prov", sent)
        account = {str(node.tag): node.text or "" for node in etree.fromstring(answer.body)}
        return sent | {"cloud_password": account["cloud_password"], "install_id": account["X-install-id"]}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with closing(Office(tmp_path)) as office:
        office.does("tenant", "create", "EXAMPLE", "--logout-floor", "2", "--logout-share", "0.1")
        for name in ("ann", "bob", "eve", "joe"):
            office.does("user", "add", f"{name}@EXAMPLE", "--generate-password")
        yield office


def test_a_phone_is_seen_and_signed_out(office: Office) -> None:
    """It is listed with what it last said; revoked, it is logged out and listed as ended."""
    ann = office.signs_in("ann")
    assert office.asks("/prov/again", ann).status == 200
    office.parts.sightings.flush()

    (shown,) = office.does("install", "list", "EXAMPLE")
    table = office.types("install", "list", "ann@EXAMPLE").stdout
    revoked = office.does("install", "revoke", ann["install_id"])

    assert (shown["id"], shown["user"], shown["has_push_token"]) == (ann["install_id"], "ann", False)
    assert datetime.fromisoformat(shown["seen_at"]) > datetime(2020, 1, 1, tzinfo=UTC)
    assert (shown["ended_at"], [name for name in shown if name.endswith("_s")]) == (None, [])
    assert ann["install_id"] in table
    assert revoked["revoked"] == 1
    assert office.asks("/prov/again", ann).status == 410
    assert office.does("install", "list", "EXAMPLE") == []
    assert office.does("install", "list", "EXAMPLE", "--ended")[0]["ended"] == "revoked"
    assert "has ended already" in office.types("install", "revoke", ann["install_id"]).stdout
    assert office.types("install", "revoke", "nothing").exit_code == 4
    assert office.types("install", "revoke").exit_code == 2


def test_all_phones_of_a_user_are_signed_out(office: Office) -> None:
    """And no other ones."""
    phones = [office.signs_in("ann"), office.signs_in("ann"), office.signs_in("bob")]

    assert office.does("install", "revoke", "--user", "ann@EXAMPLE")["revoked"] == 2

    assert [office.asks("/prov/again", phone).status for phone in phones] == [410, 410, 200]


def test_an_account_that_ends_at_a_date(office: Office) -> None:
    """A date in the past ends it now; never takes the date back."""
    ann = office.signs_in("ann")

    shown = office.does("user", "set", "ann@EXAMPLE", "--expires", "2020-01-31")

    assert shown["expires_at"] == "2020-01-31T00:00:00+00:00"
    assert "2020-01-31" in office.types("user", "show", "ann@EXAMPLE").stdout
    assert office.asks("/prov/again", ann).status == 410
    assert office.does("user", "set", "ann@EXAMPLE", "--expires", "never")["expires_at"] is None
    assert office.asks("/prov/again", ann).status == 200
    assert office.types("user", "set", "ann@EXAMPLE", "--expires", "soon").exit_code == 2


def test_held_decisions_are_shown_released_and_undone(office: Office) -> None:
    """What the guard holds is seen by the commands, and what they decide by the server, at its next answer."""
    phones = [office.signs_in(name) for name in ("ann", "bob", "eve", "joe")]
    for name in ("ann", "bob", "eve", "joe"):
        office.does("user", "suspend", f"{name}@EXAMPLE")
    held = [office.asks("/prov/again", phone).status for phone in phones]

    (report,) = office.does("fleet-guard", "show")
    text = office.types("fleet-guard", "show", "EXAMPLE").stdout
    one = office.does("fleet-guard", "release", "EXAMPLE", "--user", "eve@EXAMPLE")
    after_one = [office.asks("/prov/again", phone).status for phone in phones[2:]]
    refused = office.types("fleet-guard", "cancel", "EXAMPLE")
    unknown = office.types("fleet-guard", "cancel", "EXAMPLE", "--decision", "77", "--yes")
    undone = office.does("fleet-guard", "cancel", "EXAMPLE", "--decision", "4", "--yes")
    rest = office.does("fleet-guard", "cancel", "EXAMPLE", "--yes")

    assert held == [410, 410, 503, 503]
    assert (report["held"], report["count"]) == (2, 2)
    known = [(one["no"], one["reason"], one["users"], one["gone"], one["examples"]) for one in report["decisions"]]
    assert known == [(3, "suspended", 1, 0, ["eve"]), (4, "suspended", 1, 0, ["joe"])]
    assert datetime.fromisoformat(report["decisions"][0]["made_at"]).tzinfo is not None
    assert {one["author"] for one in report["decisions"]} == {author()}
    assert "2 decisions are held back, and 2 users wait" in text
    assert "decision 4: 1 users suspended by " in text
    assert (one["released"], after_one) == (1, [410, 503])
    assert (refused.exit_code, unknown.exit_code) == (2, 4)
    assert (undone["resumed"], undone["staying"], rest["resumed"]) == (1, 0, 0)
    assert [office.asks("/prov/again", phone).status for phone in phones[2:]] == [410, 200]
    assert office.types("fleet-guard", "release", "EXAMPLE", "--yes").exit_code == 4
    assert office.types("fleet-guard", "release", "EXAMPLE", "--user", "ann@OTHER").exit_code == 2
    assert "Nothing is held back" in office.types("fleet-guard", "show").stdout
    assert "nothing is held back" in office.types("fleet-guard", "show", "EXAMPLE").stdout


def test_releasing_all(office: Office) -> None:
    """A script says --yes, and learns how many waited."""
    phones = [office.signs_in(name) for name in ("ann", "bob", "eve", "joe")]
    for name in ("ann", "bob", "eve", "joe"):
        office.does("user", "suspend", f"{name}@EXAMPLE")
    for phone in phones:
        office.asks("/prov/again", phone)

    assert office.does("fleet-guard", "release", "EXAMPLE", "--yes")["released"] == 2

    assert {office.asks("/prov/again", phone).status for phone in phones} == {410}


def test_the_question_names_what_is_let_go(office: Office) -> None:
    """How many decisions and users; of dates that came it is said that they stay."""
    phones = [office.signs_in(name) for name in ("ann", "bob", "eve", "joe")]
    for name in ("ann", "bob", "eve", "joe"):
        office.does("user", "set", f"{name}@EXAMPLE", "--expires", "2020-01-31")
    for phone in phones:
        office.asks("/prov/again", phone)
    stamp = "UPDATE decision SET author = '' WHERE no = 4"
    office.database.write(lambda connection: connection.execute(stamp)).result()

    asked = office.types("fleet-guard", "release", "EXAMPLE")
    one = office.types("fleet-guard", "release", "EXAMPLE", "--decision", "3")
    undone = office.types("fleet-guard", "cancel", "EXAMPLE", "--yes").stdout

    assert "Let 2 decisions, 2 users in all, of EXAMPLE go?" in asked.stderr
    assert "Let decision 3, 1 users in all, of EXAMPLE go?" in one.stderr
    assert "1 accounts had no date to come: they were made never to expire. 1 accounts came due by their own" in undone


# Three who came after the rule was published met it, too.
LATE_COMERS = """
INSERT INTO departure (cloud_id, decision, subscriber_id)
VALUES ('EXAMPLE', 1, 91), ('EXAMPLE', 1, 92), ('EXAMPLE', 1, 93)
"""


def test_a_rule_that_is_held_is_named(office: Office) -> None:
    """With how many users there are at most; to undo it says what becomes of the rule."""
    phones = [office.signs_in(name) for name in ("ann", "bob", "eve", "joe")]
    policy = office.folder.path / "policy.toml"
    policy.write_text('[[rules]]\nid = "bye"\nthen = [{ do = "log_out", message = "Bye." }]\n', encoding="utf-8")
    office.does("policy", "publish", "EXAMPLE", str(policy), "--yes", "--author", "ann")
    seen = [office.asks("/prov/again", phone).status for phone in phones]

    text = office.types("fleet-guard", "show", "EXAMPLE").stdout
    asked = office.types("fleet-guard", "release", "EXAMPLE").stderr
    office.database.write(lambda connection: connection.execute(LATE_COMERS)).result()
    later = office.types("fleet-guard", "show", "EXAMPLE").stdout
    undone = office.types("fleet-guard", "cancel", "EXAMPLE", "--yes").stdout

    assert seen == [410, 410, 503, 503]
    assert "decision 1: up to 5 users logged out by rule bye by ann, " in later
    assert "5 gone, held" in later
    assert "and 0 users wait." in later
    assert "decision 1: up to 4 users logged out by rule bye by ann, " in text
    assert "Let 1 decisions, 2 users in all, of EXAMPLE go?" in asked
    assert undone.endswith("1 rules log nobody out any more until they are changed.\n")
    assert {office.asks("/prov/again", phone).status for phone in phones} == {200}


def test_the_portal_tells_phones_where_to_ask(office: Office) -> None:
    """In the account, with the portal's rank; what the app itself sets stays, and `explain` says why."""
    office.does("app", "create", "EXAMPLE", "--name", "Example")
    office.does("app", "edit", "EXAMPLE", "--set", "account.extProvInterval=60")
    office.does("app", "edit", "EXAMPLE", "--set", "account.pushTokenReporterUrl=https://push.example.net")
    office.does("app", "publish", "EXAMPLE", "--yes")

    async def ask() -> Answer:
        path = "/portal/{cloud_id}/base"
        return await office.handlers[path](Call("GET", path, parameters={"cloud_id": str(CloudId("EXAMPLE", False))}))

    account = base.loads(asyncio.run(ask()).body).account
    redated = office.does("app", "redate"), office.types("app", "redate").stdout
    lines = {line["key"]: line for line in office.does("explain", "ann@EXAMPLE")["lines"]}

    assert redated == ({"redated": 1}, "Dated 1 parts anew. Each phone fetches them once more.\n")
    assert account["extProvUrl"].content == "https://prov.example.net/prov/again"
    assert account["extGlobalProvUrl"].content == "https://prov.example.net/prov/global/again"
    assert account["accountRemovalReporterUrl"].content == "https://prov.example.net/prov/removed"
    assert account["extProvInterval"].content == "60"
    assert [key for key in account if key.startswith("pushTokenReporter")] == ["pushTokenReporterUrl"]
    assert "calls" not in lines["extProvInterval"]["reason"]
    assert "call this provider service" in lines["extProvUrl"]["reason"]


def test_whether_a_change_has_arrived_is_seen_at_the_user(office: Office) -> None:
    """The help desk sees when a phone last asked, and whether it had the newest account then."""
    none = office.types("user", "show", "ann@EXAMPLE").stdout
    ann = office.signs_in("ann")
    fresh = office.does("user", "show", "ann@EXAMPLE")
    office.asks("/prov/again", ann)
    office.parts.sightings.flush()

    shown = office.does("user", "show", "ann@EXAMPLE")
    text = " ".join(office.types("user", "show", "ann@EXAMPLE").stdout.split())

    assert "Phones none" in " ".join(none.split())
    assert (fresh["phones"], fresh["last_asked_at"], fresh["phones_current"]) == (1, None, 0)
    assert shown["last_asked_at"] is not None
    assert "Phones 1, last asked: 20" in text
