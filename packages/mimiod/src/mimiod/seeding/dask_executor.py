"""Units loaded by the workers of a Dask cluster, on any number of machines."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from mimiod import mongo
from mimiod.errors import ConfigurationError, WorkerLostError
from mimiod.seeding.executors import connected, default_workers, without_main
from mimiod.seeding.loading import Loader

try:
    import distributed
except ImportError as exc:
    raise ConfigurationError("--executor dask:// needs Dask: pip install 'mimiod[dask]'") from exc

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Generator

    from mimiod.seeding.loading import Done, Job
    from mimiod.seeding.units import Unit

LOCAL = "dask://local"
"A cluster of this machine, for as long as the run lasts."

_PLUGIN = "mimiod"
_AHEAD = 2
"Units a thread of the cluster has: one under way, one waiting."
ANSWER_WITHIN = 10


class DaskExecutor:
    """Loads on the Dask cluster whose scheduler is at `dask://host:port`, or on one of this machine.

    Its workers have Mimiod and the project's folder, at the same path. A worker that dies is Dask's
    affair: its units go to others, three times at most.
    """

    def __init__(self, address: str, job: Job, workers: int | None, say: Callable[[str], None]) -> None:
        self.address = address
        self.job = job
        self.workers = workers
        self.say = say

    def run(self, queue: deque[Unit]) -> Generator[Done, None, None]:
        """Yield each unit of the queue once it is loaded, in no order."""
        with ExitStack() as stack:
            stack.enter_context(without_main())
            client = stack.enter_context(self._client(stack))
            client.register_plugin(LoaderPlugin(self.job), name=_PLUGIN)
            stack.callback(client.unregister_worker_plugin, _PLUGIN)
            client.subscribe_topic(_PLUGIN, lambda event: self.say(event[1]))
            under_way: dict[Any, Unit] = {}
            stack.callback(lambda: client.cancel(list(under_way)))
            done: Any = distributed.as_completed(loop=client.loop)  # type: ignore[no-untyped-call]
            while queue or under_way:
                room = _AHEAD * max(1, sum(client.nthreads().values()))
                while queue and len(under_way) < room:
                    unit = queue.popleft()
                    future = client.submit(load, unit, pure=False)
                    under_way[future] = unit
                    done.add(future)
                future = next(done)
                unit = under_way.pop(future)
                yield self._outcome(future, unit)

    def _client(self, stack: ExitStack) -> distributed.Client:
        if self.address == LOCAL:
            cluster = distributed.LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=self.workers or default_workers(),
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
            )
            return distributed.Client(stack.enter_context(cluster))  # type: ignore[no-untyped-call]
        try:
            address = self.address.replace("dask://", "tcp://", 1)
            return distributed.Client(address, timeout=ANSWER_WITHIN)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as exc:
            raise ConfigurationError(
                f"no Dask scheduler answers at {self.address}: start one with `dask scheduler`, "
                f"or give {LOCAL}"
            ) from exc

    def _outcome(self, future: distributed.Future[Done], unit: Unit) -> Done:
        try:
            done: Done = future.result()
        except distributed.KilledWorker as exc:
            raise WorkerLostError(
                f"Dask workers died again and again that had rows {unit.start} to {unit.stop - 1} of "
                f"{unit.root!r}, among others: see their logs, if memory ran out give them more"
            ) from exc
        return done


class LoaderPlugin(distributed.WorkerPlugin):
    """What a Dask worker has to know to load units; Dask gives it to those that come later too."""

    name = _PLUGIN

    def __init__(self, job: Job) -> None:
        self.job = job

    def setup(self, worker: distributed.Worker) -> None:
        """Prepare the worker; nothing is loaded before its first unit."""
        self.worker = worker
        self.building = threading.Lock()
        self.stopping = threading.Event()
        self.own = threading.local()
        self.loaders: list[Loader] = []

    def teardown(self, worker: distributed.Worker) -> None:
        """Close what `load` opened."""
        del worker
        self.stopping.set()
        for loader in self.loaders:
            loader.close()
            loader.database.client.close()

    def load(self, unit: Unit) -> Done:
        """Load a unit with the loader of this thread."""
        try:
            if not hasattr(self.own, "loader"):
                self.own.loader = self._loader()
            done: Done = self.own.loader.load(unit)
        except Exception as exc:  # noqa: BLE001 - the project's own code
            raise self.job.source.explained(exc) from None  # a cause may be none that can be pickled
        return done

    def say(self, text: str) -> None:
        """Tell the process that runs the project."""
        self.worker.log_event(_PLUGIN, text)

    def _loader(self) -> Loader:
        with self.building:  # to import a project changes the process
            plan = self.job.source.plan()
        plan.adopt(self.job.pools)
        client = connected(self.job, self.say, self.stopping.wait)
        loader = Loader(
            plan,
            mongo.database(client, self.job.database),
            uri=self.job.uri,
            say=self.say,
            stopped=self.stopping.wait,
            patience=self.job.patience,
        )
        self.loaders.append(loader)
        return loader


def load(unit: Unit) -> Done:
    """Load a unit: the task of a Dask worker."""
    plugin = distributed.get_worker().plugins[_PLUGIN]
    assert isinstance(plugin, LoaderPlugin)
    return plugin.load(unit)
