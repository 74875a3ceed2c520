"""A tenant: what the operator decided for one Cloud ID."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from offhook.policy.fleetguard import Limits
from offhook.provider.onboarding import AnyOnboarding, Closed, NumberFrom

DEFAULT_LOGOUT_STATUS: Final = 410


class Credential(StrEnum):
    """What the app keeps to authenticate its re-provisioning with (D20)."""

    TOKEN = "token"
    SIP = "sip"  # the SIP credentials and the install id, as in the vendor's example
    PASSWORD = "password"


class Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the parameters of a request are called (D19); they are only names in a URL template."""

    username: str = "cloud_username"
    password: str = "cloud_password"
    cloud_id: str = "cloud_id"
    install_id: str = "install_id"
    device: str = "installid"
    platform: str = "platform"
    app_version: str = "version"
    os_version: str = "platformversion"
    locale: str = "locale"


class FormerStatus(msgspec.Struct, frozen=True):
    """A logout status that another one replaced: phones whose account is of an earlier date know only this one."""

    until_s: int
    status: int


class Tenant(msgspec.Struct, frozen=True):
    """The settings of one Cloud ID.

    `template` is Account XML with `{column}` placeholders, `common` a global answer (quick dials, dial actions,
    preferences) for all its users. `former_statuses` are kept by the store, from the first one on; so is
    `policy`, the number of the Live policy, 0 when there is none. A policy that changes the
    answers of more than `approval_share` of the users needs a second person, if that is given. `onboarding` says who
    may come in the first time; then they get `numbers`, and `hooks` are told, in this order.
    """

    cloud_id: str
    template: str = ""
    common: str = ""
    credential: Credential = Credential.TOKEN
    names: Names = Names()
    logout_status: int = DEFAULT_LOGOUT_STATUS
    logout_limits: Limits = Limits()
    former_statuses: tuple[FormerStatus, ...] = ()
    policy: int = 0
    approval_share: float | None = None
    onboarding: AnyOnboarding = Closed()
    numbers: tuple[NumberFrom, ...] = ()
    hooks: tuple[str, ...] = ()

    def logout_status_of(self, held_s: int) -> int:
        """What logs a phone out that has the account of this date; 0 when it did not say which."""
        former = (one.status for one in self.former_statuses if 0 < held_s < one.until_s)
        return next(former, self.logout_status)

    @property
    def first_logout_status(self) -> int:
        """What the portal goes on telling: it cannot know what a phone has, and the account says what is new."""
        return self.former_statuses[0].status if self.former_statuses else self.logout_status
