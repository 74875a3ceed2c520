"""`offhook phone` as a person and a program run it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest
import segno
from typer.testing import CliRunner, Result

from offhook.cli.exits import Exit
from offhook.cli.phone import app
from offhook.core import signing
from offhook.core.screen import Classic, QrOnly, Texts, WhiteLabel
from offhook.core.webservice import Response
from offhook.phone.handset import Handset
from tests.world_portal import World, account, served, xml_answer

COMMAND = [sys.executable, "-c", "from offhook.cli.phone import app; app()"]
ROOT = Path(__file__).parents[2]


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


def run(*words: str | Path, given: str | None = None, portal: str = "") -> Result:
    """The command in this process; there is no terminal."""
    return CliRunner().invoke(app, [str(word) for word in words], input=given, env={"OFFHOOK_PORTAL": portal or None})


def sign_in(portal: str, state: Path, *words: str | Path, text: str = "ann@DEMO", password: str = "s3cret") -> Result:
    return run("sign-in", text, "--state", state, "--password-stdin", *words, given=f"{password}\n", portal=portal)


def told(result: Result) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def keys_of(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in content["account"]}


def process(*words: str | Path, portal: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    environment = {**os.environ, "OFFHOOK_PORTAL": portal, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "120"}
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        input=given,
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=False,
    )


def test_a_sign_in_without_a_terminal(portal: str, state: Path) -> None:
    """A line for each step, then the notes, then the account with its secrets masked."""
    done = process("sign-in", "ann@DEMO*", "--state", state, "--password-stdin", portal=portal, given="s3cret\n")

    assert (done.returncode, done.stderr) == (0, "")
    steps = [re.sub(r" +", " ", line) for line in done.stdout.splitlines()[:6]]
    assert [re.sub(r"[\d,]+ ms", "N ms", step) for step in steps] == [
        f"portal key 200 N ms {portal}",
        *sorted((f"base 200 N ms {portal}", f"theme 200 N ms {portal}"), key=lambda line: steps[1][:1] != line[:1]),
        f"global part 200 N ms {portal}",
        f"account part 200 N ms {portal}",
        "save saved N ms",
    ]
    assert "Note: portal key: was seen for the first time and is trusted from now on" in done.stdout
    assert f"ann@DEMO*, version 3, from {portal}; theme: Sunrise" in done.stdout
    assert re.search(r"title +Ann, extension 204 +provider 20 +replaced 'Demo' of portal 10", done.stdout)
    assert re.search(r"password +\*{8} +provider 20", done.stdout)
    assert re.search(r"Front desk +9 +provider 20", done.stdout)
    assert "This phone is provisioned." in done.stdout
    assert "s3cret" not in done.stdout


def test_a_sign_in_for_a_program(portal: str, world: World, state: Path) -> None:
    """One object: steps with status and milliseconds, the account with its history, diagnostics, and no error."""
    world.account = world.account.replace("</account>", "<host>evil.example</host><vip/></account>")

    done = process("sign-in", "ann@DEMO", "--state", state, "--password-stdin", "--json", portal=portal, given="s3cret")

    content = json.loads(done.stdout)
    assert (done.returncode, done.stderr, content["error"]) == (0, "", None)
    assert {step["step"]: step["status"] for step in content["steps"]} == {
        **dict.fromkeys(("portal key", "base", "theme", "global part", "account part"), 200),
        "save": None,
    }
    assert all(0 < step["milliseconds"] < 10_000 for step in content["steps"])
    keys = keys_of(content)
    assert keys["title"] == {
        "key": "title",
        "value": "Ann, extension 204",
        "source": "provider",
        "rank": 20,
        "replaced": [{"value": "Demo", "source": "portal", "rank": 10}],
        "kept_out": [],
    }
    assert keys["host"]["kept_out"][0]["value"] == "evil.example"
    assert "open_white_label" in keys["host"]["kept_out"][0]["reason"]
    assert keys["password"]["value"] == "********"
    assert keys["vip"]["value"] == ""
    assert {remark["place"] for remark in content["diagnostics"]} == {"portal key", "host"}
    assert content["theme"]["name"] == "Sunrise"
    assert [dial["uri"] for dial in content["quick_dials"]] == ["8", "9"]


def test_a_key_of_which_every_value_was_kept_out_is_shown(portal: str, world: World, state: Path) -> None:
    """It has no value, but the person looks for it."""
    world.account = world.account.replace("</account>", "<videoCodecs>h264</videoCodecs></account>")
    world.base = msgspec.structs.replace(world.base, common=type(world.base.common)())
    world.common = "<provisioning/>"

    content, shown = told(sign_in(portal, state, "--json")), run("show", "--state", state)

    key = keys_of(content)["videoCodecs"]
    assert (key["value"], key["source"], key["rank"]) == (None, None, None)
    assert key["kept_out"][0]["source"] == "provider"
    assert re.search(r"videoCodecs +not set +kept out 'h264': needs the feature video", shown.stdout)


def test_secrets_are_shown_when_asked_for(portal: str, state: Path) -> None:
    """Passwords and tokens, for a person and a program."""
    for_program = told(sign_in(portal, state, "--json", "--reveal-secrets"))
    for_person = run("show", "--state", state, "--reveal-secrets")

    assert keys_of(for_program)["password"]["value"] == "sip-s3cret"
    assert "t0ken" in for_person.stdout


@pytest.mark.parametrize(
    ("name", "answer", "end", "message"),
    [
        ("prov", xml_answer("<message>Ask Eve.</message>", 403), Exit.REFUSED, "Ask Eve."),
        ("base", Response(404), Exit.NOT_FOUND, "There is no app with this Cloud ID."),
        ("prov", xml_answer("<account/>", 200), Exit.INVALID, "Your account is incomplete."),
        ("prov", xml_answer("no", 200), Exit.INVALID, "The answer of the server cannot be used."),
        ("prov", Response(503), Exit.UNAVAILABLE, "Provisioning failed."),
        ("prov", Response(429), Exit.TOO_MANY, "Provisioning failed."),
    ],
)
def test_how_a_sign_in_can_fail(tmp_path: Path, name: str, answer: Response, end: Exit, message: str) -> None:
    """The code says what happened; the steps and the words of the server are there; nothing is saved."""
    world, state = World(), tmp_path / "phone"
    world.instead[name] = answer
    with served(world) as portal:
        for_person = sign_in(portal, state)
        for_program = sign_in(portal, tmp_path / "other", "--json")

    assert (for_person.exit_code, for_program.exit_code) == (end, end)
    assert f"Error: {message}" in for_person.stderr
    assert "Note: portal key" in for_person.stdout
    content = told(for_program)
    assert (content["error"]["kind"], content["error"]["exit_code"]) == (end.name.lower(), end)
    assert content["error"]["message"].startswith(message)
    assert len(content["steps"]) >= 3
    assert content["diagnostics"]
    assert run("show", "--state", state).exit_code == Exit.NOT_FOUND


def test_nobody_answers(state: Path) -> None:
    """Code 6, in plain words."""
    failed = sign_in("http://127.0.0.1:9", state)

    assert failed.exit_code == 6
    assert "Error: The server cannot be reached. Please check your internet connection." in failed.stderr


def test_the_phone_is_in_use(portal: str, state: Path) -> None:
    """Code 8; who only looks is not in the way."""
    sign_in(portal, state)
    with Handset(state).alone():
        assert sign_in(portal, state).exit_code == 8
        assert run("edit", "codecOrder", "8", "--state", state).exit_code == 8
        assert run("show", "--state", state).exit_code == 0


def test_a_folder_that_cannot_be_used(portal: str, tmp_path: Path) -> None:
    """A misuse where it can be none; code 1 where the disk does not want it."""
    (tmp_path / "file").write_text("")

    mistyped, failed = sign_in(portal, tmp_path / "file" / "phone"), sign_in(portal, Path("/proc/phone"))

    assert (mistyped.exit_code, failed.exit_code) == (2, 1)
    assert "is no folder" in " ".join(mistyped.stderr.split())
    assert "cannot use" in failed.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sign-in",), "Say who signs in"),
        (("sign-in", "ann@DE MO"), "Cloud ID"),
        (("sign-in", "csc:ann@DEMO/x"), "link"),
        (("sign-in", "csc://DEMO/oauth?token=t&provider=p"), "external service"),
        (("sign-in", "ann@DEMO", "--portal", "ftp://x"), "portal: is not an address"),
        (("sign-in", "ann@DEMO", "--portal-key", "rsa:x"), "ed25519:BASE64"),
        (("sign-in", "ann", "--white-label", "?"), "Cloud ID"),
        (("sign-in", "--qr-image", "nowhere.png"), "nowhere.png cannot be read as a picture"),
    ],
)
def test_a_command_that_cannot_be_meant(state: Path, words: tuple[str, ...], message: str) -> None:
    """Code 2, and what to mend."""
    failed = run(*words, "--state", state)

    assert failed.exit_code == 2
    assert message in failed.stderr


def test_an_empty_password_where_there_is_nobody_to_ask(portal: str, state: Path) -> None:
    """Without a terminal nothing is asked for: what is missing is said, as a real phone would say it."""
    nothing, nobody = (run("sign-in", text, "--state", state, portal=portal) for text in ("ann@DEMO", "csc:DEMO"))

    assert (nothing.exit_code, nobody.exit_code) == (5, 5)
    assert "Please enter your password." in nothing.stderr


@pytest.mark.parametrize("link", ["csc:ann:s3cret@DEMO", "CSC://ann:s3cret@DEMO*?branch=west"])
def test_a_link(portal: str, state: Path, link: str) -> None:
    """It brings all that is needed, extras too."""
    done = run("sign-in", link, "--state", state, "--json", portal=portal)

    assert done.exit_code == 0
    assert told(done)["username"] == "ann"


def test_a_link_for_another_portal(portal: str, state: Path) -> None:
    """It is told that the phone asks the one of the command line."""
    done = run("sign-in", "csc://ann:s3cret@DEMO?env=beta", "--state", state, portal=portal)

    assert done.exit_code == 0
    assert "Note: the link means the portal 'beta'" in done.stderr


def test_a_qr_picture(portal: str, state: Path, tmp_path: Path) -> None:
    """The code is read like a link."""
    picture = tmp_path / "code.png"
    segno.make("csc:ann:s3cret@DEMO").save(str(picture), scale=4)

    done = run("sign-in", "--qr-image", picture, "--state", state, "--json", portal=portal)

    assert (done.exit_code, told(done)["cloud_id"]) == (0, "DEMO")


def test_a_picture_without_a_code_for_an_app(portal: str, state: Path, tmp_path: Path) -> None:
    """Another code is not taken for one; what is no picture is said to be none."""
    picture = tmp_path / "code.png"
    segno.make("https://example.com").save(str(picture), scale=4)
    other = tmp_path / "other.png"
    other.write_text("no picture")
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(21 * 1024 * 1024)

    wrong_code, no_picture, too_large = (
        run("sign-in", "--qr-image", path, "--state", state, portal=portal) for path in (picture, other, large)
    )

    assert (wrong_code.exit_code, no_picture.exit_code, too_large.exit_code) == (5, 2, 2)
    assert "shows no QR code of an app (1 other codes)" in wrong_code.stderr
    assert "cannot be read as a picture" in no_picture.stderr
    assert "has more than 20,971,520 bytes" in too_large.stderr


def test_a_qr_picture_without_the_library(state: Path) -> None:
    """The command that installs it is named."""
    code = "import sys; sys.modules['zxingcpp'] = None; from offhook.cli.phone import app; app()"
    command = [sys.executable, "-c", code, "sign-in", "--qr-image", "x.png", "--state", str(state)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}

    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=30, check=False)

    assert done.returncode == 2
    assert "pip install 'offhook[qr]'" in done.stderr


def test_a_pinned_key(world: World, portal: str, state: Path, tmp_path: Path) -> None:
    """As text or in a file; nothing is trusted at first sight, and another key is not genuine."""
    key = signing.public_text(world.key.public_key())
    file = tmp_path / "key.txt"
    file.write_text(f"{key}\n")

    for pin in (key, file):
        content = told(sign_in(portal, state, "--json", "--portal-key", pin))
        assert content["diagnostics"] == []
        assert content["portal_key"] == key

    other = sign_in(portal, state, "--portal-key", "ed25519:" + "A" * 43 + "=")
    assert other.exit_code == 5
    assert "do not come, unchanged, from the portal that this phone knows" in other.stderr
    assert "sign in with --portal-key KEY; `offhook portal-key` on its server prints it" in other.stderr
    for_program = told(sign_in(portal, state, "--json", "--portal-key", "ed25519:" + "A" * 43 + "="))
    assert "--portal-key KEY" in for_program["error"]["hint"]


def test_strict_sends_no_password_over_http(portal: str, state: Path) -> None:
    """Not even to this machine."""
    failed = sign_in(portal, state, "--strict")

    assert failed.exit_code == 3
    assert "became asterisks" in failed.stdout


def test_a_white_label(world: World, portal: str, state: Path) -> None:
    """Its Cloud ID is built in, so the text is a plain username; its own links are understood."""
    world.screen = WhiteLabel(uri_scheme="clinic")

    typed = sign_in(portal, state, "--json", "--white-label", "DEMO*", text="ann")
    link = run("sign-in", "clinic:ann:s3cret@DEMO", "--white-label", "demo", "--state", state, portal=portal)
    other = run("sign-in", "csc:ann:s3cret@OTHER", "--white-label", "demo", "--state", state, portal=portal)

    assert told(typed)["cloud_id"] == "DEMO*"
    assert [step["step"] for step in told(typed)["steps"][:2]] == ["portal key", "screen"]
    assert link.exit_code == 0
    assert other.exit_code == 2
    assert "This link is for the app OTHER, and this app is DEMO." in other.stderr


def test_an_app_that_signs_in_with_a_code_only(world: World, portal: str, state: Path) -> None:
    """It has no fields, so a typed text is refused."""
    world.screen = QrOnly()

    typed = sign_in(portal, state, "--white-label", "DEMO", text="ann")
    link = run("sign-in", "csc:ann:s3cret@DEMO", "--white-label", "DEMO", "--state", state, portal=portal)

    assert typed.exit_code == 2
    assert "with a QR code or a link only" in typed.stderr
    assert link.exit_code == 0


def test_show(portal: str, state: Path) -> None:
    """What was saved; for a program too; nobody signed in is code 4."""
    assert run("show", "--state", state).exit_code == 4
    assert "Nobody is signed in on this phone." in run("show", "--state", state).stderr

    sign_in(portal, state)

    assert "Ann, extension 204" in run("show", "--state", state).stdout
    content = told(run("show", "--state", state, "--json"))
    assert keys_of(content)["username"]["value"] == "204"
    assert content["diagnostics"] == []
    assert datetime.fromisoformat(content["signed_in_at"]).tzinfo is not None
    assert "steps" not in content


def test_a_damaged_vault(portal: str, state: Path) -> None:
    """Showing tells; the next sign-in sets it aside and tells where."""
    sign_in(portal, state)
    (state / "vault" / "state.bin").write_bytes(b"rubbish")

    shown, signed_in = run("show", "--state", state), sign_in(portal, state)

    assert shown.exit_code == 5
    assert "the next sign-in sets it aside" in shown.stderr
    assert signed_in.exit_code == 0
    assert "was set aside as" in signed_in.stdout


def test_a_theme_that_cannot_be_read(portal: str, state: Path) -> None:
    """The account is shown nevertheless."""
    sign_in(portal, state)
    for theme in (state / "vault" / "themes").iterdir():
        theme.unlink()

    shown = run("show", "--state", state)

    assert shown.exit_code == 0
    assert "Note: theme: cannot be read" in shown.stdout
    assert "theme: cannot be read\n" in shown.stdout


def test_edit(portal: str, state: Path) -> None:
    """The user's value is shown with what it replaced; warnings and refusals are told."""
    assert run("edit", "codecOrder", "9", "--state", state).exit_code == 4

    sign_in(portal, state)
    done = run("edit", "codecOrder", "9", "--state", state)
    odd = run("edit", "expires", "soon", "--state", state)
    for_program = told(run("edit", "expires", "soon", "--state", state, "--json"))
    refused = run("edit", "host", "evil.example", "--state", state)

    assert (done.exit_code, done.stdout) == (0, "codecOrder is changed.\n")
    assert 'Note: expires: "soon" is not a whole number' in odd.stdout
    assert for_program["diagnostics"][0]["place"] == "expires"
    assert refused.exit_code == 3
    assert "host cannot be changed here" in refused.stderr
    assert re.search(r"codecOrder +9 +user 40 +replaced '0,8' of portal 10", run("show", "--state", state).stdout)


