"""A SQL database loaded into MongoDB as the documents of its plan, and compared with where it came from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bson
from bson.raw_bson import RawBSONDocument

from mimiod import mongo, structure
from mimiod.checking.verification import verify
from mimiod.errors import DatabaseInUseError, DocumentRefusedError
from mimiod.relational.planning import orphan_collection
from mimiod.relational.reconciling import Balance, reconcile
from mimiod.relational.waiting import PLAIN
from mimiod.run_lock import COLLECTION, RunLock, mark_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymongo.database import Database

    from mimiod.relational.sql_source import SqlSource
    from mimiod.running import Reporter
    from mimiod.schema_types import BaseMongoDbSchema

START_OVER = "run the same command again to start over"
_NOTED_EVERY = 5.0
_BATCH, _BATCH_BYTES = 1_000, 8_000_000
_LARGEST = 16 * 2**20
_LOADED = "loaded_from_sql"
"What a load's mark has, until it is done: then there is no mark, and the data is its owner's."


@dataclass(frozen=True)
class Loaded:
    """Where the data is, and whether it is all there."""

    database: str
    server: str
    uri: str
    "Without its password."
    documents: int
    balance: Balance
    refused: dict[str, str]
    "What a stand-in for MongoDB could not make, a line each."

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "database": self.database,
            "server": self.server,
            "uri": self.uri,
            "documents": self.documents,
            **self.balance.to_dict(),
            "unsupported": list(self.refused.values()),
        }


def load(
    source: SqlSource, schema: BaseMongoDbSchema, *, uri: str, reporter: Reporter, replace: bool = False
) -> Loaded:
    """Write the documents of a SQL database into the database of a schema, and compare them with the rows.

    A load that was interrupted or killed starts over. One that was done leaves no mark: Mimiod takes the
    data for its owner's, and drops it only where `replace` says so.

    Raises:
        DatabaseInUseError: the database has documents, and `replace` does not allow dropping them.
        DocumentRefusedError: a document has more than 16 MB.
        MimiodError: a server does not answer, or refuses.
        KeyboardInterrupt: it came; the same command starts over.
    """
    client = mongo.connect(uri)
    with mongo.driver_errors(uri), client:
        database = mongo.database(client, schema.database_name)
        if not replace:
            _check_empty(database)
        lock = RunLock(database, {"project": schema.database_name, _LOADED: source.name})
        lock.acquire(replace=replace)
        state = "failed"
        try:
            with lock.heartbeat():
                loaded = _fill(source, schema, database, reporter, mongo.mask(uri))
            state = "complete"
        except KeyboardInterrupt:
            state = "interrupted"
            raise KeyboardInterrupt(START_OVER) from None
        finally:
            lock.release(state)
        database.drop_collection(COLLECTION)
    return loaded


def check_target(uri: str, name: str, *, replace: bool = False) -> None:
    """Refuse a database that cannot be loaded into, before the source is read for hours.

    Raises:
        DatabaseInUseError: it has documents, and `replace` does not allow dropping them.
        MimiodError: the server does not answer, or refuses.
    """
    client = mongo.connect(uri)
    with mongo.driver_errors(uri), client:
        if not replace:
            _check_empty(mongo.database(client, name))


def _check_empty(database: Database[dict[str, Any]]) -> None:
    """Refuse a database that has data of anything but a load that did not end."""
    mark = mark_of(database)
    if _LOADED in mark:
        return
    for name in sorted(database.list_collection_names()):
        if not name.startswith(("system.", COLLECTION)) and database[name].find_one({}, {"_id": 1}):
            whose = "`mimiod run` made" if mark else "Mimiod did not write"
            raise DatabaseInUseError(
                f"database {database.name!r} has data in {name!r} that {whose}: give another --name, or pass "
                "--replace to drop the collections that are loaded"
            )


def _fill(
    source: SqlSource,
    schema: BaseMongoDbSchema,
    database: Database[dict[str, Any]],
    reporter: Reporter,
    where: str,
) -> Loaded:
    reporter.phase("clear")
    structure.clear(database, schema)
    orphaned = {orphan_collection(name) for name in source.plan.schema.tables}
    for name in database.list_collection_names():
        if name in orphaned:
            database.drop_collection(name)
    reporter.phase("collections")
    refused = structure.create_collections(database, schema).refused
    reporter.phase("seed")
    documents = 0
    for name in source.plan.collections:
        total, done = source.count(name), 0
        for collection, batch in _batches(source.assembly.documents(name)):
            database[collection].insert_many(batch, ordered=False)
            documents += len(batch)
            if collection == name:
                done += len(batch)
                reporter.progress(name, done, max(done, total))
    reporter.phase("indexes")
    refused |= structure.create_indexes(database, schema).refused
    for line in refused.values():
        reporter.note(line)
    reporter.phase("validate")
    balance = _compared(source, schema, database, reporter, frozenset(refused))
    server = str(mongo.server(database.client))
    return Loaded(database.name, server, where, documents, balance, refused)


def _compared(
    source: SqlSource,
    schema: BaseMongoDbSchema,
    database: Database[dict[str, Any]],
    reporter: Reporter,
    refused: frozenset[str],
) -> Balance:
    """Hold the documents against the schema, and their numbers and sums against the tables."""
    verification = verify(
        database,
        schema,
        unsupported_indexes=refused,
        progress=lambda collection, done: reporter.progress(collection, done, None),
    )
    links = [(part, link) for _, _, part in source.plan.parts() for link in part.links]
    missing = sum(link.missing for _, link in links)
    dangling = sum(found.fault_counts.get("reference", 0) for found in verification.collections.values())
    others = [str(fault) for fault in verification.faults if fault.kind != "reference"]
    tables = reconcile(source.reader, source.plan, database, _noting(reporter))
    return Balance(tables, (missing, dangling), others)


def _noting(reporter: Reporter) -> Callable[[str, int, int | None], None]:
    """Return what notes every few seconds how many tables are compared."""
    noted = time.monotonic()

    def progress(what: str, done: int, total: int | None) -> None:
        nonlocal noted
        if time.monotonic() - noted >= _NOTED_EVERY:
            noted = time.monotonic()
            reporter.note(f"{done:,} of {total:,} {what}")

    return progress


def _batches(documents: Iterator[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, list[RawBSONDocument]]]:
    """Yield documents of one collection together, encoded, as many as go to a server at once."""
    waiting: dict[str, list[RawBSONDocument]] = {}
    size = 0
    for collection, document in documents:
        encoded = bson.encode(document, codec_options=PLAIN)
        if len(encoded) > _LARGEST:
            raise DocumentRefusedError(
                f"the row {document['_id']} of {collection!r} becomes a document of "
                f"{len(encoded) / 2**20:,.0f} MB with what is embedded in it, and MongoDB takes 16: keep its "
                "largest columns elsewhere (GridFS, files), or its parts apart by a workload (--queries)"
            )
        held = waiting.setdefault(collection, [])
        held.append(RawBSONDocument(encoded))
        size += len(encoded)
        if len(held) == _BATCH or size > _BATCH_BYTES:
            yield from waiting.items()
            waiting, size = {}, 0
    yield from waiting.items()
