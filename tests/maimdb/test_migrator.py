import peewee
import pytest
from maimdb.core.database import close_database, get_database, init_database
from maimdb.core.errors import MigrationError
from maimdb.core.scope import system_scope
from peewee import BooleanField, CharField, DateTimeField, DecimalField, IntegerField, TextField


@pytest.fixture
def database(sql_url):
    database = init_database(sql_url)
    database.execute_sql(
        "CREATE TABLE tenants (id VARCHAR(50) NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL)"
    )
    database.execute_sql("INSERT INTO tenants VALUES ('tenant_1', 'One')")
    yield database
    close_database()


def columns(database, table="tenants") -> dict[str, bool]:
    return {column.name: column.null for column in database.get_columns(table)}


def run(database, *changes) -> list[str]:
    migrator = database.migrator()
    for name, *arguments in changes:
        getattr(migrator, name)(*arguments)
    return migrator.run()


def test_specifications_snippet_runs_and_runs_again(database):
    for _ in range(2):
        migrator = get_database().migrator()
        migrator.add_column("tenants", "new_field", CharField(null=True))
        migrator.run()
    assert columns(database) == {"id": False, "name": False, "new_field": True}


FIELDS = [
    CharField(max_length=40, null=True),
    TextField(null=True),
    IntegerField(default=7),
    BooleanField(default=True),
    DateTimeField(null=True),
    DecimalField(max_digits=9, decimal_places=2, null=True),
    CharField(default="a", index=True),
]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: type(field).__name__)
def test_column_of_the_same_type_is_left_alone(database, field):
    assert run(database, ("add_column", "tenants", "extra", field)) == ["add column tenants.extra"]
    assert run(database, ("add_column", "tenants", "extra", field)) == []
    assert field.null == columns(database)["extra"]


@pytest.mark.parametrize("field", [CharField(max_length=41, null=True), IntegerField(null=True)])
def test_column_of_another_type_is_an_error_that_says_both(database, field):
    run(database, ("add_column", "tenants", "extra", CharField(max_length=40, null=True)))
    with pytest.raises(MigrationError, match=r"(?i)'extra' of table 'tenants' exists as .*\(40\), not as"):
        run(database, ("add_column", "tenants", "extra", field))


def test_present_rows_get_the_default(database):
    run(database, ("add_column", "tenants", "seats", IntegerField(default=7)))
    assert database.execute_sql("SELECT seats FROM tenants").fetchone() == (7,)
    with pytest.raises(MigrationError, match="default or null=True"):
        database.migrator().add_column("tenants", "needed", IntegerField())


def test_tables_of_every_tenant_can_be_changed(database):
    database.execute_sql("CREATE TABLE chat_history (tenant_id VARCHAR(50))")
    with system_scope(reason="test"):
        database.execute_sql("INSERT INTO chat_history VALUES ('tenant_1'), (NULL)")
    run(database, ("add_column", "chat_history", "rating", IntegerField(default=3)))
    with system_scope(reason="test"):
        rows = database.execute_sql("SELECT rating FROM chat_history").fetchall()
    assert [tuple(row) for row in rows] == [(3,), (3,)]


def test_whole_script_runs_twice(database):
    script = [
        ("add_column", "tenants", "old", CharField(null=True)),
        ("rename_column", "tenants", "old", "label"),
        ("add_column", "tenants", "extra", IntegerField(null=True)),
        ("add_index", "tenants", ["label", "extra"]),
        ("drop_not_null", "tenants", "name"),
        ("add_column", "tenants", "gone", IntegerField(null=True)),
        ("drop_column", "tenants", "gone"),
        ("rename_table", "tenants", "customers"),
        ("drop_index", "customers", "tenants_label_extra"),
        ("add_not_null", "customers", "name"),
    ]
    assert len(run(database, *script)) == 10
    before = columns(database, "customers")
    run(database, *script)
    assert before == columns(database, "customers")
    assert before == {"id": False, "name": False, "label": True, "extra": True}
    assert database.execute_sql("SELECT name FROM customers").fetchone() == ("One",)


def test_index_is_made_once_and_another_of_its_name_refused(database):
    change = ("add_index", "tenants", ["name"])
    assert (len(run(database, change)), len(run(database, change))) == (1, 0)
    migrator = database.migrator()
    migrator.add_index("tenants", ["name"], unique=True)
    with pytest.raises(MigrationError, match="'tenants_name' exists with other columns"):
        migrator.run()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("add_column", "nowhere", "x", IntegerField(null=True)), "no table 'nowhere'"),
        (("rename_column", "tenants", "x", "y"), "no column 'y'"),
        (("rename_column", "tenants", "id", "name"), "both 'id' and 'name'"),
        (("add_not_null", "tenants", "x"), "no column 'x'"),
        (("rename_table", "x", "y"), "no table 'y'"),
    ],
)
def test_impossible_change_is_named(database, change, message):
    with pytest.raises(MigrationError, match=message):
        run(database, change)


