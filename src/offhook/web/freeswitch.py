"""The face to FreeSWITCH: the questions of its mod_xml_curl, answered with users of its directory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final, Protocol

from offhook.core.errors import Invalid, Unavailable
from offhook.web import parameters
from offhook.web.app import error_answer
from offhook.web.http import Answer, Call, Handler

PATH: Final = "/sip/{system}/directory"
_HEADERS: Final = {"Content-Type": "text/xml; charset=utf-8", "Cache-Control": "no-store"}
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="directory"'}


class Directory(Protocol):
    """What answers for one SIP system."""

    def admits(self, authorization: str, client: str) -> bool:
        """Whether a request with this header, from this address, may ask."""

    def answer(self, fields: Mapping[str, str]) -> bytes:
        """The document for these fields; it reads a database. Raises Unavailable."""


def endpoints(directories: Mapping[str, Directory]) -> dict[str, Handler]:
    """The handler by its path, for the systems by their names; none where there is no such system."""
    return {PATH: partial(_directory, directories)} if directories else {}


async def _directory(directories: Mapping[str, Directory], call: Call) -> Answer:
    """One question. Who may not ask is told the same whether there is such a system or not."""
    found = directories.get(call.parameters["system"])
    if found is None or not found.admits(call.headers.get("authorization", ""), call.client):
        return error_answer(401, "This address is for a SIP system, which says who it is.", _CHALLENGE)
    if call.method != "POST":
        return error_answer(405, "This address takes POST.", {"Allow": "POST"})
    if refusal := parameters.objection(call):
        return refusal
    try:
        fields = parameters.read(call)
        return Answer(200, _HEADERS, await asyncio.to_thread(found.answer, fields))
    except Invalid as error:
        return error_answer(400, error.text)
    except Unavailable as error:
        return error_answer(503, error.text, {"Retry-After": str(error.retry_after_s)})
