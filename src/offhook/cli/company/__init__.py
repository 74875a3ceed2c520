"""The small telephone company of the demo: an app with a theme, twenty users in three tiers, quick dials, rules."""

from __future__ import annotations

import csv
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from offhook.core.errors import Conflict
from offhook.core.secret import Secret
from offhook.portal import folder
from offhook.provider.change import Change
from offhook.provider.tenant import Tenant

if TYPE_CHECKING:
    from offhook.wiring import Desk

CLOUD_ID: Final = "DEMO"


def found(desk: Desk, each: Callable[[str], None] = lambda _: None) -> int:
    """Set the company up; `each` hears of every user made. Returns how many. What is there already stays."""
    files = resources.files(__name__)
    try:
        with resources.as_file(files) as path:
            content = folder.read(Path(path))
        desk.portal.create(content.app, content.theme, author="demo")
        desk.portal.publish(CLOUD_ID, author="demo")
    except Conflict:
        return 0
    template, common = (files.joinpath(name).read_text("utf-8") for name in ("template.xml", "common.xml"))
    desk.tenants.put(Tenant(CLOUD_ID, template, common))
    users = _users()
    for user in users:
        attributes = {name: user[name] for name in ("display_name", "extension", "tier")}
        change = Change(attributes=attributes)
        desk.directory.add(CLOUD_ID, user["username"], Secret(user["password"]), change, author="demo")
        each(user["display_name"])
    # What a tier has beyond, or short of, what the app gives to everybody.
    policy = desk.policies.propose(CLOUD_ID, files.joinpath("policy.toml").read_text("utf-8"), "demo")
    desk.policies.publish(policy, "demo", "the company's rules")
    return len(users)


def password(username: str) -> str:
    """The password of a user of the demo, which is no secret."""
    return next(user["password"] for user in _users() if user["username"] == username)


def _users() -> list[dict[str, str]]:
    text = resources.files(__name__).joinpath("users.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
