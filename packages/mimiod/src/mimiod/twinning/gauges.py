"""The documents of a collection measured in one pass and in bounded memory, field by field.

What is measured is laid out by the facts that an inspection found, so that two databases measured by the same
facts can be compared field by field.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter as Tally
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.inspecting.counting import kind_of
from mimiod.inspecting.schema_code import DEEPEST, MOST_FIELDS, not_seeded
from mimiod.inspecting.sketches import milliseconds
from mimiod.twinning.disclosure import LONGEST_CATEGORY, MOST_CATEGORIES, is_data
from mimiod.twinning.quantiles import hour_of_week
from mimiod.twinning.texts import first_place, start_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

    from mimiod.inspecting.facts import FieldFacts
    from mimiod.twinning.quantiles import Floats

SIZE = 20_000
"Numbers of one field that are kept, twice: to draw by, and to compare with."
ROWS = 10_000
"Objects of one kind that are kept, with all their fields, to see which fields go together."
MOST_TOGETHER = 60
"Fields of one kind of object that are looked at together."

NUMBERS = frozenset({"int", "long", "double", "decimal"})
IDS = frozenset({"objectId", "uuid", "binData", "bytes"})
_MOST_POSITIONS = 4
_MONTHS = 12
_GREATEST = 1e100
NULL = object()
"Stands for null among what is kept together, where None is nothing at all."


class Reservoir:
    """An unbiased sample of numbers, drawn with few random numbers (algorithm L: Li, TOMS 20, 1994)."""

    __slots__ = ("_draws", "_next", "_weight", "count", "size", "values")

    def __init__(self, draws: Random, size: int, values: Any) -> None:
        self.size = size
        self.count = 0
        self.values = values
        self._draws = draws
        self._weight = 1.0
        self._next = 0

    def wanted(self) -> int | None:
        """Count something, and return the place where it is to be kept; None where it is not drawn."""
        place = self.count
        self.count += 1
        if place < self.size:
            if self.count == self.size:
                self._leap()
            return place
        if place < self._next:
            return None
        self._leap()
        return self._draws.randrange(self.size)

    def keep(self, place: int, value: Any) -> None:
        """Keep a value at the place that it is wanted at."""
        if place == len(self.values):
            self.values.append(value)
        else:
            self.values[place] = value

    def add(self, value: Any) -> None:
        """Take in a value."""
        if (place := self.wanted()) is not None:
            self.keep(place, value)

    def _leap(self) -> None:
        self._weight *= math.exp(math.log(1 - self._draws.random()) / self.size)
        far = math.log(1 - self._draws.random()) / math.log1p(-self._weight) if self._weight < 1 else 0.0
        self._next = self.count + math.floor(far)


class Values:
    """Two samples of numbers, drawn apart: what is drawn by one is compared with the other."""

    __slots__ = ("held", "kept")

    def __init__(self, draws: Random) -> None:
        self.kept = Reservoir(draws, SIZE, array("d"))
        self.held = Reservoir(draws, SIZE, array("d"))

    @property
    def count(self) -> int:
        """How many were added."""
        return self.kept.count

    def add(self, value: float) -> None:
        """Take in a number."""
        self.kept.add(value)
        self.held.add(value)

    def sample(self) -> Floats:
        """Return the sample to draw by."""
        return np.array(self.kept.values, np.float64)

    def other(self) -> Floats:
        """Return the sample to compare with; all values, as the first, where they are few."""
        return np.array(self.held.values, np.float64)


class Gauge:
    """What stands at one place of the documents: in a field, or in an array."""

    def __init__(self, facts: FieldFacts, path: tuple[str, ...], draws: Random) -> None:
        self.facts = facts
        self.path = path
        self.draws = draws
        self.count = 0
        "Values, nulls included."
        self.nulls = 0
        self.kinds: Tally[str] = Tally()
        "`number`, `moment`, `text` … with how often each occurs."
        self.numbers: Values | None = None
        self.moments: Values | None = None
        self.week = [0] * 168
        "Of moments, by the hour of the week."
        self.months = [0] * _MONTHS
        self.lengths: Values | None = None
        "Of texts and binary values."
        self.tally: dict[str, list[int]] | None = {}
        "Short texts: how often, in how many documents, in which of them last; None where they are too many."
        self.longer = 0
        "Texts that are no short ones."
        self.spaced = self.lower = self.upper = self.capital = 0
        "Texts with a space; without capitals; without small letters; with a capital first."
        self.leads: set[str] = set()
        "What the texts have at the first place that is not the same in all."
        self.true = 0
        self.sizes: Values | None = None
        "Of arrays, and of objects with free keys."
        deep = len(path) > DEEPEST or len(facts.fields) > MOST_FIELDS
        inner = {} if deep and path else facts.fields
        self.fields = {
            name: Gauge(each, (*path, name), draws)
            for name, each in inner.items()
            if not not_seeded(name) and not is_data(name)
        }
        self._first = first_place(facts.masks or {}, start_of(facts.prefix))
        self.free = Gauge(facts.free, (*path, "*"), draws) if facts.free else None
        self.positions = _positions(facts, path, draws)
        "Of arrays of a few numbers, always as many, such as coordinates: a gauge for each."
        self.items = Gauge(facts.items, path, draws) if facts.items and not self.positions else None
        self.together: Together | None = None
        "Of documents, and of objects in arrays."

    @property
    def values(self) -> int:
        """How many are not null."""
        return self.count - self.nulls

    @property
    def objects(self) -> int:
        """How many are objects."""
        return self.kinds["object"]

    @property
    def written_moments(self) -> bool:
        """Whether the texts are dates in the form of ISO 8601."""
        return any(self.facts.forms.get(form) == 1 for form in ("iso_date", "iso_date_time"))

    def add(self, value: Any, document: int) -> None:
        """Measure a value of the document of that number."""
        self.count += 1
        kind = kind_of(value)
        if kind == "null":
            self.nulls += 1
        elif kind in NUMBERS:
            self.kinds["number"] += 1
            self.numbers = self.numbers or Values(self.draws)
            self.numbers.add(_number(value))
        elif kind == "date":
            self._add_moment(milliseconds(value) if isinstance(value, datetime) else int(value))
        elif kind == "string":
            self._add_text(value, document)
        elif kind == "bool":
            self.kinds["bool"] += 1
            self.true += value
        elif kind == "object":
            self.kinds["object"] += 1
            self._add_object(value, document)
        elif kind == "array":
            self._add_array(value, document)
        elif kind in IDS:
            self.kinds[kind] += 1
            if kind not in {"objectId", "uuid"}:
                self.lengths = self.lengths or Values(self.draws)
                self.lengths.add(len(value))
        else:
            self.kinds["other"] += 1

    def _add_moment(self, value: float) -> None:
        self.kinds["moment"] += 1
        self.moments = self.moments or Values(self.draws)
        self.moments.add(value)
        self.week[hour_of_week(value)] += 1
        if abs(value) < 2**47:
            self.months[datetime.fromtimestamp(value / 1000, UTC).month - 1] += 1

    def _add_text(self, value: str, document: int) -> None:
        if self.written_moments and (moment := moment_of(value)) is not None:
            self._add_moment(moment)
            return
        self.kinds["text"] += 1
        self.lengths = self.lengths or Values(self.draws)
        self.lengths.add(len(value))
        self.spaced += " " in value
        self.lower += value == value.lower()
        self.upper += value == value.upper()
        self.capital += value[:1].isupper()
        if self._first is not None:
            self.leads.add(value[self._first : self._first + 1])
        if len(value) > LONGEST_CATEGORY:
            self.longer += 1
        elif self.tally is not None:
            counts = self.tally.get(value)
            if counts is None:
                if len(self.tally) == MOST_CATEGORIES:
                    self.tally = None
                    return
                counts = self.tally[value] = [0, 0, -1]
            counts[0] += 1
            if counts[2] != document:
                counts[1] += 1
                counts[2] = document

    def _add_object(self, value: Mapping[str, Any], document: int) -> None:
        known = 0
        for name, gauge in self.fields.items():
            if name in value:
                known += 1
                gauge.add(value[name], document)
        if self.free is not None:
            others = [inner for name, inner in value.items() if name not in self.fields]
            self.sizes = self.sizes or Values(self.draws)
            self.sizes.add(len(others))
            for inner in others:
                self.free.add(inner, document)
        if self.together is not None:
            self.together.add(value)

    def _add_array(self, value: list[Any], document: int) -> None:
        if self.positions:
            self.kinds["tuple"] += 1
            for gauge, inner in zip(self.positions, value, strict=False):
                gauge.add(inner, document)
            return
        self.kinds["array"] += 1
        self.sizes = self.sizes or Values(self.draws)
        self.sizes.add(len(value))
        if self.items is not None:
            for inner in value:
                self.items.add(inner, document)

    def below(self) -> Iterator[Gauge]:
        """Yield all gauges inside this one."""
        inner = [*self.fields.values(), self.free, self.items, *self.positions]
        for gauge in inner:
            if gauge is not None:
                yield gauge
                yield from gauge.below()


class Together:
    """Objects of one kind, kept with all that stands in them but arrays."""

    def __init__(self, gauge: Gauge) -> None:
        self.members = list(_members(gauge, ()))[:MOST_TOGETHER]
        "The fields, each with its names below the object."
        self.rows = Reservoir(gauge.draws, ROWS, [])

    def add(self, value: Mapping[str, Any]) -> None:
        """Take in an object."""
        if (place := self.rows.wanted()) is not None:
            self.rows.keep(place, [_bone(_at(value, path), gauge) for path, gauge in self.members])


def gauge_of(facts: FieldFacts, draws: Random) -> Gauge:
    """Return a gauge for the documents of a collection."""
    root = Gauge(facts, (), draws)
    root.together = Together(root)
    for gauge in root.below():
        if gauge.items is not None and gauge.items.fields:
            gauge.items.together = Together(gauge.items)
    return root


def moment_of(text: str) -> int | None:
    """Return the moment that a text in the form of ISO 8601 says, as milliseconds since 1970."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return milliseconds(found if found.tzinfo else found.replace(tzinfo=UTC))


