"""Rows become documents: each once, in its place, with its values and the ObjectIds of what it names."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import bson
import pytest
from bson import Decimal128, ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from mimiod.relational import live
from mimiod.relational.documents import Assembly
from mimiod.relational.identities import bson_value, object_id
from mimiod.relational.knowledge import measure
from mimiod.relational.planning import plan_of
from mimiod.relational.waiting import PLAIN

from tests.mimiod.sql_samples import samples, sqlite_file

FORMS = """
CREATE TABLE forms (id INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE form_items (
    id INTEGER PRIMARY KEY, form_id INTEGER NOT NULL REFERENCES forms (id), question TEXT);
CREATE TABLE item_options (
    id INTEGER PRIMARY KEY, item_id INTEGER NOT NULL REFERENCES form_items (id), says TEXT);
CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE form_tags (form_id INTEGER REFERENCES forms (id), tag_id INTEGER REFERENCES tags (id),
    PRIMARY KEY (form_id, tag_id));
"""


@pytest.fixture
def assembled(tmp_path: Path):
    readers = []

    def made(*statements):
        file = tmp_path / f"{len(readers)}.db"
        with closing(sqlite3.connect(file)) as database:
            for statement in statements:
                database.executescript(statement)
            database.commit()
        reader = live.connect(f"sqlite:///{file}")
        readers.append(reader)
        return Assembly(reader, plan_of(measure(reader)))

    yield made
    for reader in readers:
        reader.close()


def everything(assembly):
    found = {}
    for name in assembly.plan.collections:
        for collection, document in assembly.documents(name):
            found.setdefault(collection, []).append(document)
    return found


def by_hand(part, rows):
    """Return what a table's rows are with the key of their whole, put together in memory."""
    inside = {inner.name: {} for inner in part.parts}
    for inner in part.parts:
        for key, item in by_hand(inner, rows):
            inside[inner.name].setdefault(key, []).append(item)
    held = []
    for row in rows[part.table.name]:
        linked = {}
        for link in part.links:
            values = [row[column] for column in link.columns]
            linked[link.field] = None if None in values else object_id(link.root, values)
        document = {called: bson_value(row[column]) for column, called in part.fields.items()} | linked
        identity = tuple(row[column] for column in part.identity)
        if part.form == "collection":
            document["_id"] = object_id(part.root, identity)
        for inner in part.parts:
            items = inside[inner.name].get(identity, [])
            if inner.form in {"array", "references"}:
                document[inner.name] = items
            elif items:
                document |= items[0] if inner.form == "subtype" else {inner.name: items[0]}
        whole = next(iter(linked.values())) if part.form == "references" else document
        held.append((tuple(row[column] for column in part.aligned), whole))
    return held


def normal(value):
    """Return documents without the order of fields and of items."""
    if isinstance(value, dict):
        return {key: normal(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return sorted(map(normal, value), key=repr)
    return value


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_documents_hold_every_row_in_its_place(sample, tmp_path):
    reader = live.connect(sqlite_file(sample, tmp_path / "sample.db"))
    with closing(reader):
        assembly = Assembly(reader, plan_of(measure(reader)))
        rows = {name: list(reader.rows(name)) for name in reader.schema.tables}
        found = everything(assembly)
        for name, whole in assembly.plan.collections.items():
            expected = [document for _, document in by_hand(whole, rows)]
            assert normal(found.pop(name)) == normal(expected)
            some = list(assembly.sample(name, 20, 7))
            assert len(some) == min(20, len(expected))
            assert all(normal(document) in map(normal, expected) for document in some)
        assert not found


def test_references_find_the_documents_that_they_name(tmp_path):
    for sample in samples():
        with closing(live.connect(sqlite_file(sample, tmp_path / f"{sample.name}.db"))) as reader:
            assembly = Assembly(reader, plan_of(measure(reader)))
            found = everything(assembly)
            ids = {name: {document["_id"] for document in held} for name, held in found.items()}
            for name, path, part in assembly.plan.parts():
                for link in part.links:
                    at = path if part.form == "references" else (*path, link.field)
                    named = [value for document in found[name] for value in standing_at(document, at)]
                    assert named
                    assert set(named) <= ids[link.collection]


def standing_at(value, path):
    if isinstance(value, list):
        return [each for item in value for each in standing_at(item, path)]
    if path and isinstance(value, dict):
        return standing_at(value.get(path[0]), path[1:])
    return [] if path or value is None else [value]


def test_documents_keep_the_order_of_keys_in_arrays(assembled):
    found = everything(
        assembled(
            FORMS,
            "INSERT INTO forms VALUES (1, 'a'); INSERT INTO tags VALUES (7, 'x'), (8, 'y');"
            "INSERT INTO form_items VALUES (12, 1, 'second'), (9, 1, 'first');"
            "INSERT INTO item_options VALUES (3, 12, 'no'), (2, 12, 'yes');"
            "INSERT INTO form_tags VALUES (1, 8), (1, 7);",
        )
    )
    assert found["forms"] == [
        {
            "_id": object_id("forms", [1]),
            "id": 1,
            "title": "a",
            "items": [
                {"id": 9, "question": "first", "options": []},
                {
                    "id": 12,
                    "question": "second",
                    "options": [{"id": 2, "says": "yes"}, {"id": 3, "says": "no"}],
                },
            ],
            "tag_ids": [object_id("tags", [7]), object_id("tags", [8])],
        }
    ]


def test_rows_that_name_no_parent_are_kept_apart(assembled):
    assembly = assembled(
        FORMS,
        "INSERT INTO forms VALUES (5, 'a');"
        "INSERT INTO form_items VALUES (1, 4, 'before'), (2, 5, 'there'), (3, 6, 'behind');"
        "INSERT INTO item_options VALUES (1, 3, 'of an orphan'), (2, 99, 'orphan');"
        "INSERT INTO form_tags VALUES (4, 1), (5, 1);",
    )
    found = everything(assembly)
    (form,) = found["forms"]
    assert [item["question"] for item in form["items"]] == ["there"]
    assert form["tag_ids"] == [object_id("tags", [1])]  # which dangles, and is counted
    assert [(item["question"], item["form_id_key"]) for item in found["orphaned_form_items"]] == [
        ("before", 4),
        ("behind", 6),
    ]
    assert found["orphaned_form_items"][1]["options"] == [{"id": 1, "says": "of an orphan"}]
    assert found["orphaned_form_items"][0]["form_id"] == object_id("forms", [4])
    (option,) = found["orphaned_item_options"]
    assert option["item_id_key"] == 99
    (tag,) = found["orphaned_form_tags"]
    assert (tag["form_id_key"], tag["tag_id"]) == (4, object_id("tags", [1]))
    assert set(assembly.plan.orphaned) == {"form_items", "item_options", "form_tags"}
    assert [each["question"] for each in assembly.orphans("orphaned_form_items")] == ["before", "behind"]


def test_a_key_that_names_nothing_is_kept_beside_its_object_id(assembled):
    found = everything(
        assembled(
            "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY, "
            "a_id INTEGER REFERENCES a (id)); INSERT INTO a VALUES (1);"
            "INSERT INTO b VALUES (1, 1), (2, 17), (3, NULL);"
        )
    )
    assert [(each["a_id"], each["a_id_key"]) for each in found["b"]] == [
        (object_id("a", [1]), 1),
        (object_id("a", [17]), 17),
        (None, None),
    ]


def test_rows_of_a_table_without_a_key_are_all_there(assembled):
    found = everything(assembled("CREATE TABLE x (n INTEGER); INSERT INTO x VALUES (1), (1), (NULL);"))
    assert [each["n"] for each in found["x"]] == [None, 1, 1]
    assert len({each["_id"] for each in found["x"]}) == 3


def test_a_document_says_which_subtypes_it_is_of(assembled):
    found = everything(
        assembled(
            "CREATE TABLE parties (id INTEGER PRIMARY KEY);"
            "CREATE TABLE buyers (id INTEGER PRIMARY KEY REFERENCES parties (id), budget INTEGER);"
            "CREATE TABLE sellers (id INTEGER PRIMARY KEY REFERENCES parties (id), stock INTEGER);"
            "CREATE TABLE big_sellers (id INTEGER PRIMARY KEY REFERENCES sellers (id), fleet INTEGER);"
            "CREATE TABLE deals (id INTEGER PRIMARY KEY, by INTEGER NOT NULL REFERENCES big_sellers (id));"
            "INSERT INTO parties VALUES (1), (2), (3), (4); INSERT INTO buyers VALUES (1, 10), (2, 20);"
            "INSERT INTO sellers VALUES (2, 5), (3, 6); INSERT INTO big_sellers VALUES (3, 9);"
            "INSERT INTO deals VALUES (1, 3);"
        )
    )
    assert [each["type"] for each in found["parties"]] == [
        "buyers",
        "buyers+sellers",
        "big_sellers",
        "parties",
    ]
    assert found["parties"][2]["stock"] == 6
    assert found["deals"][0]["by"] == found["parties"][2]["_id"]


numbers = st.integers(0, 12)


@settings(max_examples=30, deadline=None)
@given(
    st.sets(numbers),
    st.lists(st.tuples(numbers, numbers), max_size=20),
    st.lists(numbers, max_size=20),
)
def test_every_row_is_in_one_document_and_no_other(forms, items, options):
    with TemporaryDirectory() as folder:
        file = Path(folder) / "x.db"
        with closing(sqlite3.connect(file)) as database:
            database.executescript(FORMS)
            database.executemany("INSERT INTO forms VALUES (?, '')", [(n,) for n in forms])
            kept = dict(items)
            database.executemany("INSERT INTO form_items VALUES (?, ?, '')", kept.items())
            database.executemany("INSERT INTO item_options VALUES (?, ?, '')", enumerate(options))
            database.commit()
        with closing(live.connect(f"sqlite:///{file}")) as reader:
            found = everything(Assembly(reader, plan_of(measure(reader))))
    where = {}
    for collection, documents in found.items():
        for document in documents:
            for item in document.get("items", [document] if collection.endswith("items") else []):
                where.setdefault(("item", item["id"]), []).append((collection, document.get("id")))
                for option in item.get("options", []):
                    where.setdefault(("option", option["id"]), []).append(("item", item["id"]))
            if collection == "orphaned_item_options":
                where.setdefault(("option", document["id"]), []).append(("orphan", document["item_id_key"]))
    assert where == {
        **{
            ("item", key): [("forms", form) if form in forms else ("orphaned_form_items", key)]
            for key, form in kept.items()
        },
        **{
            ("option", number): [("item", item) if item in kept else ("orphan", item)]
            for number, item in enumerate(options)
        },
    }


def test_object_ids_are_the_same_for_one_key_and_differ_for_others():
    assert object_id("a", [5]) == object_id("a", [Decimal("5.00")]) == object_id("a", [5.0])
    different = [
        object_id("a", [5]),
        object_id("a", ["5"]),
        object_id("b", [5]),
        object_id("a", [5, 5]),
        object_id("a", [55]),
        object_id("a", [b"5"]),
        object_id("a", [None]),
        object_id("a", ["x\x1fy"]),
        object_id("a", ["x", "y"]),
        object_id("a", ["x", "sy"]),
        object_id("a", [datetime(2024, 1, 1, tzinfo=UTC)]),
        object_id("a", [UUID(int=5)]),
    ]
    assert len(set(different)) == len(different)
    assert object_id("customers", [17]) == ObjectId("a2590f2d100986d0375475a8")  # data that is loaded has it


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.decimals()
    | st.decimals(min_value=0, max_value=10**45, allow_nan=False)
    | st.text()
    | st.binary()
    | st.uuids()
    | st.dates()
    | st.times()
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(values)
def test_any_value_of_sql_becomes_one_of_bson(value):
    made = bson_value(value)
    decoded = bson.decode(bson.encode({"v": made}, codec_options=PLAIN), PLAIN)["v"]
    if isinstance(value, int | str | bool | UUID) and not isinstance(made, Decimal128):
        assert decoded == value or isinstance(value, str)


def test_values_are_kept_exactly():
    assert bson_value(Decimal("0.10")) == Decimal128("0.10")
    assert bson_value(2**70) == Decimal128(str(2**70))
    assert bson_value(Decimal("1" * 40)) == "1" * 40
    assert bson_value(date(2024, 2, 29)) == datetime(2024, 2, 29, tzinfo=UTC)
    assert bson_value(datetime(2024, 2, 29, 12)) == datetime(2024, 2, 29, 12, tzinfo=UTC)  # noqa: DTZ001
    assert bson_value(time(9, 30)) == "09:30:00"
