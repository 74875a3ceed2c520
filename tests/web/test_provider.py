"""The face of the provider service: when refusals leave, what is too much, and that no secret gets out."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from offhook.core.errors import Fault, Invalid
from offhook.core.xml import forbidden
from offhook.provider.limits import Limits, Rate
from offhook.provider.tenant import Credential, Tenant
from offhook.web import parameters
from offhook.web.app import application
from offhook.web.events import EventLog
from offhook.web.http import MAX_BODY, Answer, Call
from offhook.web.outcomes import REFUSALS_EVERY_S
from offhook.web.provider import endpoints
from tests.world_provider import Provider, run

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
QUERY = {"cloud_id": "EXAMPLE", "cloud_username": "johndow", "cloud_password": "12345678"}
NO_LIMITS = Limits(Rate(10_000, 1), Rate(10_000, 1), Rate(10_000, 1))


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path, limits=NO_LIMITS)) as provider:
        provider.has_tenant(Tenant("EXAMPLE"))
        yield provider


# --- the time of refusals ---


@pytest.mark.parametrize("worked_s", [0.0, 0.02, 0.25, 0.4999, 0.5, 0.6, 7.3])
def test_refusals_leave_at_fixed_times(provider: Provider, worked_s: float) -> None:
    """However long the check took, a refusal leaves at a multiple of half a second after its request came."""
    provider.has_user("johndow@EXAMPLE")
    times = iter([0.0, worked_s])
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    face = endpoints(provider.sign_in, provider.noted, seconds=lambda: next(times), sleep=sleep)

    answer = run(face["/prov"](Call("GET", "/prov", urlencode({**QUERY, "cloud_password": "wrong"}))))

    left_s = worked_s + slept[0]
    assert answer.status == 403
    assert left_s / REFUSALS_EVERY_S == pytest.approx(round(left_s / REFUSALS_EVERY_S))
    assert worked_s < left_s <= worked_s + REFUSALS_EVERY_S


@pytest.mark.parametrize("kind", ["", "sealed:", "bcrypt:"])
def test_every_refusal_looks_and_costs_the_same(provider: Provider, kind: str) -> None:
    """A wrong password of whatever kind, a suspended user with a wrong one, and no such user at all."""
    provider.has_user("johndow@EXAMPLE", f"{kind}12345678")
    provider.suspend(provider.has_user("ann@EXAMPLE", f"{kind}12345678"))

    answers = [provider.signs_in(username=name, password="87654321") for name in ("johndow", "ann", "nobody")]

    assert answers[0] == answers[1] == answers[2]
    assert provider.slept[0] == provider.slept[1] == provider.slept[2] > 0


def test_only_refusals_wait(provider: Provider) -> None:
    """Who gets in, or sent nothing to check, is answered at once."""
    provider.has_user("johndow@EXAMPLE")

    provider.signs_in()
    provider.get("/prov")
    provider.signs_in(cloud_id="NOWHERE")

    assert provider.slept == []


# --- too much ---


def test_a_full_queue_is_said_so(tmp_path: Path) -> None:
    """When too many wait for their hash, the next is told when to come back, and that was no attempt of theirs."""
    limits = Limits(Rate(burst=3, every_s=1000), Rate(burst=3, every_s=1000))
    with closing(Provider(tmp_path, limits=limits, cores=1, waiting=1)) as provider:
        provider.has_tenant(Tenant("EXAMPLE"))
        for name in ("johndow", "ann", "bob", "eve", "joe"):
            provider.has_user(f"{name}@EXAMPLE")
        opened = threading.Event()
        provider.pool._threads.submit(opened.wait, 5)

        async def crowd() -> list[Answer]:
            calls = [
                Call("GET", "/prov", urlencode({**QUERY, "cloud_username": name})) for name in ("ann", "bob", "eve")
            ]
            asked = [asyncio.ensure_future(provider.handlers["/prov"](call)) for call in calls]
            await asyncio.sleep(0)
            again = [await provider.handlers["/prov"](Call("GET", "/prov", urlencode(QUERY))) for _ in range(5)]
            opened.set()
            return [*again, *await asyncio.gather(*asked)]

        answers = run(crowd())
        later = provider.signs_in()

    assert [answer.status for answer in answers] == [503] * 5 + [200, 200, 503]
    assert all(answer.headers["Retry-After"] == "5" for answer in answers[:5])
    assert later.status == 200


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (Call("GET", "/prov", "x=" + "y" * parameters.MAX_QUERY), 414),
        (Call("POST", "/prov", headers=FORM, body=b"x" * (MAX_BODY + 1)), 413),
        (Call("GET", "/prov", "&".join(f"p{n}=" for n in range(201))), 400),
        (Call("POST", "/prov", headers=JSON, body=b"[" * MAX_BODY), 400),
        (Call("POST", "/prov", headers=JSON, body=b'{"a":' * 9000 + b"1" + b"}" * 9000), 400),
        (Call("POST", "/prov", headers=JSON, body=b'{"a": ' + b"9" * 5000 + b"}"), 400),
        (Call("POST", "/prov", headers=JSON, body=b'{"cloud_username": "\\ud800"}'), 400),
        (Call("POST", "/prov", headers=JSON, body=b"\xff\xfe"), 400),
        (Call("POST", "/prov", headers=FORM, body=b"a=%ff"), 400),
        (Call("POST", "/prov", headers={"content-type": "multipart/form-data; boundary=x"}, body=b"--x"), 415),
        (Call("DELETE", "/prov"), 405),
    ],
)
def test_what_is_too_much_or_no_request(provider: Provider, call: Call, status: int) -> None:
    """Each gets its own status and an error document that an app can show."""
    answer = provider.call(call)

    assert answer.status == status
    assert etree.fromstring(answer.body).findtext("message")
    assert answer.headers["Cache-Control"] == "no-store"


# --- parameters ---

NAMES = st.text(min_size=1).filter(lambda text: not any("\ud800" <= character <= "\udfff" for character in text))
PAIRS = st.dictionaries(NAMES, NAMES, max_size=10)


@given(query=PAIRS, body=PAIRS, as_json=st.booleans())
def test_parameters_arrive_as_they_were_sent(query: dict[str, str], body: dict[str, str], as_json: bool) -> None:
    """In all scripts, from the query and from either kind of body, which wins."""
    encoded = json.dumps(body).encode() if as_json else urlencode(body).encode()

    read = parameters.read(Call("POST", "/prov", urlencode(query), JSON if as_json else FORM, encoded))

    assert read == query | body


@given(st.binary(max_size=200), st.sampled_from([FORM, JSON]))
def test_whatever_comes_is_read_or_refused(body: bytes, headers: dict[str, str]) -> None:
    """No body is a fault of ours."""
    faults: tuple[Fault, ...] = ()
    read: dict[str, str] = {}
    try:
        read = parameters.read(Call("POST", "/prov", headers=headers, body=body))
    except Invalid as error:
        faults = error.faults

    assert all(isinstance(text, str) for text in read.values())
    assert [fault.place for fault in faults] in ([], ["its body"])


# --- what must not get out ---

CANARY = "canary-4f1d"


def spread(cloud_id: str = "EXAMPLE", username: str = "johndow") -> list[Call]:
    """Requests with a secret in every place that a request has."""
    sent = {"cloud_id": cloud_id, "cloud_username": username, "cloud_password": CANARY}
    form = urlencode(sent).encode()
    return [
        Call("GET", "/prov", urlencode(sent)),
        Call("HEAD", "/prov", urlencode(sent)),
        Call("PUT", "/prov", urlencode(sent), FORM, form),
        Call("GET", "/prov/global", urlencode(sent)),
        Call("POST", "/prov", "", FORM, form),
        Call("POST", "/prov", "", JSON, json.dumps(sent).encode()),
        Call("POST", "/prov", "", JSON, json.dumps(sent).encode()[:-1]),
        Call("POST", "/prov", "", FORM, form + b"&cloud_password=" + CANARY.encode()),
        Call("POST", "/prov", "", FORM, form + b"&x=%ff" + CANARY.encode()),
        Call("POST", "/prov", CANARY, {"content-type": CANARY}, form),
        Call("POST", "/prov", f"{CANARY}={CANARY}&{CANARY}=", FORM, b""),
        *(Call("GET", "/prov", urlencode({**sent, name: CANARY})) for name in sent),
        *(Call("GET", "/prov", urlencode({**sent, name: f"%{CANARY}%"})) for name in sent),
        *(Call("GET", "/prov", urlencode({**sent, name: f"{CANARY}\0\n<{CANARY}>"})) for name in sent),
        *(Call("GET", "/prov", urlencode({**sent, name: CANARY * 500})) for name in sent),
        Call("GET", "/prov", urlencode({**sent, "install_id": CANARY, "installid": CANARY}), {"user-agent": CANARY}),
    ]


@pytest.mark.parametrize("kept", ["", "sealed:", "bcrypt:"])
@pytest.mark.parametrize("password", [CANARY, "another"])
def test_no_password_gets_out(
    provider: Provider, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], kept: str, password: str
) -> None:
    """A password in any place of any request, right or wrong, is in no event, log, error, answer or representation."""
    caplog.set_level(logging.DEBUG)
    provider.has_tenant(Tenant("SIP", credential=Credential.SIP))
    for cloud_id in ("EXAMPLE", "SIP"):
        provider.has_user(f"johndow@{cloud_id}", f"{kept}{password}")
    calls = [*spread(), *spread("SIP"), *spread("NOWHERE"), *spread(username="nobody")]

    answers = [provider.call(call) for call in calls]

    told = [repr(calls), repr(provider.noted.events), caplog.text, *capfd.readouterr()]
    told += [f"{answer.status} {answer.headers} {answer.body!r}" for answer in answers]
    told += [repr(part) for part in (provider.passwords, provider.sealer, provider.pool, provider.tokens)]
    assert {answer.status for answer in answers} >= {400, 403, 404, 405, 415}
    assert not [text for text in told if CANARY in text]


@pytest.mark.parametrize("broken", ["tenant", "subscriber", "install"])
def test_no_password_gets_out_of_a_fault(provider: Provider, broken: str) -> None:
    """Not even when something of ours breaks on the way: the log has a number and the lines, the caller the number."""
    user = provider.has_user("johndow@EXAMPLE", f"sealed:{CANARY}", secrets={"password": CANARY})
    stream = io.BytesIO()
    events = EventLog(stream, lambda: 1.0)
    handlers = endpoints(provider.sign_in, events, sleep=_at_once)
    damage = {
        "tenant": "UPDATE tenant SET settings = '{'",
        "subscriber": "UPDATE subscriber SET attributes = '[\"canary-4f1d\"]'",
        "install": "ALTER TABLE install RENAME COLUMN device TO gadget",
    }
    with provider.database.begin() as connection:
        connection.exec_driver_sql(damage[broken])

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(application(handlers, [], events))
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/prov", params={**QUERY, "cloud_password": CANARY})

    answer = run(ask())
    events.close()

    assert user.id == 1
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert CANARY not in answer.text
    assert CANARY.encode() not in stream.getvalue()


def test_errors_hold_nothing_of_what_was_sent(provider: Provider) -> None:
    """An error and all that led to it can be printed with its whole history."""
    provider.has_user("johndow@EXAMPLE", "12345678")
    told: list[str] = []
    for call in (*spread(), *spread("NOWHERE")):
        try:
            parameters.read(call)
        except Invalid as error:
            history: BaseException | None = error
            while history is not None:
                told += [repr(history), *traceback.format_exception(history)]
                history = history.__cause__ or history.__context__

    assert told
    assert not [text for text in told if CANARY in text]


def test_an_answer_is_whole_and_can_be_read(provider: Provider) -> None:
    """Whatever is answered is one XML document and nothing before it."""
    provider.has_user("johndow@EXAMPLE", CANARY)
    calls = [call for call in spread() if call.method != "HEAD"]

    for call in calls:
        body = provider.call(call).body
        assert body.startswith((b"<account>", b"<error>", b"<provisioning>"))
        assert etree.fromstring(body) is not None
        assert forbidden(body.decode()) is None


async def _at_once(seconds: float) -> None:
    """Waiting is not what is tested here."""
