"""Database work of asyncio tasks, done in threads so that the event loop goes on.

    tenant = await in_thread(Tenant.get_by_id, tenant_id)     # one call, one hop to a thread
    async with unit():                                        # one transaction, one thread for all of it
        ...
    await run_unit(transfer, source, target)                  # a whole function in one hop, with its retry

Context goes along: what runs in the thread sees the tenant scope of the task that awaits it.
"""

# ruff: noqa: SLF001 - a unit inside a unit is served by the outer one

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import queue
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from maimdb.core.database import get_database
from maimdb.core.errors import UnitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 16
"""Threads for calls outside of units: more would wait for each other, not for the database."""

_unit: ContextVar[unit | None] = ContextVar("maimdb.unit", default=None)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="maimdb")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)


async def in_thread(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a function of the database in a thread: in the unit's, inside `unit()`.

    A call that is cancelled before its thread begins is not done; one that has begun is done to its end.

    Raises:
        UnitError: the unit that this task began in is over.
    """
    job = functools.partial(contextvars.copy_context().run, function, *args, **kwargs)
    current = _unit.get()
    if current is not None:
        return await current._do(job)
    return await asyncio.get_running_loop().run_in_executor(_threads(), job)


async def run_unit(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a function in one transaction and one hop; it is done again as a whole if the connection is lost.

    As `database.run_unit`, and the fastest way to do several statements.
    """
    return await in_thread(lambda: get_database().run_unit(functools.partial(function, *args, **kwargs)))


class unit:  # noqa: N801 - it reads as a statement
    """`async with unit():` makes one transaction of what it encloses; an error or a cancellation undoes it.

    Tasks that are started inside take part, one statement at a time, until it ends. A unit inside a unit of
    the same task is a savepoint.

    Raises:
        UnitError: a task opens a unit inside another task's, or goes on in one that is over.
        PoolTimeoutError: no connection became free.
    """

    def __init__(self) -> None:
        self._outer: unit | None = None
        self._savepoint: Any = None
        self._task: Any = None
        """The task that entered, weakly: its context holds the unit."""
        self._over = False
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._committing = threading.Event()
        self._ended: Future[None] = Future()

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise UnitError("a unit is entered once: make another with unit()")
        self._outer, self._task = _unit.get(), weakref.ref(_current_task())
        if self._outer is not None:
            await self._begin_savepoint(self._outer)
        else:
            await self._begin_transaction()
        _unit.set(self)
        return self

    async def _begin_savepoint(self, outer: unit) -> None:
        if outer._task() is not self._task():
            raise UnitError(
                "a task opened a unit inside another task's: open it before the task is started, or run the "
                "task outside of the other unit"
            )
        self._savepoint = await outer._do(lambda: get_database().atomic())
        await outer._do(self._savepoint.__enter__)

    async def _begin_transaction(self) -> None:
        began: Future[None] = Future()
        # A unit that is never left, because its loop was stopped, is undone when it is thrown away.
        weakref.finalize(self, self._jobs.put, None)
        serve = functools.partial(_serve, self._jobs, self._committing, began, self._ended)
        threading.Thread(
            target=contextvars.copy_context().run, args=(serve,), name="maimdb-unit", daemon=True
        ).start()
        try:
            await asyncio.wrap_future(began)
        except asyncio.CancelledError:
            self._jobs.put(None)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        _unit.set(self._outer)
        if self._outer is not None:
            await _to_the_end(
                self._outer._put(functools.partial(self._savepoint.__exit__, kind, error, trace))
            )
            return
        if kind is None:
            self._committing.set()
        self._jobs.put(None)
        await _to_the_end(self._ended, if_cancelled=self._committing.clear)

    def _put(self, job: Callable[[], R]) -> Future[R]:
        root, over = self, self._over
        while root._outer is not None:
            root = root._outer
            over = over or root._over
        if over:
            raise UnitError(
                "the unit that this task began in is over: open another, or await the task inside it"
            )
        future: Future[R] = Future()
        root._jobs.put((future, job))
        return future

    async def _do(self, job: Callable[[], R]) -> R:
        return await asyncio.wrap_future(self._put(job))


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None  # a coroutine is run by one
    return task


async def _to_the_end(future: Future[Any], if_cancelled: Callable[[], Any] = lambda: None) -> None:
    """Wait for a future whatever happens, and raise the cancellation that came meanwhile."""
    waiting = asyncio.wrap_future(future)
    cancelled: asyncio.CancelledError | None = None
    while not waiting.done():
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError as exc:
            cancelled = exc
            if_cancelled()
        except BaseException:  # noqa: BLE001, S110 - raised below, by result()
            pass
    waiting.result()
    if cancelled is not None:
        raise cancelled


class _UndoneError(Exception):
    """Undoes the transaction that it leaves."""


def _serve(
    jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None],
    committing: threading.Event,
    began: Future[None],
    ended: Future[None],
) -> None:
    """Hold a transaction open, and do in it what is put, until None comes."""
    if not began.set_running_or_notify_cancel():
        return
    try:
        database = get_database()
        with database.connection_context(), database.atomic():
            began.set_result(None)
            while (item := jobs.get()) is not None:
                _finish(*item)
                del item
            if not committing.is_set():
                raise _UndoneError  # noqa: TRY301 - it undoes the transaction
    except _UndoneError:
        ended.set_result(None)
    except BaseException as exc:  # noqa: BLE001 - whoever waits raises it
        (ended if began.done() else began).set_exception(exc)
    else:
        ended.set_result(None)


def _finish(future: Future[Any], job: Callable[[], Any]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(job())
        except BaseException as exc:  # noqa: BLE001 - whoever waits raises it
            future.set_exception(exc)
