"""The documents of a plan, made of the rows of a SQL database as streams.

The rows of a table and of those embedded in it come ordered by the key of the one, and are put together as
they pass: memory holds one document. Only where a part has parts of its own, and is not ordered by the key of
its whole, it waits in a temporary file.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from mimiod.relational.identities import bson_value, object_id
from mimiod.relational.planning import orphan_collection
from mimiod.relational.values import sort_key
from mimiod.relational.waiting import Made, Merged, Spooled, check_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bson import ObjectId

    from mimiod.relational.model import Reader
    from mimiod.relational.planning import Link, Part, Plan
    from mimiod.relational.waiting import Document, Row, Side, Stream

Found = tuple[str, dict[str, Any]]
"A collection, and a document of it."

_AT_ONCE = 500
_UNORDERED = frozenset({"object", "array", "binData"})
_ONE = frozenset({"object", "subtype"})
"The forms of which a document has one at the most."


class Assembly:
    """The documents of a plan, of the rows that a reader has."""

    def __init__(self, reader: Reader, plan: Plan) -> None:
        self.reader = reader
        self.plan = plan
        self.makers = {
            part.table.name: _maker(part) for whole in plan.collections.values() for _, part in whole.walk()
        }

    def documents(self, collection: str) -> Iterator[Found]:
        """Yield the documents of a collection, and between them the orphans among their parts."""
        for whole in self.plan.collections[collection].wholes():
            for made in self._stream(whole):
                yield made.orphan_of or collection, made.document

    def sample(self, collection: str, size: int, seed: int) -> Iterator[Document]:
        """Yield so many documents of a collection, each with the same chance."""
        wholes = self.plan.collections[collection].wholes()
        counts = [self.reader.count(whole.table.name) for whole in wholes]
        for whole, count in zip(wholes, counts, strict=True):
            rows = self.reader.sample(whole.table.name, round(size * count / max(1, sum(counts))), seed)
            number = 0
            while some := list(islice(rows, _AT_ONCE)):
                yield from self._assembled(whole, some, number)
                number += len(some)

    def orphans(self, collection: str) -> Iterator[Document]:
        """Yield the rows that name no parent; all rows of the parents are read for it."""
        table = next(table for table, name in self.plan.orphaned.items() if name == collection)
        within, _, _ = self.plan.part_of(table)
        return (document for name, document in self.documents(within) if name == collection)

    # Streams

    def _stream(self, part: Part) -> Stream:
        """Yield the rows of a table with all their parts, ordered by the table's key."""
        if not part.identity:
            yield from self._keyless(part)
            return
        make = self.makers[part.table.name]
        sides = [(inner, self._side(inner)) for inner in part.parts if not inner.apart]
        before: tuple[Any, ...] | None = None
        rows = self.reader.rows(part.table.name, order=part.identity)
        try:
            for number, row in enumerate(rows):
                key = tuple(row[column] for column in part.identity)
                order = sort_key(key)
                check_order(part, before, order)
                before = order
                document = make(row, number)
                for inner, side in sides:
                    items: list[Made] = []
                    for made in side.of(key, order):
                        if made.orphan_of:
                            yield made
                        else:
                            items.append(made)
                    if inner.form in _ONE:
                        yield from map(side.orphan, items[1:])
                    _attach(inner, document, items)
                yield Made(document, row)
            for _, side in sides:
                yield from side.rest()
        finally:
            for _, side in sides:
                side.close()

    def _keyless(self, part: Part) -> Stream:
        """Yield the rows of a table without a key: each is known by its place in the order of all columns."""
        columns = part.table.columns.values()
        order = [column.name for column in columns if column.kind not in _UNORDERED]
        make = self.makers[part.table.name]
        for number, row in enumerate(self.reader.rows(part.table.name, order=order)):
            yield Made(make(row, number), row)

    def _side(self, part: Part) -> Side:
        orphan = self._orphan_maker(part)
        if not part.parts:
            return Merged(part, self._parts(part), orphan)
        if part.identity[: len(part.aligned)] == part.aligned:
            return Merged(part, self._stream(part), orphan)
        return Spooled(part, self._stream(part), orphan)

    def _parts(self, part: Part) -> Stream:
        """Yield the rows of a table without parts, ordered by the key of its whole."""
        own = part.identity or tuple(
            column.name for column in part.table.columns.values() if column.kind not in _UNORDERED
        )
        order = [*part.aligned, *(column for column in own if column not in part.aligned)]
        make = self.makers[part.table.name]
        for number, row in enumerate(self.reader.rows(part.table.name, order=order)):
            yield Made(make(row, number), row)

    def _orphan_maker(self, part: Part) -> Callable[[Made], Made]:
        """Return what makes a document of its own of a row that names no parent."""
        assert part.key is not None
        name = part.table.name
        collection = orphan_collection(name)
        whole = self.plan.part_of(part.key.target)[2]

        def orphan(made: Made) -> Made:
            values = [made.row[column] for column in part.aligned]
            own = [made.row[column] for column in part.identity] or list(made.row.values())
            document: Document = {"_id": object_id(name, own)}
            parent = object_id(whole.root, values) if None not in values else None
            document[orphan_field(part)] = parent
            document |= {f"{column}_key": bson_value(made.row[column]) for column in part.aligned}
            return Made(document | made.document, made.row, collection)

        return orphan

    # Samples

    def _assembled(self, part: Part, rows: Sequence[Row], first: int = 0) -> list[Document]:
        """Return some rows of a table with their parts, which are asked for by their keys."""
        make = self.makers[part.table.name]
        documents = [make(row, number) for number, row in enumerate(rows, first)]
        for inner in (each for each in part.parts if not each.apart):
            groups = self._groups(inner, part, rows)
            for row, document in zip(rows, documents, strict=True):
                made = groups.get(object_id("", (row[column] for column in part.identity)), [])
                _attach(inner, document, made)
        return documents

    def _groups(self, inner: Part, part: Part, rows: Sequence[Row]) -> dict[ObjectId, list[Made]]:
        """Return the parts of some rows by the key of the row, as `object_id` has it."""
        pairs = list(zip(inner.aligned, part.identity, strict=True))
        where = {column: list({row[key]: None for row in rows}) for column, key in pairs}
        wanted = {object_id("", (row[key] for _, key in pairs)) for row in rows}
        order = [*inner.aligned, *(column for column in inner.identity if column not in inner.aligned)]
        found = self.reader.rows(inner.table.name, order=order, where=where)
        groups: dict[ObjectId, list[Made]] = defaultdict(list)
        while some := list(islice(found, _AT_ONCE)):
            keys = [object_id("", (row[column] for column in inner.aligned)) for row in some]
            kept = [(key, row) for key, row in zip(keys, some, strict=True) if key in wanted]
            documents = self._assembled(inner, [row for _, row in kept])
            for (key, row), document in zip(kept, documents, strict=True):
                groups[key].append(Made(document, row))
        return groups


