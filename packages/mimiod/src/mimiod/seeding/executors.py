"""Where units are loaded: in this process, or in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from mimiod import mongo
from mimiod.errors import MimiodError, WorkerLostError
from mimiod.seeding.loading import Done, Job, Loader, StoppedError, patiently

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Generator, Iterator
    from multiprocessing.context import SpawnProcess

    from pymongo.database import Database

    from mimiod.seeding.plan import Plan
    from mimiod.seeding.units import Unit

MOST_WORKERS = 4
"How many are started where no number is given; a server is rarely faster with more."
FEW_DOCUMENTS = 50_000
"Up to so many are loaded by this process: to start others takes longer."
ATTEMPTS = 3
"How often a unit is tried whose worker dies."

_STOP_WITHIN = 2.0
"Seconds for the batches that are under way; then the workers are ended."


class Executor(Protocol):
    """Loads units."""

    def run(self, queue: deque[Unit]) -> Generator[Done, None, None]:
        """Yield each unit of the queue once it is loaded; the queue may grow meanwhile.

        When the iterator is closed, or raises, all work ends.
        """


def default_workers() -> int:
    """Return how many worker processes suit this machine."""
    return min(os.cpu_count() or 1, MOST_WORKERS)


class InProcess:
    """Loads in this process."""

    def __init__(
        self,
        plan: Plan,
        database: Database[dict[str, Any]],
        *,
        uri: str,
        say: Callable[[str], None],
        patience: float,
    ) -> None:
        self.plan = plan
        self.database = database
        self.uri = uri
        self.say = say
        self.patience = patience

    def run(self, queue: deque[Unit]) -> Generator[Done, None, None]:
        """Yield each unit of the queue once it is loaded."""
        stopping = threading.Event()
        loader = Loader(
            self.plan,
            self.database,
            uri=self.uri,
            say=self.say,
            stopped=stopping.wait,
            patience=self.patience,
        )
        try:
            while queue:
                yield loader.load(queue.popleft())
        finally:
            stopping.set()
            loader.close()


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection[Any, Any]
    unit: Unit | None = None


class Processes:
    """Loads in worker processes, each with one unit at a time.

    Each has a pipe of its own, so that one that is killed takes nothing with it but its unit, which
    another does again. Workers end when their pipe closes: none outlives this process.
    """

    def __init__(self, job: Job, count: int, say: Callable[[str], None]) -> None:
        self.job = job
        self.count = count
        self.say = say
        self.workers: list[_Worker] = []
        self.deaths: Counter[Unit] = Counter()

    def run(self, queue: deque[Unit]) -> Generator[Done, None, None]:
        """Yield each unit of the queue once it is loaded, in no order."""
        ended = False
        try:
            while queue or any(worker.unit for worker in self.workers):
                self._hand_out(queue)
                connections = {worker.connection: worker for worker in self.workers if worker.unit}
                for ready in wait(list(connections)):
                    worker = connections[ready]  # type: ignore[index]
                    try:
                        message = worker.connection.recv()
                    except (EOFError, OSError):
                        queue.appendleft(self._lost(worker))
                        continue
                    match message:
                        case Done():
                            worker.unit = None
                            yield message
                        case str():
                            self.say(message)
                        case Exception():
                            raise message
            ended = True
        finally:
            self._dismiss(within=None if ended else _STOP_WITHIN)

    def _hand_out(self, queue: deque[Unit]) -> None:
        while queue:
            worker = next((worker for worker in self.workers if not worker.unit), None)
            if worker is None:
                if len(self.workers) == self.count:
                    return
                worker = self._started()
            unit = queue.popleft()
            try:
                worker.connection.send(unit)
            except OSError:  # it died while it had nothing to do
                self._forget(worker)
                queue.appendleft(unit)
            else:
                worker.unit = unit

    def _started(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(self.job, theirs), name="mimiod-worker", daemon=True)
        with without_main(), _keyboard_interrupts_held():
            process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self.workers.append(worker)
        return worker

    def _lost(self, worker: _Worker) -> Unit:
        unit = worker.unit
        assert unit is not None
        self._forget(worker)
        self.deaths[unit] += 1
        if self.deaths[unit] == ATTEMPTS:
            raise WorkerLostError(
                f"{ATTEMPTS} worker processes died on rows {unit.start} to {unit.stop - 1} of "
                f"{unit.root!r}, the last with exit code {worker.process.exitcode}: "
                "if memory ran out, give fewer --workers"
            )
        return unit

    def _forget(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        worker.connection.close()
        worker.process.join()

    def _dismiss(self, within: float | None) -> None:
        for worker in self.workers:
            worker.connection.close()
        deadline = None if within is None else time.monotonic() + within
        for worker in self.workers:
            worker.process.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self.workers.clear()


def work(job: Job, connection: Connection[Any, Any]) -> None:
    """Be a worker process: receive units, send what became of them, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal's processes
    sys.stdout = sys.stderr  # standard output is the first process's, and may be JSON

    def stopped(seconds: float) -> bool:
        return connection.poll(seconds)  # nothing is sent to a worker that has a unit: the pipe is closed

    try:
        try:
            plan = job.source.plan()
            plan.adopt(job.pools)
            with connected(job, connection.send, stopped) as client:
                database = mongo.database(client, job.database)
                loader = Loader(
                    plan,
                    database,
                    uri=job.uri,
                    say=connection.send,
                    stopped=stopped,
                    patience=job.patience,
                )
                while True:
                    connection.send(loader.load(connection.recv()))
        except MimiodError as exc:
            connection.send(exc)
        except (StoppedError, EOFError, OSError):
            pass
        except Exception as exc:  # noqa: BLE001 - the project's own code
            connection.send(job.source.explained(exc))
    except OSError:
        pass  # nobody listens any more


def connected(job: Job, say: Callable[[str], None], stopped: Callable[[float], bool]) -> mongo.Client:
    """Return a client for a job; its server may have gone after the job was made."""
    return patiently(lambda: mongo.connect(job.uri), patience=job.patience, say=say, stopped=stopped)


@contextmanager
def without_main() -> Iterator[None]:
    """Start processes inside that do not run the main program again, as they would: it may be a script."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _keyboard_interrupts_held() -> Iterator[None]:
    """Start processes inside that never see Ctrl-C, not even while they import; ours comes afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # when it starts, it lets SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
