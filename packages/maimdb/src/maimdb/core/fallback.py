"""What is written while SQLite stands in for a server, and how it gets to the server afterwards.

The file that stands in is one of its own, `data/MaiBot.fallback.db`, so that its rows are never mistaken for
others. Triggers keep a journal in it, in the transaction of each write: every INSERT, UPDATE and DELETE in
order, with the whole row before and after. `replay` applies the journal to the server and, in the same
transaction, notes there what it applied: an interruption at any moment neither loses nor doubles a row.

A row that the server has otherwise is a conflict: reported, left alone, and tried again by the next replay.
"""

# ruff: noqa: S608 - names are quoted, values are parameters
from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import peewee

from maimdb.core.errors import DatabaseError, ReplayError
from maimdb.core.scope import system_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maimdb.core.engines import Engine

ORIGIN: Final = "maimdb_fallback_origin"
JOURNAL: Final = "maimdb_fallback_journal"
APPLIED: Final = "maimdb_fallback_applied"
_ROWS: Final = "maimdb_fallback_rows_"
_BATCH: Final = 200
"""Changes per transaction on the server."""


@dataclass(frozen=True, slots=True)
class Change:
    """One INSERT, UPDATE or DELETE of the journal."""

    number: int
    table: str
    operation: str
    """`insert`, `update` or `delete`."""
    key: tuple[str, ...]
    """The columns of the table's primary key; empty where it has none."""
    old: dict[str, Any] | None
    new: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A change that the server's rows do not allow."""

    number: int
    table: str
    operation: str
    key: dict[str, Any]
    reason: str


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did."""

    applied: int = 0
    """Changes made on the server now."""
    present: int = 0
    """Changes that the server had already."""
    conflicts: tuple[Conflict, ...] = ()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# Writing the journal


def start(connection: sqlite3.Connection, url: str) -> None:
    """Prepare a file to stand in for the server of that (masked) URL.

    Raises:
        ReplayError: the file still holds changes meant for another server.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {ORIGIN} (id TEXT PRIMARY KEY, url TEXT, since TEXT)")
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {JOURNAL} (number INTEGER PRIMARY KEY AUTOINCREMENT, "
            "tbl TEXT NOT NULL, operation TEXT NOT NULL, at TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0)"
        )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        _require_origin(connection, url)
        connection.execute(
            f"INSERT INTO {ORIGIN} SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM {ORIGIN})",
            (uuid.uuid4().hex, url, now),
        )
        connection.execute(f"UPDATE {ORIGIN} SET url = ?, since = ?", (url, now))
        keep_journal(connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _require_origin(connection: sqlite3.Connection, url: str) -> None:
    origin = connection.execute(f"SELECT url FROM {ORIGIN}").fetchone()
    if origin is not None and origin[0] != url and _count_pending(connection):
        raise ReplayError(
            f"the fallback file holds changes for {origin[0]}, not for {url}: "
            "replay them there, or move the file away, first"
        )


def keep_journal(connection: sqlite3.Connection) -> None:
    """Put the journal's triggers on every table as it is now."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "AND name NOT LIKE 'maimdb\\_fallback\\_%' ESCAPE '\\' AND name <> 'maimdb_migrations' "
        "AND name NOT LIKE '%\\_\\_tmp\\_\\_' ESCAPE '\\' "  # a table that Playhouse is rebuilding
        "AND sql NOT LIKE 'CREATE VIRTUAL%'"
    ).fetchall()
    wanted: dict[str, str] = {}
    for (table,) in tables:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(table)})")]
        _keep_rows_table(connection, table, columns)
        for operation, images in (("insert", ("new",)), ("update", ("old", "new")), ("delete", ("old",))):
            name = f"maimdb_fallback_{operation}_{table}"
            wanted[name] = _trigger(name, table, operation, images, columns)
    there = dict(
        connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' "
            "AND name LIKE 'maimdb\\_fallback\\_%' ESCAPE '\\'"
        ).fetchall()
    )
    for name in there.keys() - {name for name, sql in wanted.items() if there.get(name) == sql}:
        connection.execute(f"DROP TRIGGER {_quoted(name)}")
        del there[name]
    for name in wanted.keys() - there.keys():
        connection.execute(wanted[name])


def _keep_rows_table(connection: sqlite3.Connection, table: str, columns: list[str]) -> None:
    rows = _quoted(_ROWS + table)
    # Columns without a type keep every value exactly as it is.
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {rows} (maimdb_number INTEGER, maimdb_image TEXT, "
        f"{', '.join(map(_quoted, columns))}, PRIMARY KEY (maimdb_number, maimdb_image))"
    )
    there = {row[1] for row in connection.execute(f"PRAGMA table_info({rows})")}
    for column in columns:
        if column not in there:
            connection.execute(f"ALTER TABLE {rows} ADD COLUMN {_quoted(column)}")


def _trigger(name: str, table: str, operation: str, images: tuple[str, ...], columns: list[str]) -> str:
    literal = "'" + table.replace("'", "''") + "'"
    names = ", ".join(map(_quoted, columns))
    values = {image: ", ".join(f"{image}.{_quoted(column)}" for column in columns) for image in images}
    inserts = "".join(
        f" INSERT INTO {_quoted(_ROWS + table)} (maimdb_number, maimdb_image, {names}) "
        f"SELECT max(number), '{image}', {values[image]} FROM {JOURNAL};"
        for image in images
    )
    return (
        f"CREATE TRIGGER {_quoted(name)} AFTER {operation.upper()} ON {_quoted(table)} BEGIN "
        f"INSERT INTO {JOURNAL} (tbl, operation, at) "
        f"VALUES ({literal}, '{operation}', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));{inserts} END"
    )


# Reading it


def pending(path: str | Path) -> int:
    """Return how many changes of a fallback file are not on the server yet; 0 where there is no such file."""
    if not Path(path).is_file():
        return 0
    with contextlib.closing(_open(path)) as connection:
        return _count_pending(connection)


def _open(path: str | Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.row_factory = sqlite3.Row
    return connection


def _count_pending(connection: sqlite3.Connection) -> int:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (JOURNAL,)).fetchone() is None:
        return 0
    return int(connection.execute(f"SELECT count(*) FROM {JOURNAL} WHERE done = 0").fetchone()[0])


def _changes(connection: sqlite3.Connection) -> Iterator[Change]:
    last = connection.execute(f"SELECT max(number) FROM {JOURNAL}").fetchone()[0] or 0
    keys: dict[str, tuple[str, ...]] = {}
    number = 0
    while number < last:
        entry = connection.execute(
            f"SELECT * FROM {JOURNAL} WHERE done = 0 AND number > ? ORDER BY number LIMIT 1",
            (number,),
        ).fetchone()
        if entry is None:
            return
        number, table = entry["number"], entry["tbl"]
        if table not in keys:
            info = connection.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()
            keys[table] = tuple(row["name"] for row in sorted(info, key=lambda row: row["pk"]) if row["pk"])
        images = {
            row["maimdb_image"]: {name: row[name] for name in row.keys()[2:]}
            for row in connection.execute(
                f"SELECT * FROM {_quoted(_ROWS + table)} WHERE maimdb_number = ?",
                (number,),
            )
        }
        yield Change(number, table, entry["operation"], keys[table], images.get("old"), images.get("new"))


# Applying it


def replay(source: str | Path, target: Engine) -> ReplayReport:
    """Apply a fallback file's journal to the server that it stood in for; may be run again at any time.

    Raises:
        ReplayError: there is no such file, it is another server's, or the server lacks its tables.
    """
    if not Path(source).is_file():
        raise ReplayError(f"there is no fallback file {str(source)!r}: nothing was written while fallen back")
    with contextlib.closing(_open(source)) as connection, system_scope(reason="fallback replay"):
        if not _count_pending(connection):
            return ReplayReport()
        origin = connection.execute(f"SELECT id, url FROM {ORIGIN}").fetchone()
        if origin["url"] != target.config.url:
            raise ReplayError(
                f"the fallback file stood in for {origin['url']}, not for {target.config.url}: "
                "configure that server to replay it"
            )
        server = _Server(target, origin["id"])
        server.require_tables({row[0] for row in connection.execute(f"SELECT DISTINCT tbl FROM {JOURNAL}")})
        return _replay(connection, server)


def _replay(connection: sqlite3.Connection, server: _Server) -> ReplayReport:
    applied = present = 0
    conflicts: list[Conflict] = []
    changes = _changes(connection)
    while batch := list(islice(changes, _BATCH)):
        outcomes = server.apply(batch)
        done = []
        for change, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Conflict):
                conflicts.append(outcome)
                continue
            done.append((change.number,))
            applied += outcome
            present += not outcome
        # Only a shortcut for the next replay: what was applied is known to the server.
        connection.executemany(f"UPDATE {JOURNAL} SET done = 1 WHERE number = ?", done)
    server.advance_sequences()
    return ReplayReport(applied, present, tuple(conflicts))


class _Server:
    """The server's side of a replay."""

    def __init__(self, database: Engine, source: str) -> None:
        self.database = database
        self.source = source
        self.types: dict[str, dict[str, str]] = {}
        self.inserted: set[tuple[str, str]] = set()
        database.execute_sql(
            f"CREATE TABLE IF NOT EXISTS {APPLIED} "
            "(source VARCHAR(32) NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (source, number))"
        )

    def require_tables(self, tables: set[str]) -> None:
        missing = sorted(tables - set(self.database.get_tables()))
        if missing:
            raise ReplayError(
                f"the server has no table {', '.join(map(repr, missing))}: create the tables first"
            )
        for table in tables:
            self.types[table] = {c.name: c.data_type.lower() for c in self.database.get_columns(table)}

    def apply(self, batch: list[Change]) -> list[bool | Conflict]:
        """Apply changes in one transaction: True: made, False: there already."""
        return self.database.run_unit(lambda: [self._apply(change) for change in batch])

    def _apply(self, change: Change) -> bool | Conflict:
        if self._rows(
            f"SELECT 1 FROM {APPLIED} WHERE source = %s AND number = %s", self.source, change.number
        ):
            return False
        try:
            with self.database.atomic():
                outcome = self._change(change)
                if not isinstance(outcome, str):
                    self._run(f"INSERT INTO {APPLIED} VALUES (%s, %s)", self.source, change.number)
                    return outcome
        except DatabaseError:
            raise
        except peewee.DatabaseError as exc:
            outcome = " ".join(str(exc.args[-1] if exc.args else exc).split())
        image = change.new or change.old or {}
        key = {name: image[name] for name in change.key}
        return Conflict(change.number, change.table, change.operation, key, outcome)

    def _change(self, change: Change) -> bool | str:
        """Make a change: True; False: it is there already; a text: why it cannot be."""
        row = change.new or change.old or {}
        unknown = sorted(row.keys() - self.types[change.table].keys())
        if unknown:
            return f"the server's table has no column {', '.join(map(repr, unknown))}"
        there = self._find(change, change.old or row) if change.key else change.old
        if change.key and self._is_same(change, there, change.new):
            return False
        if there is None:
            return self._insert(change, row) if change.operation == "insert" else "the server has no such row"
        if not self._is_same(change, there, change.old):
            return "the server's row is another"
        where, values = self._where(change, change.old or {})
        if change.new is None:
            self._run(f"DELETE FROM {self._name(change.table)} WHERE {where}", *values)
            return True
        changes = ", ".join(f"{self._name(name)} = %s" for name in row)
        self._run(
            f"UPDATE {self._name(change.table)} SET {changes} WHERE {where}",
            *self._adapted(change.table, row),
            *values,
        )
        return True

    def _insert(self, change: Change, row: dict[str, Any]) -> bool:
        self._run(
            f"INSERT INTO {self._name(change.table)} ({', '.join(map(self._name, row))}) "
            f"VALUES ({', '.join(['%s'] * len(row))})",
            *self._adapted(change.table, row),
        )
        if len(change.key) == 1 and isinstance(row[change.key[0]], int):
            self.inserted.add((change.table, change.key[0]))
        return True

    def _find(self, change: Change, row: dict[str, Any]) -> dict[str, Any] | None:
        where, values = self._where(change, row)
        names = list(self.types[change.table])
        found = self._rows(
            f"SELECT {', '.join(map(self._name, names))} FROM {self._name(change.table)} WHERE {where}",
            *values,
        )
        return dict(zip(names, found[0], strict=True)) if found else None

    def _where(self, change: Change, row: dict[str, Any]) -> tuple[str, list[Any]]:
        key = {name: row[name] for name in change.key or row if change.key or row[name] is not None}
        return " AND ".join(f"{self._name(name)} = %s" for name in key), self._adapted(change.table, key)

    def _is_same(self, change: Change, there: dict[str, Any] | None, row: dict[str, Any] | None) -> bool:
        if there is None or row is None:
            return there is row
        types = self.types[change.table]
        return all(_is_same(there[name], row[name], types[name]) for name in row)

    def _adapted(self, table: str, row: dict[str, Any]) -> list[Any]:
        return [_adapted(value, self.types[table][name]) for name, value in row.items()]

    def _name(self, name: str) -> str:
        quote = self.database.quote[0]
        return quote + name.replace(quote, quote * 2) + quote

    def _run(self, sql: str, *values: Any) -> Any:
        return self.database.execute_sql(sql.replace("%s", self.database.param), values)

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return list(self._run(sql, *values).fetchall())

    def advance_sequences(self) -> None:
        """Make PostgreSQL's sequences start after the keys that were brought along."""
        if not isinstance(self.database, peewee.PostgresqlDatabase):
            return
        for table, column in sorted(self.inserted):
            self._run(
                "SELECT setval(pg_get_serial_sequence(%s, %s), "
                f"(SELECT max({self._name(column)}) FROM {self._name(table)}))",
                self._name(table),
                column,
            )


def _adapted(value: Any, kind: str) -> Any:
    """Return SQLite's value as a server's column wants it."""
    if isinstance(value, int) and kind == "boolean":
        return bool(value)
    if isinstance(value, str) and kind.startswith(("timestamp", "datetime")):
        moment = _moment(value)
        if moment is not None:
            return moment if kind == "timestamp with time zone" else moment.replace(tzinfo=None)
    return value


def _moment(value: Any) -> datetime | None:
    """Return a time in UTC; a text or time without zone is taken for UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _is_same(there: Any, here: Any, kind: str) -> bool:
    """Whether a server's value is SQLite's, in spite of their types."""
    if there is None or here is None:
        return there is here
    try:
        if isinstance(there, datetime):
            return _is_same_moment(_moment(there), _moment(here), kind)
        if kind in {"json", "jsonb"}:
            return bool(_parsed(there) == _parsed(here))
        for types, convert in _COMPARED:
            if isinstance(there, types):
                return bool(convert(there) == convert(here))
    except (ValueError, ArithmeticError, TypeError):
        return False
    return bool(there == here)


def _is_same_moment(there: datetime | None, here: datetime | None, kind: str) -> bool:
    if there is None or here is None:
        return False
    # MySQL's DATETIME keeps whole seconds unless it is told otherwise.
    rounded = kind == "datetime" and there.microsecond == 0 and abs((there - here).total_seconds()) < 1
    return rounded or there == here


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str | bytes) else value


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


_COMPARED: Final[tuple[tuple[Any, Any], ...]] = (
    (uuid.UUID, lambda value: uuid.UUID(str(value))),
    ((date, time), str),
    (Decimal, lambda value: Decimal(str(value))),
    (float, lambda value: float(f"{float(value):.6g}")),  # MySQL's FLOAT has six digits
    ((bytes, memoryview), _bytes),
)
