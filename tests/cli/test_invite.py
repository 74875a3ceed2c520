"""`offhook invite`: one user, many from a file, or a sheet of paper; whoever is invited can sign in."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from offhook.core.login import parse_link
from offhook.mail.sheet import Card, Fonts, Paper, draw
from offhook.provider.invitation import Invitation, Wording, new_token, ticket
from tests.world_shell import Shell

URL = "https://prov.example.net"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    opened = Shell(tmp_path)
    opened.does("tenant", "create", "EXAMPLE")
    opened.does("onboarding", "invitation", "EXAMPLE")
    return opened


def test_one_user_is_invited(shell: Shell) -> None:
    """The link, the code in a file and what is drawn say the same; without an address of ours there is no page."""
    picture = shell.folder / "ann.png"

    made = shell.tells("invite", "ann@EXAMPLE", "--qr", str(picture), "--public-url", URL, "--expires", "2d")
    said = shell.types("invite", "bob@EXAMPLE", "--print")

    (code,) = zxingcpp.read_barcodes(Image.open(picture))
    assert code.text == made["app_link"]
    assert made["link"] == f"{URL}/invite/{parse_link(code.text).password.reveal()}"  # type: ignore[union-attr]
    assert made["state"] == "created"
    assert "token_hash" not in made
    assert "Link: csc:bob:E1" in said.stdout
    assert "█" in said.stdout
    assert "--public-url" in said.stderr


def test_invitations_are_listed_shown_withdrawn_and_sent_again(shell: Shell) -> None:
    """By state and by user; none of it shows a link."""
    for name in ("ann", "bob", "eve"):
        shell.does("invite", f"{name}@EXAMPLE", "--attribute", "name=Somebody")
    shell.does("invite", "revoke", "bob@EXAMPLE")
    shell.does("invite", "resend", "eve@EXAMPLE", "--expires", "12h")

    listed = shell.tells("invite", "list", "EXAMPLE")
    every = shell.tells("invite", "list", "eve@EXAMPLE", "--all")
    revoked = shell.tells("invite", "list", "EXAMPLE", "--state", "revoked")
    shown = shell.does("invite", "show", "eve@EXAMPLE")
    twice = shell.types("invite", "revoke", "bob@EXAMPLE")

    assert sorted((one["username"], one["state"]) for one in listed) == [
        ("ann", "created"),
        ("bob", "revoked"),
        ("eve", "created"),
    ]
    assert sorted(one["state"] for one in every) == ["created", "replaced"]
    assert [one["username"] for one in revoked] == ["bob"]
    assert "Somebody" in shown
    assert "E1" not in shown + shell.does("invite", "list", "EXAMPLE")
    assert twice.exit_code == 8


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("invite", "ann@OTHER"), 4),
        (("invite", "ann@EXAMPLE", "--expires", "soon"), 2),
        (("invite", "ann@EXAMPLE", "--expires", "1000d"), 5),
        (("invite", "ann@EXAMPLE", "--mail", "ann@example.com"), 5),
        (("invite", "ann@EXAMPLE", "--qr", "code.gif"), 2),
        (("invite", "show", "ann@EXAMPLE"), 4),
        (("invite", "resend", "ann@EXAMPLE"), 4),
        (("invite", "settings", "EXAMPLE", "--scheme", "javascript"), 5),
        (("invite", "sheet", "EXAMPLE", "--paper", "a3"), 2),
        (("invite", "sheet", "EXAMPLE"), 4),
        (("invite", "csv", "EXAMPLE", "missing.csv"), 2),
    ],
)
def test_what_cannot_be_done_is_said(shell: Shell, words: tuple[str, ...], code: int) -> None:
    """With the exit code that belongs to it."""
    assert shell.types(*words).exit_code == code


def test_a_closed_cloud_id_has_its_users_invited(shell: Shell) -> None:
    """And nobody else; the text says how to change that."""
    shell.does("onboarding", "closed", "EXAMPLE")
    shell.does("user", "add", "ann@EXAMPLE", "--generate-password")

    stranger = shell.types("invite", "bob@EXAMPLE")

    assert shell.tells("invite", "ann@EXAMPLE")["state"] == "created"
    assert stranger.exit_code == 4
    assert "offhook onboarding invitation EXAMPLE" in stranger.stderr


def test_settings_are_set_and_shown(shell: Shell) -> None:
    """A white label's scheme is that of the links."""
    shell.does("invite", "settings", "EXAMPLE", "--scheme", "acme", "--support", "Call us", "--app", "Acme Phone")

    made = shell.tells("invite", "ann@EXAMPLE")

    assert made["app_link"].startswith("acme:")
    assert "Acme Phone" in shell.does("invite", "settings", "EXAMPLE")


