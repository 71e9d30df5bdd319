"""What is written beside the requests: gathered, and written in batches by a thread, or before the end.

Nothing is lost when the database is closed or the program ends; a program that is killed loses what was
gathered since the last batch.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING

import peewee

from maimdb.core.database import database_proxy, on_close
from maimdb.core.errors import MaimdbError

if TYPE_CHECKING:
    from collections.abc import Callable

    from maimdb.core.database import Engine

logger = logging.getLogger("maimdb")


class Bookkeeper:
    """Calls a function that writes a batch to the open database, `seconds` after something came to wait."""

    def __init__(
        self, name: str, write: Callable[[Engine], None], forget: Callable[[], None], seconds: float
    ) -> None:
        self.name = name
        self.seconds = seconds
        self._write = write
        self._forget = forget
        self._start()
        _bookkeepers.add(self)

    def _start(self) -> None:
        self._waiting = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._busy = threading.Lock()

    def wake(self) -> None:
        """Have what was gathered written soon."""
        self._waiting.set()
        if not self._is_running():
            with self._starting:
                if not self._is_running():
                    self._thread = threading.Thread(target=self._run, name=f"maimdb {self.name}", daemon=True)
                    self._thread.start()

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def flush(self) -> None:
        """Write what was gathered, now; inside a transaction, which may be undone, it waits.

        Raises:
            MaimdbError, peewee.PeeweeException: it could not be written, and is kept.
        """
        database = database_proxy.obj
        if database is None or database.in_transaction():
            return
        self._waiting.clear()
        with self._busy:
            database = database_proxy.obj
            if database is not None:  # closed while another thread wrote
                self._write(database)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self._waiting.wait()
            pause.wait(self.seconds)
            self.try_flush()
            database = database_proxy.obj
            if database is not None:
                database.close()

    def try_flush(self) -> None:
        """Write what was gathered; a failure is logged."""
        try:
            self.flush()
        except (MaimdbError, peewee.PeeweeException) as exc:
            logger.warning("%s cannot be written now and is kept: %s", self.name, exc)

    def after_fork(self) -> None:
        """Leave to the parent what it has gathered."""
        self._start()
        self._forget()


_bookkeepers: weakref.WeakSet[Bookkeeper] = weakref.WeakSet()


def flush_all() -> None:
    """Write everything that was gathered."""
    for bookkeeper in list(_bookkeepers):
        bookkeeper.try_flush()


def _after_fork() -> None:
    for bookkeeper in list(_bookkeepers):
        bookkeeper.after_fork()


on_close.append(flush_all)
atexit.register(flush_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
