"""The documents of a collection, counted by field in one pass and in bounded memory.

Objects with free keys (`{"2024-01": …, "2024-02": …}`) become one field, `*`, once they are known as such.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any

from bson import Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from mimiod.checking.profile import type_name
from mimiod.inspecting.forms import Forms
from mimiod.inspecting.sketches import FEWER_KEYS, MOST_KEYS, KeySketch, Sample, Span, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

MOST_FIELDS = 3000
"Of one collection; beyond, the object with the most is counted as one with free keys."
DEEPEST = 40
"Levels that are looked into."
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
        "budget", "count", "documents", "enumeration", "fields", "forms", "free", "items", "keys", "kinds",
        "lengths", "moments", "names", "not_finite", "numbers", "sizes", "skeletons",
    )  # fmt: skip

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
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

    def add(self, value: Any, depth: int = 1) -> None:
        """Count a value and what stands in it."""
        self.count += 1
        kind = kind_of(value)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind == "null":
            return
        if kind in {"object", "array"}:
            if depth > DEEPEST:
                self.budget.deeper += 1
            elif kind == "object":
                self._add_object(value, depth)
            else:
                self._add_array(value, depth)
            return
        self.keys.add(value)
        self._enumerate(value, kind)
        if kind == "string":
            self.forms = self.forms or Forms()
            self.forms.add(value)
            self.lengths = self._span(self.lengths, len(value))
        elif kind == "date":
            self.moments = self._span(
                self.moments, milliseconds(value) if isinstance(value, datetime) else int(value)
            )
        elif kind in {"int", "long", "double", "decimal"}:
            number = value if isinstance(value, int) else _float(value)
            if isinstance(number, int) or math.isfinite(number):
                self.numbers = self._span(self.numbers, number)
            else:
                self.not_finite += 1
        elif kind == "binData":
            self.lengths = self._span(self.lengths, len(value))

    def _span(self, span: Span | None, value: float) -> Span:
        span = span or Span(self.budget.draws)
        span.add(value)
        return span

    def _enumerate(self, value: Any, kind: str) -> None:
        if self.enumeration is None or kind == "double":
            return
        if (
            kind not in {"string", "int", "long", "bool"}
            or (kind == "string" and len(value) > LONGEST_ENUMERATED)
            or (value not in self.enumeration and len(self.enumeration) == MOST_ENUMERATED)
        ):
            self.enumeration = None
            return
        self.enumeration[value] = self.enumeration.get(value, 0) + 1

    def _add_object(self, value: Mapping[str, Any], depth: int) -> None:
        new = False
        for name, inner in value.items():
            counter = self.fields.get(name)
            if counter is None:
                if self.free is not None:
                    self._add_free(name, inner, depth)
                    continue
                counter = self.fields[name] = Counter(self.budget)
                new = True
            counter.add(inner, depth + 1)
        if new and len(self.fields) > _FREE_KEYS and depth > 1 and self._presence() < _FREE_PRESENCE:
            self.free_keys()
        elif new and self.budget.fields > MOST_FIELDS and self.free is None:
            self._overflow(top=depth == 1)
        self.skeletons = self.skeletons or Sample(self.budget.draws, MOST_SKELETONS)
        if (drawn := self.skeletons.wanted()) is not None:
            self.skeletons.keep(drawn, {name: _bone(inner) for name, inner in value.items()})
            if len(value) * self.skeletons.size > _FIELDS_OF_SKELETONS:
                self.skeletons.size = max(50, _FIELDS_OF_SKELETONS // len(value))

    def _presence(self) -> float:
        return sum(inner.count for inner in self.fields.values()) / (len(self.fields) * self.objects)

    def _overflow(self, *, top: bool) -> None:
        """There are too many fields: count this object's as free keys, and those to come of a document."""
        if not top and self._presence() < 1:
            self.free_keys()
        elif top:
            self.free, self.names = Counter(self.budget), KeySketch()

    def _add_free(self, name: str, value: Any, depth: int) -> None:
        assert self.free is not None
        assert self.names is not None
        self.names.add(name)
        self.free.add(value, depth + 1)

    def free_keys(self) -> None:
        """Count the fields seen so far as values under free keys."""
        self.free, self.names = Counter(self.budget), KeySketch()
        for name, inner in self.fields.items():
            self.names.add(name, inner.count)
            self.free.merge(inner)
        self.budget.fields -= len(self.fields)
        self.fields = {}
        self.skeletons = None

    def _add_array(self, value: list[Any], depth: int) -> None:
        self.sizes = self._span(self.sizes, len(value))
        if value and self.items is None:
            self.items = Counter(self.budget)
        for inner in value:
            assert self.items is not None
            self.items.add(inner, depth + 1)

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
        for name in (
            "numbers",
            "moments",
            "lengths",
            "sizes",
            "forms",
            "items",
            "free",
            "names",
            "skeletons",
        ):
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


def _bone(value: Any) -> tuple[str, Any]:
    """Return what is remembered of a field: its type, and its value where that is short."""
    kind = kind_of(value)
    if kind in {"bool", "int", "long"} or (kind == "string" and len(value) <= LONGEST_ENUMERATED):
        return kind, value
    if kind == "date" and isinstance(value, datetime):
        return kind, milliseconds(value)
    return kind, None


def _float(value: Any) -> float:
    try:
        return float(value) if isinstance(value, float) else float(value.to_decimal())
    except (OverflowError, ValueError):
        return math.nan
