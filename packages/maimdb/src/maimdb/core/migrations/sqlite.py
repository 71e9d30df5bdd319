"""SQLite: what its ALTER TABLE cannot do, done by a table that takes the old one's place."""

# ruff: noqa: S608 - every name and value is quoted

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, ClassVar

from maimdb.core.errors import MigrationError
from maimdb.core.migrations import definitions
from maimdb.core.migrations.operations import Operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class SqliteOperations(Operations):
    """A rebuilt table keeps its triggers, its indexes, STRICT and WITHOUT ROWID, comments and AUTOINCREMENT.

    The write lock of the transaction keeps others out.
    """

    opening: ClassVar = ("PRAGMA foreign_keys = OFF", "BEGIN IMMEDIATE")
    closing: ClassVar = ("COMMIT", "PRAGMA foreign_keys = ON")
    types: ClassVar = {
        "text": "TEXT",
        "moment": "DATETIME(6)",
        "uuid": "TEXT",
        "flag": "INTEGER",
        "bigint": "INTEGER",
        "double": "REAL",
    }

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Open a transaction in which a dropped table takes no other's rows with it."""
        enforced = not self.database.in_transaction() and self.database.pragma("foreign_keys")
        if enforced:
            self._run("PRAGMA foreign_keys = OFF")
        try:
            with super().transaction():
                yield
        finally:
            if enforced:
                self._run("PRAGMA foreign_keys = ON")

    def set_table_aside(self, name: str, new: str) -> None:
        """Rename a table without its indexes; what refers to it goes on to refer to its name."""
        for index in [index.name for index in self.database.get_indexes(name) if index.sql]:
            self.emit(f"DROP INDEX {self.quote(index)}")
        self.emit("PRAGMA legacy_alter_table = ON")
        super().set_table_aside(name, new)
        self.emit("PRAGMA legacy_alter_table = OFF")

    def forget_thoroughly(self) -> None:
        """Overwrite what is deleted from now on."""
        self.emit("PRAGMA secure_delete = ON")

    def _change_null(self, table: str, name: str, *, null: bool) -> None:
        def edit(definition: definitions.Definition) -> None:
            at = definition.index_of(name)
            item = definition.items[at]
            definition.items[at] = definitions.without_not_null(item) if null else f"{item} NOT NULL"

        self._rebuild(table, edit)

    def _add_constraint(self, table: str, text: str) -> None:
        self._rebuild(table, lambda definition: definition.items.append(f" {text}"))
        if fault := self._run(f"PRAGMA foreign_key_check({self.quote(table)})").fetchone():
            raise MigrationError(f"rows of table {table!r} refer to rows that {fault[2]!r} does not have")

    def _drop_constraint(self, table: str, name: str) -> None:
        def edit(definition: definitions.Definition) -> None:
            definition.items = [
                item for item in definition.items if definitions.constraint_name(item) != name
            ]

        self._rebuild(table, edit)

    def _rebuild(self, table: str, edit: Callable[[definitions.Definition], Any]) -> None:
        if self.database.pragma("foreign_keys"):
            raise MigrationError(f"table {table!r} cannot be rebuilt inside a transaction: commit it first")
        create = self._create(table)
        definition = definitions.parse(create)
        edit(definition)
        new, old = f"maimdb_new_{table}", self.quote(table)
        kept = self._run(
            "SELECT sql FROM sqlite_master WHERE lower(tbl_name) = lower(?) AND type IN ('index', 'trigger') "
            "AND sql IS NOT NULL ORDER BY type, rowid",
            (table,),
        ).fetchall()
        stored = [
            row[1] for row in self._run(f"PRAGMA table_xinfo({old})").fetchall() if row[6] == 0
        ]  # the others are generated
        columns = self.quote(*stored)
        self.emit(f"CREATE TABLE {self.quote(new)} {definition}")
        self.emit(f"INSERT INTO {self.quote(new)} ({columns}) SELECT {columns} FROM {old}")
        if "AUTOINCREMENT" in create.upper():
            names = f"name = {self.literal(new)}", f"name = {self.literal(table)}"
            self.emit(f"DELETE FROM sqlite_sequence WHERE {names[0]}")
            self.emit(
                f"INSERT INTO sqlite_sequence (name, seq) SELECT {self.literal(new)}, seq "
                f"FROM sqlite_sequence WHERE {names[1]}"
            )
        self.emit(f"DROP TABLE {old}")
        # Triggers and views elsewhere name the table that is missing now; they are not to be looked at.
        self.emit("PRAGMA legacy_alter_table = ON")
        self.emit(f"ALTER TABLE {self.quote(new)} RENAME TO {old}")
        self.emit("PRAGMA legacy_alter_table = OFF")
        for (sql,) in kept:
            self.emit(sql)

    def _create(self, table: str) -> str:
        row = self._run(
            "SELECT sql FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(?)", (table,)
        ).fetchone()
        return str(row[0])

    def _columns(self, table: str) -> dict[str, bool]:
        # Peewee's list leaves out what is generated.
        rows = self._run(f"PRAGMA table_xinfo({self.quote(table)})").fetchall()
        return {row[1]: not row[3] for row in rows}

    def _is_primary(self, index: str) -> bool:
        return index.startswith("sqlite_autoindex_")

    def _type(self, table: str, name: str) -> str:
        rows = self._run(f"PRAGMA table_info({self.quote(table)})").fetchall()
        return str(next(row[2] for row in rows if row[1] == name)).upper()

    def _constraints(self, table: str) -> dict[str, str]:
        names = map(definitions.constraint_name, definitions.parse(self._create(table)).items)
        return {name: "" for name in names if name}
