"""The verification of a database against its schema and what is declared of its data.

Every document is read once, for all checks: it is judged by the server against the validator and here against
the pydantic model, since each sees what the other cannot; its references, copies, totals and orders in time
are followed; unique keys are compared; and its values are counted where a distribution is declared. The
server is asked a collection ahead. What documents say of each other is put aside on disk and brought together
at the end, so that time grows with the documents and memory does not.

Nothing of it is code that seeds: totals, uniqueness and shares are computed anew.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from mimiod.checking.verifying import shares
from mimiod.checking.verifying.judging import INDEX_MISSING, Judge
from mimiod.checking.verifying.marks import MarkedChecks
from mimiod.checking.verifying.meetings import key_of
from mimiod.checking.verifying.reading import batches
from mimiod.checking.verifying.report import EXAMPLES, CollectionVerification, Fault, Verification
from mimiod.checking.verifying.spill import Store
from mimiod.checking.verifying.uniqueness import unique_indexes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pymongo.database import Database

    from mimiod.distributions import Law
    from mimiod.schema_types import BaseMongoDbSchema

__all__ = ["EXAMPLES", "INDEX_MISSING", "CollectionVerification", "Fault", "Verification", "verify"]


def verify(
    database: Database[dict[str, Any]],
    schema: BaseMongoDbSchema,
    *,
    unsupported_indexes: frozenset[str] = frozenset(),
    distributions: Mapping[str, Law] | None = None,
    progress: Callable[[str, int], None] = lambda _collection, _documents: None,
) -> Verification:
    """Return what in the database differs from its schema; nothing is written.

    `unsupported_indexes` (`collection.index`) are not missed. `distributions` is what is declared of each
    collection's values; those of a collection whose documents the server removes by itself are not tested.
    `progress` hears the collection and how many of its documents have been read.
    """
    declared = {each.collection_name: each for each in schema.collections.values()}
    report = Verification({name: CollectionVerification() for name in declared})
    judges = {name: Judge(database[name], declared[name], report.collections[name]) for name in declared}
    # Not of a pool: a thread that waits for a long query must not keep an interrupted process alive.
    threading.Thread(
        target=_ask, args=(list(judges.values()),), name="mimiod-validators", daemon=True
    ).start()
    laws = {
        name: shares.LawTests(name, law)
        for name, law in (distributions or {}).items()
        if name in declared and not declared[name].shrinks()
    }
    with Store() as store:
        marked = MarkedChecks(store, declared)
        unique = {name: unique_indexes(each, store) for name, each in declared.items()}
        for name, judge in judges.items():
            found = report.collections[name]
            judge.wait()
            judge.indexes(unsupported_indexes)
            for batch in batches(database[name]):
                ids = [key_of(document.get("_id")) for document in batch.documents]
                judge.see(batch, ids)
                marked.see(name, batch.documents, ids, found)
                for index in unique[name]:
                    index.see(batch.documents, ids, found)
                if name in laws:
                    laws[name].see(batch.documents, ids, found)
                found.documents += len(ids)
                progress(name, found.documents)
            progress(name, found.documents)
        marked.judge(report.collections)
        for name, indexes in unique.items():
            for index in indexes:
                index.judge(report.collections[name])
                report.untested += [index.untested] if index.untested else []
    shares.judge([test for each in laws.values() for test in each.tests], report.collections)
    report.untested += marked.untested
    report.unstated += [path for each in laws.values() for path in each.unstated]
    return report


def _ask(judges: Iterable[Judge]) -> None:
    """Ask the server, one collection after the other."""
    for judge in judges:
        judge.ask()
