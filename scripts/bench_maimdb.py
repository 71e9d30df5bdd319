"""Compare MaimDB's speed with the driver, bare Peewee, SQLAlchemy, Django and Tortoise on the same table.

    uv run --group bench python scripts/bench_maimdb.py --engine sqlite --quick

Every round measures all contestants one after the other, each round another one first. A ratio is the median
of the ratios within a round, so that what else the machine does hits both sides alike; a time is the median
of the rounds. What is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parent.parent))

from maimdb.core.database import database_proxy, open_database
from maimdb.core.settings import config_from_url

from scripts.bench.contestants import (
    Contestant,
    Maimdb,
    MaimdbQueries,
    Peewee,
    PeeweeUnfiltered,
    Raw,
    RawValues,
)
from scripts.bench.orms import ORMS
from scripts.bench.rows import PAGE, ROWS_OF_TENANT, TABLE, Place, new_row, row_id, row_time, tenant_id
from tests.backends import POSTGRESQL, Databases, Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EVERYONE: Final[tuple[type[Contestant], ...]] = (
    Raw,
    RawValues,
    Peewee,
    PeeweeUnfiltered,
    Maimdb,
    MaimdbQueries,
    *ORMS,
)
OPERATIONS: Final = {
    "get": "get by id",
    "page": f"page of {PAGE}",
    "insert": "insert",
    "update": "update by id",
    "save": "save a row read",
    "bulk": "bulk insert",
}
ENGINES: Final = ("sqlite", "postgresql")
SMALL: Final = 10_000
"""Rows of the small database that a page is compared with."""
_EXACT: Final = 100
"""Microseconds below which a decimal is shown."""
_LONG: Final = 10_000
"""Microseconds from which milliseconds are shown."""
_STRIDE: Final = 7919
"""A prime number: rows so far apart are of different tenants and places."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rows: int = 200_000
    large: int = 1_000_000
    bulk: int = 20_000
    rounds: int = 15
    bulk_rounds: int = 3
    operations: int = 60
    """Operations to a round; a fourth of it of pages."""


QUICK: Final = Size(rows=20_000, large=100_000, bulk=5_000, rounds=6, bulk_rounds=2, operations=60)


@dataclass(frozen=True)
class Target:
    """What is to be reached, and whether it was."""

    text: str
    verdict: str
    """`met`, `missed`, or `out of reach`, where the bare driver itself misses it."""


