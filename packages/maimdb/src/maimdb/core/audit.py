"""The audit log: a table to which events are only added, each sealed with the hash of the one before.

    events(tenant_id="tenant_k3j9x2ab")     # the newest first
    verify()                                # what was edited, deleted or cut off

Recorded are crossings (`system_scope`), what becomes of keys, and steps in the life of a tenant. The last two
are written in the transaction of the change itself. Crossings are gathered and written within a second, as a
read must not wait for a lock; they are in the log `maimdb.audit` at once. Where the table is missing, the
database cannot be written, or SQLite stands in for a server, the log is all there is.

One row, `audit_head`, made with its table, holds the last number and hash: it is locked to add an event, so
that threads and processes make one chain, and it shows when the end of the chain is missing. Who can change
every table can also forge the head: keep the head that `maimdb audit verify` prints elsewhere, and pass it
the next time.
"""

# ruff: noqa: S608 - names and placeholders of ours

from __future__ import annotations

import hashlib
import json
import logging
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import peewee

from maimdb.core.bookkeeping import Bookkeeper
from maimdb.core.database import get_database
from maimdb.core.errors import DatabaseError
from maimdb.core.scope import internal_scope, on_crossing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maimdb.core.database import Engine

TABLE: Final = "audit_events"
HEAD: Final = "audit_head"
CROSSING: Final = "scope.crossed"
GENESIS: Final = "0" * 64
"""What stands for the hash of the event before the first."""
_COLUMNS: Final = "seq, at, actor, tenant_id, kind, subject, details, previous_hash, hash"
_TEXT: Final = 255
_PAGE: Final = 1000
_QUEUE: Final = 10_000
"""Crossings that are kept while they cannot be written."""
_SECONDS: Final = 0.5
"""How long a crossing waits to be written."""

logger = logging.getLogger("maimdb.audit")
_actor: ContextVar[str] = ContextVar("maimdb.actor", default="")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, and its seal."""

    seq: int
    at: str
    """UTC, `2026-01-31 12:00:00.000000`."""
    actor: str
    """Who did it, as `acting_as` said."""
    tenant_id: str | None
    kind: str
    subject: str
    details: str
    """JSON."""
    previous_hash: str
    hash: str

    def sealed(self) -> str:
        """Return the hash that the event should have."""
        values = (self.at, self.actor, self.tenant_id, self.kind, self.subject, self.details)
        text = json.dumps([self.seq, *values, self.previous_hash], ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Fault:
    """Where the chain is not as it was written."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found of the chain."""

    events: int
    head: str
    """`<seq>:<hash>` of the last event: keep it, and the next verification can be told of it."""
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was edited, deleted or cut off."""
        return not self.faults


@contextmanager
def acting_as(actor: str) -> Iterator[None]:
    """Name who does what is recorded inside: a user, a key's id, a job."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def record(kind: str, subject: str, *, tenant_id: str | None = None, **details: Any) -> Event | None:
    """Add an event in the current transaction, or one of its own; None: there is no table, it was logged."""
    event = _event(kind, subject, tenant_id, details)
    logger.info("%s %s: %s", kind, subject, event.details, extra={"tenant": tenant_id})
    database = get_database()
    with internal_scope():
        return _add(database, [event])[0] if _is_kept(database) else None


def events(
    *, tenant_id: str | None = None, kind: str | None = None, limit: int = 100, before: int | None = None
) -> list[Event]:
    """Return events, the newest first: of a tenant, of a kind, of numbers below `before`."""
    _crossings.flush()
    database = get_database()
    mark = database.param
    wanted = {"tenant_id =": tenant_id, "kind =": kind, "seq <": before}
    given = {test: value for test, value in wanted.items() if value is not None}
    tests = " AND ".join(f"{test} {mark}" for test in given) or "1 = 1"
    with internal_scope():
        if not _is_kept(database):
            return []
        sql = f"SELECT {_COLUMNS} FROM {TABLE} WHERE {tests} ORDER BY seq DESC LIMIT {int(limit)}"
        return [_read(row) for row in database.execute_sql(sql, tuple(given.values())).fetchall()]


def verify(*, head: str | None = None) -> Verification:
    """Return what was edited, deleted or cut off; `head` is one that an earlier verification returned."""
    _crossings.flush()
    database = get_database()
    with internal_scope():
        if not _is_kept(database):
            lost = (Fault(0, "there is no audit log: run `maimdb migrate`"),)
            return Verification(0, f"0:{GENESIS}", lost)
        anchor = _head(database) or (0, GENESIS)
        faults, last, count = _walk(database, anchor, head)
        newest = database.execute_sql(f"SELECT MAX(seq) FROM {TABLE}").fetchone()[0] or 0
        if newest > (_head(database) or (0, ""))[0]:
            faults.append(Fault(newest, "stands after the head of the chain"))
    return Verification(count, f"{last[0]}:{last[1]}", tuple(faults))


def flush() -> None:
    """Write the crossings that were gathered."""
    _crossings.flush()


