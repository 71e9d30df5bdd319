"""The fields that may name documents, or be named: what is kept of each to find references."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.inspecting.counting import Counter
    from mimiod.inspecting.sketches import KeySketch

LONGEST_KEY = 64
"Characters, on average: longer texts name nothing."

_FAMILIES = {"objectId": "id", "uuid": "uuid", "string": "text", "int": "whole", "long": "whole"}
_IDS = {"object_id": "id", "uuid": "uuid"}
_OTHERS = frozenset({"null", "object", "array"})
_MOSTLY = 0.98
_NAMING = frozenset({
    "id", "ids", "ref", "refs", "reference", "key", "keys", "code", "codes", "no", "nr", "num", "number",
    "uuid", "guid", "oid", "slug", "fk", "handle", "to", "of", "by", "parent", "manager", "previous", "next",
    "root", "origin",
})  # fmt: skip
_RANKED = frozenset({
    "ancestor", "boss", "duplicate", "manager", "mentor", "next", "original", "parent", "predecessor", "prev",
    "previous", "root", "sequel", "successor", "superior", "supervisor",
})  # fmt: skip
"Words of a field that names another of the same collection; and `reports_to`, `reply_to`."
_ROLES = frozenset({
    "agent", "assignee", "author", "buyer", "chief", "coach", "contact", "creator", "doctor", "driver",
    "editor", "head", "instructor", "lead", "leader", "manager", "member", "operator", "owner", "person",
    "president", "recipient", "rep", "representative", "reviewer", "seller", "sender", "signer", "staff",
    "supervisor", "teacher", "tutor", "user",
})  # fmt: skip
"Words of a field that names a person."
_COUNTED = frozenset({"lead", "staff"})
"Such words that are also said of how many there are."
_PEOPLE = frozenset({
    "account", "agent", "author", "client", "contact", "customer", "doctor", "driver", "employee", "member",
    "party", "patient", "people", "person", "player", "staff", "student", "teacher", "user", "worker",
})  # fmt: skip
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONG_ENOUGH = 3
_DESCRIBING = ("name", "title", "label", "description")
_RANK, _ROLE = 0.6, 0.5


@dataclass(frozen=True)
class Keys:
    """The values of one field."""

    collection: str
    path: tuple[str, ...]
    family: str
    "`id`, `uuid`, `text` or `whole`."
    sketch: KeySketch
    count: int
    "How many values there are."
    documents: int
    "How many documents were read."
    many: bool
    "Whether one document has several, in an array or under free keys."
    low: float | None
    high: float | None
    "Of numbers."
    length: float
    "Of texts, on average."
    masks: Mapping[str, int] | None
    "Of texts; None where there are too many."
    texts_of_ids: bool
    "Whether these are texts with the digits of ObjectIds or UUIDs."

    @property
    def is_id(self) -> bool:
        """Whether it is the `_id`."""
        return self.path == ("_id",)

    @property
    def is_primary(self) -> bool:
        """Whether it is the `_id`, or a key that is named like one: `id`, or `order_id` of `orders`."""
        if self.is_id or len(self.path) > 1 or not self.unique:
            return self.is_id
        *own, last = words(self.path[0]) or [""]
        return last in _NAMING and own in ([], words(self.collection))

    @property
    def is_bare(self) -> bool:
        """Whether it is the `_id`, or a key whose name says nothing but that: `id`."""
        return self.is_id or (self.is_primary and len(words(self.path[0])) == 1)

    @property
    def unique(self) -> bool:
        """Whether no value was seen twice."""
        return not self.many and (self.is_id or self.sketch.repeated == 0)

    @property
    def dotted(self) -> str:
        """The path with dots."""
        return ".".join(self.path)


def keys_of(collection: str, root: Counter) -> list[Keys]:
    """Return the fields of a collection whose values may be keys."""
    return [
        keys
        for path, counter, many in _counters(root, (), many=False)
        if (keys := _keys(collection, path, counter, root.count, many=many)) is not None
    ]


def _keys(
    collection: str, path: tuple[str, ...], counter: Counter, documents: int, *, many: bool
) -> Keys | None:
    scalars = {kind: count for kind, count in counter.kinds.items() if kind not in _OTHERS}
    total = sum(scalars.values())
    families: dict[str, int] = {}
    for kind, count in scalars.items():
        whole = (
            kind == "double"
            and counter.numbers
            and all(float(n).is_integer() for n in counter.numbers.sample)
        )
        family = "whole" if whole else _FAMILIES.get(kind, "")
        families[family] = families.get(family, 0) + count
    family = max(families, key=lambda name: families[name], default="")
    if not family or families[family] < _MOSTLY * total:
        return None
    length = counter.lengths.mean if counter.lengths else 0.0
    if length > LONGEST_KEY:
        return None
    forms = counter.forms.known() if counter.forms is not None else {}
    of_ids = next((named for form, named in _IDS.items() if family == "text" and forms.get(form) == 1), None)
    numbers = counter.numbers
    return Keys(
        collection=collection,
        path=path,
        family=of_ids or family,
        sketch=counter.keys,
        count=total,
        documents=documents,
        many=many,
        low=numbers.low if numbers else None,
        high=numbers.high if numbers else None,
        length=length,
        masks=counter.forms.masks if counter.forms else None,
        texts_of_ids=of_ids is not None,
    )


def _counters(
    counter: Counter, path: tuple[str, ...], *, many: bool
) -> Iterator[tuple[tuple[str, ...], Counter, bool]]:
    for name, inner in counter.fields.items():
        yield (*path, name), inner, many
        yield from _counters(inner, (*path, name), many=many)
    if counter.free is not None:
        yield (*path, "*"), counter.free, True
        yield from _counters(counter.free, (*path, "*"), many=True)
    if counter.items is not None:
        if path:
            yield path, counter.items, True
        yield from _counters(counter.items, path, many=True)


@lru_cache(maxsize=10_000)
def _words(name: str) -> tuple[str, ...]:
    return tuple(_singular(word.lower()) for word in _WORDS.findall(name))


def words(name: str) -> list[str]:
    """Return the words of a name, small and in the singular."""
    return list(_words(name))


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > _LONG_ENOUGH + 1:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > _LONG_ENOUGH:
        return word[:-1]
    return word


def says_key(path: tuple[str, ...]) -> bool:
    """Return whether a field's name says that it names something: `customer_id`, `productRef`, `sku_code`."""
    last = [word.lower() for word in _WORDS.findall(path[-1])]
    named = _NAMING | _ROLES - _COUNTED
    return bool(last) and (last[-1] in named or (len(last) == 1 and last[0].endswith("id")))


