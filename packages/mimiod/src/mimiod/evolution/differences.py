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
    kind: Literal["collection", "option", "validator", "index"]
    name: str
    "The option, the index, the field and keyword of a validator; empty for the collection itself."
    change: Literal["missing", "extra", "changed"]
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


def compare(have: Shape, want: Shape) -> Comparison:
    """Compare what there is with what is wanted: a database with its schema, or with another database."""
    found = Comparison()
    for name in sorted(have.collections.keys() | want.collections.keys()):
        one, two = have.collections.get(name), want.collections.get(name)
        if one is None:
            found.differences.append(
                Difference(name, "collection", "", "missing", "the collection is missing")
            )
        elif two is None:
            found.differences.append(
                Difference(name, "collection", "", "extra", "the collection is not wanted")
            )
        else:
            found.differences.extend(_options(name, one, two, have, found.unsupported))
            found.differences.extend(_validators(name, one, two, have, found.unsupported))
            found.differences.extend(_indexes(name, one, two))
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


def _options(
    name: str, have: CollectionShape, want: CollectionShape, server: Shape, unsupported: list[str]
) -> Iterator[Difference]:
    stand_in = server.server.stand_in if server.server else None
    for option in sorted(have.options.keys() | want.options.keys()):
        one = have.options.get(option, _DEFAULTS.get(option))
        two = want.options.get(option, _DEFAULTS.get(option))
        if _is_as_wanted(option, one, two):
            continue
        if stand_in in _WITHOUT_OPTIONS and option not in have.options:
            unsupported.append(f"{stand_in} has no {option}: collection {named(name)} is without")
            continue
        change: Literal["missing", "extra", "changed"] = "changed"
        if option not in have.options or option not in want.options:
            change = "missing" if option not in have.options else "extra"
        yield Difference(
            name, "option", option, change, f"option {named(option)}: {shown(one)} → {shown(two)}", one, two
        )
    if have.shard_key == want.shard_key:
        return
    if not server.shards:
        unsupported.append(f"{server.server} has no sharding: collection {named(name)} is unsharded")
        return
    change = "changed" if have.shard_key and want.shard_key else "missing" if want.shard_key else "extra"
    text = f"shard key: {shown(have.shard_key)} → {shown(want.shard_key)}"
    yield Difference(name, "option", "shard_key", change, text, have.shard_key, want.shard_key)


def _is_as_wanted(option: str, have: Any, want: Any) -> bool:
    """Whether an option is what was asked for; what the request left out, a server may have filled in."""
    if isinstance(have, dict) and isinstance(want, dict):
        return all(_is_as_wanted(part, have.get(part), value) for part, value in want.items())
    if option == "size" and have and want:
        return -(-int(have) // _SIZE_STEP) == -(-int(want) // _SIZE_STEP)
    return bool(have == want)


def _validators(
    name: str, have: CollectionShape, want: CollectionShape, server: Shape, unsupported: list[str]
) -> Iterator[Difference]:
    wanted = want.validator
    stand_in = server.server.stand_in if server.server else None
    looser = structure.looser_rules(want.rules)["validator"]
    if stand_in and have.validator != wanted and have.validator and have.validator == looser:
        unsupported.append(f"{stand_in} refuses parts of the validator of {named(name)}, which is without")
        wanted = looser
    if not have.validator and not wanted:
        return
    if not have.validator or not wanted:
        change: Literal["missing", "extra"] = "missing" if wanted else "extra"
        text = "it has no validator" if wanted else "it has a validator, and none is wanted"
        yield Difference(name, "validator", "", change, text, have.validator or None, wanted or None)
        if not wanted:
            return
    else:
        for each in _schema_changes(have.validator, wanted):
            place = f"{each.path}:{each.keyword}" if each.path else each.keyword
            yield Difference(name, "validator", place, _change(each), _said(each), each.have, each.want)
    for option, one, two in (
        ("validationLevel", have.level, want.level),
        ("validationAction", have.action, want.action),
    ):
        if one != two:
            yield Difference(name, "validator", option, "changed", f"{option}: {one} → {two}", one, two)


def _schema_changes(have: Mapping[str, Any], want: Mapping[str, Any]) -> Iterator[FieldChange]:
    """Yield what differs between two validators, of which `$jsonSchema` may be a part only."""
    yield from field_changes(have.get("$jsonSchema") or {}, want.get("$jsonSchema") or {})
    for operator in dict.fromkeys([*have, *want]):
        if operator != "$jsonSchema" and have.get(operator) != want.get(operator):
            yield FieldChange("", operator, have.get(operator), want.get(operator))


def _change(each: FieldChange) -> Literal["missing", "extra", "changed"]:
    if each.keyword == "required" or (each.have is not None and each.want is not None):
        return "changed"
    return "missing" if each.have is None else "extra"


def _said(each: FieldChange) -> str:
    where = f"field {named(each.path)}" if each.path else "document"
    if each.keyword == "field":
        told = each.want if each.have is None else each.have
        of = f" ({shown(told['bsonType'])})" if isinstance(told, dict) and "bsonType" in told else ""
        return f"{where}{of}: {'not described yet' if each.have is None else 'described no longer'}"
    if each.keyword == "required":
        return (
            f"{where}: {'required' if each.have else 'optional'} → {'required' if each.want else 'optional'}"
        )
    return f"{where}: {each.keyword} {shown(each.have)} → {shown(each.want)}"


def _indexes(name: str, have: CollectionShape, want: CollectionShape) -> Iterator[Difference]:
    for index in sorted(have.indexes.keys() | want.indexes.keys()):
        one, two = have.indexes.get(index), want.indexes.get(index)
        label = f"index {named(index)}"
        if one is None and two is not None:
            text = f"{label} over {keys(two)} is missing"
            yield Difference(name, "index", index, "missing", text, None, dict(two))
        elif two is None and one is not None:
            text = f"{label} over {keys(one)} is not wanted"
            yield Difference(name, "index", index, "extra", text, dict(one), None)
        elif one is not None and two is not None and (parts := structure.index_differences(two, one)):
            text = f"{label}: {'; '.join(parts)}"
            yield Difference(name, "index", index, "changed", text, dict(one), dict(two))


def keys(index: Mapping[str, Any]) -> str:
    """Return the keys of an index as a line can show them."""
    return ", ".join(f"{named(path)} {shown(kind)}" for path, kind in index["key"].items())
