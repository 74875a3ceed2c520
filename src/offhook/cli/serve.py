"""`offhook serve`: portal and provider on one address."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from offhook.cli.exits import reported
from offhook.cli.options import DataOption


class Role(StrEnum):
    """What a process serves."""

    BOTH = "both"
    PORTAL = "portal"
    PROVIDER = "provider"


def serve(
    data: DataOption = None,
    listen: Annotated[str, typer.Option(help="Address and port.", metavar="HOST:PORT")] = "127.0.0.1:8080",
    public_url: Annotated[
        str, typer.Option(help="How phones reach this server; left out, the address it listens on.", metavar="URL")
    ] = "",
    role: Annotated[Role, typer.Option(help="Serve both rooms or only one of them.")] = Role.BOTH,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain (PEM); taken anew when it changes.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key (PEM, without a passphrase).")] = None,
    trust_proxy: Annotated[
        list[str] | None, typer.Option(help="Address or network whose X-Forwarded-For is believed.", metavar="CIDR")
    ] = None,
) -> None:
    """Serve phones: the portal under /portal, the provider service under /prov. Events go to standard error.

    Examples:
      offhook serve --data ./phones --listen 127.0.0.1:8080
      offhook serve --listen 0.0.0.0:443 --public-url https://prov.example.net --tls-cert chain.pem --tls-key key.pem
    """
    from offhook import wiring
    from offhook.config import DataFolder
    from offhook.core.errors import Invalid
    from offhook.web.settings import Listen, Serving, parse_networks

    console = Console(stderr=True)
    with reported():
        if (tls_cert is None) != (tls_key is None):
            raise Invalid.at("--tls-cert", "needs --tls-key, and the other way round")
        address = Listen.parse(listen)
        url = public_url.rstrip("/") or address.url(tls=tls_cert is not None)
        serving = Serving(address, url, tls_cert, tls_key, parse_networks(trust_proxy or []))
        rooms = {Role.BOTH: wiring.ROOMS, Role.PORTAL: ("portal",), Role.PROVIDER: ("provider",)}[role]
        with wiring.service(DataFolder.choose(data).make(), serving, rooms) as server:
            asyncio.run(server.run(lambda: console.print(f"Serving [bold]{role}[/] at {url} (Ctrl-C ends)")))
