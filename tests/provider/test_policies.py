"""Drafting, planning, publishing, looking back and taking back policies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given

from offhook.core.base import Base
from offhook.core.errors import Conflict, Invalid, NotFound
from offhook.policy import document
from offhook.policy.evaluate import Compiled
from offhook.policy.rules import Policy
from offhook.policy.stamping import stamped
from offhook.policy.subject import Subject
from offhook.provider.policies import Policies
from offhook.provider.policyversion import PolicyVersion, State
from offhook.provider.tenant import Tenant
from tests.policy.drawn import policies as drawn
from tests.policy.drawn import subjects
from tests.world_provider import NOON_S, Provider

GOLD = """
[[rules]]
id = "gold"
when = { if = "attribute", name = "tier", is = "gold" }
then = [{ do = "set", key = "codecOrder", value = "8" }]
"""
SILVER = GOLD.replace("gold", "silver")


class Portal:
    """One app without any licence."""

    def base(self, cloud_id: str, editable: bool) -> Base | None:
        return None if editable else Base(cloud_id, 1, {}, {}, {})


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE"))
        provider.has_user("johndow@EXAMPLE", attributes={"tier": "gold"})
        yield provider


@pytest.fixture
def policies(provider: Provider) -> Policies:
    return Policies(provider.policies, provider.tenants, Portal(), provider.clock)


def published(policies: Policies, text: str, author: str = "ann") -> PolicyVersion:
    return policies.publish(policies.propose("EXAMPLE", text, author), author)


def signed(version: PolicyVersion) -> dict[str, tuple[int, str]]:
    return {rule.id: (rule.version, rule.author) for rule in document.parse(version.text).rules}


def test_from_a_file_to_a_phone_and_back(provider: Provider, policies: Policies) -> None:
    """A draft reaches nobody; what is published is in the next answer, and so is what is restored."""
    phone = provider.phone()
    draft = policies.keep_draft(policies.propose("EXAMPLE", GOLD, "ann"), "ann", "codecs")
    seen = [phone.asks().status]

    live = policies.publish(policies.propose_draft("EXAMPLE"), "bob")
    seen += [phone.asks().status]
    published(policies, "")
    seen += [phone.asks().status]
    restored = policies.publish(policies.propose_restoring("EXAMPLE", live.number, "eve"), "eve")
    seen += [phone.asks().status]

    assert seen == [304, 200, 200, 200]
    assert phone.account["codecOrder"] == "8"
    assert (draft.number, live.number, live.state, live.author, live.note) == (1, 1, State.LIVE, "ann", "codecs")
    assert signed(restored) == {"gold": (3, "eve")}
    assert [(one.number, one.state) for one in policies.history("EXAMPLE")] == [(3, "live"), (2, "past"), (1, "past")]


def test_who_changes_nothing_of_a_rule_is_not_its_author(policies: Policies) -> None:
    """A rule is signed anew when it or a segment of it says something else."""
    segment = '[[segments]]\nid = "vip"\nwhen = { if = "in_group", group = "board" }\n'
    vip = '[[rules]]\nid = "vip"\nwhen = { if = "in_segment", segment = "vip" }\n'
    first = published(policies, segment + GOLD + vip, "ann")
    second = published(policies, segment + SILVER + GOLD + vip, "bob")

    third = published(policies, segment.replace("board", "sales") + SILVER + GOLD + vip, "eve")

    assert signed(first) == {"gold": (1, "ann"), "vip": (1, "ann")}
    assert signed(second) == {"silver": (2, "bob"), "gold": (1, "ann"), "vip": (1, "ann")}
    assert signed(third) == {"silver": (2, "bob"), "gold": (1, "ann"), "vip": (3, "eve")}


def test_a_difference_in_words(policies: Policies) -> None:
    """What is added, changed, removed, and stands in another order."""
    published(policies, GOLD + SILVER + '[[rules]]\nid = "old"\n')
    changed = SILVER.replace('value = "8"', 'value = "0"') + GOLD + '[[rules]]\nid = "new"\n'

    proposal = policies.propose("EXAMPLE", changed)

    assert [str(line) for line in proposal.lines] == [
        "~ rule silver, then: sets codecOrder to 8 -> sets codecOrder to 0",
        "+ rule new: for everybody; does nothing",
        "- rule old (was: for everybody; does nothing)",
        "~ order of rules: gold, silver -> silver, gold",
    ]
    assert proposal.summary == "1 addition, 2 changes, 1 removal"


def test_what_to_know_first(policies: Policies) -> None:
    """Keys that no app knows or that need a licence, an interval of 0, emergency numbers, logouts; each told once."""
    effects = (
        '{ do = "set", key = "allowMesage", value = "1" }',
        '{ do = "set", key = "conferencingEnabled", value = "1" }',
        '{ do = "set", key = "extProvInterval", value = "0" }',
        '{ do = "set", key = "X-own", value = "1" }',
        '{ do = "add_quick_dial", id = "help", uri = "112" }',
        '{ do = "log_out", message = "Bye." }',
    )
    text = f'[[rules]]\nid = "all"\nthen = [{", ".join(effects)}]\n'

    remarks = [str(remark) for remark in policies.propose("EXAMPLE", text).remarks]
    published(policies, text)

    assert [remark.partition(":")[0] for remark in remarks[:-1]] == [f"rule all, then[{n}]" for n in (1, 2, 3, 5, 6)]
    assert "10 users, or 5% of those who ask if that is more, go at once" in remarks[4]
    assert remarks[5] == "rule all: logs everybody out"
    assert "did you mean allowMessage?" in remarks[0]
    assert "needs the feature conferencing" in remarks[1]
    assert "emergency number" in remarks[3]
    assert policies.propose("EXAMPLE", text + GOLD).remarks == ()


def test_what_is_not_sent_stays_unless_it_is_blanked(provider: Provider, policies: Policies) -> None:
    """A removed key is told of; sent empty it leaves those whom the rule was for, and nobody else's phone."""
    published(policies, GOLD)
    phone = provider.phone()
    proposal = policies.propose("EXAMPLE", SILVER)

    published(policies, SILVER)
    phone.asks()
    kept = phone.account["codecOrder"]
    published(policies, GOLD)
    blanked = policies.propose("EXAMPLE", SILVER, blank_removed=True)
    policies.publish(blanked)
    phone.asks()

    assert "codecOrder is not set any more" in str(proposal.remarks[0])
    assert (kept, phone.account["codecOrder"]) == ("8", "")
    assert [rule.id for rule in blanked.policy.rules] == ["silver", "gold-blanked"]
    assert blanked.remarks == ()


