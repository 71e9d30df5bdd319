"""The promises of reading live SQL databases: the same rows from every server, in one order; no writes."""

import importlib
import re
import sys
import tracemalloc
from collections import Counter
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID

import pytest
import sqlalchemy as sa
from mimiod.errors import AccessDeniedError, ConfigurationError, ServerUnavailableError, SourceError
from mimiod.relational import live
from mimiod.relational.live import connect
from mimiod.relational.model import Children, ForeignKey, Index
from mimiod.relational.postgresql import PostgreSQL
from mimiod.relational.values import sort_key

from tests.mimiod.sql_samples import parties, school, shop, sqlite_file


@contextmanager
def writing(url):
    engine = sa.create_engine(re.sub(r"^postgresql:", "postgresql+psycopg2:", url))
    try:
        with engine.begin() as connection:
            yield connection.exec_driver_sql
    finally:
        engine.dispose()


def made(url, *statements):
    with writing(url) as run:
        for statement in statements:
            run(statement)
    return closing(connect(url))


def as_read(value, kind):
    if isinstance(value, date):
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC)
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return str(value) if isinstance(value, UUID) and kind == "string" else value


@pytest.mark.parametrize("sample", [school(), parties()], ids=lambda sample: sample.name)
def test_read_rows_as_they_were_inserted(sample, sql_url):
    sample.create(sql_url)
    with closing(connect(sql_url)) as reader:
        for name, inserted in sample.rows().items():
            table = reader.schema.tables[name]
            kinds = {column.name: column.kind for column in table.columns.values()}
            expected = [{k: as_read(v, kinds[k]) for k, v in row.items()} for row in inserted]
            expected.sort(key=lambda row: sort_key(row[key] for key in table.primary_key))
            assert list(reader.rows(name, order=table.primary_key)) == expected
            assert reader.count(name) == len(expected)
            numbers = {k for k, kind in kinds.items() if kind in {"int", "long", "decimal"}}
            for column, (held, total) in reader.totals(name, list(kinds)).items():
                there = [row[column] for row in expected if row[column] is not None]
                assert held == len(there)
                assert total == (sum(there) if column in numbers else None)
            for key in table.foreign_keys:
                named = Counter(tuple(row[c] for c in key.columns) for row in expected)
                named = {k: n for k, n in named.items() if None not in k}
                told = Children(sum(named.values()), len(named), max(named.values()))
                assert reader.children(name, key) == told


def test_reflect_keys_as_they_are_declared(sql_url):
    sample = school()
    sample.create(sql_url)
    with closing(connect(sql_url)) as reader:
        schema = reader.schema
    links = {
        (table.name, key.columns, key.target, key.keys)
        for table in schema.tables.values()
        for key in table.foreign_keys
    }
    assert links == sample.links
    assert schema.dialect == sa.make_url(sql_url).get_backend_name()
    assert not schema.notes
    for name, table in sample.metadata.tables.items():
        found = schema.tables[name]
        assert found.primary_key == tuple(table.primary_key.columns.keys())
        assert {c.name: c.nullable for c in found.columns.values()} == {
            c.name: c.nullable for c in table.columns
        }
        uniques = {tuple(c.columns.keys()) for c in table.constraints if isinstance(c, sa.UniqueConstraint)}
        assert set(found.uniques) == uniques


def test_reflect_what_checks_allow_and_what_is_indexed(sql_url):
    with made(
        sql_url,
        "CREATE TABLE up (id INTEGER PRIMARY KEY)",
        "CREATE TABLE t (a INTEGER CHECK (a > 0 AND a <= 10), b NUMERIC(5,2) CHECK (b < 5 AND b >= -1), "
        "c VARCHAR(9) CHECK (c IN ('x', 'it''s') OR c IS NULL), d INTEGER CHECK (d IN (3, 1, 2)), "
        "up INTEGER, CHECK (a <> b), UNIQUE (a, b), FOREIGN KEY (up) REFERENCES up (id) ON DELETE CASCADE)",
        "CREATE INDEX of_two ON t (d, c)",
        "CREATE UNIQUE INDEX of_one ON t (d)",
    ) as reader:
        table = reader.schema.tables["t"]
    columns = table.columns
    bounds = {name: (columns[name].low, columns[name].high) for name in "abd"}
    assert bounds == {"a": (1, 10), "b": (-1, Decimal("4.99")), "d": (1, 3)}
    assert (columns["c"].values, columns["c"].length) == (("x", "it's"), 9)
    assert Index("of_two", ("d", "c")) in table.indexes
    assert set(table.uniques) == {("a", "b"), ("d",)}
    assert table.foreign_keys == (ForeignKey(("up",), "up", ("id",), "CASCADE"),)


