"""What is always true, one function for each sentence: it returns what was seen against it, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime

from offhook.core import registration
from offhook.core.mergeable import Document
from offhook.phone.backup import Backup
from offhook.phone.checks import Check
from offhook.phone.commands import Command
from offhook.phone.news import News
from offhook.phone.saved import Left, Saved
from tests.simulation import departures, things
from tests.simulation.departures import Decision
from tests.simulation.kept import INSTALL_KEY
from tests.simulation.phone import NEVER, Phone
from tests.simulation.record import Record
from tests.simulation.server import holds_secret
from tests.simulation.things import Things
from tests.simulation.truth import Install, Marks

# Network and timeouts come on top of an interval: base and theme together, the account before the global part.
LEEWAY_S = 180


def every_change_arrives_in_time(phone: Phone, record: Record) -> str:
    """A phone that can reach the server has every change within its interval, within 24 hours for the portal part."""
    for check, interval_s in record.intervals.items():
        horizon_s = phone.heap.now_s - interval_s - LEEWAY_S
        due = interval_s and phone.reaching_s.get(check, NEVER) <= horizon_s
        if due and (seen := _missed(record.carried[check], record.held(check), horizon_s)):
            return f"{check.value}, asked for every {interval_s:,} s: {seen}"
    return ""


def an_answer_brings_every_change(check: Check, since_s: float, record: Record) -> str:
    """A phone that can reach the server has every change: what was true when the server answered, or later."""
    seen = _missed(record.carried[check], record.held(check), since_s)
    return f"after an answer of the {check.value}: {seen}" if seen else ""


def nobody_is_logged_out_without_a_decision(install: Install, reason: str, status: int) -> str:
    """No phone was logged out without a decision by an administrator or a rule."""
    return "" if reason else f"install {install.id} of {install.user} was answered {status}, and nobody had decided so"


def nobody_leaves_untold(phone: Phone) -> str:
    """No phone was logged out without a decision by an administrator or a rule, or by its user."""
    told = phone.told_to_leave_s <= phone.heap.now_s or phone.wants_out
    return "" if told else "it begins to log out, and neither the server nor its user had said so"


def no_call_is_cut(calls: Collection[str], command: Command) -> str:
    """A logout waits for a call to end: an emergency call is never cut (D12)."""
    return f"{type(command).__name__} during the call of {', '.join(calls)}" if calls else ""


def nothing_changes_while_busy(before: Saved, after: Saved) -> str:
    """While Settings is open or a call is in progress, a changed account waits (D12)."""
    parts = ("validators", "theme", "base_version", "services", "reprovisioning")
    changed = [name for name in parts if getattr(before, name) != getattr(after, name)]
    return f"it takes over new {', '.join(changed)}" if changed else ""


def what_waited_is_applied_at_once(waiting: News) -> str:
    """What waits is applied the moment Settings is closed and no call is left (D12)."""
    return f"{waiting!r} still waits, and nothing is in the way" if waiting else ""


def no_question_comes_too_early(service: str, early_s: float) -> str:
    """What a server says about when to come back is obeyed (D11), unless the user presses the button (D9)."""
    return f"the {service} is asked {early_s:.0f} s before it may be"


def it_is_registered_as_the_record_says(registered: Document | None, saved: Saved) -> str:
    """A phone is registered with the account that it has."""
    if registered is None or registration.changed(registered, saved.account):
        return "it registered with other keys, or not at all" if registered else "it never registered"
    return ""


def a_lone_logout_is_never_held(install: Install, held: bool) -> str:
    """A single user's logout is never delayed by the fleet guard (D22)."""
    return f"install {install.id} of {install.user} is to go by itself, and was told to ask later" if held else ""


def the_fleet_limit_holds(decision: Decision, users: int) -> str:
    """Of many who are sent away at once, so many go as the limit says, and the others wait to be released (D22)."""
    most = departures.LIMITS.most(users)
    return "" if len(decision.told) <= most else f"{len(decision.told)} of {decision.users} are out, and {most} may be"


def who_should_be_out_is_told(install: Install, reason: str, status: int) -> str:
    """Each that should be out is out after its next answer."""
    return f"install {install.id} of {install.user} is {reason}, and was answered {status}" if reason else ""


def who_is_told_leaves(phone: Phone) -> str:
    """Each that should be out is out after its next answer, when no call is in progress."""
    late = phone.heap.now_s - max(phone.told_to_leave_s, phone.free_since_s) > LEEWAY_S and not phone.busy_since_s
    return f"it was told to leave at {phone.told_to_leave_s:.0f} s and is still signed in" if late else ""


