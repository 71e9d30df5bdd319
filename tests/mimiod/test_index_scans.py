"""What the model of index selection claims of a scan, against what the queries find on a server."""

from itertools import pairwise

from bson import MaxKey, MinKey
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mimiod import BaseCollectionSchema, BaseMongoDbDocumentSchema, IndexDefinition
from mimiod.checking.explaining import explain
from mimiod.checking.index_model import plan
from mimiod.schema_types import Query
from pydantic import BaseModel


def keys_of(document, index):
    """Return the keys of a document in an index: one for each element of the array among its fields."""
    fields = [field for field, _ in index.key_pairs()]
    arrays = {path for field in fields for path in ("tags", "lines") if field.split(".")[0] == path}
    elements = document.get(*arrays, []) if arrays else [None]
    for element in elements or [None]:
        yield tuple(
            (element if field == "tags" else (element or {}).get(field.split(".")[1]))
            if field.split(".")[0] in arrays
            else document.get(field)
            for field in fields
        )


def order_of(value):
    """Return a value's place in MongoDB's order, as far as these documents go: null before numbers."""
    return (0, 0) if value is None else (1, value)


def lies_in(value, interval):
    low, high = interval.low, interval.high
    if isinstance(low, MinKey) and isinstance(high, MaxKey):
        return True
    if low is None and high is None:
        return value is None
    if value is None:
        return False
    above = low is None or value > low or (value == low and interval.low_inclusive)
    return above and (high is None or value < high or (value == high and interval.high_inclusive))


def walked(model, index, documents, key_ranges):
    """Return the documents that a scan meets, in its order, each once, and how many keys are in bounds."""
    entries = [(key, document) for document in documents for key in set(keys_of(document, index))]
    for position, (_, direction) in reversed(list(enumerate(index.key_pairs()))):
        entries.sort(key=lambda entry, at=position: order_of(entry[0][at]), reverse=direction == -1)
    if model.backward:
        entries.reverse()
    met = [
        document
        for key, document in entries
        if all(
            any(lies_in(value, interval) for interval in intervals)
            for value, intervals in zip(key, key_ranges, strict=True)
        )
    ]
    return list({document["_id"]: document for document in met}.values()), len(met)


def has(document, field):
    return bool(document["lines"]) if field.startswith("lines.") else field in document


def held_by(index, documents):
    wanted = index.partial_filter or {}
    return [
        document
        for document in documents
        if all(document.get(field) == value for field, value in wanted.items())
        and not (index.sparse and not any(has(document, field) for field in index.keys))
    ]


