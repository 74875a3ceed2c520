"""The linter for account documents: everything a provider would rather know before a phone reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from offhook.core.features import Features
from offhook.core.lint import plain, rewriting, sense, templates
from offhook.core.lint.finding import SEVERITIES, Finding, Severity
from offhook.core.mergeable import Value

__all__ = ["SEVERITIES", "Finding", "Severity", "lint"]


def lint(
    document: Mapping[str, Value], *, features: Features | None = None, account_id: str | None = None
) -> tuple[Finding, ...]:
    """Look at an account document as `accountxml.loads` read it; the worst comes first, then the order of the keys.

    Without `features`, licences are not judged (D18). No finding quotes the value of a secret key.
    """
    order = {name: position for position, name in enumerate(document)}

    def place(finding: Finding) -> tuple[int, int]:
        key = finding.key.partition("/")[0]
        return SEVERITIES.index(finding.severity), order.get(key, -1)

    return tuple(sorted(_found(document, features, account_id), key=place))


def _found(document: Mapping[str, Value], features: Features | None, account_id: str | None) -> Iterator[Finding]:
    if account_id is not None:
        how = "Leave the id out: a document with another id becomes another account."
        yield Finding("warning", "account", "has an id, which the app makes up by itself", how)
    yield from plain.unknown(document, templates.references(document))
    yield from plain.misplaced(document)
    yield from plain.values(document)
    yield from plain.ranks(document)
    yield from templates.unfilled(document)
    yield from templates.nowhere(document)
    yield from templates.in_the_open(document)
    yield from templates.requests(document)
    yield from templates.escaped_twice(document)
    yield from rewriting.rewriting(document)
    yield from sense.licences(document, features)
    yield from sense.interval(document)
    yield from sense.logout(document)
    yield from sense.pairs(document)
    yield from sense.encryption(document)
    yield from sense.sending(document)
