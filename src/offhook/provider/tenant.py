"""A tenant: what the operator decided for one Cloud ID."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from offhook.policy.fleetguard import Limits
from offhook.provider.invitation import Inviting
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


class PerWhom(StrEnum):
    """Who has a SIP account of their own."""

    USER = "per-user"  # all phones of a user register with the same one
    INSTALL = "per-install"  # each phone has one, and can be cut off alone


class Sip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the SIP accounts of a Cloud ID are made, and what becomes of their passwords.

    `system` is a name in the file of connections. `aliases` and `display_name` are names of attributes of the user.
    Passwords are rotated every `rotate_every_s`, 0 for never; the one of before is good for `overlap_s` at most. Where
    they are not kept, only the phone and the SIP system know them.
    """

    system: str
    domain: str
    accounts: PerWhom = PerWhom.USER
    rotate_every_s: int = 0
    rotate_at_sign_in: bool = False
    overlap_s: int = 7 * 86400
    keep_passwords: bool = True
    aliases: tuple[str, ...] = ("number", "extension")
    display_name: str = "name"

    @property
    def place(self) -> tuple[str, str, PerWhom]:
        """What all accounts have to leave when it is changed."""
        return self.system, self.domain, self.accounts


class FormerStatus(msgspec.Struct, frozen=True):
    """A logout status that another one replaced: phones whose account is of an earlier date know only this one."""

    until_s: int
    status: int


class Tenant(msgspec.Struct, frozen=True):
    """The settings of one Cloud ID.

    `template` is Account XML with `{column}` placeholders, `common` a global answer (quick dials, dial actions,
    preferences) for all its users. `former_statuses` are kept by the store, from the first one on; so is
    `policy`, the number of the Live policy, 0 when there is none. A policy that changes the
    answers of more than `approval_share` of the users needs a second person, if that is given. Without `sip`, users
    have the SIP credentials that were given for them. `onboarding` says who may come in the first time; then they get
    `numbers`, and `hooks` are told, in this order. `inviting` says how invitations look.
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
    sip: Sip | None = None
    onboarding: AnyOnboarding = Closed()
    numbers: tuple[NumberFrom, ...] = ()
    hooks: tuple[str, ...] = ()
    inviting: Inviting = Inviting()

    def logout_status_of(self, held_s: int) -> int:
        """What logs a phone out that has the account of this date; 0 when it did not say which."""
        former = (one.status for one in self.former_statuses if 0 < held_s < one.until_s)
        return next(former, self.logout_status)

    @property
    def first_logout_status(self) -> int:
        """What the portal goes on telling: it cannot know what a phone has, and the account says what is new."""
        return self.former_statuses[0].status if self.former_statuses else self.logout_status
