"""Every back-end with its SIP system: the real one where it can be had, else what its documents say it does."""

from __future__ import annotations

import base64
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import md5
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from lxml import etree

from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, KeptAccount, SipAccount, SipAccounts
from offhook.sip import settings
from offhook.sip.asterisk import Asterisk
from offhook.sip.freeswitch import Directory, FreeSwitch
from offhook.sip.kamailio import Kamailio
from offhook.sip.webhook import Webhook
from tests.real import kamailio as real
from tests.real.sipclient import phone
from tests.sip.event_socket import PASSWORD, FakeEventSocket

ROOT = Path(__file__).parents[2]
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of a test, long enough").decode()
FREESWITCH_PASSWORD = "directory-secret-9Wq"


class Place(Protocol):
    """A back-end, and its SIP system from the side of phones."""

    @property
    def system(self) -> SipAccounts:
        """The back-end."""

    def register(self, address: Address, password: str) -> bool:
        """A phone registers, and stays; whether it was let in."""

    def close(self) -> None:
        """Let go of its connections."""


class KamailioPlace:
    """The real one; a phone is one that speaks SIP."""

    def __init__(self, running: real.Kamailio) -> None:
        self.system = Kamailio(settings.Kamailio(Secret(running.database_url), running.control))
        self.running = running

    def register(self, address: Address, password: str) -> bool:
        with phone((self.running.host, self.running.udp_port), address) as one:
            return one.register(password) == 200

    def close(self) -> None:
        self.system.close()


class AsteriskPlace:
    """Its tables, read as Asterisk documents that it reads them."""

    def __init__(self, url: str) -> None:
        self.system = Asterisk(settings.Asterisk(Secret(url), endpoint={"direct_media": "no"}))
        self.engine = sa.create_engine(url)

    def register(self, address: Address, password: str) -> bool:
        with self.engine.begin() as connection:
            auth = "SELECT auth FROM ps_endpoints WHERE id = :id AND aors = :id"
            named = connection.execute(sa.text(auth), {"id": address.username}).scalar()
            if named is None or connection.execute(_AOR, {"id": address.username}).scalar() is None:
                return False
            fits = any(self._fits(connection, one, address, password) for one in named.split(","))
            if fits:
                contact = f"{address.username}^3B@{time.time_ns():x}"
                connection.execute(_CONTACT, {"id": contact[:40], "until": str(int(time.time()) + 600)})
            return fits

    def close(self) -> None:
        self.system.close()
        self.engine.dispose()

    @staticmethod
    def _fits(connection: sa.Connection, one: str, address: Address, password: str) -> bool:
        found = connection.execute(
            sa.text("SELECT md5_cred, realm, username FROM ps_auths WHERE id = :id AND auth_type = 'md5'"), {"id": one}
        ).one()
        return (found.realm, found.username) == (address.domain, address.username) and address.ha1(
            Secret(password)
        ).reveal() == found.md5_cred


_AOR = sa.text("SELECT id FROM ps_aors WHERE id = :id AND max_contacts > 0")
_CONTACT = sa.text("INSERT INTO ps_contacts (id, expiration_time) VALUES (:id, :until)")


class DictRegister:
    """A register of accounts that should be active."""

    def __init__(self) -> None:
        self.accounts: dict[Address, SipAccount] = {}

    def find(self, address: Address) -> SipAccount | None:
        return self.accounts.get(address)

    def ringing(self, alias: Address) -> Collection[Address]:
        accounts = self.accounts.values()
        return [one.address for one in accounts if one.address.domain == alias.domain and alias.username in one.aliases]


