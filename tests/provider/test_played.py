"""Played requests: files that an operator can read. Who is there, what is asked, a line of dashes, what is answered.

A new case is a new file under tests/golden/provider; nothing else is needed. Lines that begin with `| ` are a
request's body. `wait 5` sets the clock forward; `set johndow allowMessage 0` sets an override, `suspend johndow`,
`remove johndow` and `expire johndow` are about a user, `revoke ID` is about an install.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from offhook.core.dialplan import QuickDials
from offhook.provider.change import Change
from offhook.provider.subscriber import Override
from offhook.provider.tenant import Tenant
from offhook.web.http import Answer, Call
from tests.world_directory import directory_of
from tests.world_provider import Provider

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "provider"
_DASHES: Final = re.compile(r"^-{3,}$", re.MULTILINE)
_REQUEST: Final = re.compile(r"(GET|HEAD|POST|PUT|DELETE|OPTIONS) (/[^ ?]*)(?:\?(.*))?")
_FIRST_REQUEST: Final = re.compile(rf"^(?={_REQUEST.pattern})", re.MULTILINE)
_SHOWN_HEADERS: Final = ("Allow", "Retry-After")
_VALIDATORS: Final = ("Last-Modified", "ETag")
_FILES: Final = sorted(GOLDEN.glob("*.txt"))


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        yield provider


@pytest.mark.parametrize("path", _FILES, ids=lambda path: str(path.stem))
def test_played_requests(path: Path, provider: Provider) -> None:
    """Each file says what it shows, and its requests are answered as it says."""
    above, expected = _DASHES.split(path.read_text(encoding="utf-8"), maxsplit=1)
    sentence, _, given = above.partition("\n\n")
    setup, requests = _FIRST_REQUEST.split(given, maxsplit=1)[0], given[_start(given) :]
    _prepare(provider, tomllib.loads(setup))

    answers = _play(provider, requests.strip("\n").splitlines())

    assert sentence.endswith(".")
    assert answers == expected.strip("\n")


def _start(given: str) -> int:
    found = _FIRST_REQUEST.search(given)
    assert found is not None
    return found.start()


def _prepare(provider: Provider, setup: dict[str, Any]) -> None:
    for cloud_id, tenant in setup.get("tenant", {}).items():
        provider.has_tenant(msgspec.convert({"cloud_id": cloud_id, **tenant}, Tenant))
    for name, user in setup.get("user", {}).items():
        overrides = {
            key: msgspec.convert(value, Override) if isinstance(value, dict) else str(value)
            for key, value in user.pop("overrides", {}).items()
        }
        quick_dials = msgspec.convert(user.pop("quick_dials", {}), QuickDials)
        provider.has_user(name, user.pop("cloud_password"), overrides=overrides, quick_dials=quick_dials, **user)


def _play(provider: Provider, lines: list[str]) -> str:
    answers: list[str] = []
    while lines:
        line = lines.pop(0)
        verb, _, rest = line.partition(" ")
        if verb == "wait":
            provider.clock.time_s += int(rest)
        elif verb in _ADMINISTRATION:
            _ADMINISTRATION[verb](provider, directory_of(provider), *rest.split())
        elif line:
            request = _request(line, lines)
            answers.append(_shown(request, provider.call(request)))
    return "\n\n".join(answers)


_ADMINISTRATION: Final[dict[str, Callable[..., object]]] = {
    "set": lambda _, directory, name, key, text: directory.change(
        "EXAMPLE", name, Change(overrides={key: Override(text)})
    ),
    "suspend": lambda _, directory, name: directory.suspend("EXAMPLE", name),
    "remove": lambda _, directory, name: directory.remove("EXAMPLE", name),
    "expire": lambda provider, directory, name: directory.change(
        "EXAMPLE", name, Change(expires_s=provider.clock.now_s())
    ),
    "revoke": lambda provider, _, install_id: provider.installs_desk.revoke(install_id),
}


def _request(line: str, following: list[str]) -> Call:
    found = _REQUEST.fullmatch(line)
    assert found is not None, line
    headers, body = {}, []
    while following and (header := re.fullmatch(r"([A-Za-z-]+): (.*)", following[0])):
        headers[header[1].lower()] = header[2]
        following.pop(0)
    while following and following[0].startswith("| "):
        body.append(following.pop(0).removeprefix("| "))
    return Call(found[1], found[2], found[3] or "", headers, "\n".join(body).encode())


def _shown(request: Call, answer: Answer) -> str:
    """The validators only where somebody asks again, since they differ with all that is composed."""
    names = (*_SHOWN_HEADERS, *(_VALIDATORS if request.path.endswith("/again") else ()))
    headers = [f"{name}: {answer.headers[name]}" for name in names if name in answer.headers]
    return "\n".join((str(answer.status), *headers, answer.body.decode().rstrip("\n"))).rstrip("\n")