WORDS = [
    "a",
    "A",
    "b",
    "B",
    "ab",
    "a b",
    "a-b",
    "a_b",
    "ä",
    "z",
    "Z",
    "é",
    "e",
    "ß",
    "0",
    "9",
    "10",
    "~",
    "🙂",
    "中",
    "%",
    "'",
]


def test_order_rows_alike_on_every_server(sql_url):
    draws = Random(5)
    rows = [
        (
            n,
            draws.choice([*WORDS, None]),
            draws.choice([None, -3, 0, 7, 2**40, -(2**40)]),
            draws.choice([None, "-1.50", "0.10", "10.00", "9.99"]),
            draws.choice([None, "2024-02-29 23:59:59", "1999-12-31 00:00:00", "2024-03-01 00:00:00"]),
        )
        for n in range(150)
    ]
    mark = "?" if sql_url.startswith("sqlite") else "%s"
    moment = "TIMESTAMP" if sql_url.startswith("postgresql") else "DATETIME"
    with writing(sql_url) as run:
        run(f"CREATE TABLE t (id INTEGER PRIMARY KEY, w VARCHAR(9), n BIGINT, d NUMERIC(6,2), m {moment})")
        run(f"INSERT INTO t VALUES ({', '.join([mark] * 5)})", rows)
    with closing(connect(sql_url)) as reader:
        held = list(reader.rows("t"))
        for order in (["w", "id"], ["n", "w", "id"], ["d", "id"], ["m", "n", "id"]):
            found = list(reader.rows("t", order=order))
            assert found == sorted(held, key=lambda row: sort_key(row[name] for name in order))
        assert sum(row["w"] is None for row in found) > 0
        assert {row["w"] for row in reader.rows("t", where={"n": [7, 0, None]}) if row["n"] in {7, 0}} == {
            row["w"] for row in held if row["n"] in {7, 0}
        }


def test_postgresql_texts_are_ordered_by_their_bytes_whatever_their_collation(postgresql_url):
    with made(postgresql_url, "CREATE TABLE t (w VARCHAR(9), c CHAR(3))") as reader:
        for column in reader.schema.tables["t"].columns.values():  # the tests' server has no other collations
            ordered = reader._dialect.place("t", column).ordered
            assert str(ordered.compile(reader._engine)).endswith('COLLATE "C") NULLS FIRST')


def test_keep_the_rows_that_have_one_of_some_values(sql_url):
    with made(
        sql_url,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, w VARCHAR(9), n NUMERIC(6,2), d DATE)",
        "INSERT INTO t VALUES (1, 'a', 1.50, '2024-01-01'), (2, 'b', 2.25, NULL),"
        " (3, 'a', NULL, '2024-01-03'), (4, NULL, 3, '2024-01-04')",
    ) as reader:

        def kept(**where):
            return [row["id"] for row in reader.rows("t", order=["id"], where=where)]

        assert kept(w=["a", "z", None]) == [1, 3]
        assert kept(n=[Decimal("1.50"), 3]) == [1, 4]
        assert kept(d=[datetime(2024, 1, 3, tzinfo=UTC), datetime(2024, 1, 4, tzinfo=UTC)]) == [3, 4]
        assert kept(w=["a"], id=[3, 4]) == [3]
        assert kept(w=[]) == kept(w=[None]) == []


def test_order_uuids_by_their_text(postgresql_url, mysql_url, sqlite_url):
    keys = [UUID(int=Random(n).getrandbits(128), version=4) for n in range(40)]
    for url, kind in ((postgresql_url, "UUID"), (mysql_url, "UUID"), (sqlite_url, "UUID")):
        with writing(url) as run:
            try:
                run(f"CREATE TABLE t (k {kind} PRIMARY KEY)")
            except sa.exc.DBAPIError:  # MySQL itself has no such type, MariaDB has
                continue
            for n, key in enumerate(keys):
                run(f"INSERT INTO t VALUES ('{str(key).upper() if n % 2 else key}')")
        with closing(connect(url)) as reader:
            assert reader.schema.tables["t"].columns["k"].kind == "uuid"
            assert [row["k"] for row in reader.rows("t", order=["k"])] == sorted(keys, key=str)
            assert [row["k"] for row in reader.rows("t", where={"k": keys[:2]}, order=["k"])] == sorted(
                keys[:2]
            )


