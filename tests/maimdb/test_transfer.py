"""A tenant exported and imported: equal rows, whatever the engines; nothing half, nothing of another's."""

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from maimdb import (
    ALL_MODELS,
    ApiKey,
    ChatHistory,
    CrossTenantError,
    Tenant,
    close_database,
    init_database,
    system_scope,
    tenant_scope,
)
from maimdb.core.database import open_database
from maimdb.core.errors import TransferError
from maimdb.core.migrations import migrate
from maimdb.core.settings import config_from_url
from maimdb.core.transfer import export_tenant, import_tenant

from tests.maimdb.transfer_rows import AUDIT, ROWS, contents, fill

FLAGS = (True, False)
SOME = [("t" * n, n / 7, datetime(2025, 1, 1, 0, 0, n, tzinfo=UTC), n) for n in range(1, 4)]


@contextmanager
def opened(url):
    database = open_database(config_from_url(url))
    yield database
    database.close_all()


@pytest.fixture
def urls(sql_url, other_url):
    for url in (sql_url, other_url):
        with opened(url) as database:
            migrate(database)
    return sql_url, other_url


@pytest.fixture
def database(sql_url):
    with opened(sql_url) as database:
        migrate(database)
        yield database


@pytest.fixture
def sqlites(tmp_path):
    """Two SQLite databases."""
    urls = [f"sqlite:///{tmp_path / name}" for name in ("one.db", "two.db")]
    for url in urls:
        with opened(url) as database:
            migrate(database)
    return urls


def filled(url, rows=SOME, name="One"):
    init_database(url)
    tenant = fill(rows, name)
    close_database()
    return tenant


def export(url, tenant, path):
    with opened(url) as database:
        return export_tenant(database, tenant, path)


def load(url, path, **options):
    with opened(url) as database:
        return import_tenant(database, path, **options)


def run(url, sql, *values):
    with opened(url) as database, system_scope(reason="test"):
        cursor = database.execute_sql(sql.replace("?", database.param), values)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


@settings(
    max_examples=int(os.environ.get("MAIMDB_TRANSFER_EXAMPLES", "2")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=ROWS)
def test_export_then_import_gives_equal_rows_on_every_pair_of_engines(urls, tmp_path, rows):
    tenant = filled(urls[0], rows, uuid4().hex)
    path, back = (tmp_path / f"{uuid4().hex}.ndjson{suffix}" for suffix in (".gz", ""))
    export(urls[0], tenant, path)
    load(urls[1], path)
    assert contents(urls[1], tenant) == contents(urls[0], tenant)
    export(urls[1], tenant, back)
    assert sorted(gzip.decompress(path.read_bytes()).splitlines()[1:-1]) == sorted(
        back.read_bytes().splitlines()[1:-1]
    )


@pytest.mark.backend("sqlite", "mysql")
def test_a_nul_is_carried_or_refused_before_anything_is_written(urls, tmp_path):
    tenant = filled(urls[0])
    run(urls[0], "UPDATE chat_history SET user_message = ?", "a\0b")
    export(urls[0], tenant, path := tmp_path / "e")
    if urls[1].startswith("postgresql"):
        with pytest.raises(TransferError, match=r"line \d+: chat_history.user_message: it holds a NUL"):
            load(urls[1], path)
        assert run(urls[1], "SELECT * FROM tenants") == []
    else:
        load(urls[1], path)
        assert {*run(urls[1], "SELECT user_message FROM chat_history")} == {("a\0b",)}


def test_an_import_can_be_run_again_and_changes_nothing(sqlites, tmp_path):
    tenant = filled(sqlites[0])
    report = export(sqlites[0], tenant, path := tmp_path / "e")
    first, second = load(sqlites[1], path), load(sqlites[1], path)
    assert {name: each.inserted for name, each in first.tables.items()} == report.tables
    assert {name: each.present for name, each in second.tables.items()} == report.tables
    assert sum(each.inserted + each.skipped for each in second.tables.values()) == 0


def test_an_import_that_is_killed_is_run_again(sqlites, tmp_path):
    tenant = filled(sqlites[0], SOME * 400)
    export(sqlites[0], tenant, path := tmp_path / "e")
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from maimdb.core.database import open_database\n"
        "from maimdb.core.settings import config_from_url\n"
        "from maimdb.core.transfer import import_tenant\n"
        "def die(table, rows):\n"
        "    if table == sys.argv[3] and rows > 400: os.kill(os.getpid(), signal.SIGKILL)\n"
        "import_tenant(open_database(config_from_url(sys.argv[1])), Path(sys.argv[2]), progress=die)\n"
    )
    for table in ("chat_logs", "user_sessions"):
        done = subprocess.run([sys.executable, "-c", script, sqlites[1], path, table], check=False)
        assert done.returncode == -signal.SIGKILL
    load(sqlites[1], path)
    assert contents(sqlites[1], tenant) == contents(sqlites[0], tenant)


