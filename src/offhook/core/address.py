"""Addresses that an operator writes (http, ldap and the like): whether they are any, and what may be shown of them."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit


def parts(url: str) -> SplitResult | None:
    """The parts of an address that names a host; None for one that is none, or has a port that cannot be."""
    try:
        read = urlsplit(url)
        host, _ = read.hostname, read.port
    except ValueError:
        return None
    return read if host and url.isprintable() and not set(url) & set(" \\") else None


def shown(url: str) -> str:
    """What may be shown: scheme, host and port. A password or a token may stand in all the rest."""
    read = parts(url)
    return f"{read.scheme}://{read.netloc.rpartition('@')[2]}" if read is not None else "an address that is none"


def fault(url: str, schemes: Collection[str] = ("https", "http")) -> str:
    """Why it cannot be used, in words that follow its name and do not show it; empty when it can."""
    read = parts(url)
    if read is None or read.scheme not in schemes:
        return f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)} and name a host"
    if "@" in read.netloc:
        return "must not hold a user name or a password before its host"
    return ""
