"""Coming in through a real directory: one bind, groups that reach the policy, and what goes on without it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import ldap3
import pytest
from lxml import etree

from offhook.identity.sources import open_upstream
from offhook.provider.subscriber import State
from tests.identity.places import directory
from tests.real.slapd import GROUPS, PEOPLE, Slapd
from tests.world_newcomers import Onboarding
from tests.world_provider import Phone

pytestmark = pytest.mark.ldap

GLOBAL = "/prov/global"
POLICY = """
[[rules]]
id = "sales"
when = { if = "in_group", group = "sales" }
then = [{ do = "set", key = "codecOrder", value = "8" }]
"""


@pytest.fixture
def world(tmp_path: Path, mortal_slapd: tuple[Slapd, subprocess.Popen[bytes]]) -> Iterator[Onboarding]:
    with closing(Onboarding(tmp_path)) as opened:
        opened.has_numbers("201-203")
        opened.opens()
        opened.has_policy(POLICY)
        opened.upstreams["corp"] = open_upstream(directory(mortal_slapd[0], timeout_s=1.0))
        yield opened


def test_a_user_of_the_directory_comes_in(
    world: Onboarding, mortal_slapd: tuple[Slapd, subprocess.Popen[bytes]]
) -> None:
    """Both calls of a sign-in are one bind, and so is a wrong password, however often; groups reach the policy."""
    slapd, _ = mortal_slapd
    ann, ben = f"uid=ann,{PEOPLE}", f"uid=ben,{PEOPLE}"

    asked = {"cloud_id": "EXAMPLE", "cloud_username": "ann@example.com", "cloud_password": "ann-right"}
    common = world.get(GLOBAL, **asked)
    first = world.signs_in("ann@example.com", "ann-right")
    wrong = [world.signs_in("ben", "wrong").status for _ in range(5)]

    assert (common.status, first.status) == (200, 200)
    assert etree.fromstring(first.body).findtext("codecOrder") == "8"
    assert etree.fromstring(first.body).findtext("number") == "201"
    assert wrong == [403] * 5
    assert (slapd.binds(ann), slapd.binds(ben)) == (1, 1)
    assert world.users() == ["ann"]
    kept = b"".join(file.read_bytes() for file in world.database.path.parent.glob("provider.sqlite3*"))
    assert b"ann-right" not in kept
    assert b"ann-right" not in json.dumps(world.told).encode()


def test_a_wrong_password_costs_one_bind_for_both_calls_and_few_in_all(
    world: Onboarding, mortal_slapd: tuple[Slapd, subprocess.Popen[bytes]]
) -> None:
    """Strangers cannot lock anybody, by whatever name and from wherever they try; who is there is not told either."""
    slapd, _ = mortal_slapd
    ann = f"uid=ann,{PEOPLE}"

    asked = {"cloud_id": "EXAMPLE", "cloud_username": "ann", "cloud_password": "wrong"}
    both = [world.get(path, **asked).status for path in ("/prov", GLOBAL)]
    binds = slapd.binds(ann)
    answers = {
        name: [world.signs_in(name, f"guess-{number}").status for number in range(7)]
        for name in ("ann@example.com", "nobody")
    }

    assert (both, binds) == ([403, 403], 1)
    assert slapd.binds(ann) == 4
    assert answers == {"ann@example.com": [403] * 3 + [429] * 4, "nobody": [403] * 4 + [429] * 3}
    assert world.signs_in("ben", "ben-right").status == 200


def test_while_the_directory_is_stopped_phones_go_on(
    world: Onboarding, mortal_slapd: tuple[Slapd, subprocess.Popen[bytes]]
) -> None:
    """New sign-ins get 503, soon; phones that ask again get their answer, and nobody is suspended for it."""
    slapd, process = mortal_slapd
    its_phone = Phone(world, "EXAMPLE", world.signs_in("ann", "ann-right"))
    world.clock.time_s += 4000

    process.send_signal(signal.SIGSTOP)
    new = [world.signs_in("ben", "ben-right") for _ in range(5)]
    again = its_phone.asks()
    world.refreshes()
    still = its_phone.asks()
    process.send_signal(signal.SIGCONT)

    assert [answer.status for answer in new] == [503] * 5
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in new)
    assert (again.status, still.status) == (304, 304)
    assert world.subscribers.get("EXAMPLE", "ann").state is State.ACTIVE
    assert slapd.binds(f"uid=ann,{PEOPLE}") == 1


def test_what_changes_in_the_directory_changes_here(
    world: Onboarding, mortal_slapd: tuple[Slapd, subprocess.Popen[bytes]]
) -> None:
    """Without a sign-in: who leaves a group is ruled otherwise, and who leaves the company is logged out."""
    slapd, _ = mortal_slapd
    its_phone = Phone(world, "EXAMPLE", world.signs_in("ann", "ann-right"))
    ann = f"uid=ann,{PEOPLE}"

    with slapd.administered() as administered:
        emptied = {"member": [(ldap3.MODIFY_REPLACE, [f"uid=ben,{PEOPLE}"])]}
        administered.modify(f"cn=sales,{GROUPS}", emptied)  # type: ignore[no-untyped-call] # the library says so of some
    world.clock.time_s += 4000
    world.refreshes()
    changed = its_phone.asks()
    groups = world.subscribers.get("EXAMPLE", "ann").attributes["groups"]
    with slapd.administered() as administered:
        administered.delete(ann)  # type: ignore[no-untyped-call] # the library says so of some
    for _ in range(2):
        world.clock.time_s += 4000
        world.refreshes()
    gone = its_phone.asks()

    assert (changed.status, groups) == (200, "office; north")
    assert b"codecOrder" not in changed.body
    assert gone.status == 410