def orphan_field(part: Part) -> str:
    """Return the field of an orphan with the ObjectId of the parent that is not there."""
    return part.aligned[0] if len(part.aligned) == 1 else "parent_id"


def _maker(part: Part) -> Callable[[Row, int], Any]:
    """Return what makes a document, or a part of one, of a row."""
    table, steps = part.table.name, _steps(part)
    kept = [
        (column, f"{column}_key")
        for link in part.links
        if link.missing
        for column in link.columns
        if column not in part.fields
    ]
    named = part.discriminator if part.form != "subtype" or part.apart else ""

    def reference(row: Row, _: int) -> Document:
        return {link.field: _linked(link, row) for link in part.links}

    def inner(row: Row, _: int) -> Document:
        document: Document = {named: table} if named else {}
        for column, called, link in steps:
            document[called] = bson_value(row[column]) if link is None else _linked(link, row)
        for column, called in kept:
            document[called] = bson_value(row[column])
        return document

    def whole(row: Row, number: int) -> Document:
        values: list[Any] = [row[column] for column in part.identity]
        if not values or None in values:
            values = ["row", number, *values]
        return {"_id": object_id(part.root, values), **inner(row, number)}

    if part.form == "references":
        return reference
    return whole if part.form == "collection" or part.apart else inner


def _steps(part: Part) -> list[tuple[str, str, Link | None]]:
    """Return column, field and, where the field has an ObjectId, the foreign key: in the table's order."""
    by_column: dict[str, Link] = {}
    for link in part.links:
        if len(link.columns) == 1 and link.columns[0] not in part.fields:
            by_column.setdefault(link.columns[0], link)
    steps: list[tuple[str, str, Link | None]] = []
    for column in part.table.columns:
        if column in part.fields:
            steps.append((column, part.fields[column], None))
        elif column in by_column:
            steps.append((column, by_column[column].field, by_column[column]))
    later = [link for link in part.links if link not in by_column.values()]
    return [*steps, *((link.columns[0], link.field, link) for link in later)]


def _linked(link: Link, row: Row) -> ObjectId | None:
    """Return the ObjectId of the row that a row names; None where it names none."""
    values = [row[column] for column in link.columns]
    return None if None in values else object_id(link.root, values)


def _attach(part: Part, document: Document, items: Sequence[Made]) -> None:
    """Put the parts of a document in their place."""
    if part.form == "array":
        document[part.name] = [made.document for made in items]
    elif part.form == "references":
        document[part.name] = [next(iter(made.document.values())) for made in items]
    elif part.form == "object" and items:
        document[part.name] = items[0].document
    elif part.form == "subtype" and items:
        own = items[0].document
        if part.discriminator:
            what = own.pop(part.discriminator, part.name)
            before = document.get(part.discriminator, part.root)
            document[part.discriminator] = what if before == part.root else f"{before}+{what}"
        document.update(own)
