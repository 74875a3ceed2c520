"""Whatever a policy says: phones get what a preview shows, and are never told that nothing is new when something is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offhook.core.login import CloudId
from offhook.core.secret import Secret
from offhook.policy import document
from offhook.policy.resolution import LetIn, Resolution
from offhook.policy.rules import Policy
from offhook.policy.subject import Fact, Occasion
from offhook.provider.circumstances import Circumstances
from offhook.provider.compose import Composition, Grant
from offhook.provider.explain import Asked, Explain
from offhook.provider.rulings import Case
from offhook.provider.subscriber import Subscriber
from offhook.provider.tenant import Credential, Tenant
from tests.outcome import outcome
from tests.policy.drawn import NAMES, SINCE_S, UNTIL_S, WORDS, policies
from tests.world_provider import CLIENT, Phone, Provider

STATUS = {"LetIn": {200, 304}, "Refusal": {403}, "Logout": {410, 503}}
VERSIONS = ("9.1", "9.10.0", "beta")
# The first one is where the world's requests come from.
NETWORKS = (CLIENT, "10.1.2.3", "2001:db8::1")
NUMBERS = count()


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with closing(Provider(tmp_path_factory.mktemp("laws"))) as provider:
        provider.clock.time_s = SINCE_S
        provider.has_tenant(Tenant("EXAMPLE", template="<account><X-a>{tier}</X-a><title>All</title></account>"))
        provider.has_tenant(Tenant("SIP", credential=Credential.SIP))
        yield provider


class Followed:
    """A phone, and what it would get by a preview that shares nothing with the way of an answer but the evaluator."""

    def __init__(self, provider: Provider, cloud_id: str, user: Subscriber, dice: Random) -> None:
        self.provider, self.cloud_id, self.user, self.dice = provider, cloud_id, user, dice
        self.tells = {"version": "9.1", "platform": "ios", "client": NETWORKS[0]}
        self.phone: Phone | None = None

    def signs_in(self) -> None:
        self.editable = self.dice.random() < 0.5
        name = f"{self.cloud_id}{'*' if self.editable else ''}"
        told = {name: text for name, text in self.tells.items() if name != "client"}
        call = {"cloud_id": name, "cloud_username": self.user.username, "cloud_password": "12345678", **told}
        answer = self.provider.get(**call, installid=self.user.username)
        if answer.status == 200:
            self.phone = Phone(self.provider, self.cloud_id, answer)
            assert isinstance(self.resolution(Occasion.SIGN_IN).verdict, LetIn)
            # Where rules look at the occasion, it has something else than whoever asks again.
            self.has = answer.body if self.case(Occasion.AGAIN).uses(Fact.OCCASION) else self.preview()

    def case(self, occasion: Occasion) -> Case:
        assert self.phone is not None
        told = Circumstances("ios", self.tells["version"], network=self.tells["client"], editable=self.editable)
        own = self.phone.account["X-install-id"]
        policy = self.provider.rulings.policy(self.provider.tenants.get(self.cloud_id))
        return Case(policy, self.provider.clock.now_s(), told, occasion, 1, own)

    def resolution(self, occasion: Occasion = Occasion.AGAIN) -> Resolution:
        return self.case(occasion).resolve(self.user)

    def preview(self) -> bytes:
        assert self.phone is not None
        grant = Grant(self.phone.account["X-install-id"], Secret("x"), again=True)
        tenant = self.provider.tenants.get(self.cloud_id)
        return self.provider.composer.compose(tenant, self.user, grant, self.resolution()).dumps()

    def changes(self) -> None:
        match self.dice.randrange(4):
            case 0:
                self.provider.clock.time_s = self.dice.randint(self.provider.clock.time_s, UNTIL_S)
            case 1:
                self.tells["version"] = self.dice.choice(VERSIONS)
            case 2:
                self.tells["client"] = self.dice.choice(NETWORKS)
            case _:
                self.provider.clock.time_s += self.dice.choice((0, 1))

    def asks(self) -> None:
        assert self.phone is not None
        tags, lost = self.dice.random() < 0.5, self.dice.random() < 0.2
        verdict = self.resolution().verdict
        answer = self.phone.asks(tags=tags, keep=not lost, **self.tells)
        assert answer.status in STATUS[type(verdict).__name__], answer
        if answer.status == 200:
            assert answer.body == self.preview()
            self.has = self.has if lost else answer.body
        if answer.status == 304:
            assert self.has == self.preview()
        if self.dice.random() < 0.3:
            self.provider.sightings.flush()


@given(policies, st.sampled_from(["EXAMPLE", "SIP"]), st.integers(0, 2**32))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_a_phone_has_what_a_preview_shows(provider: Provider, policy: Policy, cloud_id: str, seed: int) -> None:
    """Time passes, the app is updated, the phone roams, answers are lost: whole when it changed, 304 only if not."""
    dice = Random(seed)
    provider.clock.time_s = dice.randint(SINCE_S, UNTIL_S)
    attributes = {name: dice.choice(WORDS) for name in NAMES} | {"groups": dice.choice(("sales", ""))}
    user = provider.has_user(
        f"user{next(NUMBERS)}@{cloud_id}", attributes=attributes | {"username": "s"}, secrets={"password": "p"}
    )
    provider.has_policy(document.dumps(policy), cloud_id)
    followed = Followed(provider, cloud_id, user, dice)
    followed.signs_in()

    if followed.phone is not None:
        for _ in range(12):
            followed.changes()
            followed.asks()


@given(policies, st.integers(0, 2**32))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_explanation_and_preview_are_the_live_answer(provider: Provider, policy: Policy, seed: int) -> None:
    """Key by key: what is composed with the secrets, what is computed without them, and what is explained."""
    dice = Random(seed)
    attributes = {name: dice.choice(WORDS) for name in NAMES}
    user = provider.has_user(f"user{next(NUMBERS)}@EXAMPLE", attributes=attributes)
    tenant = provider.tenants.get("EXAMPLE")
    told, occasion = Circumstances("ios", dice.choice(VERSIONS)), dice.choice((*Occasion,))
    asked = Asked(told, occasion, now_s=dice.randint(SINCE_S, UNTIL_S), policy=policy)
    explain = Explain(
        subscribers=provider.subscribers,
        tenants=provider.tenants,
        composer=provider.composer,
        rulings=provider.rulings,
        portal=NoPortal(),
    )
    case = provider.rulings.supposed(tenant, policy, asked.now_s, Case(None, 0, told, occasion))
    resolution = case.resolve(user)
    grant = Grant("I", Secret("t"), again=occasion is Occasion.AGAIN)

    live = provider.composer.compose(tenant, user, grant, resolution)
    explained = explain.account(user.username, CloudId.parse("EXAMPLE"), asked)
    shown = outcome(case, tenant, user)

    values = {key: value.content for key, value in live.document.values().items() if key not in OWN}
    assert {line.key: line.value for line in explained.lines if line.key not in OWN} == values
    assert bool(explained.verdict) is not isinstance(resolution.verdict, LetIn)
    assert [one.by for one in explained.trace if one.matched] == list(resolution.matched)
    if isinstance(shown, Composition):
        assert {key: value.content for key, value in shown.document.values().items() if key not in OWN} == values
    else:
        assert shown == resolution.verdict


OWN = {"X-install-id", "cloud_username", "cloud_password"}


class NoPortal:
    """No app is here."""

    def base(self, cloud_id: str, editable: bool) -> None:
        return None
