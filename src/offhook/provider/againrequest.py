"""What an app sends after its sign-in: its install, and what it authenticates with (D20)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from offhook.core.errors import Fault, Invalid
from offhook.core.login import CloudId
from offhook.core.secret import Discreet, Secret
from offhook.provider.circumstances import NOTHING as UNKNOWN
from offhook.provider.circumstances import Circumstances
from offhook.provider.request import MAX_LABEL, TOLD, is_absent
from offhook.provider.subscriber import MAX_PASSWORD, MAX_USERNAME
from offhook.provider.tenant import Names
from offhook.provider.validators import Claim

NAMES: Final = Names()
NOTHING: Final = Claim()
_LIMITS: Final = {
    NAMES.cloud_id: MAX_LABEL,
    NAMES.username: MAX_USERNAME,
    NAMES.password: MAX_PASSWORD,
    NAMES.install_id: MAX_LABEL,
}
_TOLD: Final = [(kind, getattr(NAMES, kind)) for kind in TOLD]


class AgainRequest(Discreet, frozen=True):
    """One request of an install. Its parameters are called as usual, whatever the Cloud ID calls those of its sign-in.

    The definitions of these services are ours, and which install asks must be known before its Cloud ID is.
    """

    cloud_id: str
    username: str
    secret: Secret
    install_id: str
    claim: Claim = NOTHING
    client: str = ""
    user_agent: str = ""
    circumstances: Circumstances = UNKNOWN

    def __str__(self) -> str:
        return "an install asks again"

    @classmethod
    def read(
        cls, parameters: Mapping[str, str], claim: Claim = NOTHING, client: str = "", user_agent: str = ""
    ) -> AgainRequest:
        """Read the parameters; raises Invalid with every fault, none of which repeats what was sent."""
        sent = {name: text for name in _LIMITS if not is_absent(text := parameters.get(name, ""))}
        faults = [Fault(name, "is missing") for name in _LIMITS if name != NAMES.username and name not in sent]
        faults += [
            Fault(name, f"has more than {_LIMITS[name]:,} characters")
            for name, text in sent.items()
            if len(text) > _LIMITS[name]
        ]
        Invalid.unless_empty(faults)
        told = {kind: text for kind, name in _TOLD if not is_absent(text := parameters.get(name, ""))}
        return cls(
            cloud_id=_cloud_id(sent[NAMES.cloud_id]),
            username=sent.get(NAMES.username, ""),
            secret=Secret(sent[NAMES.password]),
            install_id=sent[NAMES.install_id].strip(),
            claim=claim,
            client=client,
            user_agent=user_agent[:MAX_LABEL],
            circumstances=Circumstances.told(told, user_agent[:MAX_LABEL], client),
        )


def _cloud_id(written: str) -> str:
    try:
        return CloudId.parse(written).name
    except Invalid:
        # The error quotes what was sent.
        raise Invalid.at(NAMES.cloud_id, "is not a Cloud ID") from None
