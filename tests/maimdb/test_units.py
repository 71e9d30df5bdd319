"""Lost connections and units of work, on servers that end sessions, stop and are killed."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from urllib.parse import urlsplit

import peewee
import pytest
from maimdb.core.errors import CommitUnknownError, ConnectionLostError

from tests.maimdb.test_database import PATIENCE, add_one, ask, counter, opened


@pytest.fixture
def database(sql_url):
    database = opened(sql_url)
    yield database
    database.close_all()


@pytest.fixture
def server(private_server):
    return private_server()


@pytest.fixture
def server_url(server):
    with closing(server.backend.connect(server.url)) as connection:
        server.backend.create(connection, "bot")
    return f"{server.url}bot"


# Lost connections


def end_sessions(url: str) -> None:
    """Have the server end every other session of the database."""
    database = opened(url)
    if database.config.engine == "postgresql":
        database.execute_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    else:
        rows = database.execute_sql(
            "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
        )
        for (session,) in rows.fetchall():
            with suppress(peewee.OperationalError):  # it may have ended since it was listed
                database.execute_sql(f"KILL {session}")
    database.close_all()


@pytest.mark.backend("postgresql", "mysql")
def test_idle_connection_that_died_is_replaced_unnoticed(database, sql_url):
    with database.connection_context():
        ask(database, "SELECT 1")
    end_sessions(sql_url)
    wait_for_news(database)
    with database.connection_context():
        assert ask(database, "SELECT 1") == 1


def wait_for_news(database) -> None:
    """Wait until the end of the sessions has reached this side."""
    connection = database.pool._idle[0][0]
    deadline = time.monotonic() + PATIENCE
    while database._is_alive(connection, 0) and time.monotonic() < deadline:
        time.sleep(0.001)


@pytest.mark.backend("postgresql", "mysql")
def test_statement_is_not_done_again_but_the_next_one_works(database, sql_url):
    model = counter(database)
    assert model.get().n == 0
    end_sessions(sql_url)
    with pytest.raises(ConnectionLostError) as caught:
        add_one(model)
    assert isinstance(caught.value, peewee.OperationalError | ConnectionError)
    assert model.get().n == 0
    assert "ConnectionLostError" in database.status().last_error


@pytest.mark.backend("postgresql", "mysql")
def test_transaction_does_not_go_on_with_another_connection(database, sql_url):
    model = counter(database)

    def transaction() -> None:
        with database.atomic():
            add_one(model)
            end_sessions(sql_url)
            for _ in range(2):
                with pytest.raises(ConnectionLostError):
                    add_one(model)

    with pytest.raises(ConnectionLostError):
        transaction()
    assert model.get().n == 0


@pytest.mark.backend("postgresql", "mysql")
def test_own_error_is_not_hidden_by_a_lost_connection(database, sql_url):
    def transaction() -> None:
        with database.atomic():
            ask(database, "SELECT 1")
            end_sessions(sql_url)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        transaction()
    assert ask(database, "SELECT 1") == 1


@pytest.mark.backend("postgresql", "mysql")
def test_usable_tells_a_dead_connection_and_connect_replaces_it(database, sql_url):
    database.connect()
    end_sessions(sql_url)
    assert not database.is_connection_usable()
    database.connect()
    assert database.is_connection_usable()


# Units of work


def test_unit_is_a_transaction_and_returns_its_result(database):
    model = counter(database)
    assert database.run_unit(lambda: model.get().n) == 0

    def fail() -> None:
        add_one(model)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        database.run_unit(fail)
    assert model.get().n == 0


def test_unit_within_a_unit_joins_it(database):
    model = counter(database)

    def outer() -> None:
        database.run_unit(lambda: add_one(model))
        raise KeyError("outer")

    with pytest.raises(KeyError):
        database.run_unit(outer)
    assert model.get().n == 0


@pytest.mark.backend("postgresql", "mysql")
def test_unit_that_lost_its_connection_is_done_again_as_a_whole(database, sql_url):
    model = counter(database)
    tries = []

    def unit() -> int:
        tries.append(None)
        add_one(model)
        if len(tries) == 1:
            end_sessions(sql_url)
        add_one(model)
        return model.get().n

    assert database.run_unit(unit) == 2
    assert (len(tries), model.get().n) == (2, 2)


@pytest.mark.backend("postgresql", "mysql")
def test_unit_that_always_loses_its_connection_is_given_up(database, sql_url):
    def unit() -> None:
        ask(database, "SELECT 1")
        end_sessions(sql_url)
        ask(database, "SELECT 1")

    with pytest.raises(ConnectionLostError):
        database.run_unit(unit)


@pytest.mark.backend("postgresql", "mysql")
@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_counter_is_exact_through_restarts(server, server_url, ending):
    database = opened(server_url, max_connections=4)
    model = counter(database)
    done, unknown = [], []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                database.run_unit(lambda: add_one(model))
                done.append(1)
            except CommitUnknownError:
                unknown.append(1)

    with ThreadPoolExecutor(6) as threads:
        workers = [threads.submit(work) for _ in range(6)]
        for _ in range(3):
            enough = len(done) + 100
            deadline = time.monotonic() + PATIENCE
            while len(done) < enough and time.monotonic() < deadline and not any(w.done() for w in workers):
                time.sleep(0.005)
            getattr(server, ending)()
            server.start()
        stop.set()
        for worker in workers:
            worker.result(PATIENCE)
    count = model.get().n
    print(f"{server.backend.name}, {ending}: {len(done)} units, {len(unknown)} unknown, counter {count}")  # noqa: T201
    assert len(done) >= 300
    assert len(done) <= count <= len(done) + len(unknown)
    assert database.pool.status().in_use == 0
    database.close_all()


class Cable:
    """A way to a server that breaks at the first COMMIT, before or after the server has it."""

    def __init__(self, url: str, *, after: bool) -> None:
        self.after = after
        self.broken = threading.Event()
        parts = urlsplit(url)
        self.there = (parts.hostname, parts.port)
        self.socket = socket.create_server(("127.0.0.1", 0))
        here = f"127.0.0.1:{self.socket.getsockname()[1]}"
        plain = "sslmode=disable" if parts.scheme == "postgresql" else "ssl_disabled=true"
        self.url = parts._replace(netloc=f"{parts.username}@{here}", query=plain).geturl()
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client = self.socket.accept()[0]
            except OSError:
                return
            server = socket.create_connection(self.there)
            cut = threading.Event()
            for carry, source, sink in ((self._ask, client, server), (self._answer, server, client)):
                self.threads.append(threading.Thread(target=carry, args=(source, sink, cut)))
                self.threads[-1].start()

    def _ask(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        while data := receive(client):
            if b"COMMIT" in data and not self.broken.is_set():
                self.broken.set()
                cut.set()
                if not self.after:
                    break
            server.sendall(data)
        hang_up(server)

    def _answer(self, server: socket.socket, client: socket.socket, cut: threading.Event) -> None:
        with server, client:
            while (data := receive(server)) and not cut.is_set():
                client.sendall(data)
            hang_up(client)

    def close(self) -> None:
        hang_up(self.socket)
        self.socket.close()
        for thread in self.threads:
            thread.join(PATIENCE)


def receive(source: socket.socket) -> bytes:
    try:
        return source.recv(65536)
    except OSError:
        return b""


def hang_up(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@pytest.mark.backend("postgresql", "mysql")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_connection_lost_at_commit_doubles_nothing(sql_url, after):
    direct = opened(sql_url)
    model = counter(direct)
    cable = Cable(sql_url, after=after)
    database = opened(cable.url)
    try:
        with model.bind_ctx(database):
            if database.config.engine == "postgresql":
                database.run_unit(lambda: add_one(model))
            else:
                with pytest.raises(CommitUnknownError, match="look before"):
                    database.run_unit(lambda: add_one(model))
    finally:
        database.close_all()
        cable.close()
    assert cable.broken.is_set()
    expected = 1 if after or database.config.engine == "postgresql" else 0
    assert expected == model.get().n
    direct.close_all()
