"""What `mimiod inspect` says of bad input: one clear line, never a traceback, and no half a project."""

import gzip
import json
import math
import os
import signal
import threading
from contextlib import closing
from datetime import UTC, datetime
from random import Random

import bson
import pymongo
import pytest
from bson import Decimal128, ObjectId
from bson.datetime_ms import DatetimeMS
from mimiod import mongo
from mimiod.cli import main
from mimiod.errors import AccessDeniedError, ServerUnavailableError, SourceError
from mimiod.inspecting import counting, json_documents
from mimiod.inspecting.account import to_dict
from mimiod.inspecting.counting import Budget, Counter
from mimiod.inspecting.folder_source import FolderSource
from mimiod.inspecting.mongo_source import MongoSource
from mimiod.inspecting.mongo_source import reading as reading_of
from mimiod.inspecting.reading import inspect
from mimiod.inspecting.sources import Memory

NAMES = ["a.b", "$set", "", "\x1b[31mred", "\u202eleft", "x\ny", "*", "_id", "\\", "ключ", "a" * 300]


def facts_of(*documents):
    return inspect(Memory("m", {"things": documents}), None).collections["things"]


def refused(folder):
    with pytest.raises(SourceError) as raised:
        inspect(FolderSource(folder), None)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.fixture
def mimiod(tmp_path, monkeypatch, capsys):
    """Run a command where projects are made, and return its exit code, output and errors."""
    (tmp_path / "projects").mkdir()
    monkeypatch.chdir(tmp_path)

    def ran(*arguments):
        with pytest.raises(SystemExit) as exited:
            main([str(each) for each in arguments])
        return exited.value.code, *capsys.readouterr()

    return ran