class Bench:
    """The contestants on one database, and their times."""

    def __init__(self, place: Place, size: Size) -> None:
        self.place = place
        self.size = size
        self.times: dict[str, dict[str, list[float]]] = {name: {} for name in OPERATIONS}
        """Operation, contestant, seconds of one operation in each round."""
        self.missing: dict[str, str] = {}
        self.contestants: list[Contestant] = []
        self._numbers = 0
        for kind in EVERYONE:
            if place.engine not in kind.engines:
                continue
            try:
                self.contestants.append(kind(place))
            except ModuleNotFoundError as exc:
                self.missing[kind.name] = f"not installed ({exc.name})"
        self.raw: Any = self.contestants[0]

    def close(self) -> None:
        """Give back every connection."""
        for contestant in reversed(self.contestants):
            contestant.close()

    def run(self) -> None:
        """Measure everything."""
        for operation in ("get", "page", "insert", "update", "save"):
            for turn in range(self.size.rounds + 1):  # the first warms up
                for contestant in self._taking_turns(operation, turn):
                    self._measure(contestant, operation, warm=turn > 0)
        for turn in range(self.size.bulk_rounds):
            for contestant in self._taking_turns("bulk", turn):
                self._measure_bulk(contestant)

    def _taking_turns(self, operation: str, turn: int) -> list[Contestant]:
        able = [one for one in self.contestants if getattr(one, operation, None) is not None]
        turn %= len(able)
        return able[turn:] + able[:turn]

    def _next(self, count: int) -> list[int]:
        """Return numbers of rows, spread, and others each time."""
        first, self._numbers = self._numbers, self._numbers + count
        return [number * _STRIDE % self.place.rows for number in range(first, first + count)]

    def _measure(self, contestant: Contestant, operation: str, *, warm: bool) -> None:
        place = self.place
        numbers = self._next(self.size.operations // (4 if operation == "page" else 1))
        owned = [(place.tenant_of(number), row_id(number)) for number in numbers]
        items: list[Any] = list(owned)
        if operation == "page":
            items = [place.page_of(number)[:2] for number in numbers]
        elif operation == "insert":
            items = [(tenant, new_row(n, "inserted")) for n, (tenant, _) in zip(numbers, owned, strict=True)]
        elif operation == "update":
            items = [(*item, f"user_{number % 89}") for number, item in zip(numbers, owned, strict=True)]
        elif operation == "save":
            load = "load" if hasattr(contestant, "load") else "get"
            _, loaded = contestant.run(load, owned)
            items = [(tenant, row, "saved") for (tenant, _), row in zip(owned, loaded, strict=True)]
        before = self._count() if operation == "insert" else 0
        self.raw.tidy()
        seconds, results = contestant.run(operation, items)
        if operation == "get":
            expect([_id(row) for row in results], [key for _, key in owned], contestant, operation)
        elif operation == "page":
            pages = [place.page_of(number)[2] for number in numbers]
            expect([[_id(row) for row in page] for page in results], pages, contestant, operation)
        elif operation == "insert":
            expect(self._count() - before, len(items), contestant, operation)
        elif operation == "update":
            expect(sum(results), len(items), contestant, operation)
        else:
            users = {self.raw.get(*item)[7] for item in owned}
            expect(users, {"saved"}, contestant, operation)
            self.raw.run("update", [(*item, None) for item in owned])
        if warm:
            self._keep(operation, contestant, seconds / len(items))

    def _measure_bulk(self, contestant: Contestant) -> None:
        tenant, first = tenant_id(1), 10**9
        rows = [
            {
                "id": row_id(number),
                "tenant_id": tenant,
                "created_at": row_time(number),
                **new_row(number, "bulk"),
            }
            for number in range(first, first + self.size.bulk)
        ]
        before = self._count()
        seconds, _ = contestant.run("bulk", [(tenant, contestant.ready(rows))])
        expect(self._count() - before, len(rows), contestant, "bulk")
        self._keep("bulk", contestant, seconds)
        self.raw.execute(f"DELETE FROM {TABLE} WHERE tenant_id = '{tenant}' AND session_id = 'bulk'")  # noqa: S608
        self.raw.tidy(thoroughly=True)

    def _count(self) -> int:
        return int(self.raw.execute(f"SELECT count(*) FROM {TABLE}").fetchone()[0])  # noqa: S608

    def _keep(self, operation: str, contestant: Contestant, seconds: float) -> None:
        self.times[operation].setdefault(contestant.name, []).append(seconds)

    def seconds(self, operation: str, name: str) -> float:
        """Return a contestant's time."""
        return median(self.times[operation][name])

    def ratio(self, operation: str, name: str, to: str = Peewee.name) -> float:
        """Return a contestant's time as a multiple of another's."""
        return _ratio(self.times[operation][name], self.times[operation][to])


def _ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    return median(one / other for one, other in zip(ones, others, strict=True))


def expect(actual: object, expected: object, contestant: Contestant, operation: str) -> None:
    """Raise where a contestant did not do what it was measured at."""
    if actual != expected:
        raise RuntimeError(f"{contestant.name}, {operation}: {actual!r} instead of {expected!r}")


def _id(row: Any) -> UUID:
    key = row[0] if isinstance(row, tuple) else row.id
    return key if isinstance(key, UUID) else UUID(key)


def page_by_size(places: Sequence[Place], size: Size) -> dict[str, list[list[float]]]:
    """Return the times of a page by contestant, MaimDB and the driver, place by place and round by round."""
    times: dict[str, list[list[float]]] = {kind.name: [[] for _ in places] for kind in (Maimdb, Raw)}
    with ExitStack() as stack:
        databases = [open_database(config_from_url(place.url)) for place in places]
        for database in databases:
            stack.callback(database.close_all)
        stack.callback(database_proxy.initialize, None)
        raws = [stack.enter_context(closing(Raw(place))) for place in places]
        maimdb = Maimdb.__new__(Maimdb)  # on the databases above, by turns
        for turn in range(size.rounds + 1):
            for which, place in enumerate(places):
                database_proxy.initialize(databases[which])
                first = turn * size.operations
                numbers = [number * _STRIDE % place.rows for number in range(first, first + size.operations)]
                items = [place.page_of(number)[:2] for number in numbers]
                contestants: tuple[Contestant, ...] = (maimdb, raws[which])
                for contestant in contestants if turn % 2 else reversed(contestants):
                    seconds, results = contestant.run("page", items)
                    expect({len(page) for page in results}, {PAGE}, contestant, "page")
                    if turn:
                        times[contestant.name][which].append(seconds / len(items))
    return times


def targets(bench: Bench, sizes: Sequence[int], by_size: dict[str, list[list[float]]]) -> list[Target]:
    """Return what issue 3 asks of MaimDB, and what this run says."""
    raw, ours = Raw.name, Maimdb.name
    get, page = bench.ratio("get", ours), bench.ratio("page", ours)
    found = [
        _target("get by id", get, 0.15, "Peewee's time", bench.ratio("get", raw)),
        _target(f"page of {PAGE}", page, 0.5, "Peewee's time", bench.ratio("page", raw)),
    ]
    unfiltered = bench.ratio("get", ours, PeeweeUnfiltered.name)
    found[0] = Target(
        f"{found[0].text}; {unfiltered:.2f} of Peewee's without a tenant filter", found[0].verdict
    )
    others = {kind.name: bench.ratio("page", kind.name) for kind in ORMS if kind.name in bench.times["page"]}
    if others:
        name = min(others, key=lambda key: others[key])
        text = f"page of {PAGE} below every ORM: {page:.2f} of Peewee's time, {name} {others[name]:.2f}"
        found.append(Target(text, "met" if page < others[name] else "missed"))
    drivers = [name for name in (raw, RawValues.name) if name in bench.times["bulk"]]
    rates = [bench.ratio("bulk", name, ours) for name in drivers]
    text = f"bulk insert at least 0.5 of the driver's rate: {min(rates):.2f}"
    if len(rates) > 1:
        text += f"; {rates[1]:.2f} of its rate without COPY"
    found.append(Target(text, "met" if min(rates) >= 0.5 else "missed"))  # noqa: PLR2004 - the target
    what = f"page of {PAGE} among {sizes[1]:,} rows"
    growth, raw_growth = (_ratio(by_size[name][1], by_size[name][0]) for name in (ours, raw))
    found.append(_target(what, growth, 1.5, f"its time among {sizes[0]:,}", raw_growth))
    return found


def _target(what: str, actual: float, limit: float, unit: str, driver: float) -> Target:
    verdict = "met" if actual <= limit else "out of reach" if driver > limit else "missed"
    return Target(f"{what} at most {limit} of {unit}: {actual:.2f} (the driver: {driver:.2f})", verdict)


def _time(seconds: float) -> str:
    micro = seconds * 1e6
    if micro < _EXACT:
        return f"{micro:.1f} µs"
    return f"{micro:.0f} µs" if micro < _LONG else f"{micro / 1000:.0f} ms"


def table(bench: Bench) -> list[str]:
    """Return the lines of the table: contestants by operations."""
    heads = [
        f"{title} {bench.size.bulk:,}" if name == "bulk" else title for name, title in OPERATIONS.items()
    ]
    lines = [f"{'':<25}" + "".join(f"{head:>20}" for head in heads)]
    for kind in EVERYONE:
        if kind.name in bench.missing:
            lines.append(f"{kind.name:<25}{bench.missing[kind.name]:>20}")
            continue
        cells = [
            f"{_time(bench.seconds(name, kind.name))} {bench.ratio(name, kind.name):>6.2f}x"
            if kind.name in times
            else "—"
            for name, times in bench.times.items()
        ]
        if any(cell != "—" for cell in cells):
            lines.append(f"{kind.name:<25}" + "".join(f"{cell:>20}" for cell in cells))
    return lines


@contextmanager
def places(engine: str, size: Size, url: str | None) -> Iterator[list[Place]]:
    """Make and fill the databases of an engine: one that all are compared on, a small one and a large one."""
    with ExitStack() as stack:
        urls: list[str] = []
        if engine == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="maimdb-bench-"))
            urls = [f"sqlite:///{folder}/{name}.db" for name in ("rows", "small", "large")]
        else:
            server = url or stack.enter_context(Server(POSTGRESQL)).url
            connection = stack.enter_context(closing(POSTGRESQL.connect(server)))
            databases = Databases(POSTGRESQL, server, connection)
            urls = [stack.enter_context(databases.fresh_url()) for _ in range(3)]
        made = [
            Place(engine, url, rows) for url, rows in zip(urls, (size.rows, SMALL, size.large), strict=True)
        ]
        for place in made:
            place.fill()
        yield made


