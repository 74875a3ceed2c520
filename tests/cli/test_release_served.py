"""What is published by one process is what the very next request to another one is answered by."""

from __future__ import annotations

from pathlib import Path

import httpx2
from lxml import etree

from tests.cli.test_release import APP, POLICY, folder
from tests.cli.test_serve import served
from tests.world_shell import PASSWORD, Shell


def test_the_next_request_is_answered_anew(tmp_path: Path) -> None:
    """Base and account, both at once, from a server that has answered by the former release before."""
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")
    shell.does("user", "add", "ann@EXAMPLE", "--password-stdin", "--attribute", "tier=gold", stdin=f"{PASSWORD}\n")
    shell.does("release", "publish", "EXAMPLE", folder(shell), "--yes")
    form = {"cloud_id": "EXAMPLE", "cloud_username": "ann", "cloud_password": PASSWORD}

    with served(tmp_path) as (url, _), httpx2.Client() as client:

        def codecs() -> tuple[str | None, str | None]:
            base, account = client.get(f"{url}/portal/EXAMPLE/base"), client.post(f"{url}/prov", data=form)
            return etree.fromstring(base.content).findtext("account/codecOrder"), etree.fromstring(
                account.content
            ).findtext("codecOrder")

        seen = [codecs()]
        other = folder(shell, app=APP.replace('"0"', '"3"'), policy=POLICY.replace('"8"', '"9"'))
        shell.does("release", "publish", "EXAMPLE", other, "--yes")
        seen += [codecs()]
        shell.does("release", "restore", "EXAMPLE", "1", "--yes")
        seen += [codecs()]

    assert seen == [("0", "8"), ("3", "9"), ("0", "8")]
