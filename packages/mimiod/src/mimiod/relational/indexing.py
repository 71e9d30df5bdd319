"""The indexes of collections that were tables: unique keys, foreign keys, and what was declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mimiod.evolution.shapes import CollectionShape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mimiod.relational.planning import Part

_FILTERED = {
    "int": "number", "long": "number", "double": "number", "decimal": "number", "uuid": "binData",
    "objectId": "objectId", "string": "string", "date": "date", "bool": "bool", "binData": "binData",
}  # fmt: skip
"What a value of a kind is to a partial index."

Definition = dict[str, Any]


def shape_of(part: Part) -> CollectionShape:
    """Return the shape of a collection: its indexes, each as `createIndexes` takes it."""
    wanted = [index for path, inner in part.walk() for index in _indexes_of(inner, path, part)]
    kept: list[Definition] = []
    for index in wanted:
        if _is_covered(index, [*kept, *(each for each in wanted if each is not index)], kept):
            continue
        kept.append(index)
    return CollectionShape(indexes={index["name"]: index for index in kept})


def _indexes_of(part: Part, path: tuple[str, ...], whole: Part) -> Iterator[Definition]:
    """Yield the indexes of a table that is a document, or a part of one."""
    table = part.table
    if part.form == "references":
        yield _index([".".join(path)])
        return
    fields = _fields_by_columns(part)
    unique = [*map(tuple, table.uniques)]
    if part.form != "array":  # what a row of an array is known by is no way in
        unique.insert(0, tuple(table.primary_key))
    unique += [tuple(index.columns) for index in table.indexes if index.unique]
    plain = [tuple(index.columns) for index in table.indexes if not index.unique]
    partly = part is not whole
    in_array = any(inner.form == "array" for inner in _above(part, whole))
    for columns in dict.fromkeys(filter(None, unique)):
        if (named := _named(columns, fields, part)) is None:
            continue  # among the rows of one parent, or the parent's own key
        nullable = [
            column
            for column in columns
            if partly or (column not in table.primary_key and table.columns[column].nullable)
        ]
        if in_array and any(table.columns[column].nullable for column in columns):
            plain.append(columns)  # a null in an array would meet the null in another
            continue
        only = {
            ".".join((*path, fields[column])): {"$type": _kind(part, column)}
            for column in nullable
            if column in fields
        }
        if len(whole.wholes()) > 1 and not path:
            named.append(whole.discriminator)  # a key of each table, and not of all
        yield _index([".".join((*path, name)) for name in named], unique=True, only=only)
    for link in part.links:
        yield _index([".".join((*path, link.field))])
    for columns in [*plain, *(key.columns for key in part.by_value)]:
        named = [fields[column] for column in columns if column in fields and column not in part.aligned]
        if named and columns[0] not in part.aligned:
            yield _index([".".join((*path, name)) for name in dict.fromkeys(named)])


def _fields_by_columns(part: Part) -> dict[str, str]:
    """Return the field of each column; that of a foreign key is its ObjectId."""
    fields = dict(part.fields)
    for link in part.links:
        if len(link.columns) == 1 and link.columns[0] not in fields:
            fields[link.columns[0]] = link.field
    return fields


def _named(columns: Sequence[str], fields: dict[str, str], part: Part) -> list[str] | None:
    """Return the fields of a unique key; None where the key of the parent is a part of it."""
    if any(column in part.aligned or column not in fields for column in columns):
        return None
    return list(dict.fromkeys(fields[column] for column in columns))


def _kind(part: Part, column: str) -> str:
    if column not in part.fields:
        return "objectId"
    return _FILTERED.get(part.table.columns[column].kind, "string")


def _above(part: Part, whole: Part) -> list[Part]:
    """Return the parts in which a part stands, itself too, without the whole."""

    def found(within: Part) -> list[Part] | None:
        for inner in within.parts:
            if inner is part:
                return [inner]
            if (below := found(inner)) is not None:
                return [inner, *below]
        return None

    return found(whole) or []


def _index(names: list[str], *, unique: bool = False, only: dict[str, Any] | None = None) -> Definition:
    index: Definition = {"name": "_".join(f"{name}_1" for name in names), "key": dict.fromkeys(names, 1)}
    if unique:
        index["unique"] = True
    if only:
        index["partialFilterExpression"] = only
    return index


def _is_covered(index: Definition, others: list[Definition], kept: list[Definition]) -> bool:
    """Return whether another index serves whatever this one does."""
    keys = list(index["key"])
    if any(index["name"] == each["name"] for each in kept):
        return True
    if index.get("unique"):
        return False
    return any(
        list(each["key"])[: len(keys)] == keys
        and each["key"].keys() != index["key"].keys()
        and "partialFilterExpression" not in each
        for each in others
    )
