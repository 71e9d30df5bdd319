"""The rows of live SQL databases, which are read and nothing else.

What is needed: the right to connect, and `SELECT` on the tables (PostgreSQL: `CONNECT` on the database and
`USAGE` on the schema too; SQLite: to read the file). A table without it is passed over with a note. No other
right is used: PostgreSQL's sessions are set to `default_transaction_read_only`, MySQL's to `READ ONLY`,
SQLite's files are opened with `mode=ro` and `query_only`.

PostgreSQL's streams all read one snapshot; those of MySQL and SQLite one each, as of when they begin.
"""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from pathlib import PurePath
from random import Random
from typing import TYPE_CHECKING, Any

from mimiod.errors import ConfigurationError, SourceError
from mimiod.inspecting.sources import reservoir
from mimiod.relational.model import Children, Relational

try:
    import sqlalchemy as sa

    from mimiod.relational.dialect import NUMBERS
    from mimiod.relational.mysql import MySQL
    from mimiod.relational.postgresql import PostgreSQL
    from mimiod.relational.sqlite import SQLite
except ImportError as exc:
    raise ConfigurationError("to read SQL needs more packages: pip install 'mimiod[sql]'") from exc

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.selectable import Select

    from mimiod.relational.dialect import Dialect, Place
    from mimiod.relational.model import ForeignKey

_AT_ONCE = 1000
"Rows that are fetched together."
_DIALECTS: dict[str, type[Dialect]] = {
    "postgresql": PostgreSQL,
    "postgres": PostgreSQL,
    "mysql": MySQL,
    "mariadb": MySQL,
    "sqlite": SQLite,
}


def connect(url: str) -> SqlReader:
    """Return a reader of the database at a URL: `postgresql://`, `mysql://`, `mariadb://` or `sqlite:///path`.

    Raises:
        SourceError: the URL or the file is none, there is no such database, or no tables in it.
        AccessDeniedError: the password is wrong, or there is no right to connect or to read.
        ServerUnavailableError: no server answers within 10 seconds.
        ConfigurationError: a driver is not installed.
    """
    try:
        parts = sa.make_url(url)
        kind = _DIALECTS[parts.get_backend_name()]
    except (sa.exc.ArgumentError, ValueError, KeyError):
        raise SourceError(
            "no SQL database: postgresql://user:password@host:port/DATABASE, mysql://… or mariadb://… alike, "
            "sqlite:///file.db (signs of a password other than letters and digits as %XX)"
        ) from None
    return SqlReader(kind(parts))


