"""A live SQL database as a source: the documents of its plan are counted like any others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import bson
from bson import Decimal128, ObjectId

from mimiod.evolution.shapes import CollectionShape
from mimiod.inspecting.declarations import Declared
from mimiod.inspecting.facts import Range
from mimiod.inspecting.sketches import hash_of
from mimiod.relational import declared
from mimiod.relational.documents import Assembly
from mimiod.relational.identities import bson_value
from mimiod.relational.indexing import shape_of
from mimiod.relational.knowledge import Knowledge, measure
from mimiod.relational.planning import plan_of
from mimiod.relational.waiting import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from random import Random

    from mimiod.inspecting.facts import Inspection, ReferenceFacts
    from mimiod.inspecting.keys import Keys
    from mimiod.inspecting.sources import CollectionSource, Path
    from mimiod.relational.model import Reader
    from mimiod.relational.planning import Part
    from mimiod.relational.queries import Workload

_ASKED_AT_ONCE = 500


class SqlSource:
    """The documents that the rows of a SQL database become."""

    def __init__(
        self,
        reader: Reader,
        name: str,
        workload: Workload | None = None,
        progress: Callable[[str, int, int | None], None] = lambda *_: None,
    ) -> None:
        self.name = name
        self.reader = reader
        self.known: Knowledge = measure(reader, workload, progress)
        self.plan = plan_of(self.known)
        self.assembly = Assembly(reader, self.plan)

    @property
    def notes(self) -> list[str]:
        """What was passed over or changed, and rows that name nothing."""
        workload = self.known.workload
        return [*self.plan.notes, *(workload.notes if workload else ()), *self._missing()]

    def collections(self) -> list[CollectionSource]:
        """Return the collections of the plan, and those of rows that name no parent."""
        found: list[CollectionSource] = [
            SqlCollection(self.assembly, name, self.count(name)) for name in sorted(self.plan.collections)
        ]
        orphans = ((name, self._missing_parents(table)) for table, name in self.plan.orphaned.items())
        return [*found, *(OrphanCollection(self.assembly, name, count) for name, count in sorted(orphans))]

    def count(self, collection: str) -> int:
        """Return how many documents a collection gets."""
        wholes = self.plan.collections[collection].wholes()
        return sum(self.known.counts[whole.table.name] for whole in wholes)

    def named(self) -> set[tuple[str, str]]:
        """Return the fields that foreign keys stand behind."""
        told = declared.references_of(self.plan)
        return {(each.collection, name) for each in told for name in each.fields}

    def completed(self, inspection: Inspection, keys: Sequence[Keys]) -> Inspection:
        """Return what was found with what is declared: references, limits, and fields without values."""
        told = declared.facts_of(self.plan, dict.fromkeys(self.plan.collections, declared.LOOKUPS))
        own_keys = {
            (collection, ".".join((*path, called)))
            for collection, path, part in self.plan.parts()
            for called in _keys_of(part)
        }
        collections = {
            name: declared.completed_collection(facts, told[name]) if name in told else facts
            for name, facts in inspection.collections.items()
        }
        spread = {(each.collection, each.dotted): each.sketch.counts for each in keys}
        found = [
            each
            for each in inspection.references
            if not any((each.collection, name) in own_keys for name in each.fields)
            and not {each.collection, each.target} & set(self.plan.orphaned.values())
        ]
        known = [_spread(each, spread) for each in self._references()]
        return Declared(
            source=inspection.source,
            sample=inspection.sample,
            collections=collections,
            references=sorted([*known, *found], key=lambda each: (each.collection, tuple(each.fields))),
            copies=[each for each in inspection.copies if (each.collection, each.path) not in own_keys],
            split=inspection.split,
            notes=list(self.notes),
            limits=declared.limits_of(self.plan),
            decisions=declared.decisions_of(self.plan),
        )

    def close(self) -> None:
        """Close the connections."""
        self.reader.close()

    def _references(self) -> Iterator[ReferenceFacts]:
        """Yield the references by foreign keys, each with the share of its rows that are there."""
        behind = {
            (collection, ".".join(path if part.form == "references" else (*path, link.field))): (part, link)
            for collection, path, part in self.plan.parts()
            for link in part.links
        }
        for each in declared.references_of(self.plan):
            part, link = behind.get((each.collection, each.fields[0]), (None, None))
            children = part and link and self.known.children.get((part.table.name, link.key.columns))
            total = children.rows + children.missing if children else 0
            yield replace(each, coverage=round(children.rows / total, 4)) if children and total else each

    def _missing_parents(self, table: str) -> int:
        key = self.plan.part_of(table)[2].key
        return self.known.missing(table, key) if key is not None else 0

    def _missing(self) -> Iterator[str]:
        for (table, columns), children in self.known.children.items():
            key = self.plan.part_of(table)[2].key
            apart = key is not None and key.columns == columns
            into = f", and go to {self.plan.orphaned[table]!r}" if apart and children.missing else ""
            if children.missing:
                named = ", ".join(columns)
                yield f"{children.missing:,} rows of {table!r} name by {named} what is not there{into}"


class SqlCollection:
    """A collection of a plan."""

    def __init__(self, assembly: Assembly, name: str, count: int) -> None:
        self.name = name
        self.method = "all documents"
        self.estimated: int | None = count
        self._assembly = assembly
        self._whole = assembly.plan.collections[name]

    @property
    def shape(self) -> CollectionShape:
        """The indexes that keys and declared indexes become."""
        return shape_of(self._whole)

    def documents(self, sample: int | None, draws: Random) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield all documents, or a sample of rows with what is embedded in them."""
        if sample is None or (self.estimated or 0) <= sample:
            for collection, document in self._assembly.documents(self.name):
                if collection == self.name:
                    yield document, _size(document)
            return
        self.method = "a sample of rows by their keys"
        for document in self._assembly.sample(self.name, sample, draws.getrandbits(31)):
            yield document, _size(document)

    def found(self, wanted: Mapping[Path, Sequence[Any]]) -> dict[Path, set[int]]:
        """Ask the database for the values."""
        return {path: self._found(path, values) for path, values in wanted.items()}

    def _found(self, path: Path, values: Sequence[Any]) -> set[int]:
        asked = [value.to_decimal() if isinstance(value, Decimal128) else value for value in values]
        asked = [value for value in asked if not isinstance(value, ObjectId)]
        hashes = {hash_of(value) for value in values}
        found: set[int] = set()
        for table, column in self._places(path):
            for start in range(0, len(asked), _ASKED_AT_ONCE):
                some = {column: asked[start : start + _ASKED_AT_ONCE]}
                for row in self._assembly.reader.rows(table, where=some):
                    found.add(hash_of(bson_value(row[column])))
        return found & hashes

    def _places(self, path: Path) -> list[tuple[str, str]]:
        """Return the tables and columns whose values stand at a path."""
        return [
            (part.table.name, column)
            for above, part in self._whole.walk()
            for column, called in part.fields.items()
            if (*above, called) == path
        ]


