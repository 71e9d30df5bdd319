"""The rows that every contestant of the benchmark reads and writes, and how they come into a database.

Nothing is drawn by chance: the number of a row tells its id, tenant, session and time. A tenant has 200 rows
in two sessions; they lie far apart in the table, as they do where tenants write by turns.
"""

from __future__ import annotations

import datetime as dt
import io
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from maimdb import ChatHistory, Tenant, bulk_insert, close_database, init_database, system_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS_OF_TENANT: Final = 200
SESSIONS: Final = 2
PAGE: Final = 50

TABLE: Final = "chat_history"
COLUMNS: Final = (
    "id",
    "tenant_id",
    "agent_id",
    "created_at",
    "session_id",
    "user_message",
    "agent_response",
    "user_id",
    "message_type",
    "metadata",
)
WRITTEN: Final = tuple(column for column in COLUMNS if column not in {"agent_id", "metadata"})
"""The columns of a new row that are not NULL."""

_START: Final = dt.datetime(2026, 1, 1, microsecond=500)  # noqa: DTZ001 - UTC, stored without a zone
_QUESTION: Final = "What does my contract say about terms of notice?"
_ANSWER: Final = "Your contract can be ended by either side at the end of a quarter, six weeks before. " * 2
_LINES: Final = 50_000
"""Rows to a COPY."""


@dataclass(frozen=True)
class Place:
    """A database with the tables of MaimDB, and how many of the rows it holds."""

    engine: str
    url: str
    rows: int

    @property
    def path(self) -> str:
        """The file of a SQLite database."""
        return self.url.removeprefix("sqlite:///")

    @property
    def tenants(self) -> int:
        """How many tenants the rows have."""
        return self.rows // ROWS_OF_TENANT

    def tenant_of(self, number: int) -> str:
        """Return the tenant of a row."""
        return tenant_id(number % self.tenants)

    def page_of(self, number: int) -> tuple[str, str, list[UUID]]:
        """Return a row's tenant and session, and the ids of that session's first page."""
        tenant, session = number % self.tenants, number // self.tenants % SESSIONS
        places = range(session, ROWS_OF_TENANT, SESSIONS)[:PAGE]
        return tenant_id(tenant), session_id(session), [row_id(i * self.tenants + tenant) for i in places]

    def fill(self) -> None:
        """Create the tables and write the tenants and rows, unless they are there."""
        database = init_database(self.url)
        try:
            with system_scope(reason="the benchmark makes its tenants and rows"):
                database.create_tables([Tenant, *ChatHistory._meta.depends_on, ChatHistory])  # noqa: SLF001
                names = [tenant_id(number) for number in range(self.tenants)]
                bulk_insert(Tenant, [{"id": name, "tenant_name": name} for name in names])
        finally:
            close_database()
        rows = (_values(number, self.tenants) for number in range(self.rows))
        (_fill_sqlite if self.engine == "sqlite" else _fill_postgresql)(self, rows)


def tenant_id(number: int) -> str:
    """Return the id of a tenant."""
    return f"tenant_{number:08d}"


def session_id(number: int) -> str:
    """Return the id of a session; every tenant has the same."""
    return f"session_{number}"


def row_id(number: int) -> UUID:
    """Return the id of a row, spread as a random one is."""
    return UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835 + 1) % 2**128)


def new_row(number: int, session: str) -> dict[str, Any]:
    """Return the values of a row to be written; its id, tenant and time are left to whoever writes it."""
    return {
        "session_id": session,
        "user_message": _QUESTION,
        "agent_response": _ANSWER,
        "user_id": f"user_{number % 97}",
    }


def row_time(number: int) -> dt.datetime:
    """Return when a row was made: UTC, without a zone."""
    return _START + dt.timedelta(seconds=number)


def _values(number: int, tenants: int) -> tuple[Any, ...]:
    tenant, session, user = number % tenants, number // tenants % SESSIONS, f"user_{number % 97}"
    key, time = row_id(number).hex, str(row_time(number))
    return key, tenant_id(tenant), time, session_id(session), _QUESTION, _ANSWER, user, "text"


def _fill_sqlite(place: Place, rows: Iterator[tuple[Any, ...]]) -> None:
    with closing(sqlite3.connect(place.path)) as connection:
        connection.execute("PRAGMA cache_size=-1000000")
        named = (
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
        )
        indexes = connection.execute(named, [TABLE]).fetchall()
        for name, _ in indexes:
            connection.execute(f'DROP INDEX "{name}"')
        marks = ", ".join("?" * len(WRITTEN))
        connection.executemany(f"INSERT INTO {TABLE} ({', '.join(WRITTEN)}) VALUES ({marks})", rows)  # noqa: S608
        for _, sql in indexes:
            connection.execute(sql)
        connection.execute("ANALYZE")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _fill_postgresql(place: Place, rows: Iterator[tuple[Any, ...]]) -> None:
    import psycopg2  # noqa: PLC0415 - not needed for SQLite

    with closing(psycopg2.connect(place.url)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        while part := list(islice(rows, _LINES)):
            text = "".join("\t".join(row) + "\n" for row in part)
            cursor.copy_expert(f"COPY {TABLE} ({', '.join(WRITTEN)}) FROM STDIN", io.StringIO(text))
        cursor.execute(f"VACUUM ANALYZE {TABLE}")
