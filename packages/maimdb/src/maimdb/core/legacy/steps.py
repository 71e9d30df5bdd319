"""A step of an import: where rows are read, what becomes of them, and what must be equal afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.legacy.source import quote
from maimdb.core.legacy.tables import kept_table
from maimdb.core.legacy.values import RowIds, SetAside, size_of, text_of, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from maimdb.core.legacy.source import Source, SourceTable

    Row = dict[str, Any]
    Written = tuple[str, Row]
    Owner = tuple[str | None, str | None]

LONGEST: Final = 255
"""Characters of a session's or user's id."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A sum that must be the same in the source and in the target."""

    label: str
    source: str
    """An SQL expression over the source table."""
    target: dict[str, str]
    """By engine, an SQL expression over the target table."""
    of_row: Callable[[Row], float]
    """What a source row that was set aside adds."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is done with one source table, or with what a statement makes of several."""

    name: str
    """As the progress and the reconciliation call it."""
    target: str
    """The table that its rows go to."""
    goes_to: str
    """The same in words."""
    map: Callable[[int, Row], Iterable[Written]]
    """Returns what becomes of a row; raises SetAside."""
    owner: Callable[[Row], Owner]
    """Whose a row is that is kept whole."""
    table: SourceTable | None = None
    sql: str = ""
    """Where there is no table: the statement that gives the rows."""
    measures: tuple[Measure, ...] = ()
    yields: int = 1
    """How many rows of the target one row becomes."""

    def count(self, source: Source) -> int:
        """Return how many rows the step reads."""
        if self.table is not None:
            return source.count(self.table)
        return int(source.value(f"SELECT COUNT(*) FROM ({self.sql})"))  # noqa: S608 - ours

    def rows(self, source: Source, after: int) -> Generator[tuple[int, Row]]:
        """Yield the rows after a number."""
        if self.table is not None:
            return source.rows(self.table, after)
        return source.derived(self.sql, after)


class Keeper:
    """Keeps rows whole in the `legacy_` tables."""

    def __init__(self, import_id: str) -> None:
        self.import_id = import_id
        self._ids: dict[tuple[str, bool], RowIds] = {}

    def ids(self, table: str, *, aside: bool) -> RowIds:
        """Return the ids of a source table's rows that are kept, or set aside."""
        if (table, aside) not in self._ids:
            kind = f"{'aside' if aside else 'kept'}/{table}"
            self._ids[table, aside] = RowIds(self.import_id, kind)
        return self._ids[table, aside]

    def kept(self, table: str, number: int, row: Row, owner: Owner, reason: str | None = None) -> Written:
        """Return what is written of a row that is kept whole."""
        return kept_table(table), {
            "id": self.ids(table, aside=reason is not None).of(number),
            "tenant_id": owner[0],
            "agent_id": owner[1],
            "import_id": self.import_id,
            "source_table": text_of(table)[:LONGEST] or "",  # type: ignore[index]
            "source_row": number,
            "reason": reason,
            "source_bytes": sum(map(size_of, row.values())),
            "source_data": to_json(row),
        }

    def step(self, table: SourceTable, owner: Callable[[Row], Owner]) -> Step:
        """Return the step that keeps a table whole."""
        name = table.name.lower()
        target = kept_table(name)

        def keep(number: int, row: Row) -> Iterable[Written]:
            return (self.kept(name, number, row, owner(row)),)

        return Step(name, target, f"{target}, unchanged", keep, owner, table, measures=(_whole(table),))


def _whole(table: SourceTable) -> Measure:
    terms = [
        f"CASE WHEN typeof({name}) IN ('text', 'blob') THEN LENGTH(CAST({name} AS BLOB)) ELSE 0 END"
        for name in map(quote, table.columns)
    ]
    expression = "source_bytes"
    return Measure(
        "text bytes",
        " + ".join(terms),
        dict.fromkeys(("sqlite", "postgresql", "mysql"), expression),
        lambda row: sum(map(size_of, row.values())),
    )


def text_measure(label: str, table: SourceTable, texts: Iterable[tuple[str, ...]], *columns: str) -> Measure:
    """Return the bytes of texts: each is the first of several columns that is not NULL."""
    groups = [there for group in texts if (there := [name for name in group if name in table.columns])]

    def of_row(row: Row) -> float:
        found = (next((row[name] for name in group if row[name] is not None), None) for group in groups)
        return sum(len((text_of(value) or "").encode()) for value in found)

    terms = [
        f"COALESCE(LENGTH(CAST(COALESCE({', '.join(map(quote, group))}, '') AS BLOB)), 0)" for group in groups
    ]
    octets = " + ".join(f"COALESCE(OCTET_LENGTH({name}), 0)" for name in columns)
    blobs = " + ".join(f"COALESCE(LENGTH(CAST({name} AS BLOB)), 0)" for name in columns)
    return Measure(
        label, " + ".join(terms) or "0", {"sqlite": blobs, "postgresql": octets, "mysql": octets}, of_row
    )


def number_measure(label: str, table: SourceTable, column: str, *, key: str = "", to: str = "") -> Measure:
    """Return the sum of a column's numbers, which went to a column, or under a key into `metadata`."""
    source = "0"
    if column in table.columns:
        name = quote(column)
        source = f"CASE WHEN typeof({name}) IN ('integer', 'real') THEN {name} ELSE 0 END"
    targets = dict.fromkeys(("sqlite", "postgresql", "mysql"), to)
    if key:
        targets = {
            "sqlite": f"CAST(json_extract(metadata, '$.{key}') AS REAL)",
            "postgresql": f"CAST(CAST(metadata AS json) ->> '{key}' AS double precision)",
            "mysql": f"CAST(JSON_EXTRACT(metadata, '$.{key}') AS DOUBLE)",
        }

    def of_row(row: Row) -> float:
        value = row.get(column)
        return value if type(value) in (int, float) else 0  # type: ignore[return-value]

    return Measure(label, source, targets, of_row)


def identifier(row: Row, column: str, rest: Row) -> str | None:
    """Return an id that fits its column; one that does not stays in the rest."""
    value = row.get(column)
    text = text_of(value)
    if text is None or (len(text) <= LONGEST and text == value):
        return text
    rest[column] = value
    return text if len(text) <= LONGEST else None


def session_of(value: Any, column: str) -> str:
    """Return a session's id.

    Raises:
        SetAside: there is none, or none that fits.
    """
    text = text_of(value)
    if not text:
        raise SetAside(f"it has no {column}")
    if len(text) > LONGEST:
        raise SetAside(f"its {column} is longer than {LONGEST} characters")
    return text
