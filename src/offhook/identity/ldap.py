"""A directory, LDAP or Active Directory, as an upstream: who signs in is found in it, and bound as, once."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import ldap3
import msgspec
from ldap3.core.exceptions import LDAPExceptionError
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import parse_dn

from offhook.core.errors import OffhookError, Refused, Unavailable
from offhook.core.secret import Secret
from offhook.identity import standing
from offhook.identity.asking import MAX_GROUPS, Deadline, Late, Told, Untold, kept, may_be, named, silent
from offhook.identity.directory import Answer, Link, Unreachable
from offhook.identity.settings import IN_CHAIN
from offhook.identity.settings import Ldap as Settings
from offhook.provider.upstream import Vouched

DOWN: Final = "Your provider's directory does not answer. Please try again later."
_OK, _SIZE_LIMIT, _NO_OBJECT = 0, 4, 32
PLACE: Final = "{username}"
_WHOLE_NAME: Final = "userPrincipalName"
# What was typed has a domain of its own.
_OF_A_DOMAIN: Final = re.compile(r"[@\\/]")
_DN_ESCAPED: Final = re.compile(r'[\\,+"<>;=#\x00]|^ | $')


class Entry(msgspec.Struct, frozen=True):
    """A user as the directory has them."""

    dn: str
    attributes: Mapping[str, tuple[str, ...]]

    def first(self, name: str) -> str | None:
        """The first value of an attribute; capitals are all the same to a directory."""
        return next(iter(self.attributes.get(name.lower(), ())), None)


class Ldap:
    """The port over LDAP. One connection for each question: 7 ms within TLS, and nothing that could be stale.

    Nothing is repeated from the moment the person's own password has been sent: whether it arrived or not.
    """

    def __init__(self, settings: Settings, told: Told = silent, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._told, self._clock = settings, told, clock
        # The server that answered last: one that is down costs its time once, and not everybody.
        self._first = 0

    def vouch(self, username: str, password: Secret) -> Vouched | None:
        """Find, then bind as whoever was found; with `direct`, the other way round."""
        if not may_be(username, password.reveal()):
            return None
        typed = self._without_prefix(username)
        return self._direct(typed, password) if self._settings.direct else self._found(typed, password)

    def look_up(self, username: str) -> Vouched | None:
        """Search by the name that they have here. Raises Refused for one who is disabled there."""
        if self._settings.direct and not self._settings.bind_name:
            raise Untold("This directory tells of users only to themselves: there is no bind_name.")
        if not may_be(username):
            return None
        with self._linked(Deadline(self._settings.timeout_s)) as link:
            entry = self._search(link, self._by_name((self._settings.username,), username))
            if entry is None:
                return None
            if reason := standing.disabled(entry.first, self._clock()):
                self._told(f"  is not to come in: {reason}")
                raise Refused(reason)
            return self._vouched(link, entry)

    def faults(self) -> tuple[str, ...]:
        """Whether it can be reached, takes the service's name, and knows the base; with `direct`, only the first."""
        try:
            with self._linked(Deadline(self._settings.timeout_s)) as link:
                if self._settings.direct and not self._settings.bind_name:
                    return ()
                answer = link.search(self._settings.base, self._settings.only, (), scope=ldap3.SUBTREE, most=1)
        except Unreachable as error:
            return (f"The directory does not answer a search: {error}.",)
        except OffhookError as error:
            return (error.text,)
        if answer.code == _NO_OBJECT:
            return (f"There is no base {self._settings.base}, or it may not be seen: {answer}.",)
        if answer.code not in {_OK, _SIZE_LIMIT}:
            return (f"The directory does not let {self._settings.bind_name or 'anybody'} search: {answer}.",)
        if not answer.entries:
            return (f"Nobody under {self._settings.base} fits only = {self._settings.only!r}, or may be seen.",)
        return ()

    def close(self) -> None:
        """There is nothing to let go of."""

    def _found(self, username: str, password: Secret) -> Vouched | None:
        names = self._settings.found_by or (self._settings.username,)
        with self._linked(Deadline(self._settings.timeout_s)) as link:
            entry = self._search(link, self._by_name(names, username))
            if entry is None:
                return None
            # Before the password: afterwards the connection has the rights of the user, who may not see groups.
            vouched = self._vouched(link, entry)
            return vouched if self._binds(link, entry.dn, password) else None

    def _direct(self, username: str, password: Secret) -> Vouched | None:
        settings = self._settings
        is_dn = "=" in settings.direct
        name = settings.direct.replace(PLACE, _in_dn(username) if is_dn else username)
        if not is_dn and settings.direct != PLACE and _OF_A_DOMAIN.search(username):
            return None
        with self._linked(Deadline(settings.timeout_s), bind=False) as link:
            if not self._binds(link, name, password):
                return None
            if is_dn:
                entry = self._search(link, settings.only, base=name)
            else:
                each = (self._search(link, self._by_name((kind,), text)) for kind, text in owners(settings, username))
                entry = next(filter(None, each), None)
            return None if entry is None else self._vouched(link, entry)

    def _binds(self, link: Link, name: str, password: Secret) -> bool:
        try:
            answer = link.bind(name, password)
        except Unreachable as error:
            self._told(f"  bind as {name}: {error}")
            raise Unavailable(DOWN) from None
        self._told(f"  bind as {name}: {answer}")
        return standing.fits(answer)

    def _vouched(self, link: Link, entry: Entry) -> Vouched:
        settings = self._settings
        username = entry.first(settings.username)
        if username is None:
            self._told(f"  it has no attribute {settings.username}, which is to be the name")
            raise Untold(f"The directory tells no {settings.username} of this user.")
        found = {theirs: entry.first(theirs) for theirs in settings.attributes.values()}
        groups = [_short(dn) for dn in entry.attributes.get(settings.member_of.lower(), ())]
        groups += self._groups(link, entry, username)
        return Vouched(username, named(found, settings.attributes), kept(groups, settings.groups_like))

    def _groups(self, link: Link, entry: Entry, username: str) -> list[str]:
        settings = self._settings
        template = IN_CHAIN if settings.nested else settings.group_search
        if not template:
            return []
        asked = _filled(template, {"dn": entry.dn, "username": username})
        answer = self._asked(link, settings.group_base or settings.base, asked, (settings.group_name,), MAX_GROUPS)
        if answer.code == _SIZE_LIMIT:
            raise Untold("This user is in too many groups: your provider has to name fewer in group_search.")
        found = [_entry(one).first(settings.group_name) for one in answer.entries]
        self._told(f"  groups by {asked}: {len(found)}")
        return [name for name in found if name]

    def _search(self, link: Link, asked: str, base: str = "") -> Entry | None:
        settings = self._settings
        wanted = (settings.username, settings.member_of, *settings.attributes.values(), *standing.ATTRIBUTES)
        answer = self._asked(link, base or settings.base, asked, tuple(filter(None, wanted)), 2, exact=bool(base))
        self._told(f"  search for {asked}: {', '.join(str(one['dn']) for one in answer.entries) or 'nobody'}")
        if answer.code == _SIZE_LIMIT or len(answer.entries) > 1:
            raise Untold("Several users of your provider's directory go by this name.")
        return _entry(answer.entries[0]) if answer.entries else None

    def _asked(
        self, link: Link, base: str, asked: str, wanted: tuple[str, ...], most: int, *, exact: bool = False
    ) -> Answer:
        try:
            answer = link.search(base, asked, wanted, scope=ldap3.BASE if exact else ldap3.SUBTREE, most=most)
        except Unreachable as error:
            self._told(f"  search: {error}")
            raise Unavailable(DOWN) from None
        if answer.code not in {_OK, _SIZE_LIMIT} and not (exact and answer.code == _NO_OBJECT):
            self._told(f"  search for {asked} under {base}: {answer}")
            raise Unavailable(DOWN)
        return answer

    @contextmanager
    def _linked(self, deadline: Deadline, *, bind: bool = True) -> Iterator[Link]:
        """A server that answers, where the service has said who it is. Raises Unavailable."""
        servers, first = self._settings.servers, self._first
        share_s = self._settings.timeout_s / len(servers)
        for number in (*range(first, len(servers)), *range(first)):
            url = servers[number]
            try:
                link = Link(url, self._settings, Deadline(deadline.left_s(share_s)))
            except (Unreachable, Late) as error:
                self._told(f"{url}: {error}")
                continue
            self._told(f"{url}: connected{link.how}")
            try:
                if bind and not self._introduced(link):
                    continue
                self._first = number
                link.deadline = deadline
                yield link
                return
            finally:
                link.close()
        raise Unavailable(DOWN)

    def _introduced(self, link: Link) -> bool:
        """The service says who it is; False where another server may know better."""
        name = self._settings.bind_name
        if not name:
            return True
        try:
            answer = link.bind(name, self._settings.bind_password)
        except (Unreachable, Late) as error:
            self._told(f"  bind as {name}: {error}")
            return False
        self._told(f"  bind as {name}: {answer}")
        if answer.code in standing.REFUSED_NAMES:
            # The others have the same users: asked again and again they would lock the service out.
            raise Unavailable("Your provider's directory does not take the name and password in bind_name.", 60)
        return answer.code == _OK

    def _by_name(self, attributes: tuple[str, ...], name: str) -> str:
        each = (f"({attribute}={escape_filter_chars(name)})" for attribute in attributes)
        return f"(&{self._settings.only}(|{''.join(each)}))"

    def _without_prefix(self, username: str) -> str:
        before, mark, after = username.partition("\\")
        return after if mark and before.lower() == self._settings.prefix.lower() else username


