"""Import a bot's file of a million rows and print rows per second and peak memory, engine by engine.

    uv run python scripts/bench_legacy.py --engine sqlite
    uv run python scripts/bench_legacy.py --rows 2000000 --ceiling 150

The import runs in a process of its own, whose memory and processor time are what is measured: the memory
that is its own, after every batch, without the pages of a SQLite file that the system keeps and may drop.
Exits 1 if an import does not balance or takes more than the ceiling. Servers are started for the purpose;
--url names one instead.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(ROOT := Path(__file__).parent.parent))

from tests.backends import BACKENDS, Databases, Server, ServerBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

DDL: Final = ROOT / "tests" / "maimdb" / "legacy" / "maibot_0.12.3.sql"
ENGINES: Final = ("sqlite", "postgresql", "mysql")
CEILING: Final = 200
"""Megabytes."""
SHARES: Final = {"messages": 0.45, "llm_usage": 0.45, "action_records": 0.05, "jargon": 0.05}
_CHATS: Final = 200
_START: Final = 1_700_000_000


def build(path: Path, rows: int) -> None:
    """Write a bot's file of so many rows."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(DDL.read_text())
        makers = {"messages": _message, "llm_usage": _usage, "action_records": _action, "jargon": _jargon}
        for table, share in SHARES.items():
            first = makers[table](0)
            columns, marks = ", ".join(first), ", ".join("?" * len(first))
            made: Iterator[tuple[Any, ...]] = (
                tuple(makers[table](number).values()) for number in range(int(rows * share))
            )
            database.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", made)  # noqa: S608
        for number in range(_CHATS):
            database.execute(
                "INSERT INTO chat_streams (stream_id, create_time, last_active_time, platform, "
                "user_platform, user_id, user_nickname) VALUES (?, ?, ?, 'qq', 'qq', ?, 'somebody')",
                (f"stream{number:026}", _START, _START + number, str(number)),
            )
        database.commit()


def _message(number: int) -> dict[str, Any]:
    chat = f"stream{number % _CHATS:026}"
    return {
        "message_id": str(number),
        "time": _START + number / 3,
        "chat_id": chat,
        "chat_info_stream_id": chat,
        "chat_info_platform": "qq",
        "chat_info_user_platform": "qq",
        "chat_info_user_id": str(number % 997),
        "chat_info_user_nickname": f"nickname {number % 997}",
        "chat_info_create_time": float(_START),
        "chat_info_last_active_time": float(_START),
        "user_platform": "qq",
        "user_id": str(number % 997),
        "user_nickname": f"nickname {number % 997}",
        "processed_plain_text": f"今天 message {number} of an ordinary length, neither short nor long",
        "is_emoji": 0,
        "is_picid": 0,
        "is_command": 0,
        "intercept_message_level": 0,
        "is_notify": 0,
    }


def _usage(number: int) -> dict[str, Any]:
    clock = time.strftime("%H:%M:%S", time.gmtime(number))
    return {
        "model_name": f"model-{number % 7}",
        "model_assign_name": "replyer",
        "model_api_provider": "provider",
        "user_id": "system",
        "request_type": "replyer",
        "endpoint": "/chat/completions",
        "prompt_tokens": number % 4000,
        "completion_tokens": number % 300,
        "total_tokens": number % 4000 + number % 300,
        "cost": number % 1000 / 1e4,
        "time_cost": number % 50 / 10,
        "status": "success",
        "timestamp": f"2025-03-{number % 28 + 1:02} {clock}",
    }


def _action(number: int) -> dict[str, Any]:
    chat = f"stream{number % _CHATS:026}"
    return {
        "action_id": str(number),
        "time": float(_START + number),
        "action_name": "reply",
        "action_data": "{}",
        "action_done": 1,
        "action_build_into_prompt": 0,
        "action_prompt_display": f"replied {number}",
        "chat_id": chat,
        "chat_info_stream_id": chat,
        "chat_info_platform": "qq",
    }


def _jargon(number: int) -> dict[str, Any]:
    return {
        "content": f"word {number}",
        "raw_content": "[]",
        "chat_id": '[["qq", 1]]',
        "is_global": 0,
        "count": number,
        "is_complete": 0,
    }


def import_here(file: str, url: str) -> None:
    """Import a file, and print what it took as JSON."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - the parent's memory is not measured, but its time is

    from maimdb.core.database import open_database  # noqa: PLC0415
    from maimdb.core.legacy import LegacyImport, Options, open_source  # noqa: PLC0415
    from maimdb.core.settings import config_from_url  # noqa: PLC0415

    database = open_database(config_from_url(url))
    before = peak = _memory()

    def watch(*_: object) -> None:
        nonlocal peak
        peak = max(peak, _memory())

    begun, used = time.perf_counter(), time.process_time()
    with open_source(Path(file)) as source:
        options = Options("bench", "bench", frozenset({"7"}), "Asia/Shanghai")
        imported = LegacyImport(source, database, options, ZoneInfo("Asia/Shanghai")).run(watch)
    watch()
    facts = {"seconds": time.perf_counter() - begun, "processor": time.process_time() - used}
    facts |= {"before": before, "peak": peak, "balanced": imported.balanced}
    database.close_all()
    facts["rows"] = sum(each.rows_in for each in imported.balances)
    print(json.dumps(facts))


def _memory() -> float:
    """Return the megabytes of memory that are this process's own; not on Linux: the most that it had."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("RssAnon:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024


def measure(engine: str, file: Path, url: str | None) -> dict[str, Any]:
    """Import a file into an empty database of an engine; return what it took."""
    with ExitStack() as stack:
        if url is None and engine == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="maimdb-bench-"))
            url = f"sqlite:///{folder}/target.db"
        elif url is None:
            backend = BACKENDS[engine]
            assert isinstance(backend, ServerBackend)
            server = stack.enter_context(Server(backend)).url
            connection = stack.enter_context(closing(backend.connect(server)))
            url = stack.enter_context(Databases(backend, server, connection).fresh_url())
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, __file__, "--file", str(file), "--url", url, "--here"],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ,
        )
    if done.returncode:
        raise RuntimeError(f"{engine}: the import failed: {done.stderr[-1000:]}")
    return dict(json.loads(done.stdout))


def main() -> int:
    """Return 0 if every import balanced below the ceiling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="default: all")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--ceiling", type=int, default=CEILING, help="megabytes of memory; default: %(default)s"
    )
    parser.add_argument("--url", help="an empty database to import into, of the one engine named")
    parser.add_argument("--file", help=argparse.SUPPRESS)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        import_here(given.file, given.url)
        return 0
    missed = False
    with tempfile.TemporaryDirectory(prefix="maimdb-bench-") as folder:
        file = Path(folder) / "MaiBot.db"
        build(file, given.rows)
        print(
            f"a file of {given.rows:,} rows, {file.stat().st_size / 1e6:.0f} MB; ceiling {given.ceiling} MB"
        )
        for engine in given.engine or ENGINES:
            facts = measure(engine, file, given.url)
            met = facts["balanced"] and facts["peak"] <= given.ceiling
            missed |= not met
            print(
                f"{engine:<12}{facts['rows'] / facts['seconds']:>9,.0f} rows/s {facts['seconds']:>7.1f} s "
                f"({facts['processor']:.0f} s of processor) {facts['peak']:>6.0f} MB at most "
                f"({facts['before']:.0f} before)  "
                f"{'balanced' if facts['balanced'] else 'NOT BALANCED'}{'' if met else '  MISSED'}"
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
