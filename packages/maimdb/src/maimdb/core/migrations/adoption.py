"""The tables of an earlier V2, which have no history, given the form of version 1 in place.

Each table is renamed, made anew, filled with its rows and counted. The old table is dropped if every value of
it has a place in the new one; otherwise it stays as `legacy_v2_<table>`, and `maimdb_set_aside` says of which
rows and why. A run that was stopped, on MySQL between any two statements, is found by what there is.
"""

# ruff: noqa: S608 - every name is quoted

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import peewee

from maimdb.core.errors import ConnectionLostError, MigrationError, PoolTimeoutError
from maimdb.core.migrations import definitions
from maimdb.core.migrations.adopted_rows import CLEAR_KEYS, Owners, Reader, UnplacedError, digest_of
from maimdb.core.migrations.operations import reason_of
from maimdb.core.migrations.versions.v0001_tables import INDEXES, TABLES, UNIQUE

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from maimdb.core.migrations.operations import Operations

SET_ASIDE: Final = "maimdb_set_aside"
_OLD: Final = "maimdb_old_"
_LEGACY: Final = "legacy_v2_"
_ROWS: Final = 500
_SIGNATURES: Final = {
    "tenants": {"tenant_name"},
    "agents": {"tenant_id", "name"},
    "agent_active_states": {"agent_id", "last_seen_at"},
    "api_keys": {"agent_id", "permissions"},
    "chat_history": {"session_id", "user_message", "agent_response"},
    "chat_logs": {"session_id", "request_type", "request_content"},
    "file_uploads": {"original_filename", "file_path"},
    "system_metrics": {"metric_name", "metric_value"},
    "user_sessions": {"session_id", "last_activity"},
}
"""Columns by which a table of an earlier V2 is known."""


def adopt(operations: Operations) -> list[str]:
    """Bring the tables of an earlier V2 to the form of version 1; return what was done, a line for each.

    Raises:
        MigrationError: another table refers to one of them; the rows cannot be reconciled.
    """
    adoption = _Adoption(operations)
    sources = adoption.sources()
    return adoption.run(sources) if sources or SET_ASIDE in adoption.there else []


def variants(table: str) -> list[str]:
    """Return the names that a table had in earlier versions, its own first."""
    single = table.removesuffix("s")
    names = [table, single, table.replace("_", ""), single.replace("_", "")]
    return list(dict.fromkeys([*names, *(f"{name}_v2" for name in names)]))


