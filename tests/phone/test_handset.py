"""One phone: identity, locking, edits, and what it does about a damaged vault."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from offhook.core.errors import Conflict, Invalid, NotFound, OffhookError, Refused
from offhook.core.login import CloudId
from offhook.core.mergeable import Value
from offhook.phone.commands import NoAnswer, Why
from offhook.phone.device import Device
from offhook.phone.drive import perform
from offhook.phone.edge import Edge
from offhook.phone.handset import Handset
from offhook.phone.portal import Portal
from offhook.phone.saved import owner
from offhook.phone.stopped import Stopped
from tests.phone.play import ANN, NOW, PORTAL, Play
from tests.world_portal import ADDRESS, World, served


def phone(folder: Path, world: World | None = None) -> Handset:
    """A phone that is signed in."""
    handset = Handset(folder / "phone", clock=lambda: NOW)
    play = Play(world or World())
    with handset.alone():
        saved = play.run(handset.signing_in(ANN, PORTAL))
        handset.vault.save(saved, play.saves[0].theme)
    return handset


def test_the_install_id_is_made_once(tmp_path: Path) -> None:
    """It is kept through later starts; what cannot be one is replaced."""
    handset = Handset(tmp_path)
    with handset.alone():
        first = handset.device()
        second = Handset(tmp_path).device()
        (tmp_path / "install-id").write_text("rubbish")
        third = handset.device()

    assert re.fullmatch("[0-9a-f]{32}", first.install_id)
    assert first == second
    assert third.install_id != first.install_id


def test_the_device_says_what_it_is() -> None:
    """The global placeholders, each with a value that can be sent."""
    names = Device("0" * 32, platform="linux", locale="cs-CZ").names()

    assert (names["installid"], names["platform"], names["locale"]) == ("0" * 32, "linux", "cs-CZ")
    assert (names["version"], names["build"]) == ("1.5.6", "0.1.0")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """Whoever comes second is told, and gets in later; reading is possible meanwhile."""
    handset = phone(tmp_path)
    with handset.alone():
        with pytest.raises(Conflict, match="Another process is using the phone"), Handset(handset.folder).alone():
            pass
        assert Handset(handset.folder).saved().saved

    with Handset(handset.folder).alone():
        pass


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """The path and the reason, not a traceback."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(OffhookError, match="cannot use"), Handset(tmp_path / "file" / "phone").alone():
        pass

    (tmp_path / "phone" / "lock").mkdir(parents=True)
    with pytest.raises(OffhookError, match="cannot use"), Handset(tmp_path / "phone").alone():
        pass


def test_a_sign_in_and_the_next_start(tmp_path: Path) -> None:
    """What a sign-in saved is there when the phone starts again; the time is the clock's."""
    world = World()
    handset = Handset(tmp_path)
    with served(world) as address, handset.alone():
        saved = perform(handset.signing_in(ANN, Portal(address)), Edge(handset.act))

    assert Handset(tmp_path).saved().saved == saved
    assert (datetime.now(UTC) - saved.signed_in_at).total_seconds() < 60


def test_a_second_sign_in_keeps_pin_and_changes(tmp_path: Path) -> None:
    """The conversation starts with what the vault holds."""
    handset = phone(tmp_path)
    with handset.alone():
        handset.edit("codecOrder", "9")
        play = Play(World())

        saved = play.run(handset.signing_in(ANN, PORTAL))
        screen = Play(World())
        screen.run(handset.first_screen(CloudId.parse("DEMO"), PORTAL))

    assert play.steps[0] == "base + theme"
    assert screen.steps == ["screen"]
    assert saved.account.text("codecOrder") == "9"


def test_a_damaged_vault_is_set_aside_and_told(tmp_path: Path) -> None:
    """Nothing is deleted, and the phone can be signed in again."""
    handset = phone(tmp_path)
    handset.vault.state.write_bytes(b"rubbish")
    play = Play(World(), handset=handset)

    with handset.alone():
        play.run(handset.signing_in(ANN, PORTAL))

    (remark,) = (remark for remark in play.remarks if remark.place == "vault")
    assert "was set aside as" in remark.text
    assert (handset.folder / "vault.damaged-1" / "state.bin").read_bytes() == b"rubbish"
    assert handset.saved().saved


