"""The three features that the documents name, with and without licence: answer, phone, explanation and plan agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from lxml import etree

from tests.cli.test_release import folder
from tests.cli.test_serve import served
from tests.world_shell import PASSWORD, Shell

LICENCES = {
    "allowMessage": "messaging",
    "linkupMessagingEnabled": "linkup_messaging",
    "conferencingEnabled": "conferencing",
}
APP = """
cloud_id = "EXAMPLE"
[account]
title = "Example"
host = "sip.example.com"
allowMessage = true
linkupMessagingEnabled = true
conferencingEnabled = true
"""
RULES = "".join(
    f'[[rules]]\nid = "no-{licence.replace("_", "-")}"\nwhen = {{ if = "attribute", name = "tier", is = "basic" }}\n'
    f'then = [{{ do = "set", key = "{key}", value = "0" }}]\n'
    for key, licence in LICENCES.items()
)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell.does("tenant", "create", "EXAMPLE")
    told = "--attribute", "tier=basic", "--sip-username", "2001", "--sip-password-file", "-"
    shell.does("user", "add", "ann@EXAMPLE", "--password-stdin", *told, stdin=f"{PASSWORD}\nsip\n")
    return shell


def release(shell: Shell, name: str, licences: list[str]) -> str:
    switched = "".join(f"{licence} = true\n" for licence in licences)
    return folder(shell, name, app=f"{APP}\n[features]\n{switched}", policy=RULES)


def said(shell: Shell, url: str, state: str) -> dict[str, dict[str, Any]]:
    """What is answered, what a phone that signs in has, and what is explained, key by key."""
    form = {"cloud_id": "EXAMPLE", "cloud_username": "ann", "cloud_password": PASSWORD}
    answer = etree.fromstring(httpx2.post(f"{url}/prov", data=form).content)
    phone = "--portal", url, "--state", str(shell.folder / state)
    shell.does("phone", "sign-in", "ann@EXAMPLE", "--password-stdin", *phone, stdin=f"{PASSWORD}\n")
    has = {one["key"]: one for one in shell.tells("phone", "show", "--state", str(shell.folder / state))["account"]}
    told = {one["key"]: one for one in shell.tells("explain", "ann@EXAMPLE")["lines"]}
    return {
        "answered": {key: answer.findtext(key) for key in LICENCES},
        "on the phone": {key: has[key]["value"] for key in LICENCES},
        "explained": {key: told[key]["value"] for key in LICENCES},
        "kept out": {key: "".join(one["reason"] for one in told[key]["kept_out"]) for key in LICENCES},
    }


def test_all_six_ways(shell: Shell) -> None:
    """The service turns each off for basic users; the app takes that with the licence, and else keeps its own."""
    with_licences = release(shell, "with", [*LICENCES.values()])
    shell.does("release", "publish", "EXAMPLE", with_licences, "--yes")

    with served(shell.folder) as (url, _):
        licensed = said(shell, url, "first")
        planned = shell.tells("release", "publish", "EXAMPLE", release(shell, "without", []), "--yes")["plan"]
        unlicensed = said(shell, url, "second")

    off, on = dict.fromkeys(LICENCES, "0"), dict.fromkeys(LICENCES, "1")
    assert licensed == {"answered": off, "on the phone": off, "explained": off, "kept out": dict.fromkeys(LICENCES, "")}
    assert unlicensed == {
        "answered": off,
        "on the phone": on,
        "explained": on,
        "kept out": {key: f"needs the feature {name}, which this app does not have" for key, name in LICENCES.items()},
    }
    moves = {one["name"]: one for one in planned["population"]["changes"]}
    assert {key: (moves[key]["before"]["text"], moves[key]["after"]["text"]) for key in LICENCES} == dict.fromkeys(
        LICENCES, ("0", "1")
    )
    assert {key: moves[key]["after"]["kept_out"] for key in LICENCES} == unlicensed["kept out"]
