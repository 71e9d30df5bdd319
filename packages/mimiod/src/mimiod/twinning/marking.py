"""What a twin's fields are beside their laws: references, copies, and fields that have to differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from mimiod.twinning.laws import Known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.inspecting.facts import Inspection, ReferenceFacts
    from mimiod.twinning.gauges import Gauge

Path = tuple[str, ...]

_FEW = 20
_KEYS = frozenset({"objectId", "uuid", "text", "number"})


@dataclass
class Marks:
    """What is known of all collections."""

    known: dict[str, Known]
    references: list[ReferenceFacts] = field(default_factory=list)
    "Those that the twin has."
    copies: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    "What of the source the twin has not, a line each."


def marks_of(
    inspection: Inspection, roots: Mapping[str, Gauge], rows: Mapping[str, int],
    degrees: Mapping[tuple[str, str], Mapping[str, Any]], k: int,
) -> Marks:  # fmt: skip
    """Return what is known of the collections beside their measured fields."""
    salt = blake2b(f"{inspection.source} {sorted(rows.items())}".encode(), digest_size=8).hexdigest()
    marks = Marks({name: Known(name, k, rows[name], salt) for name in roots})
    unique: dict[str, set[Path]] = {name: set(_unique(inspection, name, roots[name])) for name in roots}
    for each in inspection.references:
        shown = f"{each.collection}.{'+'.join(each.fields)} → {each.target}.{'+'.join(each.keys)}"
        law = _reference(each, roots, rows, unique)
        if law is None or (each.collection, each.fields[0]) not in degrees:
            marks.notes.append(f"the reference {shown} is not kept: its values are drawn by themselves")
            continue
        path, key = _path(each.fields[0]), _path(each.keys[0])
        law |= degrees[each.collection, each.fields[0]]
        if key != ("_id",):
            unique[each.target].add(key)
        marks.references.append(each)
        known = marks.known[each.collection]
        known.references = {**known.references, path: law}
    for name, known in marks.known.items():
        known.unique = frozenset(unique[name] - set(known.references))
        known.copies = dict(_copies(inspection, marks, roots, name))
    marks.copies = [
        each for each in inspection.copies if _path(each.path) in marks.known[each.collection].copies
    ]
    for split in inspection.split:
        marks.notes.append(
            f"{split.collection}.{split.path} names documents of several collections, and is drawn"
        )
    return marks


def at(root: Gauge, path: Path) -> Gauge | None:
    """Return what stands at a path outside of arrays."""
    gauge = root
    for name in path:
        if name not in gauge.fields:
            return None
        gauge = gauge.fields[name]
    return gauge


def _path(dotted: str) -> Path:
    return tuple(dotted.split("."))


def _inside(root: Gauge, path: Path) -> Gauge | None:
    """Return what stands at a path, through arrays; of an array of scalars its items."""
    gauge = root
    for name in path:
        while name not in gauge.fields and gauge.items is not None:
            gauge = gauge.items
        inner = gauge.free if name == "*" else gauge.fields.get(name)
        if inner is None:
            return None
        gauge = inner
    while gauge.items is not None and not gauge.items.fields:
        gauge = gauge.items
    return gauge


def _is_always(root: Gauge, path: Path) -> bool:
    """Return whether all documents have a field, and it is not null."""
    of, gauge = root.count, root
    for name in path:
        gauge = gauge.fields[name]
        if gauge.count < of or gauge.nulls or len(gauge.kinds) != 1:
            return False
        of = gauge.objects
    return True


def _reference(
    each: ReferenceFacts, roots: Mapping[str, Gauge], rows: Mapping[str, int], unique: Mapping[str, set[Path]]
) -> dict[str, Any] | None:
    """Return the law of a reference; None where it cannot be drawn as one."""
    if len(each.fields) > 1 or each.collection not in roots or not rows.get(each.target):
        return None
    path, key = _path(each.fields[0]), _path(each.keys[0])
    child, target = _inside(roots[each.collection], path), at(roots[each.target], key)
    if child is None or target is None or not _is_always(roots[each.target], key):
        return None
    kinds, theirs = set(child.kinds) - {"array"}, set(target.kinds)
    if len(kinds) != 1 or not theirs <= _KEYS:
        return None
    text = kinds == {"text"} and theirs == {"objectId"}
    if kinds != theirs and not text:
        return None
    alone = at(roots[each.collection], path) is child and _is_always(roots[each.collection], path[:-1])
    differ = alone and (path in unique[each.collection] or (each.cardinality == "1:1" and child.facts.unique))
    fits = child.values / max(1, roots[each.collection].count) * rows[each.collection] <= rows[each.target]
    return {
        "kind": "reference",
        "collection": each.target,
        "field": each.keys[0],
        "text": text,
        "counted": alone,
        "unique": differ and fits,
        "tree": alone and each.collection == each.target and not differ,
    }


def _copies(
    inspection: Inspection, marks: Marks, roots: Mapping[str, Gauge], name: str
) -> Iterator[tuple[Path, dict[str, Any]]]:
    for each in inspection.copies:
        reference, _, rest = each.of.partition(".")
        law = marks.known[name].references.get((reference,)) if each.collection == name else None
        if law is None or at(roots[name], _path(each.path)) is None or not law["counted"]:
            continue
        there = at(roots[law["collection"]], _path(rest))
        if there is None or (law["field"] != "_id" and not _is_always(roots[name], (reference,))):
            continue
        if _is_always(roots[law["collection"]], _path(rest)):
            yield _path(each.path), {"kind": "copy", "path": each.of}


def _unique(inspection: Inspection, name: str, root: Gauge) -> Iterator[Path]:
    """Yield the fields whose values have to differ."""
    identifier = root.fields.get("_id")
    if identifier is not None and not identifier.kinds["objectId"]:
        if identifier.fields:
            leaf = max(identifier.fields.values(), key=lambda each: each.facts.distinct)
            yield leaf.path
        else:
            yield ("_id",)
    for index in inspection.collections[name].shape.indexes.values():
        paths = [_path(path) for path in index["key"]]
        if index.get("unique") and len(paths) == 1 and _may_differ(at(root, paths[0])):
            yield paths[0]
    for gauge in root.below():
        seldom = gauge.facts.unique and gauge.facts.values > _FEW
        if seldom and set(gauge.kinds) == {"text"} and at(root, gauge.path) is gauge:
            yield gauge.path


def _may_differ(gauge: Gauge | None) -> bool:
    if gauge is None or len(gauge.kinds) != 1:
        return False
    if "number" in gauge.kinds:
        return not {"double", "decimal"} & set(gauge.facts.kinds)
    return bool({"text", "uuid"} & set(gauge.kinds)) and not gauge.written_moments


def indexes_of(
    indexes: Mapping[str, Mapping[str, Any]], known: Known, notes: list[str]
) -> dict[str, dict[str, Any]]:
    """Return a collection's indexes: unique where the twin's values are, and with no value in a filter."""
    found: dict[str, dict[str, Any]] = {}
    for name, index in indexes.items():
        kept = dict(index)
        where = f"the index {name!r} of {known.name}"
        if kept.get("unique") and not any(_differs(_path(path), known) for path in kept["key"]):
            kept.pop("unique")
            notes.append(f"{where} is not unique in the twin")
        if (told := kept.get("partialFilterExpression")) is not None and not _is_blank(told):
            kept.pop("partialFilterExpression")
            kept.pop("unique", None)
            notes.append(f"{where} is not partial in the twin: its filter holds values")
        found[name] = kept
    return found


def _differs(path: Path, known: Known) -> bool:
    reference = known.references.get(path)
    return path in known.unique or path == ("_id",) or (reference is not None and reference["unique"])


def _is_blank(told: Any) -> bool:
    """Return whether a filter says only whether fields are there, and of which type."""
    if isinstance(told, dict):
        return all(key in {"$exists", "$type"} or _is_blank(inner) for key, inner in told.items())
    if isinstance(told, list):
        return all(map(_is_blank, told))
    return told is None or isinstance(told, bool)
