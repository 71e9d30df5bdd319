"""The audit log: what is recorded, and that no change of it goes unnoticed."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from maimdb import ALL_MODELS, ApiKey, close_database, init_database, system_scope, tenant_scope
from maimdb.core import api_keys, audit
from maimdb.core.errors import DatabaseError
from maimdb.core.migrations import migrate
from maimdb.core.models import AuditEvent

from tests.maimdb.rows import assistant, company

RAW = {
    "sqlite": ["DROP TRIGGER audit_events_update", "DROP TRIGGER audit_events_delete"],
    "postgresql": ["DROP TRIGGER audit_events_change ON audit_events"],
    "mysql": ["DROP TRIGGER audit_events_update", "DROP TRIGGER audit_events_delete"],
}
APPEND = (
    "INSERT INTO audit_events SELECT 6, at, actor, tenant_id, kind, subject, details, hash, hash "
    "FROM audit_events WHERE seq = 5"
)
WRITER = """
import sys
from maimdb import init_database
from maimdb.core import audit
init_database(sys.argv[1])
for number in range(20):
    audit.record("test.counted", str(number))
"""


@pytest.fixture(params=["models", "migrated"])
def database(sql_url, request):
    database = init_database(sql_url)
    if request.param == "models":
        database.create_tables(ALL_MODELS)
    else:
        migrate(database)
    yield database
    close_database()


@pytest.fixture
def plain(sql_url):
    database = init_database(sql_url)
    database.create_tables(ALL_MODELS)
    yield database
    close_database()


def run(database, *statements):
    """Execute raw statements as somebody would who bypasses the library."""
    connection = database.connection()
    for sql in statements:
        connection.cursor().execute(sql)
    connection.commit()
    database.close()


def kinds():
    return [event.kind for event in reversed(audit.events())]


def test_rows_can_only_be_added(database):
    audit.record("test.happened", "x")
    for sql in ("UPDATE audit_events SET subject = 'y'", "DELETE FROM audit_events"):
        with pytest.raises(Exception, match="the audit log is only added to"):
            run(database, sql)
        database.close()
    assert [event.subject for event in audit.events(kind="test.happened")] == ["x"]
    assert audit.verify().ok


def test_crossings_keys_and_their_actors_are_recorded(plain):
    agent = assistant(company())
    with audit.acting_as("user_7"), tenant_scope(agent.tenant_id), system_scope(reason="billing run"):
        pass
    key = api_keys.issue(agent.tenant_id, agent.id, ["chat"])
    new = api_keys.rotate(key.key_id)
    api_keys.revoke(new.key_id)
    ApiKey.get_by_id(new.key_id).delete_instance()
    found = {event.kind: event for event in audit.events()}
    crossing = found["scope.crossed"]
    assert (crossing.actor, crossing.tenant_id, crossing.subject) == (
        "user_7",
        agent.tenant_id,
        "billing run",
    )
    assert {"key.issued", "key.rotated", "key.revoked", "key.changed", "key.deleted"} <= set(found)
    assert found["key.rotated"].subject == new.key_id
    assert key.text not in str(audit.events())
    assert audit.verify().ok


def test_an_event_and_its_change_are_one_transaction(plain):
    agent = assistant(company())
    before = kinds()

    def fail():
        with plain.atomic():
            api_keys.issue(agent.tenant_id, agent.id)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (ApiKey.select().count(), kinds()) == (0, before)


def test_a_crossing_is_recorded_though_its_transaction_is_undone(plain):
    def fail():
        with plain.atomic(), system_scope(reason="undone"):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert audit.events()[0].subject == "undone"


def test_a_crossing_waits_for_no_lock(plain):
    """Somebody else holds the head, or SQLite's write lock, all the while."""
    held, crossed = threading.Event(), threading.Event()

    def hold():
        with plain.atomic():
            audit.record("test.held", "x")
            held.set()
            assert crossed.wait(20)
        plain.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(20)
    with system_scope(reason="meanwhile"):
        pass
    crossed.set()
    thread.join()
    assert "meanwhile" in {event.subject for event in audit.events()}


