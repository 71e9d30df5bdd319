"""How one database differs from another, or from what its schema declares."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mimiod import structure
from mimiod.evolution.validator_changes import FieldChange, field_changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.evolution.shapes import CollectionShape, Shape

Change = Literal["missing", "extra", "changed"]
Side = tuple["CollectionShape", "Shape"]
"A collection of one of the two, and the whole that it is of."

_LONGEST = 100
"Characters of a value that are shown."
_DEFAULTS: dict[str, Any] = {"capped": False, "changeStreamPreAndPostImages": {"enabled": False}}
_SIZE_STEP = 256
"A server rounds the size of a capped collection up to a multiple of this."
_WITHOUT_OPTIONS = frozenset({"DocumentDB"})
"Stand-ins that know none of the options of a collection."


@dataclass(frozen=True)
class Difference:
    """One thing that is not as wanted."""

    collection: str
    kind: Literal["collection", "option", "validator", "index", "field"]
    name: str
    "The option, index or field, or the field and keyword of a validator; empty for the whole."
    change: Change
    text: str
    "What is there, and what is wanted."
    have: Any = None
    want: Any = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "collection": self.collection,
            "kind": self.kind,
            "name": self.name,
            "change": self.change,
            "text": self.text,
            "have": self.have,
            "want": self.want,
        }

    def __str__(self) -> str:
        sign = {"missing": "+", "extra": "-", "changed": "~"}[self.change]
        return f"{sign} {named(self.collection)}: {self.text}"


@dataclass(frozen=True)
class Comparison:
    """What two databases differ in."""

    differences: list[Difference] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    "What the server at hand cannot hold, a line each; these are no differences."


@dataclass(frozen=True)
class Words:
    """How it is said that one side only has something."""

    missing: str
    extra: str
    undescribed: str
    described: str
    no_validator: str
    validator: str


DECLARED = Words(
    missing="is missing",
    extra="is not wanted",
    undescribed="not described yet",
    described="described no longer",
    no_validator="it has no validator",
    validator="it has a validator, and none is wanted",
)
"A database, and the schema that it is to have."
SIDES = Words(
    missing="is in B only",
    extra="is in A only",
    undescribed="described in B only",
    described="described in A only",
    no_validator="a validator is in B only",
    validator="a validator is in A only",
)
"Two of a kind, A and B."


def compare(have: Shape, want: Shape, words: Words = DECLARED) -> Comparison:
    """Compare what there is with what is wanted: a database with its schema, or with another database."""
    found = Comparison()
    for name in sorted(have.collections.keys() | want.collections.keys()):
        one, two = have.collections.get(name), want.collections.get(name)
        if one is None:
            text = f"the collection {words.missing}"
            found.differences.append(Difference(name, "collection", "", "missing", text))
        elif two is None:
            text = f"the collection {words.extra}"
            found.differences.append(Difference(name, "collection", "", "extra", text))
        else:
            found.differences.extend(_options(name, (one, have), (two, want), found.unsupported))
            found.differences.extend(_validators(name, (one, have), (two, want), words, found.unsupported))
            found.differences.extend(_indexes(name, one, two, words))
    return found


def named(text: str) -> str:
    """Return a name as a line can show it: quoted if it is empty or could move a terminal's cursor."""
    return text if text and text.isprintable() else json.dumps(text)


def shown(value: Any) -> str:
    """Return a value as a line can show it."""
    if value is None:
        return "none"
    if isinstance(value, list) and all(isinstance(part, str) and part.isalnum() for part in value):
        return " or ".join(value) or "none"
    if isinstance(value, str):
        return named(value)
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _options(name: str, one: Side, two: Side, unsupported: list[str]) -> Iterator[Difference]:
    have, want = one[0].options, two[0].options
    for option in sorted(have.keys() | want.keys()):
        there, wanted = have.get(option, _DEFAULTS.get(option)), want.get(option, _DEFAULTS.get(option))
        if _is_as_wanted(option, there, wanted):
            continue
        lacking = [side for side in (one, two) if _has_no_options(side) and option not in side[0].options]
        if lacking:
            who = _stand_in(lacking[0][1])
            unsupported.append(f"{who} has no {option}: collection {named(name)} is without")
            continue
        change: Change = "changed"
        if option not in have or option not in want:
            change = "missing" if option not in have else "extra"
        text = f"option {named(option)}: {shown(there)} → {shown(wanted)}"
        yield Difference(name, "option", option, change, text, there, wanted)
    key, other = one[0].shard_key, two[0].shard_key
    if key == other:
        return
    unsharded = [shape for _, shape in (one, two) if not shape.shards]
    if unsharded:
        which = unsharded[0].server
        unsupported.append(
            f"{which} has no sharding, or does not show it: collection {named(name)} is unsharded"
        )
        return
    change = "changed" if key and other else "missing" if other else "extra"
    text = f"shard key: {shown(key)} → {shown(other)}"
    yield Difference(name, "option", "shard_key", change, text, key, other)


