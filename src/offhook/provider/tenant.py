"""A tenant: what the operator decided for one Cloud ID."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from offhook.policy.fleetguard import Limits

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


class Tenant(msgspec.Struct, frozen=True):
    """The settings of one Cloud ID.

    `template` is Account XML with `{column}` placeholders, `common` a global answer (quick dials, dial actions,
    preferences) for all its users.
    """

    cloud_id: str
    template: str = ""
    common: str = ""
    credential: Credential = Credential.TOKEN
    names: Names = Names()
    logout_status: int = DEFAULT_LOGOUT_STATUS
    logout_limits: Limits = Limits()
