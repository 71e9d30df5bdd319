"""The tables of `tech_design.md` compared with what the schema declares.

The workload table is the one with a column *action*, the relationship table the one under a heading that
says so, or with a column *cardinality*. Names are compared by their words, without regard to case, order
and plural; a `name in backticks` in a row is taken as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mimiod.checking.findings import Finding
from mimiod.schema_types import references

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema, Query

FILE = "tech_design.md"

_ALIKE = 0.5
"Of a query's words, how many a row has to have."
_PRIORITIES = {"1": "high", "2": "medium", "3": "low", "high": "high", "medium": "medium", "low": "low"}
_SMALL = frozenset({
    "a", "an", "and", "at", "by", "for", "from", "in", "is", "it", "its", "of", "on", "once", "one",
    "or", "s", "that", "the", "to", "with",
})  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A Markdown table and the heading above it."""

    heading: str
    rows: tuple[dict[str, str], ...]
    "The cells by the names of their columns, in lower case."
    line: int = 1
    "Of its first row."

    @property
    def columns(self) -> frozenset[str]:
        """The names of its columns."""
        return frozenset(self.rows[0]) if self.rows else frozenset()


def tables(text: str) -> list[Table]:
    """Return the tables of a Markdown text that have rows."""
    found, heading = [], ""
    names: list[str] = []
    rows: list[dict[str, str]] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("#"):
            heading = line.lstrip("# ").strip()
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if not line.lstrip().startswith("|"):
            if rows:
                found.append(Table(heading, tuple(rows), number - len(rows)))
            names, rows = [], []
        elif not names:
            names = [cell.lower() for cell in cells]
        elif not all(set(cell) <= set(":- ") for cell in cells):
            rows.append(dict(zip(names, cells, strict=False)))
    return found


def compare(folder: Path, schema: BaseMongoDbSchema) -> Iterator[Finding]:
    """Yield what the design says and the schema does not, and the other way round."""
    file = folder / FILE
    if not file.is_file():
        yield Finding(
            "design-missing",
            "warning",
            schema.database_name,
            f"the project has no {FILE}",
            "write it: steps/1_tech_design.md says how",
        )
        return
    found = tables(file.read_text(encoding="utf-8"))
    workload = [table for table in found if "action" in table.columns]
    relations = [
        table for table in found if "cardinality" in table.columns or "relationship" in table.heading.lower()
    ]
    yield from _workload([row for table in workload for row in table.rows], schema)
    yield from _relations([row for table in relations for row in table.rows], schema)


def _workload(rows: list[dict[str, str]], schema: BaseMongoDbSchema) -> Iterator[Finding]:
    described: dict[int, list[Query]] = {}
    for query in schema.workload:
        number = _row_of(query, rows)
        if number is None:
            yield Finding(
                "design-row-missing",
                "warning",
                f"query {query.name}",
                f"no row of the workload table in {FILE} describes it",
                "add its row, or name the query in a cell as `name`",
            )
        else:
            described.setdefault(number, []).append(query)
    for number, row in enumerate(rows):
        if number in described:
            yield from _differences(row, described[number], schema)
        else:
            yield Finding(
                "design-query-missing",
                "warning",
                schema.database_name,
                f"{FILE} has the action {row['action']!r}, and the schema's workload has no query for it",
                "declare it as a Query in `workload`, or name the query in the row as `name`",
            )


def _row_of(query: Query, rows: list[dict[str, str]]) -> int | None:
    named = [number for number, row in enumerate(rows) if query.name in backticked(row)]
    if named:
        return named[0]
    scores = [
        (max(_likeness(text, row["action"]) for text in (query.name, query.description)), -number)
        for number, row in enumerate(rows)
    ]
    (share, _), number = max(scores, default=((0.0, 0.0), 0))
    return -number if share >= _ALIKE else None


