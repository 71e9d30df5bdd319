"""What one index can do for a query: bounds on its fields, order, and whether documents are looked at.

Multikey bounds follow https://www.mongodb.com/docs/manual/core/multikey-index-bounds/: conditions on one
array narrow the scan together only where an `$elemMatch` joins them. MongoDB keeps track of which fields of
an index are arrays; here the model of the documents says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from bson import Regex

from mimiod.checking import implication
from mimiod.checking.field_types import FieldType, field_type
from mimiod.checking.predicates import EVERYTHING, Filter, Interval, Predicate
from mimiod.schema_types import Sample

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mimiod.checking.reading import Reading
    from mimiod.schema_types import IndexDefinition

Role = Literal["equality", "points", "range", "poor", "sort", "text", "geo", "unbounded"]

MOST_MERGED = 200
"Scans that MongoDB merges instead of sorting: internalQueryMaxScansToExplode."

_ROLES: Mapping[str, Role] = {
    "point": "equality", "points": "points", "range": "range", "prefix": "range",
    "type": "poor", "exists": "poor", "regex": "poor", "negation": "poor",
}  # fmt: skip
_ORDER = list(_ROLES)
"From the narrowest bounds to the widest."


@dataclass(frozen=True)
class KeyUse:
    """What one field of an index does for a query."""

    field: str
    direction: int | str
    role: Role = "unbounded"
    intervals: tuple[Interval, ...] = EVERYTHING
    "The bounds of the scan; all of them hold for one key of the index together."


@dataclass(frozen=True)
class Collated:
    """A collection's documents, and the collations of its indexes and of the query."""

    model: type[BaseModel] | None
    default: Mapping[str, Any] | None
    of_query: Mapping[str, Any] | None

    def type_of(self, path: str) -> FieldType:
        """Return what the model says of a path."""
        return _field_type(self.model, path)

    def of_index(self, index: IndexDefinition) -> Mapping[str, Any] | None:
        """Return the collation of an index."""
        return normal_collation(index.collation) if index.collation else self.default


@lru_cache(maxsize=4096)
def _field_type(model: type[BaseModel] | None, path: str) -> FieldType:
    return field_type(model, path)


