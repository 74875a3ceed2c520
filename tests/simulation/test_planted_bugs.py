"""The simulation finds things: plausible bugs, planted one at a time, are each caught within a few seeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from offhook.core import webservice
from offhook.core.mergeable import Document
from offhook.core.webservice import Response
from offhook.phone import reports
from offhook.phone.backup import Backup, Found
from offhook.phone.commands import DeviceCommand, DeviceReply, Fetch, PutReport, Save, TakeBackup, Update
from offhook.phone.files import UNFINISHED
from offhook.phone.handset import Handset
from offhook.phone.kept import Kept
from offhook.phone.reports import Report
from offhook.phone.saved import Saved
from offhook.phone.talk import ACCOUNT_PART
from offhook.provider.againrequest import AgainRequest
from offhook.provider.authenticity import Authenticity
from offhook.provider.definitions import ACCOUNT_PATH, AGAIN_PATH
from offhook.provider.fleetguard import FleetGuard
from offhook.provider.limits import Attempts
from offhook.provider.ports import Ending, NewInstall, Standing
from offhook.provider.reports import Reports
from offhook.provider.reprovision import Fresh, Outcome, Reprovision, Unchanged
from offhook.provider.signin import SignIn
from offhook.provider.subscriber import Argon2, StoredPassword
from offhook.provider.validators import Edition
from offhook.storage.database import Database
from offhook.storage.life import LifeStore
from offhook.storage.signin import SignInStore
from offhook.web import again, dates, provider
from offhook.web.http import Answer, Call, Handler
from tests.simulation import planted_lives, planted_policies
from tests.simulation.administrators import Intervals
from tests.simulation.disk import PhoneDisk
from tests.simulation.finding import Finding
from tests.simulation.phone import FOLDER, Phone
from tests.simulation.planted_lives import lives
from tests.simulation.server import QuickPasswords, Server, no_time
from tests.simulation.world import Plan, simulate

SEEDS = range(1, 13)


class _DatesOffByOne(Reprovision):
    """`==` became a comparison with the second before: whoever has that one counts as up to date."""

    async def account(self, request: AgainRequest) -> Outcome:
        outcome = await super().account(request)
        if not isinstance(outcome, Fresh):
            return outcome
        before = Edition.of_account(outcome.install_id, outcome.validators.modified_s - 1)
        held = before.is_held(request.claim)
        return outcome if held is None else Unchanged(outcome.install_id, held)


class _TokensOfRevokedForgotten(LifeStore):
    """The token goes with the revocation, and is looked at before anybody asks why."""

    async def standing(self, cloud_id: str, install_id: str) -> Standing | None:
        found = await super().standing(cloud_id, install_id)
        if found is not None and found.ended is Ending.REVOKED:
            return msgspec.structs.replace(found, hashes=b"")
        return found


class _BuggyServer(Server):
    """Re-provisioning with a bug, or on a store with one."""

    reprovision_type: type[Reprovision] = Reprovision
    store_type: type[LifeStore] = LifeStore
    guard_type: type[FleetGuard] = FleetGuard

    def build(self) -> dict[str, Handler]:
        parts = self.parts
        store = self.store_type(parts.database)
        authenticity = Authenticity(
            store=store,
            tokens=parts.tokens,
            passwords=QuickPasswords(parts.sealer),
            composer=parts.composer,
            rulings=parts.rulings,
            attempts=Attempts(),
            clock=parts.clock,
        )
        reprovision = self.reprovision_type(
            authenticity=authenticity,
            store=store,
            guard=self.guard_type(store, lambda: self.heap.now_s),
            sightings=parts.sightings,
            composer=parts.composer,
            rulings=parts.rulings,
            tokens=parts.tokens,
            clock=parts.clock,
        )
        taken = Reports(authenticity=authenticity, store=store, sealer=parts.sealer, clock=parts.clock)
        buggy = again.endpoints(reprovision, taken, self.noted, seconds=lambda: self.heap.now_s, sleep=no_time)
        return super().build() | buggy


class _HoldsEverybody(FleetGuard):
    """Every logout waits for an administrator, also that of a single user."""

    async def lets_go(self, standing: Standing, decided: Mapping[Ending, int]) -> Ending | None:
        return None


class _HoldsNobody(FleetGuard):
    """Whoever is to go goes, however many there are."""

    async def lets_go(self, standing: Standing, decided: Mapping[Ending, int]) -> Ending | None:
        return next(iter(decided), None)


class _JealousServer(_BuggyServer):
    guard_type: type[FleetGuard] = _HoldsEverybody


class _GuardlessServer(_BuggyServer):
    guard_type: type[FleetGuard] = _HoldsNobody


class _DatesServer(_BuggyServer):
    reprovision_type: type[Reprovision] = _DatesOffByOne


class _TokensServer(_BuggyServer):
    store_type: type[LifeStore] = _TokensOfRevokedForgotten


class _ForeignDatesServer(Server):
    """A sign-in says no date, and one of any clock that is later than ours counts as known, as RFC 9110 allows."""

    def build(self) -> dict[str, Handler]:
        handlers = super().build()
        sign_in, asks_again = handlers[ACCOUNT_PATH], handlers[AGAIN_PATH]

        async def undated(call: Call) -> Answer:
            return msgspec.structs.replace(await sign_in(call), headers={"Content-Type": "application/xml"})

        async def covered(call: Call) -> Answer:
            answer = await asks_again(call)
            since_s = dates.read(call.headers.get("if-modified-since", ""))
            if answer.status != 200 or since_s is None or "if-none-match" in call.headers:
                return answer
            is_covered = (dates.read(answer.headers["Last-Modified"]) or 0) < since_s <= self.clock.now_s()
            return Answer(304) if is_covered else answer

        return handlers | {ACCOUNT_PATH: undated, AGAIN_PATH: covered}


class _ReplacesAtOnce(SignInStore):
    """Who signs in ends the older installs of the device, before the device has shown that it knows the new one."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.writable = database

    async def issue(self, install: NewInstall, upgraded: Argon2 | None, known: StoredPassword) -> None:
        await super().issue(install, upgraded, known)
        older = (install.cloud_id, install.subscriber_id, install.device, install.id)
        self.writable.write(lambda connection: connection.execute(_REPLACE, older)).result()


