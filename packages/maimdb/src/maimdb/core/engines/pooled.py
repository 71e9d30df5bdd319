"""The Peewee mixin whose connections come from a pool, and the one seam that driver errors pass.

A thread that asks for nothing but statements (no `connect()`, no transaction) is lent a connection and keeps
it *parked* between statements: it comes back to it without a lock. When the pool runs out, parked connections
go to whoever waits, so idle threads starve nobody. A connection whose session was changed (`SET`, `PRAGMA`,
temporary tables, a raw cursor) is never parked: its thread keeps it until `close()`, and it is reset then.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NoReturn

import peewee

from maimdb.core.errors import ConnectionLostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from maimdb.core.pool import Lease, Pool

logger = logging.getLogger("peewee")
as_peewee_error: Any = peewee.__exception_wrapper__  # type: ignore[attr-defined]
"""A context that turns a driver's exceptions into Peewee's."""


class State(threading.local):
    """What a thread has open: Peewee's connection state and the lease behind it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.ctx: list[Any] = []
        self.transactions: list[Any] = []
        self.commit_callbacks: list[Callable[[], Any]] = []
        self.unit: Any = None
        """The transaction's name on the server, while a unit of work commits it."""
        self.drop()

    def drop(self) -> None:
        """Forget the connection, but not the contexts that are to be left."""
        self.closed = True
        self.conn: Any = None
        self.lease: Lease[Any] | None = None

    def take(self, lease: Lease[Any]) -> None:
        """Use a lease."""
        self.lease = lease
        self.conn = lease.connection
        self.closed = False


