"""The project that `mimiod inspect` writes: it loads, fits the documents, runs, and is inert."""

import ast
import json
import subprocess
import sys
import weakref
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
from mimiod.evolution.shapes import CollectionShape
from mimiod.inspecting import mongo_source, project_files
from mimiod.inspecting.mongo_source import MongoSource
from mimiod.inspecting.reading import inspect
from mimiod.inspecting.sources import Memory
from mimiod.inspecting.text_code import mask_of
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
    "Combination", "Get", "Parent", "Position", "Refs",
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


RULES = {
    "bsonType": "object",
    "required": ["_id", "name", "phone", "code", "slices", "extra"],
    "properties": {
        "_id": {"bsonType": "objectId"},
        "name": {"bsonType": "string", "minLength": 1, "maxLength": 160},
        "phone": {"bsonType": "string", "pattern": r"^\+628\d{8,11}$"},
        "code": {"bsonType": "string", "maxLength": 10},
        "slices": {"bsonType": "int", "enum": [1, 8]},
        "stage": {"bsonType": ["string", "null"], "enum": ["new", "old", "gone", None]},
        "price": {"bsonType": ["double", "int"], "minimum": 0},
        "extra": {"bsonType": "object"},
    },
}


def held():
    """Return a database that its server holds to rules, with the indexes that are unique."""
    draws = Random(3)
    shops = [
        {
            "_id": ObjectId(f"{n:024x}"), "name": f"Name {n} of {n * 7}",
            "phone": f"+628{draws.randrange(10**9):09}", "code": "abc xyz"[: 2 + n % 6] + str(n),
            "slices": draws.choice([1, 8]), "stage": draws.choice(["new", "old"]),
            "price": n, "extra": {"x": n},
        }
        for n in range(40)
    ]  # fmt: skip
    staff = [
        {"_id": ObjectId(f"{n + 99:024x}"), "managers": [ObjectId(f"{n + 98:024x}")] * min(n, 1), "n": n % 7}
        for n in range(60)
    ]
    pairs = [(shop["_id"], position) for shop in shops for position in range(1, 1 + draws.randrange(1, 30))]
    return {
        "shops": shops,
        "staff": staff,
        "shelves": [{"shop_id": shop, "position": position} for shop, position in pairs],
        "labels": [{"shop_id": shop["_id"], "label": label} for shop in shops for label in "abc"],
        "sales": [
            {"country": country, "day": DAY + timedelta(days=day)}
            for country in ("US", "FR")
            for day in range(90)
        ],
        "seats": [{"row": row, "number": number} for row in range(10) for number in range(1, 16)],
    }


UNIQUE = {
    "shelves": ("shop_id", "position"), "labels": ("shop_id", "label"), "sales": ("country", "day"),
    "seats": ("row", "number"),
}  # fmt: skip


def test_what_a_server_holds_documents_to_holds_for_the_project(trial, tmp_path, monkeypatch):
    (tmp_path / "projects").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIMIOD_DATA_DIR", str(tmp_path / "data"))
    trial.database.create_collection("shops", validator={"$jsonSchema": RULES})
    collections = held()
    for name, documents in collections.items():
        trial.database[name].insert_many(documents)
    for name, keys in UNIQUE.items():
        trial.database[name].create_index(dict.fromkeys(keys, 1), unique=True)
    name = f"held_{trial.database.name}"
    command("inspect", address(trial), "--name", name, "--all")
    try:
        ran = command("run", name, "--uri", trial.uri)
        assert ran.exit_code == 0, ran.output
        twin = trial.database.client[name]
        assert {each["slices"] for each in twin["shops"].find()} == {1, 8}
        assert twin["shelves"].distinct("position")[:3] == [1, 2, 3]
        assert max(twin["shelves"].distinct("position")) < 30
        assert 250 < twin["shelves"].count_documents({}) < 1000
        assert sorted(twin["labels"].distinct("label")) == ["a", "b", "c"]
        assert sorted(twin["sales"].distinct("country")) == ["FR", "US"]
        assert (max(twin["seats"].distinct("row")), max(twin["seats"].distinct("number"))) == (9, 15)
        assert twin["staff"].find_one(sort={"_id": 1})["managers"] == []
    finally:
        trial.database.client.drop_database(name)
    checked = command("check", name, "--step", "2", "--json")
    found = json.loads(checked.stdout)["findings"]
    errors = [each for each in found if each["severity"] == "error"]
    assert [each["rule"] for each in errors] == ["workload-empty"], errors
    design = (tmp_path / "projects" / name / "tech_design.md").read_text()
    assert "| `shelves.shop_id` → `shops` | n:1 | reference |" in design
    text = (tmp_path / "projects" / name / "db_schema.py").read_text()
    for part in (
        "max_length=160",
        'Literal["new", "old", "gone"] | None',
        "Literal[1, 8]",
        "float | None",
        "ge=0",
    ):
        assert part in text, part


