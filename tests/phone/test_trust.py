"""What a phone trusts of a portal: its key and how new its parts are, whatever becomes of the account."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from offhook.core import signing
from offhook.core.errors import Invalid, OffhookError
from offhook.core.login import CloudId
from offhook.core.webservice import Response
from offhook.phone import stopped as texts
from offhook.phone.events import SignOut
from offhook.phone.files import Disk
from offhook.phone.flow import initial_screen, sign_in
from offhook.phone.handset import Handset
from offhook.phone.portal import Portal
from offhook.phone.portals import MAX_BYTES, MAX_PORTALS, Portals
from offhook.phone.saved import Left, Validator
from offhook.phone.stopped import Stopped
from offhook.phone.trust import MAX_PARTS, Trust
from tests.phone.play import ANN, DEVICE, NOW, PORTAL, Play, signed_in
from tests.phone.play_life import LifePlay
from tests.phone.play_life import phone as living_phone
from tests.world_portal import ADDRESS, World

OTHER = Portal("http://portal.example.com")


class DatedWorld(World):
    """A portal whose parts are as new as the test says."""

    def __init__(self, day: int) -> None:
        super().__init__()
        self.day = day

    def last_modified(self, part: str) -> str:
        return f"Sun, {self.day:02} Mar 2015 00:46:17 GMT"


def key_of(world: World) -> str:
    return signing.public_text(world.key.public_key())


def trust_in(folder: Path) -> Portals:
    return Portals(folder / "portals.json", Disk())


def use(handset: Handset, world: World, portal: Portal = PORTAL) -> list[str]:
    """Sign in on a real disk; the steps."""
    play = Play(world, handset=handset)
    with handset.alone():
        play.run(handset.signing_in(ANN, portal))
    return play.steps


def test_a_pin_outlives_a_sign_in_at_another_portal(tmp_path: Path) -> None:
    """Going to another portal and back asks nobody for a key again."""
    handset, world = Handset(tmp_path, clock=lambda: NOW), World()

    steps = [use(handset, world, portal)[0] for portal in (PORTAL, OTHER, PORTAL, OTHER)]

    assert steps == ["portal key", "portal key", "base + theme", "base + theme"]


@pytest.mark.parametrize(
    "spelt", ["HTTP://Portal.Example.COM", "http://portal.example.com./", "http://portal.example.com:80//"]
)
def test_an_address_has_many_spellings_and_one_pin(tmp_path: Path, spelt: str) -> None:
    """Case, the default port and slashes at the end make no other portal; another path does."""
    handset = Handset(tmp_path, clock=lambda: NOW)
    use(handset, World(), OTHER)

    portal = Portal.parse(spelt)

    assert portal == OTHER
    assert use(handset, World(), portal)[0] == "base + theme"
    assert Portal.parse(f"{spelt}/Base") != portal
    assert Portal.parse("https://portal.example.com:80").url == "https://portal.example.com:80"
    assert Portal.parse("https://[::1]:443/Base/").url == "https://[::1]/Base"


def test_a_pin_outlives_a_sign_in_that_fails(tmp_path: Path) -> None:
    """The key was seen and told, so it counts, although nobody got in."""
    handset, world = Handset(tmp_path, clock=lambda: NOW), World()
    world.passwords = {}
    with pytest.raises(Stopped, match="Wrong username or password"):
        use(handset, world)

    play = Play(world, handset=handset)
    with handset.alone(), pytest.raises(Stopped, match="Wrong username or password"):
        play.run(handset.signing_in(ANN, PORTAL))

    assert play.steps[0] == "base + theme"
    assert not play.remarks


def test_a_pin_outlives_a_logout_and_a_lost_vault(tmp_path: Path) -> None:
    """It lies beside the vault."""
    handset = Handset(tmp_path, clock=lambda: NOW)
    use(handset, World())
    handset.vault.state.unlink()

    other = World()
    other.key = Ed25519PrivateKey.generate()
    with pytest.raises(Stopped) as early:
        use(handset, other)

    assert early.value.text == texts.NOT_GENUINE


def test_a_key_that_a_person_gives_counts_from_then_on(tmp_path: Path) -> None:
    """It takes the place of the one that was met, once the portal has signed with it; a wrong one never does."""
    handset, world = Handset(tmp_path, clock=lambda: NOW), World()
    use(handset, World())
    world.key = Ed25519PrivateKey.generate()
    play = Play(world, handset=handset)
    with handset.alone():
        with pytest.raises(Stopped):
            play.run(handset.signing_in(ANN, PORTAL, pinned=key_of(World()).replace("A", "B")))
        play.run(handset.signing_in(ANN, PORTAL, pinned=key_of(world)))

        again = Play(world, handset=handset)
        again.run(handset.signing_in(ANN, PORTAL))

    assert again.steps[0] == "base + theme"
    assert trust_in(tmp_path).find(ADDRESS).key == key_of(world)


def test_the_record_of_another_portal_has_no_pin_for_this_one() -> None:
    """A key is known for the address that it was met at, and for no other."""
    earlier = signed_in(World())
    play = Play(World())

    play.run(sign_in(ANN, OTHER, DEVICE, NOW, earlier=earlier))

    assert play.steps[0] == "portal key"


@pytest.mark.parametrize("part", ["base", "theme"])
def test_an_old_part_is_refused_at_the_sign_in(part: str) -> None:
    """However genuine: whoever sits on the way could bring back what the portal has mended since."""
    world, past = DatedWorld(16), DatedWorld(15)
    learned = Play(world)
    learned.run(sign_in(ANN, PORTAL, DEVICE, NOW))
    kind = {"base": "application/xml", "theme": "application/zip"}[part]
    body = past.respond(msgspec.structs.replace(world.asked[1], url=f"{ADDRESS}/portal/DEMO/{part}")).body
    world.instead[part] = past.signed("DEMO", part, kind, body)
    play = Play(world)

    with pytest.raises(Stopped) as early:
        play.run(sign_in(ANN, PORTAL, DEVICE, NOW, trusted=learned.trust()))

    assert (early.value.text, early.value.service) == (texts.NOT_GENUINE, part)
    assert "is older than what this phone has" in early.value.reason
    assert not play.saves


def test_equally_old_and_newer_parts_are_taken_and_other_apps_are_not_compared() -> None:
    """The same date again is no step back; Live and Editable are two lines of versions."""
    learned = Trust(key_of(World()), {"DEMO base": "Sun, 15 Mar 2015 00:46:17 GMT"})
    for day, login in ((15, ANN), (16, ANN), (14, msgspec.structs.replace(ANN, cloud_id=CloudId.parse("DEMO*")))):
        play = Play(DatedWorld(day))

        play.run(sign_in(login, PORTAL, DEVICE, NOW, trusted=learned))

        assert play.saves


def test_an_old_screen_is_refused() -> None:
    """The screen of a white label is a part like the others."""
    learned = Play(DatedWorld(16))
    learned.run(initial_screen(CloudId.parse("DEMO"), PORTAL, DEVICE))

    with pytest.raises(Stopped, match="do not come, unchanged"):
        Play(DatedWorld(15)).run(initial_screen(CloudId.parse("DEMO"), PORTAL, DEVICE, trusted=learned.trust()))


def test_a_record_knows_how_new_its_parts_are() -> None:
    """Also a phone that has nothing but its record takes no older part."""
    earlier = signed_in(DatedWorld(16))

    with pytest.raises(Stopped, match="do not come, unchanged"):
        signed_in(DatedWorld(15), earlier=earlier)


def test_what_re_provisioning_saw_outlives_the_logout() -> None:
    """The date of the last part counts, not the one of the sign-in."""
    play: LifePlay = living_phone()
    play.world.change_base(title="New")
    play.live(86400)
    dated = play.saved.validators["base"].last_modified

    play.live(10, (1, SignOut()))

    assert play.handset.saved().saved is None
    assert play.handset.portals.find(ADDRESS).newest["DEMO base"] == dated
    assert dated.endswith("00:00:02 GMT")


def test_a_304_cannot_set_the_date_of_a_signed_part() -> None:
    """It has no signature, so what it says of dates and tags is not kept."""
    play = living_phone()
    before = play.saved.validators
    play.world.instead["base"] = Response(304, {"etag": '"x"', "last-modified": "Mon, 01 Jan 1990 00:00:00 GMT"})

    play.live(86400)

    assert {part: play.saved.validators[part] for part in ("base", "theme")} == {
        part: before[part] for part in ("base", "theme")
    }
    assert before["base"] != Validator()


def test_with_another_key_the_dates_begin_anew(tmp_path: Path) -> None:
    """A portal that was set up again, from a copy that is older than what phones have seen, is signed in to again."""
    handset, set_up_again = Handset(tmp_path, clock=lambda: NOW), DatedWorld(15)
    use(handset, DatedWorld(16))
    set_up_again.key = Ed25519PrivateKey.generate()
    play = Play(set_up_again, handset=handset)

    with handset.alone():
        play.run(handset.signing_in(ANN, PORTAL, pinned=key_of(set_up_again)))

    assert trust_in(tmp_path).find(ADDRESS) == Trust(
        key_of(set_up_again),
        {"DEMO base": set_up_again.last_modified("base"), "DEMO theme": set_up_again.last_modified("theme")},
    )
    assert use(handset, set_up_again)[0] == "base + theme"


@pytest.mark.parametrize("content", [b"{", b" " * (MAX_BYTES + 1), None], ids=["damaged", "oversized", "unreadable"])
def test_a_file_of_portals_that_cannot_be_read_holds_no_logout(tmp_path: Path, content: bytes | None) -> None:
    """Account and secrets go, with a remark; the file stays as it is."""
    play = living_phone()
    handset = play.handset
    handset.portals = trust_in(tmp_path)
    if content is None:
        handset.portals.path.mkdir()
    else:
        handset.portals.path.write_bytes(content)

    play.live(10, (1, SignOut()))

    assert handset.saved().saved is None
    assert handset.saved().left == Left(ADDRESS)
    assert play.states[-1] == "signed out"
    assert any(remark.startswith("portals: how new the parts of this portal are was not") for remark in play.remarks)
    assert content is None or handset.portals.path.read_bytes() == content


def test_a_file_of_portals_that_cannot_be_read_trusts_nobody(tmp_path: Path) -> None:
    """Neither a broken file nor one that is no text lets a stranger in; the error says how to mend it."""
    for content in (b"{", b'{"x":"\xff"}', b'{"x":{"key":1}}'):
        (tmp_path / "portals.json").write_bytes(content)

        with pytest.raises(Invalid, match="remove it to trust every portal anew"):
            trust_in(tmp_path).find(ADDRESS)
        with pytest.raises(OffhookError):
            use(Handset(tmp_path), World())


def test_what_is_kept_of_portals_has_limits(tmp_path: Path) -> None:
    """The oldest goes first, and what is known already is not written again."""
    portals = trust_in(tmp_path / "new")
    for number in range(MAX_PORTALS + 1):
        portals.keep(f"http://{number}.example", Trust("key"))
    written = portals.path.stat().st_mtime_ns
    portals.keep("http://5.example", Trust("key"))

    assert portals.path.stat().st_mtime_ns == written
    assert portals.find("http://0.example") == Trust()
    assert portals.find("http://1.example") == Trust("key")


def test_what_two_conversations_learned_is_added_up() -> None:
    """Of each date the later one, a date rather than none, of the keys the first one; the oldest lines go first."""
    early, late = "Sun, 15 Mar 2015 00:46:17 GMT", "Mon, 16 Mar 2015 00:46:17 GMT"
    known = Trust("one", {"A base": late, "B base": early})

    assert known.and_also(Trust("", {"A base": early, "B base": late})) == Trust(
        "one", {"A base": late, "B base": late}
    )
    assert known.and_also(Trust("one", {"A base": "never"})) == Trust("one", {"B base": early, "A base": late})
    assert Trust("", known.newest).and_also(Trust("one")) == known
    many = known.and_also(Trust("", {f"{number} base": late for number in range(MAX_PARTS)}))
    assert len(many.newest) == MAX_PARTS
    assert "A base" not in many.newest
