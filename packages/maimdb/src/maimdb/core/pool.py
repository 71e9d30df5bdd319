"""A pool of connections: dials outside its lock, lends in the order of asking, outlives dead threads."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import peewee

from maimdb.core.errors import PoolTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

C = TypeVar("C")

_LOOK_AROUND = 0.25
"""Seconds between two looks for connections of threads that died, while waiting."""


@dataclass(frozen=True, slots=True)
class Driver(Generic[C]):
    """What a pool must know of its connections."""

    dial: Callable[[float], C]
    """Opens one within so many seconds."""
    hang_up: Callable[[C], None]
    """Closes one, whatever its state; raises nothing."""
    is_alive: Callable[[C, float], bool]
    """Tells whether one that lay idle for so many seconds still works."""
    reset: Callable[[C, bool], bool]
    """Ends its transaction and, if the flag says so, what was changed of its session; False: it is spent."""
    shareable: bool = True
    """Whether a parked one may go to another thread although its last result is perhaps half read."""


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """The state of a pool at one moment; `in_use`, `idle` and connections being dialled make up its slots."""

    size: int
    in_use: int
    idle: int
    """Open and free, parked ones included."""
    waiting: int
    """Threads that wait for a connection."""


class Lease(Generic[C]):
    """A connection lent to a thread. Only that thread calls `claim` and `park`."""

    __slots__ = (
        "__weakref__",
        "_token",
        "broken",
        "connection",
        "dirty",
        "held",
        "implicit",
        "orphan",
        "owner",
    )

    def __init__(self, connection: C) -> None:
        self.connection = connection
        self.owner = threading.current_thread()
        self.held = True
        self.implicit = False
        self.dirty = False
        self.broken = False
        self.orphan = False
        self._token: list[
            None
        ] = []  # holds one item while parked; list.pop is atomic, so only one side gets it

    def park(self) -> None:
        """Lay it down between two statements."""
        self.held = False
        self._token.append(None)

    def claim(self) -> bool:
        """Take it back from where it was parked; False: it went to another thread."""
        if not self.held:
            try:
                self._token.pop()
            except IndexError:
                return False
            self.held = True
        return True

    def steal(self) -> bool:
        """Take it from its thread (any thread may ask); False: it is in use."""
        try:
            self._token.pop()
        except IndexError:
            return False
        return True

    @property
    def is_parked(self) -> bool:
        """Whether anybody may take it."""
        return bool(self._token)


class _Waiter(Generic[C]):
    """A thread in the queue: woken to look around, or because it was given a connection or a slot."""

    __slots__ = ("given", "lease", "owner", "wake")

    def __init__(self) -> None:
        self.owner = threading.current_thread()
        self.wake = threading.Event()
        self.given = False
        self.lease: Lease[C] | None = None


class Pool(Generic[C]):
    """At most `size` connections, lent in the order of asking; it dials and resets outside its lock."""

    def __init__(self, driver: Driver[C], size: int, timeout: float) -> None:
        self.size = size
        self.timeout = timeout
        self._driver = driver
        self._lock = threading.Lock()
        self._slots = 0  # connections that are open, being dialled or being reset
        self._idle: list[tuple[C, float]] = []
        self._leases: set[Lease[C]] = set()
        self.queue: deque[_Waiter[C]] = deque()
        """The threads that wait, the first first."""
        self._closed = threading.Event()

    def status(self) -> PoolStatus:
        """Return the state of this moment."""
        with self._lock:
            idle = len(self._idle) + sum(lease.is_parked for lease in self._leases)
            return PoolStatus(self.size, self._slots - idle, idle, len(self.queue))

    def acquire(self) -> Lease[C]:
        """Lend a connection to this thread.

        Raises:
            PoolTimeoutError: none became free within the timeout.
        """
        deadline = time.monotonic() + self.timeout
        lease = self._take_idle()
        while lease is None and self._reclaim():
            lease = self._take_idle()
        lease = lease or self._queue_up(deadline)
        if lease is not None:
            return lease
        try:
            connection = self._driver.dial(max(deadline - time.monotonic(), 0.1))
        except BaseException:
            self._free_slot()
            raise
        lease = Lease(connection)
        with self._lock:
            self._leases.add(lease)
        return lease

    def release(self, lease: Lease[C]) -> None:
        """Take a connection back: reset, or hung up if it is broken."""
        if lease.broken or self._closed.is_set() or not self._driver.reset(lease.connection, lease.dirty):
            self._discard(lease)
            return
        with self._lock:
            self._leases.discard(lease)
            if self._closed.is_set():
                pass
            elif self.queue:
                self._give(self.queue.popleft(), lease.connection)
                return
            else:
                self._idle.append((lease.connection, time.monotonic()))
                return
        self._discard(lease)

    def nudge(self) -> None:
        """Tell the first waiter that a connection was parked."""
        with self._lock:
            if self.queue:
                self.queue[0].wake.set()

    def close(self) -> None:
        """Hang up all that is not in use; what is in use is hung up when it comes back."""
        with self._lock:
            self._closed.set()
            idle, self._idle = self._idle, []
            self._slots -= len(idle)
            for waiter in self.queue:
                waiter.wake.set()
        for connection, _ in idle:
            self._driver.hang_up(connection)
        for lease in self._reclaimable(parked=True):
            self._discard(lease)

    def _take_idle(self) -> Lease[C] | None:
        """Lend the connection that was used last, if there is one that lives and nobody waits."""
        while True:
            with self._lock:
                if self._closed.is_set():
                    raise _closed()
                if not self._idle or self.queue:
                    return None
                connection, since = self._idle.pop()
                lease = Lease(connection)
                self._leases.add(lease)
            if self._driver.is_alive(connection, time.monotonic() - since):
                return lease
            self._discard(lease)

    def _queue_up(self, deadline: float) -> Lease[C] | None:
        """Wait for a connection, or for a slot to dial into (None)."""
        waiter: _Waiter[C] = _Waiter()
        with self._lock:
            if not self.queue and self._idle:
                self._give(waiter, self._idle.pop()[0])
            elif not self.queue and self._slots < self.size:
                self._slots += 1
                self._give(waiter, None)
            else:
                self.queue.append(waiter)
        try:
            while not waiter.given:
                remaining = deadline - time.monotonic()
                if remaining <= 0 or self._closed.is_set():
                    self._leave(waiter)
                    break
                waiter.wake.wait(min(remaining, _LOOK_AROUND))
                waiter.wake.clear()
                if not waiter.given:
                    self._reclaim()
        except BaseException:  # KeyboardInterrupt: nobody may be handed a connection that nobody takes
            self._abandon(waiter)
            raise
        return waiter.lease

    def _leave(self, waiter: _Waiter[C]) -> None:
        """Give up waiting, unless something was given at the last moment."""
        with self._lock:
            if waiter.given:
                return
            if self._closed.is_set():
                raise _closed()
            in_use, waiting = self._slots - len(self._idle), len(self.queue)
        raise PoolTimeoutError(
            f"no connection became free within {self.timeout:g} s: all {self.size} are in use, {waiting} "
            "waiting. Close connections or end transactions sooner, or raise DB_MAX_CONNECTIONS",
            size=self.size,
            in_use=in_use,
            waiting=waiting,
            timeout=self.timeout,
        )

    def _abandon(self, waiter: _Waiter[C]) -> None:
        with self._lock:
            if not waiter.given:
                self.queue.remove(waiter)
                return
        if waiter.lease is not None:
            self.release(waiter.lease)
        else:
            self._free_slot()

    def _give(self, waiter: _Waiter[C], connection: C | None) -> None:
        """Hand a waiter a connection or a slot (None); the lock is held."""
        if connection is not None:
            waiter.lease = Lease(connection)
            waiter.lease.owner = waiter.owner
            self._leases.add(waiter.lease)
        waiter.given = True
        waiter.wake.set()

    def _discard(self, lease: Lease[C]) -> None:
        self._driver.hang_up(lease.connection)
        with self._lock:
            self._leases.discard(lease)
        self._free_slot()

    def _free_slot(self) -> None:
        with self._lock:
            if self.queue and not self._closed.is_set():
                self._give(self.queue.popleft(), None)
            else:
                self._slots -= 1

    def _reclaim(self) -> bool:
        """Bring back the connections of dead threads and, if the pool is full, a parked one; False: none."""
        found = self._reclaimable()
        for lease in found:
            if lease.orphan:  # hung up when its thread lets go of it; the slot is what is won
                self._free_slot()
            else:
                self.release(lease)
        return bool(found)

    def _reclaimable(self, *, parked: bool = False) -> list[Lease[C]]:
        """Remove from the books, and return, the leases of dead threads and one parked (or all parked)."""
        with self._lock:
            found = [lease for lease in self._leases if not lease.owner.is_alive()]
            if parked or (not found and not self._idle and self._slots >= self.size):
                for lease in self._leases:
                    if lease.owner.is_alive() and lease.steal():
                        lease.orphan = not self._driver.shareable and not self._closed.is_set()
                        if lease.orphan:  # its thread learns it at its next statement, or dies before
                            weakref.finalize(lease, self._driver.hang_up, lease.connection).atexit = False
                        found.append(lease)
                        if not parked:
                            break
            self._leases.difference_update(found)
        return found


def _closed() -> peewee.InterfaceError:
    return peewee.InterfaceError("the database is closed: call get_database() again")
