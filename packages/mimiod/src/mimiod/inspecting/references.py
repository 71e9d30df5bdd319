"""References, found by their values: what a field holds that is a key elsewhere.

Fields and keys of one kind are compared by the values that both have kept (see `sketches`), and what is left
is looked up in the collection itself. Whole numbers and short texts meet by chance; they are taken for
references only where they do not lie so densely that any number would be found, or where their name says so.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mimiod.inspecting.composites import find_composites
from mimiod.inspecting.facts import CopyFacts, Range, ReferenceFacts, SplitReference
from mimiod.inspecting.keys import Keys, keys_of, nearness, says_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mimiod.inspecting.facts import CollectionFacts
    from mimiod.inspecting.sources import CollectionSource

__all__ = ["Found", "find_references", "keys_of"]

LOOKED_UP = 300
"Values of a field that are looked for in a collection."
LEAST_COVERAGE = {"id": 0.8, "uuid": 0.8, "text": 0.9, "whole": 0.95}
"Of the values that are looked for: so many have to be there."

_SPLIT = 0.05
_SPLIT_TOGETHER = 0.8
_COMPARED = 30
_OFTEN_THERE = 0.9
_BY_CHANCE = 0.1
_TELLING = 6
_NAMED = 0.5
_FEW = 3
_SAME = 0.05
_ABOUT = 0.02
_AGREES = 0.95


@dataclass
class Found:
    """What refers to what."""

    references: list[ReferenceFacts] = field(default_factory=list)
    copies: list[CopyFacts] = field(default_factory=list)
    split: list[SplitReference] = field(default_factory=list)


@dataclass
class _Candidate:
    """A field, and a key that it may hold."""

    child: Keys
    key: Keys
    near: float
    chance: float
    coverage: float | None
    looked: int = 0
    reasons: list[str] = field(default_factory=list)
    confidence: float = 0.0

    @property
    def score(self) -> float:
        assert self.coverage is not None
        return self.coverage + 0.5 * self.near + (0.3 if self.key.is_id else 0)


def find_references(
    keys: list[Keys], collections: Mapping[str, CollectionFacts], sources: Mapping[str, CollectionSource]
) -> Found:
    """Return the references among the fields of a database."""
    targets = [each for each in keys if _may_be_named(each)]
    candidates = [
        made
        for child in keys
        if child.sketch.counts
        for key in targets
        if (made := _candidate(child, key, collections[key.collection])) is not None
    ]
    _look_up([each for each in candidates if each.coverage is None], sources)
    by_child: dict[int, list[_Candidate]] = defaultdict(list)
    for each in candidates:
        by_child[id(each.child)].append(each)
    found = Found()
    chosen: list[_Candidate] = []
    for group in by_child.values():
        accepted = [each for each in group if _is_accepted(each)]
        if accepted:
            chosen.append(max(accepted, key=lambda each: (each.score, each.key.collection)))
        elif (split := _split(group)) is not None:
            found.split.append(split)
    chosen = _one_way(chosen)
    by_id = [each for each in chosen if each.key.is_id]
    for each in chosen:
        of = "" if each.key.is_id else _copied(each, by_id)
        if of:
            found.copies.append(CopyFacts(each.child.collection, each.child.dotted, of))
        else:
            found.references.append(_facts(each, collections))
    found.references += find_composites(keys, found.references, found.copies, sources)
    found.references.sort(key=lambda each: (each.collection, each.fields))
    return found


def _may_be_named(keys: Keys) -> bool:
    """Whether these are keys: at most one to a document, nearly all have one, and none twice."""
    if keys.is_id:
        return bool(keys.sketch.counts)
    return (
        keys.unique
        and "*" not in keys.path
        and len(keys.sketch.counts) > 1
        and keys.count >= _OFTEN_THERE * keys.documents
    )


def _candidate(child: Keys, key: Keys, target: CollectionFacts) -> _Candidate | None:
    if child.family != key.family or (child.collection == key.collection and child.path == key.path):
        return None
    if child.is_id and not key.is_id:
        return None  # it is the other that refers to an _id
    if child.family == "text" and child.collection == key.collection and child.unique:
        return None
    near = nearness(child.path, key.collection, key.path)
    if child.is_id:
        near = nearness((child.collection,), key.collection, ("_id",))
    made = _Candidate(child, key, near, _chance(child, key), None)
    if not _is_plausible(made):
        return None
    if target.complete:
        looked, there = child.sketch.shared_with(key.sketch)
        exact = not child.sketch.full and not key.sketch.full
        if (exact or looked >= _COMPARED) and looked:
            if there / looked < _SPLIT:
                return None
            if exact:
                made.coverage, made.looked = there / looked, looked
    return made


def _chance(child: Keys, key: Keys) -> float:
    """Return the share of a field's values that would be keys if they were drawn at random."""
    if child.family in {"id", "uuid"}:
        return 0.0
    if child.family == "text":
        return 0.0 if min(child.length, key.length) >= _TELLING else 1.0
    if key.low is None or key.high is None:
        return 1.0
    return min(1.0, key.sketch.distinct / max(1.0, key.high - key.low + 1))


def _is_plausible(made: _Candidate) -> bool:
    child, key = made.child, made.key
    distinct = child.sketch.distinct
    if child.family in {"id", "uuid"}:
        return True
    if made.chance < _BY_CHANCE:
        return distinct >= _FEW or made.near >= _NAMED or key.is_id
    if child.family == "text":
        wide = key.is_id and distinct >= _FEW and distinct >= _NAMED * key.sketch.distinct
        return made.near >= _NAMED or wide
    if child.is_id:
        return made.near >= _NAMED
    if made.near >= _NAMED:
        return says_key(child.path) or (made.near == 1 and distinct >= _NAMED * key.sketch.distinct)
    return says_key(child.path) and key.is_id and _fits(child, key)


