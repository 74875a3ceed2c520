"""The apps of a portal, and what people do with them: create, edit, propose, accept, publish, restore, look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from offhook.core.errors import Conflict, NotFound
from offhook.core.theme import Theme, pack, unpack
from offhook.portal import plan as plans
from offhook.portal import versions
from offhook.portal.app import App
from offhook.portal.plan import Plan
from offhook.portal.ports import AppStore, AppTransaction, Clock, ThemeStore
from offhook.portal.versions import Ground, Signed, Stamp, State, Version

HISTORY_LIMIT: Final = 1000
_MEANWHILE: Final = "{0} was changed by somebody else meanwhile. Look at the difference again, then repeat it."


class Proposal(msgspec.Struct, frozen=True):
    """A change that was shown to somebody: the content, how it differs, and what it was compared with.

    `draft` is the Editable that it is, if it is one.
    """

    app: App
    theme: Theme
    plan: Plan
    seen: Ground
    draft: Version | None = None

    def __repr__(self) -> str:
        return f"Proposal({self.app.cloud_id}, {self.plan.summary})"


@dataclass(frozen=True)
class Portal:
    """The use cases, each one transaction. Times are those of the clock, and never the same twice within an app."""

    apps: AppStore
    themes: ThemeStore
    clock: Clock

    def create(self, app: App, theme: Theme | None = None, author: str = "", note: str = "") -> Version:
        """A new app, which starts as an Editable; raises Conflict when there is one of that Cloud ID."""
        package = self.themes.put(pack(theme or Theme()))
        with self.apps.begin() as apps:
            if apps.latest(app.cloud_id):
                raise Conflict(f"There is already an app with the Cloud ID {app.cloud_id}.")
            version = versions.editable(app, package, *self._next(apps, app.cloud_id, author, note))
            apps.put(version)
        return version

    def edit(self, cloud_id: str, author: str = "", note: str = "") -> Version:
        """The Editable of an app, made by copying Live when there is none; raises NotFound."""
        with self.apps.begin() as apps:
            if found := apps.standing(cloud_id, State.EDITABLE):
                return found
            live = apps.standing(cloud_id, State.LIVE)
            if live is None:
                raise _no_app(cloud_id)
            version = versions.editable(live.app, live.theme, *self._next(apps, cloud_id, author, note))
            apps.put(version)
        return version

    def propose(self, app: App, theme: Theme, *, live: bool = False) -> Proposal:
        """What would change if this became the Editable: against the Editable there is, else Live, else nothing.

        With `live`, what would change for phones if it went Live too.
        """
        with self.apps.read() as apps:
            found, now_live = _standing(apps, app.cloud_id)
        compared = now_live if live else found or now_live
        return Proposal(app, theme, self._difference(compared, app, theme), _ground(found, now_live))

    def accept(self, proposal: Proposal, author: str = "", note: str = "") -> Version:
        """Make the proposed content the Editable; raises Conflict when what it was compared with has changed since."""
        app, package = proposal.app, self.themes.put(pack(proposal.theme))
        with self.apps.begin() as apps:
            found, live = _standing(apps, app.cloud_id)
            if _ground(found, live).basis != proposal.seen.basis:
                raise Conflict(_MEANWHILE.format(app.cloud_id))
            number, signed = self._next(apps, app.cloud_id, author, note)
            version = (
                versions.changed(found, app, package, signed)
                if found
                else versions.editable(app, package, number, signed)
            )
            apps.put(version)
        return version

    def propose_publishing(self, cloud_id: str) -> Proposal:
        """What would change for phones if the Editable became Live; raises NotFound when there is no Editable."""
        with self.apps.read() as apps:
            found, live = _standing(apps, cloud_id)
            if found is None:
                raise _no_editable(cloud_id) if live else _no_app(cloud_id)
        theme = self.theme(found)
        return Proposal(found.app, theme, self._difference(live, found.app, theme), _ground(found, live), found)

    def keep_theme(self, proposal: Proposal) -> str:
        """Keep the theme of a proposal, before any version names it; returns its digest."""
        return self.themes.put(pack(proposal.theme))

    def settle(self, apps: AppTransaction, proposal: Proposal, theme: str, signed: Signed) -> Version:
        """Make the proposed content Live, in somebody's transaction; `theme` is the digest of its kept theme.

        What is proposed as a draft leaves no Editable; anything else leaves the Editable as it is. Raises Conflict when
        what it was compared with has changed since.
        """
        cloud_id = proposal.app.cloud_id
        found, live = _standing(apps, cloud_id)
        ground = _ground(found, live)
        if ground.live != proposal.seen.live or (proposal.draft and ground.editable != proposal.seen.editable):
            raise Conflict(_MEANWHILE.format(cloud_id))
        if proposal.draft and found:
            return self._promote(apps, found, live, signed)
        number = self._next(apps, cloud_id, "", "")[0]
        return self._promote(apps, versions.editable(proposal.app, theme, number, signed), live, signed)

    def publish(self, cloud_id: str, seen: Ground | None = None, author: str = "", note: str = "") -> Version:
        """Make the Editable Live, and the Live before it part of the history.

        Raises NotFound when there is no Editable, and Conflict when it or the Live is not as it was `seen`.
        """
        with self.apps.begin() as apps:
            found, live = _standing(apps, cloud_id)
            if found is None:
                raise _no_editable(cloud_id) if live else _no_app(cloud_id)
            if seen not in {None, _ground(found, live)}:
                raise Conflict(_MEANWHILE.format(cloud_id))
            return self._promote(apps, found, live, self._next(apps, cloud_id, author, note)[1])

    def propose_restoring(self, cloud_id: str, number: int, *, live: bool = False) -> Proposal:
        """What would change if an old Live became the Editable or, with `live`, went Live again; raises NotFound."""
        with self.apps.read() as apps:
            old = self._once_live(apps, cloud_id, number)
        return self.propose(old.app, self.theme(old), live=live)

    def restore(
        self, cloud_id: str, number: int, seen: Ground | None = None, author: str = "", note: str = ""
    ) -> Version:
        """A copy of an old Live as the new Live, leaving the Editable alone.

        Raises NotFound, and Conflict when the Live is not as it was `seen`.
        """
        with self.apps.begin() as apps:
            old = self._once_live(apps, cloud_id, number)
            live = apps.standing(cloud_id, State.LIVE)
            if seen is not None and seen.live != _ground(None, live).live:
                raise Conflict(_MEANWHILE.format(cloud_id))
            free, signed = self._next(apps, cloud_id, author, note or f"restored from version {number}")
            copy = versions.editable(old.app, old.theme, free, signed)
            return self._promote(apps, copy, live, signed)

    def show(self, cloud_id: str, which: State | int | None = None) -> Version:
        """A version by number, the Live or the Editable; without a choice the Editable, else Live. Raises NotFound."""
        with self.apps.read() as apps:
            if apps.latest(cloud_id) is None:
                raise _no_app(cloud_id)
            if isinstance(which, int):
                found = apps.numbered(cloud_id, which)
            elif which:
                found = apps.standing(cloud_id, which)
            else:
                found = apps.standing(cloud_id, State.EDITABLE) or apps.standing(cloud_id, State.LIVE)
        if found is None:
            wanted = f"version {which}" if isinstance(which, int) else f"{which} version"
            raise NotFound(f"The app {cloud_id} has no {wanted} now. See: offhook app history {cloud_id}")
        return found

    def theme(self, version: Version) -> Theme:
        """The theme of a version."""
        return unpack(self.themes.get(version.theme))

    def history(self, cloud_id: str) -> list[Version]:
        """All versions of an app, the newest first; raises NotFound."""
        with self.apps.read() as apps:
            found = apps.newest(cloud_id, HISTORY_LIMIT)
        if not found:
            raise _no_app(cloud_id)
        return found

    def all(self) -> list[Version]:
        """The Live and the Editable of every app, by Cloud ID."""
        with self.apps.read() as apps:
            return apps.everywhere()

    def redate(self) -> int:
        """Date all that phones were ever served anew, after a restore from a backup; returns how many parts there are.

        What phones have seen since the backup is dated later than what was restored, and they take nothing older.
        """
        with self.apps.begin() as apps:
            return apps.redate(self.clock.now_s())

    def _difference(self, old: Version | None, app: App, theme: Theme) -> Plan:
        return plans.plan(old.app if old else None, app, self.theme(old) if old else None, theme)

    def _next(self, apps: AppTransaction, cloud_id: str, author: str, note: str) -> tuple[int, Signed]:
        """The next free number of an app, and a signature at a moment that it has not had yet."""
        latest = apps.latest(cloud_id) or Stamp(0, 0)
        return latest.number + 1, Signed(author, note, max(self.clock.now_s(), latest.changed_s + 1))

    def _promote(self, apps: AppTransaction, new: Version, live: Version | None, signed: Signed) -> Version:
        if live:
            apps.put(versions.retired(live))
        version = versions.promoted(new, signed)
        apps.put(version)
        return version

    def _once_live(self, apps: AppTransaction, cloud_id: str, number: int) -> Version:
        found = apps.numbered(cloud_id, number)
        if found is None or found.published_s is None:
            never = f"The app {cloud_id} has no version {number} that was ever Live"
            raise NotFound(f"{never}. See: offhook app history {cloud_id}")
        return found


def _standing(apps: AppTransaction, cloud_id: str) -> tuple[Version | None, Version | None]:
    """The Editable and the Live."""
    return apps.standing(cloud_id, State.EDITABLE), apps.standing(cloud_id, State.LIVE)


def _ground(editable: Version | None, live: Version | None) -> Ground:
    return Ground(editable.stamp if editable else None, live.stamp if live else None)


def _no_app(cloud_id: str) -> NotFound:
    return NotFound(f"There is no app with the Cloud ID {cloud_id}. To make it: offhook app create {cloud_id}")


def _no_editable(cloud_id: str) -> NotFound:
    return NotFound(f"The app {cloud_id} has no Editable version. To make one: offhook app edit {cloud_id}")
