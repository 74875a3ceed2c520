"""What the administrators of a simulation decided, and when: what every answer and every phone is measured against."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

from offhook.core.theme import Manifest, Theme, pack
from offhook.phone.checks import Check
from offhook.portal.base import digest
from tests.simulation.departures import Departures

# The keys that carry a mark, by whom it is set.
USER_MARK: Final = "X-mark-user"
TENANT_MARK: Final = "X-mark-tenant"
IMPORT_MARK: Final = "X-mark-import"
APP_MARK: Final = "X-mark-app"
ACCOUNT_MARKS: Final = (USER_MARK, TENANT_MARK, IMPORT_MARK, APP_MARK)
COMMON_MARK: Final = "markCommon"
DIAL_MARK: Final = "mark"
# Where portal and provider are.
PUBLIC_URL: Final = "https://portal.test"
FOREVER_S: Final = float("inf")


class Marks:
    """A value that changes in time; `now` is what it is."""

    def __init__(self, value: str) -> None:
        self._since_s: list[float] = [float("-inf")]
        self._values = [value]
        self.now = value

    @property
    def changed_s(self) -> float:
        """Since when."""
        return self._since_s[-1]

    def set(self, now_s: float, value: str) -> None:
        """Change it."""
        self._since_s.append(now_s)
        self._values.append(value)
        self.now = value

    def since(self, then_s: float) -> list[str]:
        """All that it was from then on."""
        return self._values[bisect_right(self._since_s, then_s) - 1 :]


class User:
    """One user of one Cloud ID, as the administrators see them."""

    def __init__(self, cloud_id: str, name: str, password: str) -> None:
        self.cloud_id, self.name, self.password = cloud_id, name, password
        self.mark, self.tier, self.dial = Marks("0"), Marks("0"), Marks("0")
        self.exists = True
        self.suspended = False
        self.expires_s: int | None = None

    @property
    def owner(self) -> str:
        """How a phone names whose record it holds."""
        return f"{PUBLIC_URL}\n{self.cloud_id}\n{self.name}"

    def __str__(self) -> str:
        return f"{self.name}@{self.cloud_id}"


class Install:
    """One sign-in as the server gave it out; `ended` is why it is over, `said` the last answer of each service.

    `password` is what the user typed. It `came_back` when its phone has used it, and is replaced when a newer one of
    the same device has.
    """

    def __init__(self, install_id: str, user: User, device: str, password: str = "") -> None:
        self.id, self.user, self.device, self.password = install_id, user, device, password
        self.ended = ""
        self.came_back = self.is_replaced = False
        self.said: dict[str, tuple[str, bytes]] = {}


class Tenant:
    """One Cloud ID."""

    def __init__(self, cloud_id: str, *, keeps_passwords: bool = False) -> None:
        self.cloud_id, self.keeps_passwords = cloud_id, keeps_passwords
        self.template, self.common, self.app, self.theme = (Marks("0") for _ in range(4))
        # What stands in its template beside the marks.
        self.more_keys = ""
        self.users: dict[str, User] = {}
        self.versions: dict[int, tuple[str, str]] = {}

    @property
    def password_keys(self) -> str:
        """What a template has where the phone is to keep the password that the user typed."""
        keys = "<cloud_username>{cloud_username}</cloud_username><cloud_password>{cloud_password}</cloud_password>"
        return keys if self.keeps_passwords else ""


class Truth:
    """Everything that was decided."""

    def __init__(self) -> None:
        self.tenants: dict[str, Tenant] = {}
        self.installs: dict[str, Install] = {}
        self.themes: dict[str, str] = {}
        self.departures = Departures()
        self._counted = 0
        self._carried: dict[User, Mapping[Check, Mapping[str, Marks]]] = {}

    def next_mark(self) -> str:
        """A mark that was not there before."""
        self._counted += 1
        return str(self._counted)

    def theme_of(self, mark: str) -> Theme:
        """A theme that carries a mark."""
        theme = Theme(Manifest(name=f"mark {mark}", colours={"accent": "#0B5FFF"}))
        self.themes[digest(pack(theme))] = mark
        return theme

    def came_back(self, install: Install) -> None:
        """An install was used. From then on, the server may end the older ones of its device."""
        if install.came_back:
            return
        install.came_back = True
        for older in self.installs.values():
            if older is install:
                return
            if older.user is install.user and older.device == install.device:
                older.is_replaced = True

    def is_a_stranger(self, install: Install) -> bool:
        """Whether the phone of an install has nothing to show who it is, so that it can only be refused.

        Where phones keep the password of their user, that is so once there is another one.
        """
        keeps = self.tenants[install.user.cloud_id].keeps_passwords
        return keeps and install.password != install.user.password

    def reason_out(self, install: Install, server_s: int) -> str:
        """Why the phone of an install is to be logged out, as somebody or a rule decided; empty when it is not."""
        user = install.user
        if install.ended:
            return install.ended
        if not user.exists:
            return "deleted"
        if user.suspended:
            return "suspended"
        return "expired" if user.expires_s is not None and user.expires_s <= server_s else ""

    def carried(self, user: User) -> Mapping[Check, Mapping[str, Marks]]:
        """What each part of a user carries; which marks these are never changes."""
        if user not in self._carried:
            tenant = self.tenants[user.cloud_id]
            self._carried[user] = {
                Check.ACCOUNT: {USER_MARK: user.mark, TENANT_MARK: tenant.template, IMPORT_MARK: user.tier},
                Check.GLOBAL: {COMMON_MARK: tenant.common, DIAL_MARK: user.dial},
                Check.PORTAL: {APP_MARK: tenant.app, "theme": tenant.theme},
            }
        return self._carried[user]
