"""`offhook portal-key`: the public key that apps pin."""

from __future__ import annotations

import typer

from offhook.cli.desk import open_desk
from offhook.cli.exits import print_object, reported
from offhook.cli.options import DataOption, JsonOption


def portal_key(data: DataOption = None, json: JsonOption = False) -> None:
    """Print the key whose signature apps expect on every answer of this portal.

    Example: offhook phone sign-in ann@DEMO --portal-key "$(offhook portal-key)"
    """
    with reported(as_json=json), open_desk(data) as desk:
        if json:
            print_object({"portal_key": desk.portal_key})
        else:
            typer.echo(desk.portal_key)
