"""Schema changes by hand: collected first, then run together, and harmless to run again.

    migrator = database.migrator()
    migrator.add_column("tenants", "new_field", CharField(null=True))
    migrator.run()

Each change looks at the schema first: what is there already is left alone, what is otherwise is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import peewee
from playhouse import migrate  # type: ignore[import-untyped]

from maimdb.core.errors import ConnectionLostError, MigrationError, PoolTimeoutError
from maimdb.core.scope import system_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PROBE: Final = "maimdb_type_probe"


class _MysqlMigrator(migrate.MySQLMigrator):  # type: ignore[misc]
    """Playhouse's, without losing a column's DEFAULT, CHECK, character set and comment."""

    @migrate.operation  # type: ignore[untyped-decorator]
    def rename_column(self, table: str, old_name: str, new_name: str) -> Any:
        return migrate.SchemaMigrator.rename_column(self, table, old_name, new_name)

    @migrate.operation  # type: ignore[untyped-decorator]
    def add_not_null(self, table: str, column: str) -> Any:
        definition = re.sub(r" DEFAULT NULL\b", "", self._definition(table, column))
        return peewee.SQL(f"ALTER TABLE `{table}` MODIFY {definition} NOT NULL")

    @migrate.operation  # type: ignore[untyped-decorator]
    def drop_not_null(self, table: str, column: str) -> Any:
        # A quoted text (a default, a comment) may hold the same words: it is matched first and kept.
        definition = re.sub(
            r"('(?:[^'\\]|''|\\.)*')|( NOT NULL)",
            lambda found: found[1] or "",
            self._definition(table, column),
        )
        return peewee.SQL(f"ALTER TABLE `{table}` MODIFY {definition} NULL")

    def _definition(self, table: str, column: str) -> str:
        create = self.database.execute_sql(f"SHOW CREATE TABLE `{table}`").fetchone()[1]
        for line in create.splitlines():
            if line.strip().startswith(f"`{column}` "):
                return str(line.strip().removesuffix(",")).replace("%", "%%")
        raise MigrationError(f"table {table!r} has no column {column!r}")


@dataclass(frozen=True, slots=True)
class _Change:
    """A collected change: `plan` looks at the schema and returns what is to be run, or None."""

    text: str
    plan: Callable[[], Any]
    renames: tuple[str, str, str] | None = None
    """Table, old and new column; or "", old and new table."""


class Migrator:
    """A list of schema changes for one database."""

    def __init__(self, database: peewee.Database) -> None:
        self.database = database
        self._changes: list[_Change] = []
        kind = (
            _MysqlMigrator
            if isinstance(database, peewee.MySQLDatabase)
            else migrate.SchemaMigrator.from_database
        )
        self._migrator: Any = kind(database)

    def add_column(self, table: str, name: str, field: peewee.Field) -> None:
        """Add a column; one that may not be NULL needs a default, which the present rows get."""
        if not field.null and field.default is None:
            raise MigrationError(f"column {name!r} may not be NULL: give the field a default or null=True")

        def plan() -> Any:
            current = self._current(table)
            columns = self._columns(current)
            if self._renamed(current, name) != name:
                return None
            if name not in columns:
                return self._migrator.add_column(current, name, field)
            there, wanted = self._type(current, name), self._wanted_type(field)
            if there != wanted:
                raise MigrationError(
                    f"column {name!r} of table {table!r} exists as {there}, not as {wanted}: "
                    "drop or rename it first, or change the field"
                )
            return None

        self._collect(f"add column {table}.{name}", plan)

    def drop_column(self, table: str, name: str) -> None:
        """Drop a column and what it holds."""

        def plan() -> Any:
            current = self._current(table)
            return self._migrator.drop_column(current, name) if name in self._columns(current) else None

        self._collect(f"drop column {table}.{name}", plan)

    def rename_column(self, table: str, old: str, new: str) -> None:
        """Rename a column."""

        def plan() -> Any:
            current = self._current(table)
            columns = self._columns(current)
            if old in columns and new in columns:
                raise MigrationError(f"table {table!r} has both {old!r} and {new!r}: drop one first")
            if old in columns:
                return self._migrator.rename_column(current, old, new)
            self._require(current, self._renamed(current, new))
            return None

        self._collect(f"rename column {table}.{old} to {new}", plan, (table, old, new))

    def add_not_null(self, table: str, name: str) -> None:
        """Forbid NULL in a column."""
        self._collect(f"add NOT NULL to {table}.{name}", lambda: self._plan_null(table, name, null=False))

    def drop_not_null(self, table: str, name: str) -> None:
        """Allow NULL in a column."""
        self._collect(f"drop NOT NULL of {table}.{name}", lambda: self._plan_null(table, name, null=True))

    def add_index(
        self, table: str, columns: Sequence[str], *, unique: bool = False, name: str | None = None
    ) -> None:
        """Index columns, under the name that Peewee would give."""
        index = name or migrate.make_index_name(table, columns)

        def plan() -> Any:
            current = self._current(table)
            there = self._indexes(current).get(index)
            if there is None:
                return self._migrator.add_index(current, tuple(columns), unique, name=index)
            if (list(there.columns), bool(there.unique)) != (list(columns), unique):
                raise MigrationError(f"index {index!r} exists with other columns: drop it first")
            return None

        self._collect(f"add index {index}", plan)

    def drop_index(self, table: str, name: str) -> None:
        """Drop an index."""

        def plan() -> Any:
            current = self._current(table)
            return self._migrator.drop_index(current, name) if name in self._indexes(current) else None

        self._collect(f"drop index {name}", plan)

    def rename_table(self, old: str, new: str) -> None:
        """Rename a table."""

        def plan() -> Any:
            tables = set(self.database.get_tables())
            if old in tables and new in tables:
                raise MigrationError(f"there are both tables {old!r} and {new!r}: drop one first")
            if old in tables:
                return self._migrator.rename_table(old, new)
            self._columns(self._current(new))
            return None

        self._collect(f"rename table {old} to {new}", plan, ("", old, new))

    def run(self) -> list[str]:
        """Run the changes in order and return those that were needed; the list is empty afterwards.

        PostgreSQL and SQLite undo all of them if one fails; MySQL cannot.

        Raises:
            MigrationError: a change cannot be made.
        """
        done: list[str] = []
        transactional = self._migrator.transactional_ddl
        try:
            with system_scope(reason="schema change"), self._migrator.migration_context():
                triggers = self._triggers()
                while self._changes:
                    change = self._changes[0]
                    operation = change.plan()
                    if operation is not None:
                        operation.run()
                        done.append(change.text)
                    self._changes.pop(0)
                self._restore(triggers)
        except (ConnectionLostError, PoolTimeoutError):
            raise
        except (peewee.PeeweeException, MigrationError, ValueError, AttributeError) as exc:
            kept = () if transactional else tuple(done)
            text = self._changes[0].text if self._changes else "end"
            self._changes.clear()
            reason = " ".join(str(exc.args[-1] if exc.args else exc).split())
            state = f"stay done: {', '.join(kept)}" if kept else "nothing was changed"
            raise MigrationError(f"cannot {text}: {reason} ({state})", operation=text, done=kept) from exc
        return done

    def _run(self, sql: str, params: Any = ()) -> Any:
        return self.database.execute_sql(sql, params)  # type: ignore[no-untyped-call]

    def _collect(
        self, text: str, plan: Callable[[], Any], renames: tuple[str, str, str] | None = None
    ) -> None:
        self._changes.append(_Change(text, plan, renames))

    def _current(self, table: str) -> str:
        """Return the table's name, or the one that a later change of this list has given it already."""
        tables = set(self.database.get_tables())
        for change in self._changes:
            if table not in tables and change.renames and change.renames[:2] == ("", table):
                table = change.renames[2]
        return table

    def _renamed(self, table: str, column: str) -> str:
        """Return the column's name, or the one that a later change of this list has given it already."""
        columns = self._columns(table)
        name = column
        for change in self._changes:
            if name not in columns and change.renames:
                owner, old, new = change.renames
                if owner and self._current(owner) == table and old == name:
                    name = new
        return name if name in columns else column

    def _columns(self, table: str) -> dict[str, Any]:
        if table not in self.database.get_tables():
            raise MigrationError(f"there is no table {table!r}: create it first")
        return {column.name: column for column in self.database.get_columns(table)}

    def _require(self, table: str, name: str) -> Any:
        column = self._columns(table).get(name)
        if column is None:
            raise MigrationError(f"table {table!r} has no column {name!r}")
        return column

    def _indexes(self, table: str) -> dict[str, Any]:
        self._columns(table)
        return {index.name: index for index in self.database.get_indexes(table)}

    def _plan_null(self, table: str, name: str, *, null: bool) -> Any:
        current = self._current(table)
        column = self._require(current, self._renamed(current, name))
        if bool(column.null) == null:
            return None
        change = self._migrator.drop_not_null if null else self._migrator.add_not_null
        return change(current, column.name)

    def _type(self, table: str, name: str) -> str:
        """Return a column's type in the database's own words."""
        quote = self.database.quote[0]
        if isinstance(self.database, peewee.PostgresqlDatabase):
            sql = (
                "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
                "WHERE attrelid = %s::regclass AND attname = %s"
            )
            return str(self._run(sql, (f'"{table}"', name)).fetchone()[0])
        if isinstance(self.database, peewee.MySQLDatabase):
            rows = self._run(f"SHOW COLUMNS FROM {quote}{table}{quote}").fetchall()
            return str(next(row[1] for row in rows if row[0] == name)).lower()
        rows = self._run(f'PRAGMA table_info("{table}")').fetchall()
        return str(next(row[2] for row in rows if row[1] == name)).upper()

    def _wanted_type(self, field: peewee.Field) -> str:
        """Return the field's type in the database's own words: a temporary table tells."""
        column = field.clone()
        column.name = column.column_name = "probe"
        context = self.database.get_sql_context()
        sql, params = context.sql(column.ddl_datatype(context)).query()  # type: ignore[no-untyped-call]
        quote = self.database.quote[0]
        probe = f"{quote}{_PROBE}{quote}"
        self._run(f"CREATE TEMPORARY TABLE {probe} (probe {sql})", params)
        try:
            return self._type(_PROBE, "probe")
        finally:
            self._run(f"DROP TABLE {probe}")

    def _triggers(self) -> dict[str, tuple[str, str]]:
        """Return SQLite's triggers by name: a table that Playhouse rebuilds loses them."""
        if not isinstance(self.database, peewee.SqliteDatabase):
            return {}
        rows = self._run("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
        return {name: (table, sql) for name, table, sql in rows.fetchall()}

    def _restore(self, triggers: dict[str, tuple[str, str]]) -> None:
        there = self._triggers()
        tables = set(self.database.get_tables()) if triggers.keys() - there.keys() else set()
        for name in triggers.keys() - there.keys():
            table, sql = triggers[name]
            if table in tables:
                self._run(sql)
