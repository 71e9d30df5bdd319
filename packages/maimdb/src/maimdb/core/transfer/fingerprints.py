"""What a database holds of a tenant, as sums over groups of rows: cheap to take again, to find what changed.

Rows are grouped by their keys. A row that is added, changed or deleted changes its group's sum, whatever
columns the table has. PostgreSQL and MySQL sum up themselves; SQLite's rows are read and hashed here.
"""

from __future__ import annotations

import hashlib
import marshal
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.transfer.columns import encode_rows
from maimdb.core.transfer.reading import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from maimdb.core.transfer.columns import Row
    from maimdb.core.transfer.reading import Snapshot
    from maimdb.core.transfer.tables import Table

MOST: Final = 500
"""So many groups are asked for by name; of more, the whole table is read."""
_LONG: Final = ("text", "blob", "json", "binary")
"""Types whose values are hashed each by itself, so that a row's text does not outgrow a packet."""

Group = Any
Sums = dict[Group, tuple[int, int]]
"""The rows of each group, and the sum of their hashes."""


def take(snapshot: Snapshot, table: Table) -> Sums:
    """Return the sums of a table's rows."""
    engine, group = snapshot.database.config.engine, _group(snapshot, table)
    if engine == "sqlite":
        return _counted_here(snapshot, table, group)
    mark = snapshot.database.quote[0]
    if engine == "postgresql":
        digest = f"hashtextextended({quoted(table.name, mark)}::text, 0)"
    else:
        digest = f"CAST(CONV(LEFT(SHA2({_mysql_row(table)}, 256), 15), 16, 10) AS UNSIGNED)"
    what = f"{group}, COUNT(*), SUM({digest})"
    return {
        row[0]: (int(row[1]), int(row[2]))
        for rows in snapshot.select(what, table, "GROUP BY 1")
        for row in rows
    }


def _counted_here(snapshot: Snapshot, table: Table, group: str) -> Sums:
    names = ", ".join(quoted(column.name, '"') for column in table.columns)
    dumps, sha1, number = marshal.dumps, hashlib.sha1, int.from_bytes
    counts: dict[Group, int] = {}
    sums: dict[Group, int] = {}
    for rows in snapshot.select(f"{group}, {names}", table):
        row: Any
        for row in rows:
            place = row[0]
            # Version 0 of the format depends on the values alone.
            digest = number(sha1(dumps(row, 0), usedforsecurity=False).digest()[:8])
            counts[place] = counts.get(place, 0) + 1
            sums[place] = sums.get(place, 0) + digest
    return {place: (count, sums[place]) for place, count in counts.items()}


def _group(snapshot: Snapshot, table: Table) -> str:
    """Return SQL for the group of a row: one of some thousand, by its key."""
    mark = snapshot.database.quote[0]
    keys = [quoted(name, mark) for name in table.key]
    match snapshot.database.config.engine:
        case "sqlite":
            return f"substr({' || '.join(keys)}, -3)"
        case "postgresql":
            return f"(hashtext({' || '.join(f'{key}::text' for key in keys)}) & 4095)"
        case _:
            return f"(CRC32(CONCAT({', '.join(f'CAST({key} AS BINARY)' for key in keys)})) & 4095)"


def _mysql_row(table: Table) -> str:
    """Return SQL for a row as one text that no other row has: the lengths, and then the values."""
    names = [(quoted(column.name, "`"), column) for column in table.columns]
    lengths = [f"COALESCE(LENGTH({name}), '-')" for name, _ in names]
    values = []
    for name, column in names:
        if any(word in column.declared for word in _LONG):
            values.append(f"SHA2({name}, 256)")
        elif column.declared.startswith("float"):
            values.append(f"CAST({name} * 1e0 AS BINARY)")
        else:
            values.append(f"CAST({name} AS BINARY)")
    return f"CONCAT_WS(',', {', '.join([*lengths, *values])})"


def changed(before: Sums, after: Sums) -> set[Group]:
    """Return the groups whose rows are others."""
    return {group for group in before.keys() | after.keys() if before.get(group) != after.get(group)}


def rows_of(
    snapshot: Snapshot, table: Table, groups: Collection[Group] | None
) -> Iterator[tuple[list[Group], list[Row]]]:
    """Yield a table's rows, encoded, some hundred at a time, and the group of each; None: of all groups."""
    mark, param = snapshot.database.quote[0], snapshot.database.param
    group = _group(snapshot, table)
    names = ", ".join(quoted(column.name, mark) for column in table.columns)
    more, values = "", list[Any]()
    if groups is not None:
        values = list(groups)
        more = f"AND {group} IN ({', '.join([param] * len(values))})"
    for rows in snapshot.select(f"{group}, {names}", table, more, values):
        yield [row[0] for row in rows], encode_rows(table.columns, [row[1:] for row in rows])


def digest(sums: dict[str, Sums]) -> str:
    """Return one hash of all tables' sums."""
    found = hashlib.sha256()
    for table in sorted(sums):
        for group in sorted(sums[table], key=repr):
            found.update(f"{table} {group!r} {sums[table][group]}\n".encode())
    return found.hexdigest()
