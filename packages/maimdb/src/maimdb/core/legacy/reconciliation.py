"""What went in and what came out, counted on both sides by SQL that the import itself does not use."""

# ruff: noqa: S608 - names are ours or quoted

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from maimdb.core.legacy.steps import Keeper
from maimdb.core.legacy.tables import IDS, kept_table
from maimdb.core.legacy.values import RowIds
from maimdb.core.legacy.values import from_json as values_from_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from maimdb.core.legacy.source import Source
    from maimdb.core.legacy.steps import Row, Step

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum on both sides."""

    label: str
    source: float
    target: float
    set_aside: float

    @property
    def equal(self) -> bool:
        """Whether nothing is lost or doubled; floats are added in different orders."""
        return math.isclose(self.source, self.target + self.set_aside, rel_tol=1e-9, abs_tol=1e-9)


@dataclass(frozen=True, slots=True)
class Balance:
    """What became of one source table."""

    table: str
    target: str
    rows_in: int
    rows_out: int
    kept: int
    """Rows that stand whole in a `legacy_` table too."""
    set_aside: dict[str, int] = field(default_factory=dict)
    """How many rows for which reason."""
    sums: list[Sum] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """Whether rows and sums are equal."""
        return self.rows_in == self.rows_out + sum(self.set_aside.values()) and all(
            each.equal for each in self.sums
        )


def reconcile(database: Any, source: Source, import_id: str, steps: list[Step]) -> list[Balance]:
    """Count and add up both sides."""
    return [_Side(database, import_id).balance(source, step) for step in steps]


def as_json(balances: list[Balance]) -> str:
    """Return the text that is kept in the target."""
    return json.dumps([asdict(balance) for balance in balances], ensure_ascii=False)


def from_json(text: str) -> list[Balance]:
    """Return what `as_json` made a text of."""
    return [Balance(**{**each, "sums": [Sum(**one) for one in each["sums"]]}) for each in json.loads(text)]


class _Side:
    """The target, asked about one import."""

    def __init__(self, database: Any, import_id: str) -> None:
        self.database = database
        self.keeper = Keeper(import_id)
        self.import_id = import_id

    def balance(self, source: Source, step: Step) -> Balance:
        kept = kept_table(step.name)
        bounds = RowIds(self.import_id, step.name).bounds
        if step.target == kept:
            bounds = self.keeper.ids(step.name, aside=False).bounds
        rows_out = (
            self._mapped(step) if step.target in {"tenants", "agents"} else self._count(step.target, bounds)
        )
        aside = self.keeper.ids(step.name, aside=True).bounds
        reasons = self._query(
            f"SELECT reason, COUNT(*) FROM {kept} WHERE id BETWEEN {{0}} AND {{0}} GROUP BY reason", aside
        )
        sums = []
        for measure in step.measures:
            assert step.table is not None
            there = source.value(f"SELECT TOTAL({measure.source}) FROM {step.table.quoted}")
            here = self._query(
                f"SELECT SUM({measure.target[self._engine]}) FROM {step.target} "
                "WHERE id BETWEEN {0} AND {0}",
                bounds,
            )[0][0]
            put_by = sum(measure.of_row(row) for row in self._rows(kept, aside))
            sums.append(Sum(measure.label, float(there or 0), float(here or 0), float(put_by)))
        return Balance(
            step.name,
            step.target,
            step.count(source),
            rows_out // step.yields if rows_out % step.yields == 0 else -rows_out,
            self._count(kept, self.keeper.ids(step.name, aside=False).bounds),
            {str(reason): count for reason, count in sorted(reasons)},
            sums,
        )

    @property
    def _engine(self) -> str:
        return str(self.database.config.engine)

    def _count(self, table: str, bounds: tuple[UUID, UUID]) -> int:
        return int(
            self._query(f"SELECT COUNT(*) FROM {table} WHERE id BETWEEN {{0}} AND {{0}}", bounds)[0][0]
        )

    def _mapped(self, step: Step) -> int:
        sql = (
            f"SELECT COUNT(*) FROM {IDS} m JOIN {step.target} t ON t.id = m.new_id "
            f"WHERE m.import_id = {self.database.param} AND m.source_table = {self.database.param}"
        )
        return int(self.database.execute_sql(sql, (self.import_id, step.name)).fetchone()[0])

    def _query(self, sql: str, bounds: tuple[UUID, UUID], *more: Any) -> list[Any]:
        values = tuple(each.hex if self._engine != "postgresql" else str(each) for each in bounds)
        return list(self.database.execute_sql(sql.format(self.database.param), (*values, *more)).fetchall())

    def _rows(self, table: str, bounds: tuple[UUID, UUID]) -> Iterator[Row]:
        """Yield the rows that were set aside."""
        first, last = bounds
        sql = (
            f"SELECT id, source_data FROM {table} WHERE id BETWEEN {{0}} AND {{0}} ORDER BY id LIMIT {_PAGE}"
        )
        while rows := self._query(sql, (first, last)):
            for _, data in rows:
                yield values_from_json(data)
            if len(rows) < _PAGE:
                return
            first = type(last)(int=_uuid_int(rows[-1][0]) + 1)


def _uuid_int(value: Any) -> int:
    return int(str(value).replace("-", ""), 16)
