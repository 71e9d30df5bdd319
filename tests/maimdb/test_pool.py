"""The pool by itself, on connections that are only numbers, and what it does to sessions of real servers."""

import gc
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import peewee
import pytest
from maimdb.core.config import DatabaseConfig
from maimdb.core.database import open_database
from maimdb.core.errors import DatabaseUnavailableError, PoolTimeoutError
from maimdb.core.pool import Driver, Pool

PATIENCE = 10


class Phone:
    """A driver whose connections are numbers."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.open: set[int] = set()
        self.dead: set[int] = set()
        self.resets: list[tuple[int, bool]] = []
        self.before_dial = lambda: None

    def dial(self, _: float) -> int:
        self.before_dial()
        number = next(self.numbers)
        self.open.add(number)
        return number

    def pool(self, size: int, timeout: float = PATIENCE, **settings: object) -> Pool[int]:
        def reset(number: int, dirty: bool) -> bool:  # noqa: FBT001
            self.resets.append((number, dirty))
            return number not in self.dead

        return Pool(
            Driver(self.dial, self.open.remove, lambda number, _: number not in self.dead, reset, **settings),
            size,
            timeout,
        )


@contextmanager
def thread(target, *args):
    """A thread that is joined at the end, its exception raised here."""
    with ThreadPoolExecutor(1) as executor:
        result = executor.submit(target, *args)
        yield result
        result.result(PATIENCE)


def wait_until(condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_connection_that_was_given_back_is_lent_again():
    pool = Phone().pool(2)
    first = pool.acquire()
    pool.release(first)
    assert pool.acquire().connection == first.connection
    assert (pool.status().in_use, pool.status().idle) == (1, 0)


def test_exhausted_pool_gives_up_after_its_timeout_and_says_so():
    pool = Phone().pool(1, timeout=0.05)
    lease = pool.acquire()
    with pytest.raises(
        PoolTimeoutError, match=r"within 0\.05 s: all 1 are in use, 1 waiting.*DB_MAX_CONNECTIONS"
    ) as e:
        pool.acquire()
    assert (e.value.size, e.value.in_use, e.value.waiting, e.value.timeout) == (1, 1, 1, 0.05)
    assert isinstance(e.value, TimeoutError | peewee.OperationalError)
    pool.release(lease)
    assert pool.status().waiting == 0
    assert pool.acquire().connection == lease.connection


def test_waiters_are_served_in_the_order_they_came():
    pool = Phone().pool(1)
    lease = pool.acquire()
    order = []

    def wait(number: int) -> None:
        mine = pool.acquire()
        order.append(number)
        pool.release(mine)

    with ThreadPoolExecutor(5) as threads:
        for number in range(5):
            threads.submit(wait, number)
            wait_until(lambda: len(pool.queue) == number + 1)  # noqa: B023 - called here
        pool.release(lease)
    assert list(range(5)) == order


def test_slow_dial_stalls_nobody():
    phone = Phone()
    pool = phone.pool(3)
    kept, lent = pool.acquire(), pool.acquire()
    dialling, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        dialling.set()
        assert go_on.wait(PATIENCE)

    phone.before_dial = slow
    with thread(pool.acquire):
        assert dialling.wait(PATIENCE)
        pool.release(lent)
        assert pool.acquire().connection == lent.connection
        pool.release(kept)
        assert pool.status().idle == 1
        go_on.set()


def test_failed_dial_gives_its_slot_back():
    phone = Phone()
    pool = phone.pool(1, timeout=0.05)

    def fail() -> None:
        raise DatabaseUnavailableError

    phone.before_dial = fail
    for _ in range(3):
        with pytest.raises(DatabaseUnavailableError):
            pool.acquire()
    assert pool.status().in_use == 0


def test_failed_dial_passes_its_slot_to_the_next_waiter():
    phone = Phone()
    pool = phone.pool(1)
    waiting = threading.Event()

    def fail_once() -> None:
        phone.before_dial = lambda: None
        assert waiting.wait(PATIENCE)
        raise DatabaseUnavailableError

    phone.before_dial = fail_once
    with ThreadPoolExecutor(2) as threads:
        failing = threads.submit(pool.acquire)
        wait_until(lambda: pool.status().in_use == 1)
        served = threads.submit(pool.acquire)
        wait_until(lambda: len(pool.queue) == 1)
        waiting.set()
        assert isinstance(failing.exception(PATIENCE), DatabaseUnavailableError)
        assert served.result(PATIENCE).connection == 0


def test_dead_connections_are_discarded_at_both_ends():
    phone = Phone()
    pool = phone.pool(1)
    lease = pool.acquire()
    phone.dead.add(lease.connection)
    pool.release(lease)
    idle = pool.acquire()
    pool.release(idle)
    phone.dead.add(idle.connection)
    assert pool.acquire().connection == 2
    assert {2} == phone.open


def test_dead_thread_gives_its_slot_back():
    pool = Phone().pool(1)
    forgetful = threading.Thread(target=pool.acquire)
    forgetful.start()
    forgetful.join()
    assert pool.status().in_use == 1
    assert pool.acquire().connection == 0


def test_thread_that_dies_while_others_wait_gives_its_slot_back():
    pool = Phone().pool(1)
    die = threading.Event()

    def forget() -> None:
        pool.acquire()
        assert die.wait(PATIENCE)

    forgetful = threading.Thread(target=forget)
    forgetful.start()
    wait_until(lambda: pool.status().in_use == 1)
    with thread(pool.acquire):
        wait_until(lambda: len(pool.queue) == 1)
        die.set()
        forgetful.join()


@pytest.mark.parametrize("shareable", [True, False])
def test_parked_connection_goes_to_a_waiter_and_its_thread_learns_it(shareable):
    phone = Phone()
    pool = phone.pool(1, shareable=shareable)
    mine = pool.acquire()
    mine.park()
    with thread(pool.acquire) as other:
        taken = other.result(PATIENCE)
    assert not mine.claim()
    # One that cannot be shared stays open for the thread that reads from it still, until that lets go of it.
    assert (shareable, not shareable) == (taken.connection == mine.connection, mine.orphan)
    assert {mine.connection, taken.connection} == phone.open
    del mine
    gc.collect()
    assert {taken.connection} == phone.open


def test_connection_in_use_is_never_taken():
    pool = Phone().pool(1, timeout=0.05)
    lease = pool.acquire()
    lease.park()
    assert lease.claim()
    with thread(pool.acquire) as other:
        assert isinstance(other.exception(PATIENCE), PoolTimeoutError)
        other._exception = None


def test_closed_pool_hangs_up_and_refuses():
    phone = Phone()
    pool = phone.pool(3)
    idle, parked, used = pool.acquire(), pool.acquire(), pool.acquire()
    pool.release(idle)
    parked.park()
    pool.close()
    assert {used.connection} == phone.open
    pool.release(used)
    assert not phone.open
    with pytest.raises(peewee.InterfaceError, match=r"get_database\(\)"):
        pool.acquire()


def test_many_threads_never_share_nor_exceed():
    phone = Phone()
    pool = phone.pool(4)
    busy: set[int] = set()

    def work(_: int) -> None:
        lease = pool.acquire()
        assert lease.connection not in busy
        busy.add(lease.connection)
        assert len(busy) <= 4
        busy.remove(lease.connection)
        pool.release(lease)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, range(2000)))
    assert len(phone.open) <= 4
    assert (pool.status().in_use, pool.status().waiting) == (0, 0)


@pytest.fixture
def alone(sql_url):
    """A database with one connection, so that each borrower gets the same."""
    database = open_database(DatabaseConfig.from_url(sql_url, max_connections=1, connection_timeout=5))
    yield database
    database.close_all()


def ask(database, sql: str) -> object:
    return database.execute_sql(sql).fetchone()[0]


CHANGES = {
    "sqlite": [
        ("PRAGMA foreign_keys = 0", "PRAGMA foreign_keys", 1),
        ("PRAGMA cache_size = 77", "PRAGMA cache_size", -2000),
    ],
    "postgresql": [
        ("SET search_path TO nowhere", "SHOW search_path", '"$user", public'),
        ("SELECT set_config('TimeZone', 'Asia/Tokyo', false)", "SHOW TimeZone", "UTC"),
        (
            "SELECT pg_advisory_lock(7)",
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
            0,
        ),
        ("CREATE TEMPORARY TABLE scratch (n int)", "SELECT to_regclass('pg_temp.scratch') IS NULL", True),
    ],
    "mysql": [
        ("SET @tenant = 'a'", "SELECT @tenant IS NULL", 1),
        ("SELECT @tenant := 'a'", "SELECT @tenant IS NULL", 1),
        ("SET SESSION time_zone = '+09:00'", "SELECT @@session.time_zone", "+00:00"),
        ("SET SESSION sql_mode = ''", "SELECT @@sql_mode LIKE '%%STRICT_ALL_TABLES%%'", 1),
        ("SET NAMES latin1", "SELECT @@character_set_client", "utf8mb4"),
        ("SET autocommit = 0", "SELECT @@autocommit", 1),
        ("SELECT GET_LOCK('maimdb_test', 0)", "SELECT IS_FREE_LOCK('maimdb_test')", 1),
    ],
}


def test_session_state_is_reset_on_return(alone):
    for change, question, expected in CHANGES[alone.config.engine]:
        with alone.connection_context():
            ask(alone, change) if change.startswith("SELECT") else alone.execute_sql(change)
        with alone.connection_context():
            assert expected == ask(alone, question), change


def test_state_set_behind_the_pools_back_is_reset_too(alone):
    change, question, expected = CHANGES[alone.config.engine][0]
    with alone.connection_context():
        alone.connection().cursor().execute(change)
    assert expected == ask(alone, question)


def test_transaction_left_open_is_undone_on_return(alone):
    alone.execute_sql("CREATE TABLE t (n INT)")
    alone.close()
    alone.connect()
    alone.begin()
    alone.execute_sql("INSERT INTO t VALUES (1)")
    alone.close()
    assert ask(alone, "SELECT count(*) FROM t") == 0


def test_session_that_was_not_changed_costs_no_reset(alone):
    ask(alone, "SELECT 1")
    first = alone.connection_context()
    with first:
        held = alone._state.conn
        with alone.atomic():
            ask(alone, "SELECT 1")
        assert not alone._state.lease.dirty
    with alone.connection_context():
        assert alone._state.conn is held


def test_changed_session_stays_with_its_thread_until_close(alone):
    change, question, expected = CHANGES[alone.config.engine][0]
    alone.execute_sql(change)
    assert expected != ask(alone, question)
    with thread(ask, alone, question) as other:
        wait_until(lambda: alone.pool.queue)
        alone.close()
        assert expected == other.result(PATIENCE)


def test_idle_threads_starve_nobody(sql_url):
    database = open_database(DatabaseConfig.from_url(sql_url, max_connections=3, connection_timeout=PATIENCE))
    threads = 12
    together = threading.Barrier(threads)

    def work() -> None:
        for _ in range(5):
            assert ask(database, "SELECT 1") == 1
            together.wait(PATIENCE)

    with ThreadPoolExecutor(threads) as executor:
        for result in [executor.submit(work) for _ in range(threads)]:
            result.result()
    database.close_all()
