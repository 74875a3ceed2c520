"""What becomes of a subscriber through a change: texts are laid over, secrets sealed, SIP credentials made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from offhook.core.dialplan import QuickDials, Removal
from offhook.core.mergeable import PROVIDER
from offhook.core.secret import Secret
from offhook.provider.change import Change, Clear, Never, NewPassword, is_secret
from offhook.provider.ports import Chance
from offhook.provider.sealing import SIGN_IN_PASSWORD, Sealer, place_of, place_of_override
from offhook.provider.subscriber import (
    SIP_PASSWORD,
    SIP_USERNAME,
    Override,
    Sealed,
    StoredPassword,
    Subscriber,
    username_key,
)

_SIP_USERNAME_BYTES: Final = 5
_SIP_PASSWORD_BYTES: Final = 20
_GENERATED: Final = re.compile(rf"[0-9A-F]{{{_SIP_PASSWORD_BYTES * 2}}}")


def settle(known: Subscriber, change: Change, sealer: Sealer, chance: Chance) -> Subscriber:
    """The subscriber as changed; equal to the known one when there is nothing to change.

    What is sealed stays as it is when it holds the same text. Raises Unavailable when a secret cannot be opened.
    """
    attributes = _laid_over(known.attributes, change.attributes)
    secrets = _secrets(known, change.secrets, sealer)
    sip_generated = known.sip_generated
    if secrets.get(SIP_PASSWORD) != known.secrets.get(SIP_PASSWORD):
        sip_generated = change.sip_generated and SIP_PASSWORD in secrets
    if change.generate_sip and not attributes.get(SIP_USERNAME):
        attributes[SIP_USERNAME] = chance.token(_SIP_USERNAME_BYTES).hex().upper()
    if change.generate_sip and SIP_PASSWORD not in secrets:
        password = chance.token(_SIP_PASSWORD_BYTES).hex().upper()
        secrets[SIP_PASSWORD] = sealer.seal(password, _place(known, SIP_PASSWORD))
        sip_generated = True
    return msgspec.structs.replace(
        known,
        password=known.password if change.password is None else _password(known, change.password, sealer),
        state=change.state or known.state,
        attributes=attributes,
        secrets=secrets,
        overrides=_overrides(known, change.overrides, sealer),
        quick_dials=_quick_dials(known.quick_dials, change),
        sip_generated=sip_generated,
        expires_s=known.expires_s if change.expires_s is None else _expiry(change.expires_s),
    )


def why_kept(rank: int) -> str:
    """What becomes on phones of a key that was sent with a higher rank than now."""
    return (
        f"Phones that got it with rank {rank} keep what they got, since no lower rank replaces it, until their user "
        f"signs in anew. To change it there, send it with rank {rank} again: --priority {rank}"
    )


def is_generated(sip_password: Secret) -> bool:
    """Whether a SIP password looks like one of ours, too long to be guessed."""
    return _GENERATED.fullmatch(sip_password.reveal()) is not None


def open_secrets(subscriber: Subscriber, sealer: Sealer) -> dict[str, Secret]:
    """The secrets of a subscriber by name, opened; raises Unavailable when one cannot be."""
    return {name: sealer.open(sealed, _place(subscriber, name)) for name, sealed in subscriber.secrets.items()}


def open_override(subscriber: Subscriber, key: str, sealer: Sealer) -> Override:
    """An override of a subscriber as it was given; raises Unavailable when it is sealed and cannot be opened."""
    override = subscriber.overrides[key]
    if not override.sealed:
        return override
    place = place_of_override(subscriber.cloud_id, username_key(subscriber.username), key)
    return msgspec.structs.replace(override, value=sealer.open(override.value, place).reveal(), sealed=False)


def _place(subscriber: Subscriber, name: str) -> str:
    return place_of(subscriber.cloud_id, username_key(subscriber.username), name)


def _expiry(expires_s: int | Never) -> int | None:
    return None if isinstance(expires_s, Never) else expires_s


def _laid_over(known: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in {**known, **changes}.items() if text is not None}


def _secrets(known: Subscriber, changes: Mapping[str, Secret | None], sealer: Sealer) -> dict[str, str]:
    secrets = dict(known.secrets)
    for name, secret in changes.items():
        if secret is None:
            secrets.pop(name, None)
            continue
        place = _place(known, name)
        if name not in secrets or sealer.open(secrets[name], place) != secret:
            secrets[name] = sealer.seal(secret.reveal(), place)
    return secrets


def _password(known: Subscriber, new: NewPassword, sealer: Sealer) -> StoredPassword:
    if not isinstance(new, Clear):
        return new
    place = _place(known, SIGN_IN_PASSWORD)
    if isinstance(known.password, Sealed) and sealer.open(known.password.text, place) == new.secret:
        return known.password
    return Sealed(sealer.seal(new.secret.reveal(), place))


def _overrides(known: Subscriber, changes: Mapping[str, Override | None], sealer: Sealer) -> dict[str, Override]:
    overrides = dict(known.overrides)
    for key, new in changes.items():
        if new is None:
            overrides.pop(key, None)
        elif key not in overrides or _says(new) != _says(open_override(known, key, sealer)):
            overrides[key] = _kept(known, key, _remembering(overrides.get(key), new), sealer)
        elif is_secret(key) and not overrides[key].sealed:
            overrides[key] = _kept(known, key, overrides[key], sealer)
    return overrides


def _remembering(known: Override | None, new: Override) -> Override:
    """The new one with the highest rank of those before it: a phone gives that up for no lower one (D5)."""
    highest = known.highest_rank if known else 0
    return msgspec.structs.replace(new, former=highest if highest > new.sent_rank else None)


def _kept(known: Subscriber, key: str, new: Override, sealer: Sealer) -> Override:
    if not is_secret(key):
        return new
    place = place_of_override(known.cloud_id, username_key(known.username), key)
    return msgspec.structs.replace(new, value=sealer.seal(new.value, place), sealed=True)


def _quick_dials(known: QuickDials, change: Change) -> QuickDials:
    quick_dials = known if change.all_quick_dials is None else change.all_quick_dials
    for identity, item in change.quick_dials.items():
        items = {one.id: one for one in quick_dials.items}
        removals = {one.id: one for one in quick_dials.removals}
        if item is None:
            # An item that is merely left out stays on the phones that have it.
            items.pop(identity, None)
            removals[identity] = Removal(identity, PROVIDER, "provider")
        else:
            items[identity] = item
            removals.pop(identity, None)
        quick_dials = QuickDials(tuple(items.values()), tuple(removals.values()), quick_dials.replace_below)
    return quick_dials


def _says(override: Override) -> tuple[str, bool, int | None]:
    """What counts of an override: setting the same once more is no change, whoever does it."""
    return override.value, override.markup, override.rank