@pytest.mark.parametrize("key", ["id INTEGER PRIMARY KEY", "id INTEGER"], ids=["keyed", "keyless"])
def test_draw_each_row_with_the_same_chance(key, sql_url):
    with made(
        sql_url, f"CREATE TABLE t ({key})", "INSERT INTO t VALUES " + ", ".join(f"({n})" for n in range(60))
    ) as reader:
        drawn = [tuple(row["id"] for row in reader.sample("t", 20, seed)) for seed in range(40)]
        again = [tuple(row["id"] for row in reader.sample("t", 20, seed)) for seed in range(5)]
        assert sorted(row["id"] for row in reader.sample("t", 60, 1)) == list(range(60))
    assert again == drawn[:5]
    assert {len(set(each)) for each in drawn} == {20}
    often = Counter(n for each in drawn for n in each)
    expected = 40 * 20 / 60
    chi_square = sum((often[n] - expected) ** 2 / (expected * (1 - 20 / 60)) for n in range(60))
    assert 25 < chi_square < 110  # 59 degrees of freedom: beyond once in 10,000 times


def test_streams_are_read_side_by_side_and_left_early(sql_url):
    numbers = ", ".join(f"({n})" for n in range(3_000))
    with made(
        sql_url, "CREATE TABLE t (id INTEGER PRIMARY KEY)", f"INSERT INTO t VALUES {numbers}"
    ) as reader:
        streams = [reader.rows("t", order=["id"]) for _ in range(3)]
        assert all(a == b == c for a, b, c in zip(*streams, strict=True))
        for _ in range(3):
            stream = reader.rows("t")
            assert next(stream)
            stream.close()
        assert reader.count("t") == 3_000


@pytest.mark.backend("sqlite", "mysql")  # PostgreSQL's driver keeps its rows where Python cannot see them
def test_memory_does_not_grow_with_a_table(sql_url):
    text = "x" * 1000
    with writing(sql_url) as run:
        run("CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(1000))")
        for start in range(0, 6_000, 2_000):
            run("INSERT INTO t VALUES " + ", ".join(f"({n}, '{text}')" for n in range(start, start + 2_000)))
    with closing(connect(sql_url)) as reader:
        list(reader.sample("t", 1, 1))
        tracemalloc.start()
        assert sum(1 for _ in reader.rows("t", order=["id"])) == 6_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 3_500_000  # the table has twice as much


def test_postgresql_hands_out_rows_by_a_cursor_of_its_own(postgresql_url):
    with made(postgresql_url, "CREATE TABLE t AS SELECT generate_series(1, 5000) AS n") as reader:
        stream = reader.rows("t")
        next(stream)
        with writing(postgresql_url) as run:
            held = (
                run("SELECT query FROM pg_stat_activity WHERE state = 'idle in transaction'").scalars().all()
            )
        assert any(query.startswith("FETCH") or "CURSOR" in query for query in held)
        stream.close()


def test_nothing_can_be_written(sql_url):
    with made(sql_url, "CREATE TABLE t (n INTEGER)") as reader, reader._engine.connect() as connection:
        for statement in (
            "CREATE TABLE made (a INTEGER)",
            "INSERT INTO t VALUES (1)",
            "DELETE FROM t",
            "DROP TABLE t",
        ):
            with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read.?only"):
                connection.exec_driver_sql(statement)
            connection.rollback()


def test_sqlite_files_are_opened_for_reading_twice_over(sqlite_url):
    with made(sqlite_url, "CREATE TABLE t (n INTEGER)") as reader, reader._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA query_only").scalar() == 1
        connection.exec_driver_sql("PRAGMA query_only = 0")
        with pytest.raises(sa.exc.DBAPIError, match="readonly"):
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")


def test_postgresql_reads_one_snapshot(postgresql_url):
    with made(postgresql_url, "CREATE TABLE t (n INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)") as reader:
        with writing(postgresql_url) as run:
            run("INSERT INTO t VALUES (2)")
        assert reader.count("t") == 1
        assert [row["n"] for row in reader.rows("t")] == [1]


