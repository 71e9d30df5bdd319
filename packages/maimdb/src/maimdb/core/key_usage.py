"""How often API keys are used: limited now, counted for later."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from maimdb.core.bookkeeping import Bookkeeper
from maimdb.core.errors import CommitUnknownError, RateLimitedError
from maimdb.core.scope import internal_scope

if TYPE_CHECKING:
    import datetime as dt

    from maimdb.core.database import Engine

_MINUTE: Final = 60.0
_REMEMBERED: Final = 10_000
"""Buckets above which the full ones are forgotten."""


class Limits:
    """Token buckets: each holds a minute's requests and fills evenly."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, limits: tuple[tuple[str, float], ...]) -> None:
        """Take one request from each bucket, or from none.

        Raises:
            RateLimitedError: with the seconds until there is one in each.
        """
        now = time.monotonic()
        with self._lock:
            if len(self._buckets) > _REMEMBERED:
                self._buckets = {
                    name: kept for name, kept in self._buckets.items() if now - kept[1] < _MINUTE
                }
            levels = {name: self._level(name, most, now) for name, most in limits}
            wait = max((1 - levels[name]) * _MINUTE / most if most else _MINUTE for name, most in limits)
            if wait > 0:
                raise RateLimitedError(f"too many requests: try again in {wait:.1f} s", retry_after=wait)
            for name, level in levels.items():
                self._buckets[name] = (level - 1, now)

    def _level(self, name: str, most: float, now: float) -> float:
        level, at = self._buckets.get(name, (most, now))
        return min(most, level + (now - at) * most / _MINUTE)

    def clear(self) -> None:
        """Forget every bucket."""
        with self._lock:
            self._buckets.clear()


class Uses:
    """What is to be written of the keys that were used."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, dt.datetime]] = {}
        self._rehashed: dict[str, tuple[str, str, str]] = {}
        self.bookkeeper = Bookkeeper("the use of API keys", self._write, self._forget, seconds)

    def add(self, key_id: str, now: dt.datetime) -> None:
        """Count a use."""
        with self._lock:
            self._counts[key_id] = (self._counts.get(key_id, (0, now))[0] + 1, now)
        self.bookkeeper.wake()

    def rehash(self, key_id: str, old: str, new: tuple[str, str]) -> None:
        """Replace a hash that was not made with the newest pepper."""
        with self._lock:
            self._rehashed[key_id] = (old, *new)

    def _write(self, database: Engine) -> None:
        with self._lock:
            counts, self._counts = self._counts, {}
            rehashed, self._rehashed = self._rehashed, {}
        if not counts and not rehashed:
            return
        try:
            with internal_scope():
                database.run_unit(lambda: _write_uses(database, counts, rehashed))
        except CommitUnknownError:
            raise  # counted again, uses would be counted twice
        except BaseException:
            with self._lock:
                for key_id, (count, at) in counts.items():
                    more, last = self._counts.get(key_id, (0, at))
                    self._counts[key_id] = (count + more, max(at, last))
            raise

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._counts, self._rehashed = {}, {}


def _write_uses(
    database: Engine, counts: dict[str, tuple[int, dt.datetime]], rehashed: dict[str, tuple[str, str, str]]
) -> None:
    mark = database.param
    for key_id in sorted(counts):  # in one order in every process, so that none waits for another in a ring
        count, at = counts[key_id]
        last = at.replace(tzinfo=None).isoformat(" ", "microseconds")
        database.execute_sql(
            f"UPDATE api_keys SET usage_count = usage_count + {mark}, last_used_at = CASE WHEN "  # noqa: S608
            f"last_used_at > {mark} THEN last_used_at ELSE {mark} END WHERE id = {mark}",
            (count, last, last, key_id),
        )
    for key_id, (old, new, pepper) in sorted(rehashed.items()):
        database.execute_sql(
            f"UPDATE api_keys SET key_hash = {mark}, pepper = {mark} "  # noqa: S608
            f"WHERE id = {mark} AND key_hash = {mark}",
            (new, pepper, key_id, old),
        )