_REPLACE = """
    UPDATE install SET state = 'ended', ended = 'replaced'
    WHERE cloud_id = ? AND subscriber_id = ? AND device = ? AND id <> ? AND state = 'active'
"""


class _ReplacingServer(Server):
    def build(self) -> dict[str, Handler]:
        parts = self.parts
        sign_in = SignIn(
            store=_ReplacesAtOnce(parts.database),
            passwords=QuickPasswords(parts.sealer),
            sightings=parts.sightings,
            composer=parts.composer,
            rulings=parts.rulings,
            tokens=parts.tokens,
            attempts=Attempts(),
            clock=parts.clock,
            chance=parts.chance,
        )
        buggy = provider.endpoints(sign_in, self.noted, seconds=lambda: self.heap.now_s, sleep=no_time)
        return super().build() | buggy


class _WritesInPlace(PhoneDisk):
    """A save that writes over what is there, instead of beside it."""

    def write(self, path: Path, content: bytes) -> None:
        super().write(path.with_name(path.name.removesuffix(UNFINISHED)), content)

    def sync(self, path: Path) -> None:
        super().sync(path.with_name(path.name.removesuffix(UNFINISHED)))

    def rename(self, path: Path, name: Path) -> None:
        if not path.name.endswith(UNFINISHED):
            super().rename(path, name)


class _NonAtomicPhone(Phone):
    def make_disk(self) -> PhoneDisk:
        return _WritesInPlace()


class _ReportsTooLate(Handset):
    """The report is filled in when the account is gone already."""

    last: Saved | None = None

    def act(self, command: DeviceCommand) -> DeviceReply:
        match command:
            case Update(saved=saved):
                self.last = saved
            case PutReport(report=report) if self.last is not None and not report.attempts:
                return super().act(PutReport(self._late(report, self.last)))
        return super().act(command)

    def _late(self, report: Report, saved: Saved) -> Report:
        prefix = webservice.REMOVAL_REPORTER
        definition = {key: settled for key, settled in saved.account.keys.items() if key.startswith(prefix)}
        gone = msgspec.structs.replace(saved, account=Document(definition))
        prepared = reports.removal(gone, self.device())
        assert prepared is not None
        return msgspec.structs.replace(report, request=prepared.request)


class _LateReporter(Phone):
    def make_handset(self) -> Handset:
        return _ReportsTooLate(FOLDER, disk=self.disk, clock=self.wall, device=self.device)


class _OneDrawer(Kept):
    """A backup lies under a name that is the same for every user."""

    def take_backup(self, owner: str) -> Found | None:
        return super().take_backup("anybody")

    def put_backup(self, owner: str, backup: Backup) -> None:
        super().put_backup("anybody", backup)

    def drop_backup(self, owner: str) -> None:
        super().drop_backup("anybody")


class _SharedBackups(Phone):
    def make_handset(self) -> Handset:
        handset = super().make_handset()
        handset.kept = _OneDrawer(handset.kept.reports, handset.kept.backups)
        return handset


class _LeavesOnServerErrors(Phone):
    """A 5xx counts as the logout status."""

    asks_account = False

    def _ask(self, fetches: tuple[Fetch, ...], *, together: bool) -> None:
        self.asks_account = self.signing_in is None and fetches[0].service == ACCOUNT_PART
        super()._ask(fetches, together=together)

    def _go(self, reply: object) -> None:
        failed = self.asks_account and isinstance(reply, Response) and reply.status >= 500
        super()._go(Response(410, {}, b"") if failed else reply)


