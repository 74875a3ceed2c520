"""Looks on as the judge does, where policies have a say in who gets what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from offhook.phone.checks import Check
from tests.simulation import policyinvariants
from tests.simulation.clock import START_S, Heap
from tests.simulation.invariants import LEEWAY_S
from tests.simulation.judge import Judge
from tests.simulation.kept import INSTALL_KEY
from tests.simulation.network import Exchange
from tests.simulation.policyreading import CHECKED, Given, Who
from tests.simulation.policystory import Story
from tests.simulation.record import Record

if TYPE_CHECKING:
    from tests.simulation.phone import Phone
    from tests.simulation.truth import Install, Truth

_VALUE: Final = re.compile(rb"<(X-rule-\w+)[^>]*?(?:/>|>([^<]*)<)")
PLATFORMS: Final = ("ios", "android", "linux")


def platform_of(number: int) -> str:
    """What a phone runs on."""
    return PLATFORMS[number % len(PLATFORMS)]


class PolicyJudge(Judge):
    """What is expected of an answer is read from the Live policy's own file."""

    def __init__(self, heap: Heap, truth: Truth) -> None:
        super().__init__(heap, truth)
        self.stories: dict[str, Story] = {}
        # When the server last said something to an install, since when it refuses it, and when it last did so.
        self.last_s: dict[str, float] = {}
        self.refused_s: dict[str, float] = {}
        self.ever_refused_s: dict[str, float] = {}
        self.skew_s, self.skewed_s = 0, float("-inf")
        self.refused = self.given = 0

    def story(self, cloud_id: str) -> Story:
        """That of a Cloud ID."""
        return self.stories.setdefault(cloud_id, Story())

    def note_clock(self) -> None:
        """The server's clock may have been set."""
        assert self.server is not None
        if self.server.clock.skew_s != self.skew_s:
            self.skew_s, self.skewed_s = self.server.clock.skew_s, self.heap.now_s

    def who(self, install: Install, number: int) -> Who:
        """The user of an install on a phone."""
        return Who(install.user.name.lower(), install.id, install.user.tier.now, platform_of(number))

    def _given(self, install: Install, number: int) -> Given:
        assert self.server is not None
        return self.story(install.user.cloud_id).now.given(self.who(install, number), self.server.clock.now_s())

    # --- the server --------------------------------------------------------------------------------------------------

    def _served_again(self, exchange: Exchange, check: Check, status: int) -> None:
        self.note_clock()
        install = self._install(exchange)
        if install is None or check is not Check.ACCOUNT:
            super()._served_again(exchange, check, status)
            return
        given = self._given(install, exchange.phone.number)
        is_out = self.truth.reason_out(install, self._now_s())
        is_known = not is_out and not install.is_replaced and not self.truth.is_a_stranger(install)
        if status == 403 and given.verdict == "refuse" and is_known:
            self.refused += 1
            self.truth.came_back(install)
            self._note(install)
            self.refused_s.setdefault(install.id, self.heap.now_s)
            self.ever_refused_s[install.id] = self.heap.now_s
        elif status in {410, 503} and given.verdict == "log_out" and is_known:
            self.truth.came_back(install)
        else:
            super()._served_again(exchange, check, status)
            if status in {200, 304}:
                self._note(install)
                self.refused_s.pop(install.id, None)
            if status == 200:
                self._require_given(exchange, given)

    def _note(self, install: Install) -> None:
        self.last_s[install.id] = self.heap.now_s

    def _now_s(self) -> int:
        assert self.server is not None
        return self.server.clock.now_s()

    def _require_given(self, exchange: Exchange, given: Given) -> None:
        assert exchange.served is not None
        self.given += len(given.matched) > 0
        said = {name.decode(): text.decode() for name, text in _VALUE.findall(exchange.served.body)}
        self._require(
            policyinvariants.the_answer_is_what_the_policy_says,
            said,
            given,
            exchange.served.status,
            phone=exchange.phone,
        )

    def _issued(self, exchange: Exchange, body: bytes) -> None:
        super()._issued(exchange, body)
        install = next(reversed(self.truth.installs.values()))
        if install.id.encode() not in body:
            return
        self._note(install)
        if self.story(install.user.cloud_id).now.limits:
            self.learn_limits(install.user.cloud_id)

    def learn_limits(self, cloud_id: str) -> None:
        """Whose place was taken by another device is in the database alone."""
        assert self.server is not None
        query = "SELECT id FROM install WHERE cloud_id = ? AND ended = 'limit'"
        with self.server.database.read() as connection:
            for (install_id,) in connection.exec_driver_sql(query, (cloud_id,)):
                known = self.truth.installs[install_id]
                known.ended = known.ended or "limit"

    # --- the phones --------------------------------------------------------------------------------------------------

    def look_at(self, phone: Phone) -> None:
        """As before; and whether it has what rules give it, and nothing of those that are at rest."""
        super().look_at(phone)
        self.note_clock()
        life = phone.life
        if not phone.on or life is None or life.saved is None or phone.flow is None or life.farewell is not None:
            return
        known = self.records.get(phone.number)
        if known is not None:
            self._look_at_rules(phone, known)

    def _look_at_rules(self, phone: Phone, record: Record) -> None:
        interval_s = record.intervals.get(Check.ACCOUNT, 0)
        horizon_s = phone.heap.now_s - interval_s - LEEWAY_S
        if not interval_s or phone.reaching_s.get(Check.ACCOUNT, float("inf")) > horizon_s or self.skewed_s > horizon_s:
            return
        install = self.truth.installs[record.saved.account.text(INSTALL_KEY)]
        if self.truth.is_a_stranger(install):
            return
        keys = record.saved.account.keys
        has = {key: keys[key].value.content for key in CHECKED if key in keys}
        story = self.story(install.user.cloud_id)
        span, tiers = (horizon_s, phone.heap.now_s), install.user.tier.since(horizon_s)
        who, wall_s = self.who(install, phone.number), START_S + self.skew_s
        said = {key: story.values(who, tiers, key, span, wall_s) for key in CHECKED}
        for rule, rest_s in story.at_rest.items():
            value = f"of {rule}"
            if rest_s <= horizon_s and value in has.values():
                # What begins to be sent later is another matter.
                since = {
                    key: said[key] | story.values(who, tiers, key, (rest_s, span[1]), wall_s)
                    for key in CHECKED
                    if has.get(key) == value
                }
                self._require(policyinvariants.a_rule_at_rest_is_gone, rule, value, has, since, phone=phone)
        self._require(policyinvariants.a_phone_has_what_the_policy_gives, has, said, phone=phone)