def _differences(row: dict[str, str], queries: list[Query], schema: BaseMongoDbSchema) -> Iterator[Finding]:
    """Yield where a row says otherwise than the queries that it describes."""
    known = {collection.collection_name for collection in schema.collections.values()}
    collections = {name.partition(".")[0] for name in backticked(row)} & known
    kind, priority = row.get("type", "").lower(), _PRIORITIES.get(row.get("priority", "").strip().lower())
    if collections and not collections & {query.collection for query in queries}:
        there = ", ".join(sorted(collections))
        yield _differs(queries[0], row, f"it is on {there} there, here on {queries[0].collection}")
    for query in queries:
        if ("read" in kind or "write" in kind) and ("write" if _writes(query) else "read") not in kind:
            yield _differs(query, row, f"it is a {kind} there, here the action {query.action!r}")
        if priority and priority != query.priority:
            yield _differs(query, row, f"its priority is {priority} there, here {query.priority}")


def _writes(query: Query) -> bool:
    last = query.pipeline[-1].keys() if query.pipeline else set()
    return query.action in {"insert", "update", "delete"} or bool(last & {"$merge", "$out"})


def _differs(query: Query, row: dict[str, str], difference: str) -> Finding:
    return Finding(
        "design-query-differs",
        "warning",
        f"query {query.name}",
        f"{FILE}, {row['action']!r}: {difference}",
        "change the one that is wrong",
    )


def _relations(rows: list[dict[str, str]], schema: BaseMongoDbSchema) -> Iterator[Finding]:
    known = {collection.collection_name: collection for collection in schema.collections.values()}
    declared = {
        f"{collection.collection_name}.{path}": reference.collection
        for collection in schema.collections.values()
        for path, reference in references(collection.document_schema).items()
    }
    for path, target in declared.items():
        ends = (known[path.partition(".")[0]], known[target])
        if not any(_describes(row, path, ends) for row in rows):
            yield Finding(
                "design-relation-missing",
                "warning",
                path,
                f"it refers to {target}, and no row of the relationship table in {FILE} says so",
                "add the row: from, to, cardinality, embed or reference, why",
            )
    for row in rows:
        how = " ".join(row.get(name, "") for name in ("how", "embed or reference"))
        if not re.search(r"\breference", how) or re.search(r"\bembed", how):
            continue
        for path in backticked(row):
            if path.partition(".")[0] in known and "." in path and path not in declared:
                yield Finding(
                    "design-reference-missing",
                    "warning",
                    path,
                    f"{FILE} calls it a reference, and the schema has no Reference there",
                    "mark the field with Reference, or correct the row",
                )


def _describes(row: dict[str, str], path: str, ends: tuple[BaseCollectionSchema, ...]) -> bool:
    """Whether a row is about a reference: it names the path, or both collections or their documents."""
    cells = [cell for name, cell in row.items() if re.search(r"\bfrom\b|\bto\b|→|->", name)]
    said = words(" ".join(cells or list(row.values())[:2]))
    return all(any(name <= said for name in _names(end)) for end in ends) or any(
        path == name or path.startswith(f"{name}.") for name in backticked(row) if "." in name
    )


def _names(collection: BaseCollectionSchema) -> list[set[str]]:
    """Return the words of a collection's name, and of that of its documents' model."""
    model = collection.document_schema.__name__ if collection.document_schema else ""
    return [found for name in (collection.collection_name, model) if (found := words(name))]


def backticked(row: dict[str, str]) -> set[str]:
    """Return the names in backticks in a row's cells."""
    return {name for cell in row.values() for name in re.findall(r"`([^`]+)`", cell)}


def _likeness(name: str, action: str) -> tuple[float, float]:
    """Return the share of a name's words that an action has, and that of all words of both."""
    own, others = words(name), words(action)
    if not own:
        return 0.0, 0.0
    return len(own & others) / len(own), len(own & others) / len(own | others)


def words(text: str) -> set[str]:
    """Return the words of a name or a text, in lower case and the singular, without the small ones."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    found = re.findall(r"[a-z0-9]+", apart.lower().replace("'s", ""))
    return {word.removesuffix("s") for word in found} - _SMALL
