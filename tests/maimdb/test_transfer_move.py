"""A tenant moved between engines: nothing lost, writes refused only for a while, whatever is killed when."""

import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from maimdb import (
    Agent,
    ChatHistory,
    Tenant,
    close_database,
    init_database,
    system_scope,
    tenant_scope,
)
from maimdb.core.database import open_database
from maimdb.core.errors import CrossTenantError, TenantSuspendedError, TransferError
from maimdb.core.migrations import migrate
from maimdb.core.settings import config_from_url
from maimdb.core.transfer import move_tenant

from tests.maimdb.transfer_rows import contents, fill

SOME = [("t" * n, n / 7, datetime(2025, 1, 1, 0, 0, n, tzinfo=UTC), n) for n in range(1, 4)]
SCRIPT = """
import os, signal, sys, threading, random, time
from maimdb.core.database import open_database
from maimdb.core.settings import config_from_url
from maimdb.core.transfer import move_tenant
source, target = (open_database(config_from_url(url)) for url in sys.argv[1:3])
seconds = float(sys.argv[4])
threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
move_tenant(source, target, sys.argv[3], delete_source=True)
os._exit(0)
"""


@contextmanager
def opened(*urls):
    databases = [open_database(config_from_url(url)) for url in urls]
    yield databases
    for database in databases:
        database.close_all()


@pytest.fixture
def urls(sql_url, other_url):
    with opened(sql_url, other_url) as databases:
        for database in databases:
            migrate(database)
    return sql_url, other_url


@pytest.fixture
def tenant(urls):
    init_database(urls[0])
    tenant = fill(SOME)
    fill(SOME, "Two")
    close_database()
    return tenant


def move(urls, tenant, **options):
    with opened(*urls) as databases:
        return move_tenant(*databases, tenant, **options)


def run(url, sql):
    with opened(url) as (database,), system_scope(reason="test"):
        cursor = database.execute_sql(sql)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def without_status(rows):
    rows["tenants"] = [{**row, "status": ""} for row in rows["tenants"]]
    return rows


def test_a_moved_tenant_is_whole_there_and_inactive_here(urls, tenant):
    before = contents(urls[0], tenant)
    report = move(urls, tenant)
    assert contents(urls[1], tenant) == before
    assert without_status(contents(urls[0], tenant)) == without_status(dict(before))
    assert report.tables == {name: len(rows) for name, rows in before.items()}
    assert 0.5 <= report.pause < 10
    init_database(urls[0])
    with tenant_scope(tenant):
        assert ChatHistory.select().count() == 3
        with pytest.raises(TenantSuspendedError, match="it may only read"):
            ChatHistory.create(session_id="s", user_message="", agent_response="")
    close_database()
    init_database(urls[1])
    with tenant_scope(tenant):
        ChatHistory.create(session_id="s", user_message="", agent_response="")
    assert [each.tenant_name for each in Tenant.select()] == ["One"]
    close_database()


@pytest.mark.backend("postgresql", "mysql")
def test_what_is_written_meanwhile_arrives_and_what_comes_later_is_refused(urls, tenant):
    written, errors, stop = [], [], threading.Event()
    init_database(urls[0])

    def work():
        number = 0
        while not stop.is_set():
            number += 1
            try:
                with tenant_scope(tenant):
                    row = ChatHistory.create(session_id=f"w{number}", user_message="", agent_response="")
                written.append(row.id)
                if number % 3 == 0:
                    with tenant_scope(tenant):
                        ChatHistory.delete_by_id(written[-1])
                        written.pop()
                        ChatHistory.set_by_id(written[0], {"user_message": str(number)})
            except TenantSuspendedError as exc:
                errors.append(exc)
                stop.wait(0.01)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        move(urls, tenant)
    finally:
        stop.set()
        worker.join()
        close_database()
    there = contents(urls[1], tenant)["chat_history"]
    arrived = {row["id"] for row in there if row["session_id"] != "s"}
    assert written
    assert errors
    assert arrived == set(written)
    assert there == contents(urls[0], tenant)["chat_history"]


@pytest.mark.backend("mysql")
def test_the_source_is_deleted_if_it_is_unchanged(urls, tenant):
    other = run(urls[0], "SELECT id FROM tenants WHERE tenant_name = 'Two'")[0][0]
    before, others = contents(urls[0], tenant), contents(urls[0], other)
    move(urls, tenant)
    run(urls[0], "UPDATE chat_logs SET request_type = 'changed'")
    with pytest.raises(TransferError, match=r"were changed here after it was moved .* nothing was deleted"):
        move(urls, tenant, delete_source=True)
    run(urls[0], "UPDATE chat_logs SET request_type = 't'")
    assert move(urls, tenant, delete_source=True).deleted
    assert not any(contents(urls[0], tenant).values())
    assert contents(urls[0], other) == others
    assert contents(urls[1], tenant) == before


@pytest.mark.backend("sqlite")
def test_there_and_back_again(urls, tenant):
    before = contents(urls[0], tenant)
    move(urls, tenant, delete_source=True)
    init_database(urls[1])
    with tenant_scope(tenant):
        Agent.create(name="new")
    close_database()
    changed = contents(urls[1], tenant)
    move(urls[::-1], tenant, delete_source=True)
    assert contents(urls[0], tenant) == changed != before
    move(urls, tenant)
    assert contents(urls[1], tenant) == changed


@pytest.mark.backend("postgresql")
def test_a_move_that_is_killed_is_run_again(urls, tenant):
    before = contents(urls[0], tenant)
    chance = random.Random(5)
    for _ in range(int(os.environ.get("MAIMDB_MOVE_KILLS", "2"))):
        command = [sys.executable, "-c", SCRIPT, *urls, tenant, str(chance.uniform(0.05, 0.9))]
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr
        if done.returncode == 0:
            break
    else:
        move(urls, tenant, delete_source=True)
    assert contents(urls[1], tenant) == before
    assert not any(contents(urls[0], tenant).values())


@pytest.mark.backend("sqlite")
def test_what_is_in_the_way_is_named_and_the_tenant_goes_on(urls, tenant):
    with opened(urls[0]) as (database,), pytest.raises(TransferError, match="the same database"):
        move_tenant(database, database, tenant)
    init_database(urls[1])
    Tenant.create(tenant_name="One")
    close_database()
    with pytest.raises(Exception, match="tenant_name"):
        move(urls, tenant)
    assert run(urls[0], "SELECT status FROM tenants WHERE tenant_name = 'One'") == [("active",)]
    with opened(*urls) as databases, tenant_scope("another"), pytest.raises(CrossTenantError):
        move_tenant(*databases, tenant)
