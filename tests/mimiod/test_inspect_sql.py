"""`mimiod inspect` of SQL: a file of statements or a live database becomes a project, and rows documents."""

import ast
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mimiod import projects
from mimiod.cli.app import app
from mimiod.inspecting import project_files, reading
from mimiod.inspecting.declarations import Declared
from mimiod.relational import live, loading
from mimiod.relational.ddl import read_ddl
from mimiod.relational.declared import inspection_of
from mimiod.relational.planning import plan
from mimiod.relational.reconciling import TableBalance
from mimiod.relational.sql_source import SqlSource
from typer.testing import CliRunner

from tests.mimiod.sql_samples import SHOP_DDL, samples, shop, sqlite_file
from tests.mimiod.test_inspect_project import CALLED, INERT

DEPOT = """
CREATE TABLE depots (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL, level VARCHAR(9) NOT NULL
    CHECK (level IN ('low', 'high')), doors SMALLINT CHECK (doors BETWEEN 1 AND 40), opened DATE, note TEXT);
CREATE TABLE pallets (id INTEGER PRIMARY KEY, code CHAR(8) NOT NULL UNIQUE, depot_id INTEGER NOT NULL
    REFERENCES depots (id), weight NUMERIC(9, 2) NOT NULL CHECK (weight > 0));
CREATE TABLE scans (id INTEGER PRIMARY KEY, pallet_code CHAR(8) NOT NULL, at TIMESTAMP NOT NULL);
CREATE TABLE depot_images (id INTEGER PRIMARY KEY, depot_id INTEGER NOT NULL REFERENCES depots (id),
    path VARCHAR(90) NOT NULL);
CREATE TABLE returns (id INTEGER PRIMARY KEY, reason VARCHAR(30) NOT NULL, at TIMESTAMP);
"""


SMALL = """
CREATE TABLE films (id INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE film_images (id INTEGER PRIMARY KEY, film_id INTEGER NOT NULL REFERENCES films (id));
INSERT INTO films VALUES (1, 'a'), (2, 'b');
INSERT INTO film_images VALUES (1, 1), (2, 1), (3, 2);
"""


@pytest.fixture(autouse=True)
def _forget_projects():
    yield
    forget()


def forget():
    for module in ("db_schema", "seed_db"):  # of a folder that is gone
        sys.modules.pop(module, None)


@pytest.fixture
def home(tmp_path: Path, monkeypatch):
    (tmp_path / "projects").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small(home):
    with closing(sqlite3.connect(home / "small.db")) as database:
        database.executescript(SMALL)
    return f"sqlite:///{home / 'small.db'}"


@pytest.fixture
def depot(home):
    with closing(sqlite3.connect(home / "depot.db")) as database:
        database.executescript(DEPOT)
        database.executemany(
            "INSERT INTO depots VALUES (?, ?, ?, ?, ?, ?)",
            [(n, f"depot {n}", "low", 4 + n % 5, "2024-01-01", None) for n in range(1, 41)],
        )
        database.executemany(
            "INSERT INTO pallets VALUES (?, ?, ?, ?)",
            [(n, f"P-{n:06}", 1 + n % 40, f"{n}.5") for n in range(1, 301)],
        )
        database.executemany(
            "INSERT INTO scans VALUES (?, ?, ?)",
            [(n, f"P-{1 + n * 7 % 300:06}", "2024-02-01 10:00:00") for n in range(1, 601)],
        )
        database.commit()
    return f"sqlite:///{home / 'depot.db'}"


def run(*arguments, code=0):
    answer = CliRunner().invoke(app, list(map(str, arguments)))
    forget()
    assert answer.exit_code == code, answer.output
    return answer.stdout if answer.exception is None or code == 0 else answer


def refused(*arguments):
    answer = CliRunner().invoke(app, list(map(str, arguments)))
    assert answer.exit_code != 0
    return str(answer.exception) if not isinstance(answer.exception, SystemExit) else answer.output


def inspected(url, sample=None):
    source = SqlSource(live.connect(url), "test")
    with closing(source):
        return reading.inspect(source, sample)


def loaded_project(inspection, folder):
    project_files.write(inspection, folder, lambda _: {})
    forget()
    return projects.load_project(folder)


def test_a_file_of_statements_becomes_a_project_that_runs(home, mongodb):
    (home / "shop.sql").write_text(SHOP_DDL)
    told = run("inspect", "shop.sql", "--name", mongodb.database)
    assert "invoice_lines: the array invoices.lines: by its name it is a part of 'invoices'" in told
    folder = home / "projects" / mongodb.database
    facts = json.loads((folder / "inspection.json").read_text())
    assert facts["assumed"] is True
    assert {each["table"]: each["where"] for each in facts["decisions"]}[
        "playlist_tracks"
    ] == "playlists.track_ids"
    assert {each["confidence"] for each in facts["references"]} == {1}
    assert "no rows were read" in (folder / "brief.md").read_text()
    assert "| `invoices` → `invoices.lines` | 1:n | embed |" in (folder / "tech_design.md").read_text()
    assert "verified" in run("run", mongodb.database, "--uri", mongodb.uri, "--scale", "0.02")
    checked = refused("check", mongodb.database, "--step", "2")
    assert checked.count("error:") == 1
    assert "its workload is empty" in checked  # which nobody but the user knows


