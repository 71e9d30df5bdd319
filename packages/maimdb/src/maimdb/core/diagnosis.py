"""What is wrong with a database, its server or its configuration, and what to do about it.

Everything is only looked at; nothing is changed, and no secret, nor the text of a running query, is shown.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

import peewee

from maimdb.core import backup, fallback
from maimdb.core.database import open_database
from maimdb.core.errors import BackupError, MaimdbError
from maimdb.core.migrations import migration_status
from maimdb.core.settings import load_config, load_peppers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maimdb.core.config import DatabaseConfig
    from maimdb.core.database import Engine

SLOW: Final = 5.0
"""Seconds after which a running statement is shown."""
FAR: Final = 20.0
"""Milliseconds of a round trip from which each statement feels it."""
_PINGS: Final = 5
_RESERVED: Final = 3
"""Connections that a server keeps for its administrators."""
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph"})
_LEVELS: Final = {"half done": "error", "unknown": "error", "changed": "warning", "pending": "warning"}

Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    subject: str
    text: str
    mend: str = ""
    """What to do."""


def diagnose() -> Iterator[Finding]:
    """Yield what is found of the configured database, thing by thing."""
    try:
        config = load_config()
        yield Finding("ok", "configuration", f"{config.url}, from {_source(config)}")
        yield from _settings(config)
        yield from _pepper()
        if config.engine == "sqlite" and config.database != ":memory:":
            yield from _file(Path(config.database))
        database = open_database(config)
    except MaimdbError as exc:
        yield Finding("error", "configuration" if isinstance(exc, ValueError) else "database", str(exc))
        return
    try:
        with database.connection_context():
            yield from _server(database)
            yield from _versions(database)
            yield from _statements(database)
    finally:
        database.close_all()


def _source(config: DatabaseConfig) -> str:
    return "the default" if config.source == "default" else config.source


def _settings(config: DatabaseConfig) -> Iterator[Finding]:
    text = f"at most {config.max_connections} connections, each waited for {config.connection_timeout:g} s"
    yield Finding("ok", "pool", text)
    if config.engine == "sqlite":
        return
    if config.fallback == "sqlite":
        yield Finding(
            "note",
            "fallback",
            f"SQLite at {config.fallback_path} stands in if the server does not answer at start",
            "DB_FALLBACK=error has a service refuse to start instead",
        )
    waiting = fallback.pending(config.fallback_path)
    if waiting:
        yield Finding(
            "warning",
            "fallback",
            f"{waiting} changes wait in {config.fallback_path}",
            "run `maimdb fallback replay`",
        )


def _pepper() -> Iterator[Finding]:
    if load_peppers():
        yield Finding("ok", "API keys", "hashed with MAIMDB_KEY_PEPPER")
    else:
        yield Finding(
            "warning",
            "API keys",
            "MAIMDB_KEY_PEPPER is not set: keys are hashed with a pepper that everybody knows",
            'set it to what `python -c "import secrets; print(secrets.token_hex(32))"` prints',
        )


def _file(path: Path) -> Iterator[Finding]:
    yield from _library(sqlite3.sqlite_version_info)
    if not path.exists():
        yield Finding("note", "file", f"{path} does not exist yet", "run `maimdb init`")
        return
    size = path.stat().st_size
    try:
        backup.check(path)
    except BackupError as exc:
        yield Finding("error", "file", str(exc), "put a copy back: `maimdb restore FILE`")
        return
    yield Finding("ok", "file", f"{path} is whole, {size / 2**20:,.1f} MiB")
    free = shutil.disk_usage(path.parent).free
    if free < 2 * size:
        yield Finding(
            "warning",
            "disk",
            f"{free / 2**20:,.0f} MiB are free, and a migration may need twice the file's size",
            "make room before the next migration or backup",
        )
    if os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
        yield Finding("note", "file", f"every user of this machine can read {path}", f"chmod o-rwx {path}")
    kind = _file_system(path)
    if kind in _NETWORK:
        yield Finding(
            "error",
            "file",
            f"{path} lies on a network file system ({kind}), where WAL mode can destroy it",
            "move it to a local disk, or use a server",
        )


def _library(version: tuple[int, ...]) -> Iterator[Finding]:
    """Judge SQLite's version: https://www.sqlite.org/wal.html#walresetbug."""
    text = ".".join(map(str, version))
    mended = version >= (3, 51, 3) and version[:2] != (3, 52)
    mended = mended or any(
        version[:2] == fixed[:2] and version >= fixed for fixed in ((3, 44, 6), (3, 50, 7))
    )
    if mended:
        yield Finding("ok", "SQLite", text)
    else:
        yield Finding(
            "note",
            "SQLite",
            f"{text} has the WAL-reset bug: very rarely, a file that several connections write to is damaged",
            "use a Python with SQLite 3.51.3 or later, and keep backups",
        )


