"""A plan: the declaration made whole by the schema, and the documents of any of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from bson import Decimal128, ObjectId
from bson.errors import InvalidDocument
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from mimiod.errors import DeclarationError
from mimiod.schema_types import Computed, Copy, NotBefore, Reference, references
from mimiod.seeding.choices import Chance, Choice
from mimiod.seeding.declaration import Rows, Summary
from mimiod.seeding.frames import Draw, Frame, Place, Scope
from mimiod.seeding.models import FieldFacts, fields_of
from mimiod.seeding.nested import Arrays, Parted
from mimiod.seeding.relations import Array, Get, NoEarlier, Parent, Ref, Refs, Total
from mimiod.seeding.summaries import summarise
from mimiod.seeding.times import After
from mimiod.seeding.units import Encoded, Unit
from mimiod.seeding.values import Column, Decimals, Identifiers, Integers, Numbers, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from mimiod.schema_types import BaseMongoDbSchema
    from mimiod.seeding.values import Index

BLOCK = 4096
"Documents that are made together: enough to spread the cost of a column, few enough for the cache."

_ID_NUMBERS = 2**40
"Row numbers that a computed `_id` has room for."
_DEEPEST = 60
"How many fields may follow from one another."
_WARM = 64
"Rows of a root that are drawn to make the pools."
_SAMPLE = 512
"Rows from which the number of children is estimated."


class _Identifier(Draw):
    """The computed `_id`."""

    def column(self, at: Place) -> Column:
        return Identifiers(at.frame.rows, at.plan.owner(at.frame.scope.collection))


@dataclass(eq=False)
class Plan:
    """What every document of a database is, as a function of its row number."""

    schema: BaseMongoDbSchema
    declarations: Mapping[str, Rows | Summary]
    seed: int
    scale: float
    reference_time: datetime
    pools: dict[Any, Pool] = field(default_factory=dict)
    "Values that rows draw from, made once; a worker adopts those of the first process."
    _open: Counter[Any] = field(default_factory=Counter, repr=False)
    _path: list[str] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._models = {c.collection_name: c.document_schema for c in self.schema.collections.values()}
        self._check_collections()
        self._references = {name: references(model) for name, model in self._models.items()}
        self._types: dict[tuple[str, str], FieldFacts] = {}
        self._faults: list[str] = []
        self._scopes: dict[str, Scope] = {}
        for name, declared in self.declarations.items():
            if isinstance(declared, Rows):
                fields = self._completed(name, "", fields_of(self._models[name]), declared.fields)
                self._scopes[name] = Scope(self, name, "", fields)
        if self._faults:
            raise DeclarationError("; ".join(self._faults))
        self._check_numbers()

    # What the loader asks

    @cached_property
    def roots(self) -> dict[str, int]:
        """The collections that have no parent, and how many rows each has at this scale."""
        return {
            name: 1 if isinstance(declared, Summary) else self.rows_of(name)
            for name, declared in self.declarations.items()
            if isinstance(declared, Summary) or declared.per is None
        }

    @property
    def computed(self) -> frozenset[str]:
        """The collections that are computed from others as a whole."""
        return frozenset(n for n, declared in self.declarations.items() if isinstance(declared, Summary))

    @cached_property
    def expected(self) -> dict[str, int]:
        """About how many documents each collection will have; of roots just how many."""
        numbers: dict[str, int] = {}
        for root, count in self.roots.items():
            if root in self.computed:
                numbers[root] = 1
                continue
            for collection, mean in self._per_root_row[root].items():
                numbers[collection] = round(mean * count)
        return {name: numbers[name] for name in self.declarations}

    def rows_per_unit(self, root: str) -> int:
        """Return how many rows of a root give about a block of documents, in the collection with the most."""
        if root in self.computed:
            return 1
        most = max(self._per_root_row[root].values())
        return max(1, round(BLOCK / most)) if most else BLOCK

    def encode(self, unit: Unit) -> Iterator[Encoded]:
        """Make the documents of a unit.

        Raises:
            DeclarationError: the declaration cannot be drawn for one of the rows.
        """
        if unit.root in self.computed:
            declared = self.declarations[unit.root]
            assert isinstance(declared, Summary)
            yield Encoded(unit.root, summarise(self, unit.root, declared))
            return
        rows = np.arange(unit.start, unit.stop, dtype=np.uint64)
        yield from self._encoded(Frame(self._scopes[unit.root], rows))

    def row_of(self, collection: str, identifier: object) -> int | None:
        """Return the number of the row whose computed `_id` this is."""
        if isinstance(identifier, ObjectId) and identifier.binary[:7] == self.owner(collection):
            return int.from_bytes(identifier.binary[7:], "big")
        return None

    def warm(self) -> dict[Any, Pool]:
        """Make all pools, by drawing the first rows of each collection, and return them."""
        for root, count in self.roots.items():
            if root not in self.computed and count:
                self._warm(Frame(self._scopes[root], np.arange(min(count, _WARM), dtype=np.uint64)))
        return self.pools

    def adopt(self, pools: Mapping[Any, Pool]) -> None:
        """Take over the pools that another process made."""
        self.pools.update(pools)

    # What frames and draws ask

    def scope(self, collection: str) -> Scope:
        """Return the scope of a collection."""
        return self._scopes[collection]

    def declared(self, collection: str) -> Rows:
        """Return the declaration of a collection of rows."""
        declared = self.declarations.get(collection)
        if not isinstance(declared, Rows):
            raise DeclarationError(f"{collection!r} has no rows that something could be drawn from")
        return declared

    def rows_of(self, root: str) -> int:
        """Return how many rows a root has at this scale."""
        declared = self.declared(root)
        assert isinstance(declared.count, int)
        scaled = round(declared.count * self.scale)
        return declared.count if declared.fixed else max(min(1, declared.count), scaled)

    def chain(self, collection: str) -> list[str]:
        """Return the collections from the root down to this one."""
        names = [collection]
        while (per := self.declared(names[0]).per) is not None:
            names.insert(0, per)
        return names

    def common(self, one: str, other: str) -> str | None:
        """Return the lowest collection that is above both, or is one of them; None if there is none."""
        shared = [name for name in self.chain(one) if name in self.chain(other)]
        return shared[-1] if shared else None

    def some(self, collection: str, rows: NDArray[np.uint64]) -> tuple[Frame, Index]:
        """Return a frame that has each of these rows once, and where each of them is in it."""
        once, index = np.unique(rows, return_inverse=True)
        return Frame(self._scopes[collection], once), index

    def universe(self, frame: Frame, root: str) -> NDArray[np.int64]:
        """Return how many rows of a root there are at every scale at which each row of the frame is there.

        For rows of that root itself: how many come before.
        """
        own = frame.scope.collection
        home, index = frame.home()
        rows = home.rows[index]
        for collection in reversed(self.chain(own)[1:]):
            rows = rows // np.uint64(self.declared(collection).most)
        source, target = self.declared(self.chain(own)[0]), self.declared(root)
        if self.chain(own)[0] == root:
            return rows.astype(np.int64)
        assert isinstance(source.count, int)
        assert isinstance(target.count, int)
        if target.fixed:
            return np.full(len(rows), target.count)
        if source.fixed:
            raise DeclarationError(
                f"{own!r} has the same rows at every scale and refers to {root!r}, which has fewer at a "
                "small one: make both `fixed`, or neither"
            )
        # A row r of N is there from the scale (r + 1/2) / N on, and the first at every scale.
        before = np.uint64(target.count) * (rows * np.uint64(2) + np.uint64(1))
        least = min(1, target.count)
        there = np.maximum(before // np.uint64(2 * source.count), least).astype(np.int64)
        return np.where(rows > 0, there, least)

    def reference(self, scope: Scope, path: str) -> Reference | None:
        """Return what the schema says a field refers to."""
        return self._references[scope.collection].get((scope.prefix + path).rstrip("."))

    def owner(self, collection: str) -> bytes:
        """Return the first seven bytes of a collection's computed ids."""
        seconds = int(self.reference_time.timestamp()) & 0xFFFFFFFF
        return seconds.to_bytes(4, "big") + id_owner(self.seed, collection)

    def pool(self, key: Any, make: Callable[[], Sequence[Any]]) -> Pool:
        """Return the pool of that key, made if it is new."""
        if key not in self.pools:
            self.pools[key] = Pool(make())
        return self.pools[key]

    def stores(self, collection: str, path: str) -> bool:
        """Return whether the schema has a field."""
        return path == "_id" or (collection, path) in self._types

    def fitted(self, scope: Scope, path: str, column: Column) -> Column:
        """Return numbers in the type that the schema has for them."""
        facts = self._types.get((scope.collection, (scope.prefix + path).rstrip(".")))
        return column if facts is None else _fitted(column, facts.type)

    def enter(self, frame: Frame, path: str) -> None:
        """Note that a field is being made; fields that need each other are an error."""
        step = (id(frame), path)
        self._open[step] += 1
        self._path.append(frame.scope.where(path))
        if self._open[step] > 1 or len(self._path) > _DEEPEST:
            cycle = self._path[max(0, len(self._path) - 6) :]
            self._open.clear()
            self._path.clear()
            raise DeclarationError("these fields need each other: " + " → ".join(cycle))

    def leave(self, frame: Frame, path: str) -> None:
        """Note that a field has been made."""
        self._open.pop((id(frame), path), None)
        if self._path:
            self._path.pop()

    # The documents of a unit

    def _encoded(self, frame: Frame) -> Iterator[Encoded]:
        collection = frame.scope.collection
        for start in range(0, len(frame), BLOCK * 2):
            part = frame if len(frame) <= BLOCK * 2 else _apart(frame, start, start + BLOCK * 2)
            yield Encoded(collection, _bytes_of(part))
        for child in self._children.get(collection, ()):
            yield from self._encoded(frame.children(child))

    def _warm(self, frame: Frame) -> None:
        # Where there are no rows below, draws of no rows ask for their pools just the same.
        frame.document().encode()
        for child in self._children.get(frame.scope.collection, ()):
            self._warm(frame.children(child))

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        below: dict[str, list[str]] = {}
        for name, declared in self.declarations.items():
            if isinstance(declared, Rows) and declared.per is not None:
                below.setdefault(declared.per, []).append(name)
        return below

    @cached_property
    def _per_root_row(self) -> dict[str, dict[str, float]]:
        """How many documents of each collection a row of each root has, from a sample."""
        means = {}
        for root, count in self.roots.items():
            if root in self.computed:
                continue
            sample = np.linspace(0, max(0, count - 1), min(count, _SAMPLE)).astype(np.uint64)
            found: dict[str, float] = {}
            self._count_below(Frame(self._scopes[root], sample), len(sample), found)
            means[root] = found
        return means

    def _count_below(self, frame: Frame, roots: int, found: dict[str, float]) -> None:
        found[frame.scope.collection] = len(frame) / max(1, roots)
        for child in self._children.get(frame.scope.collection, ()):
            self._count_below(frame.children(child), roots, found)

    # Making the declaration whole

    def _check_collections(self) -> None:
        known = set(self._models)
        for name, declared in self.declarations.items():
            if name not in known:
                raise DeclarationError(f"{name!r} has rows declared and is no collection of the schema")
            above = declared.source if isinstance(declared, Summary) else declared.per
            if above is not None and not isinstance(self.declarations.get(above), Rows):
                raise DeclarationError(f"{name!r} is made from {above!r}, for which no rows are declared")
            if isinstance(declared, Rows) and declared.per is None and not isinstance(declared.count, int):
                raise DeclarationError(f"{name!r} needs a number of rows, or `per` and how many for each")
        missing = sorted(known - set(self.declarations))
        if missing:
            raise DeclarationError(f"no rows are declared for {', '.join(map(repr, missing))}")
        for name in self.declarations:
            above, seen = name, set()
            while above is not None:
                if above in seen:
                    raise DeclarationError(f"{name!r} is, by `per`, made from itself")
                seen.add(above)
                declared = self.declarations[above]
                above = declared.per if isinstance(declared, Rows) else None

    def _check_numbers(self) -> None:
        for name, declared in self.declarations.items():
            if not isinstance(declared, Rows):
                continue
            chain = self.chain(name)
            largest = self.rows_of(chain[0])
            for collection in chain[1:]:
                try:
                    largest *= self.declared(collection).most
                except DeclarationError as exc:
                    raise DeclarationError(f"{collection}: {exc}") from None
            if largest > _ID_NUMBERS:
                raise DeclarationError(
                    f"{name!r} may have row numbers up to {largest:,}, above 2^40: lower `high` of "
                    f"{' or '.join(chain[1:]) or name}"
                )

    def _completed(
        self, collection: str, prefix: str, facts: Mapping[str, FieldFacts], declared: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the fields in the schema's order, with what it implies for those left out."""
        whole: dict[str, Any] = {}
        for name, fact in facts.items():
            path = prefix + name
            self._types[collection, path] = fact
            if name in declared:
                whole[name] = self._checked(collection, path, fact, declared[name])
            elif path == "_id":
                whole[name] = _Identifier()
            elif fact.default is not PydanticUndefined and (not name or "." in name or name.startswith("$")):
                continue  # no path can name it: it is left out of the documents
            else:
                derived = self._derived(collection, path, fact, facts)
                if derived is not _NOTHING:
                    whole[name] = derived
        if "_id" not in whole and not prefix:
            whole = {"_id": declared.get("_id", _Identifier()), **whole}
        for name, drawn in declared.items():
            if name not in whole:
                if facts and not name.startswith("_") and not self._open_to_more(collection, prefix):
                    where = f"{collection}.{prefix}{name}"
                    self._faults.append(f"{where} is declared and is no field of the schema")
                whole[name] = drawn
        return whole

    def _open_to_more(self, collection: str, prefix: str) -> bool:
        model = self._models[collection]
        for name in filter(None, prefix.split(".")):
            model = fields_of(model)[name].model
        return model is None or model.model_config.get("extra") == "allow"

    def _checked(self, collection: str, path: str, fact: FieldFacts, drawn: Any) -> Any:
        if isinstance(drawn, Mapping) and fact.model is not None and not fact.many:
            return self._completed(collection, f"{path}.", fields_of(fact.model), drawn)
        if isinstance(drawn, Array) and fact.model is not None and isinstance(drawn.item, Mapping):
            item = self._completed(collection, f"{path}.", fields_of(fact.model), drawn.item)
            return replace(drawn, item=item)
        order = fact.mark(NotBefore)
        return NoEarlier(drawn, order.paths) if order else drawn

    def _derived(  # noqa: PLR0911 - a mark each
        self, collection: str, path: str, fact: FieldFacts, siblings: Mapping[str, FieldFacts]
    ) -> Any:
        """Return the draw of a field that is not declared."""
        if copy := fact.mark(Copy):
            return Get(self._within(collection, path, copy.path))
        if total := fact.mark(Computed):
            return self._total(collection, path, total)
        if reference := fact.mark(Reference):
            return self._reference(collection, reference, fact, siblings)
        if order := fact.mark(NotBefore):
            return After(*order.paths)
        if fact.default is not PydanticUndefined:
            return _stored(fact.default)
        if fact.literals and not fact.many:
            return Choice(list(fact.literals))
        if fact.type is bool and not fact.many:
            return Chance(0.5)
        if fact.model is not None and not fact.many:
            return self._completed(collection, f"{path}.", fields_of(fact.model), {})
        self._faults.append(f"{collection}.{path} is not declared: say how it is drawn")
        return _NOTHING

    def _within(self, collection: str, path: str, other: str) -> str:
        """Return the path of another field as the item of an array sees it that holds both."""
        above = path
        while above := above.rpartition(".")[0]:
            if self._types[collection, above].many and other.startswith(f"{above}."):
                return other.removeprefix(f"{above}.")
        return other

    def _reference(
        self, collection: str, reference: Reference, fact: FieldFacts, siblings: Mapping[str, FieldFacts]
    ) -> Draw:
        if fact.many:
            return Refs(reference.collection, 3)
        above = self.chain(collection)[:-1]
        if reference.collection in above:
            return Parent(reference.collection)
        if isinstance(self.declarations[reference.collection], Rows):
            chain = self.chain(reference.collection)[:-1]
            if self.common(collection, reference.collection) is None:
                for name, other in siblings.items():
                    mark = other.mark(Reference)
                    if mark is not None and mark.collection in chain:
                        return Ref(reference.collection, of=name)
        return Ref(reference.collection)

    def _total(self, collection: str, path: str, total: Computed) -> Draw:
        name = total.of.partition(".")[0]
        own = fields_of(self._models[collection]).get(name)
        if name in self.declarations and not (own is not None and own.many):
            declared = self.declarations[name]
            if not isinstance(declared, Rows) or collection not in self.chain(name)[:-1]:
                self._faults.append(
                    f"{collection}.{path} is computed from {name!r}: declare that with per={collection!r}, "
                    "so that its rows are made together with these"
                )
        return Total(total.how, total.of, total.conditions, total.by)


_NOTHING = object()
"What is derived for a field that nothing is known of."


def id_owner(seed: int, collection: str) -> bytes:
    """Return the three bytes by which the computed ids of a collection differ from those of others."""
    return blake2b(f"{seed}/{collection}".encode(), digest_size=3).digest()


def _stored(default: Any) -> Any:
    """Return a model's default as a document has it."""
    if isinstance(default, BaseModel):
        return default.model_dump(by_alias=True)
    return default.value if isinstance(default, Enum) else default


def _bytes_of(frame: Frame) -> list[bytes]:
    documents = frame.document()
    try:
        return documents.encode()
    except (InvalidDocument, OverflowError, TypeError) as exc:
        for name, column in documents.fields.items():
            try:
                column.stream(name.encode())
            except (InvalidDocument, OverflowError, TypeError) as reason:
                where = frame.scope.where(name)
                raise DeclarationError(f"{where} cannot be stored: {' '.join(str(reason).split())}") from exc
        raise


def _apart(frame: Frame, start: int, stop: int) -> Frame:
    """Return a part of a long frame with columns of its own, which are forgotten with it."""
    owner = None if frame.owner is None else (frame.owner[0], frame.owner[1][start:stop])
    ordinals = None if frame.ordinals is None else frame.ordinals[start:stop]
    return Frame(frame.scope, frame.rows[start:stop], owner, ordinals)


def _fitted(column: Column, wanted: Any) -> Column:
    if isinstance(column, Parted):
        return Parted(column.codes, column.places, [_fitted(part, wanted) for part in column.parts])
    if isinstance(column, Arrays):
        return Arrays(_fitted(column.items, wanted), column.sizes)
    if wanted is int and isinstance(column, Numbers):
        return Integers(np.rint(column.values).astype(np.int64))
    if wanted is float and isinstance(column, Integers):
        return Numbers(column.values.astype(np.float64))
    if wanted is Decimal128 and isinstance(column, Integers | Numbers):
        return Decimals(np.rint(column.values * 100).astype(np.int64), 2)
    return column