def test_nothing_from_a_server_steers_the_terminal(world: World, portal: str, state: Path) -> None:
    """Control characters and markup are shown as they are; long values are cut for people only."""
    world.base = msgspec.structs.replace(
        world.base, account={**world.base.account, **account({"note": "[red]\x9b2J\u202e", "long": "x" * 100})}
    )

    content, shown = told(sign_in(portal, state, "--json")), run("show", "--state", state).stdout

    assert keys_of(content)["long"]["value"] == "x" * 100
    assert "[red]\\x9b2J\\x202e" in shown
    assert "\x9b" not in shown
    assert "…" in shown
    assert shown.count("x") < 80


class Terminal:
    """A person at a terminal: waits for words, types answers."""

    def __init__(self, *words: str | Path, portal: str) -> None:
        self.master, slave = pty.openpty()
        environment = {
            **os.environ,
            "OFFHOOK_PORTAL": portal,
            "PYTHONPATH": str(ROOT / "src"),
            "TERM": "xterm",
            "COLUMNS": "120",
        }
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, words)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def see(self, words: str) -> None:
        with suppress(OSError):  # The other side is closed.
            while words not in self.seen and select.select([self.master], [], [], 20)[0]:
                self.seen += os.read(self.master, 65536).decode()
        assert words in self.seen

    def answer(self, words: str) -> None:
        self.seen = ""
        os.write(self.master, f"{words}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def end(self) -> int:
        return self.process.wait(20)


def test_the_screen_of_the_generic_app(portal: str, state: Path) -> None:
    """Its two fields are asked for, the password unseen; the steps are alive; the account follows."""
    with Terminal("sign-in", "--state", state, portal=portal) as terminal:
        terminal.see("Cloud ID / Scan a QR code (its text; a picture with --qr-image):")
        terminal.answer("ann@DEMO")
        terminal.see("Password: ")
        terminal.answer("s3cret")
        terminal.see("This phone is provisioned.")

        assert terminal.end() == 0
        assert "account part" in terminal.seen
        assert "s3cret" not in terminal.seen
        assert "Ann, extension 204" in terminal.seen


def test_the_screen_of_a_white_label(world: World, portal: str, state: Path) -> None:
    """Its own words; the text of a QR code may be given instead; what the code leaves out is asked for."""
    world.screen = WhiteLabel(texts=Texts(title="Call your clinic", username="Patient number"))
    with Terminal("sign-in", "--state", state, "--white-label", "DEMO", portal=portal) as terminal:
        terminal.see("Patient number / Scan a QR code (its text; a picture with --qr-image):")
        assert "Call your clinic" in terminal.seen
        terminal.answer("csc:DEMO")
        terminal.see("Username")
        terminal.answer("ann")
        terminal.see("Password: ")
        terminal.answer("s3cret")
        terminal.see("This phone is provisioned.")

        assert terminal.end() == 0


def test_a_screen_without_a_qr_reader(world: World, portal: str, state: Path) -> None:
    """Then only the fields are offered; the Cloud ID is known, so the generic app asks for the rest of its field."""
    world.screen = Classic(qr=False)
    with Terminal("sign-in", "--state", state, "--white-label", "DEMO", portal=portal) as terminal:
        terminal.see("Username:")
        terminal.answer("ann")
        terminal.see("Password: ")
        terminal.answer("wrong")
        terminal.see("Wrong username or password.")

        assert terminal.end() == 3


def test_the_default_place_of_a_phone(portal: str, tmp_path: Path) -> None:
    """By the XDG rules, under the user's state."""
    environment = {"XDG_STATE_HOME": str(tmp_path), "OFFHOOK_PORTAL": portal}
    done = CliRunner().invoke(app, ["sign-in", "csc:ann:s3cret@DEMO"], env=environment)

    assert done.exit_code == 0
    assert (tmp_path / "offhook" / "phone" / "vault" / "state.bin").exists()


def test_the_exit_codes_are_documented() -> None:
    """The help names every exit code."""
    text = run("sign-in", "--help").stdout

    assert all(re.search(rf"\b{code.value}\s", text) for code in Exit)


def unread(state: Path, portal: str, words: str, *, given: str = "") -> subprocess.CompletedProcess[bytes]:
    """The command with a reader of its output who has gone, also of what it complains about."""
    script = f"{sys.executable} -c 'from offhook.cli.main import run; run()' phone {words} --state {state}"
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            ["sh", "-c", script],
            input=given.encode(),
            stdout=writer,
            stderr=subprocess.PIPE,
            env={**os.environ, "OFFHOOK_PORTAL": portal, "PYTHONPATH": str(ROOT / "src")},
            timeout=30,
            check=False,
        )
    finally:
        os.close(writer)