def test_strangers_read_no_events(plain):
    one, other = company("One"), company("Two")
    audit.record("test.happened", "x", tenant_id=one.id)
    with tenant_scope(other.id):
        assert AuditEvent.select().count() == 0
    with tenant_scope(one.id):
        assert AuditEvent.select().count() == 1
    assert [event.subject for event in audit.events(tenant_id=one.id)] == ["x"]
    assert audit.events(tenant_id=other.id) == []


@pytest.mark.parametrize(
    ("damage", "faults"),
    [
        (["UPDATE audit_events SET subject = 'y' WHERE seq = 3"], {(3, "was edited")}),
        (["UPDATE audit_events SET tenant_id = 'tenant_x' WHERE seq = 3"], {(3, "was edited")}),
        (["UPDATE audit_events SET at = '2020-01-01 00:00:00' WHERE seq = 3"], {(3, "was edited")}),
        (["UPDATE audit_events SET details = '[]' WHERE seq = 3"], {(3, "was edited")}),
        (
            ["UPDATE audit_events SET hash = '0' WHERE seq = 3"],
            {(3, "was edited"), (4, "does not follow the event before it")},
        ),
        (["DELETE FROM audit_events WHERE seq = 3"], {(3, "is missing")}),
        (["DELETE FROM audit_events WHERE seq < 3"], {(1, "to 2 are missing")}),
        (["DELETE FROM audit_events WHERE seq > 3"], {(4, "to 5 are missing")}),
        (["DELETE FROM audit_events"], {(1, "to 5 are missing")}),
        (["DELETE FROM audit_head"], {(5, "stands after the head of the chain")}),
        (
            ["UPDATE audit_events SET seq = 9 WHERE seq = 5"],
            {(5, "is missing"), (9, "stands after the head of the chain")},
        ),
        (
            [APPEND],
            {(6, "stands after the head of the chain")},
        ),
    ],
)
def test_each_damage_is_found(plain, damage, faults):
    for number in range(5):
        audit.record("test.counted", f"événement {number} 😀\0")
    whole = audit.verify()
    assert (whole.ok, whole.events) == (True, 5)
    run(plain, *RAW[plain.config.engine], *damage)
    assert {(fault.seq, fault.what) for fault in audit.verify().faults} == faults


def test_nothing_is_added_to_a_chain_whose_head_is_gone(plain):
    audit.record("test.counted", "1")
    run(plain, "DELETE FROM audit_head")
    with pytest.raises(DatabaseError, match=r"audit_head is gone.*maimdb audit verify"):
        audit.record("test.counted", "2")
    assert [event.subject for event in audit.events()] == ["1"]


def test_a_chain_that_was_cut_and_sealed_anew_is_found_by_the_head_that_was_kept(plain):
    for number in range(5):
        audit.record("test.counted", str(number))
    kept = audit.verify().head
    run(
        plain,
        *RAW[plain.config.engine],
        "DELETE FROM audit_events WHERE seq > 3",
        "UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit_events WHERE seq = 3)",
    )
    assert audit.verify().ok
    assert audit.verify(head=kept).faults[0].what == f"the given head {kept!r} is not in the chain"
    for _ in range(2):
        audit.record("test.counted", "forged")
    assert audit.verify().ok
    assert audit.verify(head=kept).faults[0].what == "is not the event that the given head names"


def test_threads_and_processes_make_one_chain(plain, sql_url):
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, sql_url]) for _ in range(2)]

    def write(number):
        audit.record("test.counted", str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(60)))
    assert [process.wait(60) for process in processes] == [0, 0]
    found = audit.verify()
    assert (found.faults, found.events) == ((), 100)


@pytest.mark.backend("sqlite")
def test_without_the_table_the_log_is_all_there_is(sql_url, caplog):
    init_database(sql_url)
    with caplog.at_level("INFO", "maimdb.audit"):
        with system_scope(reason="early"):
            pass
        assert audit.record("test.happened", "x") is None
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "system scope opened from no scope",
        "test.happened x",
    ]
    assert audit.events() == []
    assert audit.verify().faults[0].what == "there is no audit log: run `maimdb migrate`"
    close_database()
