"""Keys that seal secrets are changed while everything goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from offhook.core.errors import Conflict, Unavailable
from offhook.provider.invitation import Invitation
from offhook.provider.invitations import sealed_place
from offhook.provider.keyring import SETTLED_S, Keyring, Reloading
from offhook.provider.sealing import Sealer
from offhook.storage.invitations import InvitationStore
from offhook.storage.keyfiles import SealingFile
from offhook.storage.resealing import SealedTexts
from tests.world_provider import Provider
from tests.world_sip import SIP, SipWorld


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    (tmp_path / "keys").mkdir()
    file = SealingFile(tmp_path / "keys")
    with closing(Provider(tmp_path)) as provider:
        provider.sealer.__init__(*file.read(), provider.dice, file.read)  # type: ignore[misc] # with keys of a file
        yield provider


def lived(provider: Provider) -> SipWorld:
    """Something sealed in each column."""
    world = SipWorld(provider)
    provider.has_user("johndow@EXAMPLE", "sealed:12345678", secrets={"pin": "4711"})
    phone = provider.phone()
    phone.reports("/prov/push-token", selector="a", pushToken="t")
    world.set(None, move=True)
    world.set(SIP)
    waiting = Invitation("i", "EXAMPLE", "ann", 1, b"", 0, 9, sealed=provider.sealer.seal("E1", sealed_place("i")))
    InvitationStore(provider.database).add([waiting])
    return world


def test_everything_is_sealed_anew(provider: Provider, tmp_path: Path) -> None:
    """Then nothing needs the old key, which can be forgotten, and phones notice nothing."""
    lived(provider)
    texts, file = SealedTexts(provider.database), SealingFile(tmp_path / "keys")
    ring = Keyring(file, texts, provider.sealer, provider.clock)
    before = texts.keys()
    provider.clock.time_s = file.changed_s()

    number, rows = ring.rotate()
    with pytest.raises(Conflict):
        ring.forget()
    after = texts.keys()
    provider.clock.time_s = file.changed_s() + SETTLED_S
    forgotten = ring.forget()

    assert (number, list(before), list(after)) == (2, [1], [2])
    assert sum(before.values()) == sum(after.values()) >= 3
    assert rows >= 2
    assert forgotten == [1]
    assert file.numbers() == (2,)
    assert provider.signs_in().status == 200
    kept = InvitationStore(provider.database).get("i")
    assert provider.sealer.open(kept.sealed, sealed_place("i")).reveal() == "E1"


def test_a_server_that_runs_notices(provider: Provider, tmp_path: Path) -> None:
    """It opens what another process sealed with a new key, and seals with that one a little later."""
    file = SealingFile(tmp_path / "keys")
    other = Sealer(*file.read(), provider.dice, file.read)
    reloading = Reloading(other, provider.clock)
    file.add()
    provider.sealer.reload()
    sealed = provider.sealer.seal("secret", "place")

    assert other.open(sealed, "place").reveal() == "secret"
    assert other.current == 2
    file.add()
    assert reloading.due(1) == ()
    provider.clock.time_s += 30
    assert reloading.due(1) == ("all",)
    reloading.do("all")
    assert other.current == 3


def test_a_key_that_is_gone_is_said_so(provider: Provider, tmp_path: Path) -> None:
    """Nothing is resealed that cannot be opened."""
    lived(provider)
    file = SealingFile(tmp_path / "keys")
    file.add()
    file.forget(1)
    provider.sealer.reload()

    with pytest.raises(Unavailable, match="sealed with key 1"):
        SealedTexts(provider.database).reseal(provider.sealer)
    assert (tmp_path / "keys" / "sealing.json").stat().st_mode & 0o77 == 0
