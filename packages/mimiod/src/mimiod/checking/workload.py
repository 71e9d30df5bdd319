"""The workload explained and run on the data: the model's judgement and the server's evidence."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pymongo.errors

from mimiod import mongo
from mimiod.checking import parameters
from mimiod.checking.explaining import Evidence, explain, reading_stages
from mimiod.checking.index_model import PlanModel, choose, plan
from mimiod.checking.reading import joins

if TYPE_CHECKING:
    from pymongo.database import Database

    from mimiod.schema_types import BaseMongoDbSchema, Query

PARAMETER_SETS = 5
"Times that each query is run, with as many sets of parameters."
MOST_SECONDS = 60
"That a query may take."


@dataclass
class Measured:
    """A query of the workload, judged by the model and by the server."""

    query: Query
    plan: PlanModel | None
    "What the model says; None of an insertion, and of a collection that the schema does not have."
    joined: dict[str, PlanModel] = field(default_factory=dict)
    "What it says of a pipeline's joins, by collection."
    evidence: list[Evidence] = field(default_factory=list)
    "What the server says, once for each set of parameters."
    runs: int = 0
    returned: float | None = None
    "Documents, the median of the runs."
    milliseconds: float | None = None
    "The median of the runs, the client's share included."
    refusal: str = ""
    "Why the server did not run it."
    disagreement: str = ""
    "Where the server does otherwise than the model says."

    @property
    def keys_per_returned(self) -> float | None:
        """Keys examined for each document, over all sets of parameters; None where it is not known."""
        known = [each for each in self.evidence if each.keys is not None and each.returned is not None]
        returned = sum(each.returned or 0 for each in known)
        if not returned or any(each.scans_collection for each in known):
            return None
        return sum(each.keys or 0 for each in known) / returned

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        model = self.plan
        ratio = self.keys_per_returned
        return {
            "name": self.query.name,
            "collection": self.query.collection,
            "action": self.query.action,
            "priority": self.query.priority,
            "model": model
            and {
                "scan": model.scan,
                "index": model.index,
                "keys": {key.field: key.role for key in model.keys},
                "sort": model.sort,
                "covered": model.covered,
                "tight": model.tight,
                "residual": list(model.residual),
                "why": model.why,
            },
            "joined": {name: each.index for name, each in self.joined.items()},
            "server": [each.to_dict() for each in self.evidence],
            "runs": self.runs,
            "returned": self.returned,
            "keys_per_returned": None if ratio is None else round(ratio, 2),
            "milliseconds": None if self.milliseconds is None else round(self.milliseconds, 3),
            "refusal": self.refusal,
            "disagreement": self.disagreement,
        }


def judge(schema: BaseMongoDbSchema) -> list[Measured]:
    """Return what the model says of each query of the workload; no server is asked."""
    collections = {each.collection_name: each for each in schema.collections.values()}
    judged = []
    for query in schema.workload:
        own = collections.get(query.collection)
        joined = {
            read.collection: choose(read, collections[read.collection])
            for read in joins(query)
            if read.collection in collections
        }
        judged.append(Measured(query, None if own is None else plan(query, own), joined))
    return judged


def measure(database: Database[dict[str, Any]], schema: BaseMongoDbSchema) -> list[Measured]:
    """Return the workload as the model judges it, explained and run on the data.

    Nothing is written: of an update or deletion its search is run, an insertion is not.
    """
    judged = judge(schema)
    server = str(mongo.server(database.client))
    for measured in judged:
        if measured.plan is not None:
            _run(database, schema, measured)
            measured.disagreement = _disagreement(measured, server)
    return judged


def needs(judged: list[Measured]) -> dict[tuple[str, str], list[str]]:
    """Return by collection and index the names of the queries that the model answers with it."""
    found: dict[tuple[str, str], list[str]] = {}
    for measured in judged:
        plans = [(measured.query.collection, measured.plan), *measured.joined.items()]
        for collection, each in plans:
            for index in dict.fromkeys(each.indexes if each else ()):
                found.setdefault((collection, index), []).append(measured.query.name)
    return found


def _run(database: Database[dict[str, Any]], schema: BaseMongoDbSchema, measured: Measured) -> None:
    try:
        bound = parameters.draw(database, schema, measured.query, PARAMETER_SETS)
        found = [explain(database, each) for each in bound]
        measured.evidence = [each for each in found if each is not None]
        repeated = bound * PARAMETER_SETS if len(bound) == 1 else bound
        times, counts = [], []
        for each in repeated[:PARAMETER_SETS]:
            started = time.perf_counter()
            counts.append(_answer(database, each))
            times.append(1000 * (time.perf_counter() - started))
    except pymongo.errors.OperationFailure as exc:
        measured.refusal = mongo.brief(exc)
        return
    measured.runs = len(times)
    if times:
        measured.milliseconds = statistics.median(times)
        measured.returned = statistics.median(counts)


def _answer(database: Database[dict[str, Any]], query: Query) -> int:
    """Ask a query and read all that it returns; return how many documents."""
    collection = database[query.collection]
    if query.action == "aggregate":
        cursor = collection.aggregate(
            reading_stages(query), collation=query.collation, maxTimeMS=1000 * MOST_SECONDS
        )
        return sum(1 for _ in cursor)
    found = collection.find(
        query.filter,
        query.projection if query.action == "find" else {"_id": 1},
        sort=list(query.sort.items()) or None,
        limit=query.limit or 0,
        collation=query.collation,
        max_time_ms=1000 * MOST_SECONDS,
    )
    return sum(1 for _ in found)


def _disagreement(measured: Measured, server: str) -> str:
    """Return where the server's plans are not the model's, a clause for each."""
    model = measured.plan
    if model is None or not measured.evidence:
        return ""
    said = []
    shown = {name for each in measured.evidence for name in each.indexes}
    scans = any(each.scans_collection for each in measured.evidence)
    if model.scan == "collection" and not scans and shown:
        said.append(f"the model has a collection scan, {server} uses {', '.join(sorted(shown))}")
    elif model.scan != "collection" and scans:
        said.append(f"the model has {model.index}, {server} scans the collection")
    elif model.scan != "collection" and shown and not shown & set(model.indexes):
        said.append(f"the model has {model.index}, {server} uses {', '.join(sorted(shown))}")
    sorts = {each.sorts for each in measured.evidence}
    if model.sort in {"index", "merge"} and True in sorts:
        said.append(f"the model has the order from {model.index}, {server} sorts what it read")
    elif model.sort == "blocking" and sorts == {False}:
        said.append(f"the model has a sort of what was read, {server} shows none")
    return "; ".join(said)