def test_what_is_declared_is_in_the_schema_whatever_the_data_is(depot, home):
    found = inspected(depot)
    assert isinstance(found, Declared)
    schema = loaded_project(found, home / "made").schema
    fields = schema.collections["depots"].document_schema.model_fields
    kinds = {name: str(field.annotation) for name, field in fields.items()}
    assert kinds["level"] == "typing.Literal['low', 'high']"  # though no row is high
    assert kinds["doors"] == "int | None"  # though none is null
    bounds = {str(each) for each in fields["doors"].metadata}
    assert bounds == {"Ge(ge=1)", "Le(le=40)"}
    assert {str(each) for each in fields["name"].metadata} == {"MaxLen(max_length=20)"}
    assert not fields["note"].is_required() or "None" in kinds["note"]
    (images,) = fields["images"].annotation.__args__
    assert images.model_fields["path"].is_required()  # though there is none
    returns = schema.collections["returns"].document_schema.model_fields
    assert returns["reason"].is_required()  # of a table without rows
    assert schema.volumes["returns"] == 0


def test_data_that_breaks_its_declaration_is_taken_as_it_is(home):
    with closing(sqlite3.connect(home / "loose.db")) as database:
        database.executescript(
            "CREATE TABLE loose (id INTEGER PRIMARY KEY, n INTEGER, size VARCHAR(3), price NUMERIC(5, 2));"
            "INSERT INTO loose VALUES (1, 'seven', 'enormous', 'dear'), (2, 8, 'xl', 9.5);"
        )
    schema = loaded_project(inspected(f"sqlite:///{home / 'loose.db'}"), home / "made").schema
    model = schema.collections["loose"].document_schema
    for values in ({"n": "seven", "size": "enormous", "price": "dear"}, {"n": 8, "size": "xl", "price": 9.5}):
        model.model_validate({"id": 1, **values})


def test_foreign_keys_are_references_and_others_are_found_by_values(depot):
    found = {(each.collection, *each.fields): each for each in inspected(depot).references}
    assert set(found) == {("pallets", "depot_id"), ("scans", "pallet_code")}
    declared, guessed = found["pallets", "depot_id"], found["scans", "pallet_code"]
    assert (declared.target, list(declared.keys), declared.confidence) == ("depots", ["_id"], 1)
    assert declared.reasons[0] == "foreign key (depot_id) to depots (id)"
    assert (declared.children.low, declared.children.high) == (7, 8)
    assert (guessed.target, list(guessed.keys)) == ("pallets", ["code"])
    assert guessed.confidence < 1


def test_a_sample_has_the_fields_of_the_whole(depot, tmp_path):
    some, everything = inspected(depot, 50), inspected(depot)
    assert some.collections["pallets"].read == 50
    assert some.collections["pallets"].documents == 300
    for name, facts in everything.collections.items():
        assert [path for path, _ in some.collections[name].fields()] == [path for path, _ in facts.fields()]
    nested = inspected(sqlite_file(shop(), tmp_path / "shop.db"), 30).collections["invoices"]
    lines = nested.root.fields["lines"]
    assert nested.read == 30
    assert lines.items.count == round(lines.sizes.mean * 30)


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_references_are_the_foreign_keys_and_no_others(sample, tmp_path):
    source = SqlSource(live.connect(sqlite_file(sample, tmp_path / "x.db")), "test")
    with closing(source):
        found = reading.inspect(source, None).references
        linked = [(part.table.name, link) for _, _, part in source.plan.parts() for link in part.links]
    assert len(found) == len(linked)
    owned = {(each.table.name, each.key.columns) for _, _, each in source.plan.parts() if each.key}
    columns = {(table, tuple(link.key.columns)) for table, link in linked} | owned
    assert {(table, tuple(sorted(keys))) for table, keys in columns} == {
        (table, tuple(sorted(keys))) for table, keys, _, _ in sample.links
    }


def test_loading_says_what_is_in_both_and_exits_1_if_they_differ(small, home, mongodb, monkeypatch):
    load = ("inspect", small, "--name", mongodb.database, "--load", "--uri", mongodb.uri)
    told = json.loads(run(*load, "--json"))
    assert told["reconciliation"]["balanced"]
    folder = home / "projects" / mongodb.database
    kept = json.loads((folder / "reconciliation.json").read_text())
    assert kept == told["reconciliation"]
    assert {each["table"]: each["rows"] for each in kept["tables"]}["film_images"] == {
        "sql": 3,
        "mongodb": 3,
        "orphaned": 0,
    }
    assert "exists" in refused(*load)
    folder.rename(home / "before")
    with monkeypatch.context() as patched:
        patched.setattr(reading, "inspect", None)  # the source is not read for hours first
        assert "--replace" in refused(*load)
    assert not folder.exists()
    differs = TableBalance("films", "films", 5, 4, 0, ())
    monkeypatch.setattr(loading, "reconcile", lambda *_: [differs])
    said = run(*load, "--replace", code=1).stdout
    assert "films            5            4         0        0  DIFFERS" in said
    assert "NOT balanced" in said
    assert json.loads((folder / "reconciliation.json").read_text())["balanced"] is False


