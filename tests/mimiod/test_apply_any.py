"""Any schema applied over any other: what is left differing is what was said, and nothing is left to do."""

import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mimiod import BaseCollectionSchema, BaseMongoDbSchema, IndexDefinition, mongo
from mimiod.evolution import applying
from mimiod.evolution.differences import compare
from mimiod.evolution.shapes import declared
from mimiod.evolution.steps import Wishes

FIELDS = ("a", "b", "c.d")
HOSTILE = "\x1b[31m[bold]|`é\n"
OPTIONS = (
    *({}, {"unique": True}, {"sparse": True}, {"hidden": True}, {"ttl_seconds": 5}, {"ttl_seconds": 9}),
    {"partial_filter": {"a": {"$gt": 1}}},
)
DOCUMENTS = [{"_id": 1, "a": 1}, {"_id": 2, "a": "x", "b": 2}, {"_id": 3, "b": 2, "c": {"d": None}}]

types = st.sampled_from(["int", "string", ["int", "string"], ["string", "int", "null"]])
rules = st.fixed_dictionaries(
    {"bsonType": types},
    optional={"minimum": st.integers(0, 3), "enum": st.sampled_from([[1, "x"], ["x", 2, 1]])},
)
validators = st.none() | st.fixed_dictionaries(
    {"properties": st.dictionaries(st.sampled_from(["a", "b", HOSTILE, "", "$"]), rules, max_size=3)},
    optional={"required": st.lists(st.sampled_from(["a", "b"]), min_size=1, unique=True)},
)


@st.composite
def indexes(draw):
    names = draw(st.lists(st.sampled_from(["i", "j", HOSTILE.strip("\n")]), unique=True, max_size=2))
    made, seen = [], set()
    for name in names:
        path = draw(st.sampled_from(FIELDS))
        option = draw(st.sampled_from(OPTIONS))
        if path not in seen:  # servers differ in which indexes over the same keys they let be
            made.append(IndexDefinition(name=name, keys={path: draw(st.sampled_from([1, -1]))}, **option))
        seen.add(path)
    return made


collections = st.builds(
    lambda schema, found, level, action, options: BaseCollectionSchema(
        json_schema=schema, indexes=found, validation_level=level, validation_action=action, options=options
    ),
    validators,
    indexes(),
    st.sampled_from(["strict", "moderate", "off"]),
    st.sampled_from(["error", "warn"]),
    st.sampled_from([{}, {}, {"capped": True, "size": 4096}, {"capped": True, "size": 8192}]),
)
schemas = st.dictionaries(st.sampled_from(["one", "two", "thr[red]ee"]), collections, max_size=3)


@pytest.fixture
def any_database(trial):
    """Return a function that makes an empty database, of a name of its own."""
    made = []

    def fresh():
        if made:
            trial.database.client.drop_database(made.pop())
        made.append(f"{trial.database.name}_{secrets.token_hex(4)}")
        return mongo.database(trial.database.client, made[-1])

    yield fresh
    for name in made:
        trial.database.client.drop_database(name)


def shown(applied):
    return [(step.collection, step.text, step.state) for step in applied.steps]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(before=schemas, after=schemas, wishes=st.builds(Wishes, st.booleans(), st.booleans()))
def test_whatever_was_there_what_is_left_is_what_was_said(any_database, before, after, wishes):
    database = any_database()
    old, new = (BaseMongoDbSchema(database_name=database.name, collections=each) for each in (before, after))
    applying.apply(database, old, project="p")
    for name in before:
        database.command("insert", name, documents=DOCUMENTS, bypassDocumentValidation=True, ordered=False)
    kept = {name: database[name].count_documents({}) for name in before}

    planned = applying.apply(database, new, project="p", wishes=wishes, dry_run=True)
    applied = applying.apply(database, new, project="p", wishes=wishes)
    again = applying.apply(database, new, project="p", wishes=wishes)

    assert [each[:2] for each in shown(planned)] == [each[:2] for each in shown(applied)]
    assert all(step.state != "refused" and (step.why or step.state == "done") for step in applied.steps)
    left = {str(difference) for difference in applied.left.differences}
    declared_left = {
        str(difference)
        for step in applied.steps
        if step.state != "done" or "moderate" in step.text
        for difference in step.differences
    }
    assert left <= declared_left | {line for line in left if "validationLevel: moderate → strict" in line}
    assert [step for step in again.steps if step.state == "done"] == []
    assert {name: database[name].count_documents({}) for name in before} == kept


@settings(max_examples=50, deadline=None, database=None)
@given(schemas)
def test_a_schema_does_not_differ_from_itself(each):
    shape = declared(BaseMongoDbSchema(database_name="d", collections=each))

    assert compare(shape, shape).differences == []


@settings(max_examples=50, deadline=None, database=None)
@given(schemas, schemas)
def test_a_difference_is_found_from_both_sides(one, two):
    shapes = [declared(BaseMongoDbSchema(database_name="d", collections=each)) for each in (one, two)]

    there, back = compare(*shapes).differences, compare(*reversed(shapes)).differences

    assert bool(there) == bool(back)
    assert {each.collection for each in there} == {each.collection for each in back}
