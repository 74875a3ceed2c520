"""The page of an invitation: it opens the app, uses nothing up, tells nobody of its address, and says what is over."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
import zxingcpp
from lxml import html
from PIL import Image, ImageDraw

from offhook.core.errors import Unavailable
from offhook.core.login import parse_link
from offhook.core.secret import Secret
from offhook.provider.invitation import Invitation, Inviting
from offhook.provider.invitations import Invited, Made, Wanted
from offhook.provider.onboarding import ByInvitation
from offhook.provider.tenant import Tenant
from offhook.provider.wordings import Wordings
from offhook.web.app import application
from offhook.web.http import Answer, Call
from offhook.web.invitations import endpoints
from tests.world_newcomers import Onboarding
from tests.world_provider import Noted

NAMES = {"EXAMPLE": "Lines & Co"}
PATH = "/invite/{token}"
T = TypeVar("T")


class World(Onboarding):
    """A provider that shows pages."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.has_tenant(
            Tenant(
                "EXAMPLE", onboarding=ByInvitation(), inviting=Inviting(scheme="acme", support="Call 0800-HELP\n<b>")
            )
        )
        self.down = False
        wordings = Wordings(self.tenants, lambda cloud_id: NAMES.get(cloud_id, ""))
        invited = Invited(self.invitation_store, self.tokens, self.clock)

        def find(token: Secret) -> Invitation | None:
            if self.down:
                raise Unavailable("The database is away.", 7)
            return invited.find(token)

        self.pages = endpoints(find, wordings.of, self.clock, here)

    def invited(self, username: str = "Ann Ångström <x>") -> Made:
        return self.invitations.invite("EXAMPLE", Wanted(username))

    def page(self, token: str, method: str = "GET") -> Answer:
        return self.loop.run(answered(self, token, method))


async def here(work: Callable[..., T], /, *arguments: object) -> T:
    return work(*arguments)


async def answered(world: World, token: str, method: str) -> Answer:
    return await world.pages[PATH](Call(method, f"/invite/{token}", parameters={"token": token}))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as opened:
        yield opened


def text(answer: Answer) -> str:
    return " ".join(html.fromstring(answer.body.decode()).text_content().split())


def test_the_page_opens_the_app_and_shows_the_code_for_another_phone(world: World) -> None:
    """Both with all that a sign-in needs; whoever types finds it, too."""
    made = world.invited()

    answer = world.page(made.token.reveal())

    page = html.fromstring(answer.body.decode())
    (link,) = page.xpath("//a/@href")
    assert answer.status == 200
    assert parse_link(link, "acme").login().username == "Ann Ångström <x>"
    assert parse_link(link, "acme").login().password == made.token
    assert link.startswith("acme:")
    assert decoded(answer) == link
    assert page.xpath("//h1/text()") == ["Lines & Co"]
    assert page.xpath("//dd/text()") == ["EXAMPLE", "Ann Ångström <x>", made.token.reveal()]
    assert "Call 0800-HELP <b>" in text(answer)


def test_looking_changes_nothing(world: World) -> None:
    """However often scanners and previews come, with GET or HEAD."""
    made = world.invited("ann")
    before = rows(world)

    answers = [world.page(made.token.reveal(), method) for method in ("GET", "HEAD") * 10]

    assert {one.status for one in answers} == {200}
    assert rows(world) == before
    assert world.signs_in("ann", made.token.reveal()).status == 200


def test_nothing_else_is_taken(world: World) -> None:
    """A POST uses nothing up, either."""
    made = world.invited("ann")

    answer = world.page(made.token.reveal(), "POST")

    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_the_page_keeps_to_itself(world: World) -> None:
    """Nothing is loaded or run, nothing is kept, its address is told to nobody; the one style is known by its hash."""
    answer = world.page(world.invited().token.reveal())

    policy, body = answer.headers["Content-Security-Policy"], answer.body.decode()
    style = re.search(r"<style>(.*?)</style>", body, re.DOTALL)
    assert style is not None
    assert f"'sha256-{base64.b64encode(sha256(style[1].encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none';")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    page = html.fromstring(body)
    assert (
        page.xpath("//script|//link|//img|//iframe|//form|//*[@src]|//*[@style]|//@*[starts-with(name(),'on')]") == []
    )
    assert "http" not in body


