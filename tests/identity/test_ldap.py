"""A directory as an upstream, held against a real one: how often it is asked, what it refuses, what goes wrong."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ldap3
import pytest

from offhook.core.errors import Refused, Unavailable
from offhook.core.secret import Secret
from offhook.identity import standing
from offhook.identity.asking import Untold
from offhook.identity.directory import Answer
from offhook.identity.ldap import Ldap, _short, owners
from offhook.identity.sources import open_upstream
from tests.identity.places import directory
from tests.real.programs import free_port
from tests.real.slapd import BASE, GROUPS, PEOPLE, SERVICE, Slapd

pytestmark = pytest.mark.ldap


def dn(uid: str) -> str:
    return f"uid={uid},{PEOPLE}"


@contextmanager
def silent_server() -> Iterator[int]:
    """A port where connections are taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_wrong_password_is_tried_once(slapd: Slapd) -> None:
    """By the directory's own count, however often the phone repeats it; the right one gets in at once all the same."""
    slapd.person("cid", "cid-right")
    upstream = open_upstream(directory(slapd, found_by=("uid", "mail"), servers=(slapd.tls_url, slapd.tls_url)))

    answers = [upstream.vouch("cid", Secret("wrong")) for _ in range(20)]

    assert answers == [None] * 20
    assert slapd.binds(dn("cid")) == 1
    assert upstream.vouch("cid", Secret("cid-right")) is not None
    assert slapd.binds(dn("cid")) == 2


def test_many_phones_with_the_same_wrong_password_cost_one_bind(slapd: Slapd) -> None:
    """Also when they come at the same moment."""
    slapd.person("dan", "dan-right")
    upstream = open_upstream(directory(slapd))
    phones = [threading.Thread(target=upstream.vouch, args=("dan", Secret("wrong"))) for _ in range(20)]

    for phone in phones:
        phone.start()
    for phone in phones:
        phone.join()

    assert slapd.binds(dn("dan")) == 1


@pytest.mark.parametrize("kind", ["ldaps", "starttls", "plain"])
def test_a_wrong_password_is_one_bind_in_each_way(slapd: Slapd, kind: str) -> None:
    """Encrypted from the start, later, or (within a machine) not at all; searched for, or bound as at once."""
    uid = f"eve-{kind}"
    slapd.person(uid, "eve-right")
    url = slapd.tls_url if kind == "ldaps" else slapd.url
    direct = {"direct": f"uid={{username}},{PEOPLE}"}

    for number, further in enumerate(({}, direct), 1):
        upstream = Ldap(directory(slapd, servers=(url,), start_tls=kind != "plain", **further))

        assert upstream.vouch(uid, Secret("wrong")) is None
        assert slapd.binds(dn(uid)) == 2 * number - 1
        assert upstream.vouch(uid, Secret("eve-right")) is not None


@pytest.mark.parametrize("start_tls", [False, True])
def test_nobody_but_the_right_server_gets_a_password(slapd: Slapd, start_tls: bool) -> None:
    """A certificate that nobody vouches for, or that is another's, ends it before anything is said."""
    steps: list[str] = []
    url = slapd.url if start_tls else slapd.tls_url
    before = slapd.binds(SERVICE)
    localhost = url.replace("127.0.0.1", "127.0.0.2")

    for further in ({"ca_file": ""}, {"servers": (localhost,)}):
        settings = directory(slapd, **({"servers": (url,)} | further))
        with pytest.raises(Unavailable):
            Ldap(settings, steps.append).vouch("ann", Secret("ann-right"))

    assert slapd.binds(SERVICE) == before
    assert any("certificate" in step for step in steps)


def test_direct_binds_escape_what_is_typed(slapd: Slapd) -> None:
    """Within a name (RFC 4514), nothing that was typed leads to somebody else; outside of one it stays as it is."""
    attributes = {"cn": "fay", "sn": "fay", "userPassword": "fay-right"}
    slapd.add(rf"uid=fay\2c x\2by\3d\22z\22,{PEOPLE}", ["inetOrgPerson"], attributes)
    upstream = Ldap(directory(slapd, direct=f"uid={{username}},{PEOPLE}"))

    found = upstream.vouch('fay, x+y="z"', Secret("fay-right"))

    assert found is not None
    assert found.username == 'fay, x+y="z"'
    assert upstream.vouch(f"ann,{PEOPLE}", Secret("ann-right")) is None


