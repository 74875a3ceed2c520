"""The vault: what goes in comes out, nothing can be changed unseen, and nothing is lost."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core import theme
from offhook.core.errors import Invalid, OffhookError
from offhook.core.theme import Manifest, Theme
from offhook.phone import sealing, vault
from offhook.phone.files import Disk, put
from offhook.phone.keystore import FileKeystore
from offhook.phone.saved import Saved
from offhook.phone.sealing import seal, unseal
from offhook.phone.vault import Opened, Vault
from tests.phone.lossy import LossyDisk, PowerLoss
from tests.phone.play import signed_in
from tests.world_portal import World

OLD_THEME = theme.pack(Theme(Manifest("Old")))
NEW_THEME = theme.pack(Theme(Manifest("New")))


def named(saved: Saved, package: bytes, version: int = 1) -> Saved:
    return msgspec.structs.replace(saved, theme=hashlib.sha256(package).hexdigest(), base_version=version)


SAVED = signed_in(World())
OLD = named(SAVED, OLD_THEME, 1)
NEW = named(SAVED, NEW_THEME, 2)


def vault_on(disk: LossyDisk) -> Vault:
    return Vault(Path("/phone/vault"), FileKeystore(Path("/phone/keystore"), disk), disk)


@pytest.fixture
def place(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault", FileKeystore(tmp_path / "keystore"))


def test_an_empty_vault_is_no_damage(place: Vault) -> None:
    """A phone at its first start has nothing."""
    assert place.load() == Opened()


def test_what_goes_in_comes_out(place: Vault) -> None:
    """Every field of the record, and the theme that it names."""
    place.save(NEW, NEW_THEME)

    assert place.load() == Opened(NEW)
    assert place.theme(NEW.theme).manifest.name == "New"


def test_an_update_keeps_the_theme(place: Vault) -> None:
    """A change of the record alone."""
    place.save(NEW, NEW_THEME)

    place.update(named(SAVED, NEW_THEME, 7))

    assert place.load().saved == named(SAVED, NEW_THEME, 7)
    assert place.theme(NEW.theme).manifest.name == "New"


def test_nothing_of_it_can_be_read(place: Vault) -> None:
    """No value of the account stands in any file; nobody else may open one."""
    place.save(NEW, NEW_THEME)

    files = [path for path in place.folder.parent.rglob("*") if path.is_file()]

    assert len(files) == 3
    assert all(b"sip-s3cret" not in path.read_bytes() for path in files)
    assert all(b"sip.example.com" not in path.read_bytes() for path in files)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in files} == {0o700}


def test_the_same_record_is_never_sealed_alike(place: Vault) -> None:
    """A nonce is used once."""
    place.save(NEW, NEW_THEME)
    first = place.state.read_bytes()

    place.update(NEW)

    assert place.state.read_bytes() != first


@pytest.mark.parametrize("position", [0, 8, 25, -1])
def test_a_changed_byte_is_damage(place: Vault, position: int) -> None:
    """Mark, nonce, content or tag: the vault says that it cannot be read."""
    place.save(NEW, NEW_THEME)
    sealed = bytearray(place.state.read_bytes())
    sealed[position] ^= 1
    place.state.write_bytes(sealed)

    opened = place.load()

    assert opened.saved is None
    assert opened.damage.startswith("state: ")


@pytest.mark.parametrize("size", [0, 7, 15, 40])
def test_a_file_cut_short_is_damage(place: Vault, size: int) -> None:
    """As a disk may leave it."""
    place.save(NEW, NEW_THEME)
    place.state.write_bytes(place.state.read_bytes()[:size])

    assert place.load().damage


def test_files_do_not_take_each_others_places(place: Vault) -> None:
    """What is sealed is bound to its name: an old theme is not a new one, nor a state."""
    place.save(OLD, OLD_THEME)
    place.save(NEW, NEW_THEME)
    themes = place.folder / "themes"
    old, new = (themes / f"{saved.theme}.bin" for saved in (OLD, NEW))
    new.write_bytes(old.read_bytes())
    place.state.write_bytes(old.read_bytes())

    with pytest.raises(Invalid, match="was changed"):
        place.theme(NEW.theme)

    assert place.load().damage


def test_a_theme_that_is_missing_says_so(place: Vault) -> None:
    """The record is readable nevertheless."""
    place.save(NEW, NEW_THEME)
    (place.folder / "themes" / f"{NEW.theme}.bin").unlink()

    with pytest.raises(Invalid, match="is missing"):
        place.theme(NEW.theme)

    assert place.load().saved == NEW


def test_a_vault_without_its_key(place: Vault, tmp_path: Path) -> None:
    """It may be as good as ever, and nobody can tell; the next save makes another key, and sets aside what was none."""
    place.save(NEW, NEW_THEME)
    key = tmp_path / "keystore" / "vault.key"
    key.write_bytes(b"short")

    assert place.load() == Opened(locked=True)
    assert place.load().trouble == "its key is missing, or is none"
    with pytest.raises(Invalid, match="the key is missing or damaged"):
        place.theme(NEW.theme)

    place.save(NEW, NEW_THEME)

    assert place.load().saved == NEW
    assert [path.read_bytes() for path in key.parent.glob("*.damaged")] == [b"short"]


def test_a_damaged_vault_is_set_aside_as_a_whole(place: Vault) -> None:
    """Never deleted, however long it is: each finds its own name, once, and is there until a record takes its place."""
    for number, rubbish in enumerate((b"rubbish", b"more" * (vault.MAX_STATE_BYTES // 2)), 1):
        place.save(NEW, NEW_THEME)
        place.state.write_bytes(rubbish)
        (place.folder / "state.bin.new").write_bytes(b"half")

        asides = [place.set_aside() for _ in range(2)]

        assert [aside.name for aside in asides] == [f"vault.damaged-{number}"] * 2
        assert (asides[0] / "state.bin").read_bytes() == place.state.read_bytes() == rubbish
        assert sorted(path.name for path in asides[0].rglob("*.*")) == [f"{NEW.theme}.bin", "state.bin"]
        assert (place.folder.parent / "keystore" / "vault.key").exists()


def test_what_there_is_of_a_key_goes_with_what_it_locked(place: Vault) -> None:
    """Under its name, in the keystore; never over another one."""
    place.save(NEW, NEW_THEME)
    key = place.folder.parent / "keystore" / "vault.key"
    for remains in (b"short", b"shorter"):
        key.write_bytes(remains)
        assert place.set_aside().name == "vault.locked-1"
    key.unlink()
    place.set_aside()

    assert (key.parent / "vault.key.vault.locked-1").read_bytes() == b"short"
    assert place.load() == Opened(locked=True)


def test_a_later_version_is_not_damage(place: Vault) -> None:
    """Its record is left alone, and the person is told to update."""
    place.save(NEW, NEW_THEME)
    key = place.keystore.find() or b""
    later = msgspec.msgpack.encode({"schema": vault.SCHEMA + 1, "what": "ever"})
    place.state.write_bytes(seal(key, vault.STATE, later))

    with pytest.raises(OffhookError, match="later version of Offhook"):
        place.load()


def test_a_record_that_makes_no_sense_is_damage(place: Vault) -> None:
    """Sealed well, written badly."""
    place.save(NEW, NEW_THEME)
    place.state.write_bytes(seal(place.keystore.find() or b"", vault.STATE, b"\xc1"))

    assert place.load().damage


def test_a_record_that_is_too_large_is_not_saved(place: Vault) -> None:
    """The limit is told, and the old record stays."""
    place.save(NEW, NEW_THEME)
    huge = msgspec.structs.replace(NEW, username="x" * (vault.MAX_STATE_BYTES + 1))

    with pytest.raises(Invalid, match="more than 16,777,216"):
        place.update(huge)

    assert place.load().saved == NEW


def test_tidying_removes_what_is_not_named(place: Vault) -> None:
    """Leftovers and old themes go; with no record, all themes."""
    place.save(OLD, OLD_THEME)
    place.save(NEW, NEW_THEME)
    (place.folder / "state.bin.new").write_bytes(b"half")
    (place.folder / "themes" / "x.bin.new").write_bytes(b"half")

    place.tidy(NEW)

    assert sorted(path.name for path in place.folder.rglob("*.*")) == sorted([f"{NEW.theme}.bin", "state.bin"])

    place.tidy(None)

    assert [path.name for path in place.folder.rglob("*.*")] == ["state.bin"]


def test_a_disk_that_does_not_play_along_is_told(place: Vault, tmp_path: Path) -> None:
    """Each operation names the path and the system's reason, and is no fault of the vault."""
    disk = Disk()
    (tmp_path / "file").write_bytes(b"x")
    inside = tmp_path / "file" / "inside"

    operations: list[Callable[[], object]] = [
        lambda: disk.read(tmp_path, 10),
        lambda: disk.write(inside, b""),
        lambda: disk.sync(inside),
        lambda: disk.rename(inside, inside),
        lambda: disk.remove(inside),
        lambda: disk.make_folder(inside),
    ]
    for operation in operations:
        with pytest.raises(OffhookError, match=f"cannot use {tmp_path}"):
            operation()

    assert disk.names(inside) == []


