"""The difference by population: 100,000 users with 130,000 phones in a database, counted exactly; time and memory.

`usual` changes one rule of ten, adds a tenth of the users to a trial and refuses a few; `worst` gives every user
another value of their own, and their phones another outbound proxy.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from bench.import_csv import SystemClock, peak_mib
from bench.policy import TEN
from offhook.policy.effects import Refuse, SetKey
from offhook.policy.facts import Attribute
from offhook.policy.rollout import Rollout
from offhook.policy.rules import Policy, Rule
from offhook.provider.circumstances import Circumstances
from offhook.provider.population import Difference, difference
from offhook.provider.subscriber import Argon2, Subscriber
from offhook.provider.tenant import Tenant
from offhook.storage.database import Database
from offhook.storage.population import PopulationStore
from offhook.storage.rows import write_circumstances
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.tables import install
from offhook.storage.tenants import TenantStore

USERS: Final = 100_000
BOUND_S: Final = 30
COLUMNS: Final = ("first", "last", "city", "phone", "avatar")
KEYS: Final = "".join(f"<key{number}>{{{COLUMNS[number % 5]}}} {number}</key{number}>" for number in range(30))
TENANT: Final = Tenant("BENCH", template=f"<account>{KEYS}<proxy>sip.example.net</proxy></account>")
TIERS: Final = ("gold", "silver", "basic", "basic")
LIVE: Final = Policy(rules=TEN)
USUAL: Final = Policy(
    rules=(
        Rule("gold", when=Attribute("tier", is_="gold"), effects=(SetKey("codecOrder", "9"),)),
        *TEN[1:],
        Rule("trial", rollout=Rollout(percent=10), effects=(SetKey("X-trial-2", "{first}"),)),
        Rule("closed", when=Attribute("city", is_="city 7"), effects=(Refuse("Closed."),)),
    )
)
WORST: Final = Policy(rules=(*TEN, Rule("own", effects=(SetKey("key0", "{avatar}"), SetKey("proxy", "{city}.net")))))


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db"
        _alone(fill, path)
        return _alone(measure, path)


def _alone(work: Callable[[Path, int], dict[str, Any]], path: Path) -> dict[str, Any]:
    # In a process of its own, since memory is only ever known at its highest.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, path, USERS).result()


def measure(path: Path, users: int) -> dict[str, Any]:
    with closing(Database(path)) as database:
        store, now_s = PopulationStore(database), int(time.time())
        before_mib = peak_mib()
        began_s = time.process_time()
        assert sum(1 for _ in store.all_of("BENCH")) == users
        reading_s = time.process_time() - began_s
        usual, usual_s = timed(store, USUAL, now_s)
        worst, worst_s = timed(store, WORST, now_s)
        assert worst.affected.users == users
        return {
            "users": users,
            "installs": usual.installs,
            "bound_seconds": BOUND_S,
            "usual_cpu_s": round(usual_s, 1),
            "usual_affected": usual.affected.users,
            "worst_cpu_s": round(worst_s, 1),
            "worst_affected": worst.affected.users,
            "reading_alone_cpu_s": round(reading_s, 1),
            "memory_growth_mib": round(peak_mib() - before_mib, 1),
        }


def timed(store: PopulationStore, new: Policy, now_s: int) -> tuple[Difference, float]:
    began_s = time.process_time()
    found = difference(TENANT, LIVE, new, store.all_of("BENCH"), now_s)
    return found, time.process_time() - began_s


def fill(path: Path, users: int) -> dict[str, Any]:
    """Users with twelve attributes each; every third has two phones, and every thirtieth has none."""
    with closing(Database(path, flushed=False)) as database:
        TenantStore(database, SystemClock()).put(TENANT)
        SubscriberStore(database).put_all(map(user, range(users)))
        with database.begin() as connection:
            ids = connection.execute(sa.text("SELECT id FROM subscriber")).scalars().all()
            connection.execute(sa.insert(install), list(phones(ids)))
    return {}


def user(number: int) -> Subscriber:
    own = {column: f"{column} {number % 100 if column == 'city' else number}" for column in COLUMNS}
    more = {f"column{position}": f"value {position}" for position in range(5)}
    attributes = {**own, **more, "tier": TIERS[number % 4], "username": f"{number}", "groups": "sales" * (number % 2)}
    return Subscriber("BENCH", f"user{number:06}", Argon2("x"), attributes=attributes, secrets={"password": "sealed"})


def phones(ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    for position, identity in enumerate(ids):
        for number in range(0 if position % 30 == 0 else 2 if position % 3 == 1 else 1):
            told = Circumstances(("ios", "android")[position % 2], f"9.{position % 4}.1", "17.2", "cs-CZ")
            yield {
                "id": f"{position}-{number}",
                "cloud_id": "BENCH",
                "subscriber_id": identity,
                "token_hash": b"",
                "device": f"{position}-{number}",
                "user_agent": "",
                "created_s": number,
                "circumstances": write_circumstances(told),
            }
