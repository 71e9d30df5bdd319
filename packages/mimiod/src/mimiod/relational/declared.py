"""What declarations alone say of the documents of a plan: facts that are declared, and others assumed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mimiod.inspecting.declarations import Declared, Limits, TableDecision
from mimiod.inspecting.facts import CollectionFacts, FieldFacts, Range, ReferenceFacts
from mimiod.inspecting.keys import words
from mimiod.inspecting.variants import Variants
from mimiod.relational.indexing import shape_of
from mimiod.relational.knowledge import is_unique
from mimiod.relational.owning import MOST as MOST_EMBEDDED
from mimiod.relational.owning import decider_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mimiod.relational.model import Column, ForeignKey
    from mimiod.relational.planning import Link, Part, Plan

ROOTS, LOOKUPS, CHILDREN, MOST = 1_000, 20, 3, 10_000
"""Documents that are assumed: of what names nothing, of small tables that others name, for each of what a
collection names, and of any collection."""

_ASSUMPTION = (
    f"no rows were read: {ROOTS:,} documents are assumed, {LOOKUPS} of a small table that others name, "
    f"{CHILDREN} for each document that a collection names, and {CHILDREN} rows of each embedded table"
)
_EMPTY = "it has no rows: its fields are declared, and their values are assumed"
_ALONE = {False: "many documents name one", True: "it is asked for by itself"}
"Why a reference and nothing embedded: by whether no two name the same."
_LOOKUP_COLUMNS = 4
_NULLS, _DETAILS = 0.1, 0.8
_STEPS = 20
_USUAL_TEXT, _LONG_TEXT = 24, 200
_PROSE = re.compile(r"(?i)(.*_)?(description|comment|notes?|text|body|remarks?|message|summary|bio)")
_FORMS = {
    "email": re.compile(r"(?i)(.*_)?e_?mail(_address)?"),
    "url": re.compile(r"(?i)(.*_)?(url|website|homepage|link)"),
    "country_code": re.compile(r"(?i)(.*_)?country(_code)?"),
}
_LEAST = {"email": 30, "url": 40, "country_code": 2}
_DIGITS = {re.compile(r"(?i)(.*_)?(phone|mobile|fax|tel)(_no|_number)?"): "+999 999 999"}
_YEAR = re.compile(r"(?i)(.*_)?year")
_BORN = re.compile(r"(?i)(.*_)?(birth|born|dob).*")


def inspection_of(plan: Plan, source: str) -> Declared:
    """Return what declarations say of a database; numbers of documents and their values are assumed."""
    counts = _assumed_counts(plan)
    collections = facts_of(plan, counts)
    return Declared(
        source=source,
        sample=None,
        collections=collections,
        references=references_of(plan),
        notes=[_ASSUMPTION, *plan.notes],
        limits=limits_of(plan),
        decisions=decisions_of(plan),
        assumed=True,
    )


def decisions_of(plan: Plan) -> list[TableDecision]:
    """Return what became of each table."""
    return [TableDecision(each.table, each.form, each.where, each.reasons) for each in plan.decisions]


def limits_of(plan: Plan) -> dict[tuple[str, tuple[str, ...]], Limits]:
    """Return what is declared of each field, by collection and path."""
    limits = {}
    for collection, path, part in plan.parts():
        some = any(each.form == "subtype" for each in _above(plan, collection, part))
        if part.form in {"array", "references"}:
            limits[collection, path] = Limits("array", nullable=False, optional=some, high=MOST_EMBEDDED)
        if part.form == "references":
            continue
        for column, called in part.fields.items():
            limits[collection, (*path, called)] = _limits(part, part.table.columns[column], optional=some)
        for link in part.links:
            nullable = not link.required or link.collection == collection  # the first has none to name
            limits[collection, (*path, link.field)] = Limits("objectId", nullable=nullable, optional=some)
    return limits


def _limits(part: Part, column: Column, *, optional: bool) -> Limits:
    return Limits(
        kind=column.kind,
        nullable=column.nullable and column.name not in part.table.primary_key,
        optional=optional,
        length=column.length,
        values=column.values,
        low=column.low,
        high=column.high,
    )


def references_of(plan: Plan) -> list[ReferenceFacts]:
    """Return the references that foreign keys make, all of them certain."""
    found: dict[tuple[str, tuple[str, ...]], ReferenceFacts] = {}
    for collection, path, part in plan.parts():
        in_array = any(each.form == "array" for each in _above(plan, collection, part))
        many = part.form == "references" or in_array
        for link in part.links:
            at = path if part.form == "references" else (*path, link.field)
            made = _reference(collection, [at], (link.collection, [("_id",)]), link.key, part, many=many)
            found[made.collection, tuple(made.fields)] = made
        for key in part.by_value:
            fields = [(*path, part.fields[name]) for name in key.columns if name in part.fields]
            there, above, target = plan.part_of(key.target)
            keys = [(*above, target.fields[name]) for name in key.keys if name in target.fields]
            if len(fields) == len(key.columns) == len(keys):
                made = _reference(collection, fields, (there, keys), key, part, many=many)
                found.setdefault((made.collection, tuple(made.fields)), made)
    return [found[place] for place in sorted(found)]


def _reference(
    collection: str,
    fields: Sequence[tuple[str, ...]],
    target: tuple[str, Sequence[tuple[str, ...]]],
    key: ForeignKey,
    part: Part,
    *,
    many: bool,
) -> ReferenceFacts:
    one = not many and is_unique(part.table, key.columns)
    return ReferenceFacts(
        collection=collection,
        fields=tuple(map(".".join, fields)),
        target=target[0],
        keys=tuple(map(".".join, target[1])),
        cardinality="n:m" if many else "1:1" if one else "n:1",
        coverage=1.0,
        confidence=1.0,
        reasons=(_foreign_key(key), _ALONE[one]),
    )


def _foreign_key(key: ForeignKey) -> str:
    return f"foreign key ({', '.join(key.columns)}) to {key.target} ({', '.join(key.keys)})"


def _above(plan: Plan, collection: str, part: Part) -> Iterator[Part]:
    """Yield a part and those in which it stands."""
    parents = {id(inner): each for _, each in plan.collections[collection].walk() for inner in each.parts}
    above: Part | None = part
    while above is not None:
        yield above
        above = parents.get(id(above))


def facts_of(plan: Plan, counts: Mapping[str, int]) -> dict[str, CollectionFacts]:
    """Return the facts of each collection as they are declared, for so many documents of each."""
    return {
        name: CollectionFacts(
            name=name,
            documents=counts[name],
            read=0,
            method="declarations",
            average_size=0,
            root=_object(whole, counts[name]),
            dated_by=None,
            drift=(),
            shape=shape_of(whole),
        )
        for name, whole in plan.collections.items()
    }


def completed_collection(measured: CollectionFacts, declared: CollectionFacts) -> CollectionFacts:
    """Return the facts of a collection with what is declared beside; an empty one has nothing else."""
    if measured.read:
        return replace(measured, root=completed(measured.root, declared.root))
    return replace(measured, root=declared.root, notes=[*measured.notes, _EMPTY])


def completed(measured: FieldFacts, declared: FieldFacts) -> FieldFacts:
    """Return facts with the fields that are declared and that nothing was found of."""
    fields = dict(measured.fields)
    objects = measured.kinds.get("object", 0)
    if "object" in declared.kinds and (objects or not measured.count) and measured.free is None:
        for name, inner in declared.fields.items():
            found = fields.get(name)
            fields[name] = completed(found, inner) if found else _absent(inner, objects)
    items = measured.items
    if declared.items is not None:
        items = completed(items, declared.items) if items else _absent(declared.items, 0)
    return replace(measured, fields=fields, items=items)


def _absent(declared: FieldFacts, of: int) -> FieldFacts:
    """Return the facts of what is declared and is not there."""
    return replace(
        declared,
        count=0,
        of=of,
        kinds=dict.fromkeys(declared.kinds, 0),
        fields={name: _absent(inner, 0) for name, inner in declared.fields.items()},
        items=_absent(declared.items, 0) if declared.items else None,
        enumeration=None,
        distinct=0,
        unique=False,
    )


def _assumed_counts(plan: Plan) -> dict[str, int]:
    """Return how many documents each collection is assumed to have."""
    named = {
        name: {link.collection for _, part in whole.walk() for link in part.links} - {name}
        for name, whole in plan.collections.items()
    }
    referred = {target for targets in named.values() for target in targets}
    counts: dict[str, int] = {}

    def count(name: str, above: frozenset[str]) -> int:
        if name in counts:
            return counts[name]
        whole = plan.collections[name]
        targets = [
            link.collection
            for link in whole.links
            if link.collection != name and link.collection not in above
        ]
        if targets:
            most = max(count(target, above | {name}) for target in targets)
            counts[name] = min(MOST, max(ROOTS if most < ROOTS else 0, CHILDREN * most))
        else:
            small = len(whole.table.columns) <= _LOOKUP_COLUMNS and not whole.parts and name in referred
            counts[name] = LOOKUPS if small else ROOTS
        return counts[name]

    for name in plan.collections:
        count(name, frozenset({name}))
    return counts


def _object(part: Part, count: int) -> FieldFacts:
    """Return the facts of documents, or of embedded ones."""
    fields: dict[str, FieldFacts] = {}
    if part.form == "collection":
        fields["_id"] = _plain("objectId", count, unique=True)
    subtypes = [inner for inner in part.parts if inner.form == "subtype"]
    share = count // max(1, len(subtypes))
    if part.discriminator and part.form != "subtype":
        kinds = {inner.name: share for inner in part.subtypes()} or {part.name: count}
        fields[part.discriminator] = replace(_plain("string", count), enumeration=kinds, distinct=len(kinds))
    fields |= _own_fields(part, count)
    shapes: dict[str, list[str]] = {}
    for inner in part.parts:
        if inner.form == "subtype":
            below = _object(inner, share).fields
            for name, facts in below.items():
                before = fields.get(name)
                there = facts.count + (before.count if before else 0)
                fields[name] = replace(facts, of=count, count=min(count, there))
            shapes[inner.name] = list(below)
        elif inner.form == "object":
            there = round(count * _DETAILS)
            fields[inner.name] = replace(_object(inner, there), of=count)
        else:
            fields[inner.name] = _array(inner, count)
    return FieldFacts(
        count=count, of=count, kinds={"object": count}, fields=fields, variants=_variants(part, shapes)
    )


def _variants(part: Part, shapes: dict[str, list[str]]) -> Variants | None:
    """Return which fields documents have by their discriminator, where its values name the subtypes."""
    if not shapes or any(inner.parts for inner in part.parts if inner.form == "subtype" and inner.subtypes()):
        return None
    decided = [name for names in shapes.values() for name in names]
    if part.discriminator:
        return Variants(part.discriminator, shapes, decided)
    column = decider_of(part.table)
    if not column:
        return None
    by_words = {tuple(words(name)): name for name in shapes}
    values = {value: by_words.get(tuple(words(value))) for value in part.table.columns[column].values}
    if None in values.values() or len(values) != len(shapes):
        return None
    return Variants(
        part.fields[column], {value: shapes[str(name)] for value, name in values.items()}, decided
    )


def _own_fields(part: Part, count: int) -> dict[str, FieldFacts]:
    fields = {}
    by_column = {link.columns[0]: link for link in part.links if len(link.columns) == 1}
    for name, column in part.table.columns.items():
        if name in part.fields:
            fields[part.fields[name]] = _column(part, column, count)
        elif name in by_column:
            fields[by_column[name].field] = _link(part, by_column[name], count)
    for link in part.links:
        if link.field not in fields:
            fields[link.field] = _link(part, link, count)
    return fields


def _link(part: Part, link: Link, count: int) -> FieldFacts:
    unique = is_unique(part.table, link.columns) and part.form == "collection"
    return _plain("objectId", count, nullable=not link.required, unique=unique)


def _array(part: Part, count: int) -> FieldFacts:
    items = count * CHILDREN
    inner = _plain("objectId", items) if part.form == "references" else _object(part, items)
    return FieldFacts(
        count=count, of=count, kinds={"array": count}, items=inner, sizes=_span(0, 2 * CHILDREN, whole=True)
    )


def _plain(kind: str, count: int, *, nullable: bool = False, unique: bool = False) -> FieldFacts:
    nulls = round(count * _NULLS) if nullable else 0
    kinds = {kind: count - nulls, **({"null": nulls} if nulls else {})}
    return FieldFacts(count=count, of=count, kinds=kinds, distinct=count if unique else 0, unique=unique)


def _column(part: Part, column: Column, count: int) -> FieldFacts:  # noqa: PLR0911 - a kind each
    own = part.form == "collection"
    unique = own and is_unique(part.table, (column.name,))
    nullable = column.nullable and column.name not in part.table.primary_key
    facts = _plain(column.kind, count, nullable=nullable and not unique, unique=unique)
    if column.values:
        each = max(1, facts.values // len(column.values))
        return replace(facts, enumeration=dict.fromkeys(column.values, each), distinct=len(column.values))
    match column.kind:
        case "bool":
            return replace(facts, enumeration={True: facts.values // 2, False: facts.values // 2}, distinct=2)
        case "int" | "long" | "double" | "decimal":
            return replace(facts, numbers=_numbers(column, count, unique=unique))
        case "date":
            return replace(facts, moments=_moments(column))
        case "string":
            return _text(facts, column)
        case "array":
            inner = _column(part, replace(column, kind=column.items or "string", values=()), count)
            return replace(facts, items=inner, sizes=_span(0, CHILDREN, whole=True))
    return facts


def _numbers(column: Column, count: int, *, unique: bool) -> Range:
    if unique:
        return _span(1, max(2, count), whole=True)
    low, high = (float(bound) if bound is not None else None for bound in (column.low, column.high))
    if _YEAR.fullmatch(column.name) and low is None and high is None:
        return _span(1990, 2025, whole=True)
    if low is None:
        low = 0.0 if high is None or high > 0 else high - 1_000
    if high is None:
        high = low + 1_000
    if column.kind == "decimal" and column.declared:
        high = min(high, _largest(column.declared))
    return _span(min(low, high), high, whole=column.kind in {"int", "long"})


def _largest(declared: str) -> float:
    """Return the largest number that `NUMERIC(5, 2)` holds."""
    found = re.search(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", declared)
    if found is None:
        return 1e9
    digits, after = int(found[1]), int(found[2] or 0)
    return float(10 ** max(0, digits - after)) - 10.0**-after


def _span(low: float, high: float, *, whole: bool = False) -> Range:
    values = [low + (high - low) * step / _STEPS for step in range(_STEPS + 1)]
    rounded = [round(value) if whole else round(value, 2) for value in values]
    return Range(rounded[0], rounded[-1], (low + high) / 2, rounded)


def _moments(column: Column) -> Range:
    start, end = (1950, 2006) if _BORN.fullmatch(column.name) else (2023, 2025)
    first, last = datetime(start, 1, 1, tzinfo=UTC), datetime(end, 1, 1, tzinfo=UTC)
    days = (last - first).days
    moments = [first + timedelta(days=days * step // _STEPS) for step in range(_STEPS + 1)]
    return Range(
        moments[0], moments[-1], sum(each.timestamp() for each in moments) * 1000 / len(moments), moments
    )


def _text(facts: FieldFacts, column: Column) -> FieldFacts:
    most = column.length or _LONG_TEXT
    longest = min(most, _LONG_TEXT if _PROSE.fullmatch(column.name) else _USUAL_TEXT)
    facts = replace(facts, lengths=_span(min(3, longest), longest, whole=True))
    for form, name in _FORMS.items():
        if name.fullmatch(column.name) and most >= _LEAST[form] and (form != "country_code" or most == 2):  # noqa: PLR2004
            return replace(facts, forms={form: 1.0})
    for name, mask in _DIGITS.items():
        if name.fullmatch(column.name) and most >= len(mask):
            return replace(facts, masks={mask: facts.values})
    return facts
