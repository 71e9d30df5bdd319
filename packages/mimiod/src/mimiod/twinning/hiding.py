"""The facts of an inspection without what could identify: what a twin's project tells of its source."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.evolution.shapes import CollectionShape
from mimiod.inspecting.counting import MOST_ENUMERATED
from mimiod.inspecting.declarations import Declared
from mimiod.inspecting.facts import FieldFacts, Inspection, Range, moment
from mimiod.inspecting.schema_code import not_seeded
from mimiod.twinning.disclosure import is_data
from mimiod.twinning.marking import indexes_of
from mimiod.twinning.quantiles import DAY, Quantiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mimiod.inspecting.facts import CollectionFacts, ReferenceFacts
    from mimiod.inspecting.variants import Variants
    from mimiod.twinning.gauges import Gauge
    from mimiod.twinning.laws import Law
    from mimiod.twinning.marking import Marks

_PARTS = 20
_OPTIONS = ("timeseries", "capped", "size", "max", "collation", "expireAfterSeconds", "clusteredIndex")
_DRAWN_FORMS = frozenset({"email", "url", "uuid", "object_id"})


def hidden(
    inspection: Inspection, roots: Mapping[str, Gauge], laws: Mapping[str, Mapping[str, Law]], marks: Marks
) -> Inspection:
    """Return an inspection that tells no value that fewer than `k` documents share.

    Enumerations, bounds and quantiles are those of the laws; validators, and what filters of indexes hold,
    are left out. Names of fields are kept, but for names that are data, such as e-mail addresses.
    """
    notes = list(marks.notes)
    collections = {
        name: _collection(inspection.collections[name], roots[name], laws[name], marks, notes)
        for name in roots
    }
    # What is declared holds values too; the twin's data is drawn by what was measured.
    bare = replace(inspection, limits={}) if isinstance(inspection, Declared) else inspection
    return replace(
        bare,
        collections=collections,
        references=[_reference(each, marks) for each in marks.references],
        copies=list(marks.copies),
        split=[],
        notes=[*inspection.notes, *notes],
    )


def _collection(
    facts: CollectionFacts, root: Gauge, laws: Mapping[str, Law], marks: Marks, notes: list[str]
) -> CollectionFacts:
    if facts.shape.validator:
        notes.append(f"the validator of {facts.name} is not copied: the twin's follows from its schema")
    shape = CollectionShape(
        options={key: value for key, value in facts.shape.options.items() if key in _OPTIONS},
        indexes=indexes_of(facts.shape.indexes, marks.known[facts.name], notes),
    )
    known = {each.field for each in facts.drift if not is_data(each.field)}
    return replace(
        facts,
        root=_field(facts.root, root, {"kinds": [{"kind": "object", "fields": laws}]}),
        drift=[
            replace(each, at=each.at.replace(hour=0, minute=0, second=0, microsecond=0))
            for each in facts.drift
            if each.field in known
        ],
        shape=shape,
    )


def _reference(each: ReferenceFacts, marks: Marks) -> ReferenceFacts:
    law = marks.known[each.collection].references[tuple(each.fields[0].split("."))]
    return replace(each, children=_range(Quantiles.read(law["degrees"]), whole=True))


def _field(facts: FieldFacts, gauge: Gauge | None, law: Law | None) -> FieldFacts:
    """Return the facts of a field as its laws tell them."""
    by_kind = {each["kind"]: each for each in (law or {}).get("kinds", [])}
    inner = by_kind.get("object", {}).get("fields", {})
    items = by_kind.get("array", {}).get("item")
    text = by_kind.get("text", {})
    form = text.get("form", "")
    return replace(
        _bare(facts),
        enumeration=_enumeration(by_kind.get("category"), facts),
        numbers=_numbers(by_kind),
        moments=_moments(by_kind),
        lengths=_lengths(by_kind, facts),
        sizes=_range(Quantiles.read(by_kind["array"]["size"]), whole=True)
        if "array" in by_kind
        else _few(facts, gauge),
        forms=_forms(facts, form, by_kind),
        masks={mask: round(share * facts.values) for mask, share in text["masks"]}
        if form == "mask"
        else None,
        prefix=text["prefix"] if form == "mask" else "",
        fields={
            name: _field(each, gauge.fields.get(name) if gauge else None, inner.get(name))
            for name, each in facts.fields.items()
            if not is_data(name) and not not_seeded(name)
        },
        free=_field(facts.free, gauge.free if gauge else None, by_kind.get("free", {}).get("item"))
        if facts.free
        else None,
        items=_items(facts, gauge, items, by_kind.get("tuple")),
        variants=_variants(facts, inner),
    )


def _bare(facts: FieldFacts) -> FieldFacts:
    """Return counts alone."""
    return FieldFacts(
        count=facts.count, of=facts.of, kinds=facts.kinds, distinct=facts.distinct, exact=facts.exact,
        unique=facts.unique, not_finite=0, free_keys=facts.free_keys,
    )  # fmt: skip


def _enumeration(law: Law | None, facts: FieldFacts) -> dict[Any, int] | None:
    if law is None or len(law["values"]) > MOST_ENUMERATED:
        return None
    return {value: round(share * facts.values) for value, share in law["values"]}


def _numbers(by_kind: Mapping[str, Law]) -> Range | None:
    if (law := by_kind.get("number")) is not None:
        return _range(Quantiles.read(law["quantiles"]), whole=law["digits"] == 0)
    return None


def _moments(by_kind: Mapping[str, Law]) -> Range | None:
    law = by_kind.get("moment")
    if law is None or "format" in law:
        return None
    found = Quantiles.read(law["quantiles"])
    low, high = found.low // DAY * DAY, math.ceil(found.high / DAY) * DAY
    inner = [float(each) // DAY * DAY for each in _inner(found)]
    return Range(moment(low), moment(high), found.mean, [moment(each) for each in (low, *inner, high)])


def _lengths(by_kind: Mapping[str, Law], facts: FieldFacts) -> Range | None:
    lengths = [
        Quantiles.read(law["length"])
        for law in by_kind.values()
        if law["kind"] in {"text", "id"} and "length" in law
    ]
    if lengths:
        form = by_kind.get("text", {}).get("form", "")
        most = max(
            lengths[0].high, 40 if form else 0
        )  # a code that differs may be longer than what was measured
        return _range(replace(lengths[0], highs=[*lengths[0].highs[:-1], most]), whole=True)
    if "category" in by_kind:
        told = [len(value) for value, _ in by_kind["category"]["values"] if isinstance(value, str)]
        return Range(min(told), max(told), sum(told) / len(told), [min(told), max(told)]) if told else None
    return facts.lengths if "format" in by_kind.get("moment", {}) else None


def _forms(facts: FieldFacts, form: str, by_kind: Mapping[str, Law]) -> dict[str, float]:
    """Return the forms that the twin's texts have too."""
    if "format" in by_kind.get("moment", {}):
        return dict(facts.forms)
    kept = {name: share for name, share in facts.forms.items() if name == form and name in _DRAWN_FORMS}
    if "category" in by_kind and "country_code" in facts.forms:
        kept["country_code"] = facts.forms["country_code"]
    return kept


