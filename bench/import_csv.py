"""Import of the vendor sample's users file with 100,000 users: time against reading it alone, and memory."""

from __future__ import annotations

import csv
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from offhook.provider.imports import Importer
from offhook.provider.sealing import Sealer
from offhook.storage.database import Database
from offhook.storage.imports import ImportStore
from offhook.storage.subscribers import SubscriberStore
from offhook.storage.tenants import TenantStore

ROWS: Final = 100_000
TEMPLATE: Final = "<account><title>{display_name}</title><username>{username}</username></account>"
COLUMNS: Final = (
    "cloud_username,cloud_password,username,password,display_name,first_name,last_name,avatar,phone_number1"
)


class SystemClock:
    def now_s(self) -> int:
        return int(time.time())


class SystemChance:
    def token(self, size_bytes: int) -> bytes:
        return os.urandom(size_bytes)


def run() -> dict[str, Any]:
    # In a process of its own, since memory is only ever known at its highest.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, ROWS).result()


def measure(rows: int) -> dict[str, Any]:
    """Import once, and once more when all is there already."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "users.csv"
        write(path, rows)
        alone_s = timed_reading(path)
        with closing(Database(Path(folder) / "db")) as database:
            importer = importer_on(database)
            before_mib = peak_mib()
            began = time.perf_counter()
            with path.open("rb") as file, closing(importer.plan_vendor(file, "BENCH", TEMPLATE)) as plan:
                planned = time.perf_counter()
                written = importer.carry_out(plan)
            ended = time.perf_counter()
            with path.open("rb") as file, closing(importer.plan_vendor(file, "BENCH")) as again:
                assert (written, again.counts.unchanged) == (rows, rows)
            return {
                "rows": rows,
                "seconds": round(ended - began, 2),
                "rows_per_s": round(rows / (ended - began)),
                "seconds_writers_wait": round(ended - planned, 2),
                "seconds_once_more": round(time.perf_counter() - ended, 2),
                "reading_alone_s": round(alone_s, 3),
                "times_reading_alone": round((ended - began) / alone_s, 1),
                "memory_growth_mib": round(peak_mib() - before_mib, 1),
            }


def write(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{COLUMNS}\n")
        for number in range(rows):
            file.write(
                f"user{number:06},password-{number},{number},sip-password-{number},Example User {number},Example,"
                f"User {number},https://example.com/{number}.png,Mobile:+1202{number:07}\n"
            )


def timed_reading(path: Path) -> float:
    began = time.perf_counter()
    with path.open(encoding="utf-8", newline="") as file:
        assert sum(1 for _ in csv.reader(file)) > 1
    return time.perf_counter() - began


def importer_on(database: Database) -> Importer:
    clock, chance = SystemClock(), SystemChance()
    return Importer(
        ImportStore(database, clock),
        SubscriberStore(database),
        TenantStore(database, clock),
        Sealer(1, {1: os.urandom(32)}, chance),
        chance,
        clock,
    )


def peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 / (1024 if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    print(run())
