"""References by several fields: found where fields of the same names together are a key elsewhere."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import TYPE_CHECKING, Any

from mimiod.inspecting.counting import values_at
from mimiod.inspecting.facts import ReferenceFacts
from mimiod.inspecting.keys import words
from mimiod.inspecting.sketches import KeySketch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mimiod.inspecting.facts import CopyFacts
    from mimiod.inspecting.keys import Keys
    from mimiod.inspecting.sources import CollectionSource

MOST_FIELDS = 3
"Of a composite key."
LEAST_COVERAGE = 0.95

_LEAST_KEYS = 8
_MOST_COMMON_FIELDS = 5
_KNOWN = 0.9
_COMPARED = 8

Pair = tuple["Keys", "Keys"]


def find_composites(
    keys: Sequence[Keys],
    singles: Sequence[ReferenceFacts],
    copies: Sequence[CopyFacts],
    sources: Mapping[str, CollectionSource],
) -> list[ReferenceFacts]:
    """Return the composite references between collections that no single field connects."""
    connected = {(each.collection, each.target) for each in singles}
    used = {(each.collection, each.path) for each in copies}
    fields: dict[str, list[Keys]] = {}
    for each in keys:
        if not each.many and "*" not in each.path and (each.collection, each.dotted) not in used:
            fields.setdefault(each.collection, []).append(each)
    found = []
    for child, own in fields.items():
        for target, theirs in fields.items():
            if child == target or (child, target) in connected or (target, child) in connected:
                continue
            pairs = _pairs(own, theirs, target)[:_MOST_COMMON_FIELDS]
            if len(pairs) > 1 and (made := _composite(child, target, pairs, sources)) is not None:
                found.append(made)
    mutual = {(each.target, each.collection) for each in found}
    return [
        each for each in found if (each.collection, each.target) not in mutual or each.cardinality == "n:1"
    ]


def _pairs(own: Sequence[Keys], theirs: Sequence[Keys], target: str) -> list[Pair]:
    """Return fields of the same name and kind whose values are contained, none of them a key by itself."""
    found = []
    for key in theirs:
        if key.is_id or key.unique or len(key.sketch.counts) < 2:  # noqa: PLR2004 - of one value only
            continue
        names = (words(key.path[-1]), [*words(target), *words(key.path[-1])])
        for field in own:
            if field.family == key.family and not field.is_id and words(field.path[-1]) in names:
                looked, there = field.sketch.shared_with(key.sketch)
                if looked and there >= _KNOWN * looked:
                    found.append((field, key))
                    break
    return found


def _composite(
    child: str, target: str, pairs: Sequence[Pair], sources: Mapping[str, CollectionSource]
) -> ReferenceFacts | None:
    sizes = range(2, min(MOST_FIELDS, len(pairs)) + 1)
    choices = [choice for size in sizes for choice in combinations(pairs, size)]
    theirs = _tuples(sources[target], [[key.path for _, key in choice] for choice in choices])
    unique = [place for place, sketch in enumerate(theirs) if _is_key(sketch)]
    if not unique:
        return None
    own = _tuples(sources[child], [[field.path for field, _ in choices[place]] for place in unique])
    for place, sketch in zip(unique, own, strict=True):
        looked, there = sketch.shared_with(theirs[place])
        if looked < _COMPARED or there < LEAST_COVERAGE * looked:
            continue
        counts = sketch.counts.values()
        return ReferenceFacts(
            collection=child,
            fields=tuple(field.dotted for field, _ in choices[place]),
            target=target,
            keys=tuple(key.dotted for _, key in choices[place]),
            cardinality="1:1" if max(counts) == 1 else "n:1",
            coverage=round(there / looked, 4),
            confidence=round(0.9 * there / looked, 2),
            reasons=(
                f"{there / looked:.1%} of {looked:,} different combinations are there",
                "together the fields are a key there, and none of them is alone",
                "they have the same names",
            ),
        )
    return None


def _is_key(sketch: KeySketch) -> bool:
    return len(sketch.counts) >= _LEAST_KEYS and sketch.repeated == 0


def _tuples(source: CollectionSource, choices: Sequence[Sequence[tuple[str, ...]]]) -> list[KeySketch]:
    sketches = [KeySketch() for _ in choices]
    for document, _ in source.documents(None, Random(0)):  # noqa: S311 - all of them: nothing is drawn
        for choice, sketch in zip(choices, sketches, strict=True):
            values = list(_tuple(document, choice))
            if len(values) == len(choice):
                sketch.add("\0".join(map(repr, values)))
    return sketches


def _tuple(document: Mapping[str, Any], choice: Sequence[tuple[str, ...]]) -> Iterator[Any]:
    for path in choice:
        value = next(values_at(document, path), None)
        if value is not None:
            yield value
