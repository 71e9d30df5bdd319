"""A tenant's rows, encoded, checked against a database, compared with what it has, and written."""

# ruff: noqa: S608 - every name is quoted, every value a parameter

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.bulk import insert_columns
from maimdb.core.errors import TransferError
from maimdb.core.migrations.engines import operations_for
from maimdb.core.transfer.columns import (
    are_ordinary,
    bounds_of,
    encode_rows,
    longest_of,
    parameters,
)
from maimdb.core.transfer.reading import quoted
from maimdb.core.transfer.tables import Table, describe, tables_of
from maimdb.core.transfer.values import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from maimdb.core.engines import Engine
    from maimdb.core.transfer.columns import Row
    from maimdb.core.transfer.tables import Column

_CARRIED: Final = re.compile(r"legacy_\w+|personality_configs|\w+_config_overrides")
"""Tables that are made where they are missing: no model has them, and nothing of them may be lost."""
_TYPES: Final = {
    "text": "{text}",
    "integer": "{bigint}",
    "float": "{double}",
    "boolean": "{flag}",
    "moment": "{moment}",
    "uuid": "{uuid}",
    "date": "DATE",
    "time": "TIME",
    "decimal": "NUMERIC",
    "bytes": "BLOB",
}
_OTHER_TYPES: Final = {
    ("mysql", "decimal"): "DECIMAL(65, 30)",
    ("mysql", "bytes"): "LONGBLOB",
    ("postgresql", "bytes"): "BYTEA",
    ("sqlite", "boolean"): "BOOLEAN",
}


