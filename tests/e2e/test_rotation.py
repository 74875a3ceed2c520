"""New SIP passwords for phones that are registered and go on: none of them is gone for a moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.company import Company, Line, eventually
from tests.e2e.office import Office
from tests.real.kamailio import Kamailio

pytestmark = [pytest.mark.sip, pytest.mark.kamailio, pytest.mark.postgres, pytest.mark.usefixtures("baresip")]


class Watch:
    """What was seen while it went on: statuses of one registration after the other, and how few phones there were."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.fewest = 1_000


@contextmanager
def watched(office: Office, line: Line) -> Iterator[Watch]:
    """Register with these credentials without a pause, and count who is registered."""
    seen, over = Watch(), threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.fewest = min(seen.fewest, len(office.contacts()))

    def register() -> None:
        while not over.is_set():
            seen.statuses.append(line.register())

    threads = [threading.Thread(target=look), threading.Thread(target=register)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def is_over(office: Office) -> bool:
    """Whether no former password is good any more; what phones said they have is written down every two seconds."""
    office.company.settles()
    return not office.overlapping()


@pytest.mark.parametrize("accounts", ["per-user", "per-install"])
def test_a_rotation_loses_no_phone(company: Company, kamailio_postgres: Kamailio, accounts: str) -> None:
    """Phones go on with the former password, and with the new one when they ask; then the former is refused."""
    office = Office(company, kamailio_postgres, "udp", accounts, "TURNS")
    office.has("ann", "4721")
    phones = [office.phone("ann", "-desk"), office.phone("ann", "-mobile")]
    former = [office.line(one) for one in phones]

    with phones[0].running(kamailio_postgres.ca), phones[1].running(kamailio_postgres.ca):
        with watched(office, former[0]) as seen:
            company.types("user", "rotate-sip", office.user("ann"))
            eventually(lambda: len(office.overlapping()) == len({line.address for line in former}), "rotated")
            before_asking = former[1].register()
            for one in phones:
                one.says("refresh")
                one.hears("SIP: registered as", one.lines)
        newer = [office.line(one) for one in phones]
        during = [line.register() for line in newer]
        for one in phones:
            one.note_secrets()
            heard = one.lines
            one.says("refresh")
            one.hears("account part: 304", heard)
        eventually(lambda: is_over(office), "the overlap is over")
        refused = [line.register() for line in former]
        after = [line.register() for line in newer]
        at_the_end = len(office.contacts())

    assert set(seen.statuses) == {200}
    assert len(seen.statuses) > 5
    assert seen.fewest == 2
    assert before_asking == 200
    assert [line.password for line in newer] != [line.password for line in former]
    assert (during, after, refused) == ([200, 200], [200, 200], [401, 401])
    assert at_the_end == 2
