"""`offhook serve`: portal and provider on one address."""

from __future__ import annotations

import asyncio
import stat
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from offhook.cli.exits import as_misuse, reported
from offhook.cli.options import DataOption

if TYPE_CHECKING:
    from offhook.web.settings import Listen


class Role(StrEnum):
    """What a process serves."""

    BOTH = "both"
    PORTAL = "portal"
    PROVIDER = "provider"


def serve(
    data: DataOption = None,
    listen: Annotated[str, typer.Option(help="Address and port.", metavar="ADDRESS:PORT")] = "127.0.0.1:8080",
    public_url: Annotated[
        str, typer.Option(help="How phones reach this server; left out, the address it listens on.", metavar="URL")
    ] = "",
    provider_url: Annotated[
        str, typer.Option(help="With --role portal: how phones reach the provider service.", metavar="URL")
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

    console = Console(stderr=True, soft_wrap=True)
    with reported():
        with as_misuse():
            if (tls_cert is None) != (tls_key is None):
                raise Invalid.at("--tls-cert", "needs --tls-key, and the other way round")
            _readable("--tls-cert", tls_cert)
            _readable("--tls-key", tls_key)
            address = Listen.parse(listen)
            url = public_url.rstrip("/") or address.url(tls=tls_cert is not None)
            named = _named(role, address, public_url.rstrip("/"), provider_url.rstrip("/"), url)
            _check(console, "--public-url", public_url.rstrip("/"))
            _check(console, "--provider-url", provider_url.rstrip("/"))
            serving = Serving(address, named, tls_cert, tls_key, parse_networks(trust_proxy or []))
            folder = DataFolder.choose(data).make()
        if tls_cert and url.startswith("http:"):
            _warn(console, "--public-url: is http, and this server speaks https only: no phone gets through to it")
        for key in (tls_key, *folder.keys.iterdir()):
            if key and key.stat().st_mode & stat.S_IROTH:
                _warn(console, f"{key} can be read by every user of this machine; mend it: chmod o-r {key}")
        rooms = {Role.BOTH: wiring.ROOMS, Role.PORTAL: ("portal",), Role.PROVIDER: ("provider",)}[role]
        with wiring.service(folder, serving, rooms) as server:
            asyncio.run(server.run(lambda: console.print(f"Serving [bold]{role}[/] at {url} (Ctrl-C ends)")))


def _named(role: Role, address: Listen, public_url: str, provider_url: str, url: str) -> str:
    """The provider service that our portal names to phones: ourselves, another one, or none; raises Invalid."""
    from offhook.core.errors import Invalid

    if provider_url and role is not Role.PORTAL:
        raise Invalid.at(
            "--provider-url", "is for --role portal; a server with both rooms names itself, by --public-url"
        )
    if role is Role.BOTH and address.is_everywhere and not public_url:
        raise Invalid.at("--public-url", f"is needed with {address.host}: the portal names it to every phone")
    return url if role is Role.BOTH else provider_url


def _readable(option: str, path: Path | None) -> None:
    """Say which of the files is missing before anything else is said about both; raises Invalid."""
    from offhook.core.errors import Invalid

    if path is not None:
        try:
            path.open("rb").close()
        except OSError as error:
            raise Invalid.at(option, f"{path} cannot be read: {error.strerror}") from None


def _check(console: Console, option: str, url: str) -> None:
    """Warn about what an app will not do with an address; raises Invalid."""
    from offhook.core.errors import Invalid
    from offhook.provider.definitions import check_public_url

    if not url:
        return
    try:
        remarks = check_public_url(url)
    except Invalid as error:
        raise Invalid.at(option, error.faults[0].text) from None
    for remark in remarks:
        _warn(console, f"{option}: {remark.text}")


def _warn(console: Console, text: str) -> None:
    console.print(Text.assemble(("Warning: ", "yellow"), text))