def measure(engine: str, size: Size, url: str | None) -> tuple[dict[str, Any], list[Target], list[str]]:
    """Run all on an engine; return the numbers, the targets, and the lines to print."""
    with places(engine, size, url) as (main_place, *others):
        with closing(Bench(main_place, size)) as bench:
            version = bench.raw.execute(
                f"SELECT {'sqlite_' if engine == 'sqlite' else ''}version()"
            ).fetchone()[0]
            bench.run()
        by_size = page_by_size(others, size)
    found = targets(bench, [place.rows for place in others], by_size)
    title = f"{engine}: {version.split(' on ')[0]}, {size.rows:,} rows of {main_place.tenants:,} tenants"
    lines = [
        f"{title}; time of one operation (median of {size.rounds} rounds) and its ratio to Peewee",
        *table(bench),
        *(f"  {target.verdict:<13} {target.text}" for target in found),
    ]
    numbers = {
        "version": version,
        "seconds": {
            operation: {name: bench.seconds(operation, name) for name in times}
            for operation, times in bench.times.items()
        },
        "ratios": {
            operation: {name: bench.ratio(operation, name) for name in times}
            for operation, times in bench.times.items()
        },
        "not_installed": bench.missing,
        "page_by_rows": {
            name: {place.rows: median(times) for place, times in zip(others, values, strict=True)}
            for name, values in by_size.items()
        },
        "targets": [{"text": target.text, "verdict": target.verdict} for target in found],
    }
    return numbers, found, lines


