"""Changes to a schema: each looks first, and is made only if it is not there yet.

A version's `up` and `down` are given an `Operations`; `database.migrator()` is built on the same.
"""

# ruff: noqa: S608 - every name and value is quoted

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from decimal import Decimal
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Final, ParamSpec

from playhouse import migrate  # type: ignore[import-untyped]

from maimdb.core.errors import MigrationError
from maimdb.core.migrations import definitions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import peewee

P = ParamSpec("P")

index_name: Callable[[str, tuple[str, ...]], str] = migrate.make_index_name
"""Returns the name that Peewee gives an index of a table's columns."""
_PROBE: Final = "maimdb_type_probe"
PATIENCE: Final = 60.0
"""Seconds to wait for another process that changes the schema."""


@dataclass(slots=True)
class Table:
    """What a table has, and what the statements of a dry run would have given it."""

    columns: dict[str, bool]
    """By name, whether it may be NULL."""
    indexes: dict[str, tuple[list[str], bool]]
    """By name, the columns and whether it is unique."""
    constraints: dict[str, str] = field(default_factory=dict)
    """By name; with the text of a CHECK that MySQL must be told again."""
    definitions: dict[str, str] = field(default_factory=dict)
    """By column, what MySQL must be told again when it changes the column."""


def _step(
    change: Callable[Concatenate[Operations, P], None],
) -> Callable[Concatenate[Operations, P], None]:
    """Count a change; leave out those that a run has made before it was stopped."""

    @wraps(change)
    def counted(self: Operations, /, *args: P.args, **kwargs: P.kwargs) -> None:
        self.steps += 1
        if self.steps <= self.done:
            return
        if self.mark is None:
            change(self, *args, **kwargs)
            return
        # A change of rows and its mark are one transaction, which a change of the schema ends.
        with self.database.atomic():
            change(self, *args, **kwargs)
            self.mark(self.steps)

    return counted