def test_documents_that_broke_the_rules_before_there_were_any_still_fit(trial, tmp_path):
    trial.database["shops"].insert_many([
        {"name": "n" * (161 if n == 3 else 5), "phone": "+6281234567", "code": "c", "slices": 1, "extra": {},
         "stage": "other" if n == 4 else "new", "price": -1 if n == 5 else 2.5}
        for n in range(20)
    ])  # fmt: skip
    trial.database.command({"collMod": "shops", "validator": {"$jsonSchema": RULES}})
    with closing(MongoSource(address(trial))) as source:
        project_files.write(inspect(source, None), tmp_path / "made", lambda _: {})
    forget()
    read = {"shops": list(trial.database["shops"].find())}
    assert refused_by(projects.load_project(tmp_path / "made"), read) == []


def test_a_field_whose_name_is_one_of_python_keeps_it(tmp_path):
    documents = {"things": [{"_id": n, "a.b": True, "a_b": [], "a b": 1.5} for n in range(3)]}
    project = written(tmp_path, documents)
    assert refused_by(project, documents) == []
    model = project.schema.collections["things"].document_schema
    assert model.model_fields["a_b"].alias is None
    assert {field.alias for field in model.model_fields.values()} >= {"a.b", "a b"}


def test_writing_that_is_broken_off_leaves_nothing(tmp_path, monkeypatch):
    made, times, write = inspect(Memory("m", shapes()), None), [], Path.write_text

    def broken(self, *arguments, **named):
        times.append(self)
        if len(times) == 3:
            raise KeyboardInterrupt
        return write(self, *arguments, **named)

    monkeypatch.setattr(Path, "write_text", broken)
    with pytest.raises(KeyboardInterrupt):
        project_files.write(made, tmp_path / "projects" / "new", lambda _: {})
    assert list((tmp_path / "projects").iterdir()) == []


class Huge:
    """A collection that says of its documents that they are huge, and knows how many are held."""

    name, method, estimated, shape = "huge", "all documents", 200, CollectionShape()

    def __init__(self):
        self.most = 0

    def documents(self, _sample, _draws):
        held = weakref.WeakSet()
        for number in range(200):
            document = Watched(number=number)
            held.add(document)
            self.most = max(self.most, len(held))
            yield document, 2**21
            del document

    def found(self, wanted):
        return {path: set() for path in wanted}


class Watched(dict):
    """A document that can be watched."""

    __hash__ = object.__hash__


def test_huge_documents_are_held_a_few_at_a_time():
    huge = Huge()
    source = Memory("m", {})
    source.collections = lambda: [huge]
    made = inspect(source, None)
    assert made.collections["huge"].read == 200
    assert huge.most <= 4


@pytest.mark.parametrize(
    ("pattern", "mask"),
    [
        (r"^\+628\d{8,11}$", "+628###########"),
        (r"^(UW|CL)-\d{2}$", "UW-##"),
        (r"^[A-Z]{3}[0-9]{4}$", "AAA####"),
        (r"^INV-(?:\d{2}/)+[a-f]?$", "INV-##/"),
        (r"^[1-9]\d{3}$", "1###"),
        (r"^a\.b+c*$", "a.b"),
        (r"^[^@]+@x$", "x@x"),
        (r"^(?=.*\d)x$", None),
        (r"^#\d$", None),
        (r"^(a|b)\1$", None),
    ],
)
def test_a_pattern_becomes_digits_that_match_it(pattern, mask):
    assert mask_of(pattern) == mask


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