class OrphanCollection:
    """The rows of an embedded table that name no parent."""

    def __init__(self, assembly: Assembly, name: str, count: int) -> None:
        self.name = name
        self.method = "all documents"
        self.estimated: int | None = count
        self.shape = CollectionShape()
        self._assembly = assembly

    def documents(self, sample: int | None, draws: Random) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield all of them: they are few."""
        del sample, draws
        return ((document, _size(document)) for document in self._assembly.orphans(self.name))

    def found(self, wanted: Mapping[Path, Sequence[Any]]) -> dict[Path, set[int]]:
        """Return nothing: nobody names an orphan."""
        return {path: set() for path in wanted}


def _keys_of(part: Part) -> list[str]:
    """Return the fields that name nothing else: a key of its own, and columns that a reference stands for."""
    own = part.table.primary_key if len(part.table.primary_key) == 1 else ()
    linked = {column for link in part.links for column in link.columns}
    return [called for column, called in part.fields.items() if column in own or column in linked]


def _spread(reference: ReferenceFacts, spread: Mapping[tuple[str, str], Mapping[int, int]]) -> ReferenceFacts:
    """Return a reference with how often a key is named."""
    counts = sorted(spread.get((reference.collection, reference.fields[0]), {}).values())
    if not counts:
        return reference
    quantiles = [counts[round(part * (len(counts) - 1) / 20)] for part in range(21)]
    return replace(reference, children=Range(counts[0], counts[-1], sum(counts) / len(counts), quantiles))


def _size(document: dict[str, Any]) -> int:
    return len(bson.encode(document, codec_options=PLAIN))