class SqlReader:
    """The rows of a SQL database; a `Reader`."""

    method = "the rows whose keys have the smallest hashes; of a table without a key a reservoir over a scan"
    "How a sample is drawn."

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        try:
            self._engine = dialect.engine()
        except ImportError as exc:
            raise ConfigurationError(f"no driver for {dialect.name}: pip install 'mimiod[sql]'") from exc
        try:
            with self._reading() as connection:
                tables = dialect.tables = dialect.reflected(connection)
        except RuntimeError as exc:  # PyMySQL's, where a way to log in takes a package that is not there
            self.close()
            raise ConfigurationError(f"{dialect.shown}: {dialect.brief(exc)}") from exc
        except BaseException:
            self.close()
            raise
        if not tables:
            self.close()
            passed = f" ({'; '.join(dialect.notes)})" if dialect.notes else ""
            raise SourceError(f"{dialect.shown} has no tables{passed}: is the database's name right?")
        self._schema = Relational(_last_name(dialect.url.database or ""), dialect.name, tables, dialect.notes)

    @property
    def schema(self) -> Relational:
        """What is declared; its notes grow while rows are read."""
        return self._schema

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self._one(self._select(table, sa.func.count()))[0])

    def rows(
        self, table: str, *, order: Sequence[str] = (), where: Mapping[str, Sequence[Any]] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield rows as a stream; those of several streams may be taken in turns.

        They are ordered by `values.sort_key` of the columns of `order`, on every server.
        """
        places = self._places(table)
        statement = self._select(table, *(place.selected for place in places.values()))
        statement = statement.where(*self._conditions(places, where or {}))
        return self._stream(table, statement.order_by(*self._order(places, order)))

    def sample(self, table: str, size: int, seed: int) -> Iterator[dict[str, Any]]:
        """Yield so many rows, each with the same chance: by the smallest hashes of their keys and the seed.

        They are the same ones each time, as long as the table stays; where it has no primary key, as long as
        the server reads it in the same order.
        """
        key = self._schema.tables[table].primary_key
        if self.count(table) <= size:
            return self.rows(table, order=key)
        if not key:
            return iter(reservoir(self.rows(table), size, Random(seed)))  # noqa: S311 - a sample, no secret
        places = self._places(table)
        drawn = self._dialect.drawn_by(seed, [places[name] for name in key])
        statement = self._select(table, *(place.selected for place in places.values()))
        return self._stream(table, statement.order_by(drawn, *self._order(places, key)).limit(size))

    def children(self, table: str, key: ForeignKey) -> Children:
        """Return how the rows of a table are spread over those that a foreign key names."""
        held = [self._dialect.source(table).c[name] for name in key.columns]
        labels = [column.label(f"k{n}") for n, column in enumerate(held)]
        grouped = (
            self._select(table, *labels, sa.func.count().label("n"))
            .where(*(column.is_not(None) for column in held))
            .group_by(*held)
            .subquery("g")
        )
        target = self._dialect.source(key.target).alias("p")
        matching: Select[Any] = sa.select(sa.literal_column("1")).select_from(target)
        matching = self._dialect.only(matching, key.target, target).where(
            *(target.c[name] == grouped.c[f"k{n}"] for n, name in enumerate(key.keys))
        )
        named = sa.select(grouped.c.n, sa.case((matching.exists(), 1), else_=0).label("held")).subquery("h")
        rows = sa.case((named.c.held == 1, named.c.n), else_=0)
        missing = sa.case((named.c.held == 0, named.c.n), else_=0)
        sums = (sa.func.sum(rows), sa.func.sum(named.c.held), sa.func.max(rows), sa.func.sum(missing))
        return Children(*(int(value or 0) for value in self._one(sa.select(*sums))))

    def totals(self, table: str, columns: Sequence[str]) -> dict[str, tuple[int, Decimal | None]]:
        """Return by column how many values are not None and, of numbers, their sum.

        It is exact but for PostgreSQL's and MySQL's `double`, which servers add up in the order of rows.
        """
        told = self._schema.tables[table].columns
        places = self._places(table)
        wanted = []
        for name in columns:
            raw = self._dialect.source(table).c[name]
            summed = self._dialect.summed(told[name], raw) if told[name].kind in NUMBERS else sa.null()
            wanted += [sa.func.count(places[name].present), summed]
        found = iter(self._one(self._select(table, *wanted)) if wanted else ())
        return {name: (int(next(found)), _total(next(found), told[name].kind)) for name in columns}

    def close(self) -> None:
        """Close all connections."""
        self._dialect.close()
        self._engine.dispose()

    def _places(self, table: str) -> dict[str, Place]:
        columns = self._schema.tables[table].columns
        return {name: self._dialect.place(table, column) for name, column in columns.items()}

    def _select(self, table: str, *wanted: Any) -> Select[Any]:
        source = self._dialect.source(table)
        return self._dialect.only(sa.select(*wanted).select_from(source), table, source)

    @staticmethod
    def _order(places: Mapping[str, Place], columns: Sequence[str]) -> list[Any]:
        return [places[name].ordered for name in columns]

    @staticmethod
    def _conditions(places: Mapping[str, Place], where: Mapping[str, Sequence[Any]]) -> list[Any]:
        return [
            places[name].compared.in_([places[name].parameter(value) for value in held if value is not None])
            for name, held in where.items()
        ]

    def _stream(self, table: str, statement: Select[Any]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a statement; the connection is this stream's own."""
        places = self._places(table)
        names = list(places)
        converts = [(n, place.convert) for n, place in enumerate(places.values()) if place.convert]
        with self._reading() as connection:
            result = connection.execute(statement.execution_options(yield_per=_AT_ONCE))
            try:
                for row in result:
                    held = list(row)
                    for n, convert in converts:
                        if held[n] is not None:
                            held[n] = convert(held[n])
                    yield dict(zip(names, held, strict=True))
            except (GeneratorExit, KeyboardInterrupt):
                self._dialect.abandoned(result)
                raise

    def _one(self, statement: Select[Any]) -> Sequence[Any]:
        with self._reading() as connection:
            return tuple(connection.execute(statement).one())

    @contextmanager
    def _reading(self) -> Generator[Connection, None, None]:
        """Yield a connection; what the driver raises becomes a line."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.DBAPIError as exc:
            raise self._dialect.explained(exc.orig or exc) from exc
        except sa.exc.SQLAlchemyError as exc:
            raise self._dialect.explained(exc) from exc
        except UnicodeDecodeError as exc:
            raise SourceError(
                f"{self._dialect.shown}: a text is not of the encoding that it is said to be"
            ) from exc


def _total(value: Any, kind: str) -> Decimal | None:
    if kind not in NUMBERS:
        return None
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value or 0)


def _last_name(database: str) -> str:
    return PurePath(database).stem or "database"
