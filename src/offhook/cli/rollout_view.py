"""How guarded rollouts are shown: the stage, what became of the phones, and what the guard says to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from offhook.cli import showing
from offhook.cli.moments import iso, shown
from offhook.policy.guarding import Counts
from offhook.provider.rollouts import Report, Standing


def show(standings: Iterable[Standing]) -> None:
    """Some lines for each."""
    for standing in standings:
        for line in _lines(standing):
            showing.tell(line)


def record(standing: Standing) -> dict[str, Any]:
    """The same as an object; what was not looked at yet is null."""
    rule, report = standing
    assert rule.rollout is not None
    told: dict[str, Any] = {
        "rule": rule.id,
        "paused": rule.paused,
        "stages": len(rule.rollout.stages),
        "opened": rule.rollout.opened,
        "looked_at": None,
    }
    if report is None:
        return told
    return told | {
        "looked_at": iso(report.at_s),
        "rule_version": report.version,
        "stage": report.stage,
        "since": iso(report.since_s),
        "treated": msgspec.structs.asdict(report.treated),
        "others": msgspec.structs.asdict(report.others),
        "ruling": msgspec.to_builtins(report.ruling),
        "sentence": str(report.ruling),
    }


def _lines(standing: Standing) -> Iterator[str]:
    rule, report = standing
    if report is None:
        yield f"Rollout {rule.id}: not looked at yet; a running server does so every few minutes"
        return
    assert rule.rollout is not None
    if rule.paused:
        yield f"Rollout {rule.id} is paused, because {rule.paused}"
    elif rule.version != report.version:
        yield f"Rollout {rule.id} {report.ruling}; not looked at since it was changed"
    else:
        yield f"Rollout {rule.id} {report.ruling}"
    yield f"  {_stage(report, len(rule.rollout.stages))} since {shown(report.since_s)}, looked at {shown(report.at_s)}"
    yield f"  with the rule: {_counts(report.treated)}"
    yield f"  others:        {_counts(report.others)}"


def _stage(report: Report, stages: int) -> str:
    return f"stage {report.stage} of {stages}" if stages else "the whole percentage"


def _counts(counts: Counts) -> str:
    troubles = f"{counts.missing:,} missing, {counts.unregistered:,} unregistered, {counts.refused:,} refused"
    return f"{counts.asked:,} phones, {troubles}"
