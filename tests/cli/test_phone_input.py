"""What comes into `offhook phone sign-in`: pictures, files, lines and words, also hostile or broken ones."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import PIL.Image
import pytest
import segno
import zxingcpp
from rich.console import Console
from rich.segment import Segment

from offhook.cli import phone_qr
from offhook.cli.exits import Misused
from offhook.cli.phone_input import read_key, screen_of
from offhook.cli.phone_qr import print_qr, read_qr
from offhook.core.errors import Invalid
from offhook.core.login import CloudId
from offhook.core.screen import Classic, Texts, WhiteLabel
from tests.cli.test_phone import ROOT, Terminal, run, sign_in, told
from tests.world_portal import World, served

LINK = "csc:ann:s3cret@DEMO"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def portal(world: World) -> Iterator[str]:
    with served(world) as address:
        yield address


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "phone"


def picture(kind: str, text: str = LINK) -> bytes:
    drawn, written = io.BytesIO(), io.BytesIO()
    segno.make(text).save(drawn, kind="png", scale=4)
    PIL.Image.open(drawn).convert("RGB").save(written, kind)
    return written.getvalue()


@pytest.mark.parametrize("kind", phone_qr.FORMATS)
def test_formats_of_phones_and_screens_are_read(tmp_path: Path, kind: str) -> None:
    """Each of those that are known."""
    (tmp_path / "code").write_bytes(picture(kind))

    assert read_qr(tmp_path / "code", "csc") == LINK


@pytest.mark.parametrize("kind", ["EPS", "PPM", "TIFF", "ICNS", "PDF"])
def test_no_other_format_is_opened(tmp_path: Path, kind: str) -> None:
    """The library would start another program for one of them, and stumbles over others."""
    (tmp_path / "code").write_bytes(picture(kind))

    with pytest.raises(Misused, match="it is none of PNG, JPEG, GIF, BMP, WEBP"):
        read_qr(tmp_path / "code", "csc")


def test_a_picture_of_a_program_starts_nothing(tmp_path: Path) -> None:
    """A PostScript picture that would write a file when Ghostscript ran it, under an innocent name."""
    found = tmp_path / "bin"
    found.mkdir()
    (found / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (found / "gs").chmod(0o755)
    (tmp_path / "code.png").write_bytes(picture("EPS"))
    code = "from offhook.cli.phone import app; app()"
    environment = {**os.environ, "PATH": f"{found}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}

    words = [sys.executable, "-c", code, "sign-in", "--qr-image", str(tmp_path / "code.png"), "--state", str(tmp_path)]
    ended = subprocess.run(words, env=environment, capture_output=True, timeout=30, check=False)

    assert ended.returncode == 2
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("kind", phone_qr.FORMATS)
def test_a_broken_picture_is_said_to_be_one(tmp_path: Path, kind: str) -> None:
    """Cut off and with changed bytes: it is read all the same, or refused in words."""
    whole, chance = picture(kind), random.Random(kind)
    for _ in range(60):
        broken = bytearray(whole[: chance.randrange(len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randrange(1, 20)):
            if broken:
                broken[chance.randrange(min(len(broken), chance.choice((64, 4096))))] = chance.randrange(256)
        (tmp_path / "code").write_bytes(broken)
        with suppress(Misused, Invalid):
            assert read_qr(tmp_path / "code", "csc") == LINK


def test_a_picture_of_too_many_pixels(tmp_path: Path) -> None:
    """A small file may unfold to gigabytes; it is refused by what its head says."""
    PIL.Image.new("1", (20_000, 2_001)).save(tmp_path / "bomb.png")

    with pytest.raises(Misused, match="has more than 40,000,000 pixels"):
        read_qr(tmp_path / "bomb.png", "csc")


def cells(segments: list[Segment]) -> list[list[bool]]:
    """The rows of squares that half blocks draw; True is dark."""
    halves = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}
    lines: list[list[tuple[bool, bool]]] = [[]]
    for segment in segments:
        for mark in segment.text:
            if mark == "\n":
                lines.append([])
            else:
                lines[-1].append(halves[mark])
    rows = []
    for line in filter(None, lines):
        rows += [[upper for upper, _ in line], [lower for _, lower in line]]
    return rows


def scanned(rows: list[list[bool]]) -> list[str]:
    scale = 6
    canvas = PIL.Image.new("L", (len(rows[0]), len(rows)))
    canvas.putdata([0 if dark else 255 for row in rows for dark in row])
    return [code.text for code in zxingcpp.read_barcodes(canvas.resize((len(rows[0]) * scale, len(rows) * scale), 0))]


def drawn(console: Console) -> list[Segment]:
    with console.capture():
        print_qr(console, LINK)
        return list(console._buffer)


def test_a_code_in_a_terminal_can_be_scanned() -> None:
    """Black on white by its own colours, four squares of white around, and short enough for 24 lines."""
    segments = drawn(Console(force_terminal=True, color_system="truecolor", width=80, height=24))

    rows = cells(segments)
    assert scanned(rows) == [LINK]
    assert len(rows) / 2 <= 17
    assert not any(any(row[:4] + row[-4:]) for row in rows)
    assert not any(any(row) for row in rows[:4] + rows[-4:])
    styles = {str(segment.style) for segment in segments if segment.text.strip("\n")}
    assert styles == {"#000000 on #ffffff"}


def test_a_code_without_colours_draws_what_is_white() -> None:
    """As it must be on a dark background."""
    segments = drawn(Console(force_terminal=True, no_color=True, color_system=None, width=80, height=24))

    rows = [[not lit for lit in row] for row in cells(segments)]
    assert scanned(rows) == [LINK]
    assert not any(any(row) for row in rows[:4] + rows[-4:])


def test_a_text_beside_a_picture(tmp_path: Path) -> None:
    """One of them would be forgotten in silence, so neither is taken."""
    failed = run("sign-in", "ann@DEMO", "--qr-image", "code.png", "--state", tmp_path)

    assert failed.exit_code == 2
    assert "either TEXT or --qr-image" in failed.stderr


@pytest.mark.parametrize("place", ["/proc/self/mem", "/", "x" * 5000, "nothing.txt"])
def test_a_key_that_is_in_no_file(place: str) -> None:
    """A folder, what cannot be read, a name that is too long: said in words, and briefly."""
    with pytest.raises(Misused, match=r"ed25519:BASE64, or a file with one") as refused:
        read_key(place)

    assert len(refused.value.text) < 400


@pytest.mark.parametrize(
    ("given", "said"), [(b"s3\xffcret\n", "is not UTF-8 text"), (b"x" * 20_000, "has a line of more than 16,384 bytes")]
)
def test_a_password_that_cannot_be_one(portal: str, state: Path, given: bytes, said: str) -> None:
    """It is refused as a whole, rather than cut or changed."""
    code = [sys.executable, "-c", "from offhook.cli.phone import app; app()", "sign-in", "ann@DEMO"]
    words = [*code, "--password-stdin", "--portal", portal, "--state", str(state)]

    ended = subprocess.run(
        words, input=given, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, check=False
    )

    assert ended.returncode == 2
    assert said in ended.stderr.decode()
    assert b"Traceback" not in ended.stderr


def test_only_the_end_of_a_line_is_taken_off(portal: str, state: Path) -> None:
    """A password may end in blanks; a line may end as on Windows."""
    assert sign_in(portal, state, password="s3cret \t").exit_code == 3
    assert sign_in(portal, state, password="s3cret\r").exit_code == 0


def test_a_name_without_a_cloud_id(portal: str, state: Path) -> None:
    """It is taken for a Cloud ID, and the person is told how a user is written."""
    failed = sign_in(portal, state, text="johndow")
    for_program = told(sign_in(portal, state, "--json", text="johndow"))

    assert failed.exit_code != 0
    assert "A user is written like name@CLOUDID" in failed.stdout
    assert "name@CLOUDID" in str(for_program["diagnostics"])


def test_a_generic_screen_of_an_app_that_is_named() -> None:
    """The Cloud ID is known, so it is not asked for once more; a white label's own words stay."""
    generic = screen_of(CloudId.parse("DEMO"), Classic())
    worded = screen_of(CloudId.parse("DEMO"), Classic(texts=Texts(username="Number")))
    label = screen_of(CloudId.parse("DEMO"), WhiteLabel())

    assert (generic.username, worded.username, label.username) == ("Username", "Number", "Username")
    assert generic.fixed == worded.fixed == label.fixed == CloudId.parse("DEMO")