class _Adoption:
    def __init__(self, operations: Operations) -> None:
        self.operations = operations
        self.database = operations.database
        self.quote = operations.quote
        self.there = set(self.database.get_tables())
        self.lines: list[str] = []
        self.agents: dict[str, Any] = {}
        """The tenant of each old agent."""

    def sources(self) -> dict[str, str]:
        """Return the old table of each, as far as there is one."""
        if "tenants" in self.there and "tenant_name" not in self._columns("tenants"):
            return {}
        found = {}
        for table in TABLES:
            if _OLD + table in self.there:
                found[table] = _OLD + table
                continue
            name = next((name for name in variants(table) if name in self.there), None)
            if name and _SIGNATURES[table] <= self._columns(name) and not self._is_new(table, name):
                found[table] = name
        return found

    def run(self, sources: dict[str, str]) -> list[str]:
        self._make_tables(sources)
        if self.operations.dry_run:
            self.operations.emit(
                "-- the rows are copied and counted; the old tables are dropped, or kept as legacy_v2_<table>"
            )
            return [*self.operations.statements]
        owners = Owners()
        for table in TABLES:
            if table in sources:
                self._copy(table, owners)
            self._learn(table, owners)
        for table in reversed(TABLES):
            if table in sources:
                self._finish(table)
        if not self._count(SET_ASIDE):
            self.operations.emit(f"DROP TABLE {self.quote(SET_ASIDE)}")
        return self.lines

    def _make_tables(self, sources: dict[str, str]) -> None:
        self._refuse_references(set(sources.values()))
        if SET_ASIDE not in self.there:
            self.operations.emit(
                f"CREATE TABLE {self.quote(SET_ASIDE)} (table_name VARCHAR(64) NOT NULL, "
                "row_key VARCHAR(191) NOT NULL, reason VARCHAR(1000) NOT NULL, tenant_id VARCHAR(50), "
                f"PRIMARY KEY (table_name, row_key)){self.operations.table_options}"
            )
        for table, name in sources.items():
            if name != _OLD + table:
                self.operations.set_table_aside(name, _OLD + table)
        # What an agent's rows are checked against is made even where there was none.
        for table in TABLES:
            if table in sources or table in {"tenants", "agents"}:
                self._create(table)

    def _columns(self, table: str) -> set[str]:
        return set(self.operations.table(table).columns)

    def _is_new(self, table: str, name: str) -> bool:
        """Whether a table has the form of version 1: its columns and its constraints."""
        items = definitions.parse(TABLES[table]).items
        columns = {column for item in items if (column := definitions.column_name(item))}
        constraints = {known for item in items if (known := definitions.constraint_name(item))}
        there = self.operations.table(name)
        return name == table and columns <= there.columns.keys() and constraints <= there.constraints.keys()

    def _refuse_references(self, names: set[str]) -> None:
        if isinstance(self.database, peewee.SqliteDatabase):
            return  # there a reference is a name, which the new table has
        for table in sorted(self.there - names):
            for key in self.database.get_foreign_keys(table):
                if key.dest_table in names:
                    raise MigrationError(
                        f"column {key.column!r} of table {table!r} refers to {key.dest_table!r}, which is to "
                        "be made anew: drop that foreign key first"
                    )

    def _create(self, table: str) -> None:
        self.operations.create_table(table, TABLES[table])
        for columns in UNIQUE.get(table, []):
            self.operations.add_index(table, columns, unique=True)
        for columns in INDEXES.get(table, []):
            self.operations.add_index(table, columns)

    def _learn(self, table: str, owners: Owners) -> None:
        if table == "tenants":
            owners.tenants = {row[0] for row in self._query(f"SELECT id FROM {self.quote(table)}")}
        elif table == "agents":
            owners.agents = dict(self._query(f"SELECT id, tenant_id FROM {self.quote(table)}"))

    def _copy(self, table: str, owners: Owners) -> None:
        as_uuid = str if isinstance(self.database, peewee.PostgresqlDatabase) else _hex
        reader = Reader(table, owners, as_uuid=as_uuid)
        for batch in self._batches(_OLD + table):
            with self.database.atomic():
                self._copy_batch(reader, batch)

    def _copy_batch(self, reader: Reader, batch: list[dict[str, Any]]) -> None:
        table = reader.table
        rows: dict[str, list[Any]] = {}
        aside: dict[str, str] = {}
        whose: dict[str, str | None] = {}
        for old in batch:
            key = _key(old)
            whose[key] = self._tenant_of(table, old)
            try:
                rows[key], changes = reader.read(old)
                if changes:
                    aside[key] = "changed: " + "; ".join(changes)
            except ValueError as exc:
                aside[key] = f"not carried over: {exc}{_hash_of(table, old)}"
        names = [column.name for column in reader.columns]
        done = self._present(table, names, rows)
        waiting = {key: row for key, row in rows.items() if key not in done}
        for key, reason in self._insert(table, names, waiting).items():
            aside[key] = f"not carried over: {reason}"
        known = self._known(table, list(aside))
        for key in aside.keys() - known:
            self._query_done(
                f"INSERT INTO {self.quote(SET_ASIDE)} VALUES ({self._marks(4)})",
                (table, key, aside[key][:1000], whose[key]),
            )

    def _tenant_of(self, table: str, old: dict[str, Any]) -> str | None:
        """Return whose an old row is, whether or not there is such a tenant."""
        tenant = old.get("id" if table == "tenants" else "tenant_id")
        if table == "agents":
            self.agents[str(old.get("id"))] = tenant
        found = tenant or self.agents.get(str(old.get("agent_id")))
        return None if found is None else str(found)[:50]

    def _insert(self, table: str, names: list[str], rows: dict[str, list[Any]]) -> dict[str, str]:
        """Insert rows; return why some could not be."""
        if not rows:
            return {}
        sql = f"INSERT INTO {self.quote(table)} ({self.quote(*names)}) VALUES "
        group = f"({self._marks(len(names))})"
        try:
            with self.database.atomic():
                values = [value for row in rows.values() for value in row]
                self._query_done(sql + ", ".join([group] * len(rows)), values)
        except (ConnectionLostError, PoolTimeoutError):
            raise
        except peewee.PeeweeException as exc:
            if len(rows) == 1:
                return dict.fromkeys(rows, reason_of(exc))
        else:
            return {}
        refused: dict[str, str] = {}
        for key, row in rows.items():
            refused |= self._insert(table, names, {key: row})
        return refused

    def _present(self, table: str, names: list[str], rows: dict[str, list[Any]]) -> set[str]:
        """Return which rows an earlier run has copied."""
        place = names.index("id" if "id" in names else "agent_id")
        wanted = {str(row[place]): key for key, row in rows.items()}
        if not wanted:
            return set()
        marks = self._marks(len(wanted))
        sql = f"SELECT {names[place]} FROM {self.quote(table)} WHERE {names[place]} IN ({marks})"
        return {wanted[_text(row[0], wanted)] for row in self._query(sql, list(wanted))}

    def _known(self, table: str, keys: list[str]) -> set[str]:
        if not keys:
            return set()
        sql = (
            f"SELECT row_key FROM {self.quote(SET_ASIDE)} WHERE table_name = {self._marks(1)} AND row_key IN "
        )
        return {row[0] for row in self._query(f"{sql}({self._marks(len(keys))})", [table, *keys])}

    def _finish(self, table: str) -> None:
        old, quote = _OLD + table, self.quote
        rows, carried = self._count(old), self._count(table)
        sql = f"SELECT reason FROM {quote(SET_ASIDE)} WHERE table_name = {self._marks(1)}"
        reasons = [row[0] for row in self._query(sql, (table,))]
        aside = sum(reason.startswith("not") for reason in reasons)
        if rows > carried + aside:
            raise MigrationError(
                f"table {table!r}: of {rows} rows {carried} were carried over and {aside} set aside: stop "
                "the programs that write to it, and run again"
            )
        line = f"adopted {table}: {rows} rows, {carried} carried over, {aside} set aside"
        if homeless := self._homeless(table):
            line += f"; columns without a place: {', '.join(homeless)}"
        clear = [name for name in CLEAR_KEYS if table == "api_keys" and name in self._columns(old)]
        if clear:
            self.operations.forget_thoroughly()
            self.lines.append(
                f"warning: {rows} API keys stood in clear text and are hashes now; a copy of the database "
                "made before still holds them: keep it safe, or delete it"
            )
        if reasons or homeless:
            for name in clear:
                # A unique column: the row's own id takes the key's place.
                self._query_done(f"UPDATE {quote(old)} SET {quote(name)} = id")
            self.operations.emit(f"ALTER TABLE {quote(old)} RENAME TO {quote(self._free_name(table))}")
            line += f"; the old table is {self._free_name(table)}"
        else:
            self.operations.emit(f"DROP TABLE {quote(old)}")
        self.lines.insert(0, line)

    def _homeless(self, table: str) -> list[str]:
        """Return the old columns that hold something and have no place."""
        extra = self._columns(_OLD + table) - self._columns(table) - set(CLEAR_KEYS)
        if table == "agent_active_states":
            extra -= {"id"}
        some = f"SELECT 1 FROM {self.quote(_OLD + table)} WHERE {{}} IS NOT NULL LIMIT 1"
        return [name for name in sorted(extra) if self._query(some.format(self.quote(name)))]

    def _free_name(self, table: str) -> str:
        names = (f"{_LEGACY}{table}{suffix}" for suffix in ("", *(f"_{n}" for n in range(2, 100))))
        return next(name for name in names if name not in self.there)

    def _batches(self, table: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of a table, page by page where it has an id."""
        quoted, last = self.quote(table), None
        key = "rowid" if isinstance(self.database, peewee.SqliteDatabase) else "id"
        if key == "id" and "id" not in self._columns(table):
            yield self._rows(f"SELECT * FROM {quoted}", ())
            return
        while True:
            after = "" if last is None else f"WHERE {key} > {self._marks(1)} "
            sql = (
                f"SELECT {key} AS maimdb_place, {quoted}.* FROM {quoted} {after}ORDER BY {key} LIMIT {_ROWS}"
            )
            rows = self._rows(sql, () if last is None else (last,))
            if not rows:
                return
            last = rows[-1]["maimdb_place"]
            yield rows

    def _rows(self, sql: str, params: Any) -> list[dict[str, Any]]:
        cursor = self.operations.query(sql, params)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _count(self, table: str) -> int:
        return int(self._query(f"SELECT COUNT(*) FROM {self.quote(table)}")[0][0])

    def _query(self, sql: str, params: Any = ()) -> list[Any]:
        return list(self.operations.query(sql, params).fetchall())

    def _query_done(self, sql: str, params: Any = ()) -> None:
        self.operations.query(sql, params)

    def _marks(self, count: int) -> str:
        return ", ".join([self.database.param] * count)


def _hex(value: uuid.UUID) -> str:
    return value.hex


def _text(value: Any, wanted: dict[str, str]) -> str:
    """Return a key as it was asked for: PostgreSQL hands out UUIDs."""
    return value if value in wanted else str(value)


def _key(old: dict[str, Any]) -> str:
    """Return what a row is known by."""
    key = old.get("id")
    return str(key if key is not None else f"{old.get('tenant_id')} {old.get('agent_id')}")[:191]


def _hash_of(table: str, old: dict[str, Any]) -> str:
    """Return what is to be remembered of a key whose text is not kept."""
    if table != "api_keys":
        return ""
    try:
        return f" (SHA-256 of the key: {old.get('key_hash') or digest_of(old)})"
    except UnplacedError:
        return ""
