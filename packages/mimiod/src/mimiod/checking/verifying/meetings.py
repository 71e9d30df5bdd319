"""Documents that name each other, brought together: references, copies, orders and totals among them.

Each document that is named leaves what others say of it (a *fact*), each that names one what it says (a
*claim*) or what it adds to a total there (a *contribution*), all under the named value. Once every document
is read, facts are taken into memory part by part, and claims and contributions of the part go past them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bson import ObjectId

from mimiod.checking.existing import values_at
from mimiod.checking.verifying.report import CollectionVerification, Fault
from mimiod.checking.verifying.rows import contribution
from mimiod.checking.verifying.spill import PARTS, turns
from mimiod.checking.verifying.totals import differs, total
from mimiod.checking.verifying.values import canonical, getter, same, shown
from mimiod.checking.verifying.within import out_of_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mimiod.checking.verifying.places import Path, Position, Scopes
    from mimiod.checking.verifying.spill import Record, Spill, Store
    from mimiod.checking.verifying.totals import Count
    from mimiod.schema_types import Computed

Facts = dict[Any, list["Record"]]
"By the value that names them, the documents: the value, their `_id`, and what is to be known of them."


def key_of(value: Any) -> Any:
    """Return the canonical value of what is most often an id."""
    return value.binary if isinstance(value, ObjectId) else canonical(value)


@dataclass(frozen=True)
class Want:
    """What a mark says of a field and a field of the named document."""

    kind: str
    "copy or order"
    position: Position
    there: str
    "The path in the named document."
    fact: int
    "Where its value stands among the facts."


@dataclass
class Claims:
    """What documents of a collection say by one reference."""

    collection: str
    reference: Path
    spill: Spill
    scopes: Callable[[dict[str, Any]], list[Scopes]]
    wants: list[Want] = field(default_factory=list)
    exists: bool = True
    "Whether it is to be found out that there is such a document."

    def __post_init__(self) -> None:
        self._owns: list[Callable[[Scopes], Any]] = []
        self._read = self.reference.reader

    def want(self, want: Want) -> None:
        """Add what a mark says."""
        self.wants.append(want)
        self._owns.append(want.position.own.reader)

    def see(self, documents: list[dict[str, Any]], ids: list[Any], found: CollectionVerification) -> None:
        """Put aside what documents claim; those that name nothing are judged at once."""
        records: list[Record] = []
        for document, identifier in zip(documents, ids, strict=True):
            for scopes in self.scopes(document):
                owns = [canonical(own(scopes)) for own in self._owns]
                named = self._read(scopes) if self.wants else list(self.reference.all_at(scopes))
                if named is None:
                    self._of_nothing(identifier, owns, found)
                    continue
                for value in named if isinstance(named, list) else [named]:
                    if isinstance(value, dict):
                        self._fault(found, "reference", identifier, f"{self.reference.whole} holds an object")
                    else:
                        records.append((key_of(value), identifier, *owns))
        if self.exists:
            found.references += len(records)
        self.spill.add(records)

    def judge(self, record: Record, facts: Facts, found: CollectionVerification, target: str) -> None:
        """Compare a claim with the facts."""
        key, identifier, *owns = record
        there = facts.get(key)
        path = self.reference.whole
        if there is None:
            if self.exists:
                self._fault(found, "reference", identifier, f"{path} {shown(key)} is in no {target}")
            return
        for want, own in zip(self.wants, owns, strict=True):
            found.count(want.kind, 1)
            reason = self._difference(want, own, there)
            if reason is not None:
                self._fault(found, want.kind, identifier, f"{reason} (of {target} {shown(key)})")

    def _difference(self, want: Want, own: Any, there: list[Record]) -> str | None:
        """Return what is wrong; where several documents are named, one that agrees is enough."""
        originals = [record[want.fact] for record in there]
        if want.kind == "copy":
            if any(same(own, original) for original in originals):
                return None
            path = f"{self.reference.whole}.{want.there}"
            expected = shown(originals[0])
            return f"{want.position.path}: found {shown(own)}, expected {expected}, a copy of {path}"
        earlier = f"{self.reference.whole}.{want.there}"
        reasons = [out_of_order(want.position.path, own, earlier, original) for original in originals]
        return None if None in reasons else reasons[0]

    def _of_nothing(self, identifier: Any, owns: list[Any], found: CollectionVerification) -> None:
        for want, own in zip(self.wants, owns, strict=True):
            if want.kind == "copy":
                found.count("copy", 1)
                if own is not None:
                    self._fault(
                        found,
                        "copy",
                        identifier,
                        f"{want.position.path}: found {shown(own)}, expected null, as "
                        f"{self.reference.whole} is",
                    )

    def _fault(self, found: CollectionVerification, kind: str, identifier: Any, reason: str) -> None:
        found.add(Fault(kind, self.collection, f"_id {shown(identifier)}", reason))


@dataclass(frozen=True)
class Wanted:
    """A total of the named documents."""

    path: str
    mark: Computed
    fact: int


@dataclass
class Contributions:
    """What documents of a collection add, by one reference, to totals of the documents that they name."""

    source: str
    reference: str
    spill: Spill
    totals: list[Wanted] = field(default_factory=list)
    found: CollectionVerification = field(default_factory=CollectionVerification)
    "What is wrong if it is by this reference that rows are counted."

    def __post_init__(self) -> None:
        self._adds: list[Callable[[dict[str, Any]], list[Any]]] = []

    def want(self, wanted: Wanted) -> None:
        """Add a total."""
        self.totals.append(wanted)
        self._adds.append(contribution(wanted.mark, self.source))

    def see(self, documents: list[dict[str, Any]]) -> None:
        """Put aside what documents add."""
        records: list[Record] = []
        for document in documents:
            added = [add(document) for add in self._adds]
            if any(added):
                named = {key_of(value) for value in values_at(document, self.reference)}
                records += [(key, added) for key in named]
        self.spill.add(records)

    def judge(self, records: Iterator[Record], facts: Facts, target: str) -> None:
        """Compute the totals of some documents and compare."""
        anew: dict[Any, list[Count]] = {
            (key, number): [total(wanted.mark, record[wanted.fact]) for wanted in self.totals]
            for key, there in facts.items()
            for number, record in enumerate(there)
        }
        for key, added in records:
            for number in range(len(facts.get(key, ()))):
                for computed, values in zip(anew[key, number], added, strict=True):
                    for value in values:
                        computed.add(value)
        for (key, number), computed_totals in anew.items():
            for wanted, computed in zip(self.totals, computed_totals, strict=True):
                self.found.count("total", 1)
                if not computed.is_right:
                    reason = differs(wanted.path, wanted.mark, computed)
                    identifier = f"_id {shown(facts[key][number][1])}"
                    self.found.add(Fault("total", target, identifier, reason))


@dataclass
class Meeting:
    """Everything that is said by the values of one field of one collection."""

    collection: str
    name: str
    "The field."
    store: Store

    def __post_init__(self) -> None:
        self.claims: list[Claims] = []
        self.totals: dict[str, list[Contributions]] = {}
        "By the collection that adds to them, each way in which it may: by each of its references."
        self._facts = self.store.spill()
        self._wanted: dict[tuple[str, str], int] = {}
        self._readers: list[Callable[[dict[str, Any]], Any]] = []
        self._named = getter(self.name)

    def fact(self, kind: str, path: str) -> int:
        """Return where a field of the named documents will stand among the facts."""
        if (kind, path) not in self._wanted:
            self._wanted[kind, path] = 2 + len(self._readers)
            self._readers.append(_latest(path) if kind == "order" else _plain(path))
        return self._wanted[kind, path]

    def see(self, documents: list[dict[str, Any]], ids: list[Any]) -> None:
        """Put aside the facts of documents of the collection."""
        if self.name == "_id":
            self._facts.add(
                (identifier, identifier, *[read(document) for read in self._readers])
                for document, identifier in zip(documents, ids, strict=True)
            )
            return
        self._facts.add(
            (key, identifier, *[read(document) for read in self._readers])
            for document, identifier in zip(documents, ids, strict=True)
            for key in {key_of(value) for value in values_at(document, self.name)}
        )

    def judge(self, found: Mapping[str, CollectionVerification]) -> None:
        """Bring together what was put aside."""
        target = f"{self.collection}.{self.name}"
        for part in range(PARTS):
            rounds = turns(self._facts.size(part))
            for turn in range(rounds):
                facts: Facts = {}
                for record in self._facts.part(part, turn, rounds):
                    facts.setdefault(record[0], []).append(record)
                for claims in self.claims:
                    for record in claims.spill.part(part, turn, rounds):
                        claims.judge(record, facts, found[claims.collection], target)
                for ways in self.totals.values():
                    for way in ways:
                        way.judge(way.spill.part(part, turn, rounds), facts, self.collection)
        for ways in self.totals.values():
            likeliest = min(ways, key=lambda way: sum(way.found.fault_counts.values()))
            found[self.collection].merge(likeliest.found)


def _plain(path: str) -> Callable[[dict[str, Any]], Any]:
    read = getter(path)
    return lambda document: canonical(read(document))


def _latest(path: str) -> Callable[[dict[str, Any]], Any]:
    def read(document: dict[str, Any]) -> Any:
        moments = [canonical(value) for value in values_at(document, path)]
        return max((moment for moment in moments if hasattr(moment, "isoformat")), default=None)

    return read