def owners(settings: Settings, typed: str) -> tuple[tuple[str, str], ...]:
    """By which attributes the one is found who was bound as by a name of Active Directory's: each if not by the former.

    It has to be the same user: ann@sales.example.com must never become the ann of example.com. So it is the whole name
    that is looked for, and what was typed only where the rest of the name is the operator's.
    """
    whole = (_WHOLE_NAME, settings.direct.replace(PLACE, typed))
    return (whole,) if settings.direct == PLACE else (whole, (settings.username, typed))


def _entry(found: Mapping[str, Any]) -> Entry:
    values = found["raw_attributes"]
    return Entry(found["dn"], {name.lower(): tuple(_texts(several)) for name, several in values.items()})


def _texts(values: list[bytes]) -> Iterator[str]:
    """Those that are text: a picture or a number in bytes is left out."""
    for value in values:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            continue
        if text.isprintable():
            yield text


def _short(dn: str) -> str:
    """A group's name is the first part of where it is."""
    try:
        name: str = parse_dn(dn)[0][1]
    except (LDAPExceptionError, IndexError):
        return dn
    # RFC 4514: what is special stands behind a backslash, as itself or as its bytes in hexadecimal.
    plain = re.sub(rb"\\([0-9a-fA-F]{2}|.)", _unescaped, name.encode())
    return plain.decode(errors="replace")


def _unescaped(found: re.Match[bytes]) -> bytes:
    return found[1] if len(found[1]) == 1 else bytes.fromhex(found[1].decode())


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Filled in at once, so that braces in a value stay what they are (RFC 4515 for what is special)."""
    return re.sub(r"\{(dn|username)\}", lambda found: str(escape_filter_chars(values[found[1]])), template)


def _in_dn(text: str) -> str:
    """As a value within a name, with what is special there escaped as RFC 4514 says."""
    return _DN_ESCAPED.sub(lambda found: "".join(f"\\{byte:02x}" for byte in found[0].encode()), text)
