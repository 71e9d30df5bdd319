"""What the engines share: the status, units of work, the end of a transaction, and forks."""

from __future__ import annotations

import contextlib
import math
import os
import random
import select
import time
import weakref
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import peewee

from maimdb.core import errors, migrations
from maimdb.core.engines.pooled import PoolMixin, as_peewee_error
from maimdb.core.gate import GateMixin
from maimdb.core.migrator import Migrator
from maimdb.core.pool import Driver, Pool, PoolStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from maimdb.core.config import DatabaseConfig

R = TypeVar("R")

_LOST_UNITS = 5
"""How often one unit of work may lose its connection before it is given up."""
_DEADLOCKS = 10
"""So often a unit is done again that was undone because of a deadlock."""
TRUSTED_IDLE = 30.0
"""Seconds after which an idle connection is asked whether it lives, rather than only looked at."""


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """The state of a database at one moment."""

    engine: str
    """`sqlite`, `postgresql`, `mysql` or `mariadb`."""
    version: str | None
    """The server's or library's version; None before the first connection."""
    url: str
    """Where it is, the password masked."""
    pool: PoolStatus
    fallback: bool = False
    """Whether SQLite stands in for the configured server."""
    fallback_since: datetime | None = None
    fallback_reason: str | None = None
    last_error: str | None = None
    """The last failure to connect or to keep a connection."""


class Engine(GateMixin, PoolMixin):
    """What the engines share. Takes a `DatabaseConfig`; opens nothing by itself."""

    config: DatabaseConfig
    fallback_since: datetime | None = None
    fallback_reason: str | None = None
    last_error: str | None = None
    _shareable: ClassVar[bool] = True

    def _start(self, config: DatabaseConfig) -> None:
        self.config = config
        self._new_pool()
        _engines.add(self)

    def _new_pool(self) -> None:
        driver = Driver(self._dial, hang_up, self._is_alive, self._reset, shareable=self._shareable)
        self._attach(Pool(driver, self.config.max_connections, self.config.connection_timeout))

    def _dial(self, timeout: float) -> Any:
        """Open a connection; raises MaimDB's errors."""
        try:
            with as_peewee_error:
                connection = self._connect_within(timeout)
        except (peewee.PeeweeException, OSError, RuntimeError, ValueError) as exc:
            if isinstance(exc, errors.MaimdbError):
                raise
            error = self._explained(exc)
            self._note(error)
            raise error from exc
        if self.server_version is None:
            self._set_server_version(connection)  # type: ignore[attr-defined]
        return connection

    @abstractmethod
    def _connect_within(self, timeout: float) -> Any:
        """Open a connection and set up its session; raises the driver's errors."""

    @abstractmethod
    def _explained(self, exc: Exception) -> Exception:
        """Return the error that says why a connection could not be opened."""

    @abstractmethod
    def _is_alive(self, connection: Any, idle: float) -> bool:
        """Whether a connection that lay idle for so many seconds still works."""

    @abstractmethod
    def _reset(self, connection: Any, dirty: bool) -> bool:  # noqa: FBT001 - the pool's signature
        """End the transaction and, if dirty, what was changed of the session; False: it is spent."""

    @abstractmethod
    def _duplicate(self, exc: peewee.IntegrityError) -> str | None:
        """Return the constraint of a duplicate key; None: it is another error."""

    def _error(self, kind: type[errors.DatabaseError], what: str, exc: Exception) -> errors.DatabaseError:
        reason = self.config.masked(one_line(exc))
        return kind(
            f"{self.config.source}: {self.config.url} {what} ({reason})",
            engine=self.config.engine,
            target=self.config.url,
        )

    def _note(self, exc: Exception) -> None:
        self.last_error = f"{type(exc).__name__}: {exc}"

    def _wrapped(self, exc: peewee.PeeweeException, *, lost: bool) -> Exception:
        if lost:
            error = self._error(errors.ConnectionLostError, "lost the connection", exc)
            self._note(error)
            return error
        if isinstance(exc, peewee.IntegrityError):
            constraint = self._duplicate(exc)
            if constraint is not None:
                return errors.DuplicateError(one_line(exc), constraint=constraint)
        return exc

    def is_connection_usable(self) -> bool:
        """Whether this thread has a connection and it answers."""
        lease = self._state.lease
        if not self._claim() or lease is None:
            return False
        if self._is_alive(lease.connection, math.inf):
            self._park(lease)
            return True
        if not self.in_transaction():
            lease.broken = True
            self._drop_if_broken()
        return False

    def status(self) -> DatabaseStatus:
        """Return the engine, its version, its pool, and whether it is a fallback."""
        return DatabaseStatus(
            engine=self.engine_name,
            version=self._version(),
            url=self.config.url,
            pool=self.pool.status(),
            fallback=self.fallback_since is not None,
            fallback_since=self.fallback_since,
            fallback_reason=self.fallback_reason,
            last_error=self.last_error,
        )

    @property
    def engine_name(self) -> str:
        """`sqlite`, `postgresql`, `mysql` or `mariadb`."""
        return self.config.engine

    def _version(self) -> str | None:
        return ".".join(map(str, self.server_version)) if self.server_version else None

    def create_tables(self, models: Any, **options: Any) -> None:
        """Create tables; one that is given all of MaimDB's at once is at the schema's latest version."""
        models = list(models)
        whole = migrations.own_tables() <= {model._meta.table_name for model in models}  # noqa: SLF001
        fresh = whole and migrations.is_blank(self)
        super().create_tables(models, **options)
        if fresh:
            migrations.stamp(self)

    def drop_tables(self, models: Any, **options: Any) -> None:
        """Drop tables; with all of MaimDB's goes the history of their versions."""
        models = list(models)
        super().drop_tables(models, **options)
        migrations.forget(self, [model._meta.table_name for model in models])  # noqa: SLF001

    def migrator(self) -> Migrator:
        """Return an empty list of schema changes, to be filled and run."""
        return Migrator(self)

    def run_unit(self, fn: Callable[[], R]) -> R:
        """Run a unit of work in a transaction; do it again, as a whole, if the server did not let it end.

        That is when the connection is lost, for `connection_timeout` seconds after the first loss, and when
        the server undid it because of a deadlock. In a transaction it is part of it.

        Raises:
            CommitUnknownError: the connection was lost during COMMIT and the server cannot be asked (MySQL);
                the unit is not done again.
        """
        if self.in_transaction():
            return fn()
        deadline = math.inf
        losses = deadlocks = pauses = 0
        while True:
            try:
                return self._run_once(fn)
            except errors.CommitUnknownError:
                raise
            except (errors.ConnectionLostError, errors.DatabaseUnavailableError) as exc:
                losses += isinstance(exc, errors.ConnectionLostError)
                deadline = min(deadline, time.monotonic() + self.config.connection_timeout)
                if losses > _LOST_UNITS or time.monotonic() > deadline:
                    raise
            except peewee.OperationalError as exc:
                deadlocks += 1
                if deadlocks > _DEADLOCKS or not is_deadlock(exc):
                    raise
            # Apart from each other, so that not all threads come at once when the server is back.
            time.sleep(min(0.05 * 2**pauses, 1.0) * random.uniform(0.5, 1.0))  # noqa: S311
            pauses += 1

    def _run_once(self, fn: Callable[[], R]) -> R:
        try:
            with self.atomic():
                result = fn()
                self._state.unit = self._transaction_id()
            return result
        finally:
            self._state.unit = None

    def commit(self) -> None:
        """Commit the transaction.

        Raises:
            ConnectionLostError: the connection was lost before, or the server says that it did not commit.
            CommitUnknownError: the connection was lost on the way.
        """
        lease = self._lease()
        if not self._is_alive(lease.connection, 0.0):
            lost = peewee.OperationalError("the server had closed the connection")
            lease.broken = True
            self._drop_if_broken()
            raise self._wrapped(lost, lost=True) from lost
        try:
            super().commit()
        except errors.ConnectionLostError as exc:
            outcome = self._outcome(self._state.unit)
            if outcome is None:
                raise errors.CommitUnknownError(
                    f"{exc}: whether COMMIT took effect is unknown; look before doing it again",
                    engine=exc.engine,
                    target=exc.target,
                ) from exc
            if not outcome:
                raise

    def _transaction_id(self) -> Any:
        """Return what `_outcome` needs to know of the current transaction."""
        return None

    def _outcome(self, transaction_id: Any) -> bool | None:  # noqa: ARG002 - for engines that can tell
        """Whether a transaction was committed; None: it cannot be known."""
        return None

    def close_all(self) -> None:
        """Give this thread's connection back and close the pool for good."""
        super().close_all()
        _engines.discard(self)

    def _after_fork(self) -> None:
        # The parent's connections stay the parent's: kept here, so that no finalizer closes what is shared.
        _inherited.append((self._state, self.pool))
        self._new_pool()


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
_inherited: list[Any] = []