def _walk(
    database: Any, anchor: tuple[int, str], kept: str | None
) -> tuple[list[Fault], tuple[int, str], int]:
    faults: list[Fault] = []
    last, count = (0, GENESIS), 0
    kept_seq, _, kept_hash = (kept or "").partition(":")
    for event in _all(database, anchor[0]):
        count += 1
        if event.seq > last[0] + 1:
            faults.append(Fault(last[0] + 1, _missing(last[0] + 1, event.seq - 1)))
        elif event.previous_hash != last[1]:
            faults.append(Fault(event.seq, "does not follow the event before it"))
        if event.hash != event.sealed():
            faults.append(Fault(event.seq, "was edited"))
        if str(event.seq) == kept_seq and event.hash != kept_hash:
            faults.append(Fault(event.seq, "is not the event that the given head names"))
        last = (event.seq, event.hash)
    if last[0] < anchor[0]:
        faults.append(Fault(last[0] + 1, _missing(last[0] + 1, anchor[0])))
    elif last[1] != anchor[1]:
        faults.append(Fault(last[0], "is not the event that the head of the chain names"))
    if kept is not None and (not kept_seq.isdigit() or int(kept_seq) > last[0]):
        faults.append(Fault(last[0] + 1, f"the given head {kept!r} is not in the chain"))
    return faults, last, count


def _missing(first: int, last: int) -> str:
    return "is missing" if first == last else f"to {last} are missing"


def _all(database: Any, last: int) -> Iterator[Event]:
    seq = -(2**62)
    sql = (
        f"SELECT {_COLUMNS} FROM {TABLE} WHERE seq > {database.param} AND seq <= {database.param} "
        f"ORDER BY seq LIMIT {_PAGE}"
    )
    while rows := database.execute_sql(sql, (seq, last)).fetchall():
        yield from map(_read, rows)
        seq = rows[-1][0]


def _read(row: Any) -> Event:
    seq, at, *others = row
    return Event(seq, at if isinstance(at, str) else at.isoformat(" ", "microseconds"), *others)


def _event(kind: str, subject: str, tenant_id: str | None, details: dict[str, Any]) -> Event:
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    known = {name: value for name, value in details.items() if value is not None}
    text = json.dumps(known, ensure_ascii=False, sort_keys=True, default=str)
    actor = _clean(_actor.get())[:_TEXT]
    return Event(0, now, actor, tenant_id, kind, _clean(subject)[:_TEXT], _clean(text), "", "")


def _clean(text: str) -> str:
    """Return the text as every engine can hold it."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def _is_kept(database: Engine) -> bool:
    if database.fallback_since is not None:  # its rows go to the server, which has a chain of its own
        return False
    facts = database.__dict__
    if not facts.get("audit_kept"):
        facts["audit_kept"] = {TABLE, HEAD} <= set(database.get_tables())
    return bool(facts["audit_kept"])


def _add(database: Engine, new: Iterable[Event]) -> list[Event]:
    """Seal events and add them; the lock on the head is held until the transaction ends."""
    mark = database.param
    added = []
    with database.atomic():
        seq, last = _locked_head(database)
        for event in new:
            sealed = replace(event, seq=seq + 1, previous_hash=last)
            sealed = replace(sealed, hash=sealed.sealed())
            values = [getattr(sealed, name) for name in _COLUMNS.split(", ")]
            database.execute_sql(
                f"INSERT INTO {TABLE} ({_COLUMNS}) VALUES ({', '.join([mark] * len(values))})", values
            )
            added.append(sealed)
            seq, last = sealed.seq, sealed.hash
        database.execute_sql(f"UPDATE {HEAD} SET seq = {mark}, hash = {mark} WHERE id = 1", (seq, last))
    return added


def _head(database: Engine, rest: str = "") -> tuple[int, str] | None:
    row = database.execute_sql(f"SELECT seq, hash FROM {HEAD} WHERE id = 1{rest}").fetchone()
    return None if row is None else (row[0], row[1])


def _locked_head(database: Engine) -> tuple[int, str]:
    lock = "" if isinstance(database, peewee.SqliteDatabase) else " FOR UPDATE"  # SQLite locks at BEGIN
    found = _head(database, lock)
    if found is None:
        raise DatabaseError(
            f"the row of {HEAD} is gone, and nothing can be added to the audit log: `maimdb audit verify` "
            "says what else is; restore the row from a backup"
        )
    return found


_gathered: deque[Event] = deque(maxlen=_QUEUE)


def _cross(reason: str, tenant: str | None) -> None:
    _gathered.append(_event(CROSSING, reason, tenant, {"reason": reason}))
    _crossings.wake()


def _write_crossings(database: Engine) -> None:
    if not _gathered:
        return
    with internal_scope():
        if not _is_kept(database):
            return
        new = [_gathered.popleft() for _ in range(len(_gathered))]
        try:
            _add(database, new)
        except BaseException:
            _gathered.extendleft(reversed(new))
            database.__dict__["audit_kept"] = False
            raise


_crossings = Bookkeeper("the audit log", _write_crossings, _gathered.clear, _SECONDS)
on_crossing.append(_cross)