class Target:
    """A database that is given a tenant's rows."""

    def __init__(self, database: Engine, tenant: str) -> None:
        self.database = database
        self.tenant = tenant
        self._engine = database.config.engine
        self._mark = database.quote[0]
        self._tables = {table.name: table for table in tables_of(database)}
        self._agents: set[Any] = set()

    def fit(self, table: Table) -> Table:
        """Return this database's own table, its columns in the order of the given one's.

        Raises:
            TransferError: there is no such table, or it has other columns or another key.
        """
        own = self._tables.get(table.name)
        if own is None:
            if not _CARRIED.fullmatch(table.name):
                raise TransferError(
                    f"{self.database.config.url} has no table {table.name!r}: create it first",
                    table=table.name,
                )
            return table
        columns = {column.name: column for column in own.columns}
        for column in table.columns:
            there = columns.get(column.name)
            if there is None or there.kind != column.kind:
                raise TransferError(
                    f"column {column.name!r} of table {table.name!r} holds {column.kind} there, and "
                    f"{there.kind if there else 'is missing'} in {self.database.config.url}: change it first",
                    table=table.name,
                )
        if set(own.key) != set(table.key):
            raise TransferError(f"table {table.name!r} has another primary key there", table=table.name)
        return Table(own.name, tuple(columns[each.name] for each in table.columns), table.key, own.owner)

    def create(self, table: Table) -> None:
        """Create a table that is carried along, if it is missing."""
        if table.name in self._tables:
            return
        operations = operations_for(self.database)
        parts = []
        for column in table.columns:
            kind = _OTHER_TYPES.get((self._engine, column.kind), _TYPES[column.kind])
            if column.name in table.key and column.kind == "text":
                kind = "VARCHAR(191)"
            parts.append(f"{operations.quote(column.name)} {kind}{' NOT NULL' * (column.name in table.key)}")
        operations.create_table(
            table.name, f"{', '.join(parts)}, PRIMARY KEY ({operations.quote(*table.key)})"
        )
        made = describe(self.database, table.name)
        assert made is not None
        self._tables[table.name] = made

    def check(self, table: Table, rows: list[Row]) -> None:
        """Raise a ValueError that names the row's place unless this database can hold the rows.

        Args:
            table: as `fit` returned it.
            rows: encoded.
        """
        names = [column.name for column in table.columns]
        owner = names.index(table.owner) if table.owner in names else None
        for place, (column, values) in enumerate(
            zip(table.columns, zip(*rows, strict=True), strict=True) if rows else ()
        ):
            if not are_ordinary(column, values, self._engine):
                self._check_each(table, column, values)
            if place in table.places and None in values:
                raise _RowError(
                    values.index(None), f"{table.name}.{column.name} is null, and part of the key"
                )
            if place == owner:
                strangers = (number for number, value in enumerate(values) if not self._owns(table, value))
                if (number := next(strangers, None)) is not None:
                    raise _RowError(number, f"the row of {table.name} is not of tenant {self.tenant!r}")
        if table.name == "agents":
            self._agents |= {row[names.index("id")] for row in rows}

    def _check_each(self, table: Table, column: Column, values: Sequence[Any]) -> None:
        for number, value in enumerate(values):
            try:
                self._check(column, decode(column.kind, value), tagged=isinstance(value, dict))
            except ValueError as exc:
                raise _RowError(number, f"{table.name}.{column.name}: {exc}") from exc

    def _owns(self, table: Table, owner: Any) -> bool:
        return owner in self._agents if table.owner == "agent_id" else owner == self.tenant

    def _check(self, column: Column, value: Any, *, tagged: bool) -> None:
        if tagged and self._engine != "sqlite":
            raise ValueError(f"{str(value)[:60]!r} is no {column.kind}, which only SQLite takes")
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError("it holds a lone surrogate, which is no character") from None
            if "\0" in value and self._engine == "postgresql":
                raise ValueError("it holds a NUL character, which PostgreSQL cannot store")
            longest = longest_of(column)
            if longest is not None and len(value) > longest:
                raise ValueError(f"it has {len(value)} characters, and at most {longest} have room")
        if isinstance(value, int) and not isinstance(value, bool):
            low, high = bounds_of(column, self._engine)
            if not low <= value <= high:
                raise ValueError(f"{value} has more than {high.bit_length() + 1} bits")

    def compare(self, table: Table, rows: list[Row]) -> tuple[list[Row], list[Row]]:
        """Return the rows that are missing, and those that are there with other values.

        Raises:
            TransferError: a row of another tenant has the key of one of them.
        """
        if table.name not in self._tables or not rows:
            return rows, []
        existing = self._existing(table, rows)
        missing, differing = [], []
        names = [column.name for column in table.columns]
        for row in rows:
            found = existing.get(_key(table, row))
            if found is None:
                missing.append(row)
            elif found != row:
                if table.owner in {"id", "tenant_id"}:
                    owner = found[names.index(table.owner)]
                    if owner != self.tenant:
                        raise TransferError(
                            f"the row {_key(table, row)!r} of {table.name!r} is there, and of tenant "
                            f"{owner!r}",
                            table=table.name,
                        )
                differing.append(row)
        return missing, differing

    def _existing(self, table: Table, rows: list[Row]) -> dict[tuple[Any, ...], Row]:
        where, values = self._where(table, rows)
        names = self._quoted(column.name for column in table.columns)
        sql = f"SELECT {names} FROM {self._quoted([table.name])} WHERE {where}"
        rows = encode_rows(table.columns, self.database.execute_sql(sql, values).fetchall())
        return {_key(table, row): row for row in rows}

    def insert(self, table: Table, rows: list[Row]) -> None:
        """Insert rows."""
        columns = [
            parameters(column, values, self._engine)
            for column, values in zip(table.columns, zip(*rows, strict=True), strict=True)
        ] if rows else []  # fmt: skip
        insert_columns(
            self.database,
            self._quoted([table.name]),
            self._quoted(each.name for each in table.columns),
            columns,
        )

    def update(self, table: Table, rows: list[Row]) -> None:
        """Give rows that are there other values."""
        others = [place for place in range(len(table.columns)) if place not in table.places]
        param = self.database.param
        changes = ", ".join(f"{self._quoted([table.columns[place].name])} = {param}" for place in others)
        for row in rows if others else ():
            where, values = self._where(table, [row])
            changed = [self._param(table.columns[place], row[place]) for place in others]
            self.database.execute_sql(
                f"UPDATE {self._quoted([table.name])} SET {changes} WHERE {where}", [*changed, *values]
            )

    def delete(self, table: Table, keys: list[list[Any]]) -> None:
        """Delete rows of the tenant by their keys."""
        if keys:
            where, values = self._where_keys(table, keys)
            self.database.execute_sql(f"DELETE FROM {self._quoted([table.name])} WHERE {where}", values)

    def _where(self, table: Table, rows: list[Row]) -> tuple[str, list[Any]]:
        return self._where_keys(table, [[row[place] for place in table.places] for row in rows])

    def _where_keys(self, table: Table, keys: list[list[Any]]) -> tuple[str, list[Any]]:
        param = self.database.param
        columns = [table.columns[place] for place in table.places]
        each = [
            parameters(column, values, self._engine)
            for column, values in zip(columns, zip(*keys, strict=True), strict=True)
        ]
        values = list(chain.from_iterable(zip(*each, strict=True)))
        if len(columns) == 1:
            return f"{self._quoted([columns[0].name])} IN ({', '.join([param] * len(keys))})", values
        test = " AND ".join(f"{self._quoted([column.name])} = {param}" for column in columns)
        return " OR ".join([f"({test})"] * len(keys)), values

    def _param(self, column: Column, value: Any) -> Any:
        return parameters(column, [value], self._engine)[0]

    def _quoted(self, names: Iterable[str]) -> str:
        return ", ".join(quoted(name, self._mark) for name in names)


class _RowError(ValueError):
    """A row that a database cannot hold."""

    def __init__(self, place: int, text: str) -> None:
        super().__init__(text)
        self.place = place
        """Where among the rows it is."""


def _key(table: Table, row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(row[place] for place in table.places)