def test_failed_change_undoes_the_others_where_the_engine_can(database):
    with pytest.raises(MigrationError) as caught:
        run(
            database,
            ("add_column", "tenants", "extra", IntegerField(null=True)),
            ("add_not_null", "tenants", "extra"),
        )
    undone = database.config.engine != "mysql"
    assert caught.value.operation == "add NOT NULL to tenants.extra"
    assert (() if undone else ("add column tenants.extra",)) == caught.value.done
    assert undone == ("extra" not in columns(database))
    assert ("nothing was changed" in str(caught.value)) == undone


def test_changes_may_be_part_of_a_transaction(database):
    with database.atomic():
        run(database, ("add_column", "tenants", "extra", IntegerField(null=True)))
        assert database.in_transaction()
    assert "extra" in columns(database)
    assert not database.in_transaction()


def test_dropped_column_takes_its_indexes_along(database):
    run(
        database,
        ("add_column", "tenants", "extra", IntegerField(null=True, unique=True)),
        ("add_index", "tenants", ["name", "extra"]),
        ("drop_column", "tenants", "extra"),
    )
    assert {tuple(index.columns) for index in database.get_indexes("tenants")} == {("id",)}


@pytest.mark.backend("postgresql", "mysql")
def test_column_of_a_unique_constraint_can_be_dropped(database):
    database.execute_sql("ALTER TABLE tenants ADD extra INTEGER, ADD CONSTRAINT u UNIQUE (name, extra)")
    run(database, ("drop_column", "tenants", "extra"))
    assert columns(database) == {"id": False, "name": False}


@pytest.mark.backend("postgresql", "mysql")
def test_column_of_a_check_can_be_renamed_and_dropped(database):
    database.execute_sql(
        "ALTER TABLE tenants ADD extra INTEGER, ADD CONSTRAINT kept CHECK (extra > 0 OR name <> 'extra')"
    )
    run(database, ("rename_column", "tenants", "extra", "other"))
    database.execute_sql("INSERT INTO tenants (id, name, other) VALUES ('1', 'x', 0)")
    with pytest.raises(peewee.DatabaseError, match="kept"):
        database.execute_sql("INSERT INTO tenants (id, name, other) VALUES ('2', 'extra', 0)")
    run(database, ("drop_column", "tenants", "other"))
    assert columns(database) == {"id": False, "name": False}


def test_column_may_refer_to_another_table(database):
    class Tenants(peewee.Model):
        id = CharField(50, primary_key=True)

    field = peewee.ForeignKeyField(Tenants, field=Tenants.id, null=True, on_delete="CASCADE")
    database.execute_sql("CREATE TABLE notes (n INTEGER)")
    for _ in range(2):
        run(database, ("add_column", "notes", "tenant_id", field))
    (key,) = database.get_foreign_keys("notes")
    assert (key.column, key.dest_table, key.dest_column) == ("tenant_id", "tenants", "id")
    database.execute_sql("INSERT INTO notes VALUES (1, 'tenant_1')")
    with system_scope(reason="test"):
        database.execute_sql("DELETE FROM tenants")
    assert database.execute_sql("SELECT count(*) FROM notes").fetchone() == (0,)


@pytest.mark.backend("sqlite")
def test_sqlite_keeps_its_triggers_and_foreign_keys(database):
    database.execute_sql("CREATE TABLE log (n INTEGER)")
    database.execute_sql("CREATE TRIGGER watch AFTER UPDATE ON tenants BEGIN INSERT INTO log VALUES (1); END")
    run(database, ("drop_not_null", "tenants", "name"))
    database.execute_sql("UPDATE tenants SET name = NULL")
    assert database.execute_sql("SELECT count(*) FROM log").fetchone() == (1,)
    assert database.execute_sql("PRAGMA foreign_keys").fetchone() == (1,)


@pytest.mark.backend("mysql")
def test_mysql_keeps_defaults_checks_and_comments(database):
    database.execute_sql(
        "CREATE TABLE t (a VARCHAR(9) CHARACTER SET latin1 NOT NULL DEFAULT 'NOT NULL' "
        "COMMENT 'it''s NOT NULL', b INT NULL DEFAULT 7, CONSTRAINT c CHECK (a <> 'x'))"
    )
    run(database, ("drop_not_null", "t", "a"), ("rename_column", "t", "b", "z"), ("add_not_null", "t", "z"))
    database.execute_sql("INSERT INTO t () VALUES ()")
    assert database.execute_sql("SELECT a, z FROM t").fetchone() == ("NOT NULL", 7)
    with pytest.raises(peewee.PeeweeException):
        database.execute_sql("INSERT INTO t VALUES ('x', 1)")
    create = database.execute_sql("SHOW CREATE TABLE t").fetchone()[1]
    assert "COMMENT 'it''s NOT NULL'" in create
    assert columns(database, "t") == {"a": True, "z": False}
