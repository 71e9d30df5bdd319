"""What is known of a database: facts, and never a value but of enumerations and bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mimiod.evolution.shapes import CollectionShape
from mimiod.inspecting.variants import Drift, Variants, dotted, drifts_of, variants_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mimiod.inspecting.counting import Counter
    from mimiod.inspecting.sketches import Span

ENUMERATED_TIMES = 5
"How often each value of an enumeration occurs, on average, at the least."
_NUMBERS = frozenset({"int", "long", "double", "decimal"})
_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PERSONAL = frozenset({"email", "phone", "url", "uuid", "object_id", "ip_address"})


@dataclass(frozen=True)
class Range:
    """The bounds of numbers, and how they lie between them."""

    low: Any
    high: Any
    mean: float
    quantiles: Sequence[Any]
    "21: the bounds, and 19 between that part a sample into twentieths."


@dataclass(frozen=True)
class FieldFacts:
    """What stands at one place of the documents."""

    count: int
    "How often the field is there, nulls included."
    of: int
    "How often it could be: the objects that it is a field of, or the items of its array."
    kinds: Mapping[str, int]
    "BSON types, as `$type` names them, and how many values are of each."
    distinct: int = 0
    exact: bool = True
    "Whether `distinct` is counted and not estimated."
    unique: bool = False
    "Whether no value was seen twice, of some two or more."
    enumeration: Mapping[Any, int] | None = None
    "All values, with how often each occurs, where they are few."
    numbers: Range | None = None
    not_finite: int = 0
    "Numbers that are infinite or none."
    moments: Range | None = None
    "As dates."
    lengths: Range | None = None
    "Of texts and binary values."
    sizes: Range | None = None
    "Of arrays."
    forms: Mapping[str, float] = field(default_factory=dict)
    "Known forms of texts, with the share that has each."
    masks: Mapping[str, int] | None = None
    "Of texts: 9 for a digit, a and A for letters, and how many look so; None where there are too many."
    prefix: str = ""
    "What all texts begin with."
    fields: Mapping[str, FieldFacts] = field(default_factory=dict)
    "Of objects."
    free: FieldFacts | None = None
    "Of objects with free keys: what stands under any of them."
    free_keys: int = 0
    "How many different ones there are."
    items: FieldFacts | None = None
    "Of arrays."
    variants: Variants | None = None
    "Of objects of several shapes."

    @property
    def rate(self) -> float:
        """The share of the places where it is there."""
        return self.count / self.of if self.of else 0.0

    @property
    def nulls(self) -> int:
        """How many of the values are null."""
        return self.kinds.get("null", 0)

    @property
    def values(self) -> int:
        """How many of the values are not null."""
        return self.count - self.nulls

    @property
    def types(self) -> list[str]:
        """The types beside null, the most frequent first."""
        kinds = {kind: count for kind, count in self.kinds.items() if kind != "null"}
        return sorted(kinds, key=lambda kind: -kinds[kind])


@dataclass(frozen=True)
class CollectionFacts:
    """What a collection is like."""

    name: str
    documents: int
    "In the collection, whether read or not; of a sample by the server's estimate."
    read: int
    method: str
    "How those that were read were chosen."
    average_size: float
    "Bytes, as they are stored."
    root: FieldFacts
    dated_by: str | None
    "The moment by which drift was looked for."
    drift: Sequence[Drift]
    shape: CollectionShape = field(default_factory=CollectionShape)
    notes: Sequence[str] = ()

    @property
    def complete(self) -> bool:
        """Whether all documents were read."""
        return self.method == "all documents"

    def fields(self) -> Iterator[tuple[tuple[str, ...], FieldFacts]]:
        """Yield every field with its path: array positions are left out, `*` is any key."""
        yield from _below(self.root, ())


@dataclass(frozen=True)
class ReferenceFacts:
    """Values of one collection that name documents of another, or of itself."""

    collection: str
    fields: Sequence[str]
    "Dotted paths; more than one where the key is composite."
    target: str
    keys: Sequence[str]
    "The fields there, in the same order."
    cardinality: str
    "`1:1`, `n:1` (several documents name one) or `n:m` (in arrays)."
    coverage: float
    "The share of the values looked for that is there."
    confidence: float
    reasons: Sequence[str]
    children: Range | None = None
    "How often a key that is named at all is named."


@dataclass(frozen=True)
class CopyFacts:
    """Values that repeat a unique field of the document that a reference names."""

    collection: str
    path: str
    of: str
    "The reference, then the field there; of an array that repeats documents, their collection and field."


@dataclass(frozen=True)
class SplitReference:
    """Values that name documents of several collections."""

    collection: str
    path: str
    targets: Mapping[str, float]
    "By collection: the share of the values that is there."


@dataclass(frozen=True)
class Inspection:
    """A database as it was found."""

    source: str
    sample: int | None
    "How many documents of a collection were to be read at the most; None for all."
    collections: Mapping[str, CollectionFacts]
    references: Sequence[ReferenceFacts] = ()
    copies: Sequence[CopyFacts] = ()
    split: Sequence[SplitReference] = ()
    notes: Sequence[str] = ()


def field_facts(counter: Counter, of: int) -> FieldFacts:
    """Return what a counter counted."""
    sizes, keys = counter.sizes, counter.keys
    forms = counter.forms.known() if counter.forms else {}
    variants = variants_of(list(counter.skeletons)) if counter.skeletons else None
    scalars = sum(keys.counts.values())
    return FieldFacts(
        count=counter.count,
        of=of,
        kinds=dict(sorted(counter.kinds.items(), key=lambda pair: -pair[1])),
        distinct=keys.distinct,
        exact=not keys.full,
        unique=len(keys.counts) > 1 and scalars == len(keys.counts),
        enumeration=_enumeration(counter, forms),
        numbers=_range(counter.numbers),
        not_finite=counter.not_finite,
        moments=_moments(counter.moments),
        lengths=_range(counter.lengths),
        sizes=_range(sizes),
        forms=forms,
        masks=counter.forms.masks if counter.forms else None,
        prefix=(counter.forms.prefix or "") if counter.forms else "",
        fields={name: field_facts(inner, counter.objects) for name, inner in counter.fields.items()},
        free=field_facts(counter.free, counter.free.count) if counter.free else None,
        free_keys=counter.names.distinct if counter.names else 0,
        items=field_facts(counter.items, counter.items.count) if counter.items else None,
        variants=variants,
    )


def drift_of(counter: Counter) -> tuple[str | None, list[Drift]]:
    """Return the date that the documents are ordered by, and what changed with it."""
    when, drifts = drifts_of(list(counter.skeletons)) if counter.skeletons else (None, [])
    named = [drift for path, drift in drifts if _is_named(counter, path)]
    return (None, []) if when is None or not _is_named(counter, when) else (dotted(when), named)


def _is_named(counter: Counter, path: tuple[str, ...]) -> bool:
    """Whether a path is of names: such as are data, and stand for free keys, are told nowhere."""
    for name in path:
        while counter.items is not None and name not in counter.fields:
            counter = counter.items
        if name not in counter.fields:
            return False
        counter = counter.fields[name]
    return True


def _enumeration(counter: Counter, forms: Mapping[str, float]) -> dict[Any, int] | None:
    found = counter.enumeration
    if not found or _PERSONAL & forms.keys():
        return None
    texts = [value for value in found if isinstance(value, str)]
    if not texts and set(map(type, found)) != {bool}:
        return None
    if sum(found.values()) < ENUMERATED_TIMES * len(found):
        return None
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], str(pair[0]))))


def _range(span: Span | None) -> Range | None:
    return Range(span.low, span.high, span.mean, span.quantiles()) if span else None


def _moments(span: Span | None) -> Range | None:
    if span is None:
        return None
    return Range(moment(span.low), moment(span.high), span.mean, [moment(each) for each in span.quantiles()])


def moment(milliseconds: float) -> datetime:
    """Return a moment of milliseconds since 1970; those beyond Python's calendar at its ends."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return _LAST if milliseconds > 0 else _FIRST


def _below(facts: FieldFacts, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], FieldFacts]]:
    for name, inner in facts.fields.items():
        yield (*path, name), inner
        yield from _below(inner, (*path, name))
    if facts.free is not None:
        yield (*path, "*"), facts.free
        yield from _below(facts.free, (*path, "*"))
    if facts.items is not None:
        yield from _below(facts.items, path)