def _file_system(path: Path) -> str:
    """Return the kind of file system that a file lies on, where Linux tells it."""
    best = ("", "")
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
            _, mount, kind, *_ = line.split(" ")
            if path.absolute().is_relative_to(mount) and len(mount) >= len(best[0]):
                best = (mount, kind)
    return best[1]


def _server(database: Engine) -> Iterator[Finding]:
    times = []
    for _ in range(_PINGS):
        began = time.perf_counter()
        database.execute_sql("SELECT 1").fetchone()
        times.append(1000 * (time.perf_counter() - began))
    status = database.status()
    text = f"{status.engine} {status.version} answers in {median(times):.1f} ms"
    if median(times) > FAR:
        yield Finding("warning", "database", text, "let service and database run near each other")
    else:
        yield Finding("ok", "database", text)
    if status.engine == "mysql" and (database.server_version or ()) < (8, 0, 16):
        yield Finding(
            "error",
            "database",
            "before 8.0.16 MySQL reads CHECK constraints and ignores them",
            "upgrade MySQL",
        )
    most = _most_connections(database)
    if most is not None and database.config.max_connections > most - _RESERVED:
        yield Finding(
            "warning",
            "pool",
            f"the pool takes up to {database.config.max_connections} of the server's {most} connections",
            "lower DB_MAX_CONNECTIONS; every process of the service has such a pool",
        )


def _most_connections(database: Engine) -> int | None:
    if isinstance(database, peewee.PostgresqlDatabase):
        return int(database.execute_sql("SHOW max_connections").fetchone()[0])
    if isinstance(database, peewee.MySQLDatabase):
        return int(database.execute_sql("SELECT @@max_connections").fetchone()[0])
    return None


def _versions(database: Engine) -> Iterator[Finding]:
    for version in migration_status(database):
        level: Any = _LEVELS.get(version.state, "ok")
        text = f"version {version.version} ({version.name}) is {version.state}"
        if version.state == "unknown":
            yield Finding(level, "schema", text, "upgrade maimdb: the database is newer")
        elif version.state == "changed":
            yield Finding(
                level, "schema", f"{text} since it was applied", "reinstall maimdb: its files differ"
            )
        elif level != "ok":
            yield Finding(level, "schema", text, "run `maimdb migrate`")
        else:
            yield Finding("ok", "schema", text)


def _statements(database: Engine) -> Iterator[Finding]:
    """Yield what runs long now and, where the server keeps account, what took longest on average."""
    if isinstance(database, peewee.PostgresqlDatabase):
        running = (
            "SELECT pid, extract(epoch FROM clock_timestamp() - query_start) FROM pg_stat_activity "
            "WHERE state <> 'idle' AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        slowest = (
            "SELECT query, mean_exec_time, calls FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid "
            "WHERE d.datname = current_database() ORDER BY mean_exec_time DESC LIMIT 5"
        )
        how = "CREATE EXTENSION pg_stat_statements keeps account of them"
    elif isinstance(database, peewee.MySQLDatabase):
        running = (
            "SELECT id, time FROM information_schema.processlist "
            "WHERE command = 'Query' AND db = DATABASE() AND id <> CONNECTION_ID()"
        )
        slowest = (
            "SELECT digest_text, avg_timer_wait / 1e9, count_star "
            "FROM performance_schema.events_statements_summary_by_digest "
            "WHERE schema_name = DATABASE() ORDER BY avg_timer_wait DESC LIMIT 5"
        )
        how = "performance_schema=ON keeps account of them"
    else:
        return
    for number, seconds in _asked(database, running) or ():
        if float(seconds or 0) > SLOW:
            text = f"a statement of connection {number} has been running for {float(seconds):.0f} s"
            yield Finding("warning", "statements", text, "find out what it waits for")
    found = _asked(database, slowest)
    if not found:
        yield Finding("note", "statements", "the server keeps no account of slow statements", how)
    for text, milliseconds, calls in found or ():
        shown = " ".join(str(text).split())[:100]
        yield Finding(
            "note", "statements", f"{float(milliseconds):.1f} ms on average, {calls} times: {shown}"
        )


def _asked(database: Engine, sql: str) -> list[Any] | None:
    """Return rows; None where the server has no such account, or does not show it to this user."""
    try:
        with database.atomic():
            return list(database.execute_sql(sql).fetchall())
    except peewee.PeeweeException:
        return None
