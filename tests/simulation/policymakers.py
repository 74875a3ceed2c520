"""Whoever makes the rules of who gets what: they draft, publish, pause, withdraw and restore, and guards look on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

import msgspec

from offhook.core.errors import Unavailable
from offhook.policy.guarding import Open
from offhook.provider.evidence import GRACE_S
from offhook.provider.policyversion import State
from offhook.provider.proposal import Proposal
from tests.simulation import policyinvariants
from tests.simulation.administrators import Administrators
from tests.simulation.clock import DAY_S, HOUR_S, START_S, Heap
from tests.simulation.kept import INSTALL_KEY
from tests.simulation.phone import Phone
from tests.simulation.policyinvariants import Phones
from tests.simulation.policyjudge import PLATFORMS, PolicyJudge
from tests.simulation.policyreading import BARE, FAULT, FLOOR, LOCKED, ONCE, PLAIN, Rule, is_active, moment
from tests.simulation.ruledphone import RuledPhone
from tests.simulation.truth import Tenant

DEEDS: Final = {
    "add": 14,
    "withdraw": 5,
    "pause": 5,
    "resume": 2,
    "draft": 3,
    "publish_draft": 3,
    "restore": 2,
    "turn_round": 1,
}
KINDS: Final = {
    "plain": 8,
    "bare": 4,
    "locked": 2,
    "once": 2,
    "blank": 2,
    "limit": 1,
    "refuse": 1,
    "log_out": 1,
    "breaks": 4,
    "refuses": 2,
}
EFFECTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {"do": "set", "key": PLAIN},
    "bare": {"do": "set", "key": BARE},
    "locked": {"do": "set", "key": LOCKED, "strength": "enforced"},
    "once": {"do": "set", "key": ONCE, "strength": "default_once"},
    "blank": {"do": "blank", "key": BARE},
    "breaks": {"do": "set", "key": FAULT},
    "refuse": {"do": "refuse", "message": "Not today."},
    "refuses": {"do": "refuse", "message": "Not with this."},
    "log_out": {"do": "log_out", "message": "Please leave."},
}
FAILING: Final = ("breaks", "refuses")
MOST_RULES: Final = 10
LOOK_EVERY_S: Final = 1800
# Of so few phones a guard has to be content with little.
LEAST: Final = 2
EXCESS: Final = 25
WINDOW_S: Final = 2 * DAY_S


class Policymakers:
    """One for all Cloud IDs. What they publish the judge reads."""

    def __init__(
        self,
        heap: Heap,
        administrators: Administrators,
        judge: PolicyJudge,
        phones: Sequence[Phone],
        seed: str,
        *,
        every_s: float,
    ) -> None:
        self.heap, self.administrators, self.judge, self.phones = heap, administrators, judge, phones
        self.server, self.truth, self.random = administrators.server, administrators.truth, Random(seed)
        self.every_s, self.calm, self.made = every_s, False, 0
        self.done = dict.fromkeys((*DEEDS, "rules paused", "stages opened"), 0)
        self.drafts: set[str] = set()
        for tenant in self.truth.tenants.values():
            tenant.more_keys = f"<{PLAIN}>{FLOOR}</{PLAIN}>"
            administrators._put_tenant(tenant)

    def begin(self) -> None:
        """Go to work."""
        self._plan()
        self.heap.after(LOOK_EVERY_S, self._look)

    def calm_down(self) -> None:
        """Take back whatever keeps phones out, and change nothing any more."""
        self.calm = True
        for tenant in self.truth.tenants.values():
            rules = [rule for rule in self._rules(tenant) if not _keeps_out(rule)]
            self._publish(tenant, rules)
        for phone in self.phones:
            assert isinstance(phone, RuledPhone)
            phone.mend()

    def _plan(self) -> None:
        self.heap.after(self.random.expovariate(1 / self.every_s), self._do_something)

    def _do_something(self) -> None:
        if self.calm:
            return
        if self.server.is_up:
            deed = self.random.choices(list(DEEDS), list(DEEDS.values()))[0]
            self.done[deed] += 1
            getattr(self, f"_{deed}")(self.random.choice(list(self.truth.tenants.values())))
        self._plan()

    # --- what they do ------------------------------------------------------------------------------------------------

    def _add(self, tenant: Tenant) -> None:
        self._publish(tenant, self._with_one_more(tenant))

    def _withdraw(self, tenant: Tenant) -> None:
        if rule := self._some(tenant):
            policies = self.server.desk.policies
            if self.random.random() < 0.5:
                self._go_live(policies.propose_withdrawing(tenant.cloud_id, rule["id"], "zoe"))
            else:
                self._publish(tenant, [one for one in self._rules(tenant) if one is not rule], blank_removed=True)

    def _pause(self, tenant: Tenant) -> None:
        rule = self._some(tenant)
        if rule and is_active(rule):
            self._go_live(self.server.desk.policies.propose_pausing(tenant.cloud_id, rule["id"], "no sound", "zoe"))

    def _resume(self, tenant: Tenant) -> None:
        """Also what a guard has paused, as long as it does no harm."""
        policies = self.server.desk.policies
        for rule in self._rules(tenant):
            if rule.get("paused") and not _is_failing(rule):
                self._go_live(policies.propose_resuming(tenant.cloud_id, rule["id"], "zoe"))

    def _draft(self, tenant: Tenant) -> None:
        desk = self.server.desk
        proposal = desk.policies.propose(tenant.cloud_id, _text(self._with_one_more(tenant)), "ann")
        desk.policies.keep_draft(proposal, "ann")
        self.drafts.add(tenant.cloud_id)

    def _publish_draft(self, tenant: Tenant) -> None:
        if tenant.cloud_id in self.drafts:
            self.drafts.remove(tenant.cloud_id)
            policies = self.server.desk.policies
            live = [one.number for one in policies.history(tenant.cloud_id) if one.state is State.LIVE]
            self._go_live(policies.propose_draft(tenant.cloud_id, over=live[0] if live else None))

    def _restore(self, tenant: Tenant) -> None:
        desk = self.server.desk
        published = [one.number for one in desk.policies.history(tenant.cloud_id) if one.state is State.PAST]
        if published:
            number = self.random.choice(published)
            self._go_live(desk.policies.propose_restoring(tenant.cloud_id, number, "zoe"))

    def _turn_round(self, tenant: Tenant) -> None:
        self._publish(tenant, self._rules(tenant)[::-1])

    def _rules(self, tenant: Tenant) -> list[Rule]:
        return list(self.judge.story(tenant.cloud_id).now.rules)

    def _some(self, tenant: Tenant) -> Rule | None:
        rules = self._rules(tenant)
        return self.random.choice(rules) if rules else None

    def _with_one_more(self, tenant: Tenant) -> list[Rule]:
        """A new rule among the others, of which the lowest goes when they are too many."""
        rules = self._rules(tenant)[: MOST_RULES - 1]
        rules.insert(self.random.randint(0, len(rules)), self._rule())
        return rules

    def _publish(self, tenant: Tenant, rules: Sequence[Rule], *, blank_removed: bool = False) -> None:
        policies = self.server.desk.policies
        self._go_live(policies.propose(tenant.cloud_id, _text(rules), "ann", blank_removed=blank_removed))

    def _go_live(self, proposal: Proposal) -> None:
        version = self.server.desk.policies.publish(proposal, "zoe")
        self.judge.story(version.cloud_id).publish(self.heap.now_s, version.text)

    # --- what they draw ----------------------------------------------------------------------------------------------

    def _rule(self) -> Rule:
        self.made += 1
        kind = self.random.choices(list(KINDS), list(KINDS.values()))[0]
        rule: dict[str, Any] = {"id": f"{kind.replace('_', '-')}-{self.made}"}
        effect = dict(EFFECTS.get(kind, {}))
        if kind == "limit":
            then = self.random.choice(["refuse", "end_oldest"])
            effect = {"do": "at_most_devices", "count": self.random.choice([1, 2]), "then": then}
        if effect["do"] == "set":
            effect["value"] = f"of {rule['id']}"
        rule["then"] = [effect]
        if kind in FAILING:
            return rule | {"rollout": self._stages()}
        if self.random.random() < 0.7 or kind in {"refuse", "log_out"}:
            rule["when"] = self._condition()
        if self.random.random() < 0.4 or kind in {"refuse", "log_out"}:
            of = self.random.choice(["users", "installs"])
            rule["rollout"] = self.random.choice(
                [self._stages(), {"percent": self.random.choice([10, 30, 70]), "of": of}]
            )
        return rule

    def _stages(self) -> Mapping[str, Any]:
        now_s, step_s = self.server.clock.now_s(), self.random.choice([HOUR_S, DAY_S // 2, DAY_S])
        first = self.random.choice([20, 50])
        percents = (first, 80, 100)
        return {
            "stages": [{"since": moment(now_s + place * step_s), "percent": one} for place, one in enumerate(percents)],
            "guard": {"phones": LEAST, "excess": EXCESS, "window_s": WINDOW_S},
        }

    def _condition(self, depth: int = 0) -> Mapping[str, Any]:
        kinds = ["platform", "attribute", "hours", "span"] + ([] if depth else ["not", "all", "any"])
        now_s = self.server.clock.now_s()
        match self.random.choice(kinds):
            case "platform":
                return {"if": "platform", "one_of": self.random.sample(PLATFORMS, self.random.choice([1, 2]))}
            case "attribute":
                return {"if": "attribute", "name": "tier", "is": "0"}
            case "hours":
                begin = self.random.randint(0, 12)
                hours = {"from": f"{begin:02}:00", "to": f"{begin + self.random.randint(1, 10):02}:30"}
                return {"if": "during", **hours, "zone": "UTC"}
            case "span":
                since_s = now_s + self.random.randint(-HOUR_S, DAY_S)
                until_s = since_s + self.random.randint(HOUR_S, 2 * DAY_S)
                return {"if": "during", "since": moment(since_s), "until": moment(until_s)}
            case "not":
                return {"if": "not", "of": self._condition(depth + 1)}
            case kind:
                return {"if": kind, "of": [self._condition(depth + 1) for _ in range(2)]}

    # --- the guards --------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """As the thread of the real server does."""
        self.judge.note_clock()
        if self.server.is_up:
            try:
                for done in self.server.desk.rollouts.look():
                    self._is_ruled(done.cloud_id, done.rule, opened=isinstance(done.ruling, Open))
            except Unavailable as error:
                self.server.noted("rollouts.unavailable", reason=error.text)
        self.heap.after(LOOK_EVERY_S, self._look)

    def _is_ruled(self, cloud_id: str, rule: str, *, opened: bool) -> None:
        self.done["stages opened" if opened else "rules paused"] += 1
        live = self.server.desk.policies.show(cloud_id, State.LIVE)
        if opened:
            self._require_health(cloud_id, rule)
        self.judge.story(cloud_id).publish(self.heap.now_s, live.text)

    def _require_health(self, cloud_id: str, rule: str) -> None:
        """A guard lets another stage begin: the phones of the last one must be well.

        When the server's clock was set within a window of its beginning, or since, nobody knows what came before it.
        """
        if self.judge.skewed_s > self.judge.story(cloud_id).began(rule) - WINDOW_S:
            return
        self.judge._require(
            policyinvariants.a_failing_rollout_pauses_before_its_next_stage,
            rule,
            self._phones_of(cloud_id, rule),
            LEAST,
        )

    def _phones_of(self, cloud_id: str, rule: str) -> Phones:
        """Those that were answered at this stage, but only what anybody has to know by now."""
        judge, story = self.judge, self.judge.story(cloud_id)
        late_s = self.administrators.intervals.account * 3 // 2 + GRACE_S + 2 * LOOK_EVERY_S
        known_s, wall_s = self.heap.now_s - late_s, START_S + judge.skew_s
        began_s = story.began(rule)
        treated = troubled = others = missing = 0
        for phone in self.phones:
            install_id = self._install_of(phone)
            install = self.truth.installs.get(install_id)
            last_s = judge.last_s.get(install_id, float("-inf"))
            if install is None or install.user.cloud_id != cloud_id or install.ended or last_s <= began_s:
                continue
            who = judge.who(install, phone.number)
            assert isinstance(phone, RuledPhone)
            refused_s = judge.refused_s.get(install_id, float("inf"))
            if rule in story.now.given(who, int(wall_s + self.heap.now_s)).matched:
                treated += 1
                broken_s = phone.broken.get(f"of {rule}", float("inf"))
                troubled += (refused_s if rule.startswith("refuses") else broken_s) <= known_s
            else:
                others += 1
                missing += last_s <= known_s or judge.ever_refused_s.get(install_id, 0.0) > began_s
        return Phones(treated, troubled, others, missing)

    def _install_of(self, phone: Phone) -> str:
        kept = phone.acknowledged
        account = getattr(kept, "account", None)
        return account.text(INSTALL_KEY) if account is not None else ""


def _text(rules: Sequence[Rule]) -> str:
    """A policy as JSON."""
    return msgspec.json.encode({"rules": rules}).decode()


def _is_failing(rule: Rule) -> bool:
    return bool(rule["id"].startswith(FAILING))


def _keeps_out(rule: Rule) -> bool:
    return any(effect["do"] in {"refuse", "log_out", "at_most_devices"} for effect in rule["then"]) or _is_failing(rule)
