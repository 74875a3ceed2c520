"""The operator's own system: each wish is a signed request, each answer a JSON object, as an OpenAPI page says."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any, Final, TypeVar

import msgspec

from offhook.core.errors import NotFound, OffhookError, Unavailable
from offhook.core.secret import Discreet, Secret
from offhook.outgoing import webhook
from offhook.provider.sipaccounts import Address, KeptAccount, SipAccount
from offhook.sip.settings import Webhook as Settings

MOST_AT_ONCE: Final = 200


class AccountWanted(Discreet, frozen=True):
    """The account as it is to be. A password is good when its HA1 is among `ha1s`: MD5 of username:domain:password."""

    username: str
    domain: str
    ha1s: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    display_name: str = ""

    def __str__(self) -> str:
        return f"{self.username}@{self.domain}"


class Named(msgspec.Struct, frozen=True):
    """An account by its name."""

    username: str
    domain: str


class Several(msgspec.Struct, frozen=True):
    """Accounts by their names."""

    accounts: tuple[Named, ...]


class Found(msgspec.Struct, frozen=True):
    """Whether there is such an account."""

    found: bool


class AccountFound(Discreet, frozen=True):
    """The account as it is, if it is; what the system does not tell is null or left out."""

    found: bool
    enabled: bool = False
    ha1s: tuple[str, ...] | None = None
    aliases: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{'found' if self.found else 'not found'}, {'enabled' if self.enabled else 'disabled'}"


class Registration(msgspec.Struct, frozen=True):
    """Whether an account is registered now."""

    username: str
    domain: str
    registered: bool


class Registrations(msgspec.Struct, frozen=True):
    """The accounts of which it is known."""

    accounts: tuple[Registration, ...] = ()


class Nothing(msgspec.Struct, frozen=True):
    """An answer in which nothing is looked for."""


# Each kind of request: what it says, what is answered, and what it asks for.
MESSAGES: Final[Mapping[str, tuple[type[msgspec.Struct], type[msgspec.Struct], str]]] = {
    "sip.ensure": (AccountWanted, Nothing, "Make the account, enable it, and let it be just as it is said here."),
    "sip.rotate": (AccountWanted, Found, "As sip.ensure, for an account that is there; its registrations stay."),
    "sip.disable": (Named, Nothing, "Accept no password of the account, and remove its registrations."),
    "sip.remove": (Named, Nothing, "Remove the account, its aliases and its registrations."),
    "sip.look_up": (Named, AccountFound, "Tell how the account is."),
    "sip.registered": (Several, Registrations, "Tell which of the accounts are registered now."),
}
A = TypeVar("A", bound=msgspec.Struct)


class Webhook:
    """The port over signed requests. That nothing happens twice is what the receiver promises, by `webhook-id`."""

    def __init__(self, settings: Settings) -> None:
        self._asking = webhook.Webhook(settings)

    def ensure(self, account: SipAccount, key: str) -> None:
        """One request; Refused is passed on."""
        self._ask("sip.ensure", _wanted(account), key, Nothing)

    def rotate(self, account: SipAccount, key: str) -> None:
        """One request; Refused is passed on."""
        if not self._ask("sip.rotate", _wanted(account), key, Found).found:
            raise NotFound(f"The SIP system has no account {account.address}.")

    def disable(self, address: Address, key: str) -> None:
        """One request; that there is no such account is no fault."""
        self._ask("sip.disable", _named(address), key, Nothing)

    def remove(self, address: Address, key: str) -> None:
        """One request; that there is no such account is no fault."""
        self._ask("sip.remove", _named(address), key, Nothing)

    def look_up(self, address: Address) -> KeptAccount | None:
        """What it answers."""
        said = self._ask("sip.look_up", _named(address), _no_key(), AccountFound)
        if not said.found:
            return None
        ha1s = None if said.ha1s is None else tuple(map(Secret, said.ha1s))
        aliases = None if said.aliases is None else tuple(sorted(said.aliases))
        return KeptAccount(address, enabled=said.enabled, ha1s=ha1s, aliases=aliases)

    def registered(self, addresses: Collection[Address]) -> Mapping[Address, bool]:
        """What it answers, asked for some at a time; what was not asked for is passed over."""
        ordered = list(addresses)
        known: dict[Address, bool] = {}
        for start in range(0, len(ordered), MOST_AT_ONCE):
            some = Several(tuple(map(_named, ordered[start : start + MOST_AT_ONCE])))
            said = self._ask("sip.registered", some, _no_key(), Registrations)
            known.update({Address(one.username, one.domain): one.registered for one in said.accounts})
        return {address: known[address] for address in ordered if address in known}

    def faults(self) -> tuple[str, ...]:
        """What is wrong with how it is set up: it is asked for an account that nobody has."""
        try:
            self.look_up(Address("offhook-asks", "invalid"))
        except OffhookError as error:
            return (error.text,)
        return ()

    def close(self) -> None:
        """There is nothing to let go of."""

    def _ask(self, kind: str, content: msgspec.Struct, key: str, answer: type[A]) -> A:
        # Hooks of the same operator may have the same address, and keys of their own.
        said = self._asking.ask(kind, msgspec.to_builtins(content), f"sip-{key}")
        try:
            return msgspec.convert(said, answer)
        except msgspec.ValidationError as error:
            raise Unavailable(f"The SIP system answered {kind} with something else: {error}.") from None


def _wanted(account: SipAccount) -> AccountWanted:
    ha1s = tuple(ha1.reveal() for ha1 in account.ha1s())
    named = account.address
    return AccountWanted(named.username, named.domain, ha1s, tuple(sorted(set(account.aliases))), account.display_name)


def _named(address: Address) -> Named:
    return Named(address.username, address.domain)


def _no_key() -> str:
    """A question changes nothing, so it is a new one each time."""
    return uuid.uuid4().hex


def openapi() -> dict[str, Any]:
    """The description of all requests and answers in OpenAPI 3.1: as webhooks, since the operator's side serves."""
    kinds = {part for request, answer, _ in MESSAGES.values() for part in (request, answer)}
    _, schemas = msgspec.json.schema_components(
        sorted(kinds, key=lambda kind: kind.__name__), ref_template="#/components/schemas/{name}"
    )
    headers = {
        "webhook-id": "The operation: whoever has seen it answers as before, and does nothing more.",
        "webhook-timestamp": "When it was sent, in seconds since 1970: refuse what is older than five minutes.",
        "webhook-signature": "v1, and the HMAC-SHA256 of id.timestamp.body in base64 (Standard Webhooks).",
    }
    named = [
        {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in headers.items()
    ]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SIP accounts in a system of your own",
            "version": "1",
            "description": "Offhook sends these requests, each signed, with POST to the one address that you name.",
        },
        "webhooks": {kind: {"post": _operation(kind, named)} for kind in MESSAGES},
        "components": {"schemas": schemas},
    }


def _operation(kind: str, headers: list[dict[str, Any]]) -> dict[str, Any]:
    request, answer, summary = MESSAGES[kind]
    body = {
        "type": "object",
        "required": ["type", "data"],
        "properties": {"type": {"const": kind}, "data": {"$ref": f"#/components/schemas/{request.__name__}"}},
    }
    message = {
        "type": "object",
        "required": ["message"],
        "properties": {"message": {"type": "string", "maxLength": webhook.MAX_MESSAGE}},
    }
    never = {"description": "Never: the message is shown.", "content": {"application/json": {"schema": message}}}
    answered = {"application/json": {"schema": {"$ref": f"#/components/schemas/{answer.__name__}"}}}
    return {
        "summary": summary,
        "parameters": headers,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "It is so, or was so already.", "content": answered},
            **{str(status): never for status in sorted(webhook.NO)},
            "default": {"description": "Nobody knows: it is asked again, with the same webhook-id."},
        },
    }
