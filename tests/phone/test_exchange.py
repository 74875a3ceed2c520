"""Redirects and challenges: what is sent where, and what is never sent."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx2
import pytest

from offhook.core.errors import Invalid
from offhook.core.secret import Secret
from offhook.core.webservice import Credentials, Request, Response
from offhook.phone.commands import Answer, NoAnswer, Why
from offhook.phone.exchange import exchange
from offhook.phone.wire import Body, Deadline, system_trust

HEADERS = (
    ("User-Agent", "CloudSoftphone/1.5.6"),
    ("X-Token", "t0ken"),
    ("Content-Type", "application/x-www-form-urlencoded"),
)
POST = Request("POST", "https://one.example/prov", HEADERS, b"p=s3cret", credentials=Credentials("app", Secret("pw")))
GET = Request("GET", "https://one.example/prov?p=s3cret", HEADERS[:2])
DIGEST = 'Digest realm="prov", nonce="abc", qop="auth", algorithm=SHA-256'


def moved(location: str, status: int = 302) -> Response:
    return Response(status, {"location": location})


def converse(request: Request, *answers: Answer) -> tuple[Answer, list[Request]]:
    """The end of an exchange, and all that was sent."""
    talk = exchange(request)
    sent = [next(talk)]
    for answer in answers:
        try:
            sent.append(talk.send(answer))
        except StopIteration as end:
            return end.value, sent
    raise AssertionError("the exchange wants more answers")


def test_a_plain_answer_ends_it() -> None:
    """Most of the time there is one request and one answer."""
    assert converse(GET, Response(200)) == (Response(200), [GET])


def test_no_answer_ends_it() -> None:
    """Also when it comes after a redirect."""
    lost = NoAnswer(Why.TIMEOUT)

    assert converse(GET, lost) == (lost, [GET])
    assert converse(GET, moved("/new"), lost)[0] == lost


@pytest.mark.parametrize("answer", [Response(302), Response(304), moved("/x", 300), Response(401)])
def test_an_answer_that_leads_nowhere_is_handed_on(answer: Response) -> None:
    """No Location, not a redirect, nothing to prove oneself with."""
    assert converse(GET, answer) == (answer, [GET])


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_becomes_a_get(status: int) -> None:
    """As browsers do: the body and its type stay behind, on the same host all else goes on."""
    _, sent = converse(POST, moved("/new", status), Response(200))

    assert sent[1] == Request("GET", "https://one.example/new", HEADERS[:2], credentials=POST.credentials)


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_stays_a_post_on_the_same_host(status: int) -> None:
    """Method, body and headers are sent again."""
    _, sent = converse(POST, moved("https://one.example:443/new#top", status), Response(200))

    assert sent[1] == Request("POST", "https://one.example:443/new", HEADERS, POST.body, credentials=POST.credentials)


@pytest.mark.parametrize(
    "location", ["https://two.example/prov", "//two.example/", "https://one.example:8443/", "https://one.example.evil/"]
)
def test_a_body_never_goes_to_another_host(location: str) -> None:
    """It may hold a password; another port is another host."""
    answer, sent = converse(POST, moved(location, 307))

    assert answer == NoAnswer(Why.REDIRECT, "to another host, which must not get the body")
    assert sent == [POST]


def test_another_host_gets_no_more_than_the_apps_own_headers() -> None:
    """A redirect that is a GET is followed, without custom headers and credentials."""
    _, sent = converse(POST, moved("https://user:pw@two.example/x"), Response(401, {"www-authenticate": DIGEST}))

    assert sent[1] == Request("GET", "https://two.example/x", HEADERS[:1])


@pytest.mark.parametrize("location", ["http://one.example/prov", "http://two.example/"])
def test_never_from_https_to_http(location: str) -> None:
    """Not even for a GET, since its query may hold a password."""
    answer, _ = converse(GET, moved(location))

    assert answer == NoAnswer(Why.REDIRECT, "from https to http")


def test_from_http_to_https_is_the_same_place() -> None:
    """Moving up is what a server should do; the body may follow."""
    request = Request("POST", "http://one.example/prov", HEADERS, b"p=x")

    _, sent = converse(request, moved("https://one.example/prov", 308), Response(200))

    assert (sent[1].url, sent[1].body) == ("https://one.example/prov", b"p=x")


@pytest.mark.parametrize(
    ("location", "detail"),
    [
        ("ftp://one.example/", "to something that is no web address"),
        ("javascript:alert(1)", "to something that is no web address"),
        ("https://user@/nowhere", "to something that is no web address"),
        ("https://one.example:port/", "to something that is no address"),
        ("https://[half/", "to something that is no address"),
        ("https://two.example:99999/", "to something that is no address"),
    ],
)
def test_a_redirect_to_nowhere(location: str, detail: str) -> None:
    """It is named, without quoting what may hold a secret."""
    answer, _ = converse(GET, moved(location))

    assert answer == NoAnswer(Why.REDIRECT, detail)


def test_five_redirects_are_enough() -> None:
    """The sixth is not followed."""
    five, _ = converse(GET, *[moved(f"/{number}") for number in range(5)], Response(200))
    six, sent = converse(GET, *[moved(f"/{number}") for number in range(6)])

    assert five == Response(200)
    assert six == NoAnswer(Why.REDIRECT, "more than 5 times")
    assert len(sent) == 6


def test_a_head_stays_a_head() -> None:
    """Only a method with a meaning of its own becomes a GET."""
    _, sent = converse(Request("HEAD", "http://127.0.0.1/"), moved("/new"), Response(200))

    assert sent[1].method == "HEAD"


@pytest.mark.parametrize(
    "challenge",
    [
        DIGEST,
        DIGEST.lower(),
        f'Basic realm="prov", {DIGEST}',
        f'{DIGEST}, Basic realm="prov"',
        'Digest realm="prov", nonce="abc"',
    ],
)
def test_a_digest_challenge_is_met(challenge: str) -> None:
    """Also over http, since the password itself does not travel; it is preferred to Basic."""
    request = Request("GET", "http://one.example/prov?a=b", credentials=POST.credentials)

    answer, sent = converse(request, Response(401, {"www-authenticate": challenge}), Response(200))

    name, proof = sent[1].headers[-1]
    assert answer == Response(200)
    assert name == "Authorization"
    assert proof.startswith('Digest username="app", realm="prov", nonce="abc", uri="/prov?a=b"')
    assert "pw" not in proof


@pytest.mark.parametrize("url", ["https://one.example/", "http://127.0.0.1:8080/", "http://localhost/"])
def test_basic_goes_over_https_or_stays_on_this_machine(url: str) -> None:
    """Name and password in the header, in UTF-8."""
    request = Request("GET", url, credentials=Credentials("ann", Secret("pä:ss")))

    _, sent = converse(request, Response(401, {"www-authenticate": 'Basic realm="x"'}), Response(200))

    assert sent[1].headers == (("Authorization", "Basic " + base64.b64encode("ann:pä:ss".encode()).decode()),)


@pytest.mark.parametrize(
    ("url", "challenge"),
    [
        ("http://one.example/", 'Basic realm="x"'),
        ("https://one.example/", ""),
        ("https://one.example/", "Negotiate"),
        ("https://one.example/", "Digest nonsense"),
        ("https://one.example/", 'Digest realm="x"'),
        ("https://one.example/", 'Digest realm="x", nonce="y", algorithm=ROT13'),
        ("https://one.example/", 'Digest realm="x", nonce="y", qop="auth-int"'),
        ("https://one.example/", 'Digest realm="x", nonce="y", qop="else"'),
    ],
)
def test_a_challenge_that_cannot_or_must_not_be_met(url: str, challenge: str) -> None:
    """The 401 is handed on, and nothing more is sent."""
    request = Request("GET", url, credentials=POST.credentials)
    refused = Response(401, {"www-authenticate": challenge})

    assert converse(request, refused) == (refused, [request])


def test_proof_is_given_once() -> None:
    """A second 401 is the answer."""
    refused = Response(401, {"www-authenticate": DIGEST})

    answer, sent = converse(POST, refused, refused)

    assert answer == refused
    assert len(sent) == 2


def test_a_body_of_exactly_the_limit_is_whole() -> None:
    """One byte more is too large."""
    for size, whole in ((10, True), (11, False)):
        body = Body(10, Deadline(60))

        wanted = body.add(b"x" * size)
        answer = body.finished(httpx2.Response(200))

        assert (wanted, isinstance(answer, Response)) == (whole, whole)


def test_a_deadline_is_a_moment() -> None:
    """Before it there is time left, after it a little at least, since a timeout of 0 means none."""
    assert not Deadline(60).has_passed()
    assert 59 < Deadline(60).left_s() <= 60
    assert Deadline(-1).has_passed()
    assert Deadline(-1).left_s() == 0.001


@pytest.mark.parametrize(("redirects", "followed"), [(5, True), (6, False)])
def test_five_redirects_are_followed(redirects: int, followed: bool) -> None:
    """And no sixth."""
    talk = exchange(Request("GET", "http://127.0.0.1/"))
    next(talk)
    for _ in range(redirects - 1):
        talk.send(Response(302, {"location": "/on"}))

    if followed:
        assert talk.send(Response(302, {"location": "/on"})).url == "http://127.0.0.1/on"
    else:
        with pytest.raises(StopIteration) as over:
            talk.send(Response(302, {"location": "/on"}))
        assert over.value.value == NoAnswer(Why.REDIRECT, "more than 5 times")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), ("no certificate", "it holds no certificate in PEM")],
)
def test_authorities_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, reason: str
) -> None:
    """Who names a file of authorities that is none is told which variable did so, and why it is of no use."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))

    with pytest.raises(Invalid) as found:
        system_trust.__wrapped__()

    assert str(found.value) == f"SSL_CERT_FILE: {file} cannot be used: {reason}"
