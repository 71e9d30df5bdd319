"""Step 3: `seed_db.py` imports, and about a hundred rows of each collection are as the schema says.

Rows that are declared are made in this process, without a server. A seeder with loops of its own fills a
database of a random name on the server, which is dropped afterwards.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Hashable
from itertools import product
from typing import TYPE_CHECKING, Any

import bson
import pydantic

from mimiod import mongo, structure
from mimiod.checking.existing import values_at
from mimiod.errors import MimiodError
from mimiod.projects import Project, explained
from mimiod.schema_types import references
from mimiod.seeding.units import Unit
from mimiod.workflow import faults
from mimiod.workflow.evidence import Evidence, Gate, counted
from mimiod.workflow.gate_design import collections_expected
from mimiod.workflow.gate_schema import imports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mimiod.checking.findings import Finding
    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema, IndexDefinition
    from mimiod.seeder_base import DatabaseSeeder
    from mimiod.seeding.plan import Plan
    from mimiod.workflow.drafts import Draft

FILE = "seed_db.py"
ROWS = 100
"Rows of each collection without a parent that are made, with all below them, and of each that are looked at."
MOST_MADE = 20_000
"Documents in all; where a hundred rows would give more, fewer are made."
_EXAMPLES = 3
_VARIES_FROM = 50
"Rows from which on a field with one value is no accident."

Documents = dict[str, list[dict[str, Any]]]


def gate(draft: Draft, uri: Callable[[], str]) -> Gate:
    """Judge the seeder; `uri` is asked for a server where one is needed."""
    result = Gate(draft.name, 3)
    found = list(imports(draft))
    project = draft.project
    if found or not isinstance(project, Project):
        result.evidence = _evidence(draft, None, {}, [])
        return result.conclude(found or [project])  # type: ignore[list-item]
    found = draft.unfilled(FILE)
    documents: Documents = {}
    try:
        documents = dry_run(project, uri)
    except MimiodError as exc:
        found.append(draft.placed(exc, faults.SEEDER_FAILED))
    found += _findings(project.schema, documents) if documents else []
    result.facts = {"rows": {name: len(rows) for name, rows in documents.items()}}
    result.conclude(found, project.schema.accepted)
    result.evidence = _evidence(draft, project.schema, documents, result.findings)
    return result


def dry_run(project: Project, uri: Callable[[], str]) -> Documents:
    """Return about a hundred documents of each collection, as the seeder makes them.

    Raises:
        MimiodError: the seeder cannot make them; the text names its file and line.
    """
    seeder = None
    try:
        seeder = project.seeder("", project.schema)
        if (plan := seeder.plan()) is not None:
            return _of_plan(seeder, plan)
        return _of_loops(project, uri())
    except Exception as exc:
        raise explained(exc, project.folder, str(project.folder / FILE)) from exc
    finally:
        if seeder is not None:
            seeder.close()


def _of_plan(seeder: DatabaseSeeder, plan: Plan) -> Documents:
    full = sum(plan.expected.values())
    seeder.scale = min(1.0, ROWS / max(plan.roots.values(), default=1), MOST_MADE / max(full, 1))
    small = seeder.plan()
    assert small is not None
    small.warm()
    # What is rare may be missing among so few; what the whole run has none of, is left out.
    made: Documents = {name: [] for name, number in plan.expected.items() if number}
    for root, rows in small.roots.items():
        for encoded in small.encode(Unit(root, 0, rows)):
            if encoded.documents:
                found = [bson.decode(each, mongo.CODEC) for each in encoded.documents]
                made.setdefault(encoded.collection, []).extend(found)
    return made


def _of_loops(project: Project, uri: str) -> Documents:
    schema = project.schema.model_copy(update={"database_name": f"mimiod_dry_{secrets.token_hex(6)}"})
    client = mongo.connect(uri)
    with mongo.driver_errors(uri), client:
        database = mongo.database(client, schema.database_name)
        seeder = project.seeder(uri, schema)
        seeder.scale = 0.01
        try:
            structure.create_collections(database, schema)
            seeder.seed_all_collections()
            return {
                each.collection_name: list(database[each.collection_name].find().limit(MOST_MADE + 1))
                for each in schema.collections.values()
            }
        finally:
            seeder.close()
            client.drop_database(schema.database_name)


def _findings(schema: BaseMongoDbSchema, documents: Documents) -> Iterator[Finding]:
    known = _referenced(schema, documents)
    for declared in schema.collections.values():
        name = declared.collection_name
        rows = documents.get(name)
        if rows is None:
            yield faults.SEED_EMPTY.at(name, "the seeder makes no document of it at any scale", FILE)
            continue
        if len(rows) > MOST_MADE:
            yield faults.SEED_LARGE.at(name, f"above {MOST_MADE:,} rows at a hundredth of the scale", FILE)
        rows = rows[:ROWS]
        yield from _refused(declared, rows)
        yield from _dangling(declared, rows, known)
        for index in declared.indexes:
            yield from _duplicates(name, index, documents[name])
        followed = references(declared.document_schema)
        for path in _constant(rows):
            if path in followed:  # the first hundred rows may all be of one parent
                continue
            text = f"it is {next(values_at(rows[0], path), None)!r} in all {len(rows)} rows"
            yield faults.SEED_UNIFORM.at(f"{name}.{path}", text, FILE)


def _refused(declared: BaseCollectionSchema, rows: list[dict[str, Any]]) -> Iterator[Finding]:
    """Yield for each field and reason the documents that the model refuses."""
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows if declared.document_schema else ():
        assert declared.document_schema is not None
        try:
            declared.document_schema.model_validate(row)
        except pydantic.ValidationError as exc:
            first = exc.errors(include_url=False, include_input=False)[0]
            path = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
            reasons[path, first["msg"]].append(str(row.get("_id")))
    for (path, reason), ids in reasons.items():
        where = f"{declared.collection_name}.{path}" if path else declared.collection_name
        text = f"{len(ids)} of {len(rows)} documents, as _id {ids[0]}: {reason}"
        yield faults.SEED_DOCUMENT.at(where, text, FILE)


def _referenced(schema: BaseMongoDbSchema, documents: Documents) -> Mapping[tuple[str, str], set[Any]]:
    """Return the values that references can name, by collection and field."""
    named = {
        (mark.collection, mark.field)
        for each in schema.collections.values()
        for mark in references(each.document_schema).values()
    }
    return {
        (name, path): {
            value for row in documents[name] for value in values_at(row, path) if isinstance(value, Hashable)
        }
        for name, path in named
        if name in documents
    }


def _dangling(
    declared: BaseCollectionSchema, rows: list[dict[str, Any]], known: Mapping[tuple[str, str], set[Any]]
) -> Iterator[Finding]:
    for path, mark in references(declared.document_schema).items():
        there = known.get((mark.collection, mark.field))
        if there is None:
            continue
        lost = [
            (row["_id"], value)
            for row in rows
            for value in values_at(row, path)
            if not isinstance(value, Hashable) or value not in there
        ]
        if lost:
            identifier, value = lost[0]
            text = f"{len(lost)} values are in no {mark.collection}.{mark.field}, as {value} of {identifier}"
            yield faults.SEED_REFERENCE.at(f"{declared.collection_name}.{path}", text, FILE)


def _duplicates(name: str, index: IndexDefinition, rows: list[dict[str, Any]]) -> Iterator[Finding]:
    """Yield where rows have the same key; partial and collated indexes are left to the server."""
    if not index.unique or index.partial_filter or index.collation:
        return
    seen: dict[Any, Any] = {}
    twice: list[Any] = []
    for row in rows:
        parts = [list(values_at(row, path)) or [None] for path in index.keys]
        if index.sparse and all(part == [None] for part in parts):
            continue
        for key in {repr(each) for each in product(*parts)}:
            if key in seen and seen[key] != row["_id"]:
                twice.append(key)
            seen[key] = row["_id"]
    if twice:
        text = f"{len(twice)} keys are there twice, as {twice[0]}"
        yield faults.SEED_DUPLICATE.at(f"{name}:{index.name}", text, FILE)


def _constant(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the paths of top-level fields with one value other than null, false or 0 in all of many rows."""
    if len(rows) < _VARIES_FROM:
        return
    for path in rows[0]:
        found = {repr(row.get(path)) for row in rows}
        if (
            len(found) == 1
            and rows[0][path] not in (None, False, 0, [], {})
            and "version" not in path.lower()
        ):
            yield path


def _evidence(
    draft: Draft, schema: BaseMongoDbSchema | None, documents: Documents, findings: Iterable[Finding]
) -> list[Evidence]:
    names = {each.collection_name for each in schema.collections.values()} if schema else set()
    wanted = sorted(names | collections_expected(draft))
    faulty = {finding.where.replace(":", ".") for finding in findings}
    marks = {
        f"{each.collection_name}.{path}"
        for each in (schema.collections.values() if schema else ())
        for path in references(each.document_schema)
    }
    fields = {f"{name}.{path}" for name, rows in documents.items() for path in (rows[0] if rows else ())}
    clean = {
        name: name in documents and not any(where == name or where.startswith(f"{name}.") for where in faulty)
        for name in wanted
    }
    return [
        counted(
            "collections that the seeder fills",
            {name: name in documents for name in wanted},
            at_least=1,
        ),
        counted("collections without a fault in a hundred rows", clean, at_least=1),
        counted("references that resolve", {path: bool(documents) and path not in faulty for path in marks}),
        counted("fields that vary", {path: path not in faulty for path in fields}, at_least=1),
    ]
