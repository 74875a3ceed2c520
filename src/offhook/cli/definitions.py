"""`offhook definitions`: the web service definitions of a Cloud ID, as an operator pastes them into a portal."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, print_object, reported
from offhook.cli.options import CloudIdArgument, DataOption, JsonOption, cloud_id, examples
from offhook.provider.definitions import all_keys, as_lines, as_xml, check_public_url

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(
    name="definitions",
    epilog=examples(
        "offhook definitions EXAMPLE --public-url https://prov.example.net",
        "offhook definitions EXAMPLE --public-url https://prov.example.net --xml",
    ),
)
def print_definitions(
    app_id: CloudIdArgument,
    public_url: Annotated[
        str, typer.Option("--public-url", help="How phones reach `offhook serve`.", metavar="URL", show_default=False)
    ],
    xml: Annotated[bool, typer.Option("--xml", help="Print elements, with & written as &amp;.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Print what to enter in a portal so that its app signs in at this provider service.

    Needed only by who keeps the vendor's portal: ours fills them in by itself. Those that begin with extProv,
    extGlobalProv, accountRemovalReporter and pushTokenReporter belong into the account.
    """
    with reported(as_json=json):
        if xml and json:
            raise Misused("--xml and --json are two ways to print the same: choose.")
        remarks = check_public_url(public_url)
        with open_desk(data) as desk:
            tenant = desk.tenants.get(cloud_id(app_id))
        keys = dict(all_keys(tenant, public_url))
    for remark in remarks:
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text.assemble(("Warning: ", "yellow"), str(remark)))
    if json:
        print_object(keys)
        return
    for line in as_xml(keys) if xml else as_lines(keys):
        typer.echo(line)