def test_a_sign_in_that_nobody_reads(portal: str, state: Path) -> None:
    """It goes to its end, as the server sees it; the exit code says that its words are lost, and nothing else does."""
    done = unread(state, portal, "sign-in ann@DEMO --password-stdin", given="s3cret\n")

    assert (done.returncode, done.stderr) == (1, b"")
    assert told(run("show", "--state", state, "--json"))["username"] == "ann"


def test_a_refused_sign_in_that_nobody_reads(portal: str, state: Path) -> None:
    """How it ended counts for more than who heard of it."""
    done = unread(state, portal, "sign-in ann@DEMO --password-stdin", given="wrong\n")

    assert done.returncode == 3


def test_a_refresh_that_nobody_reads(portal: str, state: Path, world: World) -> None:
    """What is new is kept all the same."""
    sign_in(portal, state)
    world.base = msgspec.structs.replace(world.base, version=10)

    done = unread(state, portal, "refresh")

    assert (done.returncode, done.stderr) == (1, b"")
    assert told(run("show", "--state", state, "--json"))["version"] == 10


def test_a_running_phone_that_nobody_reads(portal: str, state: Path) -> None:
    """It closes, once what is under way is over: a phone that nobody sees would stay for ever."""
    sign_in(portal, state)

    done = unread(state, portal, "run")

    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("words", [("sign-in", "ann@DEMO"), ("refresh",), ("run",)])
def test_authorities_that_cannot_be_read(portal: str, state: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    """The variable and the file are named, before anything is asked."""
    nope = tmp_path / "nope.pem"
    environment = {**os.environ, "OFFHOOK_PORTAL": portal, "PYTHONPATH": str(ROOT / "src"), "SSL_CERT_FILE": str(nope)}

    done = subprocess.run(
        [*COMMAND, *words, "--state", str(state)], capture_output=True, text=True, env=environment, check=False
    )

    assert done.returncode == 2
    assert done.stderr == f"Error: SSL_CERT_FILE: {nope} cannot be used: No such file or directory\n"
