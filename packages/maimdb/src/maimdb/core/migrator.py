"""Schema changes by hand: collected first, then run together, and harmless to run again.

    migrator = database.migrator()
    migrator.add_column("tenants", "new_field", CharField(null=True))
    migrator.run()

Each change looks at the schema first: what is there already is left alone, what is otherwise is an error.
Changes that every installation needs are versions: see `maimdb.core.migrations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import peewee

from maimdb.core.errors import ConnectionLostError, MigrationError, PoolTimeoutError
from maimdb.core.migrations.engines import operations_for
from maimdb.core.migrations.operations import index_name, reason_of
from maimdb.core.scope import system_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from maimdb.core.migrations.operations import Operations


@dataclass(frozen=True, slots=True)
class _Change:
    """A collected change."""

    text: str
    make: Callable[[Operations], None]
    renames: tuple[str, str, str] | None = None
    """Table, old and new column; or "", old and new table."""


class Migrator:
    """A list of schema changes for one database."""

    def __init__(self, database: peewee.Database) -> None:
        self.database = database
        self._changes: list[_Change] = []

    def add_column(self, table: str, name: str, field: peewee.Field) -> None:
        """Add a column; one that may not be NULL needs a default, which the present rows get."""
        if not field.null and field.default is None:
            raise MigrationError(f"column {name!r} may not be NULL: give the field a default or null=True")
        if isinstance(field, peewee.ForeignKeyField) and not isinstance(field.rel_field, peewee.Field):
            raise MigrationError(
                f"column {name!r} refers to no field: ForeignKeyField(Model, field=Model.id)"
            )

        def make(schema: Operations) -> None:
            current = self._current(schema, table)
            if self._renamed(schema, current, name) != name:
                return
            missing = name not in schema.table(current).columns
            default = field.default() if callable(field.default) else field.default
            value = field.db_value(default)  # type: ignore[no-untyped-call]
            schema.add_column(current, name, self._kind(field), null=field.null, default=value)
            if not missing:
                return
            if isinstance(field, peewee.ForeignKeyField):
                schema.add_constraint(current, f"{current}_{name}_fk", _foreign_key(schema, name, field))
            if field.index or field.unique:
                schema.add_index(current, (name,), unique=field.unique)

        self._collect(f"add column {table}.{name}", make)

    def drop_column(self, table: str, name: str) -> None:
        """Drop a column, what it holds, and the indexes that it is part of."""
        self._collect(
            f"drop column {table}.{name}",
            lambda schema: schema.drop_column(self._current(schema, table), name),
        )

    def rename_column(self, table: str, old: str, new: str) -> None:
        """Rename a column."""

        def make(schema: Operations) -> None:
            current = self._current(schema, table)
            if old in schema.table(current).columns:
                schema.rename_column(current, old, new)
            elif self._renamed(schema, current, new) == new:
                schema.require(current, new)

        self._collect(f"rename column {table}.{old} to {new}", make, (table, old, new))

    def add_not_null(self, table: str, name: str) -> None:
        """Forbid NULL in a column."""
        self._set_null(f"add NOT NULL to {table}.{name}", table, name, null=False)

    def drop_not_null(self, table: str, name: str) -> None:
        """Allow NULL in a column."""
        self._set_null(f"drop NOT NULL of {table}.{name}", table, name, null=True)

    def add_index(
        self, table: str, columns: Sequence[str], *, unique: bool = False, name: str | None = None
    ) -> None:
        """Index columns, under the name that Peewee would give."""
        index = name or index_name(table, tuple(columns))
        self._collect(
            f"add index {index}",
            lambda schema: schema.add_index(self._current(schema, table), columns, unique=unique, name=index),
        )

    def drop_index(self, table: str, name: str) -> None:
        """Drop an index."""
        self._collect(
            f"drop index {name}", lambda schema: schema.drop_index(self._current(schema, table), name)
        )

    def rename_table(self, old: str, new: str) -> None:
        """Rename a table."""

        def make(schema: Operations) -> None:
            schema.rename_table(old, new if schema.has_table(old) else self._current(schema, new))

        self._collect(f"rename table {old} to {new}", make, ("", old, new))

    def run(self) -> list[str]:
        """Run the changes in order and return those that were needed; the list is empty afterwards.

        PostgreSQL and SQLite undo all of them if one fails; MySQL cannot.

        Raises:
            MigrationError: a change cannot be made.
        """
        done: list[str] = []
        schema = operations_for(self.database)
        try:
            with system_scope(reason="schema change"), schema.exclusive(), schema.transaction():
                while self._changes:
                    change, before = self._changes[0], len(schema.statements)
                    change.make(schema)
                    if len(schema.statements) > before:
                        done.append(change.text)
                    self._changes.pop(0)
        except (ConnectionLostError, PoolTimeoutError):
            raise
        except (peewee.PeeweeException, MigrationError, ValueError) as exc:
            kept = () if schema.transactional else tuple(done)
            text = self._changes[0].text if self._changes else "end"
            self._changes.clear()
            state = f"stay done: {', '.join(kept)}" if kept else "nothing was changed"
            raise MigrationError(
                f"cannot {text}: {reason_of(exc)} ({state})", operation=text, done=kept
            ) from exc
        return done

    def _collect(
        self,
        text: str,
        make: Callable[[Operations], None],
        renames: tuple[str, str, str] | None = None,
    ) -> None:
        self._changes.append(_Change(text, make, renames))

    def _set_null(self, text: str, table: str, name: str, *, null: bool) -> None:
        def make(schema: Operations) -> None:
            current = self._current(schema, table)
            schema.set_null(current, self._renamed(schema, current, name), null=null)

        self._collect(text, make)

    def _current(self, schema: Operations, table: str) -> str:
        """Return the table's name, or the one that a later change of this list has given it already."""
        for change in self._changes:
            if change.renames and change.renames[:2] == ("", table) and not schema.has_table(table):
                table = change.renames[2]
        return table

    def _renamed(self, schema: Operations, table: str, column: str) -> str:
        """Return the column's name, or the one that a later change of this list has given it already."""
        columns = schema.table(table).columns
        name = column
        for change in self._changes:
            if name not in columns and change.renames:
                owner, old, new = change.renames
                if owner and self._current(schema, owner) == table and old == name:
                    name = new
        return name if name in columns else column

    def _kind(self, field: peewee.Field) -> str:
        """Return the field's type and what else its definition says, but for NULL."""
        column = field.clone()
        column.name = column.column_name = "x"
        column.null = True
        context = self.database.get_sql_context()
        sql, _ = context.sql(column.ddl(context)).query()  # type: ignore[no-untyped-call]
        return str(sql).partition(" ")[2].replace("{", "{{").replace("}", "}}")


def _foreign_key(schema: Operations, name: str, field: Any) -> str:
    target = schema.quote(field.rel_model._meta.table_name)  # noqa: SLF001 - Peewee's way to ask
    rules = "".join(
        f" ON {event} {rule}"
        for event, rule in (("DELETE", field.on_delete), ("UPDATE", field.on_update))
        if rule
    )
    column = schema.quote(field.rel_field.column_name)
    return f"FOREIGN KEY ({schema.quote(name)}) REFERENCES {target} ({column}){rules}"
