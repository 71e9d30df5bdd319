"""A changed schema applied to a live database: shown, made where it can be, idempotent, nothing lost."""

import pytest
from mimiod import BaseCollectionSchema, IndexDefinition, mongo, structure
from mimiod.errors import DatabaseInUseError
from mimiod.evolution import applying
from mimiod.evolution.differences import compare
from mimiod.evolution.shapes import live
from mimiod.evolution.steps import Wishes
from mimiod.run_lock import RunLock
from pydantic import BaseModel, ConfigDict, Field
from pymongo.errors import WriteError


class Named(BaseModel):
    name: str


class Aged(BaseModel):
    name: str
    age: int


def things(model=Named, *indexes, **more):
    return BaseCollectionSchema(document_schema=model, indexes=list(indexes), **more)


@pytest.fixture
def build(trial):
    """Make the collections of a schema on the test's database."""

    def made(**collections):
        schema = trial.schema(**collections)
        structure.create_collections(trial.database, schema)
        structure.create_indexes(trial.database, schema)

    return made


@pytest.fixture
def apply(trial):
    """Apply a schema to the test's database."""

    def applied(*, dry_run=False, moderate=False, drop_indexes=False, **collections):
        return applying.apply(
            trial.database,
            trial.schema(**collections),
            project="shop",
            wishes=Wishes(moderate, drop_indexes),
            dry_run=dry_run,
        )

    return applied


@pytest.fixture
def told(trial):
    """Return what differs between the test's database and a schema, a line each."""
    return lambda **collections: list(
        map(str, applying.difference(trial.database, trial.schema(**collections)).differences)
    )


def states(applied):
    return [(step.state, step.text) for step in applied.steps]


def index(*keys, **options):
    return IndexDefinition(name="n", keys=dict.fromkeys(keys or ("name",), 1), **options)


class Part(BaseModel):
    code: str


class Before(BaseModel):
    age: int = Field(ge=0)
    kind: str = "a"
    note: str
    gone: int = 0
    part: Part
    parts: list[Part] = []
    counts: dict[str, int] = {}


class LaterPart(BaseModel):
    code: int


class After(BaseModel):
    model_config = ConfigDict(extra="forbid")

    age: str
    kind: str = Field("a", max_length=3)
    note: str = ""
    new: bool
    part: LaterPart
    parts: list[LaterPart] = []
    counts: dict[str, str] = {}


def test_a_changed_validator_is_shown_field_by_field(build, told, trial):
    build(things=things(Before))
    stand_in = mongo.server(trial.database.client).stand_in

    lines = told(things=things(After))

    expected = [
        "~ things: field age: bsonType int or long → string",
        "- things: field age: minimum 0 → none",
        "+ things: field kind: maxLength none → 3",
        "~ things: field note: required → optional",
        "- things: field gone (int or long): described no longer",
        "~ things: field part.code: bsonType string → int or long",
        "~ things: field parts[].code: bsonType string → int or long",
        "~ things: field counts.*: bsonType int or long → string",
        "~ things: field new: optional → required",
        "+ things: field new (bool): not described yet",
    ]
    if stand_in == "DocumentDB":
        expected.remove("~ things: field counts.*: bsonType int or long → string")
    assert [line for line in expected if line not in lines] == []
    assert told(things=things(Before)) == []


def test_a_hand_written_validator_is_compared_beyond_its_json_schema(told, trial):
    validator = {"$jsonSchema": structure.validator_of(things()), "name": {"$ne": ""}}
    trial.database.command("create", "things", validator=validator)

    assert told(things=things()) == ['- things: document: name {"$ne": ""} → none']


NEW = [
    (things(Named, index(unique=True)), "index n: unique False, declared True"),
    (things(Named, index("name", "age")), "keys"),
    (things(Named, index(sparse=True)), "sparse"),
    (things(Named, index(ttl_seconds=5)), "expireAfterSeconds None, declared 5"),
    (things(Named, index(partial_filter={"a": 1})), "partialFilterExpression"),
    (things(Aged, index()), "field age: optional → required"),
    (things(Named, index(), validation_level="moderate"), "validationLevel: strict → moderate"),
    (things(Named, index(), validation_action="warn"), "validationAction: error → warn"),
    (things(None, index()), "it has a validator, and none is wanted"),
    (things(Named), "index n over name 1 is not wanted"),
    (things(Named, index(), IndexDefinition(name="m", keys={"z": 1})), "index m over z 1 is missing"),
    (things(Named, IndexDefinition(name="m", keys={"name": 1})), "index m over name 1 is missing"),
]


@pytest.mark.parametrize(("new", "difference"), NEW)
def test_every_kind_of_change_is_shown_then_made_and_made_once(build, apply, told, trial, new, difference):
    build(things=things(Named, index()))
    lines = told(things=new)
    assert any(difference in line for line in lines)

    shown = apply(things=new, drop_indexes=True, dry_run=True)
    assert told(things=new) == lines
    first = apply(things=new, drop_indexes=True)
    second = apply(things=new, drop_indexes=True)

    assert [step.text for step in first.steps] == [step.text for step in shown.steps]
    assert {step.state for step in first.steps} == {"done"}
    assert first.passed
    assert told(things=new) == []
    assert second.steps == []
    trial.database.things.insert_one({"name": "one", "age": 1})


