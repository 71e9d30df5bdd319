"""Step 4: the database holds a complete run, verified, and the design passes on its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mimiod import mongo, structure
from mimiod.checking.check import check
from mimiod.checking.verification import verify
from mimiod.projects import Project, explained
from mimiod.run_lock import COLLECTION
from mimiod.seeding.describing import distributions
from mimiod.workflow import faults
from mimiod.workflow.evidence import Evidence, Gate, counted
from mimiod.workflow.gate_design import collections_expected, rows_expected
from mimiod.workflow.gate_schema import imports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mimiod.checking.check import CheckReport
    from mimiod.checking.findings import Finding
    from mimiod.checking.verification import Verification
    from mimiod.schema_types import BaseMongoDbSchema
    from mimiod.workflow.drafts import Draft


def gate(draft: Draft, uri: Callable[[], str]) -> Gate:
    """Judge the database on the server that `uri` returns; nothing is written."""
    result = Gate(draft.name, 4)
    found = list(imports(draft))
    project = draft.project
    if found or not isinstance(project, Project):
        result.evidence = _nothing(draft)
        return result.conclude(found or [project])  # type: ignore[list-item]
    schema = project.schema
    try:
        laws = distributions(project.seeder("", schema).plan())
    except Exception as exc:  # noqa: BLE001 - whatever a project's own code raises
        result.evidence = _nothing(draft)
        cause = explained(exc, project.folder, str(project.folder / "seed_db.py"))
        return result.conclude([draft.placed(cause, faults.SEEDER_FAILED)])
    where = uri()
    client = mongo.connect(where)
    with mongo.driver_errors(where), client:
        database = mongo.database(client, schema.database_name)
        run = database[COLLECTION].find_one({"_id": "run"}) or {}
        on = f"{schema.database_name} on {mongo.mask(where)}"
        if all(database[each.collection_name].find_one() is None for each in schema.collections.values()):
            result.evidence = _nothing(draft)
            return result.conclude([faults.RUN_MISSING.at(on, "there is no data of this project")])
        lacking = structure.still_refused(database, schema)
        verified = verify(database, schema, unsupported_indexes=lacking, distributions=laws)
    report = check(project, where)
    found = [*_incomplete(run, on), *_faults(verified), *report.findings]
    result.conclude(found)
    result.suppressed = report.suppressed
    result.facts = {
        "database": report.database,
        "server": report.server,
        "verification": verified.to_dict(),
        "queries": [measured.to_dict() for measured in report.queries],
    }
    result.evidence = _evidence(draft, schema, verified, report, complete=not _incomplete(run, on))
    return result


def _incomplete(run: dict[str, object], on: str) -> list[Finding]:
    if not run:
        return [faults.RUN_MISSING.at(on, "no run of mimiod filled it")]
    state, scale = run.get("state"), run.get("scale", 1.0)
    if state != "complete":
        return [faults.RUN_MISSING.at(on, f"its last run ended as {state!r}")]
    if isinstance(scale, int | float) and scale < 1:
        return [faults.RUN_MISSING.at(on, f"its run was at scale {scale:g}")]
    return []


def _faults(verified: Verification) -> Iterable[Finding]:
    for name, found in verified.collections.items():
        for kind, count in found.fault_counts.items():
            first = next((fault for fault in found.faults if fault.kind == kind), None)
            example = f", as {first.identifier}: {first.reason}" if first else ""
            yield faults.DATA_FAULT.at(name, f"{count:,} of the kind {kind!r}{example}")


def _nothing(draft: Draft) -> list[Evidence]:
    """Return the evidence of a database that does not exist: none of what is asked."""
    return [
        Evidence("a complete run at full scale", 0, 1),
        Evidence("collections with verified documents", 0, max(1, len(collections_expected(draft)))),
        Evidence("documents without fault", 0, 1),
        Evidence("references verified", 0, 1),
        Evidence("queries measured without fault", 0, max(1, rows_expected(draft))),
    ]


def _evidence(
    draft: Draft, schema: BaseMongoDbSchema, verified: Verification, report: CheckReport, *, complete: bool
) -> list[Evidence]:
    names = {each.collection_name for each in schema.collections.values()}
    found = verified.collections
    documents = sum(each.documents for each in found.values())
    broken = sum(
        count for each in found.values() for kind, count in each.fault_counts.items() if kind != "index"
    )
    referring = sum(each.references for each in found.values())
    dangling = sum(each.fault_counts.get("reference", 0) for each in found.values())
    faulty = {finding.where for finding in report.findings if finding.severity != "note"}
    measured = {
        each.query.name: f"query {each.query.name}" not in faulty
        and (each.runs > 0 or each.query.action == "insert" or bool(each.refusal))
        for each in report.queries
    }
    held = {
        name: name in found and found[name].documents > 0 and not found[name].fault_counts
        for name in sorted(names | collections_expected(draft))
    }
    return [
        Evidence("a complete run at full scale", float(complete), 1),
        counted("collections with verified documents", held, at_least=1),
        Evidence("documents without fault", max(0, documents - broken), max(1, documents)),
        Evidence("references verified", max(0, referring - dangling), referring),
        counted("queries measured without fault", measured, at_least=max(1, rows_expected(draft))),
    ]