HOSTILE = "we\"ird [t] %(x)s :y; -- /* 'q' \\ é"


def test_hostile_names_are_read_as_they_are(sql_url):
    sign = "`" if sql_url.startswith("mysql") else '"'
    table, other = (f"{sign}{name.replace(sign, sign * 2)}{sign}" for name in (HOSTILE, "a:b %s"))
    statements = [
        f"CREATE TABLE {table} ({table} INTEGER PRIMARY KEY, {other} VARCHAR(9))",
        f"CREATE TABLE child (up INTEGER, FOREIGN KEY (up) REFERENCES {table} ({table}))",
        f"INSERT INTO {table} VALUES (2, 'x'), (1, NULL)",
        "INSERT INTO child VALUES (1), (1), (NULL)",
    ]
    with made(
        sql_url, *(each if "sqlite" in sql_url else each.replace("%", "%%") for each in statements)
    ) as reader:
        rows = [{HOSTILE: 1, "a:b %s": None}, {HOSTILE: 2, "a:b %s": "x"}]
        assert list(reader.rows(HOSTILE, order=[HOSTILE])) == rows
        assert list(reader.rows(HOSTILE, where={HOSTILE: [2], "a:b %s": ["x"]})) == rows[1:]
        assert len(list(reader.sample(HOSTILE, 1, 1))) == 1
        assert reader.totals(HOSTILE, [HOSTILE, "a:b %s"]) == {HOSTILE: (2, Decimal(3)), "a:b %s": (1, None)}
        key = ForeignKey(("up",), HOSTILE, (HOSTILE,))
        assert reader.schema.tables["child"].foreign_keys == (key,)
        assert reader.children("child", key) == Children(2, 1, 2)


def test_mysql_keys_that_cannot_be_read_are_noted(mysql_url):
    with made(
        mysql_url,
        "CREATE TABLE `a``b` (`x``y` INTEGER PRIMARY KEY)",
        "CREATE TABLE child (up INTEGER, FOREIGN KEY (up) REFERENCES `a``b` (`x``y`))",
    ) as reader:
        assert reader.schema.tables["a`b"].primary_key == ("x`y",)
        assert "child: 1 of its foreign keys could not be read, and are left out" in reader.schema.notes


def test_views_are_passed_over_with_a_note(sql_url):
    with made(sql_url, "CREATE TABLE t (n INTEGER)", "CREATE VIEW v AS SELECT n FROM t") as reader:
        assert list(reader.schema.tables) == ["t"]
        assert any("'v' is a view" in note for note in reader.schema.notes)


