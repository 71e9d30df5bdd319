"""The databases of a test run: which are selected, and the fixtures that hand them out."""

import fnmatch
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from tests import backends
from tests.backends import BACKENDS, MONGODB, MYSQL, POSTGRESQL, Backend, Databases, Server, ServerBackend

SELECTED = pytest.StashKey[list[str]]()

CHOICES = {
    "sql_url": ("sqlite", "postgresql", "mysql"),
    "other_url": ("sqlite", "postgresql", "mysql"),
    "private_server": ("postgresql", "mysql"),
}
"""The fixtures that run a test once for each of several backends; the marker `backend` names others."""

NEEDS = {
    "sqlite_url": "sqlite",
    "postgresql_url": "postgresql",
    "mysql_url": "mysql",
    "mongodb": "mongodb",
}
"""The fixtures of one backend."""

RING = {("sqlite", "postgresql"), ("postgresql", "mysql"), ("mysql", "sqlite")}
"""The pairs of `sql_url` and `other_url` that are tested; MAIMDB_PAIRS=all tests all nine."""

PAIRS = os.environ.get("MAIMDB_PAIRS")

SETTINGS = ("DATABASE_*", "DB_*", "MONGODB_URI", "OPENAI_*", "MIMIOD_*", "MAIMDB_*")
"""The developer's own settings, which no test may see."""


@dataclass(frozen=True)
class MongoDatabase:
    """An empty MongoDB database of a test's own."""

    uri: str
    database: str


@dataclass(frozen=True)
class PrivateServers:
    """The servers of a test's own: each call starts one more, and all end with the test."""

    backend: ServerBackend
    stack: ExitStack

    def __call__(self) -> Server:
        return self.stack.enter_context(Server(self.backend, durable=True))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        metavar="NAME,…",
        help=f"databases to test on, of {', '.join(BACKENDS)}; default: all there are, and with CI set, all",
    )


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So a shell starts what runs in its background, and all that this starts would never be interrupted.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "backend(*names): the backends that a parametrised fixture runs over")
    try:
        selected = backends.select(config.getoption("backend"), everything=bool(os.environ.get("CI")))
    except LookupError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[SELECTED] = selected


def pytest_report_header(config: pytest.Config) -> list[str]:
    return ["databases:", *(f"  {_outlook(backend, config)}" for backend in BACKENDS.values())]


def _outlook(backend: Backend, config: pytest.Config) -> str:
    source = backend.source()
    if source is None:
        return f"does not run: {backend.hint()}"
    if backend.name not in config.stash[SELECTED]:
        return f"not selected: {backend.name}"
    private = "" if _has_program(backend.name) else f" (without private servers: {backend.remedy})"
    return f"runs: {backend.name}: {source}{private}"


def _has_program(name: str) -> bool:
    backend = BACKENDS[name]
    return not isinstance(backend, ServerBackend) or backend.program() is not None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("backend")
    for fixture, names in CHOICES.items():
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, marker.args if marker else names, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    deselected = [item for item in items if not _can_run(item, config.stash[SELECTED])]
    config.hook.pytest_deselected(items=deselected)
    items[:] = [item for item in items if item not in deselected]


def _can_run(item: pytest.Item, selected: list[str]) -> bool:
    chosen = item.callspec.params if hasattr(item, "callspec") else {}
    needs = {NEEDS[name] for name in NEEDS.keys() & getattr(item, "fixturenames", ())}
    needs |= {chosen[name] for name in CHOICES.keys() & chosen}
    pair = chosen.get("sql_url"), chosen.get("other_url")
    if None not in pair and pair not in RING and not item.get_closest_marker("backend"):
        return PAIRS == "all" and needs <= set(selected)
    return needs <= set(selected) and (
        "private_server" not in chosen or _has_program(chosen["private_server"])
    )


@pytest.fixture(autouse=True)
def _no_settings() -> Iterator[None]:
    with mock.patch.dict(os.environ):
        for name in list(os.environ):
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in SETTINGS):
                del os.environ[name]
        yield


@pytest.fixture(scope="session")
def postgresql_databases() -> Iterator[Databases]:
    with backends.databases(POSTGRESQL) as databases:
        yield databases


@pytest.fixture(scope="session")
def mysql_databases() -> Iterator[Databases]:
    with backends.databases(MYSQL) as databases:
        yield databases


@pytest.fixture(scope="session")
def mongodb_databases() -> Iterator[Databases]:
    with backends.databases(MONGODB) as databases:
        yield databases


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def postgresql_url(postgresql_databases: Databases) -> Iterator[str]:
    with postgresql_databases.fresh_url() as url:
        yield url


@pytest.fixture
def mysql_url(mysql_databases: Databases) -> Iterator[str]:
    with mysql_databases.fresh_url() as url:
        yield url


@pytest.fixture
def sql_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A second database, beside that of `sql_url`."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    databases: Databases = request.getfixturevalue(f"{request.param}_databases")
    with databases.fresh_url() as url:
        yield url


@pytest.fixture
def mongodb(mongodb_databases: Databases) -> Iterator[MongoDatabase]:
    with mongodb_databases.fresh() as database:
        yield MongoDatabase(mongodb_databases.url, database)


@pytest.fixture
def private_server(request: pytest.FixtureRequest) -> Iterator[PrivateServers]:
    with ExitStack() as stack:
        yield PrivateServers(BACKENDS[request.param], stack)
