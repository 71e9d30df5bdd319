"""The documents of a collection, counted by field in one pass and in bounded memory.

Objects with free keys (`{"2024-01": …, "2024-02": …}`) become one field, `*`, once they are known as such.
"""

from __future__ import annotations

import math
import re
from collections import Counter as Tally
from collections import defaultdict
from datetime import datetime
from itertools import chain
from types import NoneType
from typing import TYPE_CHECKING, Any

from bson import Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from mimiod.checking.profile import type_name
from mimiod.inspecting.forms import Forms
from mimiod.inspecting.sketches import (
    FEWER_KEYS,
    MOST_KEYS,
    KeySketch,
    Sample,
    Span,
    hashes_of,
    hashes_of_moments,
    milliseconds,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from random import Random

MOST_FIELDS = 3000
"Of one collection; beyond, the object with the most is counted as one with free keys."
DEEPEST = 40
"Levels that are looked into."
AT_ONCE = 256
"Documents that are counted together."
MOST_BYTES = 2**22
"Of such documents."
MOST_SKELETONS = 1000
"Documents whose fields are remembered together, to see which of them go with which."
MOST_ENUMERATED = 32
"Values that are still an enumeration."
LONGEST_ENUMERATED = 40

_MANY_FIELDS = 300
_FREE_KEYS = 60
_FREE_PRESENCE = 0.2
_FEW_KEYS = 3
_FIELDS_OF_SKELETONS = 40_000
_KINDS: dict[type, str] = {
    str: "string", dict: "object", list: "array", bool: "bool", float: "double", NoneType: "null",
    Int64: "long", ObjectId: "objectId", datetime: "date", DatetimeMS: "date", Decimal128: "decimal",
}  # fmt: skip
_TALLIED = frozenset({"string", "int", "long", "bool"})
_NUMBERS = frozenset({"int", "long", "double", "decimal"})
_SKELETON_LEVELS = 4
_FEW_ITEMS = 8
_KEPT = frozenset({"bool", "int", "long"})
_INT, _LONG = 2**31, 2**63
_KEYS_LIKE_DATA = re.compile(
    r"[0-9a-f]{24}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|-?\d+|\d{4}-\d\d(-\d\d)?([T ].*)?|[^@\s]+@[^@\s]+"
)


class Budget:
    """What the counters of one collection share."""

    def __init__(self, draws: Random) -> None:
        self.draws = draws
        self.fields = 0
        self.deeper = 0
        "Objects and arrays that were not looked into, since they lie too deep."

    def sketch(self) -> KeySketch:
        """Return a sketch for one more field."""
        self.fields += 1
        return KeySketch(MOST_KEYS if self.fields < _MANY_FIELDS else FEWER_KEYS)


class Counter:
    """What stands at one place: in a field, in an array, or under free keys."""

    __slots__ = (
        "_held", "_held_bytes", "budget", "count", "enumeration", "fields", "forms", "free", "items", "keys",
        "kinds", "lengths", "moments", "names", "not_finite", "numbers", "sizes", "skeletons",
    )  # fmt: skip

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._held: list[Any] = []
        "Documents that are to be counted together, which takes less time."
        self._held_bytes = 0
        self.count = 0
        "Values, nulls included."
        self.kinds: dict[str, int] = {}
        "By the names that `$type` has."
        self.keys = budget.sketch()
        self.enumeration: dict[Any, int] | None = {}
        "Short texts and whole numbers, as long as they are few."
        self.numbers: Span | None = None
        self.moments: Span | None = None
        "Milliseconds since 1970."
        self.lengths: Span | None = None
        "Of texts and binary values."
        self.sizes: Span | None = None
        "Of arrays."
        self.forms: Forms | None = None
        self.not_finite = 0
        self.fields: dict[str, Counter] = {}
        "Of objects."
        self.free: Counter | None = None
        "The values under free keys."
        self.names: KeySketch | None = None
        "The free keys."
        self.items: Counter | None = None
        "Of arrays."
        self.skeletons: Sample | None = None

    @property
    def objects(self) -> int:
        """How many of the values are objects."""
        return self.kinds.get("object", 0)

    def add(self, document: Any, size: int = 0) -> None:
        """Count a document and what stands in it; `size` is about how many bytes it has."""
        self.count += 1
        self._held.append(document)
        self._held_bytes += size
        if len(self._held) == AT_ONCE or self._held_bytes > MOST_BYTES:
            self._count_held()

    def _count_held(self) -> None:
        held, self._held, self._held_bytes = self._held, [], 0
        self._take(held, 1)

    def add_all(self, values: Sequence[Any], depth: int) -> None:
        """Count values that stand so deep, the documents themselves at 1."""
        self.count += len(values)
        self._take(values, depth)

    def _take(self, values: Sequence[Any], depth: int) -> None:
        for kind, some in _by_kind(values):
            if kind == "object":
                self._add_objects(some, depth)
                continue
            self.kinds[kind] = self.kinds.get(kind, 0) + len(some)
            if kind == "array":
                self._add_arrays(some, depth)
            elif kind != "null":
                self._add_scalars(kind, some)

    def _add_scalars(self, kind: str, values: Sequence[Any]) -> None:
        if kind == "date":
            self._add_moments(values)
            return
        tally = Tally(values) if kind in _TALLIED else None
        if tally is None:
            self.keys.add_all(values, hashes_of(values))
        else:
            self.keys.add_all(tally, hashes_of(list(tally)), tally.values())
        if kind != "double" and self.enumeration is not None:
            self._enumerate(tally, kind)
        if kind == "string":
            assert tally is not None
            self.forms = self.forms or Forms()
            self.forms.add(tally)
        if kind in {"string", "binData"}:
            self.lengths = self._span(self.lengths, list(map(len, values)))
        elif kind in _NUMBERS:
            self._add_numbers(values)

    def _add_numbers(self, values: Sequence[Any]) -> None:
        numbers = [v if isinstance(v, int) and -_LONG <= v < _LONG else _float(v) for v in values]
        finite = [number for number in numbers if isinstance(number, int) or math.isfinite(number)]
        self.not_finite += len(numbers) - len(finite)
        self.numbers = self._span(self.numbers, finite)

    def _add_moments(self, values: Sequence[Any]) -> None:
        moments = [milliseconds(each) if isinstance(each, datetime) else int(each) for each in values]
        self.keys.add_all(values, hashes_of_moments(moments))
        self.enumeration = None
        self.moments = self._span(self.moments, moments)

    def _span(self, span: Span | None, values: Sequence[float]) -> Span | None:
        if values:
            span = span or Span(self.budget.draws)
            span.add_all(values)
        return span

    def _enumerate(self, tally: Mapping[Any, int] | None, kind: str) -> None:
        assert self.enumeration is not None
        long = tally is None or (kind == "string" and max(map(len, tally)) > LONGEST_ENUMERATED)
        if tally is None or long or len(self.enumeration.keys() | tally.keys()) > MOST_ENUMERATED:
            self.enumeration = None
            return
        for value, count in tally.items():
            self.enumeration[value] = self.enumeration.get(value, 0) + count

    def _add_objects(self, values: Sequence[Mapping[str, Any]], depth: int) -> None:
        if depth > DEEPEST:
            self.kinds["object"] = self.objects + len(values)
            self.budget.deeper += len(values)
            return
        columns: defaultdict[str, list[Any]] = defaultdict(list)
        start = 0
        for stop, value in enumerate(values, 1):
            for name, inner in value.items():
                columns[name].append(inner)
            if len(columns) > MOST_FIELDS or stop == len(values):
                self._add_columns(columns, stop - start, depth)
                columns.clear()
                start = stop
        self.skeletons = self.skeletons or Sample(self.budget.draws, MOST_SKELETONS)
        for place, drawn in self.skeletons.places(len(values)):
            bones = _skeleton(values[place], _SKELETON_LEVELS if depth == 1 else 1)
            self.skeletons.keep(drawn, bones)
            if (size := _size(bones)) * self.skeletons.size > _FIELDS_OF_SKELETONS:
                self.skeletons.size = max(50, _FIELDS_OF_SKELETONS // size)

    def _add_columns(self, columns: Mapping[str, list[Any]], objects: int, depth: int) -> None:
        """Count objects, given by field."""
        self.kinds["object"] = self.objects + objects
        if depth > 1 and self.free is None and self._will_have_free_keys(columns):
            self.free_keys()
        others: dict[str, list[Any]] = {}
        for name, column in columns.items():
            counter = self.fields.get(name)
            if counter is None and self.free is None and self.budget.fields >= MOST_FIELDS:
                self._overflow(top=depth == 1)
            if counter is None and self.free is not None:
                others[name] = column
                continue
            if counter is None:
                counter = self.fields[name] = Counter(self.budget)
            counter.add_all(column, depth + 1)
        if others and self.free is not None and self.names is not None:
            self.names.add_all(others, hashes_of(list(others)), map(len, others.values()))
            self.free.add_all(list(chain.from_iterable(others.values())), depth + 1)

    def _will_have_free_keys(self, columns: Mapping[str, list[Any]]) -> bool:
        names = self.fields.keys() | columns.keys()
        if len(names) <= max(_FREE_KEYS, len(self.fields)):
            return False
        values = sum(inner.count for inner in self.fields.values()) + sum(map(len, columns.values()))
        return values < _FREE_PRESENCE * len(names) * self.objects

    def _presence(self) -> float:
        return sum(inner.count for inner in self.fields.values()) / (len(self.fields) * self.objects)

    def _overflow(self, *, top: bool) -> None:
        """There are too many fields: count this object's as free keys, and those to come of a document."""
        if top:
            self.free, self.names = Counter(self.budget), KeySketch()
        elif self.fields and (self._presence() < 1 or self.budget.fields > 2 * MOST_FIELDS):
            self.free_keys()

    def free_keys(self) -> None:
        """Count the fields seen so far as values under free keys."""
        self.free, self.names = Counter(self.budget), KeySketch()
        for name, inner in self.fields.items():
            self.names.add(name, inner.count)
            self.free.merge(inner)
        self.budget.fields -= len(self.fields)
        self.fields = {}
        self.skeletons = None

    def _add_arrays(self, values: Sequence[list[Any]], depth: int) -> None:
        if depth > DEEPEST:
            self.budget.deeper += len(values)
            return
        self.sizes = self._span(self.sizes, list(map(len, values)))
        items = list(chain.from_iterable(values))
        if items:
            self.items = self.items or Counter(self.budget)
            self.items.add_all(items, depth + 1)

    def merge(self, other: Counter) -> None:  # noqa: C901 - a counter each
        """Take in what another counted."""
        self.count += other.count
        self.not_finite += other.not_finite
        for kind, count in other.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + count
        self.keys.merge(other.keys)
        if self.enumeration is not None and other.enumeration is not None:
            for value, count in other.enumeration.items():
                self.enumeration[value] = self.enumeration.get(value, 0) + count
        if other.enumeration is None or len(self.enumeration or {}) > MOST_ENUMERATED:
            self.enumeration = None
        parts = ("numbers", "moments", "lengths", "sizes", "forms", "items", "free", "names", "skeletons")
        for name in parts:
            mine, its = getattr(self, name), getattr(other, name)
            if mine is None:
                setattr(self, name, its)
            elif its is not None:
                mine.merge(its)
        for name, inner in other.fields.items():
            if name in self.fields:
                self.fields[name].merge(inner)
            elif self.free is not None and self.names is not None:
                self.names.add(name, inner.count)
                self.free.merge(inner)
            else:
                self.fields[name] = inner

    def settle(self, *, top: bool = True) -> None:
        """Say at the end which objects have free keys: such as are data rather than names."""
        if self._held:
            self._count_held()
        if not top and self.free is None and self.fields and self._has_free_keys():
            self.free_keys()
        for inner in [*self.fields.values(), self.free, self.items]:
            if inner is not None:
                inner.settle(top=False)

    def _has_free_keys(self) -> bool:
        if len(self.fields) >= _FEW_KEYS and all(map(_KEYS_LIKE_DATA.fullmatch, self.fields)):
            return True
        kinds = {frozenset(inner.kinds) - {"null"} for inner in self.fields.values()}
        return len(self.fields) > _FREE_KEYS // 2 and len(kinds) == 1 and self._presence() < _FREE_PRESENCE


def kind_of(value: Any) -> str:
    """Return the BSON type of a decoded value, as `$type` names it; `uuid` for its binary subtype 4."""
    kind = _KINDS.get(type(value))
    if kind is None:
        kind = type_name(value)
    return kind


def _by_kind(values: Sequence[Any]) -> Iterable[tuple[str, Sequence[Any]]]:
    """Return values by BSON type, and such as are together of one type of Python."""
    types = set(map(type, values))
    if len(types) == 1:
        (only,) = types
        kind = _KINDS.get(only)
        if kind is not None:
            return [(kind, values)]
        if only is int and min(values) >= -_INT and max(values) < _INT:
            return [("int", values)]
    groups: defaultdict[tuple[str, type], list[Any]] = defaultdict(list)
    for value in values:
        groups[kind_of(value), type(value)].append(value)
    return [(kind, some) for (kind, _), some in groups.items()]


def values_at(document: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Yield the values at a path, through arrays, where they are no objects; `*` is any key."""
    if isinstance(document, list):
        for item in document:
            yield from values_at(item, path)
    elif not path:
        if not isinstance(document, dict) and document is not None:
            yield document
    elif isinstance(document, dict):
        if path[0] == "*" and "*" not in document:
            for inner in document.values():
                yield from values_at(inner, path[1:])
        elif path[0] in document:
            yield from values_at(document[path[0]], path[1:])


def _skeleton(value: Mapping[str, Any], levels: int) -> dict[str, Any]:
    """Return what is remembered of an object, so many levels deep."""
    return {name: _bone(inner, levels - 1) for name, inner in value.items()}


def _bone(value: Any, levels: int) -> tuple[str, Any]:
    """Return what is remembered of a field: its type, and its value where that is short."""
    kind = kind_of(value)
    if kind == "string":
        return kind, value if len(value) <= LONGEST_ENUMERATED else None
    if kind == "date" and isinstance(value, datetime):
        return kind, milliseconds(value)
    if kind == "objectId":
        return kind, int.from_bytes(value.binary[:4]) * 1000
    if levels and kind in {"object", "array"}:
        objects = [value] if kind == "object" else [each for each in value[:_FEW_ITEMS] if type(each) is dict]
        bones: dict[str, Any] = {}
        for each in objects:
            if len(each) <= _FREE_KEYS:
                bones = _skeleton(each, levels) | bones
        return kind, bones if objects else None
    return kind, value if kind in _KEPT else None


def _size(bones: Mapping[str, Any]) -> int:
    return sum(1 + (_size(value) if isinstance(value, dict) else 0) for _, value in bones.values())


def _float(value: Any) -> float:
    try:
        return float(value.to_decimal() if isinstance(value, Decimal128) else value)
    except (OverflowError, ValueError):
        return math.nan