DAY = datetime(2024, 1, 2, tzinfo=UTC)
POSTGRESQL_VALUES = [
    ("mood", "'ok'", "ok"),
    ("mood[]", "'{sad,ok}'", ["sad", "ok"]),
    ("zip", "'12345'", "12345"),
    ("CHAR(4)", "'ab'", "ab"),
    ("BYTEA", "'\\x00ff'", b"\0\xff"),
    ("JSONB", """'{"a": [1, "1"]}'""", {"a": [1, "1"]}),
    ("JSON", """'"1"'""", "1"),
    ("UUID[]", "'{00000000-0000-0000-0000-000000000001}'", [UUID(int=1)]),
    ("TIMESTAMP", "'2024-01-02 03:04:05.678901'", datetime(2024, 1, 2, 3, 4, 5, 678901, UTC)),
    ("TIMESTAMPTZ", "'2024-01-02 03:04:05+02'", datetime(2024, 1, 2, 1, 4, 5, tzinfo=UTC)),
    ("DATE", "'2024-01-02'", DAY),
    ("DATE[]", "'{2024-01-02,NULL}'", [DAY, None]),
    ("TIME", "'03:04:05'", "03:04:05"),
    ("INTERVAL", "'1 day 2 hours'", "P1DT2H"),
    ("NUMERIC", "123456789012345678901234567890.5", Decimal("123456789012345678901234567890.5")),
    ("NUMERIC[]", "'{1.50}'", [Decimal("1.50")]),
    ("MONEY", "12.5", Decimal("12.50")),
    ("REAL", "0.5", 0.5),
    ("INT[]", "'{{1,2},{3,4}}'", [[1, 2], [3, 4]]),
    ("INT4RANGE", "'[1,5)'", "[1,5)"),
    ("BOOLEAN", "true", True),
    ("BIGINT", "9223372036854775807", 2**63 - 1),
    ("INET", "'10.0.0.1'", "10.0.0.1/32"),
]
MYSQL_VALUES = [
    ("TINYINT(1)", "1", True),
    ("TINYINT(1)", "7", 7),
    ("BIT(1)", "b'1'", True),
    ("BIT(8)", "b'00000101'", 5),
    ("BIGINT UNSIGNED", "18446744073709551615", Decimal(2**64 - 1)),
    ("DATE", "'2024-01-02'", DAY),
    ("DATETIME(3)", "'2024-01-02 03:04:05.678'", datetime(2024, 1, 2, 3, 4, 5, 678000, UTC)),
    ("TIME", "'-01:02:03'", "-01:02:03"),
    ("YEAR", "2024", 2024),
    ("ENUM('x', 'it''s')", "'it''s'", "it's"),
    ("SET('a', 'b')", "'a,b'", ["a", "b"]),
    ("SET('a', 'b')", "''", []),
    ("JSON", """'{"a": [1]}'""", {"a": [1]}),
    ("VARBINARY(9)", "x'00ff'", b"\0\xff"),
    ("DECIMAL(30, 10)", "1.5", Decimal("1.5000000000")),
    ("DOUBLE", "0.25", 0.25),
    ("CHAR(4)", "'ab'", "ab"),
]
SQLITE_VALUES = [
    ("INTEGER", "'text'", "text"),
    ("INTEGER", "2.5", 2.5),
    ("BOOLEAN", "1", True),
    ("BOOLEAN", "'yes'", "yes"),
    ("DATETIME", "'2024-01-02T00:00:00Z'", DAY),
    ("DATETIME", "1704164645", 1704164645),
    ("DECIMAL(10, 2)", "1.5", Decimal("1.50")),
    ("DECIMAL(10, 2)", "'n/a'", "n/a"),
    ("JSON", """'{"a": 1}'""", {"a": 1}),
    ("JSON", "'no json'", "no json"),
    ("UUID", "'0000000000000000000000000000000A'", UUID(int=10)),
    ("UUID", "'no uuid'", "no uuid"),
    ("", "x'00'", b"\0"),
    ("TEXT", "CAST(x'ff41' AS TEXT)", "\ufffdA"),
]


def tabled(url, values, *before):
    declared = ", ".join(f"c{n} {kind}" for n, (kind, _, _) in enumerate(values))
    held = ", ".join(literal for _, literal, _ in values)
    return made(url, *before, f"CREATE TABLE t ({declared})", f"INSERT INTO t VALUES ({held})")


def assert_read(reader, values):
    (row,) = reader.rows("t")
    assert {values[n][:2]: value for n, value in enumerate(row.values())} == {v[:2]: v[2] for v in values}
    assert [type(value) for value in row.values()] == [type(value) for _, _, value in values]


def test_postgresql_values_become_what_bson_takes(postgresql_url):
    before = "CREATE TYPE mood AS ENUM ('sad', 'ok')", "CREATE DOMAIN zip AS VARCHAR(5)"
    with tabled(postgresql_url, POSTGRESQL_VALUES, *before) as reader:
        assert_read(reader, POSTGRESQL_VALUES)
        columns = reader.schema.tables["t"].columns
    told = {column.declared: (column.kind, column.items) for column in columns.values() if column.items}
    assert told == {
        "mood[]": ("array", "string"),
        "uuid[]": ("array", "uuid"),
        "date[]": ("array", "date"),
        "numeric[]": ("array", "decimal"),
        "integer[]": ("array", "int"),
    }
    assert columns["c0"].values == ("sad", "ok")
    assert columns["c2"].length == 5


def test_postgresql_dates_that_bson_has_not_are_read_as_null(postgresql_url):
    with made(
        postgresql_url,
        "CREATE TABLE t (id INTEGER, ts TIMESTAMP, d DATE, n NUMERIC, j JSON)",
        "INSERT INTO t VALUES (1, 'infinity', '0044-03-15 BC', 'NaN', 'null')",
        "INSERT INTO t (id, ts, d) VALUES (2, '12024-01-01', '-infinity'), (3, NULL, '2024-01-02')",
        "INSERT INTO t (id) VALUES (4)",
    ) as reader:
        rows = list(reader.rows("t", order=["d", "id"]))
        assert reader.totals("t", ["ts", "d", "j"]) == {"ts": (0, None), "d": (1, None), "j": (0, None)}
        assert sorted(note.split(":")[0] for note in reader.schema.notes) == ["t.d", "t.ts"]
    assert [(row["id"], row["ts"], row["d"]) for row in rows] == [
        (1, None, None),
        (2, None, None),
        (4, None, None),
        (3, None, DAY),
    ]
    assert rows[0]["n"].is_nan()


