"""PostgreSQL."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, ClassVar, Final

from maimdb.core.migrations.operations import PATIENCE, Operations

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK: Final = 0x6D61696D6462
"""The number of the advisory lock: "maimdb" in ASCII."""


class PostgresqlOperations(Operations):
    """The lock is the transaction's, so it holds behind a transaction pooler and ends with the process."""

    drops_indexes: ClassVar = True
    types: ClassVar = {
        "text": "TEXT",
        "moment": "TIMESTAMP(6)",
        "uuid": "UUID",
        "flag": "BOOLEAN",
        "bigint": "BIGINT",
        "double": "DOUBLE PRECISION",
    }

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Open a transaction that no other process's changes of the schema run beside."""
        with super().transaction():
            self._run(f"SET LOCAL lock_timeout = '{PATIENCE}s'")
            self._run(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield

    def set_table_aside(self, name: str, new: str) -> None:
        """Rename a table and its indexes, whose names are the schema's."""
        sql = "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = %s"
        for number, (index,) in enumerate(sorted(self._run(sql, (name,)).fetchall())):
            self.emit(f"ALTER INDEX {self.quote(index)} RENAME TO {self.quote(f'{new}_{number}')}")
        super().set_table_aside(name, new)

    def _change_null(self, table: str, name: str, *, null: bool) -> None:
        change = "DROP" if null else "SET"
        self.emit(f"ALTER TABLE {self.quote(table)} ALTER COLUMN {self.quote(name)} {change} NOT NULL")

    def _is_primary(self, index: str) -> bool:
        return index.endswith("_pkey")

    def _type(self, table: str, name: str) -> str:
        sql = (
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attname = %s"
        )
        return str(self._run(sql, (self.quote(table), name)).fetchone()[0])

    def _constraints(self, table: str) -> dict[str, str]:
        sql = "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass"
        return {row[0]: "" for row in self._run(sql, (self.quote(table),)).fetchall()}
