"""Whether an app will take the values of a resolution: the user's own changes, licences, and what a key can hold."""

from __future__ import annotations

from collections.abc import Mapping

from offhook.core import mergeable
from offhook.core.catalogue import KEYS
from offhook.core.features import Features, gate
from offhook.core.mergeable import Admit, Value, everything
from offhook.policy.effects import SOURCE
from offhook.policy.resolution import Setting


def refusals(settings: Mapping[str, Setting], features: Features | None, chosen: Mapping[str, Value]) -> dict[str, str]:
    """Why the app will not take or understand a value, by key, as words that follow the key's name.

    `chosen` is what the phone has, such as the user's own changes. Without `features`, licences are not judged (D18).
    """
    admit: Admit = everything if features is None else gate(features)
    sent = {key: value_of(setting) for key, setting in settings.items() if setting.sent}
    merged = mergeable.merge(mergeable.settle(chosen), sent, admit)
    found = {key: kept[0].reason for key, kept in merged.kept_out.items()}
    for key, value in sent.items():
        known = KEYS.find(key)
        if key not in found and known is not None and not value.markup and (fault := known.fault(value.content)):
            found[key] = fault
    return found


def value_of(setting: Setting) -> Value:
    """The value that a setting sends, with its placeholders as they are."""
    return Value(setting.value, setting.rank, SOURCE, setting.markup)