def _after_fork() -> None:
    for engine in list(_engines):
        engine._after_fork()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def hang_up(connection: Any) -> None:
    """Close a driver's connection, whatever its state."""
    with contextlib.suppress(Exception):
        connection.close()


def is_quiet(fd: int) -> bool:
    """Whether a socket has nothing to read: a server that closed it, or complains, has."""
    if not hasattr(select, "poll"):  # Windows
        return not select.select([fd], [], [], 0)[0]
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return not poll.poll(0)


def one_line(exc: Exception) -> str:
    """Return the first line of what a driver said; the others are hints, or the values of a row."""
    return str(exc.args[-1] if exc.args else exc).strip().partition("\n")[0]


def is_deadlock(exc: BaseException | None) -> bool:
    """Whether an error comes of a deadlock, which ended the transaction.

    On MySQL that ends its savepoints too, and to go back to one is another error, which hides the first.
    """
    while exc is not None:
        if exc.args[:1] == (1213,) or getattr(getattr(exc, "orig", exc), "pgcode", None) == "40P01":
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def orig(exc: Exception) -> Any:
    """Return the driver's exception behind Peewee's."""
    return getattr(exc, "orig", None)


def missing_driver(source: str, package: str) -> errors.MissingDriverError:
    """Return the error for a package that is not installed."""
    return errors.MissingDriverError(
        f"{source} needs a package that is not installed: pip install {package}", variable=source
    )


def bad_timezone(name: str, where: str) -> errors.ConfigurationError:
    """Return the error for a time zone that a server does not know."""
    return errors.ConfigurationError(f"DB_TIMEZONE is {name!r}, unknown to {where}", variable="DB_TIMEZONE")
