"""How documents differ from those of another database, or from a schema: their fields, types and presence.

Of samples a difference counts only where chance would hardly make it: see `_differ` and `_is_absent`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from mimiod.evolution.differences import Difference, named, shown
from mimiod.inspecting.counting import Budget, Counter
from mimiod.inspecting.facts import FieldFacts, field_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mimiod.evolution.differences import Change, Words
    from mimiod.inspecting.sources import CollectionSource

LEAST = 0.05
"Of the documents: presence that differs by less is no difference."

_DEVIATIONS = 4
"Standard deviations: hundreds of fields are compared, and chance is to make no difference of any."
_HARDLY = 0.0001
_WHOLE = {"int": "int or long", "long": "int or long"}
_NUMBERS = frozenset({"int", "long", "double", "decimal"})
_ALIKE = {"uuid": "binData", "bytes": "binData"}
_TOLD_EVERY = 500
_TENTH = 0.001


@dataclass(frozen=True)
class Documents:
    """What the documents of a collection are like."""

    root: FieldFacts
    complete: bool
    "Whether all were read."

    @property
    def read(self) -> int:
        """How many were read."""
        return self.root.count


def read_documents(
    collection: CollectionSource, sample: int, progress: Callable[[str, int, int | None], None]
) -> Documents:
    """Read a sample of a collection."""
    draws = Random(f"mimiod diff/{collection.name}")  # noqa: S311 - the same sample each time
    root = Counter(Budget(draws))
    total = None if collection.estimated is None else min(sample, collection.estimated)
    for document, size in collection.documents(sample, draws):
        root.add(document, size)
        if root.count % _TOLD_EVERY == 0:
            progress(collection.name, root.count, total)
    root.settle()
    return Documents(field_facts(root, root.count), collection.method == "all documents")


def compare_documents(name: str, one: Documents, two: Documents, words: Words) -> Iterator[Difference]:
    """Yield what the documents of a collection of A and B differ in; nothing where one of them is empty."""
    if one.read and two.read:
        yield from _Sides(name, words, exact=one.complete and two.complete).fields("", one.root, two.root)


@dataclass(frozen=True)
class _Sides:
    collection: str
    words: Words
    exact: bool

    def fields(self, path: str, one: FieldFacts, two: FieldFacts) -> Iterator[Difference]:
        """Yield what differs below a place."""
        for name in sorted(one.fields.keys() | two.fields.keys()):
            inner, mine, its = _below(path, name), one.fields.get(name), two.fields.get(name)
            if mine is not None and its is not None:
                yield from self.place(inner, mine, its)
            elif its is not None and one.free is None and self._is_absent(_objects(one), its.count, its.of):
                yield self._only(inner, "missing", its)
            elif (
                mine is not None and two.free is None and self._is_absent(_objects(two), mine.count, mine.of)
            ):
                yield self._only(inner, "extra", mine)
        if one.free is not None and two.free is not None:
            yield from self.place(_below(path, "*"), one.free, two.free)
        if one.items is not None and two.items is not None:
            yield from self.place(f"{path}[]", one.items, two.items)

    def place(self, path: str, one: FieldFacts, two: FieldFacts) -> Iterator[Difference]:
        """Yield how often a field is there and of which types, if that differs, and what differs below."""
        parts = []
        if self._differ((one.count, one.of), (two.count, two.of)):
            parts.append(f"in {_part(one.rate)} → in {_part(two.rate)}")
        have, want = _kinds(one), _kinds(two)
        if any(
            self._kind_differs(have.get(kind, 0), one.count, want.get(kind, 0), two.count)
            for kind in have | want
        ):
            parts.append(f"{_shares(have)} → {_shares(want)}")
        if parts:
            text = f"field {named(path)}: {'; '.join(parts)}"
            yield Difference(self.collection, "field", path, "changed", text, _told(one), _told(two))
        yield from self.fields(path, one, two)

    def _only(self, path: str, change: Change, facts: FieldFacts) -> Difference:
        said = self.words.missing if change == "missing" else self.words.extra
        text = f"field {named(path)} ({_shares(_kinds(facts))}, in {_part(facts.rate)}) {said}"
        have, want = (None, _told(facts)) if change == "missing" else (_told(facts), None)
        return Difference(self.collection, "field", path, change, text, have, want)

    def _differ(self, one: tuple[int, int], two: tuple[int, int]) -> bool:
        """Whether two shares differ by more than `LEAST`, and than samples of these sizes would by chance."""
        if not one[1] or not two[1]:
            return False
        apart = abs(one[0] / one[1] - two[0] / two[1])
        both = (one[0] + two[0]) / (one[1] + two[1])
        error = 0.0 if self.exact else math.sqrt(both * (1 - both) * (1 / one[1] + 1 / two[1]))
        return apart > max(LEAST, _DEVIATIONS * error)

    def _kind_differs(self, mine: int, one: int, its: int, two: int) -> bool:
        if mine and its:
            return self._differ((mine, one), (its, two))
        return self._is_absent(one, its, two) if its else self._is_absent(two, mine, one)

    def _is_absent(self, looked: int, there: int, of: int) -> bool:
        """Whether what so many of the others have is in none that was looked at, and not by chance.

        That all of them fall to one of two samples of these sizes (Fisher's exact test).
        """
        return looked > 0 and (self.exact or (of / (looked + of)) ** there < _HARDLY)


def compare_with_schema(name: str, documents: Documents, schema: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield where documents are not as a `$jsonSchema` says: fields, types, and what is required."""
    if documents.read:
        yield from _against(name, "", documents.root, schema)


def _against(name: str, path: str, facts: FieldFacts, schema: Mapping[str, Any]) -> Iterator[Difference]:
    properties, others = schema.get("properties"), schema.get("additionalProperties")
    required = set(schema.get("required") or ())
    if properties is None and not isinstance(others, dict):
        return
    for field in sorted(facts.fields.keys() | required):
        inner, found, node = (
            _below(path, field),
            facts.fields.get(field),
            (properties or {}).get(field, others),
        )
        if found is None:
            if _objects(facts) and facts.free is None:
                text = f"field {named(inner)}: required, and in no document that was read"
                yield Difference(name, "field", inner, "missing", text, None, {"presence": 1})
        elif not isinstance(node, dict):
            text = f"field {named(inner)} ({_shares(_kinds(found))}, in {_part(found.rate)}): not declared"
            yield Difference(name, "field", inner, "extra", text, _told(found))
        else:
            yield from _place_against(name, inner, found, node, required=field in required)
    if facts.free is not None and isinstance(others, dict):
        yield from _place_against(name, _below(path, "*"), facts.free, others, required=False)


def _place_against(
    name: str, path: str, facts: FieldFacts, schema: Mapping[str, Any], *, required: bool
) -> Iterator[Difference]:
    allowed, parts = _allowed(schema), []
    if required and facts.count < facts.of:
        parts.append(f"in {_part(facts.rate)} → required")
    strange = {kind: count for kind, count in facts.kinds.items() if _ALIKE.get(kind, kind) not in allowed}
    if allowed and strange:
        share = sum(strange.values()) / facts.count
        parts.append(f"{shown(list(strange))} in {_part(share)} → {shown(sorted(allowed))}")
    if parts:
        text = f"field {named(path)}: {'; '.join(parts)}"
        yield Difference(name, "field", path, "changed", text, _told(facts), {"types": sorted(allowed)})
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return  # which of them a document is held against, its values decide
    yield from _against(name, path, facts, schema)
    if facts.items is not None and isinstance(schema.get("items"), dict):
        yield from _place_against(name, f"{path}[]", facts.items, schema["items"], required=False)


def _allowed(schema: Mapping[str, Any]) -> set[str]:
    """Return the types that a schema allows; none if it does not say."""
    told = schema.get("bsonType", [])
    found = {told} if isinstance(told, str) else set(told)
    if "number" in found:
        found |= _NUMBERS
    branches = [_allowed(each) for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))]
    return found.union(*branches) if all(branches) else set()


def _below(path: str, name: str) -> str:
    plain = name.replace("\\", "\\\\").replace(".", "\\.")
    return f"{path}.{plain}" if path else plain


def _objects(facts: FieldFacts) -> int:
    return facts.kinds.get("object", 0)


def _kinds(facts: FieldFacts) -> dict[str, int]:
    """Return the types and how many values are of each; whole numbers are one, whatever their size."""
    found: dict[str, int] = {}
    for kind, count in facts.kinds.items():
        one = _WHOLE.get(kind, kind)
        found[one] = found.get(one, 0) + count
    return found


def _shares(kinds: Mapping[str, int]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    total = sum(kinds.values())
    return ", ".join(
        f"{kind} {_part(count / total)}" for kind, count in sorted(kinds.items(), key=lambda e: -e[1])
    )


def _part(share: float) -> str:
    """Return a share as text, and nearly all or nothing not as all or nothing."""
    if 0 < share < _TENTH or 1 - _TENTH < share < 1:
        return "<0.1%" if share < _TENTH else ">99.9%"
    return f"{share:.1%}"


def _told(facts: FieldFacts) -> dict[str, Any]:
    return {"presence": round(facts.rate, 6), "types": dict(facts.kinds)}
