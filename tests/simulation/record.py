"""What a phone's record says to whoever judges it, each thing read once, since a record seldom changes."""

from __future__ import annotations

from offhook.core.webservice import Definition
from offhook.phone import checks
from offhook.phone.checks import Check
from offhook.phone.saved import Saved
from tests.simulation.kept import INSTALL_KEY
from tests.simulation.truth import ACCOUNT_MARKS, APP_MARK, COMMON_MARK, DIAL_MARK, Truth


class Record:
    """One record. `before` is what was read of an earlier one of the same phone, perhaps with the same account."""

    def __init__(self, saved: Saved, truth: Truth, before: Record | None) -> None:
        self.saved, self._truth = saved, truth
        same = before is not None and before.saved.account is saved.account
        self.services: dict[Check, Definition] = before.services if before and same else checks.definitions(saved)
        self.intervals = checks.intervals(saved, self.services)
        self.user = truth.installs[saved.account.text(INSTALL_KEY)].user
        self.carried = truth.carried(self.user)
        self._held: dict[Check, dict[str, str]] = {}

    def held(self, check: Check) -> dict[str, str]:
        """The marks that it carries."""
        if check not in self._held:
            self._held[check] = self._read(check)
        return self._held[check]

    def _read(self, check: Check) -> dict[str, str]:
        match check:
            case Check.ACCOUNT:
                keys = self.saved.account.keys
                return {name: keys[name].value.content for name in ACCOUNT_MARKS if name in keys}
            case Check.GLOBAL:
                dials = {item.id: item.display_name for item in self.saved.quick_dials}
                return {COMMON_MARK: self.saved.preferences.text(COMMON_MARK), DIAL_MARK: dials.get(DIAL_MARK, "")}
            case Check.PORTAL:
                theme = self._truth.themes.get(self.saved.theme, "unknown")
                return {APP_MARK: self.saved.account.text(APP_MARK), "theme": theme}