class _Forgetful(Handset):
    """Whether a backup is there already is not looked at before it is written over."""

    is_leaving = False

    def act(self, command: DeviceCommand) -> DeviceReply:
        match command:
            case Save(saved=saved) | Update(saved=saved):
                self.is_leaving = saved.leaving is not None
            case TakeBackup() if self.is_leaving:
                return None
        return super().act(command)


class _ForgetfulPhone(Phone):
    def make_handset(self) -> Handset:
        return _Forgetful(FOLDER, disk=self.disk, clock=self.wall, device=self.device)


BUGS: dict[str, tuple[type[Server], type[Phone], str]] = {
    "off by one in the date comparison": (_DatesServer, Phone, "no_answer_is_older"),
    "token checked before revocation": (_TokensServer, Phone, "who_should_be_out_is_told"),
    "dates that were never issued": (_ForeignDatesServer, Phone, "no_answer_is_older"),
    "an older install ends at the sign-in": (_ReplacingServer, Phone, "who_is_right_is_known"),
    "the guard holds everybody": (_JealousServer, Phone, "a_lone_logout_is_never_held"),
    "the guard holds nobody": (_GuardlessServer, Phone, "the_fleet_limit_holds"),
    "non-atomic save": (Server, _NonAtomicPhone, "the_vault_is_readable"),
    "reporter before capture of values": (Server, _LateReporter, "a_report_is_taken"),
    "backup not bound to the user": (Server, _SharedBackups, "nobody_gets_anothers_things"),
    "backup written over one that was not put back": (Server, _ForgetfulPhone, "nothing_of_the_user_is_lost"),
    "call between backup and erasure": (Server, lives(planted_lives.ForgetsLateCalls), "nothing_of_the_user_is_lost"),
    "logout on 5xx": (Server, _LeavesOnServerErrors, "nobody_leaves_untold"),
    "logout in a call": (Server, lives(planted_lives.CutsCalls), "no_call_is_cut"),
    "changes in a call": (Server, lives(planted_lives.AppliesAtOnce), "nothing_changes_while_busy"),
    "changes long after a call": (Server, lives(planted_lives.AppliesLate), "what_waited_is_applied_at_once"),
    "the oldest news wins": (Server, lives(planted_lives.OldestWins), "an_answer_brings_every_change"),
    "Retry-After not heard": (Server, lives(planted_lives.Impatient), "no_question_comes_too_early"),
    "the lower rule decides": (planted_policies.LowestServer, Phone, "the_answer_is_what_the_policy_says"),
    "hours pass unnoticed": (planted_policies.TimelessServer, Phone, "a_phone_has_what_the_policy_gives"),
    "a rule at rest is no news": (planted_policies.UndatedServer, Phone, "a_rule_at_rest_is_gone"),
    "a guard sees no trouble": (
        planted_policies.RosyServer,
        Phone,
        "a_failing_rollout_pauses_before_its_next_stage",
    ),
    "not registered again": (Server, lives(planted_lives.RegistersOnce), "it_is_registered_as_the_record_says"),
}


# Much happens in a short time.
USUAL = Plan(0, phones=8, days=4, deeds_per_day=48, administration_per_day=48)
# Rules come and go, and little else happens.
RULED = Plan(0, phones=12, days=4, tenants=2, policies=24, administration_per_day=2)
PLANS = {
    "the lower rule decides": msgspec.structs.replace(RULED, policies=28),
    "hours pass unnoticed": msgspec.structs.replace(RULED, policies=40, tenants=1, phones=8, days=2),
    # Phones ask much more often than anybody publishes, which would be news.
    "a rule at rest is no news": msgspec.structs.replace(
        RULED, policies=16, tenants=1, phones=8, days=3, intervals=Intervals(3600, 43200, 86400)
    ),
    "a guard sees no trouble": msgspec.structs.replace(RULED, policies=8, tenants=1, phones=16, days=6),
    # Nobody is suspended meanwhile, which would be another reason to be told something else.
    "an older install ends at the sign-in": msgspec.structs.replace(USUAL, administration_per_day=1),
    # One Cloud ID with so many users that a tenth of them is more than the limit.
    "the guard holds nobody": msgspec.structs.replace(USUAL, phones=24, tenants=1),
    # Phones that ask often find more that has to wait.
    "changes long after a call": msgspec.structs.replace(USUAL, intervals=Intervals(1800, 1800, 7200)),
    "changes in a call": msgspec.structs.replace(USUAL, intervals=Intervals(1800, 1800, 7200)),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    """Within a few seeds the invariant that is about the bug says what it saw, and how to see it again."""
    server_type, phone_type, invariant = BUGS[bug]

    finding = _first_finding(server_type, phone_type, PLANS.get(bug, USUAL))

    assert finding.invariant == invariant
    assert "To replay it: python -m tests.simulation --seed" in finding.__notes__[0]


def _first_finding(server_type: type[Server], phone_type: type[Phone], plan: Plan) -> Finding:
    for seed in SEEDS:
        try:
            simulate(msgspec.structs.replace(plan, seed=seed), server_type, phone_type)
        except Finding as finding:
            return finding
    raise AssertionError("no seed finds it")