def _positions(facts: FieldFacts, path: tuple[str, ...], draws: Random) -> list[Gauge]:
    sizes, items = facts.sizes, facts.items
    if sizes is None or items is None or not 1 < sizes.low == sizes.high <= _MOST_POSITIONS:
        return []
    if not set(items.kinds) <= NUMBERS or facts.kinds.get("array") != facts.values:
        return []
    return [Gauge(items, (*path, str(position)), draws) for position in range(int(sizes.low))]


def _members(gauge: Gauge, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Gauge]]:
    for name, inner in gauge.fields.items():
        yield (*path, name), inner
        yield from _members(inner, (*path, name))
    for position, inner in enumerate(gauge.positions):
        yield (*path, str(position)), inner


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return NULL if value is None else value


def _bone(value: Any, gauge: Gauge) -> Any:  # noqa: PLR0911 - a kind each
    """Return what is kept of a value: a number, or a short text; None for nothing, True for anything else."""
    if value is None or value is NULL:
        return value
    kind = kind_of(value)
    if kind in NUMBERS:
        return _number(value)
    if kind == "date":
        return float(milliseconds(value) if isinstance(value, datetime) else int(value))
    if kind == "bool":
        return float(value)
    if kind == "array":
        return float(len(value))
    if kind == "string":
        if gauge.written_moments:
            moment = moment_of(value)
            return True if moment is None else float(moment)
        return value if len(value) <= LONGEST_CATEGORY else float(len(value))
    return True


def _number(value: Any) -> float:
    """Return a number that can be computed with: 0 for what is none, and none beyond 1e100."""
    try:
        number = float(value) if isinstance(value, int | float) else float(value.to_decimal())
    except (OverflowError, ValueError):
        return 0.0
    return 0.0 if math.isnan(number) else max(-_GREATEST, min(_GREATEST, number))
