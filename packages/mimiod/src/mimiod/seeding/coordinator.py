"""The coordinator of a seeding: hands out what is missing, keeps what is done, and distrusts lost servers."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import pymongo.errors

from mimiod.errors import DatabaseError
from mimiod.seeding.loading import patiently
from mimiod.seeding.progress import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pymongo.database import Database

    from mimiod.seeding.executors import Executor
    from mimiod.seeding.loading import Done
    from mimiod.seeding.plan import Plan
    from mimiod.seeding.progress import Progress
    from mimiod.seeding.units import Unit

Result = TypeVar("Result")

WRITE_EVERY = 1.0
"Seconds between writes of the progress."


class Coordinator:
    """One seeding of a database, from what is done to the whole.

    A unit counts as done once the progress that says so is durable. Until then it is pending: if the
    server turns out to have been lost, what it acknowledged may be too, and all pending units are made
    again.
    """

    def __init__(
        self,
        plan: Plan,
        progress: Progress,
        database: Database[dict[str, Any]],
        *,
        report: Callable[[str, int, int | None], None],
        say: Callable[[str], None],
        patience: float,
        shrinking: frozenset[str] = frozenset(),
    ) -> None:
        self.plan = plan
        self.progress = progress
        self.database = database
        self.report = report
        self.say = say
        self.patience = patience
        self.shrinking = shrinking
        "Collections from which the server removes documents by itself."
        self.queue: deque[Unit] = deque()
        self.open: set[Unit] = set()
        "Handed out, loaded or waiting; not yet durable."
        self.pending: dict[Unit, Done] = {}
        "Loaded, and not yet durable."
        self.distrusted: set[Unit] = set()
        "Under way when the server was lost."
        self.server: object = None
        "Which process of the server answered last."
        self.recount = bool(progress.made)
        "Whether the documents are to be counted in the end."
        self.shown = Counter(progress.made)

    def run(self, executor: Executor) -> None:
        """Load what is missing.

        Raises:
            MimiodError: as the executor; what is done is kept.
        """
        self.server = self._server()
        self._load(executor, missing(self.plan, self.progress.rows))
        if self.recount:
            short = self._short()
            if short:
                self.progress.rows.clear()
                self.progress.made.clear()
                self.shown.clear()
                self._load(executor, missing(self.plan, self.progress.rows))
            if short and (short := self._short()):
                name, (there, made) = next(iter(short.items()))
                raise DatabaseError(
                    f"collection {name!r} holds {there:,} documents where {made:,} were made: "
                    "something else removes them"
                )

    def _load(self, executor: Executor, units: list[Unit]) -> None:
        self.queue.extend(units)
        self.open = set(units)
        self._show(self.plan.expected)
        last = time.monotonic()
        with closing(executor.run(self.queue)) as loading:
            try:
                for done in loading:
                    self._take(done)
                    if len(self.pending) == len(self.open):
                        self._patiently(self._keep)
                    elif time.monotonic() - last >= WRITE_EVERY:
                        with suppress(pymongo.errors.PyMongoError):  # the workers wait for the server
                            self._keep()
                        last = time.monotonic()
            except BaseException:
                with suppress(pymongo.errors.PyMongoError):
                    self._keep()
                raise
        for name, made in self.progress.made.items():
            self.report(name, made, made)

    def _take(self, done: Done) -> None:
        if done.unit in self.distrusted:
            self.distrusted.remove(done.unit)
            self.queue.append(done.unit)
            return
        self.recount |= done.server_was_lost
        self.pending[done.unit] = done
        self.shown.update(done.made)
        self._show(done.made)

    def _keep(self) -> None:
        """Make durable what is loaded, unless the server is not the one that loaded it."""
        server = self._server()
        if server != self.server:
            self.say("the server was started anew: what it may have lost is made again")
            self.server, self.recount = server, True
            for unit, done in self.pending.items():
                self.queue.append(unit)
                self.shown.subtract(done.made)
            self.pending.clear()
            self.distrusted = self.open.difference(self.queue)
            return
        for unit, done in self.pending.items():
            self.progress.add(unit, done.made)
        self.open -= self.pending.keys()
        self.pending.clear()
        self.progress.write()

    def _server(self) -> object:
        hello = self.database.command("hello")
        if hello.get("msg") == "isdbgrid":
            return None  # one of several routers answers; the servers behind them keep what they acknowledge
        return hello.get("topologyVersion", {}).get("processId")

    def _short(self) -> dict[str, tuple[int, int]]:
        """Return the collections with fewer documents than were made: how many there are, and were made."""
        found = {}
        for name, made in self.progress.made.items():
            if name in self.shrinking:
                continue
            there = self._patiently(lambda name=name: self.database[name].count_documents({}))  # type: ignore[misc]
            if there < made:
                found[name] = (there, made)
        return found

    def _patiently(self, do: Callable[[], Result]) -> Result:
        return patiently(do, patience=self.patience, say=self.say, stopped=threading.Event().wait)

    def _show(self, names: Iterable[str]) -> None:
        for name in names:
            expected = self.plan.expected.get(name)
            self.report(name, self.shown[name], max(expected, self.shown[name]) if expected else None)
