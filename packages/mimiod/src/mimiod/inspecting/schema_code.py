"""`db_schema.py`, written from facts."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from mimiod.inspecting.code import (
    Code,
    Names,
    call,
    flat,
    laid_out,
    literal,
    mapping,
    subscript,
)
from mimiod.inspecting.collection_code import collection_code

if TYPE_CHECKING:
    from mimiod.inspecting.facts import CollectionFacts, FieldFacts, Inspection, Range, ReferenceFacts

DEEPEST = 12
"Levels of embedded documents that get a model."
MOST_FIELDS = 400
"Of one model; an object with more is `dict[str, Any]`, but for the document itself."

_SCALARS = {
    "string": "str", "int": "int", "long": "int", "double": "float", "decimal": "Decimal", "bool": "bool",
    "date": "datetime", "objectId": "PyObjectId", "binData": "bytes", "bytes": "bytes", "uuid": "UUID",
}  # fmt: skip
_MOST_TYPES = 3
_LONG = 60
_TINY = 1e-9
_OFTEN = 100
"Times that each literal of a sample is found, on average: then no other is likely."
_MOST_DIGITS = 18
_SIZES = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 16_000_000)
_PATTERNS = {
    "email": r"^[^@\s]+@[^@\s]+$",
    "url": r"^https?://",
    "uuid": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "object_id": r"^[0-9a-f]{24}$",
    "iso_date_time": r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d",
    "iso_date": r"^\d{4}-\d\d-\d\d$",
    "country_code": r"^[A-Z]{2}$",
}
_SAFE = re.compile(r"[A-Za-z0-9_ .-]{1,60}")
_MIMIOD = (
    "BaseCollectionSchema", "BaseMongoDbDocumentSchema", "BaseMongoDbSchema", "IndexDefinition", "PyObjectId",
    "Reference",
)  # fmt: skip
_TYPING = ("Annotated", "Any", "Literal", "Union")
_PYDANTIC = ("BaseModel", "ConfigDict", "Field")
_PART = '''

class Part(BaseModel):
    """What stands inside a document."""

    model_config = ConfigDict(populate_by_name=True, use_attribute_docstrings=True)
'''


def schema_code(inspection: Inspection, name: str) -> str:
    """Return the text of `db_schema.py` for a database of that name."""
    return _Writer(inspection, name).text()


class _Writer:
    def __init__(self, inspection: Inspection, name: str) -> None:
        self.inspection = inspection
        self.name = name
        self.names = Names(*_MIMIOD, *_TYPING, *_PYDANTIC, "Decimal", "UUID", "Part")
        self.blocks: list[str] = []
        self.aliases: list[str] = []
        self.references = {
            (each.collection, each.fields[0]): each
            for each in inspection.references
            if len(each.fields) == 1 and _is_marked(each, inspection)
        }

    def text(self) -> str:
        collections = []
        for facts in self.inspection.collections.values():
            model = self._model(facts, facts.root, (), self.names.of_class(facts.name, "Document"))
            collections.append((literal(facts.name), collection_code(facts, model)))
        database = call(
            "BaseMongoDbSchema",
            database_name=literal(self.name),
            collections=mapping(collections),
            volumes=mapping(
                [
                    (literal(each.name), literal(each.documents))
                    for each in self.inspection.collections.values()
                ]
            ),
        )
        schema = laid_out(database, used=len("database_schema = "))
        parts = [*(["\n".join(self.aliases)] if self.aliases else []), *self.blocks]
        rest = "\n\n\n".join([*parts, f"database_schema = {schema}\n"])
        title = (
            f'"""The database `{self.name}`, as `mimiod inspect` found it: to be read, and mended by hand."""'
        )
        part = "Part)" in rest
        between = "\n\n" if part or self.blocks[:1] == parts[:1] else "\n"
        return f"{title}\n\n{_imports(rest, part=part)}{_PART if part else ''}{between}{rest}"

    def _model(
        self, collection: CollectionFacts, facts: FieldFacts, path: tuple[str, ...], class_name: str,
        only: tuple[frozenset[str], Any] | None = None,
    ) -> str:  # fmt: skip
        """Write the model of an object, after those within it, and return its name."""
        taken = Names("id")
        lines = []
        if not path and "id" in facts.fields:  # a field of that name is not the _id
            lines.append("    model_config = ConfigDict(populate_by_name=False)\n")
        variants = facts.variants
        for name, inner in facts.fields.items():
            if only is not None and name not in only[0]:
                continue
            if name == "_id" and not path:
                if inner.types == ["objectId"]:
                    continue
                python = "id"
            else:
                python = taken.field(name)
            certain = only is not None and variants is not None and name in variants.decided
            chosen = only[1] if only is not None and variants is not None and name == variants.field else None
            lines.append(
                self._field(collection, inner, (*path, name), python, certain=certain, chosen=chosen)
            )
        base = "BaseMongoDbDocumentSchema" if not path else "Part"
        doc = f"{'Documents' if not path else 'Part of the documents'} of {_shown(collection.name)}."
        body = "\n".join(lines)
        self.blocks.append(f'class {class_name}({base}):\n    """{doc}"""' + (f"\n\n{body}" if body else ""))
        return class_name

    def _field(
        self, collection: CollectionFacts, facts: FieldFacts, path: tuple[str, ...], python: str,
        *, certain: bool, chosen: Any,
    ) -> str:  # fmt: skip
        name = path[-1]
        if chosen is not None:
            kind: str = flat(subscript("Literal", literal(chosen)))
        else:
            kind = self._type(collection, facts, path)
        optional = facts.rate < 1 and not certain
        hostile = not_seeded(name)
        if (facts.nulls or optional or hostile) and kind != "Any":
            kind = f"{kind} | None"
        marks: list[Code] = []
        reference = self.references.get((collection.name, ".".join(path)))
        if reference is not None:
            target: list[Code] = [literal(reference.target)]
            if reference.keys[0] != "_id":
                target.append(literal(reference.keys[0]))
            marks.append(call("Reference", *target))
        named: dict[str, Code] = _limits(collection, facts) if chosen is None else {}
        if python != name:
            named["alias"] = literal(name)
        if named:
            marks.append(call("Field", **named))
        code: Code = subscript("Annotated", kind, *marks) if marks else kind
        default = " = None" if optional or hostile else ""
        head = f"    {python}: "
        written = laid_out(code, indent=4, used=len(python) + 2, more=len(default))
        return f"{head}{written}{default}\n    {literal(_told(facts))}"

    def _type(self, collection: CollectionFacts, facts: FieldFacts, path: tuple[str, ...]) -> str:
        kinds = _kinds(facts)
        if not kinds:
            return "Any"
        few = facts.enumeration if kinds == ["string"] else None
        if few and (collection.complete or facts.values >= _OFTEN * len(few)):
            return self._literal(facts, path)
        if len(kinds) > _MOST_TYPES or any(kind not in {*_SCALARS, "object", "array"} for kind in kinds):
            return "Any"
        python: dict[str, None] = {}
        for kind in kinds:
            if kind == "object":
                python[self._object(collection, facts, path)] = None
            elif kind == "array":
                python[self._array(collection, facts, path)] = None
            else:
                python[_SCALARS[kind]] = None
        if {"int", "float"} <= python.keys():
            del python["int"]
        if "Decimal" in python:  # which takes any number
            python = {name: None for name in python if name not in {"int", "float"}}
        if "Any" in python:
            return "Any"
        ordered = sorted(python, key=lambda name: name == "PyObjectId")  # which takes texts
        text = " | ".join(ordered)
        return text if len(text) <= _LONG else "Any"

    def _literal(self, facts: FieldFacts, path: tuple[str, ...]) -> str:
        assert facts.enumeration
        code = subscript("Literal", *[literal(value) for value in facts.enumeration])
        if len(flat(code)) <= _LONG // 2:
            return flat(code)
        alias = self.names.of_class(*path[-2:])
        self.aliases.append(f"{alias} = {laid_out(code, used=len(alias) + 3)}")
        return alias

    def _object(self, collection: CollectionFacts, facts: FieldFacts, path: tuple[str, ...]) -> str:
        if facts.free is not None and not facts.fields:
            inner = self._type(collection, facts.free, (*path, "*"))
            none = " | None" if facts.free.nulls and inner != "Any" else ""
            return f"dict[str, {inner}{none}]"
        if (
            not facts.fields
            or facts.free is not None
            or len(path) > DEEPEST
            or len(facts.fields) > MOST_FIELDS
        ):
            return "dict[str, Any]"
        variants = facts.variants
        if variants is not None and not not_seeded(variants.field) and _splits(facts):
            return self._union(collection, facts, path)
        return self._model(collection, facts, path, self.names.of_class(*_class_words(collection.name, path)))

    def _union(self, collection: CollectionFacts, facts: FieldFacts, path: tuple[str, ...]) -> str:
        """Write a model for each variant, and return the name of what is one of them."""
        variants = facts.variants
        assert variants is not None
        common = {name for name in facts.fields if name not in variants.decided}
        made: list[Code] = []
        for value, own in variants.shapes.items():
            name = self.names.of_class(*_class_words(collection.name, path), str(value))
            made.append(self._model(collection, facts, path, name, (frozenset({*common, *own}), value)))
        alias = self.names.of_class(*_class_words(collection.name, path), "any")
        python = Names("id").field(variants.field)
        # Named in the order of the fields, a discriminator may have got a number behind its name.
        code = subscript("Annotated", subscript("Union", *made), call("Field", discriminator=literal(python)))
        self.blocks.append(f"{alias} = {laid_out(code, used=len(alias) + 3)}")
        return alias

    def _array(self, collection: CollectionFacts, facts: FieldFacts, path: tuple[str, ...]) -> str:
        if facts.items is None:
            return "list[Any]"
        inner = self._type(collection, facts.items, path)
        none = " | None" if facts.items.nulls and inner != "Any" else ""
        return f"list[{inner}{none}]"


def not_seeded(name: str) -> bool:
    """Return whether a name has a meaning in paths or for servers: the field is described, and not filled."""
    return not name or "." in name or name.startswith("$") or "*" in name


def _is_marked(reference: ReferenceFacts, inspection: Inspection) -> bool:
    """Return whether a mark can say it: the values on both sides are of one type."""
    path, key = reference.fields[0].split("."), reference.keys[0].split(".")
    ends = (
        at(inspection.collections[reference.collection], path),
        at(inspection.collections[reference.target], key),
    )
    kinds = [set(_kinds(end, scalars=True)) for end in ends if end is not None]
    return len(kinds) == len(ends) and bool(kinds[0] & kinds[1])


def at(collection: CollectionFacts, path: list[str]) -> FieldFacts | None:
    """Return the field at a path, whose names have no dots; of an array its items, unless documents."""
    facts = collection.root
    for name in path:
        while facts.items is not None and name not in facts.fields and (name != "*" or facts.free is None):
            facts = facts.items
        inner = facts.free if name == "*" else facts.fields.get(name)
        if inner is None:
            return None
        facts = inner
    while facts.items is not None and facts.items.types and facts.items.types[0] != "object":
        facts = facts.items
    return facts


def _kinds(facts: FieldFacts, *, scalars: bool = False) -> list[str]:
    kinds = dict.fromkeys("int" if kind == "long" else kind for kind in facts.types)
    return [kind for kind in kinds if not scalars or kind not in {"object", "array"}]


def _splits(facts: FieldFacts) -> bool:
    """Return whether the discriminator is a text in all objects."""
    assert facts.variants is not None
    deciding = facts.fields.get(facts.variants.field)
    return (
        deciding is not None
        and deciding.types == ["string"]
        and not deciding.nulls
        and deciding.rate == 1
        and deciding.enumeration is not None
        and deciding.enumeration.keys() == facts.variants.shapes.keys()
    )


def _class_words(collection: str, path: tuple[str, ...]) -> tuple[str, ...]:
    return collection, *[name for name in path if name != "*"][-2:]


def _limits(collection: CollectionFacts, facts: FieldFacts) -> dict[str, Code]:
    """Return bounds that hold of what was read, widened; of a sample only those that are likely to hold."""
    kinds = _kinds(facts)
    if len(kinds) != 1 or (facts.enumeration and kinds == ["string"]):
        return {}
    kind = kinds[0]
    if kind in {"int", "double"} and facts.numbers and not facts.not_finite:
        return _bounds(facts.numbers, exact=collection.complete)
    if kind == "array" and facts.sizes and collection.complete and facts.items is not None:
        return {"max_length": literal(_rounded_up(facts.sizes.high))}
    if kind != "string" or facts.lengths is None:
        return {}
    if (pattern := pattern_of(facts)) and (collection.complete or facts.values >= 1_000):  # noqa: PLR2004
        return {"pattern": _raw(pattern)}
    return {"max_length": literal(_rounded_up(facts.lengths.high * (1 if collection.complete else 4)))}


def pattern_of(facts: FieldFacts) -> str:
    """Return the regular expression that all texts match, or nothing."""
    for name, share in facts.forms.items():
        if share == 1 and name in _PATTERNS and not (facts.unique and name == "country_code"):
            return _PATTERNS[name]
    if facts.values > 1 and len(facts.masks or ()) == 1 and (pattern := digits_of(facts)) is not None:
        return "^" + "".join(_run(run[0]) for run in re.finditer(r"#+|[^#]+", pattern)) + "$"
    return ""


def digits_of(facts: FieldFacts) -> str | None:
    """Return the usual form of texts that differ in digits only, with # for these; None for others."""
    if not facts.masks:
        return None
    masks = facts.masks
    mask = max(masks, key=lambda each: masks[each])
    start = re.match(r"[^0-9]*", facts.prefix)
    kept = start[0] if start else ""
    rest = mask[len(kept) :]
    pattern = kept + rest.replace("9", "#")
    if re.search("[Aa#]", rest) or "#" in kept or not kept.isprintable():
        return None
    return pattern if 0 < pattern.count("#") <= _MOST_DIGITS else None


