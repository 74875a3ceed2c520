"""FreeSWITCH: it asks us for its directory (mod_xml_curl), so our register of accounts is what it knows of them.

What the register says holds at its next question, without a step between; what is registered is asked and removed at
its event socket, where one is named.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address, ip_network
from typing import Final, Protocol

from offhook.core import xml
from offhook.core.errors import NotFound, Unavailable
from offhook.core.secret import Secret
from offhook.provider.sipaccounts import Address, KeptAccount, SipAccount
from offhook.sip.digest import Proof
from offhook.sip.eventsocket import EventSocket
from offhook.sip.settings import FreeSwitch as Settings

# What may stand in a command and in a dial string as it is.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._+=~*!-]{1,255}")
# A display name is the user's own, and FreeSWITCH expands what looks like its variables.
_EXPANDED: Final = re.compile(r"[${}\\\"<>]")
MOST_RINGING: Final = 50
# What FreeSWITCH needs credentials for; whatever else it asks about a user, it gets no hash.
_SIP_AUTH: Final = "sip_auth"
_REVERSE: Final = "reverse-auth-lookup"
_NOBODY: Final = (
    '<document type="freeswitch/xml"><section name="result"><result status="not found"/></section></document>'
)


class Register(Protocol):
    """Our register of the accounts of this system, as far as they are to be active; it may raise Unavailable."""

    def find(self, address: Address) -> SipAccount | None:
        """The account, with the passwords that are good now; None when it is unknown, disabled or removed."""

    def ringing(self, alias: Address) -> Collection[Address]:
        """The active accounts that have this alias."""


class Directory:
    """Answers the questions of one FreeSWITCH."""

    def __init__(self, settings: Settings, register: Register) -> None:
        self._settings, self._register = settings, register
        self._networks = tuple(map(ip_network, settings.networks))

    def admits(self, authorization: str, client: str) -> bool:
        """Whether a request with this header, from this address, may ask: an answer holds what logs in."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
        except (binascii.Error, ValueError):
            given = b""
        expected = f"{self._settings.username}:{self._settings.password.reveal()}".encode()
        return hmac.compare_digest(given, expected) and self._is_near(client)

    def answer(self, fields: Mapping[str, str]) -> bytes:
        """The document for the fields of a question. Raises Unavailable."""
        address = Address(fields.get("user", ""), fields.get("domain", ""))
        action = fields.get("action", "")
        if fields.get("section") != "directory" or not all((address.username, address.domain)) or action == _REVERSE:
            return _NOBODY.encode()
        if xml.forbidden(str(address)):
            return _NOBODY.encode()
        account = self._register.find(address)
        if account is not None:
            params = {"a1-hash": _fitting(account, fields).reveal()} if action == _SIP_AUTH else {}
            return self._user(address, params, account.display_name).encode()
        if action == _SIP_AUTH:
            return _NOBODY.encode()
        ringing = [one for one in self._register.ringing(address) if _is_plain(one)][:MOST_RINGING]
        if not ringing:
            return _NOBODY.encode()
        return self._user(address, {"dial-string": ",".join(map(self._contact, ringing))}, "").encode()

    def _is_near(self, client: str) -> bool:
        if not self._networks:
            return True
        try:
            address = ip_address(client)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def _contact(self, address: Address) -> str:
        return f"${{sofia_contact({self._settings.profile}/{address})}}"

    def _user(self, address: Address, params: Mapping[str, str], display_name: str) -> str:
        domain, user = map(xml.attribute, (address.domain, address.username))
        variables = {"user_context": self._settings.context}
        if _is_plain(address):
            params = {"dial-string": self._contact(address), **params}
        if shown := _EXPANDED.sub("", display_name).strip():
            variables |= {"effective_caller_id_name": shown}
        return (
            '<document type="freeswitch/xml"><section name="directory">'
            f'<domain name="{domain}"><groups><group name="offhook"><users><user id="{user}">'
            f"<params>{_list('param', params)}</params><variables>{_list('variable', variables)}</variables>"
            "</user></users></group></groups></domain></section></document>"
        )


