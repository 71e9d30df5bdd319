"""What was found, as `inspection.json` and as a brief in words."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mimiod.evolution.differences import named
from mimiod.inspecting.declarations import Declared
from mimiod.inspecting.schema_code import is_marked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.inspecting.declarations import TableDecision
    from mimiod.inspecting.facts import CollectionFacts, FieldFacts, Inspection, Range, ReferenceFacts
    from mimiod.inspecting.variants import Variants

FORMAT = 1
"Of `inspection.json`; raised when a key changes its meaning."

FORMS = {
    "collection": "the collection {}",
    "array": "the array {}",
    "object": "the object {}",
    "subtype": "fields of some documents of {}",
    "references": "the references in {}",
}
"What a table becomes, in words; the place follows."

_HARMLESS = re.compile(r"[A-Za-z0-9_ ]+")
_UNSAID = (
    "What the business does with it, which queries are asked and how often, the data cannot say: add it here."
)
_MOST_TOLD = 12
_FEW_TOLD = 4
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
"A name in a reason, as `repr` has it."


def to_dict(inspection: Inspection) -> dict[str, Any]:
    """Return all facts as JSON can hold them; `docs/inspect.md` says what each key means."""
    return {
        "format": FORMAT,
        "source": inspection.source,
        "sample": inspection.sample,
        **_declared(inspection),
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


def _declared(inspection: Inspection) -> dict[str, Any]:
    if not isinstance(inspection, Declared):
        return {}
    decisions = [
        {"table": each.table, "form": each.form, "where": each.where, "reasons": list(each.reasons)}
        for each in inspection.decisions
    ]
    return {"assumed": inspection.assumed, "decisions": decisions}


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
        f"Inspected from {_code(inspection.source)}; {_how_read(inspection)} {_UNSAID}",
        "",
        "## Entities",
        "",
    ]
    assumed = isinstance(inspection, Declared) and inspection.assumed
    for facts in inspection.collections.values():
        lines += [*_entity(facts, assumed=assumed), ""]
    if isinstance(inspection, Declared) and inspection.decisions:
        lines += ["## From tables to documents", ""]
        lines += [_decided(each) for each in inspection.decisions]
        lines += [""]
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


def design(inspection: Inspection, template: str) -> str:
    """Return a design with the rows that facts fill: entities, and what belongs together and why.

    A table that has rows stays as it is.
    """
    decisions = inspection.decisions if isinstance(inspection, Declared) else ()
    entities, relations = [], []
    related = {name for each in inspection.references for name in (each.collection, each.target)}
    for name, facts in inspection.collections.items():
        inside = [each.table for each in decisions if each.where.split(".")[0] == name]
        what = _what(facts, inside) + ("" if inside or name in related else "; stands alone")
        entities.append(f"| {_cell(name)} | {what} | {_cell(name)} | {facts.documents:,} |")
    for each in inspection.references:
        why = named(each.reasons[-1]) if isinstance(inspection, Declared) else _evidence(each)
        how = "reference" if is_marked(each, inspection) else "by equal values"
        of = " and ".join(_cell(f"{each.collection}.{field}") for field in each.fields)
        relations.append(f"| {of} → {_cell(each.target)} | {each.cardinality} | {how} | {why} |")
    for made in decisions:
        if made.form in {"array", "object"}:
            many = "1:n" if made.form == "array" else "1:1"
            why = _reasons(made).replace("|", "\\|")
            whole = made.where.split(".")[0]
            relations.append(f"| {_cell(whole)} → {_cell(made.where)} | {many} | embed | {why} |")
    if not isinstance(inspection, Declared):
        relations += [row for facts in inspection.collections.values() for row in _embedded(facts)]
    for last, rows in (("Volume", entities), ("Why", relations)):
        head, titled, rest = template.partition(f" {last} |\n")
        rule, ended, rest = rest.partition("\n")
        if rest.startswith("|"):
            continue
        template = "".join((head, titled, rule, ended, *(f"{row}\n" for row in rows), rest))
    return template


def _what(facts: CollectionFacts, tables: list[str]) -> str:
    """Return what the documents of a collection are, as far as facts say it."""
    if tables:
        return f"rows of {', '.join(map(_word, tables))}"
    fields = [name for name in facts.root.fields if name != "_id" and _HARMLESS.fullmatch(name)]
    more = " and more" if len(facts.root.fields) > _FEW_TOLD + 1 else ""
    return f"documents with {', '.join(fields[:_FEW_TOLD])}{more}" if fields else "documents"


def _evidence(each: ReferenceFacts) -> str:
    return f"{each.coverage:.0%} of the values are there; confidence {each.confidence:.0%}"


def _embedded(facts: CollectionFacts) -> Iterator[str]:
    """Yield a row for each array of documents within the documents."""
    for path, each in facts.fields():
        if each.sizes is not None and each.items is not None and each.items.fields:
            many = f"1 : {each.sizes.low:,} to {each.sizes.high:,}"
            where = _cell(f"{facts.name}.{_dotted(path)}")
            why = f"found so: {each.sizes.mean:.1f} on average"
            yield f"| {_cell(facts.name)} → {where} | {many} | embed | {why} |"


def _word(name: str) -> str:
    """Return a name that is no collection's: without backticks, if it holds nothing else of Markdown's."""
    return name if _HARMLESS.fullmatch(name) else _cell(name)


def _cell(text: str) -> str:
    return _code(text).replace("|", "\\|")


def _how_read(inspection: Inspection) -> str:
    if isinstance(inspection, Declared) and inspection.assumed:
        return (
            "no rows were read: numbers of documents, how often a field is there and its values are assumed, "
            "and to be mended."
        )
    return "all documents were read." if inspection.sample is None else "samples are marked as such."


def _decided(each: TableDecision) -> str:
    became = FORMS[each.form].format(_code(each.where))
    return f"- {_code(each.table)}: {became}: {_reasons(each)}."


def _reasons(each: TableDecision) -> str:
    """Return why, with the names in it as code."""
    return named(_QUOTED.sub(_unquoted, "; ".join(each.reasons)))


def _unquoted(found: re.Match[str]) -> str:
    return _code(found[0][1:-1])


def _entity(facts: CollectionFacts, *, assumed: bool) -> list[str]:
    read = "" if facts.complete else f", of which {facts.read:,} were read"
    counted = f"{facts.documents:,} documents{read}, {facts.average_size:,.0f} bytes each."
    lines = [
        f"### {_code(facts.name)}",
        "",
        f"{facts.documents:,} documents are assumed." if assumed else counted,
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
