"""What was found, as `inspection.json` and as a brief in words."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from mimiod.evolution.differences import named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mimiod.inspecting.facts import CollectionFacts, FieldFacts, Inspection, Range, ReferenceFacts
    from mimiod.inspecting.variants import Variants

FORMAT = 1
"Of `inspection.json`; raised when a key changes its meaning."

_MOST_TOLD = 12


def to_dict(inspection: Inspection) -> dict[str, Any]:
    """Return all facts as JSON can hold them; `docs/inspect.md` says what each key means."""
    return {
        "format": FORMAT,
        "source": inspection.source,
        "sample": inspection.sample,
        "collections": {name: _collection(facts) for name, facts in inspection.collections.items()},
        "references": [_reference(each) for each in inspection.references],
        "copies": [
            {"collection": each.collection, "field": each.path, "of": each.of} for each in inspection.copies
        ],
        "split_references": [
            {"collection": each.collection, "field": each.path, "targets": dict(each.targets)}
            for each in inspection.split
        ],
        "notes": list(inspection.notes),
    }


def _collection(facts: CollectionFacts) -> dict[str, Any]:
    return {
        "documents": facts.documents,
        "read": facts.read,
        "complete": facts.complete,
        "method": facts.method,
        "average_size": round(facts.average_size),
        "variants": _variants(facts.root.variants),
        "dated_by": facts.dated_by,
        "drift": [
            {
                "field": each.field,
                "change": each.change,
                "at": each.at.isoformat(),
                "exceptions": each.exceptions,
                "types": list(each.kinds),
            }
            for each in facts.drift
        ],
        "fields": {_dotted(path): _field(each) for path, each in facts.fields()},
        "indexes": {name: dict(index) for name, index in facts.shape.indexes.items()},
        "validator": dict(facts.shape.validator),
        "validation_level": facts.shape.level,
        "validation_action": facts.shape.action,
        "options": dict(facts.shape.options),
        "notes": list(facts.notes),
    }


def _dotted(path: tuple[str, ...]) -> str:
    """Return a path as text; a dot within a name has a backslash before it."""
    return ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in path)


def _field(facts: FieldFacts) -> dict[str, Any]:
    told: dict[str, Any] = {
        "count": facts.count,
        "of": facts.of,
        "presence": round(facts.rate, 6),
        "types": dict(facts.kinds),
        "distinct": facts.distinct,
        "distinct_exact": facts.exact,
        "unique": facts.unique,
    }
    if facts.enumeration is not None:
        told["enumeration"] = [{"value": value, "count": count} for value, count in facts.enumeration.items()]
    for name in ("numbers", "moments", "lengths", "sizes"):
        if (found := getattr(facts, name)) is not None:
            told[name] = _range(found)
    if facts.not_finite:
        told["not_finite"] = facts.not_finite
    if facts.forms:
        told["forms"] = {name: round(share, 6) for name, share in facts.forms.items()}
    if facts.masks and facts.distinct > 1:
        told["masks"] = dict(facts.masks)
    if facts.free_keys:
        told["free_keys"] = facts.free_keys
    if facts.variants is not None:
        told["variants"] = _variants(facts.variants)
    return told


def _range(found: Range) -> dict[str, Any]:
    return {
        "low": _plain(found.low),
        "high": _plain(found.high),
        "mean": None if isinstance(found.low, datetime) else found.mean,
        "quantiles": [_plain(each) for each in found.quantiles],
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _variants(found: Variants | None) -> dict[str, Any] | None:
    if found is None:
        return None
    shapes = [{"value": value, "fields": list(names)} for value, names in found.shapes.items()]
    return {"field": found.field, "shapes": shapes}


def _reference(each: ReferenceFacts) -> dict[str, Any]:
    return {
        "collection": each.collection,
        "fields": list(each.fields),
        "target": each.target,
        "keys": list(each.keys),
        "cardinality": each.cardinality,
        "coverage": each.coverage,
        "confidence": each.confidence,
        "reasons": list(each.reasons),
        "children": _range(each.children) if each.children else None,
    }


def brief(inspection: Inspection, name: str) -> str:
    """Return the facts as a brief for step 1: what there is, in plain words."""
    lines = [
        f"# {name}: a database that exists",
        "",
        f"Inspected from {_code(inspection.source)}; "
        + ("all documents were read." if inspection.sample is None else "samples are marked as such.")
        + " What the business does with it, which queries are asked and how often, the data cannot say: "
        "add it here.",
        "",
        "## Entities",
        "",
    ]
    for facts in inspection.collections.values():
        lines += [*_entity(facts), ""]
    lines += ["## Relationships", ""]
    lines += [_related(each) for each in inspection.references] or [
        "No field names documents of a collection."
    ]
    lines += [f"- {_code(e.collection)}: {_code(e.path)} repeats {_code(e.of)}." for e in inspection.copies]
    lines += [
        f"- {_code(e.collection)}: {_code(e.path)} names documents of several collections: "
        + ", ".join(f"{_code(target)} ({share:.0%})" for target, share in e.targets.items())
        + "."
        for e in inspection.split
    ]
    if inspection.notes:
        lines += ["", "## Notes", "", *(f"- {_code(note)}" for note in inspection.notes)]
    return "\n".join(lines) + "\n"


def _entity(facts: CollectionFacts) -> list[str]:
    read = "" if facts.complete else f", of which {facts.read:,} were read"
    lines = [
        f"### {_code(facts.name)}",
        "",
        f"{facts.documents:,} documents{read}, {facts.average_size:,.0f} bytes each.",
    ]
    fields = list(facts.root.fields.items())
    told = [_told(name, each) for name, each in fields[:_MOST_TOLD]]
    if len(fields) > _MOST_TOLD:
        told.append(f"{len(fields) - _MOST_TOLD} more fields")
    if told:
        lines += ["", "Fields: " + "; ".join(told) + "."]
    if (variants := facts.root.variants) is not None:
        lines += ["", f"{_code(variants.field)} decides which of {_codes(variants.decided)} there are."]
    dated = facts.dated_by or ""
    for each in facts.drift:
        what = f"from {' to '.join(each.kinds)} " if each.kinds else ""
        lines += [
            "",
            f"{_code(each.field)} {each.change} {what}at {each.at:%Y-%m-%d}, by {_code(dated)}.",
        ]
    if facts.shape.indexes:
        lines += ["", f"Indexes: {_codes(facts.shape.indexes)}."]
    return lines + [line for note in facts.notes for line in ("", f"{note[0].upper()}{note[1:]}.")]


def _told(name: str, facts: FieldFacts) -> str:
    kinds = " or ".join(facts.types) or "null"
    seldom = f", in {facts.rate:.0%}" if facts.rate < 1 else ""
    some = f", one of {_codes(list(facts.enumeration)[:_MOST_TOLD])}" if facts.enumeration else ""
    return f"{_code(name)} ({kinds}{seldom}{some})"


def _related(each: ReferenceFacts) -> str:
    how = {"1:1": "one to one", "n:1": "many to one", "n:m": "many to many"}[each.cardinality]
    return (
        f"- {_code(each.collection)} {_codes(each.fields)} → {_code(each.target)} {_codes(each.keys)}: "
        f"{how}, "
        f"{each.coverage:.0%} of the values are there, confidence {each.confidence:.0%}."
    )


def _codes(names: Mapping[str, Any] | list[Any] | Any) -> str:
    return ", ".join(_code(str(name)) for name in names)


def _code(text: str) -> str:
    """Return a text as code in Markdown, on one line, whatever it holds."""
    plain = named(text).replace("`", "'")
    return f"`{plain}`"