def test_what_is_missing_is_made_with_validator_and_indexes(apply, trial):
    applied = apply(things=things(Named, index(unique=True)), log=BaseCollectionSchema())

    assert applied.passed
    assert set(trial.database.list_collection_names()) >= {"things", "log"}
    assert "n" in trial.database.things.index_information()
    with pytest.raises(WriteError):
        trial.database.things.insert_one({"name": 1})


def test_nothing_extra_is_dropped_unasked_and_never_a_collection(build, apply, trial):
    build(things=things(Named, index()), old=things())
    trial.database.old.insert_one({"name": "kept"})

    kept = apply(things=things())
    dropped = apply(things=things(), drop_indexes=True)

    assert states(kept) == [("kept", "keep the collection"), ("kept", "drop index n over name 1")]
    assert states(dropped) == [("kept", "keep the collection"), ("done", "drop index n over name 1")]
    assert kept.passed
    assert dropped.passed
    assert "n" not in trial.database.things.index_information()
    assert trial.database.old.count_documents({}) == 1


def test_a_hidden_index_is_changed_without_a_rebuild_or_the_server_is_named(build, apply, told, trial):
    build(things=things(Named, index()))

    applied = apply(things=things(Named, index(hidden=True)))

    assert applied.steps[0].text == 'change index n: {"hidden": true}'
    assert applied.passed
    if told(things=things(Named, index(hidden=True))):
        server = mongo.server(trial.database.client)
        assert server.stand_in
        assert applied.steps[0].state == "unsupported"
        assert str(server) in applied.steps[0].why


def fill(trial):
    trial.database.things.insert_many(
        [
            {"_id": 1, "name": "fits", "age": 1},
            {"_id": 2, "name": "lacks"},
            {"_id": 3, "name": "other", "age": "old"},
        ]
    )


def test_a_tightened_validator_waits_for_the_documents_that_it_would_refuse(build, apply, trial):
    build(things=things(Named))
    fill(trial)
    before = trial.database.things.options()

    for dry_run in (True, False):
        applied = apply(things=things(Aged, index()), dry_run=dry_run)

        assert not applied.passed
        refused, created = applied.steps
        assert refused.state == "migration"
        assert sorted(refused.examples, key=lambda each: each["_id"]) == [
            {"_id": 2, "reasons": ["age is missing"]},
            {"_id": 3, "reasons": ["age is string, int or long wanted"]},
        ]
        assert "2 documents would be refused" in refused.why
        assert "_id 3: age is string" in refused.why
        assert "--level moderate" in refused.why
        assert trial.database.things.options() == before
        assert created.state == ("planned" if dry_run else "done")

    trial.database.things.update_many({"_id": {"$in": [2, 3]}}, {"$set": {"age": 0}})
    assert apply(things=things(Aged, index())).passed
    with pytest.raises(WriteError):
        trial.database.things.insert_one({"name": "lacks"})


def test_at_level_moderate_it_is_tightened_around_them(build, apply, trial):
    build(things=things(Named))
    fill(trial)

    first = apply(things=things(Aged), moderate=True)
    again = [apply(things=things(Aged), moderate=moderate) for moderate in (True, False)]

    assert first.steps[0].state == "done"
    assert trial.database.things.options()["validationLevel"] == "moderate"
    with pytest.raises(WriteError):
        trial.database.things.insert_one({"name": "lacks"})
    assert [[step.state for step in each.steps] for each in again] == [["kept"], ["migration"]]
    assert "2 documents would be refused" in again[1].steps[0].why

    trial.database.things.delete_many({"_id": {"$in": [2, 3]}})
    assert apply(things=things(Aged)).passed
    assert trial.database.things.options()["validationLevel"] == "strict"


def test_a_looser_validator_is_not_kept_from_documents_that_fit_neither(build, apply, trial):
    trial.database.things.insert_one({"_id": 1, "name": 7})
    build(things=things(Aged))

    assert apply(things=things(Named)).passed


@pytest.mark.parametrize("was", [[], [index()]])
def test_duplicates_under_a_unique_index_are_named_and_the_old_index_stays(build, apply, trial, was):
    build(things=things(Named, *was))
    trial.database.things.insert_many([{"_id": 1, "name": "a"}, {"_id": 2, "name": "a"}])
    before = trial.database.things.index_information()

    shown = apply(things=things(Named, index(unique=True)), dry_run=True)
    applied = apply(things=things(Named, index(unique=True)))

    assert [step.state for step in shown.steps] == ["migration"]
    assert [step.state for step in applied.steps] == ["migration"]
    assert "name='a' in 2 documents (_id 1, 2)" in applied.steps[0].why
    assert trial.database.things.index_information() == before


