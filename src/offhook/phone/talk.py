"""Talking with a portal and the services that it names: questions asked, answers accepted, what was tolerated kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from offhook.core import accountxml, signing, theme, webservice, xml
from offhook.core.base import Base
from offhook.core.diagnostics import Diagnostic
from offhook.core.login import CloudId
from offhook.core.placeholders import Scope
from offhook.core.webservice import Request, Response
from offhook.phone import stopped, trust
from offhook.phone.commands import Answer, Fetch, Flow, KeepTrust, NoAnswer, Remark, Skip, fetch, fetch_all
from offhook.phone.device import Device
from offhook.phone.portal import Portal
from offhook.phone.saved import Validator
from offhook.phone.stopped import Stopped, usable
from offhook.phone.trust import Trust

KEY: Final = "portal key"
BASE: Final = "base"
THEME: Final = "theme"
SCREEN: Final = "screen"
GLOBAL_PART: Final = "global part"
ACCOUNT_PART: Final = "account part"

_PARTS_OF_AN_APP: Final = frozenset({BASE, THEME, SCREEN})
_LIMITS: Final[Mapping[str, int]] = {KEY: 4096, THEME: theme.MAX_BYTES}
_TYPES: Final[Mapping[str, frozenset[str]]] = {
    KEY: frozenset({"text/plain"}),
    THEME: frozenset({theme.CONTENT_TYPE}),
    SCREEN: frozenset({"application/json"}),
}


class Talk:
    """One conversation of one device."""

    def __init__(self, portal: Portal, device: Device, *, strict: bool = False) -> None:
        self.portal, self.device, self.strict = portal, device, strict
        self.remarks: list[Diagnostic] = []
        self.validators: dict[str, Validator] = {}

    @contextmanager
    def noted(self) -> Iterator[None]:
        """When the conversation inside stops early, the error tells what had been tolerated until then."""
        try:
            yield
        except Stopped as early:
            early.remarks = tuple(self.remarks)
            raise

    def trust(self, known: Trust) -> Flow[Trust]:
        """What is known, with the portal's own word for its key when the phone sees that for the first time.

        From then on it is pinned, whatever becomes of this conversation.
        """
        if known.key:
            return known
        (answer,) = yield from self.ask(question(self.device, KEY, Request("GET", self.portal.key_url)))
        with usable(KEY, answer.status):
            key = signing.public_text(signing.parse_public(answer.body.decode("ascii", "replace")))
        yield KeepTrust(self.portal.url, Trust(key))
        yield Remark(Diagnostic(KEY, f"was seen for the first time and is trusted from now on: {key}"))
        return Trust(key, known.newest)

    def parts(self, cloud_id: CloudId, known: Trust, *names: str) -> Flow[tuple[Response, ...]]:
        """Parts of an app, all at once since the Cloud ID alone addresses them: signed with the pinned key, not old."""
        asked = (question(self.device, name, Request("GET", self.portal.part_url(cloud_id, name))) for name in names)
        answers = yield from self.ask(*asked)
        for name, answer in zip(names, answers, strict=True):
            with usable(name, answer.status, stopped.NOT_GENUINE):
                trust.believe(answer, cloud_id, name, known)
        for name, answer in zip(names, answers, strict=True):
            yield KeepTrust(self.portal.url, trust.of_answer(answer, cloud_id, name, known.key))
        return answers

    def call(self, service: str, prefix: str, received: Base, scope: Scope) -> Flow[Response | None]:
        """The answer of a service that the portal defines, or None when it defines none."""
        definition = webservice.define(prefix, lambda key: received.services.get(key, ""))
        if definition is None:
            yield Skip(service, "the portal names no such service")
            return None
        with usable(service):
            prepared = webservice.prepare(definition, scope, strict=self.strict)
        self.remarks.extend(prepared.diagnostics)
        (answer,) = yield from self.ask(question(self.device, service, prepared.request))
        return answer

    def ask(self, *questions: Fetch) -> Flow[tuple[Response, ...]]:
        """The answers, all of them 2xx; anything else stops the conversation (D7)."""
        if len(questions) == 1:
            answers: tuple[Answer, ...] = ((yield from fetch(questions[0])),)
        else:
            answers = yield from fetch_all(*questions)
        return tuple(self._accepted(asked.service, answer) for asked, answer in zip(questions, answers, strict=True))

    def _accepted(self, service: str, answer: Answer) -> Response:
        if isinstance(answer, NoAnswer):
            raise stopped.unanswered(service, answer)
        if not 200 <= answer.status < 300:
            unknown_app = answer.status == 404 and service in _PARTS_OF_AN_APP
            raise stopped.declined(service, answer, stopped.UNKNOWN_APP if unknown_app else stopped.GENERIC)
        self._look_at_type(service, answer.header("content-type"))
        self.validators[service] = Validator.of(answer)
        return answer

    def _look_at_type(self, service: str, written: str) -> None:
        right = _TYPES.get(service, accountxml.ACCEPTED_TYPES)
        if written.partition(";")[0].strip().lower() not in right:
            wanted = " or ".join(sorted(right))
            remark = f"came as {written[:80]!r} where {wanted} belongs, and was read nevertheless"
            self.remarks.append(Diagnostic(service, remark))


def question(device: Device, service: str, request: Request) -> Fetch:
    """A request of this device to a service, with the limit of its answers."""
    return Fetch(service, device.dress(request), _LIMITS.get(service, xml.MAX_BYTES))