def _fits(child: Keys, key: Keys) -> bool:
    """Whether the numbers of a field reach as far as the keys do, and no further."""
    if child.low is None or child.high is None or key.low is None or key.high is None:
        return False
    width = max(1.0, key.high - key.low)
    slack = _ABOUT * width  # of samples, each has bounds of its own
    within = child.high <= key.high + slack and child.low >= key.low - slack
    return within and child.high - child.low >= _OFTEN_THERE * width


def _look_up(candidates: list[_Candidate], sources: Mapping[str, CollectionSource]) -> None:
    """Say of each candidate how many of its values are keys, by asking the collections."""
    by_target: dict[str, list[_Candidate]] = defaultdict(list)
    for each in candidates:
        by_target[each.key.collection].append(each)
    for name, group in by_target.items():
        asked: dict[int, dict[int, Any]] = {}
        wanted: dict[tuple[str, ...], dict[int, Any]] = defaultdict(dict)
        for each in group:
            some = dict(sorted(each.child.sketch.values.items())[:LOOKED_UP])
            asked[id(each)] = some
            wanted[each.key.path] |= some
        there = sources[name].found({path: list(values.values()) for path, values in wanted.items()})
        for each in group:
            some = asked[id(each)]
            each.looked = len(some)
            each.coverage = len(some.keys() & there[each.key.path]) / max(1, len(some))


def _is_accepted(made: _Candidate) -> bool:
    child, key = made.child, made.key
    assert made.coverage is not None
    if made.coverage < LEAST_COVERAGE[child.family] or not made.looked:
        return False
    certain = 1 - max(made.chance, 0.02)
    made.confidence = round(min(0.99, made.coverage * max(certain, 0.6 + 0.3 * made.near)), 2)
    made.reasons = [f"{made.coverage:.1%} of {made.looked:,} different values are there"]
    if made.near >= _NAMED:
        made.reasons.append("the name says so")
    if child.family in {"id", "uuid"}:
        made.reasons.append("such values do not meet by chance")
    elif made.chance < _BY_CHANCE:
        made.reasons.append(f"by chance it would be about {made.chance:.1%}")
    else:
        made.reasons.append("such values do meet by chance")
    if key.is_id:
        made.reasons.append("the key is the _id")
    if child.texts_of_ids != key.texts_of_ids:
        made.reasons.append("ids on one side are texts on the other")
    return True


def _one_way(chosen: list[_Candidate]) -> list[_Candidate]:
    """Of two that refer to each other keep the one that goes to the more general."""
    by_pair = {(*_place(each.child), *_place(each.key)): each for each in chosen}
    kept = []
    for each in chosen:
        back = by_pair.get((*_place(each.key), *_place(each.child)))
        if back is None or _towards(each) >= _towards(back):
            kept.append(each)
    return kept


def _place(keys: Keys) -> tuple[str, str]:
    return keys.collection, keys.dotted


def _towards(each: _Candidate) -> tuple[Any, ...]:
    return each.near, each.coverage, each.key.sketch.distinct, each.child.collection


def _split(group: list[_Candidate]) -> SplitReference | None:
    """Return a field of ids whose values are spread over several collections."""
    shares = {
        each.key.collection: round(each.coverage, 3)
        for each in group
        if each.key.is_id and each.child.family in {"id", "uuid"} and (each.coverage or 0) >= _SPLIT
        if each.coverage is not None
    }
    if len(shares) < 2 or sum(shares.values()) < _SPLIT_TOGETHER:  # noqa: PLR2004 - several
        return None
    child = group[0].child
    return SplitReference(child.collection, child.dotted, dict(sorted(shares.items())))


def _copied(each: _Candidate, by_id: list[_Candidate]) -> str:
    """Return what a field repeats that is a key elsewhere and still no reference; nothing if it is one.

    Either another field of the document names the same one already; or this stands in an array, and its
    documents name the one that has it: the array repeats some of them.
    """
    for other in by_id:
        if (other.child.collection, other.key.collection) == (each.child.collection, each.key.collection):
            distinct = other.child.sketch.distinct
            alike = abs(distinct - each.child.sketch.distinct) <= max(1, _SAME * distinct)
            if alike and other.child.many == each.child.many:
                return f"{other.child.dotted}.{each.key.dotted}"
        back = (other.child.collection, other.key.collection) == (each.key.collection, each.child.collection)
        if back and each.child.many:
            return f"{each.key.collection}.{each.key.dotted}"
    return ""


def _facts(each: _Candidate, collections: Mapping[str, CollectionFacts]) -> ReferenceFacts:
    counts = sorted(each.child.sketch.counts.values())
    once = sum(count == 1 for count in counts) >= _AGREES * len(counts) and len(counts) > 1
    if each.child.many:
        cardinality = "n:m"
    else:
        cardinality = "1:1" if once and collections[each.child.collection].complete else "n:1"
    quantiles = [counts[round(part * (len(counts) - 1) / 20)] for part in range(21)]
    return ReferenceFacts(
        collection=each.child.collection,
        fields=(each.child.dotted,),
        target=each.key.collection,
        keys=(each.key.dotted,),
        cardinality=cardinality,
        coverage=round(each.coverage or 0, 4),
        confidence=each.confidence,
        reasons=tuple(each.reasons),
        children=Range(counts[0], counts[-1], sum(counts) / len(counts), quantiles),
    )