def test_two_people_at_once(policies: Policies) -> None:
    """Who publishes something else meanwhile is not overwritten unseen."""
    ours, theirs = policies.propose("EXAMPLE", GOLD), policies.propose("EXAMPLE", SILVER)
    policies.publish(theirs)

    with pytest.raises(Conflict):
        policies.publish(ours)
    with pytest.raises(Conflict):
        policies.keep_draft(ours)


def test_publishing_is_one_transaction(provider: Provider, policies: Policies) -> None:
    """Where phones cannot be answered by it, there is no new Live, and the one before is Live still."""
    first = published(policies, GOLD)
    proposal = policies.propose("EXAMPLE", SILVER)
    with provider.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM tenant")

    with pytest.raises(NotFound):
        policies.publish(proposal)
    with provider.policies.read() as transaction:
        assert [(one.number, one.state) for one in transaction.newest_first("EXAMPLE")] == [(first.number, State.LIVE)]


def test_pausing_and_withdrawing(provider: Provider, policies: Policies) -> None:
    """Of the Live policy alone, and at once: a draft stays as it is."""
    published(policies, GOLD + SILVER)
    policies.keep_draft(policies.propose("EXAMPLE", GOLD))
    policies.publish(policies.propose_pausing("EXAMPLE", "gold", "no sound"), "eve")
    paused = provider.signs_in().body

    policies.publish(policies.propose_withdrawing("EXAMPLE", "silver"))

    assert b"codecOrder" not in paused
    assert [rule.paused for rule in document.parse(policies.show("EXAMPLE", State.LIVE).text).rules] == ["no sound"]
    assert policies.show("EXAMPLE").state is State.EDITABLE
    with pytest.raises(NotFound, match="there are gold"):
        policies.propose_pausing("EXAMPLE", "golden", "x")


