"""Laws of what a portal hands out, tried on random input: themes, and signed answers that nobody can change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st

from offhook.core import signing, theme
from offhook.core.errors import Invalid
from offhook.core.theme import Manifest, Theme
from offhook.core.webservice import Response
from tests.core.law import ANYTHING, UNICODE, law

# --- themes ----------------------------------------------------------------------------------------------------------

PATHS: Final = st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}){0,2}\.(png|SVG)", fullmatch=True
)
COLOURS: Final = st.dictionaries(
    UNICODE, st.from_regex(r"#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?", fullmatch=True), max_size=3
)
TEXTS: Final = st.dictionaries(UNICODE, st.dictionaries(UNICODE, UNICODE, max_size=2), max_size=2)


@st.composite
def themes(draw: st.DrawFn) -> Theme:
    files = draw(st.dictionaries(PATHS, st.binary(), max_size=4))
    images = draw(st.dictionaries(UNICODE, st.sampled_from(sorted(files)), max_size=3)) if files else {}
    return Theme(Manifest(draw(UNICODE), draw(COLOURS), draw(TEXTS), images), files)


@law
@given(themes())
def test_a_theme_comes_back(packed: Theme) -> None:
    """A theme is unpacked as it was packed, and the order of its parts makes no difference to the bytes."""
    package = theme.pack(packed)

    manifest = packed.manifest
    shuffled = Theme(
        msgspec.structs.replace(manifest, colours=dict(reversed(manifest.colours.items()))),
        dict(reversed(packed.files.items())),
    )
    assert theme.unpack(package) == packed
    assert len(package) == theme.size_bytes(packed)
    assert theme.pack(shuffled) == package


@law
@given(st.binary() | st.tuples(st.integers(0, 400), st.integers(1, 255)).map(lambda change: damaged(*change)))
def test_any_package_is_read_or_refused(package: bytes) -> None:
    """Damaged or made up, a package gives a theme or a refusal, and nothing else."""
    try:
        unpacked = theme.unpack(package)
    except Invalid:
        return

    assert theme.unpack(theme.pack(unpacked)) == unpacked


def damaged(position: int, flip: int) -> bytes:
    package = bytearray(theme.pack(Theme(Manifest("ACME", images={"logo": "logo.png"}), {"logo.png": b"picture" * 9})))
    package[position % len(package)] ^= flip
    return bytes(package)


# --- signatures ------------------------------------------------------------------------------------------------------

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BODY: Final = b"<provisioning/>"
SIGNED: Final = signing.sign(
    {
        "Content-Type": "application/xml",
        "ETag": '"5f2c"',
        "Last-Modified": "Sun, 15 Mar 2026 00:46:17 GMT",
        signing.CLOUD_ID_HEADER: "ACME*",
        signing.PART_HEADER: "base",
    },
    BODY,
    datetime(2026, 3, 15, tzinfo=UTC),
    KEY,
)
HEADERS: Final = {name.lower(): value for name, value in SIGNED.items()}


def verify(response: Response) -> None:
    signing.verify(response, "ACME*", "base", KEY.public_key())


def test_the_answer_itself_is_genuine() -> None:
    """What was signed verifies; without this, the laws below would prove nothing."""
    verify(Response(200, HEADERS, BODY))


@law
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_flipped_byte_of_the_body_is_refused(position: int, flip: int) -> None:
    """Not one bit of the body can be changed."""
    body = bytearray(BODY)
    body[position] ^= flip

    with pytest.raises(Invalid, match="not signed by the pinned portal key"):
        verify(Response(200, HEADERS, bytes(body)))


@law
@given(
    st.sampled_from([name for name in signing.COVERED if name != "@status"]), st.integers(0, 999), st.integers(1, 255)
)
def test_a_flipped_byte_of_a_covered_header_is_refused(name: str, position: int, flip: int) -> None:
    """Nor can one bit of a header that the signature covers."""
    value = HEADERS[name]
    at = position % len(value)
    changed = value[:at] + chr(ord(value[at]) ^ flip) + value[at + 1 :]

    with pytest.raises(Invalid, match="portal base"):
        verify(Response(200, {**HEADERS, name: changed}, BODY))


@law
@given(st.sampled_from(["signature", "signature-input", "content-digest"]), ANYTHING | st.text("();=\"'@:,*-_aé9 \t"))
def test_any_signature_that_is_none_is_refused(name: str, value: str) -> None:
    """Whatever stands where signature or digest belong, the answer is refused, and nothing breaks."""
    assume(value != HEADERS[name])

    with pytest.raises(Invalid, match="not signed by the pinned portal key"):
        verify(Response(200, {**HEADERS, name: value}, BODY))


@law
@given(st.integers(100, 599))
def test_another_status_is_refused(status: int) -> None:
    """The status is covered, so an old error cannot be passed off as a configuration."""
    assume(status != 200)

    with pytest.raises(Invalid, match="not signed by the pinned portal key"):
        verify(Response(status, HEADERS, BODY))
