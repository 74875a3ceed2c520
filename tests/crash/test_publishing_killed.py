"""Publishing under SIGKILL, before each of its statements in turn: what is Live is all of the old or all of the new."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import sqlalchemy as sa

from offhook import wiring
from offhook.core.theme import Theme
from offhook.portal.reading import from_document
from offhook.provider.tenant import Tenant
from offhook.release.change import Change
from offhook.release.records import Signature
from offhook.wiring import Desk

RULE = '[[rules]]\nid = "all"\nthen = [{ do = "set", key = "X-edition", value = "%s" }]\n'

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["offhook.wiring", __name__])


def edition(desk: Desk, number: int) -> Change:
    app = from_document({"cloud_id": "EXAMPLE", "account": {"title": "Example", "host": f"sip{number}.example"}})
    return desk.releases.propose("EXAMPLE", (app, Theme()), RULE % number)


def publish(folder: Path, number: int, statement: int) -> None:
    """Publish an edition, and die before a statement of it."""
    with wiring.administration(folder) as desk:
        change, counted = edition(desk, number), 0

        def count(*event: object) -> None:
            nonlocal counted
            counted += 1
            if counted == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        sa.event.listen(sa.Engine, "before_cursor_execute", count)
        desk.releases.publish(change, Signature("ann"))


def is_live(folder: Path) -> str:
    """The edition that is Live, in the words of everything that speaks of it."""
    with wiring.administration(folder) as desk:
        release = desk.releases.history("EXAMPLE")[0]
        assert (release.changed, release.publication.by.author) == (("app", "policy"), "ann")
        assert desk.tenants.get("EXAMPLE").policy == release.policy
        assert release.app is not None
        assert release.policy is not None
        app, policy = desk.portal.show("EXAMPLE", release.app), desk.policies.show("EXAMPLE", release.policy)
        assert (app.state, policy.state) == ("live", "live")
        number = app.app.account["host"].content.removeprefix("sip").removesuffix(".example")
        assert f'value = "{number}"' in policy.text
        return number


@pytest.mark.crash
def test_publishing_is_all_or_nothing(tmp_path: Path) -> None:
    """App, policy, what phones are answered by and the history: none of it is ever half of an edition."""
    with wiring.administration(tmp_path) as desk:
        desk.tenants.put(Tenant("EXAMPLE"))
    publish_all = _context.Process(target=publish, args=(tmp_path, 0, 0))
    publish_all.start()
    publish_all.join()

    codes, statement = list[int | None](), 0
    while 0 not in codes:
        statement += 1
        dying = _context.Process(target=publish, args=(tmp_path, 1, statement))
        dying.start()
        dying.join(60)
        codes.append(dying.exitcode)
        if dying.exitcode:
            assert is_live(tmp_path) == "0"

    assert is_live(tmp_path) == "1"
    assert set(codes[:-1]) == {-signal.SIGKILL}
    assert len(codes) > 10
