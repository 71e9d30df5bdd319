"""The keys of the rows that a move has written to its target, by group, in a temporary file."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from maimdb.core.transfer.columns import Row
    from maimdb.core.transfer.fingerprints import Group
    from maimdb.core.transfer.tables import Table


class Arrived:
    """What the target has, so that what the source has no more is found."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute(
            "CREATE TABLE arrived (place TEXT, part, id TEXT, round INTEGER, PRIMARY KEY (place, part, id)) "
            "WITHOUT ROWID"
        )

    def close(self) -> None:
        """Drop the file."""
        self._file.close()

    def add(self, table: Table, groups: list[Group], rows: list[Row], number: int) -> None:
        """Remember that rows were seen in a round."""
        keys = [json.dumps([row[place] for place in table.places]) for row in rows]
        with self._file:
            self._file.execute("BEGIN")
            self._file.executemany(
                "INSERT OR REPLACE INTO arrived VALUES (?, ?, ?, ?)",
                [(table.name, group, key, number) for group, key in zip(groups, keys, strict=True)],
            )

    def take_gone(self, table: Table, groups: Collection[Group], number: int) -> Iterator[list[list[Any]]]:
        """Yield and forget the keys of these groups that were not seen in a round, some hundred at a time."""
        for group in groups:
            sql = "DELETE FROM arrived WHERE place = ? AND part = ? AND round < ? RETURNING id"
            gone = [
                json.loads(row[0]) for row in self._file.execute(sql, (table.name, group, number)).fetchall()
            ]
            for start in range(0, len(gone), 500):
                yield gone[start : start + 500]
