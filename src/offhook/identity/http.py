"""A service of the operator's as an upstream: asked over HTTP with name and password, it answers with JSON."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx2
import msgspec

from offhook.core.errors import OffhookError, Refused, Unavailable
from offhook.core.secret import Secret
from offhook.identity.asking import Deadline, Told, Untold, kept, may_be, named, silent
from offhook.identity.certificates import context
from offhook.identity.settings import Http as Settings
from offhook.identity.tries import Tries
from offhook.provider.upstream import Vouched

DOWN: Final = "Your provider's user service does not answer. Please try again later."
SAYS_NO: Final = "Your provider does not let you in."
MAX_ANSWER_BYTES: Final = 256 * 1024
MAX_MESSAGE: Final = 500
NOBODY: Final = "offhook-asks-for-nobody"


class Http:
    """The port over HTTP. One request for each question, never repeated, and no redirect is followed."""

    def __init__(self, settings: Settings, told: Told = silent) -> None:
        self._settings, self._told = settings, told
        self._tries = Tries(settings.wrong_most, settings.wrong_rest_s)

    def vouch(self, username: str, password: Secret) -> Vouched | None:
        """POST with name and password as the settings say."""
        typed = password.reveal()
        if not may_be(username, typed) or (self._settings.send == "basic" and ":" in username):
            return None
        body, headers = self._request(username, typed)
        with self._tries.one(username) as trying:
            found = self._understood(username, *self._answer("POST", self._settings.url, body, headers))
            trying.right = found is not None
            return found

    def look_up(self, username: str) -> Vouched | None:
        """GET of `look_up_url`, where there is one."""
        if not self._settings.look_up_url:
            raise Untold("This user service tells nothing without the password: it has no look_up_url.")
        if not may_be(username):
            return None
        url = self._settings.look_up_url.replace("{username}", quote(username, safe=""))
        status, read = self._answer("GET", url, b"", {})
        if status in self._settings.refused and self._message(read) is None:
            # It may be us who may not ask: that must not log everybody out.
            raise Untold("Your provider's user service refuses to tell of this user, and does not say why.")
        return self._understood(username, status, read)

    def faults(self) -> tuple[str, ...]:
        """Whether it says no to somebody whom nobody can be."""
        try:
            found = self.vouch(NOBODY, Secret(NOBODY))
        except Refused:
            return ()
        except OffhookError as error:
            return (error.text,)
        return () if found is None else (f"It vouches for {NOBODY}, with any password: look at yes, no and verdict.",)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _request(self, username: str, password: str) -> tuple[bytes, dict[str, str]]:
        settings = self._settings
        if settings.send == "basic":
            pair = base64.b64encode(f"{username}:{password}".encode()).decode()
            return b"", {"authorization": f"Basic {pair}"}
        values = {"{username}": username, "{password}": password}
        fields = {name: values.get(text, text) for name, text in settings.sent.items()}
        if settings.send == "form":
            return urlencode(fields).encode(), {"content-type": "application/x-www-form-urlencoded"}
        return msgspec.json.encode(fields), {"content-type": "application/json"}

    def _answer(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        settings, deadline = self._settings, Deadline(self._settings.timeout_s)
        fixed = {name: value.reveal() for name, value in settings.headers.items()}
        try:
            with (
                httpx2.Client(verify=context(settings.ca_file), timeout=deadline.left_s(), trust_env=False) as client,
                client.stream(
                    method, url, content=body, headers={"accept": "application/json", **fixed, **headers}
                ) as answer,
            ):
                read = b""
                for piece in answer.iter_bytes():
                    read += piece
                    deadline.left_s()
                    if len(read) > MAX_ANSWER_BYTES:
                        self._told(f"{method} {url}: more than {MAX_ANSWER_BYTES:,} bytes")
                        raise Unavailable(DOWN)
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, UnicodeError) as error:
            self._told(f"{method} {url}: {type(error).__name__}")
            raise Unavailable(DOWN) from None
        self._told(f"{method} {url}: {answer.status_code}, {len(read):,} bytes")
        return answer.status_code, read

    def _message(self, read: bytes) -> str | None:
        """What is to be told to the person, if anything."""
        message = _at(_decoded(read), self._settings.message)
        return message[:MAX_MESSAGE] if isinstance(message, str) and message else None

    def _understood(self, username: str, status: int, read: bytes) -> Vouched | None:
        settings = self._settings
        if status in settings.no:
            return None
        if status in settings.refused:
            raise Refused(self._message(read) or SAYS_NO)
        if status not in settings.yes:
            self._told("  this status is in none of yes, no and refused")
            raise Unavailable(DOWN)
        content = _decoded(read)
        wanted = (settings.verdict, settings.username, settings.groups, *settings.attributes.values())
        if content is None and any(wanted):
            self._told("  the answer is no JSON")
            raise Unavailable(DOWN)
        if settings.verdict:
            verdict = _at(content, settings.verdict)
            self._told(f"  {settings.verdict} is {_shown(verdict)}")
            if verdict is False:
                return None
            if verdict is not True:
                # Anything but a clear word is none: a service that has changed must let nobody in, or out.
                raise Unavailable(DOWN)
        return self._vouched(username, content)

    def _vouched(self, username: str, content: object) -> Vouched:
        settings = self._settings
        name = _text(_at(content, settings.username)) if settings.username else username.strip().lower()
        if not name:
            self._told(f"  it has nothing at {settings.username}, which is to be the name")
            raise Untold("The user service tells no name of this user.")
        found = {path: _text(_at(content, path)) for path in settings.attributes.values()}
        groups = _at(content, settings.groups) if settings.groups else []
        if isinstance(groups, str):
            groups = groups.split(",")
        if not isinstance(groups, list):
            self._told(f"  at {settings.groups} there are no groups")
            groups = []
        names = [text.strip() for text in map(_text, groups) if text]
        return Vouched(name, named(found, settings.attributes), kept(names, settings.groups_like))


def _decoded(read: bytes) -> object:
    try:
        return msgspec.json.decode(read)
    except (msgspec.DecodeError, RecursionError):
        return None


def _at(content: object, path: str) -> Any:  # noqa: ANN401 - whatever JSON says
    """What is at a path such as "user.mail" or "users.0.mail"; None where there is nothing."""
    for step in path.split("."):
        if isinstance(content, dict):
            content = content.get(step)
        elif isinstance(content, list) and step.isdecimal() and int(step) < len(content):
            content = content[int(step)]
        else:
            return None
    return content


def _text(value: object) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case _:
            return None


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "neither true nor false"
