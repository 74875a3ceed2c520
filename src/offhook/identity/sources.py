"""From settings to the upstream that they mean."""

from __future__ import annotations

from typing import assert_never

from offhook.identity.asking import Source, Told, silent
from offhook.identity.http import Http
from offhook.identity.ldap import Ldap
from offhook.identity.settings import AnyUpstream
from offhook.identity.settings import Http as HttpSettings
from offhook.identity.settings import Ldap as LdapSettings
from offhook.identity.settings import Sql as SqlSettings
from offhook.identity.sql import Sql
from offhook.identity.watch import Watched


def open_upstream(settings: AnyUpstream) -> Source:
    """The upstream of these settings, watched. Nothing is connected before it is asked for somebody."""
    return Watched(
        bare(settings), wrong_s=settings.wrong_s, at_once=settings.at_once, wait_s=min(settings.timeout_s, 2.0)
    )


def bare(settings: AnyUpstream, told: Told = silent) -> Source:
    """The upstream itself, which tells each step: for whoever tries it by hand."""
    match settings:
        case LdapSettings():
            return Ldap(settings, told)
        case HttpSettings():
            return Http(settings, told)
        case SqlSettings():
            return Sql(settings, told)
        case _:
            assert_never(settings)
