"""The ORMs that the benchmark compares with; each is imported when its contestant is made."""

from __future__ import annotations

import asyncio
import sys
import uuid
from importlib import import_module
from time import perf_counter
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import unquote, urlsplit

from scripts.bench.contestants import BATCH, PRAGMAS, Contestant, now
from scripts.bench.rows import PAGE, TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.bench.rows import Place

Row = Any


class SqlAlchemy(Contestant):
    """SQLAlchemy 2's ORM: a session for each operation, autocommit, so that no BEGIN costs a round trip."""

    name = "SQLAlchemy"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.sa: Any = import_module("sqlalchemy")
        self.orm: Any = import_module("sqlalchemy.orm")
        url = place.url.replace("postgresql:", "postgresql+psycopg2:")
        self.engine: Any = self.sa.create_engine(url, isolation_level="AUTOCOMMIT")
        self.whole: Any = self.sa.create_engine(url)
        if place.engine == "sqlite":
            for engine in (self.engine, self.whole):
                self.sa.event.listen(engine, "connect", _set_pragmas)
        self.model = self._model()
        self.long: Any = self.orm.Session(self.engine, expire_on_commit=False)

    def _model(self) -> Any:
        sa, column = self.sa, self.orm.mapped_column
        fields = {
            "__tablename__": TABLE,
            "id": column(sa.Uuid, primary_key=True, default=uuid.uuid4),
            "tenant_id": column(sa.String(50)),
            "agent_id": column(sa.String(50)),
            "created_at": column(sa.DateTime, default=now),
            "session_id": column(sa.String(255)),
            "user_message": column(sa.Text),
            "agent_response": column(sa.Text),
            "user_id": column(sa.String(255)),
            "message_type": column(sa.String(50), default="text"),
            "metadata_": column("metadata", sa.Text),  # `metadata` is taken
        }
        return type("AlchemyHistory", (self.orm.declarative_base(),), fields)

    def _select(self, tenant: str) -> Any:
        return self.sa.select(self.model).where(self.model.tenant_id == tenant)

    def get(self, tenant: str, key: uuid.UUID) -> Row:
        """Return the row of an id."""
        with self.orm.Session(self.engine) as session:
            return session.scalars(self._select(tenant).where(self.model.id == key)).one()

    def load(self, tenant: str, key: uuid.UUID) -> Row:
        """Return the row of an id, for `save`: it stays in its session."""
        return self.long.scalars(self._select(tenant).where(self.model.id == key)).one()

    def page(self, tenant: str, session: str) -> list[Row]:
        """Return the first rows of a session."""
        model = self.model
        query = self._select(tenant).where(model.session_id == session)
        with self.orm.Session(self.engine) as opened:
            return list(opened.scalars(query.order_by(model.created_at, model.id).limit(PAGE)))

    def insert(self, tenant: str, values: Mapping[str, Any]) -> None:
        """Write a new row."""
        with self.orm.Session(self.engine) as session:
            session.add(self.model(tenant_id=tenant, **values))
            session.commit()

    def update(self, tenant: str, key: uuid.UUID, user: str) -> Any:
        """Change a column of the row of an id; return the number of rows."""
        mine = (self.model.tenant_id == tenant) & (self.model.id == key)
        with self.orm.Session(self.engine) as session:
            result = session.execute(self.sa.update(self.model).where(mine).values(user_id=user))
            session.commit()
            return result.rowcount

    def save(self, tenant: str, row: Row, user: str) -> None:
        """Change a column of a row that was read; the session writes that one alone."""
        del tenant
        row.user_id = user
        self.long.commit()

    def bulk(self, tenant: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write many new rows."""
        del tenant
        with self.orm.Session(self.whole) as session:
            session.execute(self.sa.insert(self.model), rows)
            session.commit()

    def close(self) -> None:
        """Close the connections."""
        self.long.close()
        self.engine.dispose()
        self.whole.dispose()


def _set_pragmas(connection: Any, record: Any) -> None:
    del record
    for pragma, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {pragma}={value}")


class Django(Contestant):
    """Django's ORM without its request machinery."""

    name = "Django"
    _models: ClassVar[dict[str, Any]] = {}

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        import_module("django")
        self.db: Any = import_module("django.db")
        settings: Any = import_module("django.conf").settings
        if not settings.configured:
            settings.configure(DATABASES={}, INSTALLED_APPS=[], USE_TZ=False, TIME_ZONE="UTC")
            import_module("django").setup()
            self._models["history"] = self._model()
        # Django wants to know all databases at its start; an engine's comes when that engine is measured.
        self.db.connections.databases[place.engine] = self.db.connections.configure_settings(
            {"default": {}, place.engine: self._settings()}
        )[place.engine]
        self.model = self._models["history"]
        self.rows = self.model.objects.using(place.engine)

    def _settings(self) -> dict[str, Any]:
        if self.place.engine == "sqlite":
            pragmas = "".join(f"PRAGMA {name}={value};" for name, value in PRAGMAS.items())
            options = {"init_command": pragmas, "transaction_mode": "IMMEDIATE"}
            return {"ENGINE": "django.db.backends.sqlite3", "NAME": self.place.path, "OPTIONS": options}
        parts = urlsplit(self.place.url)
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.path[1:],
            "HOST": parts.hostname,
            "PORT": parts.port,
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
        }

    def _model(self) -> Any:
        models = self.db.models
        fields = {
            "__module__": __name__,
            "Meta": type("Meta", (), {"app_label": "bench", "db_table": TABLE}),
            "id": models.UUIDField(primary_key=True, default=uuid.uuid4),
            "tenant_id": models.CharField(max_length=50, null=True),
            "agent_id": models.CharField(max_length=50, null=True),
            "created_at": models.DateTimeField(default=now),
            "session_id": models.CharField(max_length=255),
            "user_message": models.TextField(),
            "agent_response": models.TextField(),
            "user_id": models.CharField(max_length=255, null=True),
            "message_type": models.CharField(max_length=50, default="text"),
            "metadata": models.TextField(null=True),
        }
        return type("DjangoHistory", (models.Model,), fields)

    def get(self, tenant: str, key: uuid.UUID) -> Row:
        """Return the row of an id."""
        return self.rows.get(tenant_id=tenant, pk=key)

    def page(self, tenant: str, session: str) -> list[Row]:
        """Return the first rows of a session."""
        return list(
            self.rows.filter(tenant_id=tenant, session_id=session).order_by("created_at", "id")[:PAGE]
        )

    def insert(self, tenant: str, values: Mapping[str, Any]) -> None:
        """Write a new row."""
        self.rows.create(tenant_id=tenant, **values)

    def update(self, tenant: str, key: uuid.UUID, user: str) -> Any:
        """Change a column of the row of an id; return the number of rows."""
        return self.rows.filter(tenant_id=tenant, pk=key).update(user_id=user)

    def save(self, tenant: str, row: Row, user: str) -> None:
        """Change a column of a row that was read, and write all of it."""
        del tenant
        row.user_id = user
        row.save()

    def bulk(self, tenant: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write many new rows."""
        del tenant
        self.rows.bulk_create([self.model(**row) for row in rows])

    def close(self) -> None:
        """Close the connection."""
        self.db.connections[self.place.engine].close()


class Tortoise(Contestant):
    """Tortoise, all in one event loop; PostgreSQL through asyncpg."""

    name = "Tortoise"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.tortoise: Any = import_module("tortoise").Tortoise
        if place.engine == "sqlite":
            credentials = {"file_path": place.path, **PRAGMAS}
            connection: Any = {"engine": "tortoise.backends.sqlite", "credentials": credentials}
        else:
            import_module("asyncpg")
            connection = place.url.replace("postgresql:", "asyncpg:")
        self.model = self._model()
        module: Any = ModuleType(f"tortoise_models_{place.engine}")
        module.__models__ = [self.model]
        sys.modules[module.__name__] = module  # Tortoise takes names
        app = {"models": [module.__name__], "default_connection": place.engine}
        self.loop = asyncio.Runner()
        config = {"connections": {place.engine: connection}, "apps": {"models": app}, "use_tz": False}
        self.loop.run(self.tortoise.init(config=config))

    def _model(self) -> Any:
        fields: Any = import_module("tortoise.fields")
        hexadecimal = self.place.engine == "sqlite"

        class Key(fields.UUIDField):  # type: ignore[misc]
            """A UUID, on SQLite in the form that the table has."""

            def to_db_value(self, value: Any, instance: Any) -> Any:
                del instance
                return value.hex if hexadecimal and value else value

        return type(
            "TortoiseHistory",
            (import_module("tortoise").Model,),
            {
                "Meta": type("Meta", (), {"table": TABLE}),
                "id": Key(primary_key=True),
                "tenant_id": fields.CharField(50, null=True),
                "agent_id": fields.CharField(50, null=True),
                "created_at": fields.DatetimeField(default=now),
                "session_id": fields.CharField(255),
                "user_message": fields.TextField(),
                "agent_response": fields.TextField(),
                "user_id": fields.CharField(255, null=True),
                "message_type": fields.CharField(50, default="text"),
                "metadata": fields.TextField(null=True),
            },
        )

    def run(self, operation: str, items: Sequence[tuple[Any, ...]]) -> tuple[float, list[Any]]:
        """Do an operation for each item, one after the other; return the seconds and the results."""
        return self.loop.run(self._run(getattr(self, operation), items))

    async def _run(self, act: Any, items: Sequence[tuple[Any, ...]]) -> tuple[float, list[Any]]:
        started = perf_counter()
        results = [await act(*item) for item in items]
        return perf_counter() - started, results

    async def get(self, tenant: str, key: uuid.UUID) -> Row:
        """Return the row of an id."""
        return await self.model.get(tenant_id=tenant, id=key)

    async def page(self, tenant: str, session: str) -> list[Row]:
        """Return the first rows of a session."""
        mine = self.model.filter(tenant_id=tenant, session_id=session)
        return await mine.order_by("created_at", "id").limit(PAGE)  # type: ignore[no-any-return]

    async def insert(self, tenant: str, values: Mapping[str, Any]) -> None:
        """Write a new row."""
        await self.model.create(tenant_id=tenant, **values)

    async def update(self, tenant: str, key: uuid.UUID, user: str) -> Any:
        """Change a column of the row of an id; return the number of rows."""
        return await self.model.filter(tenant_id=tenant, id=key).update(user_id=user)

    async def save(self, tenant: str, row: Row, user: str) -> None:
        """Change a column of a row that was read, and write all of it."""
        del tenant
        row.user_id = user
        await row.save()

    async def bulk(self, tenant: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write many new rows."""
        del tenant
        await self.model.bulk_create([self.model(**row) for row in rows], batch_size=BATCH)

    def close(self) -> None:
        """Close the connections and the loop."""
        self.loop.run(self.tortoise.close_connections())
        self.loop.close()


ORMS: Final = (SqlAlchemy, Django, Tortoise)
