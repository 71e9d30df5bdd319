"""`db_schema.py`, written from facts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mimiod.inspecting.bounds import bounds_of, few_of, kinds_of, rule_of
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
from mimiod.inspecting.declarations import Declared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mimiod.inspecting.bounds import Rule
    from mimiod.inspecting.facts import CollectionFacts, FieldFacts, Inspection, ReferenceFacts

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
        self.limits = inspection.limits if isinstance(inspection, Declared) else {}
        self.assumed = isinstance(inspection, Declared) and inspection.assumed
        self.references = {
            (each.collection, each.fields[0]): each
            for each in inspection.references
            if is_marked(each, inspection)
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
        named = _python_names(facts, path)
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
                python = named[name]
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
        limits = self.limits.get((collection.name, path))
        rule = rule_of(collection, path, arrays="array" in facts.types)
        if chosen is not None:
            kind: str = flat(subscript("Literal", literal(chosen)))
        else:
            kind = self._type(collection, facts, path)
        whole = not certain and chosen is None and path != ("_id",)
        optional = not certain and (facts.rate < 1 or (whole and rule is not None and not rule.required))
        if limits is not None and not facts.of:  # nothing was read
            optional = limits.optional
        hostile = not_seeded(name)
        nullable = facts.nulls or any(each.nullable for each in (limits, rule) if each is not None)
        if (nullable or optional or hostile) and kind != "Any":
            kind = f"{kind} | None"
        marks: list[Code] = []
        reference = self.references.get((collection.name, ".".join(path)))
        if reference is not None:
            target: list[Code] = [literal(reference.target)]
            if reference.keys[0] != "_id":
                target.append(literal(reference.keys[0]))
            why = {"why": literal(reference.reasons[-1])} if self.limits else {}
            marks.append(call("Reference", *target, **why))
        named: dict[str, Code] = {}
        if chosen is None and kind != "Any":  # which a bound of one of its types would refuse
            named = bounds_of(collection, facts, limits, rule, assumed=self.assumed)
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
        rule = rule_of(collection, path, arrays="array" in facts.types)
        kinds = kinds_of(facts, rule)
        limits = self.limits.get((collection.name, path))
        if not kinds and limits is not None:
            kinds = ["int" if limits.kind == "long" else limits.kind]
        if few := few_of(collection, facts, limits, rule) if kinds in (["string"], ["int"]) else ():
            return self._literal(few, path)
        if (
            not kinds
            or len(kinds) > _MOST_TYPES
            or any(kind not in {*_SCALARS, "object", "array"} for kind in kinds)
        ):
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

    def _literal(self, values: Sequence[Any], path: tuple[str, ...]) -> str:
        code = subscript("Literal", *[literal(value) for value in values])
        if len(flat(code)) <= _LONG // 2:
            return flat(code)
        alias = self.names.of_class(*path[-2:])
        self.aliases.append(f"{alias} = {laid_out(code, used=len(alias) + 3)}")
        return alias

    def _object(self, collection: CollectionFacts, facts: FieldFacts, path: tuple[str, ...]) -> str:
        rule = rule_of(collection, path, arrays=False)
        if rule is not None and rule.free and not self._refers(collection, path):
            return _free(rule)
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

    def _refers(self, collection: CollectionFacts, path: tuple[str, ...]) -> bool:
        """Return whether a reference lies below."""
        below = f"{'.'.join(path)}."
        return any(name == collection.name and at.startswith(below) for name, at in self.references)

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
        python = _python_names(facts, path)[variants.field]
        code = subscript("Annotated", subscript("Union", *made), call("Field", discriminator=literal(python)))
        self.blocks.append(f"{alias} = {laid_out(code, used=len(alias) + 3)}")
        return alias

    def _array(self, collection: CollectionFacts, facts: FieldFacts, path: tuple[str, ...]) -> str:
        if facts.items is None:
            return "list[Any]"
        inner = self._type(collection, facts.items, path)
        rule = rule_of(collection, path, arrays=False)
        null = facts.items.nulls or (rule is not None and rule.nullable)
        none = " | None" if null and inner != "Any" else ""
        return f"list[{inner}{none}]"


def not_seeded(name: str) -> bool:
    """Return whether a name has a meaning in paths or for servers: the field is described, and not filled."""
    return not name or "." in name or name.startswith("$") or "*" in name


def _free(rule: Rule) -> str:
    """Return the type of an object whose keys a validator leaves open."""
    inner = rule.under_keys
    if inner is None or len(inner.kinds) != 1 or inner.kinds[0] not in _SCALARS:
        return "dict[str, Any]"
    return f"dict[str, {_SCALARS[inner.kinds[0]]}{' | None' if inner.nullable else ''}]"


def _python_names(facts: FieldFacts, path: tuple[str, ...]) -> dict[str, str]:
    """Return a Python name for each field; one that a field itself has is no other's."""
    taken = Names("id")
    names = [name for name in facts.fields if path or name != "_id"]
    ordered = sorted(names, key=lambda name: Names("id").field(name) != name)
    return {name: taken.field(name) for name in ordered}


def is_marked(reference: ReferenceFacts, inspection: Inspection) -> bool:
    """Return whether a mark can say it: of one field, with values of one type on both sides."""
    if len(reference.fields) > 1:
        return False
    path, key = reference.fields[0].split("."), reference.keys[0].split(".")
    ends = (
        at(inspection.collections[reference.collection], path),
        at(inspection.collections[reference.target], key),
    )
    kinds = [set(kinds_of(end, scalars=True)) for end in ends if end is not None]
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


def _told(facts: FieldFacts) -> str:
    """Return what a field is like, in words of our own."""
    if not facts.of:
        return "Declared; nothing was read of it."
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