@given(st.binary(max_size=200), st.text(max_size=20), st.data())
def test_sealing_is_a_law(content: bytes, name: str, data: st.DataObject) -> None:
    """What was sealed comes out under its name and key; a changed byte, or another name, is always seen."""
    key = bytes(range(sealing.KEY_BYTES))
    sealed = seal(key, name, content)

    assert unseal(key, name, sealed) == content

    position = data.draw(st.integers(0, len(sealed) - 1))
    changed = bytearray(sealed)
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    for other_name, other in ((name, bytes(changed)), (name + "x", sealed)):
        with pytest.raises(Invalid):
            unseal(key, other_name, other)


def moments_of(disk: LossyDisk, saved: Saved, package: bytes) -> int:
    """How many moments a save has."""
    disk.moments_left = 10_000
    vault_on(disk).save(saved, package)
    return 10_000 - disk.moments_left


def before(old: Saved | None) -> LossyDisk:
    """A disk with an old record, or with nothing; all of it safe."""
    disk = LossyDisk()
    if old:
        vault_on(disk).save(old, OLD_THEME)
    return disk.after_power_loss(Random(0))


@pytest.mark.parametrize("old", [None, OLD], ids=["first", "later"])
def test_power_may_fail_at_any_moment_of_a_save(old: Saved | None) -> None:
    """The next start finds the old record or the new one, whole, with its theme; tidying leaves nothing else."""
    for moment in range(moments_of(before(old), NEW, NEW_THEME) + 1):
        for seed in range(20):
            disk = before(old)
            disk.moments_left = moment
            finished = False
            try:
                vault_on(disk).save(NEW, NEW_THEME)
                finished = True
            except PowerLoss:
                pass

            found = vault_on(disk.after_power_loss(Random(seed)))
            opened = found.load()

            assert opened.damage == ""
            assert opened.saved in ([NEW] if finished else [old, NEW])
            if opened.saved:
                assert found.theme(opened.saved.theme).manifest.name in {"Old", "New"}
            found.tidy(opened.saved)
            assert found.load() == opened
            assert len(found.files.names(found.folder / "themes")) == bool(opened.saved)
            assert not [name for name in found.files.names(found.folder) if name.endswith(".new")]


