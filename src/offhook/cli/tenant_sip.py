"""The options of `offhook tenant` that say where SIP accounts are made, and what becomes of their passwords."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec
import typer

from offhook.cli.exits import Misused
from offhook.core.errors import NotFound
from offhook.provider.tenant import PerWhom, Sip, Tenant

_DAY_S: Final = 86400

SystemOption: TypeAlias = Annotated[
    str | None, typer.Option(help="The SIP system, as the file of connections names it.", metavar="NAME")
]
DomainOption: TypeAlias = Annotated[str | None, typer.Option(help="The domain of SIP addresses.", metavar="DOMAIN")]
AccountsOption: TypeAlias = Annotated[
    PerWhom | None, typer.Option(help="One SIP account for all phones of a user, or one for each phone.")
]
RotateOption: TypeAlias = Annotated[
    float | None, typer.Option(help="Give phones a new SIP password every so many days; 0 for never.", min=0)
]
AtSignInOption: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--sip-rotate-at-sign-in/--no-sip-rotate-at-sign-in", help="Give a new SIP password at each sign-in as well."
    ),
]
OverlapOption: TypeAlias = Annotated[
    float | None, typer.Option(help="Days for which a former SIP password stays good at most: 7.", min=0)
]
KeepOption: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--sip-keep-passwords/--sip-forget-passwords", help="Keep SIP passwords, encrypted, or forget them once given."
    ),
]
AliasOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--sip-alias", help="An attribute that rings, too: number.", metavar="NAME")
]
NoSipOption: TypeAlias = Annotated[bool, typer.Option("--no-sip", help="Do without a SIP system.")]
MoveOption: TypeAlias = Annotated[
    bool,
    typer.Option("--move-sip-accounts", help="Give up the accounts where they are now, and make others; see above."),
]


class Words(msgspec.Struct, frozen=True):
    """What the options say; None is left as it is."""

    system: str | None = None
    domain: str | None = None
    accounts: PerWhom | None = None
    rotate_days: float | None = None
    rotate_at_sign_in: bool | None = None
    overlap_days: float | None = None
    keep_passwords: bool | None = None
    aliases: tuple[str, ...] | None = None
    none: bool = False


def changed(tenant: Tenant, words: Words, systems: frozenset[str]) -> Tenant:
    """The settings with what was said; raises Misused, and NotFound for a SIP system that is not connected."""
    said = {
        "system": words.system,
        "domain": words.domain.lower().rstrip(".") if words.domain else words.domain,
        "accounts": words.accounts,
        "rotate_every_s": None if words.rotate_days is None else round(words.rotate_days * _DAY_S),
        "rotate_at_sign_in": words.rotate_at_sign_in,
        "overlap_s": None if words.overlap_days is None else round(words.overlap_days * _DAY_S),
        "keep_passwords": words.keep_passwords,
        "aliases": words.aliases,
    }
    given = {name: value for name, value in said.items() if value is not None}
    if words.none:
        if given:
            raise Misused("--no-sip takes the SIP system away, and other options say which one: choose.")
        return msgspec.structs.replace(tenant, sip=None)
    if not given:
        return tenant
    if words.system is not None and words.system not in systems:
        known = ", ".join(sorted(systems)) or "none"
        raise NotFound(f"The file of connections has no SIP system {words.system[:40]}; there are: {known}.")
    if tenant.sip is None and not {"system", "domain"} <= given.keys():
        raise Misused("A SIP system needs --sip-system and --sip-domain.")
    before = tenant.sip or Sip("", "")
    return msgspec.structs.replace(tenant, sip=msgspec.structs.replace(before, **given))


def described(sip: Sip | None) -> str:
    """In one line, for a person."""
    if sip is None:
        return "none; users have the SIP credentials that were given for them"
    every = f", new passwords every {sip.rotate_every_s / _DAY_S:g} days" if sip.rotate_every_s else ""
    at_sign_in = ", and at each sign-in" if sip.rotate_at_sign_in else ""
    kept = "" if sip.keep_passwords else ", passwords are not kept"
    return f"{sip.domain} at {sip.system}, accounts {sip.accounts}{every}{at_sign_in}{kept}"