class Operations(ABC):
    """The changes that an engine can make."""

    transactional: ClassVar[bool] = True
    """Whether a transaction undoes changes of the schema."""
    opening: ClassVar[tuple[str, ...]] = ("BEGIN",)
    closing: ClassVar[tuple[str, ...]] = ("COMMIT",)
    """What a dry run prints around the statements of a version."""
    drops_indexes: ClassVar[bool] = False
    """Whether a column that is dropped takes with it the indexes that it is part of."""
    table_options: ClassVar[str] = ""
    types: ClassVar[dict[str, str]]
    """What `{text}`, `{moment}`, `{uuid}`, `{flag}`, `{bigint}`, `{double}` stand for in `create_table`."""

    def __init__(self, database: peewee.Database, *, dry_run: bool = False) -> None:
        self.database: Any = database
        self.dry_run = dry_run
        self.statements: list[str] = []
        """What was executed, or would be."""
        self.steps = 0
        self.done = 0
        """How many steps an earlier run has made."""
        self.mark: Callable[[int], None] | None = None
        """Called after each step, where a run that was killed has to find its place."""
        self._planned: dict[str, Table | None] = {}

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other processes from changing the schema, on a connection that is kept until the end."""
        opened = self.database.is_closed() and self.database.connect()
        try:
            yield
        finally:
            if opened:
                self.database.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Open a transaction where one undoes changes of the schema."""
        with self.database.atomic():
            yield

    def emit(self, sql: str) -> None:
        """Execute a statement without parameters, unless this is a dry run."""
        self.statements.append(sql)
        if not self.dry_run:
            self._run(sql if self.database.param == "?" else sql.replace("%", "%%"))

    def query(self, sql: str, params: Any = ()) -> Any:
        """Execute a statement with parameters, now; return its cursor."""
        return self._run(sql, params)

    def set_table_aside(self, name: str, new: str) -> None:
        """Rename a table so that another can have its name and those of its indexes."""
        self.emit(f"ALTER TABLE {self.quote(name)} RENAME TO {self.quote(new)}")
        self._plan(name, None)

    def forget_thoroughly(self) -> None:  # noqa: B027 - a server's files are the server's business
        """Overwrite what is deleted from now on."""

    def quote(self, *names: str) -> str:
        """Return names, quoted, with commas between."""
        mark = self.database.quote[0]
        return ", ".join(f"{mark}{name.replace(mark, mark * 2)}{mark}" for name in names)

    def literal(self, value: Any) -> str:
        """Return a value as SQL."""
        if value is None or isinstance(value, bool):
            return str(value).upper().replace("NONE", "NULL")
        if isinstance(value, int | float | Decimal):
            return str(value)
        if isinstance(value, str | uuid.UUID | dt.date | dt.time):
            return f"'{self._escaped(str(value))}'"
        raise MigrationError(f"{value!r} cannot be a default: use a text, a number, a flag or a moment")

    def table(self, name: str) -> Table:
        """Return what a table has.

        Raises:
            MigrationError: there is no such table.
        """
        found = self._planned.get(name) if name in self._planned else self._read(name)
        if found is None:
            raise MigrationError(f"there is no table {name!r}: create it first")
        self._plan(name, found)
        return found

    def has_table(self, name: str) -> bool:
        """Whether there is a table of this name."""
        if name in self._planned:
            return self._planned[name] is not None
        return name in self.database.get_tables()

    @_step
    def execute(self, sql: str) -> None:
        """Execute a statement that changes rows; on MySQL it and its mark are one transaction."""
        self.emit(sql)

    @_step
    def create_table(self, name: str, body: str) -> None:
        """Create a table; one that is there already must have the columns."""
        body = body.format_map(self.types)
        items = {definitions.column_name(item): item.strip() for item in definitions.parse(body).items}
        columns = {name: item for name, item in items.items() if name is not None}
        if self.has_table(name):
            if lacking := [column for column in columns if column not in self.table(name).columns]:
                raise MigrationError(
                    f"table {name!r} exists without {', '.join(lacking)}: it is of another version or program"
                )
            return
        self.emit(f"CREATE TABLE {self.quote(name)} ({body}){self.table_options}")
        nullable = {column: definitions.without_not_null(item) == item for column, item in columns.items()}
        self._plan(
            name, Table(nullable, {}, definitions={c: item[len(c) :].strip() for c, item in columns.items()})
        )

    @_step
    def require_empty(self, *names: str) -> None:
        """Raise if one of several tables, which are to be dropped next, has rows."""
        for name in names:
            if self.has_table(name):
                self._refuse_rows(name)

    @_step
    def drop_table(self, name: str) -> None:
        """Drop a table that has no rows."""
        if not self.has_table(name):
            return
        self._refuse_rows(name)
        self.emit(f"DROP TABLE {self.quote(name)}")
        self._plan(name, None)

    @_step
    def rename_table(self, old: str, new: str) -> None:
        """Rename a table."""
        if self.has_table(old) and self.has_table(new):
            raise MigrationError(f"there are both tables {old!r} and {new!r}: drop one first")
        if not self.has_table(old):
            self.table(new)
            return
        table = self.table(old)
        self.emit(f"ALTER TABLE {self.quote(old)} RENAME TO {self.quote(new)}")
        self._plan(new, table)
        self._plan(old, None)

    @_step
    def add_column(self, table: str, name: str, kind: str, *, null: bool = True, default: Any = None) -> None:
        """Add a column; one that may not be NULL needs a default, which the present rows get."""
        if not null and default is None:
            raise MigrationError(f"column {name!r} may not be NULL: give the field a default or null=True")
        kind = kind.format_map(self.types)
        quoted, column = self.quote(table), self.quote(name)
        there = self.table(table)
        if name not in there.columns:
            self.emit(f"ALTER TABLE {quoted} ADD COLUMN {column} {kind}")
            there.columns[name], there.definitions[name] = True, kind
        elif not self.dry_run and self._type(table, name) != (wanted := self._canonical(kind)):
            raise MigrationError(
                f"column {name!r} of table {table!r} exists as {self._type(table, name)}, not as {wanted}: "
                "drop or rename it first, or change the field"
            )
        if not null and self.table(table).columns[name]:
            self.emit(f"UPDATE {quoted} SET {column} = {self.literal(default)} WHERE {column} IS NULL")
            self._change_null(table, name, null=False)
            there.columns[name] = False

    @_step
    def drop_column(self, table: str, name: str) -> None:
        """Drop a column, what it holds, the indexes that it is part of and, on servers, its CHECKs."""
        there = self.table(table)
        if name not in there.columns:
            return
        self._free_column(table, name)
        for index in [index for index, (columns, _) in there.indexes.items() if name in columns]:
            if self.drops_indexes:
                del there.indexes[index]
            else:
                self._drop_index(table, index)
        self.emit(f"ALTER TABLE {self.quote(table)} DROP COLUMN {self.quote(name)}")
        del there.columns[name]

    @_step
    def rename_column(self, table: str, old: str, new: str) -> None:
        """Rename a column."""
        there = self.table(table)
        if old in there.columns and new in there.columns:
            raise MigrationError(f"table {table!r} has both {old!r} and {new!r}: drop one first")
        if old not in there.columns:
            self.require(table, new)
            return
        self.emit(self._rename_column_sql(table, old, new))
        there.columns[new] = there.columns.pop(old)
        there.definitions[new] = there.definitions.pop(old, "")
        for columns, _ in there.indexes.values():
            columns[:] = [new if column == old else column for column in columns]

    @_step
    def set_null(self, table: str, name: str, *, null: bool) -> None:
        """Allow or forbid NULL in a column."""
        self.require(table, name)
        if self.table(table).columns[name] != null:
            self._change_null(table, name, null=null)
            self.table(table).columns[name] = null

    @_step
    def add_index(
        self, table: str, columns: Sequence[str], *, unique: bool = False, name: str | None = None
    ) -> None:
        """Index columns, under the name that Peewee would give."""
        index = name or index_name(table, tuple(columns))
        indexes = self.table(table).indexes
        if index not in indexes:
            kind = "UNIQUE INDEX" if unique else "INDEX"
            self.emit(f"CREATE {kind} {self.quote(index)} ON {self.quote(table)} ({self.quote(*columns)})")
            indexes[index] = (list(columns), unique)
        elif indexes[index] != (list(columns), unique):
            raise MigrationError(f"index {index!r} exists with other columns: drop it first")

    @_step
    def drop_index(self, table: str, name: str) -> None:
        """Drop an index."""
        if name in self.table(table).indexes:
            self._drop_index(table, name)

    @_step
    def add_constraint(self, table: str, name: str, text: str) -> None:
        """Add a CHECK, FOREIGN KEY or UNIQUE to a table."""
        constraints = self.table(table).constraints
        if name not in constraints:
            self._add_constraint(table, f"CONSTRAINT {self.quote(name)} {text}")
            constraints[name] = text

    @_step
    def drop_constraint(self, table: str, name: str) -> None:
        """Drop a constraint that has a name."""
        constraints = self.table(table).constraints
        if name in constraints:
            self._drop_constraint(table, name)
            del constraints[name]

    def require(self, table: str, name: str) -> None:
        """Raise unless a table has a column."""
        if name not in self.table(table).columns:
            raise MigrationError(f"table {table!r} has no column {name!r}")

    def _run(self, sql: str, params: Any = ()) -> Any:
        return self.database.execute_sql(sql, params)

    def _refuse_rows(self, name: str) -> None:
        if name not in self._planned and self._run(f"SELECT 1 FROM {self.quote(name)} LIMIT 1").fetchone():
            raise MigrationError(f"table {name!r} holds rows: move or delete them first")

    def _plan(self, name: str, table: Table | None) -> None:
        if self.dry_run:
            self._planned[name] = table

    def _read(self, name: str) -> Table | None:
        if name not in self.database.get_tables():
            return None
        return Table(
            self._columns(name),
            {
                index.name: (list(index.columns), bool(index.unique))
                for index in self.database.get_indexes(name)
                if not self._is_primary(index.name)
            },
            self._constraints(name),
            self._definitions(name),
        )

    def _is_primary(self, index: str) -> bool:
        return index == "PRIMARY"

    def _columns(self, table: str) -> dict[str, bool]:
        return {column.name: bool(column.null) for column in self.database.get_columns(table)}

    def _definitions(self, table: str) -> dict[str, str]:  # noqa: ARG002 - only MySQL has some
        return {}

    def _escaped(self, text: str) -> str:
        return text.replace("'", "''")

    def _canonical(self, kind: str) -> str:
        """Return a type in the database's own words: a temporary table tells."""
        probe = self.quote(_PROBE)
        self._run(f"CREATE TEMPORARY TABLE {probe} (probe {kind})".replace("%", "%%"))
        try:
            return self._type(_PROBE, "probe")
        finally:
            self._run(f"DROP TABLE {probe}")

    def _drop_index(self, table: str, name: str) -> None:
        self.emit(self._drop_index_sql(table, name))
        self.table(table).indexes.pop(name, None)

    def _drop_index_sql(self, table: str, name: str) -> str:  # noqa: ARG002 - MySQL asks for the table
        return f"DROP INDEX {self.quote(name)}"

    def _rename_column_sql(self, table: str, old: str, new: str) -> str:
        return f"ALTER TABLE {self.quote(table)} RENAME COLUMN {self.quote(old)} TO {self.quote(new)}"

    def _free_column(self, table: str, name: str) -> None:  # noqa: B027 - most engines have nothing to do
        """Drop what would keep a column from being dropped."""

    def _add_constraint(self, table: str, text: str) -> None:
        self.emit(f"ALTER TABLE {self.quote(table)} ADD {text}")

    def _drop_constraint(self, table: str, name: str) -> None:
        self.emit(f"ALTER TABLE {self.quote(table)} DROP CONSTRAINT {self.quote(name)}")

    @abstractmethod
    def _change_null(self, table: str, name: str, *, null: bool) -> None: ...

    @abstractmethod
    def _type(self, table: str, name: str) -> str:
        """Return a column's type in the database's own words."""

    @abstractmethod
    def _constraints(self, table: str) -> dict[str, str]:
        """Return a table's constraints."""


def reason_of(exc: Exception) -> str:
    """Return what an exception says, on one line."""
    return " ".join(str(exc.args[-1] if exc.args else exc).split())
