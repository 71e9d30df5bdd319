"""The project that `mimiod inspect` writes: it loads, fits the documents, runs, and is inert."""

import ast
import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pymongo
import pytest
from bson import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from mimiod import mongo, projects
from mimiod.cli.app import app
from mimiod.errors import AccessDeniedError
from mimiod.inspecting import mongo_source, project_files
from mimiod.inspecting.mongo_source import MongoSource
from mimiod.inspecting.reading import inspect
from mimiod.inspecting.sources import Memory
from typer.testing import CliRunner

from tests.mimiod.known_references import depot, library

DAY = datetime(2024, 1, 1, tzinfo=UTC)
INERT = (
    ast.Module, ast.Expr, ast.Constant, ast.Import, ast.ImportFrom, ast.alias, ast.ClassDef, ast.Assign,
    ast.AnnAssign, ast.Name, ast.Load, ast.Store, ast.Call, ast.keyword, ast.Subscript, ast.Tuple, ast.List,
    ast.Dict, ast.BinOp, ast.BitOr, ast.UnaryOp, ast.USub, ast.Lambda, ast.arguments, ast.arg, ast.Attribute,
)  # fmt: skip
CALLED = {
    "Annotated", "Field", "Reference", "ConfigDict",
    "BaseCollectionSchema", "BaseMongoDbSchema", "IndexDefinition",
    "Array", "Chance", "Choice", "Digits", "Fake", "Function", "Histogram",
    "Maybe", "Moment", "OneOf", "Ref", "Rows",
    "Sequence", "Text", "Uniform", "When", "UUID", "ObjectId", "getrandbits", "randbytes", "float",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _forget_projects():
    yield
    forget()


def forget():
    for module in ("db_schema", "seed_db"):  # of a folder that is gone
        sys.modules.pop(module, None)


def written(folder, collections, name="made"):
    made = inspect(Memory("m", collections), None)
    project_files.write(made, folder / name, lambda _: {})
    forget()
    return projects.load_project(folder / name)


def refused_by(project, collections):
    found = []
    for name, documents in collections.items():
        model = project.schema.collections[name].document_schema
        for document in documents:
            try:
                model.model_validate(document)
            except ValueError as error:
                found.append(f"{name}: {error}")
    return found


def shapes():
    draws = Random(5)
    cards = [
        {
            "_id": n,
            "code": f"K-{n:05}",
            "pay": {"kind": "card", "last4": "1234"}
            if n % 2
            else {"kind": "cash", "till": n % 9, "note": "x"},
            "tags": draws.sample(["red", "blue", "green"], n % 3),
            "totals": {f"2024-{n % 12 + 1:02}": n, f"2023-{n % 12 + 1:02}": n},
            "maybe": None if n % 4 else 1.5,
            "either": n if n % 2 else f"text {n}",
            "at": DAY + timedelta(hours=n),
            **({"event": "view", "page": "p"} if n % 3 else {"event": "buy", "price": 3, "items": [n]}),
        }
        for n in range(200)
    ]
    return {"cards": cards, "none": [], "one": [{"_id": "only", "list": []}]}


@pytest.mark.parametrize(
    "collections", [shapes(), depot().documents, library().documents], ids=["shapes", "depot", "library"]
)
def test_the_schema_fits_every_document_and_is_formatted(tmp_path, collections):
    project = written(tmp_path, collections)
    assert refused_by(project, collections) == []
    files = [project.folder / "db_schema.py", project.folder / "seed_db.py"]
    check = [sys.executable, "-m", "ruff", "format", "--isolated", "--check", *files]
    ruff = subprocess.run(check, capture_output=True, check=False)
    assert ruff.returncode == 0, ruff.stdout


def test_shapes_references_and_enumerations_are_typed(tmp_path):
    text = (written(tmp_path, shapes()).folder / "db_schema.py").read_text()
    for part in (
        'discriminator="kind"',
        'Literal["blue", "red", "green"]',
        "dict[str, int]",
        'Literal["card"]',
    ):
        assert part in text, text
    text = (written(tmp_path, depot().documents, "depot").folder / "db_schema.py").read_text()
    for part in ('Reference("people")', 'Reference("people", "email")', 'Reference("parts")'):
        assert part in text, text


HOSTILE = [
    "a.b", "$set", "", "class", "None", "datetime", "model_config", "copy", "id", "_id_", "__class__", "ключ",
    "名",
    'x"""', "x\n__import__('os')", "x'); boom(", "{row}", "\\", "\u202e", "-", "9", "a b", "a-b", "a_b",
    "*", "Field",
]  # fmt: skip
ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NAMES = st.sampled_from(HOSTILE) | st.text(ANY, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | NAMES | st.just(DAY)
    | st.sampled_from([ObjectId(), b"bytes"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(
    st.dictionaries(
        NAMES.filter(bool),
        st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=4),
        min_size=1,
        max_size=2,
    ),
    st.integers(1, 8),
)
def test_code_from_hostile_names_and_values_does_nothing(collections, times):
    many = {name: documents * times for name, documents in collections.items()}
    with TemporaryDirectory() as folder:
        project = written(Path(folder), many)
        assert refused_by(project, many) == []
        for file in ("db_schema.py", "seed_db.py"):
            tree = ast.parse((project.folder / file).read_text())
            for node in ast.walk(tree):
                assert isinstance(node, INERT), ast.dump(node)
                if isinstance(node, ast.Call):
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                    assert name in CALLED, name


def fill(trial, collections):
    for name, documents in collections.items():
        trial.database.create_collection(name)
        if documents:
            trial.database[name].insert_many(documents)


def address(trial):
    return f"{trial.uri.rstrip('/')}/{trial.database.name}"


def command(*arguments):
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_live_database_becomes_a_project_that_runs(trial, tmp_path, monkeypatch):
    (tmp_path / "projects").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIMIOD_DATA_DIR", str(tmp_path / "data"))
    collections = {**shapes(), **library().documents}
    fill(trial, collections)
    trial.database["cards"].create_index({"code": 1}, unique=True)
    trial.database["cards"].create_index({"at": -1, "event": 1}, name="by_time")
    before = {
        name: trial.database[name].count_documents({}) for name in trial.database.list_collection_names()
    }
    name = f"twin_{trial.database.name}"
    told = json.loads(command("inspect", address(trial), "--name", name, "--all", "--json").stdout)
    assert before == {
        each: trial.database[each].count_documents({}) for each in trial.database.list_collection_names()
    }
    assert set(told["collections"]["cards"]["indexes"]) == {"code_1", "by_time"}
    assert told["collections"]["cards"]["documents"] == 200
    try:
        assert command("run", name, "--uri", trial.uri).exit_code == 0
        twin = trial.database.client[name]
        assert twin["cards"].count_documents({}) == 200
        assert set(twin["cards"].index_information()) == {"_id_", "code_1", "by_time"}
        assert (
            40 < twin["cards"].count_documents({"event": "buy", "price": 3, "page": {"$exists": False}}) < 95
        )
        assert twin["books"].count_documents({"shelf": {"$in": twin["shelves"].distinct("code")}}) > 0
    finally:
        trial.database.client.drop_database(name)


def test_a_name_that_is_taken_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    (tmp_path / "projects" / "taken").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(projects.ProjectError, match="exists: give another --name"):
        command("inspect", "mongodb://127.0.0.1:1/none", "--name", "taken")


def test_a_sample_of_a_live_database_is_looked_up_in_all_of_it(trial):
    fill(trial, depot().documents)
    source = MongoSource(address(trial))
    made = inspect(source, 200)
    source.close()
    assert made.collections["deliveries"].read == 200
    assert made.collections["deliveries"].documents == 2500
    found = {(each.collection, *each.fields, each.target) for each in made.references}
    assert ("deliveries", "lines.part", "parts") in found
    assert ("deliveries", "driver", "people") in found


def test_a_scan_that_breaks_is_gone_on_with(trial, monkeypatch):
    trial.database["things"].insert_many([{"_id": n if n % 2 else str(n)} for n in range(3000)])
    source = MongoSource(address(trial))
    (collection,) = source.collections()
    broken, find = [], collection._raw.find

    def breaking(cursor):
        for number, document in enumerate(cursor):
            if len(broken) < 3 and number == 500:
                broken.append(number)
                raise pymongo.errors.AutoReconnect("gone")
            yield document

    class Breaking:
        def __init__(self, cursor):
            self.cursor = cursor

        def sort(self, *keys):
            return breaking(self.cursor.sort(*keys))

    monkeypatch.setattr(collection, "_raw", type("Raw", (), {
        "database": trial.database, "find": staticmethod(lambda *a, **k: Breaking(find(*a, **k))),
    }))  # fmt: skip
    read = [document["_id"] for document, _ in collection.documents(None, Random(1))]
    source.close()
    assert (len(broken), len(read), len(set(read))) == (3, 3000, 3000)


@pytest.mark.backend("mongodb")
def test_missing_rights_are_said(secured_server):
    uri = secured_server.uri("reader:glasses").replace("/?", "/elsewhere?authSource=admin&")
    with (
        closing(MongoSource(uri)) as source,
        pytest.raises(AccessDeniedError, match="the role `read` on 'elsewhere'") as raised,
    ):
        inspect(source, None)
    assert "glasses" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("mongodb://127.0.0.1:1/", "names no database"),
        ("nowhere", "is no folder"),
        ("postgres://u:p@h/x", "mongodb://host/DATABASE or a folder"),
    ],
)
def test_what_is_no_source_is_one_line(tmp_path, monkeypatch, source, said):
    (tmp_path / "projects").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(mongo.MimiodError, match=said) as raised:
        command("inspect", source, "--name", "new")
    assert "u:p" not in str(raised.value)
    assert mongo_source.DECODED.tz_aware