@pytest.mark.parametrize("harm", ["damaged", "locked"])
def test_a_vault_that_cannot_be_opened_is_left_alone_by_all_but_a_sign_in(tmp_path: Path, harm: str) -> None:
    """Editing, living and looking say what is wrong and change nothing; with its key, a locked vault opens again."""
    handset = phone(tmp_path)
    key = handset.folder / "keystore" / "vault.key"
    if harm == "damaged":
        handset.vault.state.write_bytes(b"rubbish")
    else:
        key.rename(tmp_path / "key")
    before = {path: path.read_bytes() for path in handset.vault.folder.rglob("*.bin")}

    with handset.alone():
        for use in (handset.living, handset.saved, handset.signed_in, lambda: handset.edit("codecOrder", "9")):
            with pytest.raises(Invalid, match=r"cannot be opened: .*; the next sign-in sets it aside") as told:
                use()
            assert ("its key is missing" in told.value.text) is (harm == "locked")

    assert {path: path.read_bytes() for path in handset.vault.folder.rglob("*.bin")} == before
    play = Play(World(), handset=handset)
    with handset.alone():
        play.run(handset.signing_in(ANN, PORTAL))
    assert handset.saved().saved
    aside = handset.folder / f"vault.{harm}-1"
    assert (aside / "state.bin").read_bytes() == before[handset.vault.state]


@pytest.mark.parametrize("harm", ["damaged", "locked"])
def test_a_sign_in_that_fails_leaves_a_vault_that_cannot_be_opened(tmp_path: Path, harm: str) -> None:
    """Nobody is signed out by it: what was wrong is put right, and the phone is as it was."""
    handset = phone(tmp_path)
    before = handset.saved()
    lost = handset.folder / "keystore" / "vault.key" if harm == "locked" else handset.vault.state
    lost.rename(tmp_path / "lost")
    if harm == "damaged":
        lost.write_bytes(b"rubbish")
    unreachable = Play(World(), {"base": NoAnswer(Why.UNREACHABLE)}, handset)

    with handset.alone(), pytest.raises(Stopped, match="cannot be reached"):
        unreachable.run(handset.signing_in(ANN, PORTAL))
    (tmp_path / "lost").rename(lost)

    assert handset.saved() == before
    assert not list(handset.folder.glob("vault.*"))


def test_leftovers_of_a_crash_are_removed(tmp_path: Path) -> None:
    """By the next who is alone."""
    handset = phone(tmp_path)
    left = handset.vault.folder / "state.bin.new"
    left.write_bytes(b"half")

    with handset.alone():
        pass

    assert not left.exists()


def test_an_edit_is_the_users(tmp_path: Path) -> None:
    """It has the user's rank, replaces the provider's value, and is kept."""
    handset = phone(tmp_path)
    with handset.alone():
        edited = handset.edit("codecOrder", "18")

    saved = handset.saved().saved
    assert saved == edited.saved
    assert saved.account.keys["codecOrder"].value == Value("18", 40, "user")
    assert saved.account.keys["codecOrder"].replaced == (Value("0,8", 10, "portal"),)
    assert not edited.remarks


@pytest.mark.parametrize(
    ("key", "content", "remark"),
    [
        ("expires", "soon", "is not a whole number"),
        ("codecorder", "8", "is not a known key and is kept as it is; did you mean codecOrder?"),
        ("X-my-own", "8", "is not a known key and is kept as it is"),
    ],
)
def test_an_odd_edit_is_done_and_told(tmp_path: Path, key: str, content: str, remark: str) -> None:
    """A wrong type or an unknown key is a warning."""
    handset = phone(tmp_path)

    with handset.alone():
        edited = handset.edit(key, content)

    assert edited.saved.account.text(key) == content
    assert remark in edited.remarks[0].text


