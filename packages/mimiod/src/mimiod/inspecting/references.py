"""References, found by their values: what a field holds that is a key elsewhere.

Fields and keys of one kind are compared by the values that both have kept (see `sketches`), and what is left
is looked up in the collection itself. Whole numbers and short texts meet by chance; they are taken for
references only where they do not lie so densely that any number would be found, or where their name says so.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mimiod.inspecting.composites import find_composites, implied_by_composites
from mimiod.inspecting.facts import CopyFacts, Range, ReferenceFacts, SplitReference
from mimiod.inspecting.keys import Keys, keys_of, kinship, nearness, says_key, says_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from mimiod.inspecting.facts import CollectionFacts
    from mimiod.inspecting.sources import CollectionSource

__all__ = ["Found", "find_references", "keys_of"]

LOOKED_UP = 300
"Values of a field that are looked for in a collection, where what is kept of both says too little."
LEAST_COVERAGE = {"id": 0.8, "uuid": 0.8, "text": 0.9, "whole": 0.95}
"Of the values that are looked for: so many have to be there."

_NEVER_BY_CHANCE = frozenset({"id", "uuid"})
_SPLIT = 0.05
_SPLIT_TOGETHER = 0.8
_COMPARED = 30
_MANY_KEYS = 40
_ALL_THERE = {"id": 12, "uuid": 12, "text": 40, "whole": 40}
"Values that are enough if all of them are keys; if not, `_ENOUGH`."
_ENOUGH = 150
_NOT_ALL = 0.9999
_HARDLY, _HARDLY_UNNAMED = 1e-4, 0.05
_ABOUT_NONE = 3
"Of so many values on average one can be without any in 20 looks (the rule of three)."
_OFTEN_THERE = 0.9
_BY_CHANCE = 0.1
_TELLING = 6
_NAMED = 0.5
_FEW = 3
_SAME, _ABOUT, _AGREES = 0.05, 0.02, 0.95


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
    "Values that were looked for, and how many of them are keys."
    there: int = 0
    reasons: list[str] = field(default_factory=list)
    confidence: float = 0.0

    def score(self, coverage: float | None) -> float:
        """Return how much speaks for it, if so many of the values are keys."""
        return (coverage or 0) + 0.5 * self.near + (0.3 if self.key.is_primary else 0)


def find_references(
    keys: list[Keys], collections: Mapping[str, CollectionFacts], sources: Mapping[str, CollectionSource]
) -> Found:
    """Return the references among the fields of a database."""
    targets = _targets(keys)
    candidates = [
        made
        for child in keys
        if child.sketch.counts
        for key in targets
        if (made := _candidate(child, key, collections[key.collection])) is not None
    ]
    by_child: dict[int, list[_Candidate]] = defaultdict(list)
    for each in candidates:
        by_child[id(each.child)].append(each)
    for uncertain in (_look_best, _may_be_best, _may_be_split):
        _look_up([each for group in by_child.values() for each in uncertain(group)], sources)
    found = Found()
    chosen: list[_Candidate] = []
    leads = {
        (id(each.child), id(each.key))
        for each in candidates
        if each.child.family in _NEVER_BY_CHANCE and each.coverage
    }
    for group in by_child.values():
        accepted = [each for each in group if _is_accepted(each)]
        if accepted:
            chosen += _best(accepted, leads)
        elif (split := _split(group)) is not None:
            found.split.append(split)
    chosen = _one_way(chosen)
    by_id = [each for each in chosen if each.key.is_id]
    for each in chosen:
        of = "" if each.key.is_id else _copied(each, by_id) or _copied_from_afar(each, by_id)
        if of:
            found.copies.append(CopyFacts(each.child.collection, each.child.dotted, of))
        else:
            found.references.append(_facts(each, collections))
    found.references += find_composites(keys, found.references, found.copies, collections, sources)
    implied = implied_by_composites(found.references)
    found.copies += implied.values()
    found.references = [each for each in found.references if id(each) not in implied]
    found.references.sort(key=lambda each: (each.collection, each.fields))
    return found


def _best(accepted: list[_Candidate], leads: AbstractSet[tuple[int, int]]) -> list[_Candidate]:
    """Return the most likely; nothing where values that meet by chance fit several equally well."""
    accepted.sort(key=lambda each: (-each.score(each.coverage), each.key.collection))
    first, *others = accepted
    by_chance = others and first.chance >= _BY_CHANCE and first.key.collection != others[0].key.collection
    if by_chance and first.score(first.coverage) == others[0].score(others[0].coverage):
        return []
    for other in others:
        # the persons of parties: keys that are part of those, and name them
        part = (id(other.key), id(first.key)) in leads and other.near >= first.near
        if part and other.key.sketch.distinct < _OFTEN_THERE * first.key.sketch.distinct:
            first = other
    return [first]


def _targets(keys: list[Keys]) -> list[Keys]:
    """Return the keys that may be named; of very many in a collection those whose names say so."""
    found = [each for each in keys if _may_be_named(each)]
    number = Counter((each.collection, each.family) for each in found)
    return [
        each
        for each in found
        if number[each.collection, each.family] <= _MANY_KEYS or each.is_primary or says_key(each.path)
    ]


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
    if child.family == "text" and (
        (child.collection == key.collection and child.unique) or not _look_alike(child, key)
    ):
        return None
    near = nearness(child.path, key.collection, key.path)
    if child.is_bare:
        near = nearness((child.collection,), key.collection, ("_id",))
    elif key.is_primary and not child.is_primary:
        near = max(near, kinship(child.path, child.collection, key.collection))
    made = _Candidate(child, key, near, _chance(child, key), None)
    if not _is_plausible(made):
        return None
    return made if not target.complete or _compared(made) else None


def _compared(made: _Candidate) -> bool:
    """Compare what is kept of both sides, and return whether the one may still name the other."""
    child, key = made.child, made.key
    looked, there = child.sketch.shared_with(key.sketch)
    if not looked:
        return True
    made.looked, made.there = looked, there
    exact = not child.sketch.full and not key.sketch.full
    if (exact or looked >= _COMPARED) and there / looked < _SPLIT:
        return False
    if exact or looked >= (_ALL_THERE[child.family] if there == looked else _ENOUGH):
        made.coverage = there / looked
    return True


def _look_alike(child: Keys, key: Keys) -> bool:
    """Whether texts have the masks of others, where those have few."""
    if child.masks is None or key.masks is None:
        return True
    alike = sum(count for mask, count in child.masks.items() if mask in key.masks)
    return alike >= _NAMED * sum(child.masks.values())


def _look_best(group: list[_Candidate]) -> list[_Candidate]:
    """Return what is to be looked up first: it may make the rest needless."""
    return [each for each in _may_be_best(group) if 0 < each.looked == each.there]


def _may_be_best(group: list[_Candidate]) -> list[_Candidate]:
    """Return what is to be looked up, of what a field may name: what could be more than is known already."""
    known = max((each.score(each.coverage) for each in group if _is_accepted(each)), default=0.0)
    return [
        each
        for each in group
        if each.coverage is None
        and each.score(1 if each.there == each.looked else _NOT_ALL) >= known
        and _so_few(each.there, each.looked, LEAST_COVERAGE[each.child.family])
        > (_HARDLY if each.near >= _NAMED else _HARDLY_UNNAMED)
    ]


def _so_few(there: int, looked: int, share: float) -> float:
    """Return how likely so few are there, of those looked for, if such a share is on average."""
    return sum(math.comb(looked, k) * share**k * (1 - share) ** (looked - k) for k in range(there + 1))


def _may_be_split(group: list[_Candidate]) -> list[_Candidate]:
    """Return what is to be looked up of a field of ids that names no single collection."""
    child = group[0].child
    if child.is_id or child.family not in _NEVER_BY_CHANCE or any(map(_is_accepted, group)):
        return []
    most = sum(min(1, (each.there + _ABOUT_NONE) / max(1, each.looked)) for each in group)
    return [each for each in group if each.coverage is None] if most >= _SPLIT_TOGETHER else []


def _chance(child: Keys, key: Keys) -> float:
    """Return the share of a field's values that would be keys if they were drawn at random."""
    if child.family in _NEVER_BY_CHANCE:
        return 0.0
    if child.family == "text":
        return 0.0 if min(child.length, key.length) >= _TELLING else 1.0
    if key.low is None or key.high is None:
        return 1.0
    return min(1.0, key.sketch.distinct / max(1.0, key.high - key.low + 1))


