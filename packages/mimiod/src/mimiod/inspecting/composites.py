"""References by several fields: found where fields of the same names together are a key elsewhere."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import TYPE_CHECKING, Any

from mimiod.inspecting.counting import values_at
from mimiod.inspecting.facts import CopyFacts, ReferenceFacts
from mimiod.inspecting.keys import words
from mimiod.inspecting.sketches import KeySketch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mimiod.inspecting.facts import CollectionFacts
    from mimiod.inspecting.keys import Keys
    from mimiod.inspecting.sources import CollectionSource

MOST_FIELDS = 5
"Of a composite key."
LEAST_COVERAGE = 0.95
MOST_SCANNED = 200_000
"Documents of a collection that are read once more for composite keys, though a sample was asked for."

_LEAST_KEYS = 8
_KNOWN = 0.9
_COMPARED = 8

Pair = tuple["Keys", "Keys"]
Paths = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Choice:
    """Fields that may together name a document."""

    child: str
    target: str
    pairs: tuple[Pair, ...]

    @property
    def own(self) -> Paths:
        return tuple(field.path for field, _ in self.pairs)

    @property
    def keys(self) -> Paths:
        return tuple(key.path for _, key in self.pairs)


def find_composites(
    keys: Sequence[Keys],
    singles: Sequence[ReferenceFacts],
    copies: Sequence[CopyFacts],
    collections: Mapping[str, CollectionFacts],
    sources: Mapping[str, CollectionSource],
) -> list[ReferenceFacts]:
    """Return the composite references between collections that no single field connects."""
    choices = _choices(keys, singles, copies, collections)
    theirs = _tuples(sources, {(each.target, each.keys) for each in choices})
    choices = [each for each in choices if _is_key(theirs[each.target, each.keys])]
    own = _tuples(sources, {(each.child, each.own) for each in choices})
    found: list[ReferenceFacts] = []
    taken: set[tuple[str, str, str]] = set()
    for each in sorted(choices, key=lambda each: -len(each.pairs)):
        fields = {(each.child, each.target, field.dotted) for field, _ in each.pairs}
        made = None if fields & taken else _reference(each, own[each.child, each.own], theirs)
        if made is not None:
            taken |= fields
            found.append(made)
    mutual = {(each.target, each.collection) for each in found}
    return [
        each for each in found if (each.collection, each.target) not in mutual or each.cardinality == "n:1"
    ]


def implied_by_composites(references: Sequence[ReferenceFacts]) -> dict[int, CopyFacts]:
    """Return, by their `id`, the references that follow from composite ones, and what they repeat.

    An enrolment that names a course by department and number has its department from the course.
    """
    links = {(each.collection, tuple(each.fields), each.target, tuple(each.keys)) for each in references}
    implied = {}
    for each in references:
        for other in references:
            theirs = dict(zip(other.fields, other.keys, strict=True))
            if other.collection != each.collection or not set(each.fields) < theirs.keys():
                continue
            fields = tuple(theirs[field] for field in each.fields)
            if (other.target, fields, each.target, tuple(each.keys)) in links:
                path = "+".join(each.fields)
                implied[id(each)] = CopyFacts(each.collection, path, f"{other.target}.{'+'.join(fields)}")
    return implied


def _choices(
    keys: Sequence[Keys],
    singles: Sequence[ReferenceFacts],
    copies: Sequence[CopyFacts],
    collections: Mapping[str, CollectionFacts],
) -> list[_Choice]:
    connected = {(each.collection, each.target) for each in singles}
    used = {(each.collection, each.path) for each in copies}
    fields: dict[str, list[Keys]] = {}
    for each in keys:
        facts = collections[each.collection]
        readable = facts.complete or facts.documents <= MOST_SCANNED
        if readable and not each.many and "*" not in each.path and (each.collection, each.dotted) not in used:
            fields.setdefault(each.collection, []).append(each)
    return [
        _Choice(child, target, choice)
        for child, own in fields.items()
        for target, theirs in fields.items()
        if child != target and not {(child, target), (target, child)} & connected
        for pairs in _pairs(own, theirs, target)
        for size in range(2, min(MOST_FIELDS, len(pairs)) + 1)
        for choice in combinations(pairs[:MOST_FIELDS], size)
    ]


def _pairs(own: Sequence[Keys], theirs: Sequence[Keys], target: str) -> list[list[Pair]]:
    """Return fields of the same name and kind whose values are contained, none of them a key by itself.

    All of a list have the same words before the name: `from_building`, `from_room`.
    """
    found: dict[tuple[str, ...], list[Pair]] = defaultdict(list)
    for key in theirs:
        if key.is_id or key.unique or len(key.sketch.counts) < 2:  # noqa: PLR2004 - of one value only
            continue
        name, seen = words(key.path[-1]), set()
        for field in own:
            said = words(field.path[-1])
            before = () if said == [*words(target), *name] else tuple(said[: len(said) - len(name)])
            if field.family != key.family or field.is_id or said[-len(name) :] != name or before in seen:
                continue
            looked, there = field.sketch.shared_with(key.sketch)
            if looked and there >= _KNOWN * looked:
                seen.add(before)
                found[before].append((field, key))
    return list(found.values())


def _reference(
    each: _Choice, own: KeySketch, theirs: Mapping[tuple[str, Paths], KeySketch]
) -> ReferenceFacts | None:
    looked, there = own.shared_with(theirs[each.target, each.keys])
    if looked < _COMPARED or there < LEAST_COVERAGE * looked:
        return None
    return ReferenceFacts(
        collection=each.child,
        fields=tuple(field.dotted for field, _ in each.pairs),
        target=each.target,
        keys=tuple(key.dotted for _, key in each.pairs),
        cardinality="1:1" if max(own.counts.values()) == 1 else "n:1",
        coverage=round(there / looked, 4),
        confidence=round(0.9 * there / looked, 2),
        reasons=(
            f"{there / looked:.1%} of {looked:,} different combinations are there",
            "together the fields are a key there, and none of them is alone",
            "they have the same names",
        ),
    )


def _is_key(sketch: KeySketch) -> bool:
    return len(sketch.counts) >= _LEAST_KEYS and sketch.repeated == 0


def _tuples(
    sources: Mapping[str, CollectionSource], wanted: Collection[tuple[str, Paths]]
) -> dict[tuple[str, Paths], KeySketch]:
    """Return the combinations of values that collections have at some paths; each is read once."""
    sketches = {each: KeySketch() for each in wanted}
    by_collection: dict[str, list[Paths]] = defaultdict(list)
    for name, paths in wanted:
        by_collection[name].append(paths)
    for name, several in by_collection.items():
        every = {path for paths in several for path in paths}
        for document, _ in sources[name].documents(None, Random(0)):  # noqa: S311 - all of them: nothing is drawn
            values = {path: repr(value) for path in every if (value := _first(document, path)) is not None}
            for paths in several:
                if all(path in values for path in paths):
                    sketches[name, paths].add("\0".join(values[path] for path in paths))
    return sketches


def _first(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Iterator[Any] = values_at(document, path)
    return next(found, None)