@pytest.mark.parametrize(
    ("key", "content", "kind", "reason"),
    [
        (
            "lockedKey",
            "1",
            Refused,
            r"lockedKey cannot be changed here: rank 40 \(user\) is below rank 50 \(provider\)",
        ),
        ("host", "evil.example", Refused, "host cannot be changed here: needs the feature open_white_label"),
        ("title", " ", Invalid, "title: is empty"),
        ("two words", "1", Invalid, "is not a possible name"),
        ("note", "\x00", Invalid, "U\\+0000"),
        ("note", "x" * 65537, Invalid, "more than 65,536 characters"),
    ],
)
def test_an_edit_that_is_refused(tmp_path: Path, key: str, content: str, kind: type[OffhookError], reason: str) -> None:
    """A lock, a licence, an account that would not work, a value that cannot be written: the reason is told."""
    world = World()
    world.account = world.account.replace("</account>", '<lockedKey priority="50">0</lockedKey></account>')
    handset = phone(tmp_path, world)
    earlier = handset.saved()

    with handset.alone(), pytest.raises(kind, match=reason):
        handset.edit(key, content)

    assert handset.saved() == earlier


def test_nobody_to_edit(tmp_path: Path) -> None:
    """A phone that is not signed in has no settings."""
    handset = Handset(tmp_path)

    with handset.alone(), pytest.raises(NotFound, match="Nobody is signed in"):
        handset.edit("codecOrder", "8")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "https://portal.example.com/base/", " http://[::1]:80 "])
def test_addresses_of_portals(url: str) -> None:
    """A slash at the end and blanks around do not matter."""
    portal = Portal.parse(url)

    assert portal.key_url == url.strip().rstrip("/").removesuffix(":80") + "/portal/key"


@pytest.mark.parametrize(
    "url",
    [
        *("", "portal.example", "ftp://x", "http://", "http://x:0", "http://x:y", "http://a b", "http://x?y"),
        *("http://x#y", "http://u:p@x", "http://x\a", "http://[half", "http://x/" + "y" * 2000),
    ],
)
def test_what_is_no_portal(url: str) -> None:
    """The text says how one looks, and does not repeat what may hold a password."""
    with pytest.raises(Invalid, match=r"such as http://127\.0\.0\.1:8080"):
        Portal.parse(url)


def test_a_phone_is_worth_as_much_as_its_record(tmp_path: Path) -> None:
    """Two users of the same app are told apart, also by case; two apps or portals never are the same."""
    saved = phone(tmp_path).saved().saved
    assert saved

    assert saved.owner == owner(ADDRESS, CloudId.parse("demo*"), "ann")
    assert saved.owner != owner(ADDRESS, ANN.cloud_id, "bob")
    assert saved.owner != owner(ADDRESS, ANN.cloud_id, "Ann")
    assert saved.owner != owner(ADDRESS, CloudId.parse("OTHER"), "ann")
    assert saved.owner != owner("https://portal.example.org", ANN.cloud_id, "ann")


def test_preferences_and_quick_dials_are_the_users(tmp_path: Path) -> None:
    """Each with the user's rank; a lock, a character that cannot be written and a limit are told."""
    world = World()
    world.common = (
        '<p><preferences><tone priority="50">1</tone></preferences>'
        '<quickDial><item id="desk" priority="50"><uri>9</uri></item></quickDial></p>'
    )
    handset = phone(tmp_path, world)
    with handset.alone():
        handset.edit("theme", "dark", preference=True)
        handset.add_dial("mum", "Mother", "100")
        handset.kept.drop_report("unknown")

        with pytest.raises(Refused, match="tone cannot be changed here"):
            handset.edit("tone", "2", preference=True)
        with pytest.raises(Invalid, match="more than 65,536"):
            handset.edit("tone", "x" * 65537, preference=True)
        with pytest.raises(Refused, match="The quick dial desk cannot be changed here"):
            handset.add_dial("desk", "Mine", "1")
        saved = handset.saved().saved
        assert saved
        handset.vault.update(msgspec.structs.replace(saved, quick_dials=saved.quick_dials[:1] * 2000))
        with pytest.raises(Invalid, match="are 2,000 already"):
            handset.add_dial("one more", "", "1")

    assert saved.preferences.keys["theme"].value == Value("dark", 40, "user")
    assert (saved.quick_dials[-1].id, saved.quick_dials[-1].rank) == ("mum", 40)