def normal_collation(collation: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a collation with its strength written out; the simple one is None."""
    if not collation or collation.get("locale") == "simple":
        return None
    return {"strength": 3, **collation}


@dataclass(frozen=True)
class Scan:
    """A scan of one index for a query."""

    index: IndexDefinition
    keys: tuple[KeyUse, ...]
    sort: Literal["none", "index", "merge", "blocking"]
    backward: bool
    covered: bool
    tight: bool
    residual: tuple[str, ...]
    held: tuple[str, ...]
    "Paths that the index's partial filter answers."

    @property
    def bounded(self) -> bool:
        """Whether only a part of the index is read."""
        return self.keys[0].role not in {"sort", "unbounded"} or any(
            key.role in {"text", "geo"} for key in self.keys
        )

    @property
    def points(self) -> int:
        """How many fields are held to single values."""
        leading = 0
        for key in self.keys:
            if key.role not in {"equality", "points"}:
                break
            leading += 1
        return leading + len(self.held)

    @property
    def ranges(self) -> int:
        """How many fields have other bounds that narrow the scan."""
        return sum(key.role in {"range", "text", "geo"} for key in self.keys)


def scan_of(index: IndexDefinition, conditions: Filter, about: Collated, read: Reading) -> Scan | str:
    """Return what an index does for a query, or why it can do nothing."""
    kinds = {direction for _, direction in index.key_pairs() if isinstance(direction, str)}
    reason = _unfit(index, kinds, conditions, about)
    if reason:
        return reason
    attempt = _Attempt(index, conditions, about, read)
    if any(field.endswith("$**") for field in index.keys):
        return attempt.of_wildcard()
    return attempt.of_special(kinds) if kinds & {"text", "2d", "2dsphere"} else attempt.of_fields()


def _unfit(index: IndexDefinition, kinds: set[str], conditions: Filter, about: Collated) -> str | None:
    """Return why an index cannot answer these conditions, whatever its bounds."""
    asked = {each.kind for each in conditions.predicates}
    if index.hidden:
        return "it is hidden"
    if _has_two_arrays(index, about):
        return "two of its fields are arrays, which no document may have"
    if index.partial_filter and not implication.implies(conditions.predicates, index.partial_filter):
        return f"the query does not imply its filter {index.partial_filter}"
    if ("text" in kinds) != ("text" in asked):
        return "a text index serves $text only" if "text" in kinds else "$text needs a text index"
    if "near" in asked and not kinds & {"2d", "2dsphere"}:
        return "a search for what is near needs a geospatial index"
    return None


def _has_two_arrays(index: IndexDefinition, about: Collated) -> bool:
    """Whether two fields lie in arrays that are not inside one another."""
    # https://www.mongodb.com/docs/manual/core/indexes/index-types/index-multikey/#compound-multikey-indexes
    arrays = sorted({array for field in index.keys for array in about.type_of(field).arrays}, key=len)
    return any(not f"{long}.".startswith(f"{short}.") for short, long in pairwise(arrays))


class _Attempt:
    """The use of one index for a query, as it is put together."""

    def __init__(self, index: IndexDefinition, conditions: Filter, about: Collated, read: Reading) -> None:
        self.index = index
        self.conditions = conditions
        self.about = about
        self.read = read
        self.used: list[Predicate] = []
        "The predicates that bounds were made of."
        self.same_collation = about.of_index(index) == about.of_query

    def of_fields(self) -> Scan:
        """Return the scan of an index with directions or hashes."""
        return self.finished([self.key(field, direction) for field, direction in self.index.key_pairs()])

    def of_special(self, kinds: set[str]) -> Scan | str:
        """Return the scan of a text or geospatial index; what stands before its special field is bounded."""
        wanted = {"text"} if "text" in kinds else {"geo", "near"}
        keys: list[KeyUse] = []
        for field, direction in self.index.key_pairs():
            if direction not in {"text", "2d", "2dsphere"}:
                keys.append(self.key(field, direction))
                before = not any(key.role in {"text", "geo"} for key in keys)
                if before and direction != "text" and "text" in kinds and keys[-1].role != "equality":
                    return f"a text index needs {field} by equality"
                continue
            fits = [
                each
                for each in self.conditions.predicates
                if each.kind in wanted and each.path in {"", field}
            ]
            self.used += fits
            role: Role = ("text" if direction == "text" else "geo") if fits else "unbounded"
            keys.append(KeyUse(field, direction, role))
        if not any(key.role in {"text", "geo"} for key in keys):
            return f"it serves {' and '.join(sorted(kinds))} conditions only"
        return self.finished(keys)

    def of_wildcard(self) -> Scan | str:
        """Return the scan of a wildcard index: one field, which has to be there.

        https://www.mongodb.com/docs/manual/core/indexes/index-types/index-wildcard/
        """
        ((field, direction),) = [pair for pair in self.index.key_pairs() if pair[0].endswith("$**")][:1]
        start = field.removesuffix("$**")
        for each in sorted(self.conditions.predicates, key=_rank):
            inside = each.path.startswith(start) and self.is_projected(each.path)
            plain = not any(isinstance(value, Mapping | list) for value in each.values)
            if inside and plain and _ROLES.get(each.kind, "poor") != "poor" and not each.finds_missing:
                key = self.key(each.path, direction)
                if key.role != "unbounded":
                    return self.finished([key])
        return f"no condition on a field of {field} that a wildcard index can bound"

    def is_projected(self, path: str) -> bool:
        """Whether a wildcard index takes in a path."""
        projection = self.index.wildcard_projection or {}
        named = any(f"{path}.".startswith(f"{each}.") for each in projection)
        return named == bool(max(projection.values())) if projection else path != "_id"

    def key(self, field: str, direction: int | str) -> KeyUse:
        """Return the bounds on one field, given those before it."""
        fits = [each for each in self.conditions.predicates if self.can_bound(each, field, direction)]
        if not fits:
            return KeyUse(field, direction)
        first = min(fits, key=_rank)
        taken = [first]
        intervals = first.intervals
        if first.kind == "range" and self.is_joined(first, field):
            for other in fits:
                same = other.group == first.group or not self.about.type_of(field).arrays
                if other.kind == "range" and same and len(taken) == 1:
                    both = _intersection(intervals[0], other.intervals[0])
                    if both is not None:
                        intervals, taken = (both,), [first, other]
        self.used += taken
        return KeyUse(field, direction, _ROLES[first.kind], intervals)

    def is_joined(self, predicate: Predicate, field: str) -> bool:
        """Whether two conditions on a field hold for one value."""
        arrays = self.about.type_of(field).arrays
        return not arrays or predicate.array == max(arrays, key=len)

    def can_bound(self, predicate: Predicate, field: str, direction: int | str) -> bool:
        """Whether a condition can bound a field of this index."""
        if predicate.path != field or predicate.kind not in _ROLES:
            return False
        if direction == "hashed" and predicate.kind not in {"point", "points"}:
            return False
        if self.index.sparse and predicate.finds_missing:
            return False
        if predicate.kind in {"prefix", "regex"} and self.about.of_index(self.index):
            return False
        if not self.same_collation and self.compares_text(predicate):
            return False
        return all(self.can_stand_with(predicate, other) for other in self.used)

    def compares_text(self, predicate: Predicate) -> bool:
        """Whether the collation matters to a condition."""
        return predicate.kind in {"prefix", "regex"} or any(
            isinstance(value, str | Regex | Mapping)
            or (isinstance(value, Sample) and self.about.type_of(predicate.path).may_hold_text)
            for value in predicate.values
        )

    def can_stand_with(self, one: Predicate, other: Predicate) -> bool:
        """Whether two conditions can bound two fields of one key: one element has to satisfy both."""
        if one.path == other.path:
            return True
        shared = self.about.type_of(one.path).arrays & self.about.type_of(other.path).arrays
        if not shared:
            return True
        return one.group is not None and one.group == other.group and max(shared, key=len) == one.array

    def finished(self, keys: list[KeyUse]) -> Scan:
        """Return the scan with its order, and with what is left to look at."""
        held = []
        if self.index.partial_filter:
            answered = implication.answered(self.conditions.predicates, self.index.partial_filter)
            held = [each for each in answered if each not in self.used and not self.is_multikey(each.path)]
        left = [
            each
            for each in self.conditions.predicates
            if not (each in self.used and each.exact) and each not in held
        ]
        residual = [each.path or f"${each.kind}" for each in left]
        residual += [*self.conditions.opaque, *("$or" for _ in self.conditions.alternatives)]
        sort, backward, keys = self.ordered(keys)
        cut_short = sort == "blocking" and self.read.limit is not None
        return Scan(
            self.index,
            tuple(keys),
            sort,
            backward,
            self.is_covered(keys, held),
            not residual and not cut_short and self.is_contiguous(keys),
            tuple(dict.fromkeys(residual)),
            tuple(each.path for each in held),
        )

    def is_multikey(self, path: str) -> bool:
        return bool(self.about.type_of(path).arrays)

    def is_contiguous(self, keys: list[KeyUse]) -> bool:
        """Whether the bounds hold one run of keys for each combination of values, and nothing else."""
        roles = [key.role for key in keys]
        while roles and roles[-1] in {"unbounded", "sort"}:
            roles.pop()
        ranged = [key for key in keys if key.role == "range"]
        return set(roles[:-1]) <= {"equality", "points"} and not (
            roles[-1:] in (["poor"], ["text"], ["geo"]) or any(self.is_multikey(key.field) for key in ranged)
        )

    def is_covered(self, keys: list[KeyUse], held: list[Predicate]) -> bool:
        """Whether the keys of the index hold all that the query needs."""
        needed = self.read.needed
        if needed is None or held or self.conditions.opaque:
            return False
        plain = {key.field for key in keys if not isinstance(key.direction, str)}
        asked = {each.path for each in self.conditions.predicates}
        # A key of null does not say whether the field is there.
        unclear = any(each.finds_missing or each.kind == "exists" for each in self.conditions.predicates)
        text = self.about.of_index(self.index) and any(
            self.about.type_of(path).may_hold_text for path in needed
        )
        partial = bool(self.index.sparse) and not any(key.role in _ROLES.values() for key in keys)
        multikey = any(self.is_multikey(path) for path in needed | asked)
        return needed | asked <= plain and not (unclear or text or partial or multikey)

    def ordered(
        self, keys: list[KeyUse]
    ) -> tuple[Literal["none", "index", "merge", "blocking"], bool, list[KeyUse]]:
        """Return where the order comes from, and the keys with those marked that give it."""
        if not self.read.sort:
            return "none", False, keys
        whole = keys[0].role == "unbounded"
        if self.index.sparse and whole:  # it would leave out the documents without the field
            return "blocking", False, keys
        for merging in (False, True):
            walked = self.walk(keys, merging=merging)
            if walked is not None:
                by, backward, scans = walked
                marked = [
                    KeyUse(key.field, key.direction, "sort", key.intervals)
                    if key.field in by and key.role == "unbounded"
                    else key
                    for key in keys
                ]
                return "merge" if scans > 1 else "index", backward, marked
        return "blocking", False, keys

    def walk(self, keys: list[KeyUse], *, merging: bool) -> tuple[set[str], bool, int] | None:
        """Return the fields that give the order, whether backward, and the scans to merge; None if not."""
        fixed = {key.field for key in keys if key.role == "equality" and not self.is_multikey(key.field)}
        position, merged = 0, [1]
        ways: set[bool] = set()
        by: set[str] = set()
        for field, way in self.read.sort:
            if field in fixed:
                continue
            while position < len(keys) and keys[position].field != field:
                key = keys[position]
                splits = merging and not by and key.role == "points" and key.direction != "hashed"
                if key.role != "equality" and not splits:
                    return None
                merged.append(len(key.intervals))
                position += 1
            if position == len(keys) or not self.gives_order(keys[position], keys):
                return None
            ways.add(way != keys[position].direction)
            by.add(field)
            position += 1
        if len(ways) > 1 or prod(merged) > MOST_MERGED:
            return None
        return by, ways == {True}, prod(merged)

    def gives_order(self, key: KeyUse, keys: list[KeyUse]) -> bool:
        """Whether a walk along this field meets the documents in its order.

        A document with an array is sorted by its least element; a scan with bounds may meet another first.
        """
        if isinstance(key.direction, str) or key.field.endswith("$**"):
            return False
        kind = self.about.type_of(key.field)
        if not self.same_collation and kind.may_hold_text:
            return False
        if not kind.arrays:
            return True
        return key.intervals == EVERYTHING and not any(
            other.intervals != EVERYTHING and self.about.type_of(other.field).arrays for other in keys
        )


def _rank(predicate: Predicate) -> tuple[int, bool]:
    return (
        _ORDER.index(predicate.kind) if predicate.kind in _ORDER else len(_ORDER),
        predicate.group is None,
    )


def _intersection(one: Interval, other: Interval) -> Interval | None:
    """Return what lies in both of two intervals that are open on opposite sides."""
    if one.high is None and other.low is None:
        return Interval(one.low, other.high, one.low_inclusive, other.high_inclusive)
    if one.low is None and other.high is None:
        return Interval(other.low, one.high, other.low_inclusive, one.high_inclusive)
    return None
