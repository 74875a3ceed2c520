"""Users of a directory, end to end: a real slapd vouches for phones of a real server, changes its mind, and stops."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.e2e.company import Company, Handset, eventually
from tests.e2e.conftest import SYSTEM
from tests.e2e.leaks import Evidence
from tests.real.kamailio import Kamailio
from tests.real.slapd import GROUPS, PEOPLE, SERVICE, SERVICE_PASSWORD, Slapd

pytestmark = [pytest.mark.ldap, pytest.mark.kamailio, pytest.mark.postgres]
CORP = "CORP"
HOST = "corp.example.com"
ANN, BEN, WRONG = "ann's pass & word", "ben: 100% {right}", "not what it is"
UPSTREAM = """
[upstream.corp]
kind = "ldap"
servers = ["{server}"]
ca_file = "{ca}"
base = "{base}"
bind_name = "{service}"
bind_password = "{password}"
found_by = ["uid", "mail"]
attributes = {{ email = "mail", number = "telephoneNumber" }}
timeout_s = 1
"""
POLICY = """
[[rules]]
id = "sellers"
when = { if = "in_group", group = "sellers" }
then = [{ do = "set", key = "codecOrder", value = "8" }]
"""


class Corp:
    """A Cloud ID for whose users the directory vouches."""

    def __init__(self, company: Company, slapd: Slapd, process: subprocess.Popen[bytes]) -> None:
        self.company, self.slapd, self.process = company, slapd, process
        self.ann, self.ben = (
            slapd.person(name, company.evidence.secret(f"{name}'s password in the directory", password), mail=mail)
            for name, password, mail in (("anna", ANN, "anna@example.com"), ("benn", BEN, "benn@example.com"))
        )
        slapd.group("sellers", self.ann, f"uid=ben,{PEOPLE}")
        sip = ("--sip-system", "berlin", "--sip-domain", HOST)
        company.opens(CORP, HOST, {"mail": "{email}", "codecOrder": "0"}, *sip)
        company.types("onboarding", "upstream", CORP, "corp")
        company.types("policy", "publish", CORP, company.file("policy.toml", POLICY), "--yes")

    def phone(self, name: str, password: str) -> Handset:
        """A phone that has signed in with an e-mail address."""
        handset = Handset(self.company, f"{name}-{CORP}")
        handset.signs_in(f"{name}@example.com@{CORP}", password)
        return handset

    def state(self, name: str) -> str:
        """Whether they may use their phones."""
        return str(self.company.tells("user", "show", f"{name}@{CORP}")["state"])

    def an_hour_goes_by(self) -> None:
        """Everybody is due to be asked for again."""
        with closing(sqlite3.connect(self.company.folder / "data" / "offhook.sqlite3", timeout=10)) as store, store:
            store.execute("UPDATE vouched SET next_s = 0")

    def is_asked_again(self) -> bool:
        """Whether the directory was asked for everybody, or was tried."""
        with closing(sqlite3.connect(self.company.folder / "data" / "offhook.sqlite3", timeout=10)) as store:
            return bool(store.execute("SELECT min(next_s) FROM vouched").fetchone()[0])


@pytest.fixture
def corp(
    tmp_path_factory: pytest.TempPathFactory,
    evidence: Evidence,
    kamailio_postgres: Kamailio,
    mortal_slapd: tuple[Slapd, subprocess.Popen[bytes]],
) -> Iterator[Corp]:
    slapd, process = mortal_slapd
    company = Company(tmp_path_factory.mktemp("corp"), evidence)
    evidence.secret("the password of the directory's service", SERVICE_PASSWORD)
    texts = {"server": slapd.tls_url, "ca": slapd.ca, "base": PEOPLE, "service": SERVICE, "password": SERVICE_PASSWORD}
    system = SYSTEM.format(database=kamailio_postgres.database_url, control=kamailio_postgres.control)
    with company.served(system + UPSTREAM.format(**texts)):
        yield Corp(company, slapd, process)


def test_a_directory_vouches_changes_and_stops(corp: Corp) -> None:
    """One bind for a wrong password; groups reach the policy; who is gone is out; a directory that is down is no no."""
    company, slapd = corp.company, corp.slapd
    company.evidence.secret("a wrong password", WRONG)
    wrong = Handset(company, "wrong")

    # A wrong password is tried once, however often the phone says it, and the right one gets in at once.
    refused = wrong.types("sign-in", f"anna@example.com@{CORP}", "--password-stdin", stdin=f"{WRONG}\n")
    wrong.types("sign-in", f"anna@example.com@{CORP}", "--password-stdin", stdin=f"{WRONG}\n")
    answer = company.asks(cloud_id=CORP, cloud_username="anna", cloud_password=WRONG + " either")
    assert refused[0] == 3, refused
    assert answer.status_code == 403
    assert slapd.binds(corp.ann) == 2

    ann, ben = corp.phone("anna", ANN), corp.phone("benn", BEN)
    assert slapd.binds(corp.ann) == 3
    assert (ann.account["codecOrder"], ben.account["codecOrder"]) == ("8", "0")
    assert ann.account["mail"] == "anna@example.com"

    # What changes in the directory reaches the phones; who is gone there is logged out.
    slapd.takes_out(corp.ann, f"cn=sellers,{GROUPS}")
    slapd.remove(corp.ben)
    for _ in range(2):
        corp.an_hour_goes_by()
        eventually(corp.is_asked_again, "asked for again")
    eventually(lambda: corp.state("benn") == "suspended", "suspended by the upstream")
    assert ann.types("refresh")[0] == 0
    assert ann.account["codecOrder"] == "0"
    logged_out = ben.types("refresh")
    assert ben.types("show")[0] == 4, logged_out

    # It hangs, and then it is gone: nobody new gets in, and nobody notices who is in.
    for how in (signal.SIGSTOP, signal.SIGKILL):
        corp.process.send_signal(how)
        answer = company.asks(cloud_id=CORP, cloud_username="ann", cloud_password="ann-right")
        assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
        corp.an_hour_goes_by()
        eventually(corp.is_asked_again, "tried to ask for again")
        code, shown = ann.types("refresh", "--json")
        assert code == 0, shown
        assert '"status": 304' in shown
        assert corp.state("anna") == "active"
