"""A legacy file: opened so that nothing of it changes, described, and read in pieces.

A file that nobody has open is read where it is. One with a write-ahead log or a rollback journal is copied to
a temporary folder, log and all, and read there.
"""

# ruff: noqa: S608 - names are quoted

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.errors import LegacyImportError
from maimdb.core.legacy.values import Garbled

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

FIRST: Final = -(2**63)
"""Before the first row of any table."""
_HEADER: Final = b"SQLite format 3\0"
_WAL: Final = b"\x02\x02"
_KNOWN: Final = (
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"{", "a JSON text"),
    (b"[", "a JSON text"),
    (b"-- ", "an SQL text: load it into a file with sqlite3 first"),
    (b"BEGIN TRANSACTION", "an SQL text: load it into a file with sqlite3 first"),
    (b"PRAGMA", "an SQL text: load it into a file with sqlite3 first"),
)
_HARMLESS: Final = ("NULL value in", "CHECK constraint failed", "non-unique entry", "non-")
"""What `integrity_check` says of rows that break a rule of their table, in a file that is whole."""
_SAMPLE: Final = 20


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table of the file."""

    name: str
    columns: tuple[str, ...]
    """In the file's order, in lower case."""
    key: str | None
    """What SQLite calls the row's number here; None: the table has none (WITHOUT ROWID)."""
    order: str
    """The columns to go by where there is no number, quoted."""

    @property
    def quoted(self) -> str:
        """The name as SQL."""
        return quote(self.name)


class Source:
    """An opened legacy file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    @cached_property
    def tables(self) -> dict[str, SourceTable]:
        """The tables by their name in lower case; SQLite's own and virtual ones are left out."""
        rows = self.connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall()
        return {
            name.lower(): self._described(name)
            for name, sql in rows
            if not name.startswith("sqlite_") and not str(sql).upper().startswith("CREATE VIRTUAL")
        }

    def _described(self, name: str) -> SourceTable:
        columns = self.connection.execute(f"PRAGMA table_info({quote(name)})").fetchall()
        names = tuple(column[1].lower() for column in columns)
        primary = [quote(column[1]) for column in sorted(columns, key=lambda each: each[5]) if column[5]]
        key = next((each for each in ("rowid", "_rowid_", "oid") if each not in names), None)
        if key is not None:
            try:
                self.connection.execute(f"SELECT {key} FROM {quote(name)} LIMIT 1").fetchone()
            except sqlite3.OperationalError:
                key = None
        return SourceTable(name, names, key, ", ".join(primary or map(quote, names)))

    def has(self, table: str, *columns: str) -> bool:
        """Whether there is a table with these columns."""
        return table in self.tables and set(columns) <= set(self.tables[table].columns)

    def count(self, table: SourceTable) -> int:
        """Return how many rows a table has."""
        return int(self.value(f"SELECT COUNT(*) FROM {table.quoted}") or 0)

    def value(self, sql: str) -> Any:
        """Return the one value that a statement gives."""
        return self.connection.execute(sql).fetchone()[0]

    def rows(self, table: SourceTable, after: int) -> Generator[tuple[int, dict[str, Any]]]:
        """Yield the rows after a number, each with its own, in their order; close it after a piece."""
        self.connection.text_factory = str  # in C: half the time
        try:
            for number, row in self._numbered(table, after):
                after = number
                yield number, row
        except sqlite3.OperationalError as exc:
            if "decode" not in str(exc):
                raise
            self.connection.text_factory = _text
            yield from self._numbered(table, after)
        finally:
            self.connection.text_factory = _text

    def _numbered(self, table: SourceTable, after: int) -> Generator[tuple[int, dict[str, Any]]]:
        if table.key is not None:
            yield from self._read(
                f"SELECT {table.key}, * FROM {table.quoted} WHERE {table.key} > ? ORDER BY {table.key}",
                after,
                ("", *table.columns),
            )
            return
        done = max(after, 0)
        sql = f"SELECT 0, * FROM {table.quoted} ORDER BY {table.order} LIMIT -1 OFFSET ?"
        for number, (_, row) in enumerate(self._read(sql, done, ("", *table.columns)), done + 1):
            yield number, row

    def derived(self, sql: str, after: int) -> Generator[tuple[int, dict[str, Any]]]:
        """Yield the rows that a statement gives, numbered from 1, after a number."""
        done = max(after, 0)
        cursor = self.connection.execute(sql)
        names = [each[0] for each in cursor.description]
        for number, row in enumerate(islice(cursor, done, None), done + 1):
            yield number, dict(zip(names, row, strict=True))

    def _read(self, sql: str, after: int, names: tuple[str, ...]) -> Generator[tuple[int, dict[str, Any]]]:
        cursor = self.connection.execute(sql, (after,))
        try:
            for row in cursor:
                values = dict(zip(names, row, strict=True))
                yield values.pop(""), values
        finally:
            cursor.close()

    def fingerprint(self) -> str:
        """Return a digest of the tables: their columns, numbers of rows, and first and last rows."""
        digest = hashlib.sha256()
        for name, table in sorted(self.tables.items()):
            facts: list[Any] = [name, table.columns, self.count(table)]
            for direction in ("ASC", "DESC"):
                order = table.key or table.order.replace(",", f" {direction},")
                facts += self.connection.execute(
                    f"SELECT * FROM {table.quoted} ORDER BY {order} {direction} LIMIT {_SAMPLE}"
                ).fetchall()
            digest.update(repr(facts).encode("utf-8", "backslashreplace"))
        return digest.hexdigest()

    def check(self) -> None:
        """Look at every page.

        Raises:
            LegacyImportError: the file is damaged.
        """
        for (said,) in self.connection.execute("PRAGMA integrity_check(1000)"):
            if said != "ok" and not said.startswith(_HARMLESS):
                raise LegacyImportError(_damaged(self.path, said), path=self.path)