def test_an_index_that_cannot_be_built_anew_is_put_back(build, apply, trial):
    old, new = IndexDefinition(name="n", keys={"tags": 1}), index("tags", unique=True)
    build(things=things(None, old))
    # Keys that meet inside arrays: only the build itself finds them.
    trial.database.things.insert_many([{"_id": 1, "tags": ["a", "b"]}, {"_id": 2, "tags": ["b", "c"]}])

    applied = apply(things=things(None, new))

    assert applied.steps[0].state in {"migration", "done"}
    if applied.steps[0].state == "migration":
        existing = structure.indexes_of(trial.database.things)["n"]
        assert structure.index_differences(old, existing) == []


def test_options_that_are_fixed_at_creation_need_a_rebuild_and_nothing_is_touched(build, apply, trial):
    if mongo.server(trial.database.client).stand_in == "DocumentDB":
        return
    build(things=BaseCollectionSchema(), log=BaseCollectionSchema(options={"capped": True, "size": 4096}))
    trial.database.things.insert_one({"_id": 1})
    wanted = {
        "timeseries": {"timeField": "at"},
        "clusteredIndex": {"key": {"_id": 1}, "unique": True},
        "collation": {"locale": "en", "strength": 2},
    }

    for option, value in wanted.items():
        applied = apply(things=BaseCollectionSchema(options={option: value}), log=BaseCollectionSchema())

        assert not applied.passed
        assert {step.state for step in applied.steps} == {"rebuild"}
        whys = [f"{step.collection}: {step.why}" for step in applied.steps]
        assert any(why.startswith(f"things: {option} is fixed") for why in whys)
        assert any(why.startswith("log: capped is fixed") for why in whys)
    assert trial.database.things.count_documents({}) == 1


def test_a_capped_collection_is_never_made_smaller(build, apply, trial):
    if mongo.server(trial.database.client).stand_in == "DocumentDB":
        return
    build(log=BaseCollectionSchema(options={"capped": True, "size": 8192}))

    smaller = apply(log=BaseCollectionSchema(options={"capped": True, "size": 4096}))
    larger = apply(log=BaseCollectionSchema(options={"capped": True, "size": 16384}))

    assert [step.state for step in smaller.steps] == ["rebuild"]
    assert "loses its oldest documents" in smaller.steps[0].why
    assert larger.passed
    assert larger.steps[0].state in {"done", "unsupported"}


def test_a_time_series_has_no_validator_and_does_not_differ(apply, trial):
    series = things(Aged, options={"timeseries": {"timeField": "at", "metaField": "name"}})

    apply(things=series)

    assert "validator" not in trial.database.things.options()
    assert apply(things=series).steps == []


def test_what_was_interrupted_is_gone_on_with(build, trial):
    build(things=things(Named, index()), old=things())
    wanted = trial.schema(things=things(Aged, index(unique=True)), new=things(Named, index()))

    def stop(_step):
        raise KeyboardInterrupt

    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            applying.apply(trial.database, wanted, project="shop", say=stop)
    for _ in range(4):
        applying.apply(trial.database, wanted, project="shop")

    left = applying.difference(trial.database, wanted).differences
    assert [(each.collection, each.change) for each in left] == [("old", "extra")]


def test_it_waits_for_no_run_and_leaves_the_runs_mark(build, apply, trial):
    build(things=things())
    run = RunLock(trial.database, {"project": "shop", "seed": 7})
    run.acquire(replace=True)
    with pytest.raises(DatabaseInUseError, match="is being filled by process"):
        apply(things=things(Aged))
    run.release("complete")
    mark = trial.database["_mimiod"].find_one()

    assert apply(things=things(Aged)).passed

    assert trial.database["_mimiod"].find_one() == mark


@pytest.mark.parametrize("killed", [False, True])
def test_a_strangers_database_stays_a_strangers(build, apply, trial, killed):
    build(things=things())
    trial.database.things.insert_one({"name": "theirs"})
    if killed:
        dead = RunLock(trial.database, {"pid": 2**22 + 1}, borrowed=True)
        dead.acquire(replace=True)
    else:
        apply(things=things(Named, index()))

    with pytest.raises(DatabaseInUseError, match="that Mimiod did not write"):
        RunLock(trial.database, {}).acquire(replace=False)


def test_two_databases_are_compared_as_one_with_its_schema(build, trial):
    build(things=things(Named, index()), old=things())
    other = mongo.database(trial.database.client, f"{trial.database.name}_b")
    trial.database.client.drop_database(other.name)
    try:
        schema = trial.schema(things=things(Aged, index(unique=True)))
        structure.create_collections(other, schema)
        structure.create_indexes(other, schema)

        found = compare(live(trial.database), live(other))

        assert [str(each) for each in found.differences if each.kind != "validator"] == [
            "- old: the collection is not wanted",
            "~ things: index n: unique False, declared True",
        ]
        assert "~ things: field age: optional → required" in map(str, found.differences)
        assert compare(live(other), live(other)).differences == []
    finally:
        trial.database.client.drop_database(other.name)
