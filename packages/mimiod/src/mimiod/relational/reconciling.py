"""What was loaded, compared with where it came from: rows, values and sums, by both databases themselves."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mimiod.relational.planning import orphan_collection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pymongo.database import Database

    from mimiod.relational.model import Column, Reader
    from mimiod.relational.planning import Part, Plan

FORMAT = 1
"Of `reconciliation.json`; raised when a key changes its meaning."
_NUMBERS = frozenset({"int", "long", "double", "decimal"})
_ALIKE = 1e-9

Stage = dict[str, Any]


@dataclass(frozen=True)
class ColumnBalance:
    """The values of a column, there and here."""

    column: str
    field: str
    values: tuple[int, int]
    "That are not null: in SQL, in MongoDB."
    sums: tuple[Decimal, Decimal] | None
    "Of numbers."
    approximate: bool
    "Whether sums may differ in the last digits: of floating point, which depends on the order."

    @property
    def balanced(self) -> bool:
        """Whether both are the same."""
        if self.values[0] != self.values[1]:
            return False
        if self.sums is None or self.sums[0] == self.sums[1]:
            return True
        return self.approximate and math.isclose(*map(float, self.sums), rel_tol=_ALIKE, abs_tol=_ALIKE)


@dataclass(frozen=True)
class TableBalance:
    """The rows of a table, there and here."""

    table: str
    where: str
    rows: int
    "In SQL."
    found: int
    "In MongoDB, where they belong."
    orphaned: int
    "In MongoDB, apart since they name no parent."
    columns: Sequence[ColumnBalance]

    @property
    def balanced(self) -> bool:
        """Whether nothing is missing, and nothing too much."""
        return self.rows == self.found + self.orphaned and all(each.balanced for each in self.columns)


@dataclass
class Balance:
    """What was loaded, compared with where it came from."""

    tables: list[TableBalance] = field(default_factory=list)
    dangling: tuple[int, int] = (0, 0)
    "Foreign keys that name nothing: in SQL, and references in MongoDB."
    faults: list[str] = field(default_factory=list)
    "What else is not as the schema says."

    @property
    def balanced(self) -> bool:
        """Whether everything is the same on both sides."""
        return (
            all(each.balanced for each in self.tables)
            and self.dangling[0] == self.dangling[1]
            and not self.faults
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "format": FORMAT,
            "balanced": self.balanced,
            "tables": [_table(each) for each in self.tables],
            "dangling_references": {"sql": self.dangling[0], "mongodb": self.dangling[1]},
            "faults": list(self.faults),
        }


def _table(each: TableBalance) -> dict[str, Any]:
    return {
        "table": each.table,
        "where": each.where,
        "balanced": each.balanced,
        "rows": {"sql": each.rows, "mongodb": each.found, "orphaned": each.orphaned},
        "columns": [
            {
                "column": column.column,
                "field": column.field,
                "balanced": column.balanced,
                "values": {"sql": column.values[0], "mongodb": column.values[1]},
                **(
                    {"sum": dict(zip(("sql", "mongodb"), map(str, column.sums), strict=True))}
                    if column.sums
                    else {}
                ),
            }
            for column in each.columns
        ],
    }


def _sums(there: Decimal, here: Decimal) -> dict[str, Any]:
    return {"sum": {"sql": str(there), "mongodb": str(here)}}


def reconcile(
    reader: Reader,
    plan: Plan,
    database: Database[dict[str, Any]],
    progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> list[TableBalance]:
    """Compare every table of a plan with what MongoDB has of it; both count and add for themselves."""
    found = []
    places = list(plan.parts())
    for number, (collection, path, part) in enumerate(places, 1):
        found.append(_balance(reader, plan, database, collection, path, part))
        progress("tables compared", number, len(places))
    return sorted(found, key=lambda each: each.table)


def _balance(
    reader: Reader,
    plan: Plan,
    database: Database[dict[str, Any]],
    collection: str,
    path: tuple[str, ...],
    part: Part,
) -> TableBalance:
    table = part.table
    fields = _compared(part)
    counted = reader.totals(table.name, list(fields))
    here = _totals(database, collection, plan.collections[collection], part, fields)
    apart = [
        _totals(database, orphan_collection(above.table.name), above, part, fields)
        for above in _chain(plan.collections[collection], part)
        if above.form != "collection"
    ]
    columns = []
    for number, (name, called) in enumerate(fields.items()):
        values, total = counted[name]
        loaded = sum((each[f"c{number}"] for each in apart), here[f"c{number}"])
        sums = None
        if f"s{number}" in here and total is not None:
            added = sum((_exact(each[f"s{number}"]) for each in apart), _exact(here[f"s{number}"]))
            sums = total, added
        approximate = table.columns[name].kind == "double"
        columns.append(ColumnBalance(name, called, (values, loaded), sums, approximate))
    return TableBalance(
        table=table.name,
        where=".".join((collection, *path)),
        rows=reader.count(table.name),
        found=here["rows"],
        orphaned=sum(each["rows"] for each in apart),
        columns=columns,
    )


def _compared(part: Part) -> dict[str, str]:
    """Return the columns whose values stand in documents, each with its field."""
    if part.form == "references":
        return {}
    fields = dict(part.fields)
    for link in part.links:
        if len(link.columns) == 1:
            fields.setdefault(link.columns[0], link.field)
    return fields


def _chain(whole: Part, part: Part) -> list[Part]:
    """Return the whole, what stands in it, down to a part."""
    if whole is part:
        return [whole]
    for inner in whole.parts:
        if below := _chain(inner, part):
            return [whole, *below]
    return []


def _totals(
    database: Database[dict[str, Any]], collection: str, whole: Part, part: Part, fields: Mapping[str, str]
) -> dict[str, Any]:
    """Return how many rows of a table stand in a collection, their values that are not null, and sums."""
    stages = list(_stages(_chain(whole, part)))
    if part is whole and (others := [each for each in whole.subtypes() if each.apart]):
        stages.insert(0, {"$match": {whole.discriminator: {"$not": {"$regex": _named(others)}}}})
    prefix = "".join(f"{name}." for name in _path(_chain(whole, part)))
    group: Stage = {"_id": None, "rows": {"$sum": 1}}
    for number, (name, called) in enumerate(fields.items()):
        value = f"${prefix}{called}"
        group[f"c{number}"] = {"$sum": {"$cond": [{"$gt": [value, None]}, 1, 0]}}
        if _is_added(part.table.columns[name], called, part):
            number_of = value if part.table.columns[name].kind == "double" else {"$toDecimal": value}
            group[f"s{number}"] = {"$sum": {"$cond": [{"$isNumber": value}, number_of, 0]}}
    found = list(database[collection].aggregate([*stages, {"$group": group}], allowDiskUse=True))
    return found[0] if found else {key: 0 for key in group if key != "_id"}


def _is_added(column: Column, called: str, part: Part) -> bool:
    return column.kind in _NUMBERS and part.fields.get(column.name) == called


def _path(chain: Sequence[Part]) -> list[str]:
    return [part.name for part in chain[1:] if part.form != "subtype"]


def _stages(chain: Sequence[Part]) -> Iterator[Stage]:
    """Yield the stages after which there is a document for each row of the last table."""
    for number, part in enumerate(chain[1:], 2):
        path = ".".join(_path(chain[:number]))
        if part.form in {"array", "references"}:
            yield {"$unwind": f"${path}"}
        elif part.form == "object":
            yield {"$match": {path: {"$type": "object"}}}
        elif number == len(chain):
            yield {"$match": _of_subtype(part, f"{path}." if path else "")}


def _of_subtype(part: Part, prefix: str) -> Stage:
    if part.sign and not part.apart:
        return {prefix + part.sign: {"$exists": True}}
    own = [part, *(each for each in part.subtypes() if not each.apart)]
    return {prefix + part.discriminator: {"$regex": _named(own)}}


def _named(parts: Sequence[Part]) -> str:
    """Return what matches discriminators that name one of some subtypes."""
    return rf"(^|\+)({'|'.join(re.escape(each.name) for each in parts)})(\+|$)"


def _exact(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
