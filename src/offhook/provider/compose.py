"""What one user gets, key by key, laid over each other in layers, and why each value is what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from offhook.core import accountxml, webservice
from offhook.core.diagnostics import Diagnostic
from offhook.core.mergeable import PROVIDER, Document, Settled, Value
from offhook.core.secret import Discreet, Secret
from offhook.provider import settling, template
from offhook.provider.sealing import Sealer, place_of
from offhook.provider.subscriber import SIP_PASSWORD, SIP_USERNAME, Override, Subscriber, username_key
from offhook.provider.tenant import Credential, Tenant

SIP: Final = "SIP credentials"
OVERRIDE: Final = "user"
INSTALL: Final = "install"
INSTALL_KEY: Final = "X-install-id"
STATUS: Final = "logout status"
LOGOUT_STATUS_KEY: Final = f"{webservice.REPROVISIONING}LogoutStatusCode"


class Grant(Discreet, frozen=True):
    """What one install gets for itself: its id, its token, and the password as it was typed.

    An install that asks `again` has its token. It is left out then, and what is left out stays (D5).
    """

    install_id: str
    token: Secret
    submitted: Secret = Secret("")
    again: bool = False

    def __str__(self) -> str:
        return self.install_id


class Composition(Discreet, frozen=True):
    """The account of one user: each key with its value, what it beat, and a sentence of why."""

    document: Document
    reasons: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...] = ()

    def sip_credentials(self) -> tuple[str, Secret]:
        """The SIP username and password, wherever they come from; empty when there are none."""
        return self.document.text(SIP_USERNAME), Secret(self.document.text(SIP_PASSWORD))

    def dumps(self) -> bytes:
        """The answer. Equal settings give equal bytes; a value with a rank of its own says so."""
        return accountxml.dumps(self.document.values(), rank=PROVIDER).encode()

    def __str__(self) -> str:
        return f"{len(self.document.keys)} keys"


class Composer(msgspec.Struct, frozen=True):
    """Lays the template, the SIP credentials, the user's own settings and the install over each other, in this order.

    A later layer wins whatever priority an earlier one asks the phone for: the priority is for the phone to judge by.
    """

    sealer: Sealer

    def compose(self, tenant: Tenant, subscriber: Subscriber, grant: Grant) -> Composition:
        """The account of this user on this install. Raises Unavailable when a secret of theirs cannot be opened."""
        laying = _Laying()
        if tenant.former_statuses:
            status = Value(str(tenant.logout_status), PROVIDER, STATUS)
            laying.lay(LOGOUT_STATUS_KEY, status, "The status that logs phones out was changed.")
        asked = template.parse(tenant.template)
        values = self._values(tenant, subscriber, grant, asked)
        for key, value in asked.fill(values).items():
            laying.lay(key, value, _why_template(asked.entries[key].columns, values))
        if laying.lacks(SIP_USERNAME) and SIP_USERNAME in subscriber.attributes:
            username = Value(subscriber.attributes[SIP_USERNAME], PROVIDER, SIP)
            laying.lay(SIP_USERNAME, username, "The user's SIP username.")
        if laying.lacks(SIP_PASSWORD) and SIP_PASSWORD in subscriber.secrets:
            password = Value(self._open(subscriber, SIP_PASSWORD), PROVIDER, SIP)
            laying.lay(SIP_PASSWORD, password, "The user's SIP password.")
        for key in subscriber.overrides:
            override = settling.open_override(subscriber, key, self.sealer)
            laying.lay(
                key, Value(override.value, override.sent_rank, OVERRIDE, override.markup), _why_override(override)
            )
        for key, text, why in _install(tenant, subscriber, grant):
            laying.lay(key, Value(text, PROVIDER, INSTALL), why)
        return Composition(Document(laying.keys), laying.reasons, (*asked.diagnostics, *asked.unfilled(values)))

    def _values(
        self, tenant: Tenant, subscriber: Subscriber, grant: Grant, asked: template.Template
    ) -> Mapping[str, str]:
        """What the placeholders stand for; only those secrets are opened that the template asks for."""
        columns = asked.columns
        opened = {name: self._open(subscriber, name) for name in subscriber.secrets if name in columns}
        built_in = {
            "cloud_username": subscriber.username,
            "cloud_password": _credential(tenant, grant),
            "cloud_id": tenant.cloud_id,
        }
        return {**subscriber.attributes, **opened, **built_in}

    def _open(self, subscriber: Subscriber, name: str) -> str:
        place = place_of(subscriber.cloud_id, username_key(subscriber.username), name)
        return self.sealer.open(subscriber.secrets[name], place).reveal()


class _Laying:
    """Keys as they are being laid."""

    def __init__(self) -> None:
        self.keys: dict[str, Settled] = {}
        self.reasons: dict[str, str] = {}

    def lacks(self, key: str) -> bool:
        return key not in self.keys

    def lay(self, key: str, value: Value, why: str) -> None:
        """Set a key; what it had before is remembered as beaten."""
        earlier = self.keys.get(key)
        self.keys[key] = Settled(value, (earlier.value, *earlier.replaced) if earlier else ())
        self.reasons[key] = why


def _credential(tenant: Tenant, grant: Grant) -> str:
    """What `{cloud_password}` stands for (D20); nothing where the app authenticates with its SIP credentials."""
    match tenant.credential:
        case Credential.TOKEN:
            return grant.token.reveal()
        case Credential.PASSWORD:
            return grant.submitted.reveal()
        case Credential.SIP:
            return ""


def _install(tenant: Tenant, subscriber: Subscriber, grant: Grant) -> Iterator[tuple[str, str, str]]:
    if tenant.credential is Credential.TOKEN:
        yield "cloud_username", subscriber.username, "The name that goes with the token."
        if not grant.again:
            yield (
                "cloud_password",
                grant.token.reveal(),
                "A token of this install alone, in place of the user's password.",
            )
    yield INSTALL_KEY, grant.install_id, "Names this install."


def _why_template(columns: tuple[str, ...], values: Mapping[str, str]) -> str:
    filled = [f"{{{column}}}" for column in columns if column in values]
    if not filled:
        return "The template says so for every user."
    return f"The template says so, with {' and '.join(filled)} of this user."


def _why_override(override: Override) -> str:
    author = f" by {override.author}" if override.author else ""
    day = f" on {datetime.fromtimestamp(override.changed_s, UTC):%Y-%m-%d}" if override.changed_s else ""
    kept = f" {settling.why_kept(override.former)}." if override.former is not None else ""
    return f"Set for this user alone{author}{day}.{kept}"
