"""Measure how fast a tenant is exported, imported and moved, and how long its writes are refused.

    uv run python scripts/bench_transfer.py --engine sqlite --rows 100000

Each step runs in a process of its own, so that its peak of memory is its own. While the tenant is moved,
another process goes on writing, some rows a second.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from maimdb import Agent, ChatHistory, Tenant, close_database, init_database, tenant_scope
from maimdb.core.bulk import bulk_insert
from maimdb.core.database import open_database
from maimdb.core.errors import TenantSuspendedError
from maimdb.core.migrations import migrate
from maimdb.core.settings import config_from_url
from maimdb.core.transfer import export_tenant, import_tenant, move_tenant

from tests import backends

ENGINES: Final = ("sqlite", "postgresql", "mysql")
_PART: Final = 10_000
_PAUSE: Final = 0.02
"""Seconds between two rows that are written during a move."""


def opened(url: str) -> Any:
    """Return an open database of ours."""
    return open_database(config_from_url(url))


def fill(url: str, rows: int) -> str:
    """Make a tenant with so many chats; return its id."""
    with closing_all(url) as database:
        migrate(database)
    init_database(url)
    try:
        tenant = Tenant.create(tenant_name="bench").id
        agent = Agent.create(tenant_id=tenant, name="bench").id
        with tenant_scope(tenant):
            for start in range(0, rows, _PART):
                chats = [
                    {
                        "agent_id": agent,
                        "session_id": f"session {number % 1000}",
                        "user_message": f"question {number} " * 4,
                        "agent_response": f"answer {number} " * 10,
                    }
                    for number in range(start, min(rows, start + _PART))
                ]
                bulk_insert(ChatHistory, chats)
    finally:
        close_database()
    return str(tenant)


class closing_all(ExitStack):  # noqa: N801 - it reads as a statement
    """Opens a database and closes it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.database = opened(url)

    def __enter__(self) -> Any:
        self.callback(self.database.close_all)
        return self.database


def write(url: str, tenant: str) -> None:
    """Write rows until the tenant's writes are refused."""
    init_database(url)
    with closing(_Proxy()), tenant_scope(tenant):
        while True:
            try:
                ChatHistory.create(session_id="late", user_message="late", agent_response="")
            except TenantSuspendedError:
                return
            time.sleep(_PAUSE)


class _Proxy:
    def close(self) -> None:
        close_database()


def step(arguments: list[str]) -> None:
    """Do one step and print what it took."""
    name, url, rest = arguments[0], arguments[1], arguments[2:]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    facts: dict[str, Any] = {}
    if name == "write":
        write(url, rest[0])
        return
    with closing_all(url) as database:
        begin, worked = time.perf_counter(), time.process_time()
        if name == "export":
            facts["rows"] = export_tenant(database, rest[0], Path(rest[1])).rows
        elif name == "import":
            report = import_tenant(database, Path(rest[0]))
            facts["rows"] = sum(table.inserted for table in report.tables.values())
        else:
            with closing_all(rest[0]) as target:
                moved = move_tenant(database, target, rest[1])
            facts |= {"rows": sum(moved.tables.values()), "pause": moved.pause}
        facts["seconds"] = time.perf_counter() - begin
        facts["cpu_seconds"] = time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    facts |= {"peak_mib": peak / 1024, "grown_mib": (peak - before) / 1024}
    print(json.dumps(facts))


def run(*arguments: str | Path) -> dict[str, Any]:
    """Do one step in a process of its own; return what it took."""
    command = [sys.executable, __file__, "--step", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return dict(json.loads(done.stdout))


def measure(engine: str, rows: int, folder: Path, stack: ExitStack) -> dict[str, dict[str, Any]]:
    """Measure one engine."""
    if engine == "sqlite":
        urls = [f"sqlite:///{folder / f'{name}.db'}" for name in ("one", "two", "three")]
    else:
        backend: Any = backends.BACKENDS[engine]
        server = stack.enter_context(backends.databases(backend))
        urls = [stack.enter_context(server.fresh_url()) for _ in range(3)]
    tenant = fill(urls[0], rows)
    for url in urls[1:]:
        with closing_all(url) as database:
            migrate(database)
    found = {"export": run("export", urls[0], tenant, folder / f"{engine}.ndjson")}
    found["import"] = run("import", urls[1], folder / f"{engine}.ndjson")
    command = [sys.executable, __file__, "--step", "write", urls[0], tenant]
    with subprocess.Popen(command) as writer:  # noqa: S603
        found["move"] = run("move", urls[0], urls[2], tenant)
        writer.wait()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="default: all of them")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options.step)
        return
    found = {}
    for engine in options.engine or ENGINES:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            found[engine] = measure(engine, options.rows, folder, stack)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'engine':<12}{'step':<8}{'rows':>9}{'rows/s':>9}{'CPU':>8}{'peak':>9}{'pause':>10}")
    for engine, steps in found.items():
        for name, facts in steps.items():
            pause = f"{facts['pause'] * 1000:.0f} ms" if "pause" in facts else "-"
            rate, peak = facts["rows"] / facts["seconds"], facts["peak_mib"]
            cpu = f"{facts['cpu_seconds']:.1f} s"
            print(f"{engine:<12}{name:<8}{facts['rows']:>9}{rate:>9,.0f}{cpu:>8}{peak:>5.0f} MiB{pause:>10}")


if __name__ == "__main__":
    main()
