"""The measurements of `mimiod bench`, each in one run beside what it is compared with."""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import bson
from bson.raw_bson import RawBSONDocument

from mimiod import mongo
from mimiod.benchmark.rivals import rivals
from mimiod.benchmark.subject import Shop
from mimiod.seeding.executors import InProcess, Processes
from mimiod.seeding.loading import BATCH_DOCUMENTS, Job
from mimiod.seeding.progress import missing
from mimiod.seeding.units import Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.synchronize import Barrier

    from mimiod.seeding.plan import Plan

ROUNDS = 5
"How often each generator is measured, in turn; the median counts."

WORKERS = (1, 2, 4)
SIZES = (100_000, 1_000_000, 5_000_000)


ENCODER = "bson.encode, ready-made"
SHOP_ENCODER = "bson.encode, with orders"


@dataclass(frozen=True)
class Rate:
    """How fast something made, encoded or inserted documents."""

    name: str
    documents: int
    seconds: float
    average_bytes: int | None = None
    encoder: str = ENCODER
    "The rate of `bson.encode` for such documents, by name."

    @property
    def per_second(self) -> float:
        """Documents a second."""
        return self.documents / self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {**asdict(self), "per_second": round(self.per_second)}


@dataclass(frozen=True)
class Loaded:
    """Documents put into a server by some processes: ready-made ones, and ones made on the way."""

    workers: int
    documents: int
    ready_made: float
    "Seconds."
    seeded: float
    "Seconds."


@dataclass(frozen=True)
class Footprint:
    """What making so many documents took in one process."""

    documents: int
    peak_megabytes: float
    seconds: float


def generation(documents: int) -> list[Rate]:
    """Return how fast documents are made, on one core; the rivals make as many as take a like time."""
    alone, shop = Shop(documents, with_orders=False).plan(), Shop(documents, with_orders=True).plan()
    alone.warm()
    shop.warm()
    ready = [bson.decode(raw) for raw in made(alone)]
    ready_shop = [bson.decode(raw) for raw in made(shop)]
    average = sum(map(len, made(alone))) // len(ready)
    average_shop = sum(map(len, made(shop))) // len(ready_shop)
    contestants: dict[Rate, Callable[[], object]] = {
        Rate(name, max(200, documents // 100), 0): partial(make, max(200, documents // 100))
        for name, make in rivals().items()
    }
    contestants |= {
        Rate(ENCODER, len(ready), 0, average): lambda: encoded(ready),
        Rate("Mimiod, made and encoded", len(ready), 0, average): lambda: counted(made(alone)),
        Rate(SHOP_ENCODER, len(ready_shop), 0, average_shop, SHOP_ENCODER): lambda: encoded(ready_shop),
        Rate("Mimiod, orders and totals", len(ready_shop), 0, average_shop, SHOP_ENCODER): (
            lambda: counted(made(shop))
        ),
    }
    times: dict[Rate, list[float]] = {rate: [] for rate in contestants}
    for _ in range(ROUNDS):
        for rate, make in contestants.items():
            began = time.perf_counter()
            make()
            times[rate].append(time.perf_counter() - began)
    return [replace(rate, seconds=statistics.median(taken)) for rate, taken in times.items()]


def counted(documents: Iterator[bytes]) -> int:
    """Return how many there are."""
    return sum(1 for _ in documents)


def made(plan: Plan) -> Iterator[bytes]:
    """Yield all documents of a plan."""
    for unit in missing(plan, {}):
        for encoded in plan.encode(unit):
            yield from encoded.documents


def encoded(documents: list[dict[str, Any]]) -> int:
    """Encode documents one by one, as a driver does, and return how many."""
    for document in documents:
        bson.encode(document)
    return len(documents)


def loading(documents: int, uri: str, workers: tuple[int, ...] = WORKERS) -> Iterator[Loaded]:
    """Yield how long ready-made documents take, and the same documents made on the way.

    Both start their processes anew; the time counts from when all of them are ready.
    """
    source = Shop(documents, with_orders=False)
    plan = source.plan()
    pools = plan.warm()
    client = mongo.connect(uri)
    with mongo.driver_errors(uri), client:
        database = mongo.database(client, plan.schema.database_name)
        job = Job(source, pools, uri, database.name, patience=60.0)
        for count in workers:
            database.drop_collection("customers")
            ready_made = _insert_ready_made(job, documents, count)
            database.drop_collection("customers")
            executor = (
                InProcess(plan, database, uri=uri, say=print, patience=60.0)
                if count == 1
                else Processes(job, count, print)
            )
            began = time.perf_counter()
            for _ in executor.run(deque(missing(plan, {}))):
                pass
            yield Loaded(count, documents, ready_made, time.perf_counter() - began)
        client.drop_database(database.name)


def _insert_ready_made(job: Job, documents: int, count: int) -> float:
    """Return how long so many processes take to insert documents that they have made before."""
    context = multiprocessing.get_context("spawn")
    ready, ended = context.Barrier(count + 1), context.Barrier(count + 1)
    edges = [documents * number // count for number in range(count + 1)]
    processes = [
        context.Process(target=insert_part, args=(job, start, stop, ready, ended), daemon=True)
        for start, stop in pairwise(edges)
    ]
    for process in processes:
        process.start()
    ready.wait()
    began = time.perf_counter()
    ended.wait()
    seconds = time.perf_counter() - began
    for process in processes:
        process.join()
    return seconds


def insert_part(job: Job, start: int, stop: int, ready: Barrier, ended: Barrier) -> None:
    """Make documents, wait for the others, and insert them."""
    plan = job.source.plan()
    plan.adopt(job.pools)
    parts = [each.documents for each in plan.encode(Unit("customers", start, stop))]
    documents = [RawBSONDocument(raw) for part in parts for raw in part]
    client = mongo.connect(job.uri)
    collection = mongo.database(client, job.database)["customers"]
    ready.wait()
    for at in range(0, len(documents), BATCH_DOCUMENTS):
        collection.insert_many(documents[at : at + BATCH_DOCUMENTS], ordered=False)
    ended.wait()
    client.close()


def memory(sizes: tuple[int, ...] = SIZES) -> Iterator[Footprint]:
    """Yield the peak memory of a worker's process, which makes and encodes so many documents."""
    context = multiprocessing.get_context("spawn")
    for documents in sizes:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=make_apart, args=(documents, theirs), daemon=True)
        process.start()
        theirs.close()
        yield ours.recv()
        process.join()


def make_apart(documents: int, connection: Any) -> None:
    """Make documents of a shop and send what it took."""
    import resource  # noqa: PLC0415 - Windows has none

    customers = Shop(1000, with_orders=True).plan()
    per_customer = sum(customers.expected.values()) / 1000
    plan = Shop(max(1, round(documents / per_customer)), with_orders=True).plan()
    plan.warm()
    began = time.perf_counter()
    count = counted(made(plan))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    connection.send(Footprint(count, round(peak * unit / 1e6, 1), round(seconds, 2)))
    connection.close()