def _run(run: str) -> str:
    return rf"\d{{{len(run)}}}" if run[0] == "#" else re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", run)


def _raw(pattern: str) -> str:
    return f'r"{pattern}"' if '"' not in pattern and not pattern.endswith("\\") else literal(pattern)


def _bounds(numbers: Range, *, exact: bool) -> dict[str, Code]:
    if not exact:
        return {"ge": "0"} if numbers.low >= 0 else {}
    low, high = _outward(numbers.low, up=False), _outward(numbers.high, up=True)
    return {"ge": literal(low), "le": literal(high)}


def _outward(value: float, *, up: bool) -> float:
    """Return a number of two digits that is no nearer to zero's other side."""
    if not _TINY < abs(value) < 2**53:
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    rounded = (math.ceil if up else math.floor)(value / step) * step
    whole = round(rounded) if isinstance(value, int) or abs(rounded) >= 10 else float(f"{rounded:.2g}")  # noqa: PLR2004
    return whole if (whole >= value if up else whole <= value) else value


def _rounded_up(size: float) -> int:
    return next((each for each in _SIZES if each >= size), math.ceil(size))


def _told(facts: FieldFacts) -> str:
    """Return what a field is like, in words of our own."""
    parts = [f"In {facts.rate:.1%} of the documents" if facts.rate < 1 else "Always there"]
    if facts.nulls:
        parts.append(f"null in {facts.nulls / facts.count:.1%}")
    if facts.forms:
        parts.append(next(iter(facts.forms)).replace("_", " "))
    if facts.distinct > 1:
        parts.append(f"{'' if facts.exact else 'about '}{facts.distinct:,} different values")
    if facts.sizes:
        parts.append(f"{facts.sizes.low:,} to {facts.sizes.high:,} items, {facts.sizes.mean:.1f} on average")
    if facts.free_keys:
        parts.append(f"{facts.free_keys:,} different keys")
    return "; ".join(parts) + "."


def _shown(name: str) -> str:
    return f"`{name}`" if _SAFE.fullmatch(name) else "a collection"


def _imports(text: str, *, part: bool) -> str:
    """Return the imports that a text needs."""
    used = set(re.findall(r"[A-Za-z_]\w*", text))
    lines = [
        f"from {module} import {name}"
        for module, name in (("datetime", "datetime"), ("decimal", "Decimal"))
        if name in used
    ]
    typing = [name for name in _TYPING if name in used]
    lines += [f"from typing import {', '.join(typing)}"] if typing else []
    lines += ["from uuid import UUID"] if "UUID" in used else []
    ours = [name for name in _MIMIOD if name in used]
    imported = f"from mimiod import {', '.join(ours)}"
    if len(imported) > 88:  # noqa: PLR2004 - WIDTH
        imported = "from mimiod import (\n" + "".join(f"    {name},\n" for name in ours) + ")"
    pydantic = [name for name in _PYDANTIC if name in used or (part and name in {"BaseModel", "ConfigDict"})]
    lines += ["", imported] if lines else [imported]
    lines += [f"from pydantic import {', '.join(pydantic)}"] if pydantic else []
    return "\n".join(lines) + "\n"