def test_mysql_values_become_what_bson_takes(mysql_url):
    with tabled(mysql_url, MYSQL_VALUES) as reader:
        assert_read(reader, MYSQL_VALUES)
        columns = reader.schema.tables["t"].columns
        assert reader.totals("t", ["c3", "c4"]) == {"c3": (1, Decimal(5)), "c4": (1, Decimal(2**64 - 1))}
    assert columns["c9"].values == ("x", "it's")
    assert [columns[name].kind for name in ("c10", "c12", "c4")] == ["array", "object", "long"]


def test_mysql_dates_that_are_none_are_read_as_null(mysql_url):
    with made(
        mysql_url,
        "SET sql_mode = ''",
        "CREATE TABLE t (id INTEGER, d DATE, dt DATETIME, j JSON)",
        "INSERT INTO t VALUES (1, '2024-01-02', '2024-01-02', '{}'), (2, '0000-00-00', '2024-00-10', 'null')",
    ) as reader:
        rows = list(reader.rows("t", order=["d"]))
        assert reader.totals("t", ["d", "dt", "j"]) == dict.fromkeys(["d", "dt", "j"], (1, None))
        assert len(reader.schema.notes) == 2
    assert [tuple(row.values()) for row in rows] == [(2, None, None, None), (1, DAY, DAY, {})]


def test_sqlite_values_of_other_types_are_yielded_as_they_are(sqlite_url):
    with tabled(sqlite_url, SQLITE_VALUES) as reader:
        assert_read(reader, SQLITE_VALUES)
        assert any("UTF-8" in note for note in reader.schema.notes)


def test_sqlite_sums_are_exact_and_dates_ordered_however_they_are_spelt(sqlite_url):
    with made(
        sqlite_url,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, i INTEGER, n DECIMAL(10, 2), d DATETIME)",
        "INSERT INTO t VALUES (1, 9223372036854775807, 0.1, '2024-01-02T03:04:05Z'), (2, 2, 0.2, 1704164645),"
        " (3, 'text', 'n/a', '2024-01-02'), (4, 1, 0.7, '2024-01-02 04:00:00+01:00')",
    ) as reader:
        assert reader.totals("t", ["i", "n"]) == {"i": (4, Decimal(2**63 + 2)), "n": (4, Decimal("1.0"))}
        assert [row["id"] for row in reader.rows("t", order=["d"])] == [2, 3, 4, 1]


def test_rows_of_a_key_that_names_nothing_are_counted(sqlite_url):
    with made(
        sqlite_url,
        "CREATE TABLE a (id INTEGER PRIMARY KEY)",
        "CREATE TABLE b (a_id INTEGER REFERENCES a, c_id INTEGER REFERENCES nowhere)",
        "INSERT INTO a VALUES (1), (2)",
        "INSERT INTO b (a_id) VALUES (1), (1), (9), (NULL)",
    ) as reader:
        (key,) = reader.schema.tables["b"].foreign_keys
        assert reader.children("b", key) == Children(2, 1, 2, 1)
        assert any("nowhere" in note for note in reader.schema.notes)


def test_mysql_texts_of_a_key_are_read_as_the_row_there_spells_them(mysql_url):
    alike = "COLLATE utf8mb4_general_ci"
    with made(
        mysql_url,
        f"CREATE TABLE a (k CHAR(9) PRIMARY KEY, up VARCHAR(9), FOREIGN KEY (up) REFERENCES a (k)) {alike}",
        f"CREATE TABLE b (k VARCHAR(9), n INT, PRIMARY KEY (k, n), FOREIGN KEY (k) REFERENCES a (k)) {alike}",
        f"CREATE TABLE c (k VARCHAR(9), n INT, FOREIGN KEY (k, n) REFERENCES b (k, n)) {alike}",
        "INSERT INTO a VALUES ('One', NULL), ('two', 'ONE'), ('three', 'one')",
        "INSERT INTO b VALUES ('oNE', 1)",
        "INSERT INTO c VALUES ('onE', 1), (NULL, 7)",
    ) as reader:
        rows = {row["k"]: row["up"] for row in reader.rows("a", order=["up", "k"])}
        assert rows == {"One": None, "three": "One", "two": "One"}
        (key,) = reader.schema.tables["a"].foreign_keys
        assert reader.children("a", key) == Children(2, 1, 2)
        assert {row["k"] for row in reader.rows("a", where={"up": ["One"]})} == {"three", "two"}
        assert list(reader.rows("b")) == [{"k": "One", "n": 1}]
        assert list(reader.rows("c", order=["k"])) == [{"k": None, "n": 7}, {"k": "One", "n": 1}]


