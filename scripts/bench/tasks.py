"""Ways for many asyncio tasks to read and write the same table, each used as its manual says.

Each is asked to do the 50 operations of a task, one after the other, 200 tasks at once, with at most 20
connections. The tenant filter is written by hand, except in MaimDB, where each task opens its scope.
"""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final

from maimdb import ChatHistory, close_database, init_database, tenant_scope
from maimdb.core.async_models import AsyncChatHistory, run_unit
from playhouse import pool  # type: ignore[import-untyped]

from scripts.bench.contestants import PRAGMAS, Peewee, PlainHistory
from scripts.bench.orms import SqlAlchemy, Tortoise

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence

    from scripts.bench.rows import Place

CONNECTIONS: Final = 20
_PATIENCE: Final = 300


class Way:
    """A way for tasks to the table: `get` and `insert` take a tenant and the operations of one task."""

    name: ClassVar[str]

    def __init__(self, place: Place) -> None:
        self.place = place

    async def start(self) -> None:
        """Open what belongs to the loop."""

    async def get(self, tenant: str, keys: Sequence[uuid.UUID]) -> int:
        """Return how many rows of the ids were found, each asked for by itself."""
        raise TypeError(tenant, keys)

    async def insert(self, tenant: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write rows, each by itself; return how many."""
        raise TypeError(tenant, rows)

    async def stop(self) -> None:
        """Close what belongs to the loop."""

    def close(self) -> None:
        """Close the rest."""


class MaimdbTasks(Way):
    """MaimDB's asynchronous models: a hop to a thread for each operation."""

    name = "MaimDB, a call each"

    async def start(self) -> None:
        """Open the database."""
        init_database(self.place.url)

    async def get(self, tenant: str, keys: Sequence[uuid.UUID]) -> int:
        """Return how many rows of the ids were found."""
        with tenant_scope(tenant):
            return len([await AsyncChatHistory.get_by_id(key) for key in keys])

    async def insert(self, tenant: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write rows."""
        with tenant_scope(tenant):
            return len([await AsyncChatHistory.create(**row) for row in rows])

    async def stop(self) -> None:
        """Close the database."""
        close_database()


class MaimdbUnits(MaimdbTasks):
    """A task's operations as one function, with one hop."""

    name = "MaimDB, a unit a task"

    async def get(self, tenant: str, keys: Sequence[uuid.UUID]) -> int:
        """Return how many rows of the ids were found."""
        with tenant_scope(tenant):
            return len(await run_unit(lambda: [ChatHistory.get_by_id(key) for key in keys]))

    async def insert(self, tenant: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write rows, in one transaction."""
        with tenant_scope(tenant):
            return len(await run_unit(lambda: [ChatHistory.create(**row) for row in rows]))


class PeeweeTasks(Way):
    """Bare Peewee with its pool, and `asyncio.to_thread` for each operation."""

    name = "Peewee, to_thread each"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        limits: dict[str, Any] = {"max_connections": CONNECTIONS, "timeout": _PATIENCE}
        if place.engine == "sqlite":
            pragmas = {**PRAGMAS, "busy_timeout": 1000 * _PATIENCE}
            self.database: Any = pool.PooledSqliteDatabase(
                place.path, pragmas=pragmas, check_same_thread=False, **limits
            )
        else:
            plain = Peewee(place)
            plain.close()
            self.database = pool.PooledPostgresqlDatabase(
                plain.database.database, **plain.database.connect_params, **limits
            )
        PlainHistory.bind(self.database)

    async def start(self) -> None:
        """Have as many threads as connections."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(CONNECTIONS))

    def _get(self, tenant: str, key: uuid.UUID) -> Any:
        with self.database.connection_context():
            return Peewee.get(self, tenant, key)  # type: ignore[arg-type]

    def _insert(self, tenant: str, row: Mapping[str, Any]) -> None:
        with self.database.connection_context():
            Peewee.insert(self, tenant, row)  # type: ignore[arg-type]

    async def get(self, tenant: str, keys: Sequence[uuid.UUID]) -> int:
        """Return how many rows of the ids were found."""
        return len([await asyncio.to_thread(self._get, tenant, key) for key in keys])

    async def insert(self, tenant: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write rows."""
        for row in rows:
            await asyncio.to_thread(self._insert, tenant, row)
        return len(rows)

    def close(self) -> None:
        """Close the connections."""
        self.database.close_all()


class SqlAlchemyTasks(Way):
    """SQLAlchemy's asynchronous sessions: aiosqlite, or asyncpg."""

    name = "SQLAlchemy async"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        import_module("aiosqlite" if place.engine == "sqlite" else "asyncpg")
        self.sync = SqlAlchemy(place)
        self.asyncio: Any = import_module("sqlalchemy.ext.asyncio")

    async def start(self) -> None:
        """Make the engine."""
        url = self.place.url.replace("sqlite:", "sqlite+aiosqlite:").replace(
            "postgresql:", "postgresql+asyncpg:"
        )
        options: dict[str, Any] = {"pool_size": CONNECTIONS, "max_overflow": 0, "pool_timeout": _PATIENCE}
        if self.place.engine == "sqlite":
            options["connect_args"] = {"timeout": _PATIENCE}
        self.engine = self.asyncio.create_async_engine(url, isolation_level="AUTOCOMMIT", **options)

    async def get(self, tenant: str, keys: Sequence[uuid.UUID]) -> int:
        """Return how many rows of the ids were found."""
        model = self.sync.model
        found = 0
        for key in keys:
            query = self.sync._select(tenant).where(model.id == key)  # noqa: SLF001 - of the same benchmark
            async with self.asyncio.AsyncSession(self.engine) as session:
                found += (await session.scalars(query)).one().id == key
        return found

    async def insert(self, tenant: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write rows."""
        for row in rows:
            async with self.asyncio.AsyncSession(self.engine) as session:
                session.add(self.sync.model(tenant_id=tenant, **row))
                await session.commit()
        return len(rows)

    async def stop(self) -> None:
        """Close the connections."""
        await self.engine.dispose()

    def close(self) -> None:
        """Close what made the model."""
        self.sync.close()


class TortoiseTasks(Way):
    """Tortoise; its SQLite is one connection for all tasks."""

    name = "Tortoise"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.own = Tortoise(place)

    async def get(self, tenant: str, keys: Sequence[uuid.UUID]) -> int:
        """Return how many rows of the ids were found."""
        return len([await self.own.get(tenant, key) for key in keys])

    async def insert(self, tenant: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write rows."""
        for row in rows:
            await self.own.insert(tenant, row)
        return len(rows)

    def close(self) -> None:
        """Close the connections and the loop."""
        self.own.close()


WAYS: Final = (MaimdbTasks, MaimdbUnits, PeeweeTasks, SqlAlchemyTasks, TortoiseTasks)


def run(way: Way, work: Any) -> Any:
    """Run a coroutine function in a loop: a way's own, or a new one."""
    own = getattr(way, "own", None)
    if own is not None:
        return own.loop.run(work())

    async def whole() -> Any:
        await way.start()
        try:
            return await work()
        finally:
            await way.stop()

    return asyncio.run(whole())


def tasks_of(act: Any, shares: Sequence[tuple[str, Sequence[Any]]]) -> Any:
    """Return the coroutine that does every task's share at once, and counts what was done."""

    async def work() -> int:
        return sum(await asyncio.gather(*(functools.partial(act, *share)() for share in shares)))

    return work
