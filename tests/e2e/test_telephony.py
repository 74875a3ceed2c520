"""From an e-mail address to a call, and back: a server, phones and a Kamailio that are real."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.e2e.company import Company, eventually, install_of, processes
from tests.e2e.office import Office
from tests.real.kamailio import Kamailio

pytestmark = [pytest.mark.sip, pytest.mark.kamailio, pytest.mark.postgres, pytest.mark.usefixtures("baresip")]


@pytest.mark.parametrize("transport", ["udp", "tls"])
def test_one_account_for_all_phones(company: Company, kamailio_postgres: Kamailio, transport: str) -> None:
    """Signed in by e-mail address, a phone registers, calls and is called; suspended, it is gone, and stays out."""
    office = Office(company, kamailio_postgres, transport, "per-user")
    office.has("ann", "4711")
    office.has("bob", "4712")
    ann, bob = office.phone("ann"), office.phone("bob")
    line = office.line(ann)

    with ann.running(kamailio_postgres.ca), bob.running(kamailio_postgres.ca):
        company.evidence.text("the process list", processes())
        accepted = line.register(), office.is_registered(line)
        ann.says("call start 4712")
        bob.hears(f"{line.address.username} calls. Type answer, or hangup.")
        ann.hears("It rings at 4712.")
        bob.says("answer")
        ann.hears("The call with 4712 is answered.")
        ann.says("hangup")
        bob.hears(f"The call with {line.address.username} is over")
        company.types("user", "suspend", office.user("ann"))
        eventually(lambda: not office.is_registered(line), "un-registered")
        refused = line.register()
        bob.says("call start 4711")
        bob.hears("The call with 4711 is over: 480")
        ann.says("refresh")
        ann.hears("The phone is closed.")

    assert accepted == (200, True)
    assert refused == 401
    assert ann.types("show")[0] != 0


@pytest.mark.parametrize("transport", ["udp", "tls"])
def test_an_account_for_each_phone(company: Company, kamailio_postgres: Kamailio, transport: str) -> None:
    """A number rings at both phones of its user; one of them is cut off alone, and the other goes on."""
    office = Office(company, kamailio_postgres, transport, "per-install")
    office.has("ann", "4711")
    office.has("bob", "4712")
    desk, mobile, bob = office.phone("ann", "-desk"), office.phone("ann", "-mobile"), office.phone("bob")
    lost, kept = office.line(desk), office.line(mobile)

    with ExitStack() as stack:
        for handset in (desk, mobile, bob):
            stack.enter_context(handset.running(kamailio_postgres.ca))
        accepted = lost.register(), kept.register(), office.is_registered(lost), office.is_registered(kept)
        bob.says("call start 4711")
        desk.hears("calls. Type answer, or hangup.")
        mobile.hears("calls. Type answer, or hangup.")
        bob.hears("It rings at 4711.")
        bob.says("hangup")
        desk.hears("is over")
        seen = mobile.hears("is over")
        company.types("install", "revoke", install_of(desk.account))
        eventually(lambda: lost.register() == 401, "refused")
        gone = company.types("sip", "show", str(lost.address), "--system", "berlin", status=4)
        bob.says("call start 4711")
        mobile.hears("calls. Type answer, or hangup.", seen)
        mobile.says("answer")
        bob.hears("The call with 4711 is answered.")
        bob.says("hangup")
        mobile.hears("is over", seen)
        still = kept.register(), office.is_registered(kept)
        company.types("user", "suspend", office.user("ann"))
        eventually(lambda: not office.is_registered(kept), "un-registered")
        refused = kept.register()

    assert accepted == (200, 200, True, True)
    assert lost.address != kept.address
    assert str(lost.address) in gone
    assert still == (200, True)
    assert refused == 401
