"""An office of the company: a Cloud ID whose users sign in with their e-mail addresses, and register with Kamailio."""

from __future__ import annotations

from typing import Final

import psycopg

from tests.e2e.company import Company, Handset, Line
from tests.real.kamailio import Kamailio

PASSWORDS: Final = {"ann": 'pä$$ "word"&<x>/+% 42', "bob": "bob's own; secret = 1"}


class Office:
    """One Cloud ID. `accounts` is per-user or per-install; `name` tells the offices of several tests apart."""

    def __init__(
        self, company: Company, kamailio: Kamailio, transport: str, accounts: str, name: str = "CALLS"
    ) -> None:
        self.company, self.kamailio, self.transport = company, kamailio, transport
        self.cloud_id = f"{name}{transport.upper()}{accounts[4:].upper()}"
        self.domain = f"{self.cloud_id.lower()}.example.com"
        port = kamailio.tls_port if transport == "tls" else kamailio.udp_port
        keys = {"proxy": f"{kamailio.host}:{port}", "transport": transport, "expires": "60"}
        sip = ("--sip-system", "berlin", "--sip-domain", self.domain, "--sip-accounts", accounts)
        company.opens(self.cloud_id, self.domain, keys, *sip, "--sip-alias", "number")

    def has(self, name: str, number: str) -> None:
        """Add somebody, with a number that rings at all of their phones."""
        self.company.has_user(self.user(name), PASSWORDS[name], "--attribute", f"number={number}")

    def user(self, name: str) -> str:
        """Who that is at the desk."""
        return f"{name}@example.com@{self.cloud_id}"

    def phone(self, name: str, which: str = "") -> Handset:
        """A phone that has signed in."""
        handset = Handset(self.company, f"{name}{which}-{self.cloud_id}")
        handset.signs_in(self.user(name), PASSWORDS[name])
        return handset

    def line(self, handset: Handset) -> Line:
        """The SIP account that the phone has now."""
        return Line(self.kamailio, handset.account, self.transport)

    def is_registered(self, line: Line) -> bool:
        """As our own command sees it."""
        return bool(self.company.tells("sip", "show", str(line.address), "--system", "berlin")["registered"])

    def contacts(self) -> set[str]:
        """Where phones of this office are registered, by the table of Kamailio."""
        return self._column("location", "contact")

    def overlapping(self) -> set[str]:
        """The accounts whose former password is good as well, by the table of Kamailio."""
        return self._column("subscriber_former", "username")

    def _column(self, table: str, column: str) -> set[str]:
        url = self.kamailio.database_url.replace("+psycopg", "", 1)
        with psycopg.connect(url) as connection:
            rows = connection.execute(f"SELECT {column} FROM {table} WHERE domain = %s".encode(), (self.domain,))
            return {str(row[0]) for row in rows}
