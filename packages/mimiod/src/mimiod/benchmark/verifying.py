"""The measurement of the verification: time and memory beside reading the documents alone."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mimiod import mongo, structure
from mimiod.benchmark.subject import Shop
from mimiod.checking.verification import verify
from mimiod.errors import DatabaseError
from mimiod.seeding.describing import distributions
from mimiod.seeding.executors import InProcess
from mimiod.seeding.progress import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARES = (0.1, 1.0)
"The sizes that are measured, as parts of the number asked for: a linear verification takes as long for each."


@dataclass(frozen=True)
class Verified:
    """A verification of customers with orders: references, copies, totals, orders in time, distributions."""

    documents: int
    reading: float
    "Seconds for reading the documents and nothing else."
    validators: float
    "Seconds that the server takes to say what its validators refuse."
    seconds: float
    "The whole verification; the server is asked while documents are looked at."
    cpu: float
    "Seconds of its own process among these."
    per_second: int
    peak_megabytes: float
    "Of the process that verifies."


def verification(documents: int, uri: str) -> Iterator[Verified]:
    """Yield what verifying about so many documents takes, and a tenth of them before."""
    context = multiprocessing.get_context("spawn")
    for share in SHARES:
        shop = _shop(max(100, round(documents * share)))
        plan = shop.plan()
        plan.warm()
        client = mongo.connect(uri)
        with mongo.driver_errors(uri), client:
            name = plan.schema.database_name
            client.drop_database(name)
            database = mongo.database(client, name)
            structure.create_collections(database, plan.schema)
            executor = InProcess(plan, database, uri=uri, say=print, patience=60.0)
            for _ in executor.run(deque(missing(plan, {}))):
                pass
            structure.create_indexes(database, plan.schema)
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=verify_apart, args=(shop, uri, theirs), daemon=True)
            process.start()
            theirs.close()
            try:
                found: Verified | str = ours.recv()
            except EOFError:
                found = "the process that verifies ended before it was done"
            process.join()
            client.drop_database(name)
        if isinstance(found, str):
            raise DatabaseError(found)
        yield found


def _shop(documents: int) -> Shop:
    """Return a shop with about so many customers and orders in all."""
    of_a_thousand = sum(Shop(1000, with_orders=True).plan().expected.values())
    return Shop(max(1, round(documents * 1000 / of_a_thousand)), with_orders=True)


def verify_apart(shop: Shop, uri: str, connection: Any) -> None:
    """Verify the shop in this process and send what it took, or what is wrong."""
    import resource  # noqa: PLC0415 - Windows has none

    plan = shop.plan()
    client = mongo.connect(uri)
    database = mongo.database(client, plan.schema.database_name)
    began = time.perf_counter()
    for name in plan.declarations:
        deque(database[name].find_raw_batches({}, batch_size=2000), maxlen=0)
    read = time.perf_counter()
    for name in plan.declarations:
        rules = database[name].options().get("validator")
        deque(database[name].find({"$nor": [rules]}, {"_id": 1}) if rules else (), maxlen=0)
    asked = time.perf_counter()
    busy = time.process_time()
    report = verify(database, plan.schema, distributions=distributions(plan))
    seconds = time.perf_counter() - asked
    busy = time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    documents = sum(found.documents for found in report.collections.values())
    figures = Verified(
        documents,
        round(read - began, 1),
        round(asked - read, 1),
        round(seconds, 1),
        round(busy, 1),
        round(documents / seconds),
        round(peak / 1e6, 1),
    )
    connection.send(figures if report.passed else "\n".join(map(str, report.faults)))
    connection.close()
    client.close()