def _is_plausible(made: _Candidate) -> bool:
    child, key = made.child, made.key
    distinct = child.sketch.distinct
    if child.family in _NEVER_BY_CHANCE:
        return True
    if made.chance < _BY_CHANCE:
        return distinct >= _FEW or made.near >= _NAMED or key.is_id
    if child.family == "text":
        wide = key.is_id and distinct >= _FEW and distinct >= _NAMED * key.sketch.distinct
        return made.near >= _NAMED or wide
    if child.is_primary:
        return made.near >= _NAMED
    if made.near >= _NAMED:
        return says_key(child.path) or (made.near == 1 and distinct >= _NAMED * key.sketch.distinct)
    return says_key(child.path) and key.is_primary and _fits(child, key)


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
    if made.coverage is None or made.coverage < LEAST_COVERAGE[child.family] or not made.looked:
        return False
    certain = 1 - max(made.chance, 0.02)
    made.confidence = round(min(0.99, made.coverage * max(certain, 0.6 + 0.3 * made.near)), 2)
    made.reasons = [f"{made.coverage:.1%} of {made.looked:,} different values are there"]
    if made.near >= _NAMED:
        made.reasons.append("the name says so")
    if child.family in _NEVER_BY_CHANCE:
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
        if each.key.is_id and each.child.family in _NEVER_BY_CHANCE and (each.coverage or 0) >= _SPLIT
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


def _copied_from_afar(each: _Candidate, by_id: list[_Candidate]) -> str:
    """Return what a describing text repeats of a document that others lead to, one after the other."""
    if each.child.family != "text" or not says_words(each.key.path):
        return ""
    near, reached = {each.child.collection}, set[str]()
    while near:
        near = {other.key.collection for other in by_id if other.child.collection in near} - reached
        reached |= near
    return f"{each.key.collection}.{each.key.dotted}" if each.key.collection in reached else ""


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
