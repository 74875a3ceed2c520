"""The steps of a saga that give a user a number, and let the operator's own systems do their part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from offhook.core.errors import NotFound, Unavailable
from offhook.provider import change as changes
from offhook.provider.change import Change
from offhook.provider.hooks import Hook, Wish
from offhook.provider.numbers import NumberStore, Wanted
from offhook.provider.ports import Clock, SubscriberStore
from offhook.provider.saga import CallHook, Saga, TakeNumber
from offhook.provider.subscriber import SIP_USERNAME, username_key

# Whoever mends a setting does it in minutes, not in seconds.
MENDED_S: Final = 60
MOST_GIVEN: Final = 50


class NumberStep:
    """A number is reserved for the user; that they have it for good is said together with that they may come in."""

    def __init__(self, numbers: NumberStore, clock: Clock) -> None:
        self._numbers, self._clock = numbers, clock

    def do(self, saga: Saga, step: TakeNumber, key: str) -> Mapping[str, str]:
        """As the port says."""
        wanted = Wanted(saga.cloud_id, step.pool, saga.subscriber_id, username_key(saga.username), step.attribute)
        try:
            return {step.attribute: self._numbers.take(wanted, key, self._clock.now_s())}
        except NotFound as error:
            # The operator can make the pool, and the person at the phone cannot help it.
            raise Unavailable(error.text, MENDED_S) from None

    def undo(self, saga: Saga, step: TakeNumber, key: str) -> None:
        """As the port says."""
        self._numbers.give_back(saga.cloud_id, saga.subscriber_id, step.attribute, self._clock.now_s())


class HookStep:
    """A hook is told of the user and what they have so far, and what it gives becomes attributes of theirs."""

    def __init__(self, hooks: Callable[[str], Hook | None], subscribers: SubscriberStore) -> None:
        self._hooks, self._subscribers = hooks, subscribers

    def do(self, saga: Saga, step: CallHook, key: str) -> Mapping[str, str]:
        """As the port says."""
        given = self._hook(step).perform(self._wish(saga, step, undo=False), key)
        return _good(step.name, given, _pooled(saga))

    def undo(self, saga: Saga, step: CallHook, key: str) -> None:
        """As the port says."""
        self._hook(step).perform(self._wish(saga, step, undo=True), key)

    def _hook(self, step: CallHook) -> Hook:
        found = self._hooks(step.name)
        if found is None:
            raise Unavailable(f"There is no hook {step.name} in the file of connections.", MENDED_S)
        return found

    def _wish(self, saga: Saga, step: CallHook, *, undo: bool) -> Wish:
        attributes = {**self._attributes(saga), **saga.given}
        return Wish(step.name, saga.cloud_id, saga.username, undo, attributes)

    def _attributes(self, saga: Saga) -> Mapping[str, str]:
        """What is known of the user; nothing of one who is gone already."""
        try:
            found = self._subscribers.get(saga.cloud_id, username_key(saga.username))
        except NotFound:
            return {}
        return found.attributes if found.id == saga.subscriber_id else {}


def _pooled(saga: Saga) -> Mapping[str, str]:
    """What the user has from pools."""
    names = {one.attribute for one in saga.steps if isinstance(one, TakeNumber)}
    return {name: text for name, text in saga.given.items() if name in names}


def _good(name: str, given: Mapping[str, str], pooled: Mapping[str, str]) -> Mapping[str, str]:
    """What a hook gave, if it can be kept. Raises Unavailable: whoever runs it can mend it, and it is asked again."""
    faults = [str(fault) for fault in changes.faults(Change(attributes=given))]
    faults += [f"{one}: is a secret, which attributes must not hold" for one in given if changes.is_secret(one)]
    faults += [f"{one}: is given by the SIP system" for one in given if one == SIP_USERNAME]
    # It may say what it was told.
    faults += [f"{one}: is given by a pool of numbers" for one, text in pooled.items() if given.get(one, text) != text]
    if len(given) > MOST_GIVEN:
        faults.append(f"gave {len(given)} attributes; at most {MOST_GIVEN} are taken")
    if faults:
        raise Unavailable(f"The hook {name} gave what cannot be kept: {'; '.join(faults[:5])}.", MENDED_S)
    return given
