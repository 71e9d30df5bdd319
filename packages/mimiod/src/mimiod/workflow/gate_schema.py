"""Step 2: `db_schema.py` imports, agrees with the design, and breaks no rule that needs no data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mimiod.checking import design_tables, rules
from mimiod.checking.design_tables import backticked
from mimiod.schema_types import BaseMongoDbSchema
from mimiod.workflow import faults
from mimiod.workflow.evidence import Evidence, Gate, counted
from mimiod.workflow.gate_design import collections_expected, rows_expected
from mimiod.workflow.imports import forbidden

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.checking.findings import Finding
    from mimiod.workflow.drafts import Draft

FILE = "db_schema.py"


def gate(draft: Draft) -> Gate:
    """Judge the schema."""
    result = Gate(draft.name, 2)
    found = list(imports(draft, exclude="seed_db.py"))
    # What may not be imported is not imported to find out more.
    if found or not isinstance(draft.schema, BaseMongoDbSchema):
        result.evidence = _evidence(draft, BaseMongoDbSchema(collections={}, database_name="none"), [])
        return result.conclude(found or [draft.schema])  # type: ignore[list-item]
    found = [*draft.unfilled(FILE), *_findings(draft, draft.schema)]
    result.conclude(found, draft.schema.accepted)
    result.evidence = _evidence(draft, draft.schema, result.findings)
    return result


def imports(draft: Draft, *, exclude: str = "") -> Iterator[Finding]:
    """Yield what the project's files import and may not; `main.py` is run by people only."""
    for file in sorted(draft.folder.glob("*.py")):
        if file.name not in {"main.py", exclude}:
            for line, name in forbidden(file):
                yield faults.IMPORT_FORBIDDEN.at(file.name, f"it imports {name!r}", file.name, line)


def _findings(draft: Draft, schema: BaseMongoDbSchema) -> Iterator[Finding]:
    """Yield what the rules find without data, and where the design says otherwise: an error here."""
    yield from rules.findings(rules.Context(schema))
    for finding in design_tables.compare(draft.folder, schema):
        yield replace(finding, severity="error", file=FILE)
    for name in sorted(
        collections_expected(draft) - {each.collection_name for each in schema.collections.values()}
    ):
        yield faults.COLLECTION_MISSING.at(
            name, "the design's table of entities names it", design_tables.FILE
        )
    if not schema.workload:
        yield faults.WORKLOAD_EMPTY.at(schema.database_name, "its workload is empty", FILE)
    for name in _unasked(schema) if schema.workload else ():
        yield faults.COLLECTION_UNUSED.at(name, "no query of the workload is on it, or joins it", FILE)


def _unasked(schema: BaseMongoDbSchema) -> list[str]:
    asked = {query.collection for query in schema.workload}
    text = "".join(str(query.pipeline) for query in schema.workload)
    names = [each.collection_name for each in schema.collections.values()]
    return [name for name in names if name not in asked and f"'{name}'" not in text]


def _evidence(draft: Draft, schema: BaseMongoDbSchema, findings: list[Finding]) -> list[Evidence]:
    context = rules.Context(schema)
    rows, wanted = rows_expected(draft), collections_expected(draft)
    names = {each.collection_name for each in schema.collections.values()}
    faulty = {finding.where for finding in findings if finding.severity != "note"}
    lonely = {finding.text for finding in findings if finding.rule == "design-query-missing"}
    declared = {f"{query.name}": f"query {query.name}" not in faulty for query in schema.workload}
    designed = {
        row["action"]: bool(schema.workload) and not any(repr(row["action"]) in text for text in lonely)
        for row in draft.workload_rows
    }
    served = {
        each.query.name: each.few_documents or each.plan.scan != "collection" for each in context.plans
    } | {query.name: True for query in context.workload if query.action == "insert"}
    unasked = set(_unasked(schema))
    return [
        counted("actions of the design that the workload declares", designed, at_least=1),
        counted("queries without fault", declared, at_least=max(1, rows)),
        counted("queries that an index serves", served, at_least=max(1, rows)),
        counted(
            "collections of the design with a validator that holds",
            {name: _held(schema, name) for name in sorted(names | wanted)},
            at_least=1,
        ),
        counted(
            "collections that a query is on",
            {name: name in names and name not in unasked for name in sorted(names | wanted)},
            at_least=1,
        ),
        counted("relationships of the design that the schema bears out", _related(draft, context, findings)),
        counted("fields that say what they hold", _described(context), at_least=1),
    ]


def _held(schema: BaseMongoDbSchema, name: str) -> bool:
    own = [each for each in schema.collections.values() if each.collection_name == name]
    strict = [
        each
        for each in own
        if (each.document_schema or each.json_schema)
        and each.validation_level != "off"
        and each.validation_action == "error"
    ]
    return bool(strict)


def _related(draft: Draft, context: rules.Context, findings: list[Finding]) -> dict[str, bool]:
    """Return the paths that the design's relationship table names, and the schema's references."""
    known = context.collections.keys()
    rows = [row for table in draft.relationships for row in table.rows]
    named = {path for row in rows for path in backticked(row) if path.count(".") and " " not in path}
    held = {}
    for path in named:
        name, _, field = path.partition(".")
        if name in known | collections_expected(draft):
            held[path] = name in known and context.shapes[name].has(field)
    faulty = {each.where for each in findings if each.rule.startswith(("design-", "broken-mark"))}
    referring = {f"{name}.{path}" for name, marks in context.references.items() for path in marks}
    for path in referring | held.keys():
        held[path] = held.get(path, True) and path not in faulty
    return held


def _described(context: rules.Context) -> dict[str, bool]:
    """Return of each field whether it is described, marked, bounded or one of a few values."""
    return {
        f"{name}.{each.path}": bool(
            each.node.get("description")
            or each.node.keys() & {"enum", "minimum", "maximum", "maxLength", "maxItems", "pattern"}
        )
        or any(each.path in marks.get(name, {}) for marks in _marks(context))
        for name, shape in context.shapes.items()
        for each in shape
        if each.path != "_id"
    }


def _marks(context: rules.Context) -> tuple[Mapping[str, Mapping[str, object]], ...]:
    return context.references, context.copies, context.computed, context.orders