def _stand_in(shape: Shape) -> str | None:
    return shape.server.stand_in if shape.server else None


def _has_no_options(side: Side) -> bool:
    return _stand_in(side[1]) in _WITHOUT_OPTIONS


def _is_as_wanted(option: str, have: Any, want: Any) -> bool:
    """Whether an option is what was asked for; what the request left out, a server may have filled in."""
    if isinstance(have, dict) and isinstance(want, dict):
        return all(_is_as_wanted(part, have.get(part), value) for part, value in want.items())
    if option == "size" and have and want:
        return -(-int(have) // _SIZE_STEP) == -(-int(want) // _SIZE_STEP)
    return bool(have == want)


def _validators(
    name: str, one: Side, two: Side, words: Words, unsupported: list[str]
) -> Iterator[Difference]:
    have, want = one[0], two[0]
    there = _possible(name, two, one, unsupported)
    wanted = _possible(name, one, two, unsupported)
    if not there and not wanted:
        return
    if not there or not wanted:
        change: Change = "missing" if wanted else "extra"
        text = words.no_validator if wanted else words.validator
        yield Difference(name, "validator", "", change, text, there or None, wanted or None)
        if not wanted:
            return
    else:
        for each in _schema_changes(there, wanted):
            place = f"{each.path}:{each.keyword}" if each.path else each.keyword
            text = _said(each, words)
            yield Difference(name, "validator", place, _change(each), text, each.have, each.want)
    for option, mine, its in (
        ("validationLevel", have.level, want.level),
        ("validationAction", have.action, want.action),
    ):
        if mine != its:
            yield Difference(name, "validator", option, "changed", f"{option}: {mine} → {its}", mine, its)


def _possible(name: str, there: Side, wanted: Side, unsupported: list[str]) -> Mapping[str, Any]:
    """Return the validator of one side, without what the other side's server refuses."""
    have, want, who = there[0].validator, wanted[0].validator, _stand_in(there[1])
    looser = structure.looser_rules(wanted[0].rules)["validator"]
    if who and have and have != want and have == looser:
        unsupported.append(f"{who} refuses parts of the validator of {named(name)}, which is without")
        return have
    return want


def _schema_changes(have: Mapping[str, Any], want: Mapping[str, Any]) -> Iterator[FieldChange]:
    """Yield what differs between two validators, of which `$jsonSchema` may be a part only."""
    yield from field_changes(have.get("$jsonSchema") or {}, want.get("$jsonSchema") or {})
    for operator in dict.fromkeys([*have, *want]):
        if operator != "$jsonSchema" and have.get(operator) != want.get(operator):
            yield FieldChange("", operator, have.get(operator), want.get(operator))


def _change(each: FieldChange) -> Change:
    if each.keyword == "required" or (each.have is not None and each.want is not None):
        return "changed"
    return "missing" if each.have is None else "extra"


def _said(each: FieldChange, words: Words) -> str:
    where = f"field {named(each.path)}" if each.path else "document"
    if each.keyword == "field":
        told = each.want if each.have is None else each.have
        of = f" ({shown(told['bsonType'])})" if isinstance(told, dict) and "bsonType" in told else ""
        return f"{where}{of}: {words.undescribed if each.have is None else words.described}"
    if each.keyword == "required":
        return (
            f"{where}: {'required' if each.have else 'optional'} → {'required' if each.want else 'optional'}"
        )
    return f"{where}: {each.keyword} {shown(each.have)} → {shown(each.want)}"


def _indexes(name: str, have: CollectionShape, want: CollectionShape, words: Words) -> Iterator[Difference]:
    for index in sorted(have.indexes.keys() | want.indexes.keys()):
        one, two = have.indexes.get(index), want.indexes.get(index)
        label = f"index {named(index)}"
        if one is None and two is not None:
            text = f"{label} over {keys(two)} {words.missing}"
            yield Difference(name, "index", index, "missing", text, None, dict(two))
        elif two is None and one is not None:
            text = f"{label} over {keys(one)} {words.extra}"
            yield Difference(name, "index", index, "extra", text, dict(one), None)
        elif one is not None and two is not None and (parts := structure.index_differences(two, one)):
            text = f"{label}: {'; '.join(parts)}"
            yield Difference(name, "index", index, "changed", text, dict(one), dict(two))


def keys(index: Mapping[str, Any]) -> str:
    """Return the keys of an index as a line can show them."""
    return ", ".join(f"{named(path)} {shown(kind)}" for path, kind in index["key"].items())