def test_an_interrupted_load_leaves_no_project(small, home, mongodb, monkeypatch):

    def interrupted(*_):
        raise KeyboardInterrupt

    load = ("inspect", small, "--name", mongodb.database, "--load", "--uri", mongodb.uri)
    with monkeypatch.context() as patched:
        patched.setattr(loading, "reconcile", interrupted)
        CliRunner().invoke(app, load)
    assert not (home / "projects" / mongodb.database).exists()
    assert "balanced" in run(*load)


def test_queries_decide_where_rows_go(depot, home):
    (home / "asked.sql").write_text(
        "-- 900 a day\nSELECT * FROM depots d JOIN pallets p ON p.depot_id = d.id;\n"
        "-- 10 a day\nSELECT * FROM pallets WHERE code = 'x';\nSELECT * FROM nowhere;"
    )
    told = run("inspect", depot, "--name", "depot", "--queries", "asked.sql")
    assert "pallets: the array depots.pallets: it is mostly read with its row of 'depots'" in told
    assert "read with it 900 times a day, alone 10, written 0" in told
    assert "note: asked.sql names 'nowhere', which is no table there" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing.sql",), "nothing.sql"),
        (("sqlite:///nothing.db",), "nothing.db"),
        (("oracle://ann:s3cret@x/y",), "what is inspected is a database, postgresql://"),
        (("postgresql://ann:s3cret@127.0.0.1:1/y",), "127.0.0.1"),
        (("depot.db", "--load"), "--load"),
        (("depot.sql", "--replace"), "--replace"),
        (("mongodb://x/y", "--queries", "q.sql"), "--queries"),
        (("sqlite:///depot.db", "--dialect", "mysql"), "--dialect"),
        (("depot.sql", "--dialect", "oracle"), "postgresql, mysql, sqlite"),
        (("sqlite:///depot.db", "--queries", "nothing.sql"), "nothing.sql cannot be read"),
    ],
)
def test_what_cannot_be_inspected_is_one_line(depot, home, arguments, said):
    (home / "depot.sql").write_text(DEPOT)
    answer = refused("inspect", *arguments, "--name", "x")
    assert said in answer.replace("\n", "")
    assert "s3cret" not in answer
    assert "Traceback" not in answer
    assert not (home / "projects" / "x").exists()


def test_hostile_names_and_values_are_inert(home):
    evil = 'x"); import os; os.system("touch /tmp/pwned") #'
    named = {
        name: '"{}"'.format(name.replace('"', '""')) for name in (evil, "_id", "a.b", "$c", "`|\x1b[31m", "")
    }
    with closing(sqlite3.connect(home / "hostile.db")) as database:
        database.execute(
            f"CREATE TABLE {named[evil]} ({named['_id']} INTEGER PRIMARY KEY, {named['a.b']} TEXT, "
            f"{named['$c']} TEXT CHECK ({named['$c']} IN ('\"\"\"', 'b`')), {named['']} INT)"
        )
        database.execute(
            f"CREATE TABLE {named['`|' + chr(27) + '[31m']} (id INTEGER PRIMARY KEY, "
            f"class INTEGER NOT NULL REFERENCES {named[evil]} ON DELETE CASCADE)"
        )
        database.execute(f"INSERT INTO {named[evil]} VALUES (1, '{{{{x}}}}', 'b`', 7)")
        database.commit()
    told = run("inspect", f"sqlite:///{home / 'hostile.db'}", "--name", "hostile")
    assert "\x1b" not in told
    folder = home / "projects" / "hostile"
    for file in ("db_schema.py", "seed_db.py"):
        for node in ast.walk(ast.parse((folder / file).read_text())):
            assert isinstance(node, INERT)
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                assert name in CALLED | {"Refs"}
    assert "\x1b" not in (folder / "brief.md").read_text()
    schema = projects.load_project(folder).schema
    (collection,) = schema.collections.values()
    assert {"id", "a_b", "_c", "unnamed"} <= {
        field.alias or name for name, field in collection.document_schema.model_fields.items()
    }


def test_declarations_alone_say_the_same_as_a_database_without_rows(home):
    (home / "depot.sql").write_text(DEPOT)
    declared = inspection_of(plan(read_ddl(home / "depot.sql", "sqlite")), "depot.sql")
    with closing(sqlite3.connect(home / "empty.db")) as database:
        database.executescript(DEPOT)
    found = inspected(f"sqlite:///{home / 'empty.db'}")
    assert found.limits == declared.limits
    assert [each.where for each in sorted(found.decisions, key=lambda each: each.table)] == [
        each.where for each in sorted(declared.decisions, key=lambda each: each.table)
    ]
    for name, facts in declared.collections.items():
        assert [path for path, _ in found.collections[name].fields()] == [path for path, _ in facts.fields()]
        assert found.collections[name].shape == facts.shape
