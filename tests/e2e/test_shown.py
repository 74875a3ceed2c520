"""What people are shown where phones are signed in: outputs, exports, pages and faults, without a secret."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx2
import psycopg
import pytest

from tests.e2e.company import Company, Handset, eventually
from tests.e2e.leaks import Evidence
from tests.e2e.office import PASSWORDS, Office
from tests.real.kamailio import Kamailio

pytestmark = [pytest.mark.kamailio, pytest.mark.postgres]
NOBODY = "a password of nobody?=&"


@pytest.fixture(scope="module")
def office(company: Company, kamailio_postgres: Kamailio) -> Office:
    office = Office(company, kamailio_postgres, "udp", "per-install", "SHOWN")
    office.has("ann", "4731")
    return office


@pytest.fixture(scope="module")
def handset(office: Office) -> Handset:
    return office.phone("ann")


def test_the_desk_shows_no_secret(company: Company, office: Office, handset: Handset) -> None:
    """Nor does it export one unless told to, in tables or in JSON; the scan at the end looks through all of it."""
    user, address = office.user("ann"), str(office.line(handset).address)
    commands = [
        ("user", "show", user),
        ("user", "list", office.cloud_id),
        ("install", "list", user),
        ("explain", user),
        ("tenant", "show", office.cloud_id),
        ("sip", "list"),
        ("sip", "check", "berlin"),
        ("sip", "show", address, "--system", "berlin"),
        ("onboarding", "show", office.cloud_id),
        ("keys", "list"),
    ]

    shown = [company.types(*words) + str(company.tells(*words)) for words in commands]
    doctor = company.types("doctor", status=1) + company.types("doctor", "--json", status=1)
    export = company.types("user", "export", office.cloud_id)
    code, phone = handset.types("show", "--json")

    assert all(shown)
    assert "sip.gone" in doctor
    assert "ann@example.com" in export
    assert (code, '"secret": true' in phone or "password" in phone) == (0, True)


def test_pages_and_refusals_repeat_no_secret(company: Company, evidence: Evidence, office: Office) -> None:
    """However a password comes: wrong, in an address, to the wrong place, as something that is no request."""
    evidence.secret("a password that nobody has", NOBODY)
    asked = {"cloud_id": office.cloud_id, "cloud_username": "ann@example.com"}
    wanted: list[tuple[str, str, dict[str, Any]]] = [
        (how, path, {"params": {**asked, "cloud_password": password, "install_id": "0" * 32}})
        for password in (NOBODY, PASSWORDS["ann"])
        for how, path in (
            ("GET", "/prov/again"),
            ("POST", "/prov/global/again"),
            ("PUT", "/prov"),
            ("POST", "/prov/removed"),
            ("GET", "/portal/NONE/base"),
            ("GET", f"/{quote(password, safe='')}"),
        )
    ]
    for path in ("/prov", "/prov/global", "/prov/sign-up"):
        wanted.append(("GET", path, {"params": {**asked, "cloud_password": NOBODY}}))
        wanted.append(("POST", path, {"content": NOBODY.encode() * 10_000}))
        wanted.append(("POST", path, {"json": {**asked, "cloud_password": NOBODY}}))

    with httpx2.Client(base_url=company.url, timeout=30) as client, ThreadPoolExecutor(16) as pool:
        # A refusal takes half a second.
        answers = list(pool.map(lambda one: client.request(one[0], one[1], **one[2]), wanted))
    for answer in answers:
        evidence.text(f"the answer {answer.status_code} of {answer.url.path}", f"{answer.headers} {answer.text}")

    assert {answer.status_code for answer in answers} & {200, 500} == set()


def test_a_sip_system_that_is_gone_is_named_without_its_password(company: Company) -> None:
    """The log, the doctor and the check say which system it is, and no more."""
    sip = ("--sip-system", "gone", "--sip-domain", "gone.example.com")
    company.opens("GONE", "gone.example.com", {}, *sip)
    company.has_user("eve@GONE", "eve's own password")

    company.settles()
    eventually(lambda: '"chore":"sip","reason":"gone: ' in company.log.read_text(), "the chore says so")
    checked = company.types("sip", "check", "gone", status=1)
    doctor = company.types("doctor", status=1)

    assert "gone: cannot be used" in checked
    assert "gone.example.com" in doctor


def test_kamailio_has_no_password(office: Office, handset: Handset) -> None:
    """Neither in its database, where hashes stand, nor in its log."""
    url = office.kamailio.database_url.replace("+psycopg", "", 1)
    found = Evidence()
    found.secret("the SIP password", handset.account["password"])

    with psycopg.connect(url) as connection:
        for table in ("subscriber", "subscriber_former", "dbaliases", "location"):
            found.text(table, str(connection.execute(f"SELECT * FROM {table}".encode()).fetchall()))
    found.text("log", office.kamailio.log.read_text(errors="replace"))

    assert found.leaks() == []