def test_a_server_that_is_down_costs_its_time_once(slapd: Slapd) -> None:
    """The next one is asked, and from then on at first."""
    steps: list[str] = []
    with silent_server() as port:
        servers = (f"ldaps://127.0.0.1:{port}", f"ldap://127.0.0.1:{free_port()}", slapd.tls_url)
        upstream = Ldap(directory(slapd, servers=servers, timeout_s=1.5), steps.append)

        assert upstream.vouch("ann", Secret("ann-right")) is not None
        assert len([step for step in steps if "connected" not in step and step.startswith("ldap")]) == 2
        steps.clear()
        assert upstream.vouch("ann", Secret("ann-right")) is not None

    assert steps[0].startswith(f"{slapd.tls_url}: connected")


def test_a_directory_that_is_stopped_is_known_soon(mortal_slapd: tuple[Slapd, subprocess.Popen[bytes]]) -> None:
    """Within the time that was given, then at once; when it comes back, so do we."""
    slapd, process = mortal_slapd
    upstream = open_upstream(directory(slapd, timeout_s=0.5))
    assert upstream.vouch("ann", Secret("ann-right")) is not None

    process.send_signal(19)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(Unavailable):
            upstream.vouch("ann", Secret("ann-right"))
    took_s = time.monotonic() - began
    process.send_signal(18)

    assert took_s < 3
    assert Ldap(directory(slapd)).vouch("ann", Secret("ann-right")) is not None


def test_no_second_server_gets_a_password_that_was_sent(mortal_slapd: tuple[Slapd, subprocess.Popen[bytes]]) -> None:
    """If no answer comes, nobody knows whether it was counted."""
    slapd, process = mortal_slapd
    steps: list[str] = []

    def stop(step: str) -> None:
        steps.append(step)
        if step.startswith("  search"):
            process.send_signal(19)

    upstream = Ldap(directory(slapd, servers=(slapd.tls_url, slapd.tls_url), timeout_s=1.0), stop)
    with pytest.raises(Unavailable):
        upstream.vouch("ann", Secret("wrong"))
    process.send_signal(18)

    assert len([step for step in steps if "connected" in step]) == 1
    assert "in time" in steps[-1]


def test_who_is_locked_is_told_so(slapd: Slapd) -> None:
    """After too many wrong passwords, where the directory says it (ppolicy); so is who must change theirs."""
    slapd.person("gil", "gil-right")
    upstream = Ldap(directory(slapd))
    for number in range(5):
        assert upstream.vouch("gil", Secret(f"wrong-{number}")) is None

    with pytest.raises(Refused) as locked:
        upstream.vouch("gil", Secret("gil-right"))

    assert locked.value.text == standing.LOCKED
    # The lock passes by itself, so phones that are signed in stay so.
    assert upstream.look_up("gil") is not None
    with slapd.administered() as administered:
        changed = {"pwdAccountLockedTime": [(ldap3.MODIFY_REPLACE, ["000001010000Z"])]}
        administered.modify(dn("gil"), changed)  # type: ignore[no-untyped-call] # the library says so of some only
    with pytest.raises(Refused):
        upstream.look_up("gil")


def test_who_must_change_their_password_is_told_so(slapd: Slapd) -> None:
    """Although it is the right one."""
    policy = {"cn": "change", "pwdAttribute": "userPassword", "pwdMustChange": "TRUE"}
    slapd.add(f"cn=change,{BASE}", ["device", "pwdPolicy"], policy)
    slapd.person("hal", "hal-right", pwdPolicySubentry=f"cn=change,{BASE}", pwdReset="TRUE")

    with pytest.raises(Refused) as raised:
        Ldap(directory(slapd)).vouch("hal", Secret("hal-right"))

    assert raised.value.text == standing.MUST_CHANGE


def test_several_users_of_one_name_are_nobody(slapd: Slapd) -> None:
    """It is not known who is meant, and nobody is bound as; that says nothing against the directory."""
    slapd.person("ida", "ida-right", mail="both@example.com")
    slapd.person("ian", "ian-right", mail="both@example.com")
    upstream = open_upstream(directory(slapd))

    for _ in range(5):
        with pytest.raises(Untold):
            upstream.vouch("both@example.com", Secret("ida-right"))

    assert slapd.binds(dn("ida")) == slapd.binds(dn("ian")) == 0
    assert upstream.vouch("ann", Secret("ann-right")) is not None