# What leaves a session as it was; Peewee writes capitals. Anything else counts as a change.
_PLAIN = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH ", "(SELEC", "SAVEPO", "RELEAS", "ROLLBA"})


class PoolMixin(peewee.Database, ABC):
    """A Peewee database whose connections come from a `Pool`, and whose driver errors pass one seam."""

    pool: Pool[Any]

    @abstractmethod
    def _is_lost(self, exc: peewee.PeeweeException, connection: Any) -> bool:
        """Whether the error means that the connection is gone."""

    @abstractmethod
    def _changes_session(self, sql: str) -> bool:
        """Whether a statement that reads or writes rows also changes the session, through a function."""

    @abstractmethod
    def _wrapped(self, exc: peewee.PeeweeException, *, lost: bool) -> Exception:
        """Return the error to raise for a driver's, or the same."""

    def _attach(self, pool: Pool[Any]) -> None:
        self._state = State()
        self.pool = pool

    def connect(self, reuse_if_open: bool = False) -> bool:  # noqa: FBT001, FBT002 - Peewee's signature
        """Borrow a connection for this thread until `close()`; False: it has one already."""
        state: State = self._state
        if self._claim() and state.lease:
            if state.lease.implicit:
                state.lease.implicit = False
                return True
            if reuse_if_open:
                return False
            raise peewee.OperationalError("Connection already opened.")
        self._open(implicit=False)
        return True

    def close(self) -> bool:
        """Give this thread's connection back to the pool; False: it has none."""
        state: State = self._state
        if state.transactions:
            raise peewee.OperationalError("Attempting to close database while transaction is open.")
        lease = state.lease if self._claim() else None
        state.reset()
        if lease is None:
            return False
        self.pool.release(lease)
        return True

    def close_all(self) -> None:
        """Give this thread's connection back and close the pool for good."""
        self.close()
        self.pool.close()

    def dispose(self) -> None:
        """Forget this thread's connection without touching it."""
        self._state.reset()

    def is_closed(self) -> bool:
        """Whether this thread holds no connection."""
        return not (isinstance(self._state, State) and self._claim())  # Peewee asks before there is a pool

    def connection(self) -> Any:
        """Return the driver's connection, this thread's until `close()`; its session counts as changed."""
        lease = self._lease()
        lease.implicit, lease.dirty = False, True
        return lease.connection

    def cursor(self, named_cursor: Any = None) -> Any:  # noqa: ARG002 - Peewee's signature
        """Return a new cursor of the driver; the connection's session counts as changed."""
        lease = self._lease()
        lease.dirty = True
        return lease.connection.cursor()

    def _execute_cursor(self, sql: str, params: Any, **options: Any) -> Any:
        state: State = self._state
        lease = state.lease
        if lease is None or not lease.claim():
            lease = self._lease()
        plain = (sql[:6] in _PLAIN or sql[:5] in _PLAIN) and not (lease.dirty or self._changes_session(sql))
        try:
            if self.query_hooks or options:
                return super()._execute_cursor(sql, params, **options)  # type: ignore[misc]
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug((sql, params))
            cursor = lease.connection.cursor()  # Peewee's own way to here costs as much again
            cursor.execute(sql, params or ())
        except Exception as exc:  # noqa: BLE001 - sorted out at the seam
            self._raise(exc, lease)
        else:
            return cursor
        finally:
            lease.dirty = not plain
            if plain and lease.implicit and not (lease.broken or state.transactions or state.ctx):
                lease.park()
                if self.pool.queue:
                    self.pool.nudge()

    def begin(self, *args: Any, **kwargs: Any) -> None:
        """Start a transaction."""
        lease = self._lease()
        dirty = lease.dirty
        try:
            super().begin(*args, **kwargs)
        except peewee.PeeweeException as exc:
            self._raise(exc, lease)
        lease.dirty = dirty

    def commit(self) -> None:
        """Commit the transaction."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction; a connection that is lost has done it already."""
        lease = self._state.lease
        if lease is None or lease.broken:
            self._drop_if_broken()
            return
        with contextlib.suppress(ConnectionLostError):
            self._end("ROLLBACK")

    def _end(self, statement: str) -> None:
        lease = self._lease()
        try:
            lease.connection.cursor().execute(statement)
        except Exception as exc:  # noqa: BLE001 - sorted out at the seam
            self._raise(exc, lease)
        self._park(lease)

    def _raise(self, error: Exception, lease: Lease[Any]) -> NoReturn:
        """The seam: mark a lost connection, raise MaimDB's or Peewee's error from the driver's."""
        try:
            with as_peewee_error:
                raise error
        except peewee.PeeweeException as exc:
            self._raise_ours(exc, lease)

    def _raise_ours(self, exc: peewee.PeeweeException, lease: Lease[Any]) -> NoReturn:
        lost = self._is_lost(exc, lease.connection)
        if lost:
            lease.broken = True
            self._drop_if_broken()
        error = self._wrapped(exc, lost=lost)
        if error is exc:
            raise exc
        raise error from exc

    def _drop_if_broken(self) -> None:
        """Leave a lost connection, unless a transaction still believes in it: its statements must fail."""
        state: State = self._state
        lease = state.lease
        if lease is not None and lease.broken and not state.transactions:
            state.drop()
            self.pool.release(lease)

    def _open(self, *, implicit: bool) -> Lease[Any]:
        lease = self.pool.acquire()
        lease.implicit = implicit
        self._state.take(lease)
        return lease

    def _claim(self) -> bool:
        """Whether this thread has a connection, taken back from where it was parked."""
        state: State = self._state
        lease = state.lease
        if lease is None:
            return False
        if lease.claim():
            return True
        state.drop()
        return False

    def _lease(self) -> Lease[Any]:
        lease: Lease[Any] | None = self._state.lease
        if lease is not None and (lease.held or self._claim()):
            return lease
        if not self.autoconnect:
            raise peewee.InterfaceError("Error, database connection not opened.")
        return self._open(implicit=True)

    def _park(self, lease: Lease[Any]) -> None:
        """Park the connection between two statements, if it was lent for statements alone."""
        state: State = self._state
        if lease.implicit and not (lease.dirty or lease.broken or state.transactions or state.ctx):
            lease.park()
            if self.pool.queue:
                self.pool.nudge()
