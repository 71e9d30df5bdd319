"""What `mimiod inspect` says of documents, and that it misses nothing of them."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from random import Random
from unittest import mock
from uuid import UUID

import bson
import pytest
from bson import Decimal128, Int64, ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from mimiod.errors import SourceError
from mimiod.inspecting import counting
from mimiod.inspecting.account import brief, to_dict
from mimiod.inspecting.folder_source import FolderSource
from mimiod.inspecting.reading import inspect
from mimiod.inspecting.sketches import KeySketch, Sample
from mimiod.inspecting.sources import Documents, Memory, reservoir

from tests.mimiod import sql_samples
from tests.mimiod.known_references import depot, library, of_sql, score, tracker

DAY = datetime(2024, 1, 1, tzinfo=UTC)


def facts_of(*documents, sample=None):
    return inspect(Memory("m", {"things": documents}), sample).collections["things"]


def field(facts, *path):
    return dict(facts.fields())[path]


def refused(folder):
    with pytest.raises(SourceError) as raised:
        inspect(FolderSource(folder), None)
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_types_presence_nulls_and_bounds_are_counted():
    facts = facts_of(
        {"a": 1, "b": None, "c": [1, "x"], "d": {"e": DAY}},
        {"a": Int64(2**40), "c": [], "d": {"e": DAY + timedelta(days=9)}},
        {"a": 2.5, "b": "text", "d": {}},
    )
    assert field(facts, "a").kinds == {"int": 1, "long": 1, "double": 1}
    assert (field(facts, "a").numbers.low, field(facts, "a").numbers.high) == (1, 2**40)
    assert (field(facts, "b").rate, field(facts, "b").nulls) == (pytest.approx(2 / 3), 1)
    assert (field(facts, "c").sizes.low, field(facts, "c").sizes.high) == (0, 2)
    assert field(facts, "c").items.kinds == {"int": 1, "string": 1}
    assert field(facts, "d", "e").rate == pytest.approx(2 / 3)
    assert field(facts, "d", "e").moments.high == DAY + timedelta(days=9)


def test_a_field_of_one_document_in_many_is_not_missed():
    documents = [{"a": n} for n in range(5000)]
    documents[3217]["rare"] = True
    assert field(facts_of(*documents), "rare").count == 1
    sampled = facts_of(*documents, sample=100)
    assert not sampled.complete
    assert "one document in 33 has is missed" in sampled.notes[0]


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("email", "p{}@example.org"), ("url", "https://example.org/{}"), ("object_id", "{:024x}"),
        ("uuid", "00000000-0000-4000-8000-{:012x}"), ("iso_date", "2024-01-{:02}"),
        ("phone", "+49 30 1234{:03}"),
        ("iso_date_time", "2024-01-01T10:00:{:02}Z"), ("ip_address", "10.0.0.{}"), ("digits", "{:08}"),
    ],
)  # fmt: skip
def test_the_form_of_texts_is_known(form, value):
    facts = facts_of(*[{"text": value.format(n)} for n in range(10, 29)])
    assert next(iter(field(facts, "text").forms)) == form
    assert field(facts, "text").enumeration is None


def test_few_values_are_an_enumeration_and_names_are_none():
    draws = Random(1)
    facts = facts_of(*[{"state": draws.choice(["new", "paid"]), "name": f"N{n}"} for n in range(100)])
    assert set(field(facts, "state").enumeration) == {"new", "paid"}
    assert field(facts, "name").enumeration is None
    assert field(facts, "name").unique


def test_objects_with_free_keys_become_one_field():
    facts = facts_of(*[{"by_day": {f"2024-01-{n:02}": n, f"2024-02-{n:02}": n}} for n in range(1, 25)])
    assert field(facts, "by_day", "*").kinds == {"int": 48}
    assert field(facts, "by_day").free_keys == 48


def test_a_thousand_named_fields_are_all_kept():
    facts = facts_of(*[{"in": {f"field_{n}": n for n in range(1000)}} for _ in range(5)])
    assert len(list(facts.fields())) == 1001


def test_more_fields_than_can_be_counted_are_counted_together(monkeypatch):
    monkeypatch.setattr(counting, "MOST_FIELDS", 50)
    facts = facts_of(*[{f"f{n}_{m}": 1 for m in range(20)} for n in range(20)])
    named = [each for path, each in facts.fields() if path != ("*",)]
    assert sum(each.count for each in named) + field(facts, "*").count == 400
    assert "too many" in facts.notes[0]


def test_what_lies_too_deep_is_said():
    deep = {"a": 1}
    for _ in range(90):
        deep = {"a": deep}
    assert "deeper than 40 levels" in facts_of(deep).notes[0]


def test_shapes_are_split_by_the_field_that_decides_them():
    documents = [
        {"kind": "card", "last4": "1234", "net": "x"} if n % 3 else {"kind": "cash", "till": n}
        for n in range(90)
    ]
    found = facts_of(*documents).root.variants
    assert found.field == "kind"
    assert {value: set(names) for value, names in found.shapes.items()} == {
        "card": {"last4", "net"}, "cash": {"till"},
    }  # fmt: skip


def test_fields_that_come_and_go_with_time_are_dated():
    documents = [
        {
            "at": DAY + timedelta(days=n),
            **({"old": 1} if n < 60 else {"new": 1}),
            "price": 1 if n < 30 else "1",
        }
        for n in range(100)
    ]
    found = {each.field: (each.change, each.at) for each in facts_of(*documents).drift}
    assert found["old"] == ("disappears", DAY + timedelta(days=60))
    assert found["new"] == ("appears", DAY + timedelta(days=60))
    assert found["price"] == ("becomes", DAY + timedelta(days=30))


def history(count, dated, *, exceptions=4):
    """Return documents of a year: renamed in March, of another type in June, with more from September on."""
    draws, documents = Random(1), []
    for number in range(count):
        at = DAY + timedelta(minutes=draws.randrange(366 * 24 * 60))
        made = bytes.fromhex(f"{int(at.timestamp()):08x}{number:016x}")
        late = draws.random() < exceptions / count
        june, september = at.month >= 6, at.month >= 9
        document = {
            "_id": ObjectId(made) if dated is None else number,
            "full_name" if (at.month >= 3) != late else "name": "x",
            "price": number if june else str(number),
            "address": {"city": "x", **({"geo": {"lat": 1.5}} if september else {})},
            "lines": [{"sku": "x", **({"tax": 1} if june else {})}],
            "steady": None if number % 5 else 1,
        }
        if dated is not None:
            document["placed"] = dated(at)
        if draws.random() < 0.3:
            document["often"] = 1
            if september:
                document["newly"] = 1
        documents.append(document)
    return documents


@pytest.mark.parametrize(
    ("dated", "by"),
    [(lambda at: at, "placed"), (lambda at: at.isoformat(), "placed"), (None, "_id")],
    ids=["dates", "texts", "ids"],
)
def test_a_history_is_told_by_date_or_by_the_time_in_the_ids(dated, by):
    facts = facts_of(*history(2000, dated))
    assert facts.dated_by == by
    found = {each.field: (each.change, each.at.month, each.kinds) for each in facts.drift}
    assert found == {
        "name": ("disappears", 3, ()),
        "full_name": ("appears", 3, ()),
        "price": ("becomes", 6, ("string", "int")),
        "lines.tax": ("appears", 6, ()),
        "address.geo": ("appears", 9, ()),
        "newly": ("appears", 9, ()),
    }
    assert all(each.exceptions <= 4 and each.at.day <= 7 for each in facts.drift)  # of a sample
    made = inspect(Memory("m", {"things": history(2000, dated)}), None)
    assert {each["field"] for each in to_dict(made)["collections"]["things"]["drift"]} == found.keys()


def test_a_field_that_was_there_for_a_while_comes_and_goes():
    documents = [
        {"at": DAY + timedelta(days=n), **({"trial": 1} if 40 <= n < 90 else {})} for n in range(200)
    ]
    found = [(each.change, (each.at - DAY).days) for each in facts_of(*documents).drift]
    assert sorted(found) == [("appears", 40), ("disappears", 90)]


def test_chance_is_no_drift_and_neither_are_ids_that_no_clock_made():
    draws = Random(2)
    documents = [
        {
            "_id": ObjectId(draws.randbytes(12)),
            **{f"f{n}": draws.choice([1, "x"]) for n in range(60) if draws.random() < 0.4},
        }
        for _ in range(900)
    ]
    facts = facts_of(*documents)
    assert (facts.dated_by, list(facts.drift)) == (None, [])
    dated = [{**each, "at": DAY + timedelta(hours=n)} for n, each in enumerate(documents)]
    assert list(facts_of(*dated).drift) == []


def test_keys_that_are_data_are_named_in_no_drift():
    documents = [
        {"at": DAY + timedelta(days=n), "by_mail": {f"p{n // 100}@secret.org": 1, f"q{n % 7}@secret.org": 2}}
        for n in range(300)
    ]
    assert "secret" not in json.dumps(to_dict(inspect(Memory("m", {"t": documents}), None)), default=str)


@given(st.lists(st.integers(0, 60), max_size=300), st.integers(0, 300), st.integers(1, 40))
def test_a_sketch_counts_what_it_keeps_exactly_and_merges(values, cut, size):
    whole, one, other = KeySketch(size), KeySketch(size), KeySketch(size)
    for place, value in enumerate(values):
        whole.add(value)
        (one if place < cut else other).add(value)
    assert all(values.count(value) == whole.counts[hashed] for hashed, value in whole.values.items())
    assert len(whole.counts) == min(size, len(set(values)))
    one.merge(other)
    assert one.counts == whole.counts


def one_by_one(numbers, size, draws):
    sample = Sample(draws, size)
    for number in numbers:
        if (drawn := sample.wanted()) is not None:
            sample.keep(drawn, number)
    return sample


def some_at_once(numbers, size, draws):
    sample = Sample(draws, size)
    for start, stop in ((0, 3), (3, 17), (17, 60)):
        sample.add_all(numbers[start:stop])
    return sample


@pytest.mark.parametrize("sampled", [reservoir, one_by_one, some_at_once])
def test_samples_are_unbiased(sampled):
    counts = [0] * 60
    for seed in range(3000):
        for number in sampled(range(60), 5, Random(seed)):
            counts[number] += 1
    assert sum(counts) == 15_000
    assert all(175 < count < 325 for count in counts), counts  # about five standard deviations


@pytest.mark.parametrize("known", [library, depot, tracker])
@pytest.mark.parametrize("sample", [None, 700])
def test_references_are_found_by_their_values(known, sample):
    found = score(known(), sample)
    assert (list(found.missed), list(found.wrong)) == ([], [])


@pytest.mark.parametrize("sample", sql_samples.samples(), ids=lambda sample: sample.name)
def test_the_foreign_keys_of_tables_are_found_without_their_declaration(sample):
    found = score(of_sql(sample))
    assert (list(found.missed), list(found.wrong)) == ([], [])


def test_what_a_composite_reference_says_already_is_told_as_a_copy():
    (school,) = (each for each in sql_samples.samples() if each.name == "school")
    made = inspect(Memory("m", of_sql(school).documents), None)
    copies = {(each.collection, each.path): each.of for each in made.copies}
    assert copies["sections", "department_code"] == "courses.department_code"


def test_uuids_as_texts_name_uuids():
    draws = Random(9)
    people = [{"_id": UUID(int=draws.getrandbits(128), version=4)} for _ in range(60)]
    visits = [{"_id": n, "who": str(draws.choice(people)["_id"])} for n in range(200)]
    (found,) = inspect(Memory("m", {"people": people, "visits": visits}), None).references
    assert (found.collection, *found.fields, found.target) == ("visits", "who", "people")


class Asked(Documents):
    """A collection that counts how often it is read."""

    read = 0

    def documents(self, sample, draws):
        Asked.read += 1
        return super().documents(sample, draws)

    def found(self, wanted):
        Asked.read += 1
        return super().found(wanted)


def test_what_was_read_whole_is_not_read_again_for_keys_that_are_known():
    source = Memory("m", {})
    draws = Random(6)
    people = [{"_id": ObjectId(draws.randbytes(12))} for _ in range(3000)]
    orders = [{"_id": ObjectId(draws.randbytes(12)), "who": draws.choice(people)["_id"]} for _ in range(3000)]
    source.collections = lambda: [Asked("orders", orders), Asked("people", people)]
    Asked.read = 0
    (found,) = inspect(source, None).references
    assert (found.coverage, Asked.read) == (1, 2)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abc"),
            st.integers(0, 9)
            | st.text(max_size=3)
            | st.none()
            | st.lists(st.booleans() | st.floats(allow_nan=False), max_size=3),
            max_size=3,
        ),
        max_size=30,
    ),
    st.integers(1, 9),
)
def test_counting_many_at_once_and_one_by_one_is_the_same(documents, at_once):
    counted = []
    for size in (at_once, 1000):
        with mock.patch.object(counting, "AT_ONCE", size):
            counted.append(facts_of(*documents).root)
    assert counted[0] == counted[1]


def test_what_references_are_like_is_said():
    made = inspect(Memory("m", depot().documents), None)
    by_field = {(each.collection, *each.fields): each for each in made.references}
    assert by_field["deliveries", "lines.part"].cardinality == "n:m"
    assert by_field["profiles", "_id"].cardinality == "1:1"
    assert by_field["deliveries", "driver"].cardinality == "n:1"
    assert 0.85 < by_field["deliveries", "driver"].coverage < 1
    assert all(0 < each.confidence < 1 and each.reasons for each in made.references)


def test_ids_of_several_collections_are_said_to_be():
    draws = Random(3)
    dogs, cats = ([{"_id": ObjectId(f"{kind}{n:023x}")} for n in range(50)] for kind in "ab")
    visits = [{"_id": n, "animal": draws.choice(dogs + cats)["_id"]} for n in range(200)]
    made = inspect(Memory("m", {"dogs": dogs, "cats": cats, "visits": visits}), None)
    assert not [each for each in made.references if "animal" in each.fields]
    assert set(made.split[0].targets) == {"dogs", "cats"}


def test_no_value_leaves_but_bounds_and_enumerations():
    secret = [f"Person {n} of Secret Street {n * 7919}" for n in range(50)]
    documents = [{"name": text, "mail": f"{n}@secret.org", "n": n} for n, text in enumerate(secret)]
    made = inspect(Memory("m", {"people": documents}), None)
    written = json.dumps(to_dict(made), default=str) + brief(made, "m")
    assert "Secret Street" not in written
    assert "secret.org" not in written


@pytest.mark.parametrize("count", [0, 1])
def test_collections_of_hardly_any_documents_are_inspected(count):
    facts = facts_of(*[{"_id": 1, "a": {"b": []}}] * count)
    assert (facts.documents, facts.complete) == (count, True)


# Folders


DOCUMENTS = [
    {"_id": ObjectId(f"{n:024x}"), "at": DAY, "price": Decimal128("1.50"), "n": n} for n in range(30)
]
EXTENDED = [
    bson.json_util.dumps(each, json_options=bson.json_util.RELAXED_JSON_OPTIONS) for each in DOCUMENTS
]
FILES = {
    "things.json": "[" + ",\n ".join(EXTENDED) + "]",
    "things.ndjson": "\n".join(EXTENDED),
    "things.jsonl": "\n\n".join(EXTENDED) + "\n",
    "things.bson": b"".join(map(bson.encode, DOCUMENTS)),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_dumps_of_every_kind_hold_the_same(tmp_path, name, packed):
    content = FILES[name] if isinstance(FILES[name], bytes) else FILES[name].encode()
    (tmp_path / (name + (".gz" if packed else ""))).write_bytes(gzip.compress(content) if packed else content)
    found = inspect(FolderSource(tmp_path), None).collections["things"]
    assert field(found, "price").kinds == {"decimal": 30}
    assert field(found, "_id").kinds == {"objectId": 30}
    assert field(found, "at").moments.low == DAY


def test_what_mongodump_wrote_beside_is_read(tmp_path):
    below = tmp_path / "shop"
    below.mkdir()
    (below / "things.bson").write_bytes(FILES["things.bson"])
    index = {"v": 2, "key": {"n": 1}, "name": "by_n", "unique": True}
    (below / "things.metadata.json").write_text(json.dumps({"indexes": [index], "options": {"capped": True}}))
    shape = inspect(FolderSource(tmp_path), None).collections["things"].shape
    assert (set(shape.indexes), shape.options) == ({"by_n"}, {"capped": True})


def test_the_broken_line_is_named(tmp_path):
    lines = ['{"a": 1}'] * 40_100
    lines[39_999] = '{"a": 1'
    (tmp_path / "things.ndjson").write_text("\n".join(lines))
    assert "things.ndjson, line 40,000, column" in refused(tmp_path)
    (tmp_path / "things.ndjson").rename(tmp_path / "things.json")
    assert "things.json, line 40,001, column" in refused(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.ndjson", b'{"a": 1}\n[1]\n', "line 2: a document is an object"),
        ("a.json", b'[{"a": 1}, {"b": 2}', "ends within its array"),
        ("a.json", b'{"a": {"$oid": "short"}}', "line 1"),
        ("a.json", b'{"a":' + b"[" * 100_000, "nested too deeply"),
        ("a.bson", b"\x05\0\0", "document 1: this is no BSON"),
        ("a.bson", b"\x50\0\0\0abc", "document 1: the file ends within it"),
        ("a.bson", b"\x08\0\0\0abc\0", "document 1"),
        ("a.json.gz", b"no gzip", "cannot be unpacked"),
        ("a.txt", b"", "no files of documents"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read_are_one_line(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert said in refused(tmp_path)


def test_other_encodings_are_read_and_said(tmp_path):
    (tmp_path / "mixed.ndjson").write_bytes('{"a": "zoë"}\n'.encode() + '{"a": "zoë"}\n'.encode("latin-1"))
    (tmp_path / "wide.json").write_bytes('{"a": "zoë"}'.encode("utf-16"))
    source = FolderSource(tmp_path)
    found = inspect(source, None)
    assert field(found.collections["mixed"], "a").distinct == 1
    assert field(found.collections["wide"], "a").distinct == 1
    assert "line 2" in found.notes[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=6), JSON, max_size=5), max_size=12))
def test_whatever_documents_hold_is_inspected_and_told(documents):
    made = inspect(Memory("m", {"things": documents}), None)
    told = to_dict(made)
    json.dumps(told, default=str)
    brief(made, "m")
    assert made.collections["things"].documents == len(documents)
