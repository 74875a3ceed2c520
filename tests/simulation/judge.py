"""Looks on while the simulation runs, and calls the invariants at the moments at which they have to hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from offhook.core.webservice import Response
from offhook.phone import news
from offhook.phone.checks import Check
from offhook.phone.commands import Answer, Command
from offhook.phone.events import Event
from offhook.phone.life import Life
from offhook.phone.reports import REMOVAL
from offhook.phone.saved import Left, Saved
from offhook.phone.states import State
from offhook.provider.definitions import ACCOUNT_PATH, AGAIN_GLOBAL_PATH, AGAIN_PATH, REMOVED_PATH
from tests.simulation import invariants
from tests.simulation.clock import Heap
from tests.simulation.conduct import JUDGED, Conduct
from tests.simulation.finding import Finding
from tests.simulation.kept import INSTALL_KEY, records_of
from tests.simulation.network import AGAIN, Exchange
from tests.simulation.phone import Phone
from tests.simulation.record import Record
from tests.simulation.server import Server
from tests.simulation.truth import COMMON_MARK, DIAL_MARK, Install, Marks, Truth, User

_INSTALL: Final = re.compile(rb"install_id=([^&]*)")
_PASSWORD: Final = re.compile(rb"cloud_password=([^&]*)")
_ISSUED: Final = re.compile(rb"<X-install-id>([0-9A-F]+)<")
_MARK: Final = re.compile(rb"<((?:X-mark-|markC)\w+)[^>]*>(\d+)<")
_DIAL: Final = re.compile(rb'<item id="mark"[^>]*>\s*<displayName>(\d+)<')
_THEME: Final = re.compile(rb'"name":"mark (\d+)"')
_AGAIN: Final = {AGAIN_PATH: Check.ACCOUNT, AGAIN_GLOBAL_PATH: Check.GLOBAL}
_PARTS: Final = {"base": Check.PORTAL, "theme": Check.PORTAL}
_AT_REST: Final = frozenset({State.RUNNING, State.WAITING})
_CHECKS: Final = {check.value: check for check in Check}


HALF_A_DAY_S: Final = 43200


class Judge:
    """Raises Finding at the first sentence that does not hold."""

    def __init__(self, heap: Heap, truth: Truth) -> None:
        self.heap, self.truth = heap, truth
        self.server: Server | None = None
        self.answers: dict[str, int] = {}
        # What each phone has to have when it rests, by check: what was true at that moment, or later.
        self.owed: dict[int, dict[Check, float]] = {}
        self.part_s: dict[int, dict[str, float]] = {}
        self.records: dict[int, Record] = {}
        self.conducts: dict[int, Conduct] = {}
        self.told_in: dict[int, Life] = {}

    # --- the server --------------------------------------------------------------------------------------------------

    def served(self, exchange: Exchange) -> None:
        """The server has answered."""
        served, path = exchange.served, exchange.call.path
        assert served is not None
        assert self.server is not None
        said = f"{path.rpartition('/')[2] if path.startswith('/portal') else path} {served.status}"
        self.answers[said] = self.answers.get(said, 0) + 1
        if served.status >= 400:
            self._require(invariants.no_secret_is_told, served.body.decode("latin-1"), phone=exchange.phone)
        if self.server.noted.leak:
            self._require(invariants.no_secret_is_told, self.server.noted.leak)
        if path in _AGAIN:
            self._served_again(exchange, _AGAIN[path], served.status)
        elif path == REMOVED_PATH:
            self._served_removal(exchange, served.status)
        elif path == ACCOUNT_PATH and served.status == 200:
            self._issued(exchange, served.body)
        elif path.startswith("/portal/") and path != "/portal/key":
            self._served_part(exchange, path.rpartition("/")[2], served.status)

    def _served_again(self, exchange: Exchange, check: Check, status: int) -> None:
        assert self.server is not None
        install = self._install(exchange)
        if install is None:
            self._fail(
                invariants.who_is_right_is_known, Install("unknown", User("", "", ""), ""), status, exchange.phone
            )
            return
        reason = self.truth.reason_out(install, self.server.clock.now_s())
        if status != 403:
            self.truth.came_back(install)
        if status == 410:
            self._require(
                invariants.nobody_is_logged_out_without_a_decision, install, reason, status, phone=exchange.phone
            )
            if decision := self.truth.departures.told(install):
                users = len(self.truth.tenants[decision.cloud_id].users)
                self._require(invariants.the_fleet_limit_holds, decision, users, phone=exchange.phone)
        elif status == 503:
            if not self.server.database.in_trouble and not reason:
                self._fail(invariants.who_is_right_is_known, install, status, exchange.phone)
            if reason and not self.server.database.in_trouble:
                is_due = self.truth.departures.is_due(install)
                self._require(invariants.a_lone_logout_is_never_held, install, is_due, phone=exchange.phone)
        elif status == 403 and install.is_replaced and exchange.fault == AGAIN:
            # A straggler of the install that this phone had before; the phone itself never asks with that any more.
            pass
        elif status in {200, 304}:
            self._require(invariants.who_should_be_out_is_told, install, reason, status, phone=exchange.phone)
            self._judge_content(exchange, check, install)
        else:
            if status == 403 and self.truth.is_a_stranger(install):
                return
            known = partial(invariants.who_should_be_out_is_told, install, reason)
            self._fail(known if reason else partial(invariants.who_is_right_is_known, install), status, exchange.phone)

    def _judge_content(self, exchange: Exchange, check: Check, install: Install) -> None:
        served = exchange.served
        assert served is not None
        carried = self.truth.carried(install.user)[check]
        if served.status == 200:
            said = marks_of(served.body)
            now = (served.headers.get("Last-Modified", ""), served.body)
            before = install.said.get(check)
            if before:
                self._require(invariants.dates_only_grow, check.value, before, now, phone=exchange.phone)
            install.said[check] = now
        elif (saved := self._saved_of(exchange, install)) is not None:
            said = self._record(exchange.phone, saved).held(check)
        else:
            return
        self._require(
            invariants.no_answer_is_older, f"{check.value} {served.status}", said, carried, phone=exchange.phone
        )

    def _saved_of(self, exchange: Exchange, install: Install) -> Saved | None:
        """What the phone that asks has, when it is still the one that asked."""
        life = exchange.phone.life
        saved = life.saved if life is not None and exchange.fault != AGAIN else None
        return saved if saved is not None and saved.account.text(INSTALL_KEY) == install.id else None

    def _served_removal(self, exchange: Exchange, status: int) -> None:
        assert self.server is not None
        install = self._install(exchange)
        if status == 200 and install is not None:
            self.truth.came_back(install)
            install.ended = install.ended or "reported"
        elif status == 403 and install is not None and self.truth.is_a_stranger(install):
            exchange.phone.report_refused = True
        elif status != 503 or not self.server.database.in_trouble:
            self._require(invariants.a_report_is_taken, install, status, phone=exchange.phone)

    def _issued(self, exchange: Exchange, body: bytes) -> None:
        found, user = _ISSUED.search(body), exchange.user
        assert found is not None
        assert user is not None
        device = exchange.phone.device.install_id
        typed = _PASSWORD.search(exchange.call.body)
        assert typed is not None
        install = Install(found[1].decode(), user, device, typed[1].decode())
        self.truth.installs.setdefault(install.id, install)

    def _served_part(self, exchange: Exchange, part: str, status: int) -> None:
        if status != 200:
            return
        tenant = self.truth.tenants[exchange.call.path.split("/")[2]]
        body = exchange.served.body if exchange.served else b""
        if part == "theme":
            found = _THEME.search(body)
            said, wanted = {"theme": found[1].decode() if found else ""}, {"theme": tenant.theme}
        else:
            said, wanted = marks_of(body), {"X-mark-app": tenant.app}
        self._require(invariants.no_answer_is_older, part, said, wanted, phone=exchange.phone)

    def _install(self, exchange: Exchange) -> Install | None:
        found = _INSTALL.search(exchange.call.body)
        return self.truth.installs.get(found[1].decode()) if found else None

    def crashed(self) -> None:
        """What was committed before a crash happened, whether or not anybody was told."""
        assert self.server is not None
        for install_id, ended in self.server.database.reader.execute("SELECT id, ended FROM install"):
            if install_id in self.truth.installs and ended:
                known = self.truth.installs[install_id]
                known.ended = known.ended or ended

    def faulted(self, exchange: Exchange, error: Exception) -> None:
        """A handler let an error through."""
        if self.server is not None and not self.server.database.in_trouble:
            self._require(invariants.nothing_breaks, exchange.call.path, error, phone=exchange.phone)

    # --- the network -------------------------------------------------------------------------------------------------

    def delivered(self, exchange: Exchange, answer: Answer) -> None:
        """The phone gets its answer now."""
        phone, service = exchange.phone, exchange.fetch.service
        genuine = exchange.served is not None and exchange.fault not in {"spoiled", "lost after"}
        status = answer.status if isinstance(answer, Response) else 0
        if service == REMOVAL:
            phone.report_delivered = 200 <= status < 300 or phone.report_refused
            phone.report_refused = False
            return
        if phone.life is None:
            return
        self._conduct(phone).is_answered(service, answer)
        if status == 410 and exchange.call.path == AGAIN_PATH:
            phone.told_to_leave_s, self.told_in[phone.number] = min(phone.told_to_leave_s, self.heap.now_s), phone.life
        phone.tell_story(f"{service}: {status or answer}{f' ({exchange.fault})' if exchange.fault else ''}")
        if genuine and status in {200, 304}:
            self._reached(phone, service, exchange.served_s)
        else:
            check = _PARTS.get(service)
            phone.reaching_s.pop(check or service, None)
            self.part_s.get(phone.number, {}).clear()
            if check:
                phone.reaching_s[check] = float("inf")

    def _reached(self, phone: Phone, service: str, served_s: float) -> None:
        check = _PARTS.get(service)
        if check is None:
            if service not in _CHECKS:
                return
            check = _CHECKS[service]
            phone.reaching_s.setdefault(check, self.heap.now_s)
        else:
            parts = self.part_s.setdefault(phone.number, {})
            parts[service] = served_s
            if parts.keys() != _PARTS.keys():
                return
            served_s = min(parts.values())
            parts.clear()
            if phone.reaching_s.get(check) == float("inf"):
                # The other half of this very check was of no use.
                del phone.reaching_s[check]
            else:
                phone.reaching_s.setdefault(check, self.heap.now_s)
        self.owed.setdefault(phone.number, {})[check] = served_s

    # --- the phones --------------------------------------------------------------------------------------------------

    def begun(self, phone: Phone) -> None:
        """The app has been started, or somebody has just signed in."""
        self._conduct(phone).begin()

    def seen(self, phone: Phone, what: Command | Event) -> None:
        """Something happens to the phone, or it does something by itself."""
        if type(what) in JUDGED:
            self._conduct(phone).see(what)

    def _conduct(self, phone: Phone) -> Conduct:
        known = self.conducts.get(phone.number)
        if known is None:
            known = self.conducts[phone.number] = Conduct(phone, self._require)
        return known

    def rested(self, phone: Phone) -> None:
        """The phone has nothing to do now."""
        life = phone.life
        if life is None or life.saved is None:
            self.owed.pop(phone.number, None)
            return
        self._conduct(phone).rests(life, life.saved)
        owed = self.owed.get(phone.number)
        if life.state in _AT_REST and not phone.inbox and owed:
            record = self._record(phone, _coming(phone, life, life.saved))
            for check, served_s in owed.items():
                if phone.reaching_s.get(check, float("inf")) <= self.heap.now_s:
                    self._require(invariants.an_answer_brings_every_change, check, served_s, record, phone=phone)
            owed.clear()

    def look_at(self, phone: Phone) -> None:
        """From time to time: whether all is here that should be, and nobody who should not."""
        life = phone.life
        if not phone.on or life is None or life.saved is None or phone.flow is None:
            return
        # A phone whose power went in that very moment has to be told again.
        if self.told_in.get(phone.number) is life and not phone.disk.full and not phone.failing:
            self._require(invariants.who_is_told_leaves, phone, phone=phone)
        if life.farewell is None:
            record = self._record(phone, _coming(phone, life, life.saved))
            self._require(invariants.every_change_arrives_in_time, phone, record, phone=phone)

    def _record(self, phone: Phone, saved: Saved) -> Record:
        known = self.records.get(phone.number)
        if known is None or known.saved is not saved:
            known = self.records[phone.number] = Record(saved, self.truth, known)
        return known

    def told(self, phone: Phone, text: str) -> None:
        """The phone said something to somebody."""
        self._require(invariants.no_secret_is_told, text, phone=phone)

    def kept(self, phone: Phone, saved: Saved, found: Mapping[str, str]) -> None:
        """The phone has put a record on its disk, with these things of its user."""
        self._require(invariants.nobody_gets_anothers_things, saved, found, phone=phone)
        made = phone.things.get(saved.owner)
        if made is not None and made.lost(found):
            sealed = phone.handset.kept.take_backup(saved.owner)
            backup = sealed.backup if sealed else None
            self._require(invariants.nothing_of_the_user_is_lost, made, (saved,), backup, phone=phone)

    def edited(self, phone: Phone) -> None:
        """What the user did last was dealt with."""
        if phone.act is not None and phone.user is not None:
            made = phone.things_of(phone.user.owner)
            self._require(invariants.every_change_is_answered, phone.act, made, phone=phone)

    def started(self, phone: Phone, found: Saved | Left | None, damage: str) -> None:
        """The phone found this on its disk."""
        phone.user = self._user_of(found) if isinstance(found, Saved) else None
        expected = (phone.acknowledged, phone.under_way)
        self._require(invariants.the_vault_is_readable, found, damage, expected, phone=phone)
        queue = [report.id for report in phone.handset.kept.take_reports()]
        self._require(invariants.no_report_is_missing, queue, phone, phone=phone)
        phone.reports = set(queue)
        phone.reports_in_doubt.clear()

    def left(self, phone: Phone, saved: Saved) -> None:
        """A record is gone from the disk."""
        phone.tell_story(f"has no record of {saved.username} any more")
        self._require(invariants.every_removal_is_reported, phone, saved, phone=phone)
        phone.left_installs[saved.account.text(INSTALL_KEY)] = self._user_of(saved)
        self.things_are_there(phone, saved.owner)

    def things_are_there(self, phone: Phone, owner: str) -> None:
        """All that a user made here is in the record or in the backup."""
        found = phone.handset.kept.take_backup(owner)
        records = [one for one in records_of(phone.acknowledged) if one.owner == owner]
        backup = found.backup if found else None
        self._require(invariants.nothing_of_the_user_is_lost, phone.things_of(owner), records, backup, phone=phone)

    def dropped(self, phone: Phone, report_id: str) -> None:
        """A report is out of the queue."""
        self._require(invariants.no_report_leaves_the_queue_early, phone, report_id, phone=phone)

    def failed(self, phone: Phone, error: BaseException) -> None:
        """The phone's code raised what it must not."""
        self._require(invariants.nothing_breaks, "the phone", error, phone=phone, cause=error)

    def finished(self, phone: Phone) -> None:
        """After everything has calmed down, and everybody had the time to catch up."""
        assert self.server is not None
        for owner in phone.things:
            self.things_are_there(phone, owner)
        for install_id in phone.left_installs:
            install = self.truth.installs[install_id]
            if not self.truth.is_a_stranger(install):
                self._require(invariants.every_report_has_arrived, install, phone=phone)
        life = phone.life
        if phone.on and life is not None and life.saved is not None:
            install = self.truth.installs[life.saved.account.text(INSTALL_KEY)]
            if self.truth.is_a_stranger(install):
                return
            # Who expired a moment ago has not asked since.
            reason = self.truth.reason_out(install, self.server.clock.now_s() - HALF_A_DAY_S)
            self._require(invariants.who_should_be_out_is_told, install, reason, 0, phone=phone)
            record = self._record(phone, life.saved)
            for check in Check:
                self._require(*(invariants.an_answer_brings_every_change, check, self.heap.now_s, record), phone=phone)

    def _user_of(self, saved: Saved) -> User:
        return self.truth.installs[saved.account.text(INSTALL_KEY)].user

    # --- findings ----------------------------------------------------------------------------------------------------

    def _require(
        self,
        invariant: Callable[..., str],
        *args: object,
        phone: Phone | None = None,
        cause: BaseException | None = None,
    ) -> None:
        if seen := invariant(*args):
            raise _finding(invariant, seen, phone) from cause

    def _fail(self, invariant: Callable[..., str], *args: object) -> None:
        *given, phone = args
        assert isinstance(phone, Phone)
        self._require(invariant, *given, phone=phone)


def _finding(invariant: Callable[..., str], seen: str, phone: Phone | None) -> Finding:
    named = getattr(invariant, "func", invariant)
    return Finding(named.__name__, (named.__doc__ or "").strip(), seen, phone.number if phone else None)


def _coming(phone: Phone, life: Life, saved: Saved) -> Saved:
    """The record as it will be when what waits is applied."""
    return news.apply(saved, life.news, phone.device.locale).saved if life.news else saved


def marks_of(body: bytes) -> dict[str, str]:
    """The marks that an answer carries."""
    found = {name.decode(): mark.decode() for name, mark in _MARK.findall(body)}
    if dial := _DIAL.search(body):
        found[DIAL_MARK] = dial[1].decode()
    return found


__all__ = ["COMMON_MARK", "Judge", "Marks", "marks_of"]
