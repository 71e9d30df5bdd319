"""The ways to the same table that the benchmark compares, each used as its manual says.

All hold the same settings of the connection, and every write is a transaction of its own but for the bulk
insert, which is one. A tenant filter is written by hand, except in MaimDB, whose scope is opened anew for
every operation. Modules that are perhaps not installed are imported when their contestant is made.
"""

from __future__ import annotations

import datetime as dt
import io
import sqlite3
import uuid
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import unquote, urlsplit

import peewee
from maimdb import ChatHistory, bulk_insert, close_database, init_database, tenant_scope

from scripts.bench.rows import COLUMNS, PAGE, TABLE, WRITTEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.bench.rows import Place

Row = Any

PRAGMAS: Final = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1}
"""The settings of each connection to SQLite: what MaimDB sets for itself."""
BATCH: Final = 1000
_ALL: Final = ", ".join(COLUMNS)
_NEW: Final = ", ".join(WRITTEN)


def now() -> dt.datetime:
    """Return the present moment as the drivers store it."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


class Contestant:
    """A way to the table. An operation that it lacks is no attribute of it."""

    name: ClassVar[str]
    engines: ClassVar[tuple[str, ...]] = ("sqlite", "postgresql")
    """The engines that it is a way to."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def run(self, operation: str, items: Sequence[tuple[Any, ...]]) -> tuple[float, list[Any]]:
        """Do an operation for each item; return the seconds and the results."""
        act = getattr(self, operation)
        started = perf_counter()
        results = [act(*item) for item in items]
        return perf_counter() - started, results

    def ready(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Return the rows in the form that the bulk insert takes."""
        return rows

    def close(self) -> None:
        """Give back what is open."""


class Raw(Contestant):
    """The driver with nothing above it: tuples in, tuples out."""

    name = "raw driver"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        if place.engine == "sqlite":
            self.connection: Any = sqlite3.connect(place.path, isolation_level=None)
            for pragma, value in PRAGMAS.items():
                self.connection.execute(f"PRAGMA {pragma}={value}")
            mark = "?"
        else:
            psycopg2 = import_module("psycopg2")
            self.connection = psycopg2.connect(place.url)
            self.connection.autocommit = True
            mark = "%s"
        mine = f"WHERE tenant_id = {mark} AND "
        new = ", ".join([mark] * len(WRITTEN))
        every = ", ".join(f"{column} = {mark}" for column in COLUMNS[2:])
        self._get = f"SELECT {_ALL} FROM {TABLE} {mine}id = {mark}"  # noqa: S608
        self._page = (
            f"SELECT {_ALL} FROM {TABLE} {mine}session_id = {mark} "  # noqa: S608
            f"ORDER BY created_at, id LIMIT {mark}"
        )
        self._insert = f"INSERT INTO {TABLE} ({_NEW}) VALUES ({new})"  # noqa: S608
        self._update = f"UPDATE {TABLE} SET user_id = {mark} {mine}id = {mark}"  # noqa: S608
        self._save = f"UPDATE {TABLE} SET {every} {mine}id = {mark}"  # noqa: S608

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement and return its cursor."""
        cursor = self.connection.cursor()
        cursor.execute(sql, values)
        return cursor

    def get(self, tenant: str, key: uuid.UUID) -> Row:
        """Return the row of an id."""
        return self.execute(self._get, (tenant, key.hex)).fetchone()

    def page(self, tenant: str, session: str) -> list[Row]:
        """Return the first rows of a session."""
        return self.execute(self._page, (tenant, session, PAGE)).fetchall()  # type: ignore[no-any-return]

    def insert(self, tenant: str, values: Mapping[str, Any]) -> None:
        """Write a new row."""
        row = (
            uuid.uuid4().hex,
            tenant,
            str(now()),
            values["session_id"],
            values["user_message"],
            values["agent_response"],
            values["user_id"],
            "text",
        )
        self.execute(self._insert, row)

    def update(self, tenant: str, key: uuid.UUID, user: str) -> Any:
        """Change a column of the row of an id; return the number of rows."""
        return self.execute(self._update, (user, tenant, key.hex)).rowcount

    def save(self, tenant: str, row: Row, user: str) -> None:
        """Change a column of a row that was read, and write all of it."""
        self.execute(self._save, (*row[2:7], user, *row[8:], tenant, row[0]))

    def ready(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Return tuples of what the driver takes."""
        return [
            tuple(row["id"].hex if name == "id" else str(row.get(name, "text")) for name in WRITTEN)
            for row in rows
        ]

    def bulk(self, tenant: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write many new rows: `executemany`, or COPY."""
        del tenant
        if self.place.engine == "sqlite":
            self.execute("BEGIN IMMEDIATE")
            self.connection.executemany(self._insert, rows)
            self.execute("COMMIT")
            return
        text = "".join(["\t".join(row) + "\n" for row in rows])
        self.connection.cursor().copy_expert(f"COPY {TABLE} ({_NEW}) FROM STDIN", io.StringIO(text))

    def tidy(self, *, thoroughly: bool = False) -> None:
        """Make the next write start with nothing left to do of the last one's."""
        if self.place.engine == "sqlite":
            self.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        elif thoroughly:
            self.execute(f"VACUUM {TABLE}")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class RawValues(Raw):
    """The PostgreSQL driver's other way to insert many rows."""

    name = "raw driver, no COPY"
    engines = ("postgresql",)
    get = page = insert = update = save = None  # type: ignore[assignment]

    def bulk(self, tenant: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write many new rows by `execute_values`."""
        del tenant
        extras = import_module("psycopg2.extras")
        sql = f"INSERT INTO {TABLE} ({_NEW}) VALUES %s"  # noqa: S608
        extras.execute_values(self.connection.cursor(), sql, rows, page_size=len(rows))


class PlainHistory(peewee.Model):
    """The table as a model of bare Peewee."""

    id = peewee.UUIDField(primary_key=True, default=uuid.uuid4)
    tenant_id = peewee.CharField(50, null=True)
    agent_id = peewee.CharField(50, null=True)
    created_at = peewee.DateTimeField(default=now)
    session_id = peewee.CharField(255)
    user_message = peewee.TextField()
    agent_response = peewee.TextField()
    user_id = peewee.CharField(255, null=True)
    message_type = peewee.CharField(50, default="text")
    metadata = peewee.TextField(null=True)

    class Meta:  # noqa: D106 - Peewee's
        table_name = TABLE


class Peewee(Contestant):
    """Bare Peewee."""

    name = "Peewee"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        if place.engine == "sqlite":
            self.database: Any = peewee.SqliteDatabase(place.path, pragmas=PRAGMAS)
        else:
            parts = urlsplit(place.url)
            self.database = peewee.PostgresqlDatabase(
                parts.path[1:],
                host=parts.hostname,
                port=parts.port,
                user=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
            )
        PlainHistory.bind(self.database)
        self.database.connect()

    def get(self, tenant: str, key: uuid.UUID) -> Row:
        """Return the row of an id."""
        return (
            PlainHistory.select().where((PlainHistory.tenant_id == tenant) & (PlainHistory.id == key)).get()
        )

    def page(self, tenant: str, session: str) -> list[Row]:
        """Return the first rows of a session."""
        mine = (PlainHistory.tenant_id == tenant) & (PlainHistory.session_id == session)
        order = PlainHistory.created_at, PlainHistory.id
        return list(PlainHistory.select().where(mine).order_by(*order).limit(PAGE))

    def insert(self, tenant: str, values: Mapping[str, Any]) -> None:
        """Write a new row."""
        PlainHistory.create(tenant_id=tenant, **values)

    def update(self, tenant: str, key: uuid.UUID, user: str) -> Any:
        """Change a column of the row of an id; return the number of rows."""
        mine = (PlainHistory.tenant_id == tenant) & (PlainHistory.id == key)
        return PlainHistory.update(user_id=user).where(mine).execute()

    def save(self, tenant: str, row: Row, user: str) -> None:
        """Change a column of a row that was read, and write all of it; a filter cannot be added."""
        del tenant
        row.user_id = user
        row.save()

    def bulk(self, tenant: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write many new rows."""
        del tenant
        with self.database.atomic():
            for batch in peewee.chunked(rows, BATCH):
                PlainHistory.insert_many(batch).execute()

    def close(self) -> None:
        """Close the connection."""
        self.database.close()


class PeeweeUnfiltered(Contestant):
    """Bare Peewee where nobody asks for the tenant; on the connection of `Peewee`."""

    name = "Peewee, no tenant filter"

    def get(self, tenant: str, key: uuid.UUID) -> Row:
        """Return the row of an id."""
        del tenant
        return PlainHistory.get_by_id(key)


_set_by_id: Final[Any] = ChatHistory.set_by_id  # Peewee has no types for it


class Maimdb(Contestant):
    """MaimDB by the ways that are made for it: compiled once, the tenant a parameter."""

    name = "MaimDB"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        init_database(place.url)

    def get(self, tenant: str, key: uuid.UUID) -> Row:
        """Return the row of an id."""
        with tenant_scope(tenant):
            return ChatHistory.get_by_id(key)

    def page(self, tenant: str, session: str) -> list[Row]:
        """Return the first rows of a session."""
        with tenant_scope(tenant):
            return ChatHistory.page(limit=PAGE, session_id=session)

    def insert(self, tenant: str, values: Mapping[str, Any]) -> None:
        """Write a new row."""
        with tenant_scope(tenant):
            ChatHistory.create(**values)

    def update(self, tenant: str, key: uuid.UUID, user: str) -> Any:
        """Change a column of the row of an id; return the number of rows."""
        with tenant_scope(tenant):
            return _set_by_id(key, {"user_id": user})

    def save(self, tenant: str, row: Row, user: str) -> None:
        """Change a column of a row that was read, and write all of it."""
        with tenant_scope(tenant):
            row.user_id = user
            row.save()

    def ready(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Return the rows without the tenant, which the scope adds."""
        return [{name: value for name, value in row.items() if name != "tenant_id"} for row in rows]

    def bulk(self, tenant: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write many new rows."""
        with tenant_scope(tenant):
            bulk_insert(ChatHistory, rows)

    def close(self) -> None:
        """Close the database."""
        close_database()


class MaimdbQueries(Contestant):
    """MaimDB by queries of any shape, which the gate compiles each time; on the connection of `Maimdb`."""

    name = "MaimDB, any query"

    def get(self, tenant: str, key: uuid.UUID) -> Row:
        """Return the row of an id."""
        with tenant_scope(tenant):
            return ChatHistory.select().where(ChatHistory.id == key).get()

    def page(self, tenant: str, session: str) -> list[Row]:
        """Return the first rows of a session."""
        with tenant_scope(tenant):
            mine = ChatHistory.select().where(ChatHistory.session_id == session)
            return list(mine.order_by(ChatHistory.created_at, ChatHistory.id).limit(PAGE))

    def insert(self, tenant: str, values: Mapping[str, Any]) -> None:
        """Write a new row."""
        with tenant_scope(tenant):
            ChatHistory.insert(**values).execute()

    def update(self, tenant: str, key: uuid.UUID, user: str) -> Any:
        """Change a column of the row of an id; return the number of rows."""
        with tenant_scope(tenant):
            return ChatHistory.update(user_id=user).where(ChatHistory.id == key).execute()

    def bulk(self, tenant: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write many new rows."""
        with tenant_scope(tenant), peewee_transaction():
            for batch in peewee.chunked(rows, BATCH):
                ChatHistory.insert_many(batch).execute()


def peewee_transaction() -> Any:
    """Return a transaction of the database that MaimDB is bound to."""
    database: Any = ChatHistory._meta.database  # noqa: SLF001
    return database.atomic()