def says_words(path: tuple[str, ...]) -> bool:
    """Return whether a field's name says that it describes rather than names: `title`, `artist_name`."""
    return words(path[-1])[-1:] in ([each] for each in _DESCRIBING)


def kinship(path: tuple[str, ...], collection: str, target: str) -> float:
    """Return how much the role that a field's name says speaks for a collection: a parent, a person."""
    name, kind = words(path[-1]), words(target)[-1:]
    ranked = bool(_RANKED & set(name)) or name[:2] in (["report", "to"], ["reply", "to"])
    person = bool(_PEOPLE & set(kind))
    if collection == target:
        return _RANK if ranked or (person and name[-1:] == ["by"]) else 0.0
    return _ROLE if person and (name[-1:] == ["by"] or _ROLES & set(name)) else 0.0


def nearness(path: tuple[str, ...], collection: str, key: tuple[str, ...]) -> float:
    """Return how much a field's name speaks for a collection and a field of it, from 0 to 1."""
    whole = words(path[-1])
    own = [word for word in whole if word not in _NAMING]
    if not own and len(path) > 1:
        own = words(path[-2])
    target, field = words(collection), words(key[-1])
    score = 0.0
    if own and own == target:
        score = 1.0
    elif own and (own[-len(target) :] == target or target[-len(own) :] == own):
        score = 0.8
    elif set(own) & set(target):
        score = 0.5
    if key != ("_id",):
        if whole == [*target, *field]:
            return 1.0
        if whole == field:
            return max(score, 0.8)
        return score * 0.6
    return score