def test_a_row_with_other_values_is_refused_or_left_alone(sqlites, tmp_path):
    tenant = filled(sqlites[0])
    export(sqlites[0], tenant, path := tmp_path / "e")
    load(sqlites[1], path)
    run(sqlites[1], "UPDATE agents SET name = 'changed' WHERE name = 'a'")
    run(sqlites[1], "DELETE FROM chat_logs")
    before = contents(sqlites[1], tenant)
    with pytest.raises(
        TransferError, match="of 'agents' is there with other values, and nothing was written"
    ):
        load(sqlites[1], path)
    assert contents(sqlites[1], tenant) == before
    report = load(sqlites[1], path, on_conflict="skip")
    assert (report.tables["agents"].skipped, report.tables["chat_logs"].inserted) == (1, 3)
    assert {*run(sqlites[1], "SELECT name FROM agents")} == {("changed",), ("b",)}


def test_an_export_holds_one_tenant_only(sqlites, tmp_path):
    tenant, other = filled(sqlites[0]), filled(sqlites[0], name="Two")
    with opened(sqlites[0]) as database:
        with tenant_scope(tenant):
            export_tenant(database, tenant, path := tmp_path / "e")
            with pytest.raises(CrossTenantError, match=f"tenant {other!r} cannot be reached"):
                export_tenant(database, other, tmp_path / "f")
            with pytest.raises(CrossTenantError, match="cannot be reached"):
                export_tenant(database, "Two", tmp_path / "f")
        with tenant_scope(other), pytest.raises(CrossTenantError, match="cannot be reached"):
            import_tenant(database, path)
    assert other not in path.read_text()
    assert not (tmp_path / "f").exists()


def test_a_key_opens_after_the_import_and_stands_nowhere(sqlites, tmp_path):
    init_database(sqlites[0])
    tenant = fill(SOME)
    with system_scope(reason="test"):
        key = ApiKey.create(tenant_id=tenant, agent_id=ApiKey.get().agent_id)
    close_database()
    export(sqlites[0], tenant, path := tmp_path / "e")
    load(sqlites[1], path)
    assert key.api_key not in path.read_text()
    init_database(sqlites[1])
    assert ApiKey.verify(key.api_key).id == key.id
    close_database()


def test_tables_of_earlier_versions_go_along(urls, tmp_path):
    tenant = filled(urls[0])
    agent = run(urls[0], "SELECT id FROM agents WHERE name = 'a'")[0][0]
    jargon = "id INTEGER PRIMARY KEY, tenant_id VARCHAR(50), at TIMESTAMP NULL, x DECIMAL(9, 2)"
    for create in (
        f"CREATE TABLE legacy_jargon ({jargon})",
        "CREATE TABLE mood_config_overrides (id VARCHAR(50) PRIMARY KEY, agent_id VARCHAR(50), enable BOOL)",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text VARCHAR(20))",
    ):
        run(urls[0], create)
    run(
        urls[0],
        "INSERT INTO legacy_jargon VALUES (7, ?, '2025-01-01 00:00:00', 1.5), (8, 'other', NULL, 2)",
        tenant,
    )
    run(
        urls[0],
        "INSERT INTO mood_config_overrides VALUES ('config_1', ?, ?), ('config_2', 'other', ?)",
        agent,
        *FLAGS,
    )
    report = export(urls[0], tenant, path := tmp_path / "e")
    load(urls[1], path)
    export(urls[1], tenant, back := tmp_path / "b")
    assert (report.tables["legacy_jargon"], report.tables["mood_config_overrides"]) == (1, 1)
    assert sorted(path.read_bytes().splitlines()[1:-1]) == sorted(back.read_bytes().splitlines()[1:-1])
    assert "notes" not in path.read_text()


def test_what_a_column_holds_against_its_type_survives_on_sqlite(sqlites, tmp_path):
    tenant = filled(sqlites[0])
    odd = "UPDATE chat_logs SET status_code = 'two hundred', token_count = x'00ff', created_at = 'yesterday'"
    run(sqlites[0], odd)
    export(sqlites[0], tenant, path := tmp_path / "e")
    load(sqlites[1], path)
    sql = "SELECT status_code, token_count, created_at FROM chat_logs"
    assert run(sqlites[1], sql) == run(sqlites[0], sql) == [("two hundred", b"\0\xff", "yesterday")] * 3


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def spoil(path, change):
    """Change an export's lines and give it a fitting last line."""
    lines = lines_of(path)
    change(lines)
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines[:-1])
    lines[-1]["sha256"] = hashlib.sha256(body).hexdigest()
    path.write_bytes(body + json.dumps(lines[-1]).encode() + b"\n")


def place_of(lines, table):
    return next(n for n, line in enumerate(lines) if isinstance(line, list) and line[0] == table)


def set_value(table, place, value):
    def change(lines):
        lines[place_of(lines, table)][place] = value

    return change