def test_groups_come_from_where_the_operator_says(slapd: Slapd) -> None:
    """From the user's entry, from a search, or both; those that fit a pattern."""
    jan = slapd.person("jan", "jan-right")
    slapd.group("phones-berlin", jan)
    searched = {"member_of": "", "group_search": "(member={dn})", "group_base": GROUPS}

    def groups(**further: object) -> tuple[str, ...]:
        found = Ldap(directory(slapd, **further)).look_up("ann")
        assert found is not None
        return found.groups

    assert groups(**searched) == groups() == ("office, north", "sales")
    assert groups(groups_like=("sal*", "phones-*")) == ("sales",)
    assert groups(member_of="") == ()
    # OpenLDAP does not know this rule of Active Directory's, and finds nothing by it.
    assert groups(nested=True) == groups()
    found = Ldap(directory(slapd, only="(memberOf=cn=sales,ou=groups,dc=example,dc=com)")).look_up("jan")
    assert found is None


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ({"bind_password": Secret("wrong")}, "bind_name"),
        ({"base": f"ou=nowhere,{BASE}"}, "There is no base"),
        ({"only": "(objectClass=device)", "base": PEOPLE}, "Nobody under"),
        ({"ca_file": "/nowhere/ca.pem"}, "ca_file"),
        ({"ca_file": __file__}, "ca_file"),
    ],
)
def test_what_is_wrong_is_said(slapd: Slapd, further: dict[str, object], said: str) -> None:
    """So that it can be mended; and nobody gets a no for it."""
    upstream = Ldap(directory(slapd, **further))

    (fault,) = upstream.faults()

    assert said in fault
    if said != "Nobody under":
        with pytest.raises(Unavailable):
            upstream.vouch("ann", Secret("ann-right"))


def test_a_refused_service_is_not_asked_again_elsewhere(slapd: Slapd) -> None:
    """The servers have the same users: the service would be locked out."""
    before = slapd.binds(SERVICE)

    servers = (slapd.tls_url, slapd.tls_url, slapd.tls_url)
    with pytest.raises(Unavailable):
        Ldap(directory(slapd, servers=servers, bind_password=Secret("wrong"))).vouch("ann", Secret("x"))

    assert slapd.binds(SERVICE) == before + 1


@pytest.mark.parametrize("starts", ["  bind as cn=offhook", "ldaps"])
def test_a_server_that_stops_meanwhile_says_nothing(
    mortal_slapd: tuple[Slapd, subprocess.Popen[bytes]], starts: str
) -> None:
    """At whichever step."""
    slapd, process = mortal_slapd

    def stop(step: str) -> None:
        if step.startswith(starts):
            process.send_signal(19)

    upstream = Ldap(directory(slapd, timeout_s=0.5), stop)
    with pytest.raises(Unavailable):
        upstream.vouch("ann", Secret("ann-right"))
    process.send_signal(18)
    (fault,) = upstream.faults()
    process.send_signal(18)

    assert "does not answer" in fault


def test_referrals_are_not_followed(mortal_slapd: tuple[Slapd, subprocess.Popen[bytes]]) -> None:
    """Whoever is named there would get our password."""
    slapd, _ = mortal_slapd
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        elsewhere = {"ref": f"ldap://127.0.0.1:{port}/ou=more,{PEOPLE}", "ou": "more"}
        slapd.add(f"ou=more,{PEOPLE}", ["referral", "extensibleObject"], elsewhere)

        found = Ldap(directory(slapd)).vouch("ann", Secret("ann-right"))

        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert found is not None


def test_who_tells_no_name_is_nobody(slapd: Slapd) -> None:
    """It is not known who they are here; the directory is there all the same."""
    upstream = Ldap(directory(slapd, username="employeeNumber", found_by=("uid",)))

    with pytest.raises(Untold):
        upstream.vouch("ann", Secret("ann-right"))


def test_a_search_that_is_refused_is_no_answer(slapd: Slapd) -> None:
    """Such as one without saying who we are, where that must be said."""
    settings = directory(slapd, bind_name="", bind_password=Secret(""))

    assert "does not let anybody search" in Ldap(settings).faults()[0]
    with pytest.raises(Unavailable):
        Ldap(settings).vouch("ann", Secret("ann-right"))


@pytest.mark.parametrize(
    ("direct", "typed", "expected"),
    [
        (
            "{username}@corp.example.com",
            "ann",
            (("userPrincipalName", "ann@corp.example.com"), ("sAMAccountName", "ann")),
        ),
        ("{username}", "ann@sales.example.com", (("userPrincipalName", "ann@sales.example.com"),)),
    ],
)
def test_who_was_bound_as_is_who_comes_in(
    slapd: Slapd, direct: str, typed: str, expected: tuple[tuple[str, str], ...]
) -> None:
    """By a whole name as Active Directory takes it: never somebody of another domain with the same short name."""
    assert owners(directory(slapd, direct=direct, username="sAMAccountName"), typed) == expected


