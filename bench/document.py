"""A document of 60 keys and one of 21 overrides: read both, merge them, write the account.

The same two texts, only parsed by the XML library, are the baseline: what a document costs before we do anything.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from typing import Final

from lxml import etree

from offhook.core import accountxml, mergeable

BOUND_US: Final = 250
ROUNDS: Final = 30
EACH: Final = 100

KEYS: Final = [f"key{number}" for number in range(56)]
BASE: Final = "\n".join(
    (
        "<account>",
        *(f"  <{key}>the value of {key} &amp; some more of it</{key}>" for key in KEYS),
        '  <codecOrder priority="50">0,8,9</codecOrder>',
        '  <title><value>Ann</value><value lang="cs">Anna</value></title>',
        '  <X-install-id source="extProv">AD4535EF902BB13</X-install-id>',
        '  <rewriting><rule><conditions><condition type="equals" param="112"/></conditions>',
        '    <actions><action type="overrideDialAction" param="gsmCall"/></actions></rule></rewriting>',
        "</account>",
    )
).encode()
OVERRIDES: Final = "\n".join(
    (
        "<account>",
        *(f"  <{key}>another value of {key}</{key}>" for key in KEYS[::3]),
        "  <new>1</new>",
        "  <own/>",
        "</account>",
    )
).encode()


def run() -> dict[str, object]:
    """Microseconds for all of it, and how many times the baseline that is."""
    assert [len(etree.fromstring(text)) for text in (BASE, OVERRIDES)] == [60, 21]
    ours_us, baseline_us = _in_turns(_read_merge_write, _parse)
    return {
        "microseconds": round(ours_us, 1),
        "bound_microseconds": BOUND_US,
        "ratio": round(ours_us / baseline_us, 2),
        "baseline": f"lxml parses the same two texts: {baseline_us:.1f} microseconds",
    }


def _read_merge_write() -> str:
    portal = accountxml.loads(BASE, mergeable.PORTAL, "portal")
    provider = accountxml.loads(OVERRIDES, mergeable.PROVIDER, "provider")
    return accountxml.dumps(mergeable.merge(mergeable.settle(portal.values), provider.values).values())


def _parse() -> None:
    etree.fromstring(BASE)
    etree.fromstring(OVERRIDES)


def _in_turns(*works: Callable[[], object]) -> list[float]:
    """The best time of each, by turns, since the machine may have other things to do; in microseconds."""
    rounds = [[timeit.timeit(work, number=EACH) / EACH * 1e6 for work in works] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]
