"""The hole matrix: every way in that Peewee knows, tried by one tenant against another's rows."""

import contextlib
from collections.abc import Iterator

import peewee
import pytest
from maimdb import close_database, system_scope, tenant_scope
from maimdb.core.models.base import Record
from maimdb.core.models.fields import StringField
from peewee import fn

from tests.maimdb import gate_holes_raw, gate_holes_read, gate_holes_write
from tests.maimdb.gate_world import (
    HOLES,
    A,
    GateNote,
    GatePlain,
    Hole,
    World,
    everything,
    outcome,
)


@pytest.fixture
def world(sql_url: str) -> Iterator[World]:
    yield World(sql_url)
    close_database()


def test_no_way_in_reaches_another_tenants_rows(world: World) -> None:
    unexpected = {}
    for entry in HOLES:
        allowed = {entry.expected} | ({"unsupported"} if world.engine in entry.unsupported else set())
        if (found := outcome(entry, world)) not in allowed:
            unexpected[entry.name] = found
    assert unexpected == {}


def test_the_matrix_would_see_a_leak(world: World) -> None:
    """A matrix that finds nothing proves nothing: without the gate, each of these leaks."""

    def read(_: World) -> str:
        with system_scope(reason="test"):
            return everything(GateNote.select())

    def write(_: World) -> None:
        with system_scope(reason="test"):
            GateNote.update(rank=7).execute()

    assert outcome(Hole("read", read), world).startswith("LEAK")
    assert outcome(Hole("write", write), world).startswith("LEAK")


def test_every_hole_has_a_name_of_its_own() -> None:
    assert len({entry.name for entry in HOLES}) == len(HOLES)
    assert {entry.attempt.__module__ for entry in HOLES} == {
        module.__name__ for module in (gate_holes_raw, gate_holes_read, gate_holes_write)
    }


KNOWN = pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="known until the database enforces the tenant too"
)


class GateView(Record):
    body = StringField(50)

    class Meta:
        table_name = "gate_view"
        primary_key = False


@KNOWN
def test_a_view_over_guarded_rows_is_confined(world: World) -> None:
    world.reset()
    with system_scope(reason="test set-up"):
        world.db.execute_sql("CREATE VIEW gate_view AS SELECT body FROM gate_note")
    with tenant_scope(A):
        assert {row.body for row in GateView.select()} == {"body-a"}


@KNOWN
@pytest.mark.backend("postgresql", "mysql")
def test_a_function_that_reads_guarded_rows_is_confined(world: World) -> None:
    world.reset()
    body = {
        "postgresql": "CREATE FUNCTION gate_spy() RETURNS varchar LANGUAGE sql "
        "AS 'SELECT max(body) FROM gate_note'",
        "mysql": "CREATE FUNCTION gate_spy() RETURNS varchar(50) READS SQL DATA "
        "RETURN (SELECT max(body) FROM gate_note)",
    }
    with system_scope(reason="test set-up"):
        world.db.execute_sql(body[world.engine])
    with tenant_scope(A):
        assert GatePlain.select(fn.gate_spy()).scalar() == "body-a"


@KNOWN
def test_the_drivers_cursor_is_confined(world: World) -> None:
    world.reset()
    with tenant_scope(A):
        cursor = world.db.cursor()
        cursor.execute("SELECT body FROM gate_note")
        assert [row[0] for row in cursor.fetchall()] == ["body-a"]


@KNOWN
@pytest.mark.backend("sqlite")
def test_a_database_object_without_the_gate_is_confined(world: World) -> None:
    world.reset()
    other = peewee.SqliteDatabase(world.db.database)
    with tenant_scope(A), contextlib.closing(other):
        assert [row[0] for row in GateNote.select(GateNote.body).bind(other).tuples()] == ["body-a"]
