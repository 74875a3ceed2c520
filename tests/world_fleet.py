"""A fleet of phones at one provider, put into its database as their sign-ins would."""

from __future__ import annotations

from collections import Counter

import msgspec

from offhook.core.secret import Secret
from offhook.policy.fleetguard import Limits
from offhook.provider.guarding import Cancellation
from offhook.provider.ports import NewInstall
from offhook.provider.subscriber import Argon2, State, Subscriber
from tests.world_provider import Phone, Provider

LIMITS = Limits(share=0.05, window_s=600, floor=3)


def fleet(provider: Provider, count: int) -> list[Phone]:
    """Phones of as many users; put into the database as their sign-in would."""
    one = provider.has_user("model@EXAMPLE")
    answer = provider.signs_in("model")
    kept = Argon2("x")
    provider.subscribers.put_all(Subscriber("EXAMPLE", f"user{number:05}", kept) for number in range(count))
    phones = []
    with provider.database.begin() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM subscriber WHERE id <> ? ORDER BY id", (one.id,)).all()
        for number, (user_id,) in enumerate(rows):
            phone = Phone(provider, "EXAMPLE", answer)
            phone.account |= {"X-install-id": f"I{number:05}"}
            phones.append(phone)
            row = NewInstall(f"I{number:05}", "EXAMPLE", user_id, token_of(provider, phone), "", "app", 1)
            connection.exec_driver_sql(
                "INSERT INTO install (id, cloud_id, subscriber_id, token_hash, device, user_agent, created_s)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                tuple(msgspec.structs.asdict(row).values())[:7],
            )
    return phones


def token_of(provider: Provider, phone: Phone) -> bytes:
    return provider.tokens.of(Secret(phone.account["cloud_password"]))


def suspend_all(provider: Provider) -> None:
    users = list(provider.subscribers.all_of("EXAMPLE"))
    now_s = provider.clock.now_s()
    provider.subscribers.put_all(
        msgspec.structs.replace(user, state=State.SUSPENDED, changed_s=now_s) for user in users
    )


def statuses(phones: list[Phone]) -> Counter[int]:
    return Counter(phone.asks().status for phone in phones)


def until_now(provider: Provider, seconds: int) -> None:
    """Let time go by."""
    provider.clock.time_s += seconds
    provider.seconds += seconds


def held(provider: Provider) -> tuple[int, ...]:
    """The numbers of the decisions that are held now."""
    return provider.guarding.show("EXAMPLE")[0].numbers


def release_all(provider: Provider) -> int:
    """As `offhook fleet-guard release` does, answered at once."""
    return provider.guarding.release("EXAMPLE", held(provider))


def cancel_all(provider: Provider) -> Cancellation:
    """Likewise."""
    return provider.guarding.cancel("EXAMPLE", held(provider))
