"""The phones of guarded rollouts, counted one by one: those that are in, and those that only their lot keeps out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from offhook.policy.evaluate import Compiled
from offhook.policy.guarding import Counts
from offhook.policy.subject import Occasion
from offhook.provider.evidence import Met, Span, TurnedAway
from offhook.provider.population import Phone
from offhook.provider.rulings import Case
from offhook.provider.subscriber import Subscriber


class _Count:
    __slots__ = ("asked", "missing", "refused", "unregistered")

    def __init__(self) -> None:
        self.asked = self.missing = self.unregistered = self.refused = 0

    def counts(self) -> Counts:
        return Counts(self.asked, self.missing, self.unregistered, self.refused)


class Tally:
    """The counts so far: of each rule, the phones that are in and those that are out by their lot alone."""

    def __init__(self, policy: Compiled, spans: Mapping[str, Span], usual_s: int | None) -> None:
        self._policy, self._spans, self._usual_s = policy, spans, usual_s
        self._counts = {rule: (_Count(), _Count()) for rule in spans}
        self._patience_s = dict.fromkeys(spans, 0)
        self._since_s = min(span.since_s for span in spans.values())

    def add(
        self, subscriber: Subscriber, phones: Sequence[Phone], turned_away: TurnedAway | None, *, unregistered: bool
    ) -> None:
        """Count the phones of one user, and a device that was not let in as one more."""
        devices = _devices(phones)
        for phone in devices:
            if phone.met.last_s > self._since_s:
                # It got what was said at that moment.
                case = Case(self._policy, phone.met.last_s, phone.circumstances, Occasion.AGAIN, len(devices), phone.id)
                self._count(subscriber, case, phone.met, unregistered=unregistered)
        if turned_away is not None:
            at_s, told = turned_away.at_s, turned_away.circumstances
            case = Case(self._policy, at_s, told, Occasion.SIGN_IN, len(devices) + 1, turned_away.install_id)
            # Nobody knows when it would have asked again.
            self._count(subscriber, case, Met(refused_s=at_s, interval_s=0), unregistered=False)

    def _count(self, subscriber: Subscriber, case: Case, met: Met, *, unregistered: bool) -> None:
        for rule, treated in case.resolve(subscriber).lots.items():
            span = self._spans.get(rule)
            if span is None or met.last_s <= span.since_s:
                continue
            self._patience_s[rule] = max(self._patience_s[rule], met.patience_s(self._usual_s))
            fate = met.fate(span, self._usual_s)
            if fate is not None:
                count = self._counts[rule][0 if treated else 1]
                count.asked += 1
                count.missing += fate.missing
                count.refused += fate.refused
                count.unregistered += unregistered

    def of(self, rule: str) -> tuple[Counts, Counts]:
        """Those who are in, and the others."""
        treated, others = self._counts[rule]
        return treated.counts(), others.counts()

    def known_s(self, rule: str) -> int:
        """When it is known of the first phones of a stage whether they are missing; after a window at the latest."""
        span = self._spans[rule]
        return span.since_s + min(self._patience_s[rule], span.window_s)


def _devices(phones: Sequence[Phone]) -> list[Phone]:
    """Two installs of one device are one phone, that which asked last: the other one has been replaced."""
    found: dict[str, Phone] = {}
    for phone in phones:
        name = phone.device or phone.id
        known = found.get(name)
        if known is None or phone.met.last_s >= known.met.last_s:
            found[name] = phone
    return list(found.values())