SMALL = st.integers(0, 3)
FIELDS = ("a", "b", "c")
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {"tags": st.lists(SMALL, max_size=3), "lines": st.lists(
            st.fixed_dictionaries({"count": SMALL, "price": SMALL}), max_size=3)},
        optional={field: st.none() | SMALL for field in FIELDS},
    ),
    min_size=4,
    max_size=12,
)  # fmt: skip
CONDITIONS = st.one_of(
    SMALL,
    st.none(),
    st.fixed_dictionaries({"$in": st.lists(st.none() | SMALL, min_size=1, max_size=3, unique=True)}),
    st.fixed_dictionaries({"$gt": SMALL}),
    st.fixed_dictionaries({"$gte": SMALL, "$lt": SMALL}),
    st.fixed_dictionaries({"$lte": SMALL}),
    st.fixed_dictionaries({"$ne": SMALL}),
    st.fixed_dictionaries({"$exists": st.booleans()}),
)
OF_ARRAYS = {
    "tags": st.one_of(
        SMALL,
        st.fixed_dictionaries({"$gt": SMALL, "$lt": SMALL}),
        st.fixed_dictionaries({"$all": st.lists(SMALL, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"$elemMatch": st.fixed_dictionaries({"$gte": SMALL, "$lte": SMALL})}),
    ),
    "lines.count": CONDITIONS,
    "lines.price": st.one_of(SMALL, st.fixed_dictionaries({"$gte": SMALL})),
    "lines": st.fixed_dictionaries(
        {"$elemMatch": st.fixed_dictionaries({"count": SMALL, "price": st.one_of(
            SMALL, st.fixed_dictionaries({"$gt": SMALL, "$lte": SMALL}))})}),
}  # fmt: skip
WAYS = st.sampled_from((1, -1))
OPTIONS = st.sampled_from([{}, {}, {}, {"sparse": True}, {"partial_filter": {"a": 1}}])
FAMILIES = st.sampled_from([FIELDS, ("a", "b", "tags"), ("a", "lines.count", "lines.price")])


@st.composite
def cases(draw):
    """Return an index, and a filter and a sort over the fields that it is drawn from."""
    family = draw(st.permutations(draw(FAMILIES)))
    keys = {field: draw(WAYS) for field in family[: draw(st.integers(1, 3))]}
    conditions = {field: OF_ARRAYS.get(field, CONDITIONS) for field in family}
    if "lines.count" in family:
        conditions["lines"] = OF_ARRAYS["lines"]
    filters = st.fixed_dictionaries({}, optional=conditions)
    filtered = draw(filters)
    if draw(st.integers(0, 4)) == 0:
        filtered = {"a": 1, "$or": [draw(filters.filter(bool)), draw(filters.filter(bool))]}
    first = draw(st.integers(0, len(family) - 1))
    turned = draw(WAYS)
    sort = {
        field: draw(WAYS) if draw(st.integers(0, 3)) == 0 else turned * keys.get(field, 1)
        for field in family[first : first + draw(st.integers(0, 2))]
        if field != "lines.price"
    }
    return IndexDefinition(keys=keys, **draw(OPTIONS)), filtered, sort


class Price(BaseModel):
    count: int = 0
    price: int = 0


class Trial(BaseMongoDbDocumentSchema):
    a: int | None = None
    b: int | None = None
    c: int | None = None
    tags: list[int] = []
    lines: list[Price] = []


def least(document, field, way):
    """Return the value of an array by which its document is sorted."""
    if field not in {"tags", "lines.count"}:
        return order_of(document.get(field))
    elements = document["tags"] if field == "tags" else [line["count"] for line in document["lines"]]
    ordered = sorted(map(order_of, elements))
    # An empty array comes before null; of embedded documents there is then no field at all: null.
    empty = (-1, 0) if field == "tags" else (0, 0)
    return (ordered[0] if way == 1 else ordered[-1]) if ordered else empty


def in_order(documents, sort):
    places = [
        tuple(
            part if way == 1 else tuple(-number for number in part)
            for field, way in sort.items()
            for part in [least(document, field, way)]
        )
        for document in documents
    ]
    return all(one <= two for one, two in pairwise(places))


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(documents=DOCUMENTS, case=cases())
@example(  # each condition holds for another element
    documents=[{"tags": [], "lines": [{"count": 1, "price": 0}, {"count": 0, "price": 1}]}],
    case=(
        IndexDefinition(keys={"lines.count": 1, "lines.price": 1}),
        {"lines.count": 1, "lines.price": 1},
        {},
    ),
)
def test_the_bounds_hold_what_the_query_finds(trial, documents, case):
    definition, conditions, sort = case
    documents = [{"_id": number, **document} for number, document in enumerate(documents)]
    trial.database.orders.delete_many({})
    if documents:
        trial.database.orders.insert_many(documents)
    found = {document["_id"] for document in trial.database.orders.find(conditions)}
    collection = BaseCollectionSchema(collection_name="orders", document_schema=Trial, indexes=[definition])
    query = Query(name="q", collection="orders", per_minute=1, filter=conditions, sort=sort)

    model = plan(query, collection)
    branches = model.branches or ((model,) if model.scan == "index" else ())
    met, count = {}, 0
    for branch in branches:
        index = definition if branch.index == definition.name else IndexDefinition(keys={"_id": 1})
        scan, keys = walked(branch, index, held_by(index, documents), [key.intervals for key in branch.keys])
        count += keys
        met |= {document["_id"]: document for document in scan}

    if branches:
        assert found <= set(met)
    if model.tight and not model.branches:
        assert set(met) == found
        assert count >= len(found)
    if model.sort == "index":
        assert in_order([document for identifier, document in met.items() if identifier in found], sort)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    fields=st.permutations(FIELDS),
    depth=st.integers(1, 3),
    skipped=st.integers(0, 1),
    asked=st.integers(1, 3),
)
def test_the_server_uses_an_index_where_the_model_does(trial, fields, depth, skipped, asked):
    # Of conditions on a part of an index only: with others beside them the embedded server uses none.
    definition = IndexDefinition(keys=dict.fromkeys(fields[:depth], 1))
    collection = trial.database.explained
    collection.drop_indexes()
    collection.create_index(definition.key_pairs(), name=definition.name)
    conditions = dict.fromkeys(fields[skipped : min(depth, skipped + asked)] or fields[depth:], 1)
    query = Query(name="q", collection="explained", per_minute=1, filter=conditions)

    model = plan(query, BaseCollectionSchema(document_schema=Trial, indexes=[definition]))
    shown = explain(trial.database, query)

    assert shown.scans_collection == (model.scan == "collection")
    assert shown.indexes == model.indexes
