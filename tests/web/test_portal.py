"""The portal's face: every header, 304 by tag or date, HEAD, and errors that a user can read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core import signing
from offhook.core.webservice import Response
from offhook.portal.base import Package
from offhook.web.app import application
from offhook.web.http import Answer, Call, Handler
from offhook.web.portal import endpoints, is_unchanged
from tests.world_apps import KEY, NOON_S, Desk, a_theme, an_app, desk

MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"
LATER = "Tue, 14 Nov 2023 22:13:21 GMT"
EARLIER = "Tue, 14 Nov 2023 22:13:19 GMT"
PACKAGE = Package({}, b"", '"abc"', NOON_S)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Face:
    """The handlers of a portal, to be called one by one."""

    def __init__(self, office: Desk) -> None:
        self.office = office
        self.handlers: dict[str, Handler] = endpoints(office.published, KEY.public_key(), office.clock)

    async def get(self, cloud_id: str, part: str, method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        call = Call(method, f"/portal/{cloud_id}/{part}", headers=named, parameters={"cloud_id": cloud_id})
        return await self.handlers[f"/portal/{{cloud_id}}/{part}"](call)


@pytest.fixture
def face(tmp_path: Path) -> Iterator[Face]:
    with desk(tmp_path) as office:
        office.live(an_app(), a_theme())
        yield Face(office)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("part", "kind"),
    [("base", "application/xml; charset=utf-8"), ("theme", "application/zip"), ("screen", "application/json")],
)
async def test_a_part_comes_with_all_its_headers(face: Face, part: str, kind: str) -> None:
    """A 200 has its type, its validators, its signature and what caches may do with it (D16)."""

    answer = await face.get("example", part)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Last-Modified"] == MODIFIED
    assert answer.headers["ETag"].startswith('"')
    assert answer.headers["Cache-Control"] == "public, max-age=60, stale-if-error=86400"
    arrived = Response(200, {name.lower(): text for name, text in answer.headers.items()}, answer.body)
    signing.verify(arrived, "EXAMPLE", part, KEY.public_key())


@pytest.mark.anyio
async def test_an_editable_is_always_asked_for_anew(face: Face) -> None:
    """No cache hands on an older Editable to somebody who tests."""
    face.office.portal.edit("EXAMPLE")

    answer = await face.get("EXAMPLE*", "base")

    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "public, no-cache"
    assert answer.headers[signing.CLOUD_ID_HEADER] == "EXAMPLE*"


@pytest.mark.anyio
async def test_who_has_it_gets_no_second_copy(face: Face) -> None:
    """A 304 repeats the validators and nothing of the body or of its signature."""
    first = await face.get("EXAMPLE", "base")

    by_tag = await face.get("EXAMPLE", "base", if_none_match=first.headers["ETag"])
    by_date = await face.get("EXAMPLE", "base", "HEAD", if_modified_since=first.headers["Last-Modified"])

    assert (by_tag.status, by_tag.body, by_date) == (304, b"", by_tag)
    assert set(by_tag.headers) == {"ETag", "Last-Modified", "Cache-Control"}


@pytest.mark.anyio
async def test_who_has_an_older_one_gets_the_new_one(face: Face) -> None:
    """After a publication in the same second, neither the old tag nor the old date is good for a 304."""
    first = await face.get("EXAMPLE", "base")
    face.office.live(an_app(expires=60), a_theme())

    answers = [
        await face.get("EXAMPLE", "base", if_none_match=first.headers["ETag"]),
        await face.get("EXAMPLE", "base", if_modified_since=first.headers["Last-Modified"]),
        await face.get("EXAMPLE", "theme", if_modified_since=first.headers["Last-Modified"]),
    ]

    assert [answer.status for answer in answers] == [200, 200, 304]
    assert answers[0].headers["Last-Modified"] == LATER


@pytest.mark.parametrize(
    ("headers", "unchanged"),
    [
        ({}, False),
        ({"if-none-match": '"abc"'}, True),
        ({"if-none-match": 'W/"abc"'}, True),
        ({"if-none-match": '"x", "abc"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"x"', "if-modified-since": MODIFIED}, False),
        ({"if-none-match": "", "if-modified-since": MODIFIED}, False),
        ({"if-modified-since": MODIFIED}, True),
        ({"if-modified-since": LATER}, True),
        ({"if-modified-since": EARLIER}, False),
        ({"if-modified-since": "Tuesday, 14-Nov-23 22:13:20 GMT"}, True),
        ({"if-modified-since": "Tue Nov 14 22:13:20 2023"}, True),
        ({"if-modified-since": "Fri, 14 Nov 2025 22:13:20 GMT"}, False),
        ({"if-modified-since": "yesterday"}, False),
        ({"if-modified-since": ""}, False),
    ],
)
def test_when_an_answer_is_unchanged(headers: dict[str, str], unchanged: bool) -> None:
    """Tags go before dates; what is no date counts as not sent; a date from the future is in doubt (D10)."""

    found = is_unchanged(headers, PACKAGE, NOON_S + 10)

    assert found is unchanged


@given(st.text(max_size=40), st.text(max_size=40) | st.none())
def test_no_header_breaks_an_answer(since: str, tags: str | None) -> None:
    """Whatever stands in the headers, there is an answer."""
    headers = {"if-modified-since": since, **({} if tags is None else {"if-none-match": tags})}

    found = is_unchanged(headers, PACKAGE, NOON_S)

    assert found in {True, False}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("cloud_id", "method", "status", "message"),
    [
        ("other", "GET", 404, "There is no app with the Cloud ID OTHER. Please check how it is spelt."),
        ("EXAMPLE*", "HEAD", 404, "The app EXAMPLE has no Editable version now. Sign in to EXAMPLE, without the star."),
        ("EX AMPLE", "GET", 400, "'EX AMPLE' cannot be one"),
        ("EXAMPLE", "POST", 405, "Only GET and HEAD are possible here."),
    ],
)
async def test_errors_are_documents_for_users(
    face: Face, cloud_id: str, method: str, status: int, message: str
) -> None:
    """Each refusal has its status and says in words what to do (D1, D7)."""

    answer = await face.get(cloud_id, "base", method)

    assert answer.status == status
    assert message in answer.body.decode()
    assert answer.headers["Content-Type"].startswith("application/xml")
    assert answer.headers.get("Allow") == ("GET, HEAD" if status == 405 else None)


@pytest.mark.anyio
async def test_a_fault_of_ours_says_when_to_come_back(face: Face) -> None:
    """A theme that is gone from the disk is a 503, never something that phones take for an answer."""
    digest = face.office.portal.show("EXAMPLE").theme
    (face.office.folder / "themes" / f"{digest}.zip").unlink()

    answer = await face.get("EXAMPLE", "theme")

    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")


@pytest.mark.anyio
async def test_the_whole_face_over_http(face: Face) -> None:
    """Paths, star, HEAD and the key work through the application as phones ask for them."""
    transport = httpx2.ASGITransport(application(face.handlers, (), lambda event, **fields: None))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        face.office.portal.edit("EXAMPLE")

        key = await client.get("/portal/key")
        refused = await client.post("/portal/key")
        whole = await client.get("/portal/EXAMPLE*/base")
        escaped = await client.get("/portal/example%2A/base")
        head = await client.head("/portal/EXAMPLE*/base")
        unchanged = await client.get("/portal/EXAMPLE*/base", headers={"If-None-Match": whole.headers["etag"]})

    assert signing.parse_public(key.text) == KEY.public_key()
    assert refused.status_code == 405
    assert (whole.status_code, whole.content) == (200, escaped.content)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(whole.content)))
    assert (unchanged.status_code, "content-length" in unchanged.headers) == (304, False)
