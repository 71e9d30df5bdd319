"""Documents that a new rule would not let be: those a validator refuses, and keys that are not unique."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import pymongo.errors

from mimiod import mongo, structure
from mimiod.evolution.judging import reasons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo.database import Database

    from mimiod.evolution.shapes import CollectionShape
    from mimiod.schema_types import IndexDefinition

NAMED = 5
"Documents that are named, with up to so many reasons each."


@dataclass(frozen=True)
class Misfits:
    """Documents that would be refused."""

    count: int = 0
    examples: list[tuple[Any, list[str]]] = field(default_factory=list)
    "`_id` and reasons of a few."


def refused_documents(
    database: Database[dict[str, Any]], name: str, have: CollectionShape, want: CollectionShape
) -> Misfits:
    """Count and name the documents that are let be today, and would be refused as wanted."""
    if not _binds(want):
        return Misfits()
    validator = dict(want.validator)
    try:
        return _refused(database, name, have, validator)
    except pymongo.errors.OperationFailure as exc:
        server = mongo.server(database.client)
        looser: dict[str, Any] = structure.looser_rules(want.rules)["validator"]
        if not structure.is_refused_by_stand_in(server, exc) or looser == validator:
            raise
        return _refused(database, name, have, looser)


def _refused(
    database: Database[dict[str, Any]], name: str, have: CollectionShape, validator: Mapping[str, Any]
) -> Misfits:
    query: dict[str, Any] = {"$nor": [validator]}
    if _binds(have):
        query = {"$and": [have.validator, query]}
    collection = database[name]
    count = collection.count_documents(query)
    if not count:
        return Misfits()
    schema = validator.get("$jsonSchema") or {}
    return Misfits(
        count,
        [
            (document["_id"], list(islice(_judged(document, schema), NAMED)))
            for document in collection.find(query, limit=NAMED)
        ],
    )


def _judged(document: dict[str, Any], schema: Mapping[str, Any]) -> list[str]:
    try:
        return list(reasons(document, schema))
    except re.error:  # a pattern of the server's dialect, which Python's does not know
        return []


def _binds(shape: CollectionShape) -> bool:
    """Whether a document that does not fit is refused, also where it is there already."""
    return bool(shape.validator) and shape.level == "strict" and shape.action == "error"


def repeated_keys(
    database: Database[dict[str, Any]], name: str, index: IndexDefinition
) -> list[dict[str, Any]]:
    """Return keys that stand in more than one document, where the index is to be unique.

    Found before anything is changed; keys that meet in arrays or by a collation, the server finds later.
    """
    if not index.unique:
        return []
    if mongo.server(database.client).stand_in and any("." in path for path in index.keys):
        return []  # stand-ins may lose a path through an array in an aggregation
    return structure.duplicates(database[name], index)