class FreeSwitch:
    """The port to a FreeSWITCH that asks us. Whoever asks has written into the register what is wanted before."""

    def __init__(self, settings: Settings, register: Register) -> None:
        self._settings, self._register = settings, register
        self._control: EventSocket | None = None
        if settings.control:
            self._control = EventSocket(settings.control, settings.control_password, settings.timeout_s)

    def ensure(self, account: SipAccount, key: str) -> None:
        """There is nothing to do: its next question is answered from the register, after a crash as before."""

    def rotate(self, account: SipAccount, key: str) -> None:
        """As `ensure`. Of two passwords, the one that a phone used is answered."""
        if self._register.find(account.address) is None:
            raise NotFound(f"The register has no active account {account.address}.")

    def disable(self, address: Address, key: str) -> None:
        """Credentials are refused already; its registrations are removed, if we know where.

        Without an event socket a registration stays until it expires: name one.
        """
        if self._control is not None and _is_plain(address):
            command = f"sofia profile {self._settings.profile} flush_inbound_reg {address}"
            (said,) = self._control.ask(command)
            if said.startswith(("-ERR", "-USAGE")) or "Invalid Profile" in said:
                raise Unavailable(f"FreeSWITCH does not remove registrations of its profile {self._settings.profile}.")

    def remove(self, address: Address, key: str) -> None:
        """As `disable`."""
        self.disable(address, key)

    def look_up(self, address: Address) -> KeptAccount | None:
        """What it would be answered."""
        account = self._register.find(address)
        if account is None:
            return None
        return KeptAccount(address, enabled=True, ha1s=account.ha1s(), aliases=tuple(sorted(account.aliases)))

    def registered(self, addresses: Collection[Address]) -> Mapping[Address, bool]:
        """What the event socket says; without one, nothing is known."""
        plain = [address for address in addresses if _is_plain(address)]
        if self._control is None or not plain:
            return {}
        contacts = self._control.ask(*(f"sofia_contact {self._settings.profile}/{address}" for address in plain))
        return {address: not said.startswith("error/") for address, said in zip(plain, contacts, strict=True)}

    def faults(self) -> tuple[str, ...]:
        """What is wrong with how it is set up; that FreeSWITCH asks us at all shows only in our log of requests."""
        if self._control is None:
            return (
                "No control is named: who is suspended stays registered until that expires. Name its event socket.",
            )
        try:
            (said,) = self._control.ask(f"sofia status profile {self._settings.profile}")
        except Unavailable as error:
            return (f"{error.text} Load mod_event_socket, and let this machine connect.",)
        if said.startswith("-ERR") or "Invalid Profile" in said:
            return (f"FreeSWITCH has no SIP profile {self._settings.profile}.",)
        return ()

    def close(self) -> None:
        """There is nothing to let go of."""


def _fitting(account: SipAccount, fields: Mapping[str, str]) -> Secret:
    """The hash that the phone used, the newest where none is: FreeSWITCH takes one, and checks it itself."""
    named = ("method", "uri", "nonce", "response", "qop", "cnonce", "nc")
    proof = Proof(**{name: fields.get(f"sip_auth_{name}", "") for name in named})
    ha1s = account.ha1s()
    return next((ha1 for ha1 in ha1s if proof.fits(ha1)), ha1s[0])


def _is_plain(address: Address) -> bool:
    return bool(_PLAIN.fullmatch(address.username) and _PLAIN.fullmatch(address.domain))


def _list(tag: str, texts: Mapping[str, str]) -> str:
    shown = {name: text for name, text in texts.items() if not xml.forbidden(text)}
    return "".join(f'<{tag} name="{name}" value="{xml.attribute(text)}"/>' for name, text in shown.items())