def test_a_name_with_a_domain_of_its_own_is_not_tried(slapd: Slapd) -> None:
    """Where the operator says the domain; others are tried, and OpenLDAP takes no such names."""
    steps: list[str] = []
    upstream = Ldap(directory(slapd, direct="{username}@example.com"), steps.append)

    assert upstream.vouch("ann@other.example.com", Secret("ann-right")) is None
    assert upstream.vouch("OTHER\\ann", Secret("ann-right")) is None
    assert steps == []
    assert upstream.vouch("ann", Secret("ann-right")) is None
    assert "bind as ann@example.com" in steps[-1]


def test_without_a_service_nobody_is_looked_up(slapd: Slapd) -> None:
    """Only users can tell of themselves then."""
    settings = directory(slapd, direct=f"uid={{username}},{PEOPLE}", bind_name="", bind_password=Secret(""))

    with pytest.raises(Untold):
        Ldap(settings).look_up("ann")

    assert Ldap(settings).faults() == ()


def test_a_prefix_of_the_domain_is_left_out(slapd: Slapd) -> None:
    """That of ours only."""
    upstream = Ldap(directory(slapd, prefix="CORP"))

    assert upstream.vouch("corp\\ann", Secret("ann-right")) is not None
    assert upstream.vouch("OTHER\\ann", Secret("ann-right")) is None


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (49, "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 52e, v4563", None),
        (49, "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 525, v4563", None),
        (49, "AcceptSecurityContext error, data 533, v4563\x00", standing.DISABLED),
        (49, "AcceptSecurityContext error, data 701, v4563", standing.EXPIRED),
        (49, "AcceptSecurityContext error, data 773, v4563", standing.MUST_CHANGE),
        (49, "AcceptSecurityContext error, data 532, v4563", standing.MUST_CHANGE),
        (49, "AcceptSecurityContext error, data 775, v4563", standing.LOCKED),
        (49, "AcceptSecurityContext error, data 530, v4563", standing.NOT_NOW),
        (19, "Exceed password retry limit. Please try later.", standing.CLOSED),
        (53, "Account inactivated. Contact system administrator.", standing.CLOSED),
    ],
)
def test_active_directory_says_why(code: int, text: str, expected: str | None) -> None:
    """As Microsoft's and other directories write it: the person is told what they can do."""
    answer = Answer(code, "invalidCredentials", text)

    if expected is None:
        assert standing.fits(answer) is False
    else:
        with pytest.raises(Refused) as raised:
            standing.fits(answer)
        assert raised.value.text == expected


@pytest.mark.parametrize("code", [1, 2, 8, 10, 13, 50, 51, 52, 80])
def test_what_is_no_clear_word_is_none(code: int) -> None:
    """Busy, sent elsewhere, or asked in a way that it does not like."""
    with pytest.raises(Unavailable):
        standing.fits(Answer(code, "other", ""))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, ""),
        ({"userAccountControl": "512", "accountExpires": "0"}, ""),
        ({"userAccountControl": "514"}, standing.DISABLED),
        ({"accountExpires": "9223372036854775807"}, ""),
        ({"accountExpires": "133000000000000000"}, standing.EXPIRED),
        ({"accountExpires": "144000000000000000"}, ""),
        ({"nsAccountLock": "TRUE"}, standing.DISABLED),
        ({"pwdAccountLockedTime": "20261123021500Z"}, ""),
        ({"userAccountControl": "odd"}, ""),
    ],
)
def test_who_is_not_to_come_in_is_known_without_a_password(attributes: dict[str, str], expected: str) -> None:
    """In the ways of the directories that there are."""
    assert standing.disabled(attributes.get, 1_790_000_000) == expected


@pytest.mark.parametrize(
    ("dn", "name"),
    [
        ("CN=Sales,OU=Groups,DC=corp", "Sales"),
        (r"CN=Sales\, North,DC=corp", "Sales, North"),
        (r"cn=K\C3\B6ln,dc=x", "Köln"),
        ("nothing", "nothing"),
    ],
)
def test_groups_are_named_briefly(dn: str, name: str) -> None:
    """By the first part of where they are."""
    assert _short(dn) == name


def _hang_up(connection: socket.socket) -> None:
    connection.recv(100)


def _babble(connection: socket.socket) -> None:
    connection.recv(100)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)


@pytest.mark.parametrize("does", [_hang_up, _babble])
def test_who_is_no_directory_says_nothing(slapd: Slapd, tmp_path: Path, does: Callable[[socket.socket], None]) -> None:
    """Who hangs up, or speaks something else."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                does(connection)

        serving = threading.Thread(target=serve)
        serving.start()
        url = f"ldap://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(Unavailable):
            Ldap(directory(slapd, servers=(url,), start_tls=False, timeout_s=1.0)).vouch("ann", Secret("x"))
        serving.join()