def test_power_may_fail_while_a_damaged_vault_is_set_aside() -> None:
    """It is in its place until the new record is, which is not before there is a whole copy."""
    moment, replaced = 0, False
    while not replaced:
        for seed in range(10):
            disk = before(OLD)
            put(disk, Path("/phone/vault/state.bin"), b"rubbish")
            disk = disk.after_power_loss(Random(0))
            disk.moments_left = moment
            with suppress(PowerLoss):
                vault_on(disk).set_aside()
                vault_on(disk).save(NEW, NEW_THEME)
                replaced = True

            found = disk.after_power_loss(Random(seed))

            state, copy = (found.read(Path(f"/phone/{name}/state.bin"), 9999) for name in ("vault", "vault.damaged-1"))
            theme_path = Path(f"/phone/vault.damaged-1/themes/{OLD.theme}.bin")
            assert state == b"rubbish" or vault_on(found).load().saved == NEW
            assert copy == b"rubbish" or (copy is None and state == b"rubbish")
            assert copy is None or found.read(theme_path, 9999) == disk.read(theme_path, 9999)
        moment += 1

    assert moment > 15


def test_a_fault_is_found_by_the_lossy_disk() -> None:
    """The proof proves: a save that does not sync is caught."""

    class Careless(LossyDisk):
        careless = True

        def sync(self, path: Path) -> None:
            self._moment()

    damaged = 0
    for seed in range(50):
        disk = Careless()
        vault_on(disk).save(NEW, NEW_THEME)
        damaged += vault_on(disk.after_power_loss(Random(seed))).load().saved != NEW

    assert damaged


@pytest.mark.parametrize(("size", "usable"), [(31, False), (32, True), (33, False)])
def test_a_key_has_32_bytes(place: Vault, tmp_path: Path, size: int, usable: bool) -> None:
    """Neither fewer nor more."""
    place.save(NEW, NEW_THEME)
    (tmp_path / "keystore" / "vault.key").write_bytes(b"k" * size)

    assert (place.keystore.find() is not None) is usable