def quote(name: str) -> str:
    """Return a name as SQL."""
    return '"' + name.replace('"', '""') + '"'


@contextlib.contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a legacy file for reading, and check it.

    Raises:
        LegacyImportError: it is missing, no SQLite database, or damaged; the message says what it is.
    """
    _require_sqlite(path)
    with contextlib.ExitStack() as stack:
        try:
            try:
                connection = stack.enter_context(_connected(path))
            except OSError as exc:
                raise LegacyImportError(f"{path} cannot be read or copied ({exc})", path=path) from exc
            source = Source(path, connection)
            source.check()
            yield source
        except sqlite3.DatabaseError as exc:
            if "locked" in str(exc):
                raise LegacyImportError(f"{path} is in use: stop the bot first", path=path) from exc
            raise LegacyImportError(_damaged(path, str(exc)), path=path) from exc


def _damaged(path: Path, said: str) -> str:
    return (
        f"{path} is damaged ({' '.join(said.split())}): take a copy from before, or save what can be read "
        "with `sqlite3 FILE .recover`"
    )


def _require_sqlite(path: Path) -> None:
    if not path.exists():
        raise LegacyImportError(f"there is no file {path}: name the SQLite file to import", path=path)
    if path.is_dir():
        raise LegacyImportError(
            f"{path} is a folder: name the SQLite file in it, such as {path / 'MaiBot.db'}", path=path
        )
    try:
        with path.open("rb") as file:
            head = file.read(32)
    except OSError as exc:
        raise LegacyImportError(f"{path} cannot be read ({exc.strerror})", path=path) from exc
    if head.startswith(_HEADER):
        return
    if not head:
        raise LegacyImportError(f"{path} is empty: name another file, or a copy from before", path=path)
    what = next((what for start, what in _KNOWN if head.startswith(start)), None)
    what = what or f"its first bytes are {head[:8].hex(' ')}: encrypted, damaged or of another program"
    raise LegacyImportError(
        f"{path} is no SQLite database ({what}). MaiBot 0.6 and before kept its data in MongoDB, which this "
        "command does not read",
        path=path,
    )


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    log, shared, journal = (Path(f"{path}{suffix}") for suffix in ("-wal", "-shm", "-journal"))
    with contextlib.ExitStack() as stack:
        place, options = path, "mode=ro"
        if (log.exists() and log.stat().st_size) or (journal.exists() and journal.stat().st_size):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maimdb-legacy-")))
            place = folder / "copy.db"
            if log.exists() and shared.exists():  # somebody may have it open: SQLite makes the copy
                _copy(path, place)
            else:
                for suffix, companion in (("", path), ("-wal", log), ("-journal", journal)):
                    if companion.exists():
                        shutil.copyfile(companion, f"{place}{suffix}")
            options = "mode=rw"
        elif _is_logged(path):
            options = "mode=ro&immutable=1"  # SQLite would make a log beside it
        connection = sqlite3.connect(f"{place.absolute().as_uri()}?{options}", uri=True, isolation_level=None)
        stack.enter_context(contextlib.closing(connection))
        connection.text_factory = _text
        yield connection


def _is_logged(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(20)[18:] == _WAL


def _copy(path: Path, place: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as live,
        contextlib.closing(sqlite3.connect(place)) as copy,
    ):
        live.backup(copy)


def _text(data: bytes) -> str | Garbled:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return Garbled(data)