def insert_table(lines):
    lines.insert(-1, {"table": "notes", "columns": [["id", "text"]], "key": ["id"]})
    lines[-1]["end"]["tables"]["notes"] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[0].update(format=99), "has format 99, and this maimdb reads 1"),
        (lambda lines: lines[0].update(schema=99), "is of version 99 of the schema"),
        (lambda lines: lines[0].update(maimdb="backup"), "is no export of a tenant"),
        (lambda lines: lines[0].pop("tenant"), "line 1: it has no 'tenant'"),
        (insert_table, "has no table 'notes'"),
        (lambda lines: lines[1]["columns"][0].__setitem__(1, "colour"), "columns that this maimdb does not"),
        (set_value("agents", 1, None), r"line \d+: agents.id is null"),
        (set_value("agents", 1, 7), r"line \d+: agents.id: '7' is no text"),
        (set_value("agents", 1, "a\ud800"), "lone surrogate"),
        (set_value("chat_history", 1, "no uuid"), "'no uuid' is no uuid"),
        (set_value("chat_history", 4, "soon"), "'soon' is no moment"),
        (set_value("chat_history", 2, "tenant_other"), r"the row of chat_history is not of tenant"),
        (set_value("chat_history", 0, "tenants"), "is a row of 'tenants' among those of 'chat_history'"),
        (lambda lines: lines[place_of(lines, "chat_logs")].append(1), "is no row of the table before it"),
        (lambda lines: lines[-1]["end"].update(rows=1), "does not fit the lines before it"),
        (lambda lines: lines.append(lines[-1]), "does not fit the lines before it"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_understood_is_refused_before_anything_is_written(
    sqlites, tmp_path, change, message
):
    tenant = filled(sqlites[0])
    export(sqlites[0], tenant, path := tmp_path / "e")
    spoil(path, change)
    with pytest.raises(TransferError, match=message):
        load(sqlites[1], path)
    assert not any(contents(sqlites[1], tenant).values())


@pytest.mark.parametrize("name", ["e", "e.gz"])
def test_a_file_that_is_cut_off_or_damaged_is_refused(sqlites, tmp_path, name):
    tenant = filled(sqlites[0])
    export(sqlites[0], tenant, path := tmp_path / name)
    whole = path.read_bytes()
    for place in (0, 1, len(whole) // 2, len(whole) - 12):
        path.write_bytes(whole[:place])
        with pytest.raises(TransferError):
            load(sqlites[1], path)
    path.write_bytes(
        whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :]
    )
    with pytest.raises(TransferError):
        load(sqlites[1], path)
    assert not any(contents(sqlites[1], tenant).values())
    path.write_bytes(whole)
    load(sqlites[1], path)


def test_another_tenants_row_is_not_taken(sqlites, tmp_path):
    tenant = filled(sqlites[0])
    export(sqlites[0], tenant, path := tmp_path / "e")
    other = filled(sqlites[1], name="Two")
    mine = run(sqlites[0], "SELECT id FROM agents WHERE name = 'a'")[0][0]
    run(sqlites[1], "INSERT INTO agents SELECT ?, created_at, updated_at, tenant_id, 'x', description, "
        "template_id, config, status FROM agents LIMIT 1", mine)  # fmt: skip
    before = contents(sqlites[1], other)
    for on_conflict in ("fail", "skip"):
        with pytest.raises(TransferError, match=f"of 'agents' is there, and of tenant {other!r}"):
            load(sqlites[1], path, on_conflict=on_conflict)
    assert contents(sqlites[1], other) == before


def test_an_export_is_of_one_moment(database, tmp_path, sql_url):
    tenant = filled(sql_url, SOME * 200)

    def write(table, _rows):
        if table == "agents":
            init_database(sql_url)
            with tenant_scope(tenant):
                ChatHistory.create(session_id="late", user_message="", agent_response="")
            close_database()

    report = export_tenant(database, tenant, tmp_path / "e", write)
    assert report.tables["chat_history"] == 600
    assert '"late"' not in (tmp_path / "e").read_text()


def test_every_table_of_the_models_is_exported_or_named_as_staying(database, sql_url, tmp_path):
    tenant = filled(sql_url)
    report = export_tenant(database, tenant, tmp_path / "e")
    assert set(report.tables) | AUDIT == {model._meta.table_name for model in ALL_MODELS}
    assert all(report.tables.values())
    with ExitStack() as stack:
        stack.callback(close_database)
        init_database(sql_url)
        assert Tenant.get_by_id(tenant)


def test_a_file_that_exists_and_a_tenant_that_does_not_are_errors(database, sql_url, tmp_path):
    tenant = filled(sql_url)
    Path(tmp_path / "e").write_text("")
    with pytest.raises(TransferError, match="exists: name another file"):
        export_tenant(database, tenant, tmp_path / "e")
    with pytest.raises(TransferError, match="has no tenant 'nobody'"):
        export_tenant(database, "nobody", tmp_path / "f")
