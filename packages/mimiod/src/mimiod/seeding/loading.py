"""The loader: makes the documents of a unit and inserts them, in batches, whatever the server does."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pymongo.errors
from bson.raw_bson import RawBSONDocument
from pymongo.write_concern import WriteConcern

from mimiod import mongo
from mimiod.errors import DocumentRefusedError, ServerUnavailableError
from mimiod.seeding.refusals import Refusals, is_passing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from pymongo.collection import Collection
    from pymongo.database import Database

    from mimiod.errors import MimiodError
    from mimiod.seeding.plan import Plan
    from mimiod.seeding.units import Unit

BATCH_DOCUMENTS = 1000
BATCH_BYTES = 12_000_000
PATIENCE = 60.0
"Seconds for which a server that was lost is tried again."

_AHEAD = 2
"Batches that wait for the server while the next is made."
_LONGEST_PAUSE = 5.0
_LARGEST_DOCUMENT = 16 * 1024 * 1024

Result = TypeVar("Result")


@dataclass(frozen=True)
class Done:
    """A unit whose documents are all in the database."""

    unit: Unit
    made: dict[str, int]
    "Documents by collection."
    server_was_lost: bool = False
    "Whether the server went away meanwhile: one that was killed may have lost what it acknowledged."


class StoppedError(Exception):
    """The loader was told to stop."""


class Source(Protocol):
    """What makes the plan, in any process: it can be pickled."""

    def plan(self) -> Plan:
        """Return the plan."""

    def explained(self, exc: Exception) -> MimiodError:
        """Return what the project's own code raised as an error that names its file and line."""


@dataclass(frozen=True)
class Job:
    """What a process has to know to load units."""

    source: Source
    pools: Any
    "The plan's, built by the first process."
    uri: str
    database: str
    patience: float


def patiently(
    do: Callable[[], Result],
    *,
    patience: float,
    say: Callable[[str], None],
    stopped: Callable[[float], bool],
) -> Result:
    """Return what `do` returns, called again while the server does not answer.

    `stopped` waits for so many seconds, or less if all is to end, which it answers.

    Raises:
        PyMongoError, ServerUnavailableError: the last one, when patience is at its end.
        StoppedError: `stopped` said so.
    """
    deadline, pause = 0.0, 0.05
    while True:
        try:
            return do()
        except (pymongo.errors.PyMongoError, ServerUnavailableError) as exc:
            if not is_passing(exc):
                raise
            now = time.monotonic()
            if not deadline:
                deadline = now + patience
                say(f"the server does not answer, trying again for {patience:g} s")
            if now >= deadline:
                raise
            # Jitter: the workers of a cluster do not all come back at once.
            if stopped(min(random.uniform(pause / 2, pause), deadline - now)):  # noqa: S311
                raise StoppedError from exc
            pause = min(2 * pause, _LONGEST_PAUSE)


class Loader:
    """Loads the units of a plan into a database; one for each process or thread.

    Making documents and sending them overlap: `_AHEAD` batches wait, more never do.
    """

    def __init__(
        self,
        plan: Plan,
        database: Database[dict[str, Any]],
        *,
        uri: str,
        say: Callable[[str], None],
        stopped: Callable[[float], bool],
        patience: float = PATIENCE,
    ) -> None:
        self.plan = plan
        self.database = database
        self.uri = uri
        self.say = say
        self.stopped = stopped
        self.patience = patience
        self._server_was_lost = False
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="mimiod-sender")

    def close(self) -> None:
        """End after the batch that is under way."""
        self._sender.shutdown(cancel_futures=True)

    def load(self, unit: Unit) -> Done:
        """Make and insert the documents of a unit; those that are there already are kept.

        Raises:
            DocumentRefusedError: the validator refuses documents, or one is too large.
            DuplicateRowError: two rows have one key of a unique index.
            MimiodError: whatever else the server said, or that it does not answer any more.
            StoppedError: the loader was told to stop.
        """
        self._server_was_lost = False
        made: Counter[str] = Counter()
        waiting: deque[Future[None]] = deque()
        try:
            for name, batch in self._batches(unit):
                if self.stopped(0):
                    raise StoppedError
                if len(waiting) == _AHEAD:
                    waiting.popleft().result()
                waiting.append(self._sender.submit(self._send, name, batch))
                made[name] += len(batch)
            while waiting:
                waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
        return Done(unit, dict(made), self._server_was_lost)

    def _batches(self, unit: Unit) -> Iterator[tuple[str, list[bytes]]]:
        batches: defaultdict[str, list[bytes]] = defaultdict(list)
        sizes: Counter[str] = Counter()
        for encoded in self.plan.encode(unit):
            name = encoded.collection
            for document in encoded.documents:
                size = len(document)
                if size > _LARGEST_DOCUMENT:
                    raise self._too_large(name, document)
                if sizes[name] + size > BATCH_BYTES or len(batches[name]) == BATCH_DOCUMENTS:
                    yield name, batches.pop(name)
                    sizes[name] = 0
                batches[name].append(document)
                sizes[name] += size
        yield from ((name, batch) for name, batch in batches.items() if batch)

    def _too_large(self, name: str, document: bytes) -> DocumentRefusedError:
        identifier = RawBSONDocument(document)["_id"]
        row = self.plan.row_of(name, identifier)
        which = f"_id {identifier}" if row is None else f"row {row} (_id {identifier})"
        return DocumentRefusedError(
            f"{which} of {name!r} has {len(document) / 2**20:.1f} MB, and a document may have 16: "
            "make its arrays smaller, or keep their items in a collection of their own"
        )

    def _send(self, name: str, batch: list[bytes]) -> None:
        collection = self.database[name]
        if not collection.write_concern.acknowledged:
            collection = collection.with_options(write_concern=WriteConcern(w=1))
        with mongo.driver_errors(self.uri):
            patiently(
                lambda: self._insert(collection, batch),
                patience=self.patience,
                say=self._lost,
                stopped=self.stopped,
            )

    def _lost(self, text: str) -> None:
        self._server_was_lost = True
        self.say(text)

    def _insert(self, collection: Collection[dict[str, Any]], batch: list[bytes]) -> None:
        try:
            collection.insert_many([RawBSONDocument(document) for document in batch], ordered=False)
        except pymongo.errors.BulkWriteError as exc:
            if is_passing(exc):
                raise
            Refusals(self.plan, collection, exc).judge()
