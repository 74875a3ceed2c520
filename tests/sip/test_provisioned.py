"""From a sign-in to a registration: what the provider tells a phone, a real Kamailio accepts, and then no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from offhook.core.secret import Secret
from offhook.provider.doctor import Doctor
from offhook.provider.sipaccounts import Address
from offhook.provider.sipdoctor import LineCheck
from offhook.provider.siprotation import SipRotation
from offhook.provider.tenant import PerWhom, Sip
from offhook.sip import settings
from offhook.sip.kamailio import Kamailio
from tests.real import kamailio as real
from tests.real.sipclient import phone as sip_phone
from tests.world_directory import directory_of
from tests.world_provider import Phone, Provider
from tests.world_sip import SipWorld

pytestmark = pytest.mark.kamailio
DOMAIN = real.DOMAIN


@pytest.fixture
def world(tmp_path: Path, kamailio: real.Kamailio) -> Iterator[SipWorld]:
    with closing(Provider(tmp_path)) as provider:
        world = SipWorld(provider, Sip("berlin", DOMAIN))
        system = Kamailio(settings.Kamailio(Secret(kamailio.database_url), kamailio.control))
        world.lines.systems = {"berlin": system}
        # A name of its own for each test: they share one Kamailio.
        provider.has_user("ann@EXAMPLE", attributes={"username": f"ann{tmp_path.name[-24:]}"})
        yield world


def register(kamailio: real.Kamailio, told: Phone, transport: str = "UDP") -> int:
    address = Address(told.account["username"], DOMAIN)
    port = {"UDP": kamailio.udp_port, "TCP": kamailio.tcp_port, "TLS": kamailio.tls_port}[transport]
    ca = kamailio.ca if transport == "TLS" else None
    with sip_phone((kamailio.host, port), address, transport, ca) as client:
        return client.register(told.account["password"])


@pytest.mark.parametrize("accounts", list(PerWhom))
@pytest.mark.parametrize("transport", ["UDP", "TCP", "TLS"])
def test_who_signs_in_registers_and_who_is_suspended_does_not(
    kamailio: real.Kamailio, world: SipWorld, accounts: PerWhom, transport: str
) -> None:
    """Also over TCP and TLS, with an account per user or per phone; resumed, with new credentials."""
    assert world.tenant.sip is not None
    world.set(msgspec.structs.replace(world.tenant.sip, accounts=accounts))
    told = world.provider.phone("ann")

    before = register(kamailio, told, transport)
    registered = world.lines.systems["berlin"].registered([Address(told.account["username"], DOMAIN)])
    directory_of(world.provider).suspend("EXAMPLE", "ann")
    world.works(1)
    suspended = register(kamailio, told, transport)
    gone = world.lines.systems["berlin"].registered([Address(told.account["username"], DOMAIN)])
    directory_of(world.provider).resume("EXAMPLE", "ann")
    world.works(1)
    told.asks()

    assert (before, suspended) == (200, 401)
    assert list(registered.values()) == [True]
    assert list(gone.values()) == [False]
    assert register(kamailio, told, transport) == 200


def test_a_rotation_loses_no_registration(kamailio: real.Kamailio, world: SipWorld) -> None:
    """Both passwords are accepted until the phone has come back with the newer one; then the former is refused."""
    told = world.provider.phone("ann")
    former = Phone.__new__(Phone)
    former.account = dict(told.account)
    register(kamailio, told)
    SipRotation(world.register, world.provider.subscribers, world.provider.tenants, world.provider.clock).of_user(
        "EXAMPLE", "ann"
    )

    world.works(1)
    during = register(kamailio, told)
    world.provider.clock.time_s += 5
    told.asks()
    told.asks()
    world.works(2)

    assert during == 200
    assert told.account["password"] != former.account["password"]
    assert register(kamailio, told) == 200
    assert register(kamailio, former) == 401


def test_the_doctor_sees_and_mends_what_somebody_changed_in_kamailio(kamailio: real.Kamailio, world: SipWorld) -> None:
    """An account that was deleted there is a finding, and afterwards it is there again with the same password."""
    told = world.provider.phone("ann")
    address = Address(told.account["username"], DOMAIN)
    world.lines.systems["berlin"].remove(address, "somebody")
    doctor = Doctor({"sip": LineCheck(world.lines, world.provider.clock)})

    found = list(doctor.examine())
    refused = register(kamailio, told)
    mended = list(doctor.examine(mend=True))

    assert [one.text for one in found] == ["is not there."]
    assert refused == 401
    assert [one.mended for one in mended] == [True]
    assert list(doctor.examine()) == []
    assert register(kamailio, told) == 200
