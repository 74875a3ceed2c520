"""What comes out for a user on a phone, with masks in place of secrets: what previews are held against."""

from __future__ import annotations

from typing import TypeAlias

from offhook.core.secret import MASK, Secret
from offhook.policy.resolution import LetIn, Logout, Refusal
from offhook.policy.subject import Occasion
from offhook.provider.compose import Composition, Grant, compose
from offhook.provider.rulings import Case
from offhook.provider.subscriber import Subscriber
from offhook.provider.tenant import Tenant

Outcome: TypeAlias = Composition | Refusal | Logout


def outcome(case: Case, tenant: Tenant, subscriber: Subscriber) -> Outcome:
    """The account as it would be composed, with masks in place of secrets, or why there is none.

    It says nothing of suspended and expired users, who get none whatever rules say.
    """
    resolution = case.resolve(subscriber)
    if not isinstance(resolution.verdict, LetIn):
        return resolution.verdict
    veiled = Secret(MASK)
    grant = Grant(case.install_id, veiled, veiled, again=case.occasion is Occasion.AGAIN)
    return compose(tenant, subscriber, grant, resolution)