def test_as_of_then(provider: Provider, policies: Policies) -> None:
    """The version that was Live at a moment, to the second."""
    first = published(policies, GOLD)
    provider.clock.time_s += 100
    second = published(policies, SILVER)

    assert policies.at("EXAMPLE", NOON_S + 99).number == first.number
    assert policies.at("EXAMPLE", NOON_S + 100).number == second.number
    with pytest.raises(NotFound):
        policies.at("EXAMPLE", NOON_S - 1)


def test_what_was_published_within_one_second_is_live_at_once(provider: Provider, policies: Policies) -> None:
    """Their times lie ahead of the clock; whoever asks for now gets what phones get."""
    published(policies, GOLD)
    published(policies, SILVER)

    third = published(policies, GOLD)

    assert third.published_s == NOON_S + 2
    assert policies.at("EXAMPLE", NOON_S).number == third.number


def test_all_faults_at_once(policies: Policies) -> None:
    """Of a file that cannot be used, with their places."""
    with pytest.raises(Invalid) as caught:
        policies.propose("EXAMPLE", '[[rules]]\nid = "A"\n[[rules]]\nid = "b"\nthen = [{ do = "sett" }]\n')

    assert [fault.place for fault in caught.value.faults] == ["rules[1] A, id", "rules[2] b, then[1], do"]
    with pytest.raises(NotFound):
        policies.propose("OTHER", "")


@given(drawn, subjects)
def test_signing_changes_nothing_of_what_a_policy_says(policy: Policy, subject: Subject) -> None:
    """Only who said it; and signing what is signed changes nothing at all."""
    ours = stamped(policy, (), 7, "eve", 5)

    asked, again = Compiled(policy).resolve(subject), Compiled(ours).resolve(subject)

    assert {key: one.value for key, one in asked.settings.items()} == {
        key: one.value for key, one in again.settings.items()
    }
    assert type(asked.verdict) is type(again.verdict)
    assert all((rule.version, rule.author) == (7, "eve") for rule in ours.rules)
    assert stamped(ours, (ours,), 8, "bob", 9).rules == ours.rules


def test_a_lock_taken_back_is_told_of(policies: Policies) -> None:
    """Phones keep what has the user's rank: no ordinary value replaces it, and what takes it away is enforced, too."""
    enforced = GOLD.replace('value = "8"', 'value = "8", strength = "enforced"')
    published(policies, enforced)

    ordinary = [str(one) for one in policies.propose("EXAMPLE", GOLD).remarks]
    gone = [str(one) for one in policies.propose("EXAMPLE", "").remarks]
    again = policies.propose("EXAMPLE", enforced.replace('"8"', '"9"')).remarks
    blanked = policies.propose("EXAMPLE", "", blank_removed=True)

    (said,) = ordinary
    assert "codecOrder is not enforced any more for all whom the rule was for" in said
    assert said.endswith('send it with rank 40 again, with strength = "enforced"')
    assert ["--blank-removed sends it empty" in one for one in gone] == [True]
    assert again == ()
    assert [str(one) for rule in blanked.policy.rules for one in rule.effects] == [
        "blanks codecOrder whatever the user chose"
    ]