def test_no_event_has_the_token(world: World) -> None:
    """What is noted of a request is the pattern of its path."""
    token, noted = world.invited().token.reveal(), Noted()
    served = application(world.pages, [], noted)

    async def ask() -> int:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=served), base_url="http://test") as client:
            return (await client.get(f"/invite/{token}")).status_code

    status = world.loop.run(ask())

    assert status == 200
    assert noted.events[0][1]["path"] == PATH
    assert token not in repr(noted.events)


def test_what_is_over_is_said_and_shows_no_token(world: World) -> None:
    """Used, withdrawn, old, expired, unknown, and a database that is away."""
    used, revoked, old, expired = (world.invited(name) for name in ("u", "r", "o", "e"))
    world.signs_in("u", used.token.reveal())
    world.invitations.revoke("EXAMPLE", "r")
    world.invitations.again("EXAMPLE", "o")
    begun = world.invited("b")
    world.invitation_store.claim(begun.invitation.id, "x", 0, world.clock.now_s())
    shown = {
        name: world.page(made.token.reveal()) for name, made in (("used", used), ("revoked", revoked), ("old", old))
    }
    shown["begun"] = world.page(begun.token.reveal())
    world.clock.time_s += 8 * 86400
    shown["expired"] = world.page(expired.token.reveal())
    shown["unknown"] = world.page("E1ZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ")
    shown["nonsense"] = world.page("<script>")
    world.down = True
    shown["down"] = world.page(expired.token.reveal())

    said = {name: (answer.status, text(answer)) for name, answer in shown.items()}

    assert "used already" in said["used"][1]
    assert "withdrawn" in said["revoked"][1]
    assert "old one" in said["old"][1]
    assert "expired" in said["expired"][1]
    assert "has begun" in said["begun"][1]
    assert "no such invitation" in said["unknown"][1]
    assert [said[name][0] for name in ("used", "revoked", "old", "expired")] == [410] * 4
    assert [said[name][0] for name in ("begun", "unknown", "nonsense", "down")] == [200, 404, 404, 503]
    assert shown["down"].headers["Retry-After"] == "7"
    for name, made in (("used", used), ("revoked", revoked), ("old", old), ("expired", expired)):
        assert made.token.reveal() not in shown[name].body.decode()
        assert shown[name].headers["Referrer-Policy"] == "no-referrer"


def rows(world: World) -> list[Any]:
    with world.database.begin() as connection:
        return list(connection.exec_driver_sql("SELECT * FROM invitation").fetchall())


def decoded(answer: Answer) -> str:
    """What a camera reads from the picture in the page."""
    svg = html.fromstring(answer.body.decode()).xpath("//svg")[0]
    _, _, width, height = map(int, (svg.get("viewBox") or svg.get("viewbox")).split())
    light, dark = svg.xpath("./path")
    assert light.get("fill") == "#fff"
    picture = Image.new("L", (width * 4, height * 4), 255)
    draw, x, y = ImageDraw.Draw(picture), 0.0, 0.0
    for command, first, second in re.findall(r"([Mmh])\s*(-?[\d.]+)(?:[ ,](-?[\d.]+))?", dark.get("d")):
        if command == "M":
            x, y = float(first), float(second)
        elif command == "m":
            x, y = x + float(first), y + float(second)
        else:
            draw.rectangle((x * 4, (y - 0.5) * 4, (x + float(first)) * 4 - 1, (y + 0.5) * 4 - 1), fill=0)
            x += float(first)
    kept = io.BytesIO()
    picture.save(kept, "PNG")
    return str(zxingcpp.read_barcodes(picture)[0].text)
