"""Compare 200 asyncio tasks of 50 operations each: MaimDB, Peewee in threads, SQLAlchemy async, Tortoise.

    uv run --group bench python scripts/bench_async.py

Every round measures all one after the other, each round another one first; a ratio is the median of those
within a round. The longest pause of the loop is that of a task that only sleeps a millisecond at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.bench.rows import Place, new_row, row_id
from scripts.bench.tasks import WAYS, Way, run, tasks_of
from scripts.bench_maimdb import ENGINES, Size, places

TASKS: Final = 200
OPERATIONS: Final = 50
ROWS: Final = 20_000
BASE: Final = "Peewee, to_thread each"


def shares(place: Place, operation: str) -> list[tuple[str, list[Any]]]:
    """Return each task's tenant and operations."""
    made = []
    for task in range(TASKS):
        tenant = task % place.tenants
        numbers = [step * place.tenants + tenant for step in range(OPERATIONS)]
        work = [row_id(n) for n in numbers] if operation == "get" else [new_row(n, "async") for n in numbers]
        made.append((place.tenant_of(tenant), work))
    return made


def measure(way: Way, operation: str) -> tuple[float, float]:
    """Return operations per second, and the longest pause of the loop in milliseconds."""
    work = tasks_of(getattr(way, operation), shares(way.place, operation))

    async def watched() -> tuple[float, float]:
        pauses = [0.0]
        watch = asyncio.create_task(_watch(pauses))
        await asyncio.sleep(0)
        began = perf_counter()
        done = await work()
        seconds = perf_counter() - began
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        if done != TASKS * OPERATIONS:
            raise RuntimeError(f"{way.name}, {operation}: {done} instead of {TASKS * OPERATIONS}")
        return done / seconds, 1000 * max(pauses)

    rate, pause = run(way, watched)
    return rate, pause


async def _watch(pauses: list[float]) -> None:
    while True:
        before = perf_counter()
        await asyncio.sleep(0.001)
        pauses.append(perf_counter() - before - 0.001)


def compare(place: Place, rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return by operation and way the median rate, its ratio to Peewee's and the median longest pause."""
    ways: list[Way] = []
    for kind in WAYS:
        try:
            ways.append(kind(place))
        except ModuleNotFoundError as exc:
            print(f"{kind.name}: not installed ({exc.name})", file=sys.stderr)
    found: dict[str, dict[str, list[tuple[float, float]]]] = {"get": {}, "insert": {}}
    try:
        for operation, measured in found.items():
            for turn in range(rounds):
                for way in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
                    measured.setdefault(way.name, []).append(measure(way, operation))
    finally:
        for way in ways:
            way.close()
    return {
        operation: {
            name: {
                "per_second": median(rate for rate, _ in values),
                "ratio": median(
                    rate / base for (rate, _), (base, _) in zip(values, measured[BASE], strict=True)
                ),
                "longest_pause_ms": median(pause for _, pause in values),
            }
            for name, values in measured.items()
        }
        for operation, measured in found.items()
    }


def main() -> None:
    """Print a table for each engine."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--engine", default=",".join(ENGINES), help="sqlite, postgresql or both")
    parser.add_argument("--url", help="a PostgreSQL server to use; without it, one of this run's own")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    arguments = parser.parse_args()
    report = {}
    for engine in arguments.engine.split(","):
        with places(engine, Size(rows=ROWS, large=ROWS), arguments.url) as (place, *_):
            report[engine] = compare(place, arguments.rounds)
        if arguments.json:
            continue
        print(f"{engine}: {TASKS} tasks of {OPERATIONS} operations, {arguments.rounds} rounds")
        print(f"{'':<26}{'get by id':>12}{'ratio':>7}{'pause':>9}{'insert':>12}{'ratio':>7}{'pause':>9}")
        for name in report[engine]["get"]:
            cells = "".join(
                "{per_second:>10,.0f}/s{ratio:>7.2f}{longest_pause_ms:>6.0f} ms".format_map(one[name])
                for one in report[engine].values()
            )
            print(f"{name:<26}{cells}")
    if arguments.json:
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
