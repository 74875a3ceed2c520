"""Shadow mode asked about ourselves: whatever the policy, the service that phones meet says what looking at it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from random import Random
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offhook.cli.shadow_ask import Here, Remote
from offhook.core import webservice
from offhook.core.login import CloudId, Login
from offhook.core.secret import Secret
from offhook.core.shadow import Account, Different, Refused, Said, Same, judge
from offhook.core.webservice import Response
from offhook.phone.commands import Answer, Fetch
from offhook.policy import document
from offhook.policy.effects import SetKey
from offhook.policy.rollout import Of, Rollout
from offhook.policy.rules import Policy, Rule
from offhook.provider.definitions import definitions
from offhook.provider.tenant import Tenant
from offhook.web.http import Call
from tests.policy.drawn import NAMES, SINCE_S, UNTIL_S, WORDS, policies
from tests.world_provider import Provider

PASSWORD = "12345678"
NUMBERS = count()
SERVICES = (webservice.INITIAL, webservice.GLOBAL)
TENANT = Tenant(
    "EXAMPLE",
    template="<account><X-a>{tier}</X-a><X-d>{pin}</X-d></account>",
    common='<global><quickDial><item id="desk"><uri>9</uri></item></quickDial></global>',
)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with closing(Provider(tmp_path_factory.mktemp("shadow"))) as provider:
        provider.has_tenant(TENANT)
        yield provider


class Face:
    """The network, at whose other end our own service is: each question is a sign-in like any other."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    async def ask(self, fetch: Fetch) -> Answer:
        request, place = fetch.request, urlsplit(fetch.request.url)
        headers = {name.lower(): text for name, text in request.headers}
        # Looking comes from no network, so this does not either: what rules say of networks cannot be compared.
        call = Call(request.method, place.path, place.query, headers, request.body, client="nowhere")
        answer = await self.provider.handlers[place.path](call)
        return Response(answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.body)


def both(provider: Provider) -> tuple[Remote, Here]:
    """The service as an app is led to it, and a look at the data beside it."""
    written = definitions(TENANT, "http://localhost")
    account, common = (webservice.define(prefix, lambda key: written.get(key, "")) for prefix in SERVICES)
    assert account is not None
    return Remote(Face(provider), account, common, 1e9), Here(provider.handlers, TENANT, common=True, timeout_s=30)


def somebody(provider: Provider, dice: Random) -> Login:
    name = f"user{next(NUMBERS)}"
    attributes = {name: dice.choice(WORDS) for name in NAMES} | {"groups": dice.choice(("sales", "")), "username": "s"}
    provider.has_user(f"{name}@EXAMPLE", attributes=attributes, secrets={"password": "p", "pin": dice.choice("12")})
    return Login(CloudId("EXAMPLE", dice.random() < 0.3), name, Secret(PASSWORD))


def live(provider: Provider, policy: Policy) -> None:
    """Publish it; rollouts are by user, since each sign-in is an install of its own and draws anew."""
    rules = (
        rule if rule.rollout is None else msgspec.structs.replace(rule, rollout=_by_user(rule.rollout))
        for rule in policy.rules
    )
    provider.has_policy(document.dumps(msgspec.structs.replace(policy, rules=tuple(rules))))


def _by_user(rollout: Rollout) -> Rollout:
    return msgspec.structs.replace(rollout, of=Of.USERS)


@given(policies, st.integers(0, 2**32))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_we_are_our_own_shadow(provider: Provider, policy: Policy, seed: int) -> None:
    """Account and global part, quick dials and dial actions, or the refusal: an app would not notice a difference."""
    dice = Random(seed)
    provider.clock.time_s = dice.randint(SINCE_S, UNTIL_S)
    live(provider, policy)
    login, (served, looked) = somebody(provider, dice), both(provider)

    ours, theirs = (provider.loop.run(service.ask(login)) for service in (looked, served))

    verdict = judge(theirs, ours, [PASSWORD])
    assert isinstance(verdict, Same | Refused), verdict
    if isinstance(verdict, Refused):
        assert verdict.theirs == verdict.ours


@given(policies, st.integers(0, 2**32))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
def test_one_rule_more_is_found(provider: Provider, policy: Policy, seed: int) -> None:
    """Withdrawn between the two questions, for everybody who is let in; looking comes first, since it keeps nothing."""
    dice = Random(seed)
    planted = Rule("planted", effects=(SetKey("X-planted", "1"),))
    live(provider, msgspec.structs.replace(policy, rules=(planted, *policy.rules)))
    login, (served, looked) = somebody(provider, dice), both(provider)

    ours = provider.loop.run(looked.ask(login))
    live(provider, policy)
    theirs: Said = provider.loop.run(served.ask(login))

    verdict = judge(theirs, ours)
    if isinstance(theirs, Account):
        assert isinstance(verdict, Different)
        assert [one.key for one in verdict.differences] == ["X-planted"]
    else:
        assert isinstance(verdict, Refused)
