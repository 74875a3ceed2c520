"""The known keys of an account, one row each; the linter, the editor and the reference page read this table."""

from typing import Final

from offhook.core.catalogue import account, calls, media, messaging, network, services
from offhook.core.keys import Catalogue

KEYS: Final = Catalogue.of(
    sections=(
        account.CREDENTIALS,
        account.PROXIES,
        services.EXTERNAL_PROVISIONING,
        calls.INCOMING,
        calls.AUTO_ANSWER,
        calls.VOICEMAIL,
        calls.DTMF,
        calls.REWRITING,
        calls.SERVICES_OF_CALLS,
        calls.BUSY_LAMPS,
        calls.TONES,
        calls.IDENTITY,
        media.AUDIO,
        media.OPUS,
        media.VIDEO,
        media.CONFERENCING,
        media.SECURE_CALLS,
        network.NETWORK,
        messaging.MESSAGING,
        messaging.PUSH,
        messaging.CONTACTS,
        services.BALANCE_AND_RATES,
        network.MISCELLANEOUS,
    ),
    services=services.SERVICES,
    suffixes=services.SUFFIXES,
)
