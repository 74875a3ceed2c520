"""What the doctor looks at: SIP accounts against the SIP system, users and phones; and sagas that get nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from offhook.core.errors import Unavailable
from offhook.provider.doctor import Finding
from offhook.provider.ports import Clock
from offhook.provider.sagas import Sagas
from offhook.provider.sipaccounts import KeptAccount, SipAccount
from offhook.provider.siplines import SipLines
from offhook.provider.sipregister import Entry, Rotating, Wanted

# What is under way for longer deserves a look.
SLOW_S: Final = 300
_TELL: Final = "tell the SIP system again"
_MAKE: Final = "make it"


class LineCheck:
    """Compares each account of the register with the one in its SIP system. It never shows a password."""

    def __init__(self, lines: SipLines, clock: Clock) -> None:
        self._lines, self._clock = lines, clock

    def find(self) -> Iterator[Finding]:
        """As the port says. It only looks: what time alone changes is wanted by whoever serves, within a minute."""
        register, now_s = self._lines.register, self._clock.now_s()
        away: dict[str, str] = {}
        for entry in register.all():
            if entry.system in away:
                continue
            try:
                yield from self._of(entry, now_s)
            except Unavailable as error:
                away[entry.system] = error.text
                yield Finding("", entry.system, f"The SIP system does not answer: {error.text}")
        for entry, name, owner in register.nameless():
            yield Finding(
                "",
                f"{entry.address} at {entry.system}",
                f"is not called by {name}, which {owner} has: change one of them.",
            )
        for sip, subscriber, install_id in register.missing(now_s, 1000):
            whose = f"{subscriber.name}{f', install {install_id}' if install_id else ''}"
            yield Finding("", whose, f"has no SIP account at {sip.system}.", _MAKE, f"{subscriber.id}/{install_id}")

    def mend(self, finding: Finding) -> None:
        """As the port says."""
        now_s = self._clock.now_s()
        if finding.remedy == _MAKE:
            for sip, subscriber, install_id in self._lines.register.missing(now_s, 1000):
                if finding.name == f"{subscriber.id}/{install_id}":
                    entry = self._lines.ask_for(sip, subscriber, install_id, confirmed=True)
                    self._carry_out(entry.id)
            return
        if self._lines.register.get(finding.name).is_forgotten:
            # Nobody here knows the password any more, so there has to be another one.
            self._lines.register.rotate([finding.name], Rotating.AT_ONCE, now_s)
        else:
            self._lines.register.again(finding.name, now_s)
        self._carry_out(finding.name)

    def _carry_out(self, account_id: str) -> None:
        self._lines.run(account_id)
        entry = self._lines.register.get(account_id)
        if entry.done < entry.version:
            raise Unavailable(entry.error or "Somebody else is at it now.")

    def _of(self, entry: Entry, now_s: int) -> Iterator[Finding]:
        place = f"{entry.address} at {entry.system}"
        if entry.done < entry.version:
            if entry.tries or now_s - entry.next_s > SLOW_S:
                why = f" ({entry.error})" if entry.error else ""
                yield Finding("", place, f"is to be {entry.wanted}, and is not yet{why}.", _TELL, entry.id)
            return
        system = self._lines.systems.get(entry.system)
        if system is None:
            if entry.wanted is not Wanted.REMOVED:
                yield Finding("", place, f"is in a system that the file of connections does not have: {entry.system}.")
            return
        text = _difference(entry, system.look_up(entry.address), self._lines.expected(entry))
        if text:
            yield Finding("", place, text, _TELL, entry.id)


class SagaCheck:
    """Looks for sagas that are under way for longer than anything should take."""

    def __init__(self, sagas: Sagas, clock: Clock) -> None:
        self._sagas, self._clock = sagas, clock

    def find(self) -> Iterator[Finding]:
        """As the port says."""
        for saga in self._sagas.store.stuck(self._clock.now_s() - SLOW_S):
            why = f": {saga.error}" if saga.error else ""
            where = f"{saga.username}@{saga.cloud_id}"
            step = type(saga.step).__name__
            yield Finding("", where, f"is being made, and waits {saga.stage} at {step}{why}.", "try again", saga.id)

    def mend(self, finding: Finding) -> None:
        """As the port says."""
        after = self._sagas.hurry(finding.name)
        if not after.is_over:
            raise Unavailable(after.error or "Somebody else is at it now.")


def _difference(entry: Entry, kept: KeptAccount | None, expected: SipAccount | None) -> str:
    """In words, or nothing. What a system does not tell cannot differ."""
    if entry.wanted is Wanted.REMOVED:
        return "" if kept is None else "is there, although it was removed."
    if entry.wanted is Wanted.DISABLED:
        return "accepts calls and passwords, although it is disabled." if kept is not None and kept.enabled else ""
    if kept is None:
        return "is not there."
    if not kept.enabled:
        return "is disabled there, although it is to be used."
    if expected is not None and kept.ha1s is not None and set(kept.ha1s) != set(expected.ha1s()):
        return "has another password there than phones are told."
    if kept.aliases is not None and set(kept.aliases) != set(entry.aliases):
        told, there = " ".join(sorted(entry.aliases)) or "none", " ".join(sorted(kept.aliases)) or "none"
        return f"has other aliases there: {there} instead of {told}."
    return ""