def test_postgresql_tables_are_read_once(postgresql_url):
    with made(
        postgresql_url,
        "CREATE TABLE base (id INTEGER PRIMARY KEY, v INTEGER)",
        "CREATE TABLE derived (more TEXT) INHERITS (base)",
        "CREATE TABLE parted (id INTEGER, at DATE) PARTITION BY RANGE (at)",
        "CREATE TABLE part_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        "CREATE SCHEMA other",
        "CREATE TABLE other.elsewhere (id INTEGER PRIMARY KEY)",
        "CREATE TABLE refers (e INTEGER REFERENCES other.elsewhere)",
        "INSERT INTO base VALUES (1, 10)",
        "INSERT INTO derived VALUES (2, 20, 'x')",
        "INSERT INTO parted VALUES (1, '2024-05-05')",
    ) as reader:
        tables = reader.schema.tables
        assert set(tables) == {"base", "derived", "parted", "refers"}
        assert tables["derived"].inherits == "base"
        assert [row["id"] for row in reader.rows("base")] == [1]
        assert (reader.count("base"), reader.totals("base", ["v"])["v"]) == (1, (1, Decimal(10)))
        assert [row["more"] for row in reader.rows("derived")] == ["x"]
        assert reader.count("parted") == 1
        assert any("other" in note for note in reader.schema.notes)
    for way in ("currentSchema=other", "options=-csearch_path%3Dother"):
        with closing(connect(f"{postgresql_url}?{way}")) as reader:
            assert list(reader.schema.tables) == ["elsewhere"]
    with pytest.raises(SourceError, match="no schema 'nowhere'"):
        connect(f"{postgresql_url}?currentSchema=nowhere")


@contextmanager
def user_of(url, *grants):
    name = f"u_{sa.make_url(url).database}"[:30]
    kind, who, by = "USER", f"'{name}'@'127.0.0.1'", "IDENTIFIED BY"
    if url.startswith("postgresql"):
        kind, who, by = "ROLE", name, "LOGIN PASSWORD"
    with writing(url) as run:
        run(f"CREATE {kind} {who} {by} 'se-cret%%7'")
        for grant in grants:
            run(grant.format(who=who))
    try:
        yield sa.make_url(url).set(username=name, password="se-cret%7").render_as_string(hide_password=False)
    finally:
        with writing(url) as run:
            if kind == "ROLE":
                run(f"DROP OWNED BY {who}")
            run(f"DROP {kind} {who}")


@pytest.mark.backend("postgresql", "mysql")
def test_tables_without_the_right_to_read_are_passed_over(sql_url):
    with writing(sql_url) as run:
        run("CREATE TABLE seen (id INTEGER PRIMARY KEY)")
        run("CREATE TABLE hidden (id INTEGER PRIMARY KEY)")
    grants = "GRANT SELECT ON seen TO {who}", "GRANT INSERT ON hidden TO {who}"
    with user_of(sql_url, *grants) as url, closing(connect(url)) as reader:
        assert list(reader.schema.tables) == ["seen"]
        assert reader.count("seen") == 0
        (note,) = reader.schema.notes
    assert "'hidden' is passed over" in note
    assert "takes the privilege SELECT" in note