def test_a_file_is_invited_and_goes_on_where_it_was(shell: Shell) -> None:
    """Each line for itself: the bad ones are told, the others are invited once, however often the file is given."""
    (shell.folder / "data" / "connections.toml").write_text(
        f'public_url = "{URL}"\n[mail]\nkind = "smtp"\nhost = "127.0.0.1"\nport = 1\nsender = "a@example.com"\n'
    )
    people = [f"u{number},u{number}@example.com,User {number}" for number in range(150)]
    lines = ["username,mail,name", *people, "bad,not an address,x", ",nobody@example.com,"]
    file, report = shell.file("office.csv", "\n".join(lines)), shell.folder / "report.csv"
    shell.does("invite", "u7@EXAMPLE")

    first = shell.types("invite", "csv", "EXAMPLE", file, "--report", str(report))
    second = shell.types("invite", "csv", "EXAMPLE", file, "--report", str(report), "--json")

    assert (first.exit_code, second.exit_code) == (5, 5)
    assert "149 invited to EXAMPLE, 1 passed over, 2 failed." in first.stdout
    assert "Line 152, bad: mail: 'not an address'" in first.stderr
    assert '"invited": 0' in second.stdout
    rows = list(csv.DictReader(io.StringIO(report.read_text())))
    invited = [row for row in rows if row["result"] == "invited"]
    assert len(rows) == 2 * 152
    assert len({row["link"] for row in invited}) == 149
    assert invited[0]["link"].startswith(f"{URL}/invite/E1")
    assert report.stat().st_mode & 0o077 == 0
    listed = shell.tells("invite", "list", "EXAMPLE")
    assert len(listed) == 150
    assert all(one["waits_for_mail"] for one in listed if one["username"] != "u7")
    assert next(one for one in listed if one["username"] == "u3")["attributes"]["name"] == "User 3"


# --- on paper ---


@pytest.mark.parametrize("paper", list(Paper))
def test_a_sheet_has_a_card_for_everybody(shell: Shell, paper: Paper) -> None:
    """Each with a code that a camera reads; the link of before is good no more."""
    for number in range(12):
        shell.does("invite", f"u{number}@EXAMPLE", "--attribute", f"name=Łukasz Ångström {number}")
    out = shell.folder / "office.pdf"

    told = shell.tells(
        *("invite", "sheet", "EXAMPLE", "--out", str(out), "--paper", paper.value, "--public-url", URL),
    )
    again = shell.types("invite", "sheet", "EXAMPLE", "--out", str(out))

    assert (told["cards"], told["failed"]) == (12, [])
    assert again.exit_code == 8
    assert out.stat().st_mode & 0o077 == 0
    users = {parse_link(text).username for text in codes(out)}
    assert users == {f"u{number}" for number in range(12)}
    assert len(shell.tells("invite", "list", "EXAMPLE", "--all")) == 24


def test_letters_that_no_font_has_are_boxes_in_the_name_alone(tmp_path: Path) -> None:
    """The code and the link hold the whole name; who has such a name is told."""
    name = "日本 Ångström"
    one = Invitation("i", "EXAMPLE", name, 1, b"", 0, 1_800_000_000)
    card = Card(ticket(one, new_token(b"x" * 17), "csc", URL), name)
    fonts = Fonts()
    (tmp_path / "sheet.pdf").write_bytes(b"".join(draw([card], Wording("EXAMPLE", "Phöne"), Paper.A4, fonts)))

    (text,) = codes(tmp_path / "sheet.pdf")

    assert parse_link(text).username == name
    assert fonts.drawable("Ångström") == "Ångström"
    if not fonts.has("日"):
        assert fonts.lacks(name)
        assert fonts.drawable("日") in {"□", "?"}


def test_without_a_font_accents_give_way(tmp_path: Path) -> None:
    """The letters that every reader of PDF knows are enough for a sheet."""
    fonts = Fonts()
    fonts.paths = ()
    one = Invitation("i", "EXAMPLE", "Łukasz ě", 1, b"", 0, 1_800_000_000)
    card = Card(ticket(one, new_token(b"x" * 17), "csc", ""))

    sheet = b"".join(draw([card], Wording("EXAMPLE", "Phone"), Paper.LETTER, fonts))

    assert fonts.drawable("Łukasz ě") == "?ukasz e"
    assert sheet.startswith(b"%PDF")


def test_what_is_no_font_is_said(shell: Shell) -> None:
    """Before anybody is invited."""
    shell.does("invite", "ann@EXAMPLE")
    result = shell.types("invite", "sheet", "EXAMPLE", "--font", shell.file("x.ttf", "no font"))

    assert result.exit_code == 5
    assert len(shell.tells("invite", "list", "EXAMPLE", "--all")) == 1


def codes(path: Path) -> list[str]:
    """What a camera reads on a printed sheet."""
    if shutil.which("pdftoppm") is None:
        pytest.skip("Drawing a PDF needs pdftoppm: apt-get install poppler-utils")
    subprocess.run(["pdftoppm", "-r", "150", "-png", path, path.with_suffix("")], check=True)
    found = []
    for page in sorted(path.parent.glob(f"{path.stem}-*.png")):
        found += [code.text for code in zxingcpp.read_barcodes(Image.open(page))]
    return found