def _few(facts: FieldFacts, gauge: Gauge | None) -> Range | None:
    """Return the size of arrays that are always as long."""
    return facts.sizes if gauge is not None and gauge.positions else None


def _items(
    facts: FieldFacts, gauge: Gauge | None, item: Law | None, positions: Law | None
) -> FieldFacts | None:
    if facts.items is None:
        return None
    if positions is None:
        return _field(facts.items, gauge.items if gauge else None, item)
    ranges = [
        found
        for each in positions["items"]
        if (found := _numbers({law["kind"]: law for law in each["kinds"]}))
    ]
    bare = _bare(facts.items)
    if len(ranges) < len(positions["items"]):
        return bare
    low, high = min(each.low for each in ranges), max(each.high for each in ranges)
    return replace(bare, numbers=Range(low, high, (low + high) / 2, [low, high]))


def _variants(facts: FieldFacts, inner: Mapping[str, Law]) -> Variants | None:
    """Return the variants if their values may be told, all of them."""
    variants = facts.variants
    if variants is None or not_seeded(variants.field) or variants.field not in inner:
        return None
    kinds = inner[variants.field]["kinds"]
    told = (
        {value for value, _ in kinds[0]["values"]}
        if len(kinds) == 1 and kinds[0]["kind"] == "category"
        else set()
    )
    if told != set(variants.shapes) or any(map(is_data, variants.decided)):
        return None
    drawn = {name: _rates(inner[name]) for name in variants.decided if name in inner}
    whole = all(
        drawn.get(name, {}).get(value) == float(name in own)
        for value, own in variants.shapes.items()
        for name in variants.decided
    )
    return variants if whole else None


def _rates(law: Law) -> dict[Any, float]:
    by = law.get("there", {}).get("by", {})
    return dict(map(tuple, by.get("rates", [])))


def _inner(found: Quantiles) -> list[float]:
    drawn: list[float] = found.at(np.arange(1, _PARTS) / _PARTS).tolist()
    return drawn


def _range(found: Quantiles, *, whole: bool) -> Range:
    low, high, inner = found.low, found.high, _inner(found)
    if whole:
        low, high, inner = math.floor(low), math.ceil(high), [round(each) for each in inner]
    return Range(low, high, found.mean, [low, *inner, high])