def test_a_cloud_id_that_is_typed_although_it_is_known(world: World, portal: str, state: Path) -> None:
    """It is taken off; any other `@` belongs to the username."""
    world.screen = Classic()

    assert told(sign_in(portal, state, "--json", "--white-label", "DEMO", text="ann@demo"))["username"] == "ann"


def test_words_of_a_server_do_not_steer_the_terminal(world: World, portal: str, state: Path) -> None:
    """Title, hint and labels are shown as they are, and each is a line at most."""
    world.screen = WhiteLabel(texts=Texts(title="\x1b[2J" + "T" * 2000, hint="\x9bH", username="\x1b]0;x\x07"))
    with Terminal("sign-in", "--state", state, "--white-label", "DEMO", portal=portal) as terminal:
        terminal.see("--qr-image)")

        assert "\\x1b[2JTTT" in terminal.seen
        assert "\\x1b]0;x\\x07" in terminal.seen
        assert "\x1b[2J" not in terminal.seen
        assert "\x9b" not in terminal.seen
        assert terminal.seen.count("T") < 210


def test_an_answer_is_no_file(portal: str, state: Path) -> None:
    """A long link is not looked up on the disk, so no error of the disk quotes its password."""
    long = "csc:ann:" + "p" * 600 + "@DEMO"
    with Terminal("sign-in", "--state", state, portal=portal) as terminal:
        terminal.see("--qr-image)")
        terminal.answer("")
        terminal.see("Something is needed here")
        terminal.answer(long)
        terminal.see("Wrong username or password.")

        assert terminal.end() == 3
        assert "Traceback" not in terminal.seen
