"""The mark that a run leaves in the database it fills: one run at a time, and nobody's data dropped.

One document in the collection `_mimiod` says who filled the database and whether a run goes on. Its
heartbeat goes stale when a process dies, and then the next run takes over.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pymongo.errors

from mimiod import mongo
from mimiod.errors import DatabaseInUseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from pymongo.database import Database

COLLECTION = "_mimiod"
HEARTBEAT_SECONDS = 5.0
STALE_AFTER = timedelta(seconds=30)

_ID = "run"


def mark_of(database: Database[dict[str, Any]]) -> Mapping[str, Any]:
    """Return the mark of the last run; empty where none filled the database."""
    mark = database[COLLECTION].find_one({"_id": _ID}) or {}
    found: Mapping[str, Any] = mark["found"] or {} if "found" in mark else mark
    return found


class RunLock:
    """The right of one run to fill a database."""

    def __init__(
        self, database: Database[dict[str, Any]], facts: Mapping[str, Any], *, borrowed: bool = False
    ) -> None:
        self.database = database
        self.marks = database[COLLECTION]
        self.state_before: str | None = None
        "How the run before this one left the database."
        self.mark = {
            "_id": _ID,
            "token": uuid.uuid4().hex,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "state": "running",
            **facts,
        }
        self.borrowed = borrowed
        "Whether the database is given back as it was found: whoever has the lock seeds nothing."
        self.found: Mapping[str, Any] | None = None
        "The mark that the last run left."

    def acquire(self, *, replace: bool) -> None:
        """Take the database.

        Raises:
            DatabaseInUseError: another run goes on, or the database has documents that no run of
                Mimiod wrote and `replace` does not allow dropping them.
        """
        now = self._now()
        holder = self.marks.find_one({"_id": _ID})
        # Who only borrowed the database and died has filled nothing: what counts is the mark before.
        self.found = holder["found"] if holder and "found" in holder else holder
        if self.found is None and not replace:
            self._refuse_strangers_data()
        if holder is not None and holder["state"] == "running" and self._alive(holder, now):
            raise DatabaseInUseError(self._held_by(holder))
        if self.borrowed:
            self.mark["found"] = self.found
        mark = {**self.mark, "started_at": now, "heartbeat_at": now}
        seen = {"_id": _ID, "token": holder["token"]} if holder else {"_id": _ID, "token": mark["token"]}
        try:
            # Only if it is still the mark that was looked at: two runs at once cannot both take it.
            self.marks.replace_one(seen, mark, upsert=True)
            self.state_before = self.found["state"] if self.found else None
        except pymongo.errors.DuplicateKeyError as exc:
            raise DatabaseInUseError(self._held_by(self.marks.find_one({"_id": _ID}) or mark)) from exc

    def release(self, state: str) -> None:
        """Leave the database, saying how it was left: complete, failed or interrupted.

        A server that is gone is not told: the mark of a dead process is no obstacle to the next run.
        """
        # A duplicate: another run has taken over meanwhile.
        with suppress(pymongo.errors.DuplicateKeyError, pymongo.errors.AutoReconnect):
            self._write({"state": state})

    def give_back(self) -> None:
        """Leave the database with the mark that was found."""
        held = {"_id": _ID, "token": self.mark["token"]}
        with suppress(pymongo.errors.AutoReconnect):
            if self.found is None:
                self.marks.delete_one(held)
            else:
                self.marks.replace_one(held, self.found)

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Keep the mark fresh as long as this lasts."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(HEARTBEAT_SECONDS):
                try:
                    self._write({})
                except pymongo.errors.PyMongoError:
                    continue  # the run itself will meet the same error, and says so

        thread = threading.Thread(target=beat, name="mimiod-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _write(self, change: Mapping[str, Any]) -> None:
        # An old seeder may have dropped the whole database, the mark with it: hence the upsert.
        fields = {key: value for key, value in self.mark.items() if key != "_id"}
        fields |= {"heartbeat_at": self._now(), **change}
        self.marks.update_one({"_id": _ID, "token": self.mark["token"]}, {"$set": fields}, upsert=True)

    def _refuse_strangers_data(self) -> None:
        for name in sorted(self.database.list_collection_names()):
            if not name.startswith("system.") and self.database[name].find_one({}, {"_id": 1}) is not None:
                raise DatabaseInUseError(
                    f"database {self.database.name!r} has data in {name!r} that Mimiod did not write: "
                    "give another server or database, or pass --replace to drop the project's collections"
                )

    def _alive(self, holder: Mapping[str, Any], now: datetime) -> bool:
        if holder["host"] == socket.gethostname() and not _process_exists(holder["pid"]):
            return False
        heartbeat: datetime = holder["heartbeat_at"]
        return now - heartbeat < STALE_AFTER

    def _held_by(self, holder: Mapping[str, Any]) -> str:
        return (
            f"database {self.database.name!r} is being filled by process {holder['pid']} on "
            f"{holder['host']}, since {holder['started_at']:%H:%M:%S} UTC: wait for it, or end it"
        )

    def _now(self) -> datetime:
        """Return the server's time, so that machines with differing clocks agree."""
        answer = self.database.command("hello", codec_options=mongo.CODEC)
        now: datetime = answer["localTime"]
        return now


def _process_exists(pid: int) -> bool:
    if os.name != "posix":
        return True  # elsewhere signal 0 is no mere question
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