def test_damaged_files_are_named_with_the_place(tmp_path):
    packed = gzip.compress(b'{"a": 1}\n' * 5000)
    whole = b"".join(bson.encode({"_id": n, "text": "x" * 50}) for n in range(1000))
    for name, content, said in (
        ("cut.ndjson.gz", packed[: len(packed) // 2], "cut.ndjson.gz cannot be unpacked"),
        ("sum.ndjson.gz", packed[:-8] + b"\0" * 8, "sum.ndjson.gz cannot be unpacked"),
        ("cut.bson", whole[:-30], "cut.bson, document 1,000: the file ends within it"),
        ("wild.bson", whole[:80] + b"\xff" * 200, "wild.bson, document 2"),
    ):
        (tmp_path / name).write_bytes(content)
        assert said in refused(tmp_path)
        (tmp_path / name).unlink()


def test_a_document_beyond_any_size_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(json_documents, "LARGEST", 2**20)
    for name, before in (("a.ndjson", '{"n": 1}\n'), ("a.json", '[{"n": 1},\n')):
        (tmp_path / name).write_text(before + '{"text": "' + "x" * 2**22)
        assert f"{name}, line 2: a document is larger" in refused(tmp_path)
        (tmp_path / name).unlink()


def test_a_folder_without_rights_is_one_line(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "a.json").write_text("{}")
    folder.chmod(0)
    root = os.geteuid() == 0
    try:
        if root:
            tmp_path.chmod(0o755)
            os.seteuid(65534)
        with pytest.raises(SourceError, match="cannot be read: Permission denied"):
            FolderSource(folder)
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


def test_names_of_any_kind_are_counted_and_told_without_moving_a_cursor(tmp_path, mimiod):
    documents = [{name: {name: n} for name in NAMES} for n in range(30)]
    facts = facts_of(*documents)
    assert {path[0] for path, _ in facts.fields()} == set(NAMES)
    folder = tmp_path / "dump"
    folder.mkdir()
    (folder / "a.bson").write_bytes(b"".join(map(bson.encode, documents)))
    code, out, err = mimiod("inspect", folder, "--name", "odd")
    assert (code, err) == (0, "")
    told = (tmp_path / "projects" / "odd" / "inspection.json").read_text()
    assert not {"\x1b", "\u202e"} & set(out + told)
    assert len(json.loads(told)["collections"]["a"]["fields"]) == 2 * len(NAMES)


def test_ten_thousand_names_take_bounded_memory():
    draws = Random(1)
    documents = ({"map": {f"k{draws.randrange(10**9)}": 1 for _ in range(1000)}} for _ in range(30))
    root = Counter(Budget(Random(1)))
    for document in documents:
        root.add(document)
    root.settle()
    assert root.budget.fields < 10
    assert root.fields["map"].free.count == 30_000
    alone = Counter(Budget(Random(1)))
    alone.add({"map": {f"k{n}": n for n in range(20_000)}})
    alone.settle()
    assert alone.budget.fields <= 2 * counting.MOST_FIELDS + 2
    assert alone.fields["map"].free.count == 20_000


def test_documents_are_counted_together_only_up_to_a_size():
    root = Counter(Budget(Random(1)))
    for number in range(10):
        root.add({"text": "x"}, counting.MOST_BYTES // 2 + 1)
        assert len(root._held) <= 1, number
    root.settle()
    assert root.fields["text"].count == 10


def test_values_beyond_python_are_bounded_and_told():
    year = 365 * 24 * 3600 * 1000
    documents = [
        {"n": n, "at": DatetimeMS(20_000 * year), "d": Decimal128("1E+6000"), "whole": 10**400}
        for n in (math.nan, math.inf, -math.inf, 1.5)
    ]
    facts = facts_of(*documents)
    fields = {path[0]: each for path, each in facts.fields()}
    assert (fields["n"].not_finite, fields["n"].numbers.high) == (3, 1.5)
    assert fields["at"].moments.high == datetime(9999, 12, 31, tzinfo=UTC)
    assert (fields["d"].not_finite, fields["whole"].not_finite) == (4, 4)
    json.dumps(to_dict(inspect(Memory("m", {"things": documents}), None)), default=str, allow_nan=False)


def test_extended_json_beyond_python_is_read(tmp_path):
    (tmp_path / "a.ndjson").write_text('{"at": {"$date": {"$numberLong": "99999999999999999"}}, "n": NaN}\n')
    fields = dict(inspect(FolderSource(tmp_path), None).collections["a"].fields())
    assert (fields["at",].kinds, fields["n",].not_finite) == ({"date": 1}, 1)


def test_deep_documents_are_read(tmp_path):
    deep = {"a": 1}
    for _ in range(150):
        deep = {"a": [deep]}
    (tmp_path / "a.bson").write_bytes(bson.encode(deep))
    (tmp_path / "b.ndjson").write_text(json.dumps(deep))
    made = inspect(FolderSource(tmp_path), None)
    assert all("deeper than 40 levels" in each.notes[0] for each in made.collections.values())


def failing(code, uri, text="not authorized on shop to execute command { find: secret }"):
    with reading_of(uri, "shop"):
        raise pymongo.errors.OperationFailure(text, code, {"codeName": "x"})


@pytest.mark.parametrize(
    ("code", "uri", "said"),
    [
        (13, "mongodb://ann:s3cret@h/shop", "user 'ann' may not read 'shop' at mongodb://ann:***@h/shop"),
        (13, "mongodb://h/shop", "whoever gives no user may not read 'shop'"),
        (18, "mongodb://ann:s3cret@h/shop", "refuses user 'ann': wrong name or password"),
        (8000, "mongodb://ann:s3cret@h/shop", "refuses user 'ann': wrong name or password"),
    ],
)
def test_what_a_server_refuses_is_said_with_the_right_that_is_needed(code, uri, said):
    with pytest.raises(AccessDeniedError) as raised:
        failing(code, uri)
    text = str(raised.value)
    assert said in text
    assert code != 13 or "needs the role `read` on 'shop'" in text
    assert "s3cret" not in text
    assert "\n" not in text


@pytest.mark.backend("mongodb")
def test_a_server_that_goes_away_in_mid_scan_is_one_line(private_server):
    server = private_server()
    with closing(pymongo.MongoClient(server.url)) as client:
        client["shop"]["things"].insert_many([{"_id": n, "text": "x" * 100} for n in range(5000)])
    uri = f"{server.url}shop?serverSelectionTimeoutMS=50&connectTimeoutMS=200"
    with closing(MongoSource(uri)) as source:
        (collection,) = source.collections()
        read = collection.documents(None, Random(1))
        next(read)
        server.stop()
        with pytest.raises(ServerUnavailableError, match=r"no answer from mongodb://127\.0\.0\.1") as raised:
            list(read)
    assert "\n" not in str(raised.value)


def test_ctrl_c_ends_with_130_and_leaves_no_project(tmp_path, mimiod):
    folder = tmp_path / "dump"
    folder.mkdir()
    line = json.dumps({f"field_{n}": f"text {n}" for n in range(40)}) + "\n"
    (folder / "a.ndjson").write_text(line * 60_000)
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    code, _, err = mimiod("inspect", folder, "--name", "cut", "--all")
    timer.join()
    assert (code, err) == (130, "error: interrupted; run the same command again to start over\n")
    assert list((tmp_path / "projects").iterdir()) == []


def test_views_are_passed_over_and_said(trial):
    trial.database["things"].insert_one({"_id": ObjectId()})
    trial.database.create_collection("some", viewOn="things", pipeline=[])
    with closing(MongoSource(f"{trial.uri.rstrip('/')}/{trial.database.name}")) as source:
        made = inspect(source, None)
    assert list(made.collections) == ["things"]
    assert made.notes == ["'some' is a view, and is not inspected"]
    assert mongo.mask(source.name) == source.name