@pytest.mark.backend("postgresql", "mysql")
def test_a_database_without_any_right_is_a_clear_line(sql_url):
    with writing(sql_url) as run:
        run("CREATE TABLE hidden (id INTEGER PRIMARY KEY)")
        if sql_url.startswith("postgresql"):
            run("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    with user_of(sql_url) as url, pytest.raises((AccessDeniedError, SourceError)) as caught:
        connect(url)
    assert "se-cret" not in str(caught.value)
    assert re.search("USAGE|SELECT|no schema", str(caught.value))


def test_a_wrong_password_is_said_and_not_shown(mysql_url):
    with user_of(mysql_url) as url, pytest.raises(AccessDeniedError) as caught:
        connect(url.replace("se-cret", "wr-ong"))
    assert "wr-ong" not in str(caught.value)
    assert "refuses" in str(caught.value)


@pytest.mark.backend("postgresql", "mysql")
def test_what_is_not_there_is_a_clear_line(sql_url):
    url = sa.make_url(sql_url)
    for wrong, error in (
        (url.set(database="no_such"), (SourceError, AccessDeniedError)),
        (url.set(port=1, password="s3cr3t"), ServerUnavailableError),
    ):
        with pytest.raises(error) as caught:
            connect(wrong.render_as_string(hide_password=False))
        assert "s3cr3t" not in str(caught.value)
        assert "\n" not in str(caught.value)
        assert sa.make_url(sql_url).host in str(caught.value)
    with pytest.raises(SourceError, match="has no tables"):
        connect(sql_url)


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(SourceError, match=r"no file .*absent\.db"):
        connect(f"sqlite:///{tmp_path / 'absent.db'}")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_is_a_clear_line(tmp_path):
    (tmp_path / "x.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(SourceError, match="no SQLite database"):
        connect(f"sqlite:///{tmp_path / 'x.db'}")
    (tmp_path / "empty.db").touch()
    with pytest.raises(SourceError, match="has no tables"):
        connect(f"sqlite:///{tmp_path / 'empty.db'}")


@pytest.mark.parametrize(
    "url",
    [
        "oracle://x:geheim@h/d",
        "nonsense geheim",
        "postgresql://u:ge@he:im/x@h/d",
        "mysql://u:geheim@h",
        "sqlite://",
    ],
)
def test_a_url_that_is_none_is_a_clear_line(url):
    with pytest.raises(SourceError) as caught:
        connect(url)
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sqlite_file_is_left_as_it_was(tmp_path):
    url = sqlite_file(shop(), tmp_path / "shop.db")
    before = (tmp_path / "shop.db").read_bytes()
    with closing(connect(url)) as reader:
        assert len(list(reader.rows("tracks"))) == 400
    assert (tmp_path / "shop.db").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["shop.db"]


def test_virtual_tables_are_passed_over(sqlite_url):
    with made(sqlite_url, "CREATE TABLE t (n)", "CREATE VIRTUAL TABLE words USING fts5(word)") as reader:
        assert list(reader.schema.tables) == ["t"]
        assert reader.schema.notes == ["'words' is a virtual table, and is passed over"]


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    monkeypatch.delitem(sys.modules, "mimiod.relational.live")
    with pytest.raises(ConfigurationError, match=r"pip install 'mimiod\[sql\]'"):
        importlib.import_module("mimiod.relational.live")
    assert sys.modules.setdefault("mimiod.relational.live", live) is live


def test_a_driver_that_says_the_password_is_cut_short():
    dialect = PostgreSQL(sa.make_url("postgresql://u:ge%20heim@h/d"))
    assert dialect.brief(ValueError("no\n'ge heim'")) == "no '***'"
    assert dialect.shown == "postgresql://u@h/d"


def test_a_broken_stream_is_a_clear_line(postgresql_url):
    with made(postgresql_url, "CREATE TABLE t AS SELECT generate_series(1, 5000) AS n") as reader:
        stream = reader.rows("t")
        next(stream)
        with writing(postgresql_url) as run:
            run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises((ServerUnavailableError, SourceError)) as caught:
            list(stream)
    assert "\n" not in str(caught.value)


def test_the_order_of_values_is_total():
    at = datetime(2024, 1, 1, tzinfo=UTC)
    values = [
        None,
        Decimal("NaN"),
        1,
        1.5,
        Decimal("1.25"),
        "a",
        "B",
        b"a",
        at,
        at + timedelta(microseconds=1),
        UUID(int=7),
        True,
    ]
    ordered = sorted(values, key=lambda value: sort_key([value]))
    assert ordered[0] is None
    assert ordered[-1] == b"a"
    assert ordered.index(at) + 1 == ordered.index(at + timedelta(microseconds=1))
    with pytest.raises(TypeError, match="no order"):
        sort_key([{}])