def nothing_of_the_user_is_lost(made: Things, records: Sequence[Saved], backup: Backup | None) -> str:
    """No user's change, call history or quick dial is lost, also across logout and return.

    Of several records of one user, those who wait for the end of their logout come first.
    """
    found = things.of_backup(backup) if backup else {}
    for saved in records:
        found |= things.of_record(saved)
    lost = made.lost(found)
    return f"{lost}, in {'the record' if records else 'the backup' if backup else 'nothing'}" if lost else ""


def nobody_gets_anothers_things(saved: Saved, found: Mapping[str, str]) -> str:
    """Nobody gets another user's backup."""
    stranger = things.of_others(found, saved.username)
    return f"the record of {saved.username}: {stranger}" if stranger else ""


def every_change_is_answered(act: tuple[str, str], made: Things) -> str:
    """No user's change is lost: it is kept, or the user is told why not."""
    return f"{act[0]} was neither kept nor refused" if act in made.told else ""


def the_vault_is_readable(found: Saved | Left | None, damage: str, expected: Iterable[Saved | Left | None]) -> str:
    """The vault is readable after every crash: it holds what was saved last, or what was being saved."""
    if damage:
        return damage
    if any(found == one for one in expected):
        return ""
    return f"it holds {_shown(found)}, and should hold one of {', '.join(map(_shown, expected))}"


def no_report_leaves_the_queue_early(phone: Phone, report_id: str) -> str:
    """No removal report is lost: it stays until it is delivered."""
    return "" if phone.report_delivered else f"{report_id} is dropped, and was not delivered"


def no_report_is_missing(found: Iterable[str], phone: Phone) -> str:
    """No removal report is lost: what is in the queue is there after every crash."""
    missing = sorted(phone.reports - phone.reports_in_doubt - set(found))
    return f"{missing[0]} is not in the queue any more" if missing else ""


def every_removal_is_reported(phone: Phone, saved: Saved) -> str:
    """No removal report is lost: no record goes before its report is in the queue."""
    install_id = saved.account.text(INSTALL_KEY)
    return "" if install_id in phone.reported_installs else f"install {install_id} went without a report"


def a_report_is_taken(install: Install | None, status: int) -> str:
    """No removal report is lost: the provider takes every one that a phone sends."""
    whose = f"install {install.id} of {install.user}" if install else "an install that nobody has"
    return f"the report of {whose} was answered {status}"


def every_report_has_arrived(install: Install) -> str:
    """No removal report is lost: in the end, each install whose phone signed out has ended."""
    return "" if install.ended else f"install {install.id} of {install.user} is still active, and its phone signed out"


def no_secret_is_told(text: str) -> str:
    """No secret appears in any log, report or error."""
    return f"{text[:300]!r}" if holds_secret(text) else ""


def no_answer_is_older(check: str, said: Mapping[str, str], truth: Mapping[str, Marks]) -> str:
    """The server's answer is at no time older than what the phone already had: it is what was decided last."""
    wrong = [name for name, marks in truth.items() if said.get(name) != marks.now]
    return "; ".join(f"{check}: {name} is {said.get(name)!r} and should be {truth[name].now!r}" for name in wrong)


def dates_only_grow(check: str, before: tuple[str, bytes], after: tuple[str, bytes]) -> str:
    """The server's answer is at no time older than what the phone already had: another answer has a later date."""
    if not before[0] or not after[0] or before[1] == after[1]:
        return ""
    grown = parsedate_to_datetime(after[0]) > parsedate_to_datetime(before[0])
    return "" if grown else f"{check}: another answer is of {after[0]}, the one before was of {before[0]}"


def who_is_right_is_known(install: Install, status: int) -> str:
    """A phone that can reach the server has every change: it is recognised, and never told to wait or to go away."""
    return f"install {install.id} of {install.user} was answered {status}"


def nothing_breaks(what: str, error: BaseException) -> str:
    """No code of ours meets anything that it is not made for."""
    return f"{what}: {type(error).__name__}: {error}"


def _missed(carried: Mapping[str, Marks], has: Mapping[str, str], since_s: float) -> str:
    """The first mark that is neither what it is now nor anything that it was since then."""
    for name, marks in carried.items():
        mark = has.get(name)
        if mark != marks.now and mark not in marks.since(since_s):
            return f"{name} is {mark!r} and should be {marks.now!r}"
    return ""


def _shown(record: Saved | Left | None) -> str:
    if not isinstance(record, Saved):
        return repr(record)
    leaving = record.leaving.step.value if record.leaving else "staying"
    return f"{record!r} with {len(record.history)} calls, {leaving}"
