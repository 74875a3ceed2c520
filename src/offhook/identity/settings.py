"""What the operator says of each upstream: a kind for each source of users, read from the file of connections."""

from __future__ import annotations

from typing import TypeAlias

from offhook.core.secret import Discreet, Secret


class Ldap(Discreet, frozen=True, tag_field="kind", tag="ldap", forbid_unknown_fields=True):
    """A directory: where it is and under which name users are found in it."""

    url: str
    base: str
    bind_name: str = ""
    bind_password: Secret = Secret("")

    def __str__(self) -> str:
        return self.url


AnyUpstream: TypeAlias = Ldap