class Registering:
    """A back-end behind a register, which is written before it is asked, as the provider does."""

    def __init__(self, system: FreeSwitch, register: DictRegister) -> None:
        self._system, self._register = system, register

    def ensure(self, account: SipAccount, key: str) -> None:
        self._register.accounts[account.address] = account
        self._system.ensure(account, key)

    def rotate(self, account: SipAccount, key: str) -> None:
        if account.address in self._register.accounts:
            self._register.accounts[account.address] = account
        self._system.rotate(account, key)

    def disable(self, address: Address, key: str) -> None:
        self._register.accounts.pop(address, None)
        self._system.disable(address, key)

    def remove(self, address: Address, key: str) -> None:
        self._register.accounts.pop(address, None)
        self._system.remove(address, key)

    def look_up(self, address: Address) -> KeptAccount | None:
        return self._system.look_up(address)

    def registered(self, addresses: Collection[Address]) -> Mapping[Address, bool]:
        return self._system.registered(addresses)


class FreeSwitchPlace:
    """Its questions, as mod_xml_curl sends them, and its event socket, as it is documented."""

    def __init__(self, socket: FakeEventSocket) -> None:
        own = settings.FreeSwitch(
            "freeswitch", Secret(FREESWITCH_PASSWORD), control=socket.control, control_password=Secret(PASSWORD)
        )
        self.socket, self.accounts = socket, DictRegister()
        self.directory = Directory(own, self.accounts)
        self.system = Registering(FreeSwitch(own, self.accounts), self.accounts)

    def register(self, address: Address, password: str) -> bool:
        ha1 = address.ha1(Secret(password)).reveal()
        fields = question(address, ha1)
        document = etree.fromstring(self.directory.answer(fields))
        (known,) = document.xpath("//param[@name='a1-hash']/@value") or [""]
        if known == ha1:
            self.socket.registered.add(str(address))
        return bool(known == ha1)

    def close(self) -> None:
        """There is nothing to let go of."""


def question(address: Address, ha1: str, *, qop: str = "auth") -> dict[str, str]:
    """What FreeSWITCH asks when a phone registers that knows this hash."""
    between = "nonce-1:00000001:cnonce-1:auth" if qop else "nonce-1"
    ha2 = _md5(f"REGISTER:sip:{address.domain}")
    fields = {
        "section": "directory",
        "tag_name": "domain",
        "key_name": "name",
        "key_value": address.domain,
        "action": "sip_auth",
        "sip_profile": "internal",
        "sip_auth_username": address.username,
        "sip_auth_realm": address.domain,
        "sip_auth_nonce": "nonce-1",
        "sip_auth_uri": f"sip:{address.domain}",
        "sip_auth_method": "REGISTER",
        "sip_auth_response": _md5(f"{ha1}:{between}:{ha2}"),
        "key": "id",
        "user": address.username,
        "domain": address.domain,
        "ip": "192.0.2.7",
    }
    return fields | ({"sip_auth_qop": "auth", "sip_auth_cnonce": "cnonce-1", "sip_auth_nc": "00000001"} if qop else {})


def _md5(text: str) -> str:
    return md5(text.encode()).hexdigest()


class WebhookPlace:
    """The example receiver, as it is shipped."""

    def __init__(self, url: str, file: Path) -> None:
        self.system = Webhook(settings.Webhook(url, Secret(WEBHOOK_SECRET)))
        self.file = file

    def register(self, address: Address, password: str) -> bool:
        named = (address.username, address.domain)
        with closing(sqlite3.connect(self.file)) as database, database:
            chosen = "FROM account WHERE username = ? AND domain = ? AND enabled"
            found = database.execute(f"SELECT ha1s {chosen}", named).fetchone()
            fits = found is not None and address.ha1(Secret(password)).reveal() in found[0]
            if fits:
                database.execute("UPDATE account SET registered = 1 WHERE username = ? AND domain = ?", named)
            return fits

    def close(self) -> None:
        """There is nothing to let go of."""


@contextmanager
def example_receiver(file: Path) -> Iterator[str]:
    """The example of the guide, running; its address."""
    command = [sys.executable, str(ROOT / "examples" / "sip_webhook.py"), "--port", "0", "--file", str(file)]
    environment = os.environ | {"OFFHOOK_SECRET": WEBHOOK_SECRET}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as receiver:
        try:
            assert receiver.stdout is not None
            yield receiver.stdout.readline().split()[-1]
        finally:
            receiver.terminate()
