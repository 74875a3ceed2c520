"""Signed answers beside their laws: which key, for whom, how a key is written down."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, algorithms

from offhook.core import signing
from offhook.core.errors import Invalid
from offhook.core.webservice import Response

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CREATED = datetime(2026, 3, 15, 1, 46, 17, tzinfo=timezone(timedelta(hours=1)))


def answer(key: Ed25519PrivateKey = KEY, created: datetime = CREATED) -> Response:
    unsigned = {
        "Content-Type": "application/zip",
        "ETag": '"5f2c"',
        "Last-Modified": "Sun, 15 Mar 2026 00:46:17 GMT",
        signing.CLOUD_ID_HEADER: "ACME",
        signing.PART_HEADER: "theme",
    }
    headers = signing.sign(unsigned, b"zip", created, key)
    return Response(200, {name.lower(): value for name, value in headers.items()}, b"zip")


def test_signing_again_gives_the_same() -> None:
    """Equal content, time and key give equal headers, wherever the clock stands."""
    assert answer() == answer(created=CREATED.astimezone(UTC))


def test_an_answer_stays_genuine() -> None:
    """A configuration of ten years ago still verifies, and one of next century: a phone's clock may be wrong."""
    signing.verify(answer(created=CREATED - timedelta(days=3653)), "ACME", "theme", KEY.public_key())
    signing.verify(answer(created=CREATED + timedelta(days=36530)), "ACME", "theme", KEY.public_key())


def test_another_key_is_refused() -> None:
    """Only the pinned key counts."""
    with pytest.raises(Invalid, match="portal theme: the answer is not signed by the pinned portal key"):
        signing.verify(answer(OTHER), "ACME", "theme", KEY.public_key())


def test_a_signature_that_fitted_vouches_for_nothing_else() -> None:
    """What is remembered of a genuine answer lets no other body, header, status or key pass."""
    genuine = answer()
    signing.verify(genuine, "ACME", "theme", KEY.public_key())
    others = (
        msgspec.structs.replace(genuine, body=b"pip"),
        msgspec.structs.replace(genuine, headers={**genuine.headers, "etag": '"5f2d"'}),
        msgspec.structs.replace(genuine, status=206),
    )

    for other in others:
        with pytest.raises(Invalid, match="was changed on its way"):
            signing.verify(other, "ACME", "theme", KEY.public_key())
    with pytest.raises(Invalid, match="not signed by the pinned portal key"):
        signing.verify(genuine, "ACME", "theme", OTHER.public_key())


def test_a_header_that_is_not_signed_says_nothing() -> None:
    """What a cache adds on the way neither spoils an answer nor is looked at."""
    genuine = answer()
    carried = msgspec.structs.replace(genuine, headers={**genuine.headers, "age": "17", "date": "yesterday"})

    signing.verify(carried, "ACME", "theme", KEY.public_key())


def test_the_name_of_another_key_is_refused() -> None:
    """A signature that says it is by another key is not tried with ours."""
    genuine = answer()
    renamed = genuine.headers["signature-input"].replace('keyid="portal"', 'keyid="other"')

    with pytest.raises(Invalid, match="not signed by the pinned portal key"):
        signing.verify(
            Response(200, {**genuine.headers, "signature-input": renamed}, b"zip"), "ACME", "theme", KEY.public_key()
        )


@pytest.mark.parametrize(("cloud_id", "part"), [("ACME*", "theme"), ("OTHER", "theme"), ("ACME", "base")])
def test_an_answer_to_another_question_is_refused(cloud_id: str, part: str) -> None:
    """A genuine theme of one app is neither its base nor the theme of another app."""
    with pytest.raises(Invalid, match=f"portal {part}: the answer was signed for the theme of ACME"):
        signing.verify(answer(), cloud_id, part, KEY.public_key())


@pytest.mark.parametrize("missing", ["signature", "signature-input", *signing.COVERED[1:]])
def test_an_answer_without_a_covered_header_is_refused(missing: str) -> None:
    """Leaving a header away is a change like any other."""
    genuine = answer()
    headers = {name: value for name, value in genuine.headers.items() if name != missing}

    with pytest.raises(Invalid, match="not signed by the pinned portal key"):
        signing.verify(Response(200, headers, b"zip"), "ACME", "theme", KEY.public_key())


def test_a_signature_that_covers_less_is_refused() -> None:
    """Even the portal's own signature does not count when it leaves the Cloud ID open."""
    genuine = answer()
    headers = dict(genuine.headers)
    headers["signature-input"] = headers["signature-input"].replace(' "offhook-cloud-id"', "")

    with pytest.raises(Invalid, match="not signed by the pinned portal key"):
        signing.verify(Response(200, headers, b"zip"), "ACME", "theme", KEY.public_key())


def test_a_public_key_is_one_line() -> None:
    """What is written down for pinning is read as the same key."""
    line = signing.public_text(KEY.public_key())

    assert line.startswith("ed25519:")
    assert signing.public_text(signing.parse_public(f" {line}\n")) == line


@pytest.mark.parametrize(
    "line", ["", "ed25519:", "ed25519:AAAA", "ed25519:****", "ed25519:é", "rsa:" + "A" * 43 + "=", "A" * 43 + "="]
)
def test_a_line_that_is_no_key_is_refused(line: str) -> None:
    """The message says what form a key has and who prints it."""
    with pytest.raises(
        Invalid, match="portal key: is not of the form ed25519:BASE64, as `offhook portal-key` prints it"
    ):
        signing.parse_public(line)


def test_a_signature_that_leaves_something_out_is_refused() -> None:
    """The portal's own key is not enough: what does not cover the Cloud ID could be used for another app."""
    key = Ed25519PrivateKey.generate()
    headers = {
        "Content-Type": "application/xml",
        "ETag": '"1"',
        "Last-Modified": "Sun, 22 Nov 2026 20:00:00 GMT",
        signing.CLOUD_ID_HEADER: "DEMO",
        signing.PART_HEADER: "base",
    }
    message = signing._Message(200, headers)
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=signing._OneKey(key))
    covered = [name for name in signing.COVERED if name != signing.CLOUD_ID_HEADER.lower()]
    signer.sign(message, key_id=signing.KEY_ID, label="portal", covered_component_ids=covered, body=b"x")
    signed = Response(200, {name.lower(): value for name, value in message.headers.items()}, b"x")

    with pytest.raises(Invalid, match="does not cover"):
        signing.verify(signed, "DEMO", "base", key.public_key())
