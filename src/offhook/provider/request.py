"""What an app sends to sign in: parameters by the names its Cloud ID gives them, read into those that count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from offhook.core.errors import Fault, Invalid
from offhook.core.login import CloudId
from offhook.core.secret import Discreet, Secret
from offhook.provider.circumstances import Circumstances
from offhook.provider.subscriber import MAX_PASSWORD, MAX_USERNAME, username_key
from offhook.provider.tenant import Names

# What an app calls itself is cut, since nothing depends on it.
MAX_LABEL: Final = 200
# The names of parameters that tell of the phone.
TOLD: Final = ("platform", "app_version", "os_version", "locale")
# D19: an app that does not know a placeholder sends it as it stands.
_UNEXPANDED: Final = re.compile(r"%[A-Za-z_][A-Za-z0-9_.\-]*(\[[^\[\]%]*\])?%")
# A person may have chosen a password between percent signs, so only those count that a definition would ask for.
_UNEXPANDED_PASSWORD: Final = re.compile(r"%(password|account\[[^\[\]%]*\])%")


class Inputs(Discreet, frozen=True):
    """The parameters of one request, and what is wrong with them; texts that are absent are empty."""

    username: str
    username_key: str
    password: Secret
    install_id: str
    device: str
    circumstances: Circumstances
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        return f"{len(self.faults)} faults"


class SignInRequest(Discreet, frozen=True):
    """One request, its parameters not yet read, since their names are known only when its Cloud ID is.

    Without `keep` nothing is stored, and the answer is only to be looked at.
    """

    cloud_id: str
    parameters: Mapping[str, str]
    client: str = ""
    user_agent: str = ""
    keep: bool = True

    def __str__(self) -> str:
        return f"{len(self.parameters)} parameters"

    def tenant_id(self) -> str:
        """The Cloud ID without the star of the Editable version, of which only rules know a difference."""
        return self._parsed().name

    def _parsed(self) -> CloudId:
        if is_absent(self.cloud_id):
            raise Invalid.at(Names().cloud_id, "is missing")
        try:
            return CloudId.parse(self.cloud_id)
        except Invalid:
            # The error quotes what was sent.
            raise Invalid.at(Names().cloud_id, "is not a Cloud ID") from None

    def read(self, names: Names) -> Inputs:
        """The parameters by these names."""
        faults: list[Fault] = []
        username = self._text(names.username)
        password = self.parameters.get(names.password, "")
        if not username:
            faults.append(Fault(names.username, "is missing"))
        elif len(username) > MAX_USERNAME:
            faults.append(Fault(names.username, f"has more than {MAX_USERNAME} characters"))
        if not password or _UNEXPANDED_PASSWORD.fullmatch(password):
            faults.append(Fault(names.password, "is missing"))
        elif len(password) > MAX_PASSWORD:
            faults.append(Fault(names.password, f"has more than {MAX_PASSWORD:,} characters"))
        return Inputs(
            username=username,
            username_key=username_key(username) if 0 < len(username) <= MAX_USERNAME else "",
            password=Secret(password),
            install_id=self._text(names.install_id)[:MAX_LABEL],
            device=self._text(names.device)[:MAX_LABEL],
            circumstances=self._circumstances(names),
            faults=tuple(faults),
        )

    def _circumstances(self, names: Names) -> Circumstances:
        # A Cloud ID may call something else by the usual name of one of these: its password, say.
        taken = {names.username, names.password, names.cloud_id, names.install_id, names.device}
        told = {kind: self._text(name) for kind in TOLD if (name := getattr(names, kind)) not in taken}
        return Circumstances.told(told, self.user_agent, self.client, editable=self._parsed().editable)

    def _text(self, name: str) -> str:
        written = self.parameters.get(name, "").strip()
        return "" if is_absent(written) else written


def is_absent(written: str) -> bool:
    """Whether a parameter counts as not sent: it is empty, or a placeholder that the app does not know (D19)."""
    text = written.strip()
    return not text or (text[0] == "%" and _UNEXPANDED.fullmatch(text) is not None)
