"""What happens between the moments of one request: a sign-in checks a password for long, and the world goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from offhook.core.secret import Secret
from offhook.provider.change import Change
from offhook.provider.ports import NewInstall
from offhook.provider.subscriber import Argon2, StoredPassword
from offhook.provider.tenant import Tenant
from offhook.storage.database import Database
from offhook.storage.signin import SignInStore
from tests.world_directory import directory_of
from tests.world_provider import Provider


class Interrupted(SignInStore):
    """A store that each install reaches only after something else has happened."""

    def __init__(self, database: Database, *deeds: Callable[[], object]) -> None:
        super().__init__(database)
        self.deeds = list(deeds)

    async def issue(self, install: NewInstall, upgraded: Argon2 | None, known: StoredPassword) -> None:
        if self.deeds:
            self.deeds.pop(0)()
        await super().issue(install, upgraded, known)


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE"))
        provider.has_user("first@EXAMPLE")
        provider.has_user("alice@EXAMPLE", secrets={"password": "ALICE-SIP"}, attributes={"username": "alice-sip"})
        yield provider


def add_bob(provider: Provider) -> None:
    provider.has_user("bob@EXAMPLE", secrets={"password": "BOB-SIP"}, attributes={"username": "bob-sip"})


def meanwhile(provider: Provider, *deeds: Callable[[], object]) -> None:
    provider.sign_in._store = Interrupted(provider.database, *deeds)


def test_who_is_removed_while_signing_in_gets_nobody_elses_account(provider: Provider) -> None:
    """The next user to be added does not take the number over, and the sign-in is refused."""

    def replace_alice() -> None:
        directory_of(provider).remove("EXAMPLE", "alice")
        add_bob(provider)

    meanwhile(provider, replace_alice)

    answer = provider.signs_in("alice")

    assert answer.status == 403
    assert b"SIP" not in answer.body
    assert provider.installs() == []


def test_who_is_removed_and_added_while_signing_in_is_somebody_new(provider: Provider) -> None:
    """The same name and password let them in, with the account of now."""

    def renew_alice() -> None:
        directory_of(provider).remove("EXAMPLE", "alice")
        add_bob(provider)
        provider.has_user("alice@EXAMPLE", secrets={"password": "NEW-SIP"}, attributes={"username": "alice-sip"})

    meanwhile(provider, renew_alice)

    answer = provider.signs_in("alice")

    assert answer.status == 200
    assert b"NEW-SIP" in answer.body
    assert len(provider.installs()) == 1


def test_a_password_that_is_reset_while_it_is_checked_lets_nobody_in(provider: Provider) -> None:
    """Neither with an install that outlives the reset nor at all."""
    reset = Secret("another one")
    meanwhile(provider, lambda: directory_of(provider).change("EXAMPLE", "alice", Change(), reset))

    answer = provider.signs_in("alice")

    assert answer.status == 403
    assert provider.installs() == []
    assert provider.signs_in("alice", "another one").status == 200


def test_a_user_who_is_changed_all_the_time_is_told_to_try_again(provider: Provider) -> None:
    """A sign-in that finds no quiet moment ends, and is no refusal."""

    def rehash() -> None:
        user = provider.subscribers.get("EXAMPLE", "alice")
        directory_of(provider).change("EXAMPLE", user.username, Change(), Secret("12345678"))

    meanwhile(provider, *[rehash] * 10)

    assert provider.signs_in("alice").status == 503
