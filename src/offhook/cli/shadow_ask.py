"""Asking two services the same, as an app would that signs in: over the network, or in this process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec

from offhook.core import shadow, webservice
from offhook.core.errors import Invalid, Refused
from offhook.core.login import CloudId, Login
from offhook.core.placeholders import Scope
from offhook.core.secret import Secret
from offhook.core.shadow import Account, Failure, Said
from offhook.core.webservice import Definition, Request, Response, is_loopback
from offhook.phone.commands import Fetch, NoAnswer
from offhook.phone.device import Device
from offhook.phone.living import Network
from offhook.provider.definitions import ACCOUNT_PATH, GLOBAL_PATH, definitions
from offhook.provider.tenant import Tenant
from offhook.web.http import Call, Handler

# The parameters of the example in the documents of external provisioning.
PARAMETERS: Final = "cloud_username=%username%&cloud_password=%password%&cloud_id=%fullcode%&initialScreen=1"
# For whoever reads the other service's log.
DEVICE: Final = Device(install_id="offhook-shadow")
_USER: Final = re.compile(r"%username%")
_ANYBODY: Final = Login(CloudId("EXAMPLE"), "somebody", Secret("password"))


class Service(Protocol):
    """Who is asked."""

    async def ask(self, login: Login) -> Said:
        """What it says to this user."""


class Wanted(msgspec.Struct, frozen=True):
    """How a service is asked, as an operator writes it: its URL may be bare, and gets the usual parameters then."""

    url: str
    method: str = ""
    post_data: str = ""
    content_type: str = ""
    headers: str = ""
    timeout_s: int = webservice.DEFAULT_TIMEOUT_S

    def at(self, url: str) -> Wanted:
        """The same at another address."""
        return msgspec.structs.replace(self, url=url)

    def definition(self, prefix: str) -> Definition:
        """The web service definition; raises Invalid, and Refused when a password would travel in the open (D4)."""
        url, body = self.url, self.post_data
        if not any(map(_USER.search, (url, body, self.headers))):
            if self.content_type and not body:
                raise Invalid.at("--content-type", "says what the body is, so give that, too: --post-data")
            if self.method.upper() == "POST" and not body:
                body = PARAMETERS
            elif not body:
                url = f"{url}{'&' if '?' in url else '?'}{PARAMETERS}"
        written = {
            f"{prefix}Url": url,
            f"{prefix}Method": self.method,
            f"{prefix}PostData": body,
            f"{prefix}ContentType": self.content_type,
            f"{prefix}CustomHeaders": self.headers,
            f"{prefix}Timeout": str(self.timeout_s),
        }
        definition = webservice.define(prefix, lambda key: written.get(key, ""))
        if definition is None:
            raise Invalid.at("URL", "is empty")
        return _checked(definition)


def _checked(definition: Definition) -> Definition:
    """What an app would tolerate is a fault here: many questions would be asked in vain."""
    try:
        prepared = webservice.prepare(definition, _scope(_ANYBODY), strict=False)
    except Invalid as error:
        faults = (msgspec.structs.replace(one, place=_option(one.place, definition)) for one in error.faults)
        raise Invalid(*faults) from None
    place = urlsplit(prepared.request.url)
    if place.scheme.lower() != "https" and not is_loopback(place.hostname or ""):
        raise Refused(
            f"{prepared.request.place} is not https, and every question holds a user's password: an app would send "
            "asterisks there. Use https, or run this on the machine of the service and ask http://127.0.0.1."
        )
    for remark in prepared.diagnostics:
        raise Invalid.at(_option(remark.place, definition), remark.text)
    if not any(_USER.search(template) for template in definition.templates):
        raise Invalid.at("URL", "nothing in this question names the user; put %username% and %password% where they go")
    return definition


def _option(place: str, definition: Definition) -> str:
    """The option that a key of the definition was given with."""
    options = {"Url": "URL", "PostData": "--post-data", "ContentType": "--content-type", "CustomHeaders": "--header"}
    suffix = place.removeprefix(definition.prefix).partition(",")[0]
    return options.get(suffix, f"--{suffix.lower()}")


class Pace:
    """So many questions a second, evenly; what was missed is not made up for."""

    def __init__(self, per_s: float) -> None:
        self._gap_s, self._next_s = 1 / per_s, 0.0

    async def turn(self) -> None:
        """Wait until the next question may be asked."""
        now_s = asyncio.get_running_loop().time()
        due_s = max(now_s, self._next_s)
        self._next_s = due_s + self._gap_s
        await asyncio.sleep(due_s - now_s)


class Remote:
    """A service somewhere else."""

    def __init__(self, network: Network, account: Definition, common: Definition | None, rate: float) -> None:
        self._network, self._account, self._common, self._pace = network, account, common, Pace(rate)

    async def ask(self, login: Login) -> Said:
        """As a `Service`; asks for the global part only when there is an account to go with it."""
        secrets = (login.password.reveal(),)
        answer = await self._answer(self._account, login)
        said = answer if isinstance(answer, Failure) else shadow.heard(answer, secrets)
        if self._common is None or not isinstance(said, Account):
            return said
        answer = await self._answer(self._common, login)
        return answer if isinstance(answer, Failure) else shadow.heard_common(answer, said, secrets)

    async def _answer(self, definition: Definition, login: Login) -> Response | Failure:
        try:
            request = DEVICE.dress(webservice.prepare(definition, _scope(login)).request)
        except Invalid as error:
            return Failure(f"could not be asked: {error.text}")
        await self._pace.turn()
        answer = await self._network.ask(Fetch("account part", request))
        if isinstance(answer, NoAnswer):
            return Failure(f"{answer.why.value}{f': {answer.detail}' if answer.detail else ''}")
        return answer


class Here:
    """Our own answers out of a data folder. They are asked for with HEAD, and so nothing is kept of it."""

    def __init__(self, handlers: Mapping[str, Handler], tenant: Tenant, *, common: bool, timeout_s: float) -> None:
        self._handlers, self._tenant, self._common, self._timeout_s = handlers, tenant, common, timeout_s
        self._written = definitions(tenant, "http://localhost")

    async def ask(self, login: Login) -> Said:
        """As a `Service`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                said = shadow.heard(await self._answer(webservice.INITIAL, ACCOUNT_PATH, login))
                if not self._common or not isinstance(said, Account):
                    return said
                return shadow.heard_common(await self._answer(webservice.GLOBAL, GLOBAL_PATH, login), said)
        except TimeoutError:
            return Failure("no answer in time")

    async def _answer(self, prefix: str, path: str, login: Login) -> Response:
        request = self._form(prefix, login)
        call = Call(
            "HEAD",
            path,
            request.body.decode(),
            {name.lower(): text for name, text in DEVICE.dress(request).headers},
            # Whoever asks for many users is no stranger who guesses, so that each has an address of their own.
            client=f"shadow of {login.username}",
            parameters={"cloud_id": login.cloud_id.name},
        )
        answer = await self._handlers[path](call)
        return Response(answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.body)

    def _form(self, prefix: str, login: Login) -> Request:
        definition = webservice.define(prefix, lambda key: self._written.get(key, ""))
        assert definition is not None, "our own definitions have both services"
        return webservice.prepare(definition, _scope(login)).request


def _scope(login: Login) -> Scope:
    typed = {
        "username": login.username,
        "password": login.password.reveal(),
        "fullcode": login.cloud_id.full_code,
    }
    return Scope(names={**DEVICE.names(), **typed})
