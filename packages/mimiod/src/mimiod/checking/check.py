"""The check of a project: its design judged by its schema, its documents and the data in its database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mimiod import mongo
from mimiod.checking import design_tables, rules, targets
from mimiod.checking.findings import Finding, Suppressed, accepted
from mimiod.checking.profile import profile
from mimiod.checking.workload import Measured, measure, needs
from mimiod.errors import EmptyDatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymongo.database import Database

    from mimiod.projects import Project
    from mimiod.schema_types import BaseMongoDbSchema


SAMPLE = 50_000
"Documents of a collection that the rules on data look at."


@dataclass
class CheckReport:
    """What a check found."""

    project: str
    database: str
    server: str
    queries: list[Measured] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    "Those that the schema does not accept, the gravest first."
    suppressed: list[Suppressed] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether no error is left."""
        return not any(finding.severity == "error" for finding in self.findings)

    def verdict(self, measured: Measured) -> str:
        """Return `error`, `warning` or `ok`: the gravest that was found of a query."""
        found = {each.severity for each in self.findings if each.where == f"query {measured.query.name}"}
        return next((severity for severity in ("error", "warning") if severity in found), "ok")

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            "project": self.project,
            "database": self.database,
            "server": self.server,
            "passed": self.passed,
            "queries": [measured.to_dict() for measured in self.queries],
            "indexes": [
                {"collection": collection, "index": index, "queries": names}
                for (collection, index), names in needs(self.queries).items()
            ],
            "findings": [finding.to_dict() for finding in self.findings],
            "accepted": [each.to_dict() for each in self.suppressed],
        }


def check(project: Project, uri: str, *, others: Iterable[Finding] = ()) -> CheckReport:
    """Check a project against its seeded database on the server at `uri`.

    `others` are findings of the caller's own, which the schema may accept like the rest.

    Raises:
        EmptyDatabaseError: there is no data to check it on.
        MimiodError: the server does not answer, or refuses.
    """
    schema = project.schema
    client = mongo.connect(uri)
    with mongo.driver_errors(uri), client:
        database = mongo.database(client, schema.database_name)
        if not _has_data(database, schema):
            raise EmptyDatabaseError(
                f"{schema.database_name} on {mongo.mask(uri)} is empty: `mimiod run {project.name}` fills it"
            )
        server = mongo.server(client)
        report = CheckReport(project.name, database.name, str(server), measure(database, schema))
        facts = profile(database, schema, sample=SAMPLE)
        # Every source of findings stands here.
        found = [
            *rules.findings(rules.Context(schema, facts)),
            *targets.findings(report.queries, server),
            *design_tables.compare(project.folder, schema),
            *others,
        ]
    left, report.suppressed = accepted(found, schema.accepted)
    report.findings = sorted(left, key=lambda finding: ("error", "warning", "note").index(finding.severity))
    return report


def _has_data(database: Database[dict[str, Any]], schema: BaseMongoDbSchema) -> bool:
    return any(
        database[collection.collection_name].find_one({}, {"_id": 1}) is not None
        for collection in schema.collections.values()
    )