def main() -> int:
    """Return 0; with --check 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--engine", default=",".join(ENGINES), help="sqlite, postgresql or both (the default)"
    )
    parser.add_argument("--url", help="a PostgreSQL server to use; without it, one of this run's own")
    parser.add_argument("--rows", type=int, help="rows of the large database that a page is measured in")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, fewer rounds")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    arguments = parser.parse_args()
    engines = [name.strip() for name in arguments.engine.split(",")]
    if unknown := [name for name in engines if name not in ENGINES]:
        parser.error(f"no engine {unknown[0]!r}: use {' or '.join(ENGINES)}")
    size = QUICK if arguments.quick else Size()
    if arguments.rows:
        size = Size(**{**vars(size), "large": arguments.rows // ROWS_OF_TENANT * ROWS_OF_TENANT})
    report, missed = {}, False
    for engine in engines:
        if engine == "postgresql" and not (arguments.url or POSTGRESQL.program()):
            print(POSTGRESQL.hint(), file=sys.stderr)
            continue
        report[engine], found, lines = measure(engine, size, arguments.url)
        missed = missed or any(target.verdict == "missed" for target in found)
        if not arguments.json:
            print("\n".join(lines), end="\n\n", flush=True)
    if arguments.json:
        print(json.dumps(report, ensure_ascii=False, indent=2))
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
