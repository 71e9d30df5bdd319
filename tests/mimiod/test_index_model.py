"""The model of index selection: MongoDB's rules by example, and scans that find what the query finds."""

import re
from datetime import datetime
from typing import Any

import pytest
from mimiod import BaseCollectionSchema, BaseMongoDbDocumentSchema, IndexDefinition, PyObjectId
from mimiod.checking.index_model import plan
from mimiod.schema_types import Query, Sample
from pydantic import BaseModel


class Line(BaseModel):
    sku: str = ""
    count: int = 0
    marks: list[int] = []


class Order(BaseMongoDbDocumentSchema):
    a: int | None = None
    b: int | None = None
    c: int | None = None
    d: int | None = None
    name: str | None = None
    at: datetime | None = None
    owner: PyObjectId | None = None
    tags: list[int] = []
    more: list[int] = []
    lines: list[Line] = []
    extra: dict[str, Any] = {}


AB = {"a": 1, "b": 1}
ABC = {"a": 1, "b": 1, "c": 1}
CI = {"locale": "en", "strength": 2}


def planned(indexes, *, options=None, **query):
    definitions = [
        IndexDefinition(**index) if "keys" in index else IndexDefinition(keys=index) for index in indexes
    ]
    collection = BaseCollectionSchema(
        collection_name="orders", document_schema=Order, indexes=definitions, options=options or {}
    )
    if "pipeline" in query:
        query["action"] = "aggregate"
    return plan(Query(name="q", collection="orders", per_minute=1, **query), collection)


def in_short(model):
    """Return the index, the roles of its keys by their first letters, the order, and what else is so."""
    if model.scan == "collection":
        return "COLLSCAN" if model.sort == "none" else f"COLLSCAN {model.sort}"
    roles = "".join({"equality": "E", "points": "P", "range": "R", "sort": "S", "poor": "p", "text": "T",
                     "geo": "G", "unbounded": "-"}[key.role] for key in model.keys)  # fmt: skip
    flags = [model.sort] if model.sort != "none" else []
    flags += [flag for flag in ("backward", "covered", "tight") if getattr(model, flag)]
    return " ".join([model.index, *([roles] if roles else []), *flags])


CASES = {
    # Prefixes: https://www.mongodb.com/docs/manual/core/indexes/index-types/index-compound/
    "no filter": ([AB], {}, "COLLSCAN"),
    "no index": ([], {"filter": {"a": 1}}, "COLLSCAN"),
    "the _id": ([], {"filter": {"_id": 1}}, "_id_ E tight"),
    "the _id by a range": ([], {"filter": {"_id": {"$gt": 1}}}, "_id_ R tight"),
    "in order of _id": ([], {"sort": {"_id": -1}}, "_id_ S index backward tight"),
    "prefix": ([AB], {"filter": {"a": 1}}, "a_1_b_1 E- tight"),
    "both fields": ([AB], {"filter": {"b": 1, "a": 1}}, "a_1_b_1 EE tight"),
    "not a prefix": ([AB], {"filter": {"b": 1}}, "COLLSCAN"),
    "a gap": ([ABC], {"filter": {"a": 1, "c": 1}}, "a_1_b_1_c_1 E-E"),
    "the longer match wins": ([{"a": 1}, AB], {"filter": {"a": 1, "b": 2}}, "a_1_b_1 EE tight"),
    "the shorter index wins": ([AB, {"a": 1}], {"filter": {"a": 1}}, "a_1 E tight"),
    "a unique key wins": (
        [AB, {"keys": {"c": 1}, "unique": True}], {"filter": {"a": 1, "b": 1, "c": 1}}, "c_1 E",
    ),
    "range": ([{"a": 1}], {"filter": {"a": {"$gte": 1, "$lt": 5}}}, "a_1 R tight"),
    "equality, then range": ([AB], {"filter": {"a": 1, "b": {"$gt": 5}}}, "a_1_b_1 ER tight"),
    "range, then equality": ([AB], {"filter": {"a": {"$gt": 5}, "b": 1}}, "a_1_b_1 RE"),
    "equality first wins": (
        [AB, {"b": 1, "a": 1}], {"filter": {"a": {"$gt": 5}, "b": 1}}, "b_1_a_1 ER tight",
    ),
    "a list": ([{"a": 1}], {"filter": {"a": {"$in": [1, 2]}}}, "a_1 P tight"),
    "a list of one": ([{"a": 1}], {"filter": {"a": {"$in": [1]}}}, "a_1 E tight"),
    "what the index lacks": ([{"a": 1}], {"filter": {"a": 1, "b": 1}}, "a_1 E"),
    "null": ([{"a": 1}], {"filter": {"a": None}}, "a_1 E tight"),
    "exists": ([{"a": 1}], {"filter": {"a": {"$exists": True}}}, "a_1 p"),
    "a negation": ([{"a": 1}], {"filter": {"a": {"$ne": 1}}}, "a_1 p"),
    "not in": ([{"a": 1}], {"filter": {"a": {"$nin": [1, 2]}}}, "a_1 p"),
    "not": ([{"a": 1}], {"filter": {"a": {"$not": {"$gt": 1}}}}, "a_1 p"),
    "nor": ([{"a": 1}], {"filter": {"$nor": [{"a": 1}]}}, "COLLSCAN"),
    "an expression": ([{"a": 1}], {"filter": {"$expr": {"$eq": ["$a", "$b"]}}}, "COLLSCAN"),
    "modulo": ([{"a": 1}], {"filter": {"a": {"$mod": [2, 0]}}}, "COLLSCAN"),
    "and of ands": (
        [AB], {"filter": {"$and": [{"a": 1}, {"$and": [{"b": {"$gt": 1}}, {"b": {"$lt": 9}}]}]}},
        "a_1_b_1 ER tight",
    ),
    "a field of free keys": ([{"extra.x": 1}], {"filter": {"extra.x": 1}}, "extra.x_1 E tight"),
    "an unknown value": ([{"owner": 1}], {"filter": {"owner": Sample("orders.owner")}}, "owner_1 E tight"),
    # Sorts: https://www.mongodb.com/docs/manual/tutorial/sort-results-with-indexes/
    "sort by the index": ([{"a": 1}], {"sort": {"a": 1}}, "a_1 S index tight"),
    "sort against it": ([{"a": 1}], {"sort": {"a": -1}}, "a_1 S index backward tight"),
    "sort by both": ([{"a": 1, "b": -1}], {"sort": {"a": 1, "b": -1}}, "a_1_b_-1 SS index tight"),
    "sort by the reverse of both": (
        [{"a": 1, "b": -1}], {"sort": {"a": -1, "b": 1}}, "a_1_b_-1 SS index backward tight",
    ),
    "mixed directions": ([AB], {"sort": {"a": 1, "b": -1}}, "COLLSCAN blocking"),
    "sort by the prefix": ([ABC], {"sort": {"a": 1, "b": 1}}, "a_1_b_1_c_1 SS- index tight"),
    "sort by the second": ([AB], {"sort": {"b": 1}}, "COLLSCAN blocking"),
    "sort in another order": ([AB], {"sort": {"b": 1, "a": 1}}, "COLLSCAN blocking"),
    "equality, sort": ([AB], {"filter": {"a": 1}, "sort": {"b": -1}}, "a_1_b_1 ES index backward tight"),
    "equality after the sort": (
        [{"b": 1, "a": 1}], {"filter": {"a": 1}, "sort": {"b": 1}}, "b_1_a_1 SE index",
    ),
    "a sort by what is equal": (
        [AB], {"filter": {"a": 1}, "sort": {"a": -1, "b": 1}}, "a_1_b_1 ES index tight",
    ),
    "equality, sort, range": (
        [ABC], {"filter": {"a": 1, "c": {"$gt": 1}}, "sort": {"b": 1}}, "a_1_b_1_c_1 ESR index",
    ),
    "equality, range, sort": (
        [ABC], {"filter": {"a": 1, "b": {"$gt": 1}}, "sort": {"c": 1}}, "a_1_b_1_c_1 ER- blocking tight",
    ),
    "order before range": (
        [{"a": 1, "c": 1, "b": 1}, ABC], {"filter": {"a": 1, "c": {"$gt": 1}}, "sort": {"b": 1}},
        "a_1_b_1_c_1 ESR index",
    ),
    "range and sort on one field": (
        [{"a": 1}], {"filter": {"a": {"$gt": 1}}, "sort": {"a": 1}}, "a_1 R index tight",
    ),
    "range before the sort": (
        [AB], {"filter": {"a": {"$gt": 1}}, "sort": {"b": 1}}, "a_1_b_1 R- blocking tight",
    ),
    "a blocking sort reads what the limit leaves": (
        [{"a": 1}], {"filter": {"a": 1}, "sort": {"b": 1}, "limit": 5}, "a_1 E blocking",
    ),
    "bounds before order": (
        [{"a": 1}, {"b": 1}], {"filter": {"a": {"$gt": 1}}, "sort": {"b": 1}}, "a_1 R blocking tight",
    ),
    "order for the first few": (
        [{"a": 1}, {"b": 1}], {"filter": {"a": {"$gt": 1}}, "sort": {"b": 1}, "limit": 9}, "b_1 S index",
    ),
    "equality before order": (
        [{"a": 1}, {"b": 1}], {"filter": {"a": 1}, "sort": {"b": 1}, "limit": 9}, "a_1 E blocking",
    ),
    # A list before the sort: merged, if short (internalQueryMaxScansToExplode).
    "a list, then the sort": (
        [AB], {"filter": {"a": {"$in": [1, 2]}}, "sort": {"b": 1}}, "a_1_b_1 PS merge tight",
    ),
    "a long list": (
        [AB], {"filter": {"a": {"$in": list(range(201))}}, "sort": {"b": 1}}, "a_1_b_1 P- blocking tight",
    ),
    "two lists": (
        [ABC], {"filter": {"a": {"$in": [*range(20)]}, "b": {"$in": [*range(11)]}}, "sort": {"c": 1}},
        "a_1_b_1_c_1 PP- blocking tight",
    ),
    "a list in order of itself": (
        [AB], {"filter": {"a": {"$in": [1, 2]}}, "sort": {"a": 1, "b": 1}}, "a_1_b_1 PS index tight",
    ),
    # Arrays: https://www.mongodb.com/docs/manual/core/multikey-index-bounds/
    "an element": ([{"tags": 1}], {"filter": {"tags": 1}}, "tags_1 E tight"),
    "a range over elements": ([{"tags": 1}], {"filter": {"tags": {"$gt": 1, "$lt": 5}}}, "tags_1 R"),
    "a range of one element": (
        [{"tags": 1}], {"filter": {"tags": {"$elemMatch": {"$gt": 1, "$lt": 5}}}}, "tags_1 R",
    ),
    "all elements": ([{"tags": 1}], {"filter": {"tags": {"$all": [1, 2]}}}, "tags_1 E"),
    "a whole array": ([{"tags": 1}], {"filter": {"tags": [1, 2]}}, "tags_1 P"),
    "fields of one element": (
        [{"lines.sku": 1, "lines.count": 1}],
        {"filter": {"lines": {"$elemMatch": {"sku": "x", "count": {"$gt": 1}}}}},
        "lines.sku_1_lines.count_1 ER",
    ),
    "fields of any elements": (
        [{"lines.sku": 1, "lines.count": 1}], {"filter": {"lines.sku": "x", "lines.count": 1}},
        "lines.sku_1_lines.count_1 E-",
    ),
    "an array beside a field": (
        [{"a": 1, "lines.sku": 1}], {"filter": {"a": 1, "lines.sku": "x"}}, "a_1_lines.sku_1 EE tight",
    ),
    "an array's sort": ([{"tags": 1}], {"sort": {"tags": 1}}, "tags_1 S index tight"),
    "an array's sort with bounds": (
        [{"tags": 1}], {"filter": {"tags": {"$gt": 1}}, "sort": {"tags": 1}}, "tags_1 R blocking",
    ),
    "an array's sort, the element given": (
        [{"tags": 1}], {"filter": {"tags": 1}, "sort": {"tags": 1}}, "tags_1 E blocking tight",
    ),
    "an element, then a field's sort": (
        [{"tags": 1, "b": 1}], {"filter": {"tags": 1}, "sort": {"b": 1}}, "tags_1_b_1 ES index tight",
    ),
    "an array's sort beside its bounds": (
        [{"lines.sku": 1, "lines.count": 1}], {"filter": {"lines.sku": "x"}, "sort": {"lines.count": 1}},
        "lines.sku_1_lines.count_1 E- blocking tight",
    ),
    "two arrays": ([{"tags": 1, "more": 1}], {"filter": {"tags": 1}}, "COLLSCAN"),
    "arrays in one another": (
        [{"lines.sku": 1, "lines.marks": 1}], {"filter": {"lines.sku": "x"}},
        "lines.sku_1_lines.marks_1 E- tight",
    ),
    # Covered queries: https://www.mongodb.com/docs/manual/core/query-optimization/#covered-query
    "covered": (
        [AB], {"filter": {"a": 1}, "projection": {"_id": 0, "b": 1}}, "a_1_b_1 E- covered tight",
    ),
    "the _id is not in it": ([AB], {"filter": {"a": 1}, "projection": {"b": 1}}, "a_1_b_1 E- tight"),
    "a field is not in it": (
        [AB], {"filter": {"a": 1}, "projection": {"_id": 0, "c": 1}}, "a_1_b_1 E- tight",
    ),
    "left out is not covered": ([AB], {"filter": {"a": 1}, "projection": {"c": 0}}, "a_1_b_1 E- tight"),
    "an array is not covered": (
        [{"a": 1, "tags": 1}], {"filter": {"a": 1}, "projection": {"_id": 0, "tags": 1}},
        "a_1_tags_1 E- tight",
    ),
    "null is not covered": (
        [{"a": 1}], {"filter": {"a": None}, "projection": {"_id": 0, "a": 1}}, "a_1 E tight",
    ),
    "a whole index covers": ([AB], {"projection": {"_id": 0, "b": 1}}, "a_1_b_1 -- covered tight"),
    # Collations: https://www.mongodb.com/docs/manual/reference/collation/#collation-and-index-use
    "text under another collation": ([{"name": 1}], {"filter": {"name": "x"}, "collation": CI}, "COLLSCAN"),
    "text under its collation": (
        [{"keys": {"name": 1}, "collation": CI}], {"filter": {"name": "x"}, "collation": CI},
        "name_1 E tight",
    ),
    "text without the index's collation": (
        [{"keys": {"name": 1}, "collation": CI}], {"filter": {"name": "x"}}, "COLLSCAN",
    ),
    "a number under another collation": ([{"a": 1}], {"filter": {"a": 1}, "collation": CI}, "a_1 E tight"),
    "an unknown number": ([{"a": 1}], {"filter": {"a": Sample("orders.a")}, "collation": CI}, "a_1 E tight"),
    "an unknown text": (
        [{"name": 1}], {"filter": {"name": Sample("orders.name")}, "collation": CI}, "COLLSCAN",
    ),
    "sort of text": ([{"name": 1}], {"sort": {"name": 1}, "collation": CI}, "COLLSCAN blocking"),
    "the collection's collation": (
        [{"name": 1}], {"filter": {"name": "x"}, "options": {"collation": CI}}, "name_1 E tight",
    ),
    # Regular expressions: https://www.mongodb.com/docs/manual/reference/operator/query/regex/#index-use
    "a prefix": ([{"name": 1}], {"filter": {"name": {"$regex": "^ab"}}}, "name_1 R tight"),
    "a prefix and more": ([{"name": 1}], {"filter": {"name": re.compile("^ab.*c")}}, "name_1 R"),
    "no prefix": ([{"name": 1}], {"filter": {"name": {"$regex": "ab"}}}, "name_1 p"),
    "without regard to case": (
        [{"name": 1}], {"filter": {"name": {"$regex": "^ab", "$options": "i"}}}, "name_1 p",
    ),
    "either of two": ([{"name": 1}], {"filter": {"name": {"$regex": "^a|b"}}}, "name_1 p"),
    "a prefix under a collation": (
        [{"keys": {"name": 1}, "collation": CI}], {"filter": {"name": {"$regex": "^a"}}, "collation": CI},
        "COLLSCAN",
    ),
    # Partial: https://www.mongodb.com/docs/manual/core/index-partial/#query-coverage
    "implied": (
        [{"keys": {"b": 1}, "partial_filter": {"a": 1}}], {"filter": {"a": 1, "b": 2}}, "b_1 E tight",
    ),
    "not implied": ([{"keys": {"b": 1}, "partial_filter": {"a": 1}}], {"filter": {"b": 2}}, "COLLSCAN"),
    "another value": (
        [{"keys": {"b": 1}, "partial_filter": {"a": 1}}], {"filter": {"a": 2, "b": 2}}, "COLLSCAN",
    ),
    "implied, but not its key": (
        [{"keys": {"b": 1}, "partial_filter": {"a": 1}}], {"filter": {"a": 1}}, "COLLSCAN",
    ),
    "implied, and its order": (
        [{"keys": {"b": 1}, "partial_filter": {"a": 1}}], {"filter": {"a": 1}, "sort": {"b": -1}},
        "b_1 S index backward tight",
    ),
    "its order before another's equality": (
        [{"a": 1}, {"keys": {"b": 1}, "partial_filter": {"a": 1}}], {"filter": {"a": 1}, "sort": {"b": 1}},
        "b_1 S index tight",
    ),
    "a range in a range": (
        [{"keys": {"a": 1}, "partial_filter": {"a": {"$gt": 5}}}], {"filter": {"a": {"$gte": 6}}},
        "a_1 R tight",
    ),
    "a range beyond a range": (
        [{"keys": {"a": 1}, "partial_filter": {"a": {"$gt": 5}}}], {"filter": {"a": {"$gte": 5}}}, "COLLSCAN",
    ),
    "a value in a range": (
        [{"keys": {"a": 1}, "partial_filter": {"a": {"$gt": 5}}}], {"filter": {"a": 6}}, "a_1 E tight",
    ),
    "an unknown text above the least": (
        [{"keys": {"name": 1}, "partial_filter": {"name": {"$gt": ""}}}],
        {"filter": {"name": Sample("orders.name")}}, "name_1 E tight",
    ),
    "a list in a list": (
        [{"keys": {"b": 1}, "partial_filter": {"a": {"$in": [1, 2, 3]}}}],
        {"filter": {"b": 1, "a": {"$in": [1, 2]}}}, "b_1 E",
    ),
    "there by its value": (
        [{"keys": {"a": 1}, "partial_filter": {"a": {"$exists": True}}}], {"filter": {"a": 1}}, "a_1 E tight",
    ),
    "there or null": (
        [{"keys": {"a": 1}, "partial_filter": {"a": {"$exists": True}}}], {"filter": {"a": None}}, "COLLSCAN",
    ),
    # Sparse, hidden, hashed, wildcard, text, geospatial
    "sparse": ([{"keys": {"a": 1}, "sparse": True}], {"filter": {"a": 1}}, "a_1 E tight"),
    "sparse and null": ([{"keys": {"a": 1}, "sparse": True}], {"filter": {"a": None}}, "COLLSCAN"),
    "sparse and absent": (
        [{"keys": {"a": 1}, "sparse": True}], {"filter": {"a": {"$exists": False}}}, "COLLSCAN",
    ),
    "sparse order": ([{"keys": {"a": 1}, "sparse": True}], {"sort": {"a": 1}}, "COLLSCAN blocking"),
    "hidden": ([{"keys": {"a": 1}, "hidden": True}], {"filter": {"a": 1}}, "COLLSCAN"),
    "hashed": ([{"a": "hashed"}], {"filter": {"a": 1}}, "a_hashed E tight"),
    "hashed range": ([{"a": "hashed"}], {"filter": {"a": {"$gt": 1}}}, "COLLSCAN"),
    "hashed order": ([{"a": "hashed"}], {"sort": {"a": 1}}, "COLLSCAN blocking"),
    "wildcard": ([{"extra.$**": 1}], {"filter": {"extra.x": 1}}, "extra.$**_1 E tight"),
    "wildcard elsewhere": ([{"extra.$**": 1}], {"filter": {"a": 1}}, "COLLSCAN"),
    "wildcard and null": ([{"$**": 1}], {"filter": {"a": None}}, "COLLSCAN"),
    "wildcard left out": (
        [{"keys": {"$**": 1}, "wildcard_projection": {"a": 0}}], {"filter": {"a": 1}}, "COLLSCAN",
    ),
    "wildcard serves one field": ([{"$**": 1}], {"filter": {"a": 1, "b": 1}}, "$**_1 E"),
    "words": ([{"name": "text"}], {"filter": {"$text": {"$search": "x"}}}, "name_text T"),
    "words without their index": ([{"name": 1}], {"filter": {"$text": {"$search": "x"}}}, "COLLSCAN"),
    "words of one value": (
        [{"a": 1, "name": "text"}], {"filter": {"$text": {"$search": "x"}, "a": 1}}, "a_1_name_text ET",
    ),
    "no words": ([{"name": "text"}], {"filter": {"name": "x"}}, "COLLSCAN"),
    "a place": (
        [{"extra.at": "2dsphere"}], {"filter": {"extra.at": {"$near": {"$geometry": {}}}}},
        "extra.at_2dsphere G",
    ),
    "a place without its index": ([{"extra.at": 1}], {"filter": {"extra.at": {"$near": {}}}}, "COLLSCAN"),
    # $or: https://www.mongodb.com/docs/manual/reference/operator/query/or/#or-clauses-and-indexes
    "or": ([{"a": 1}, {"b": 1}], {"filter": {"$or": [{"a": 1}, {"b": 1}]}}, "a_1 | b_1 tight"),
    "or with a branch without an index": ([{"a": 1}], {"filter": {"$or": [{"a": 1}, {"b": 1}]}}, "COLLSCAN"),
    "or beside an equality": ([{"c": 1}], {"filter": {"c": 1, "$or": [{"a": 1}, {"b": 1}]}}, "c_1 E"),
    "or with an equality in each branch": (
        [{"c": 1, "a": 1}, {"c": 1, "b": 1}], {"filter": {"c": 1, "$or": [{"a": 1}, {"b": 1}]}},
        "c_1_a_1 | c_1_b_1 tight",
    ),
    "or in order": (
        [{"a": 1, "c": 1}, {"b": 1, "c": 1}], {"filter": {"$or": [{"a": 1}, {"b": 1}]}, "sort": {"c": 1}},
        "a_1_c_1 | b_1_c_1 merge tight",
    ),
    "or sorted afterwards": (
        [{"a": 1}, {"b": 1}], {"filter": {"$or": [{"a": 1}, {"b": 1}]}, "sort": {"c": 1}},
        "a_1 | b_1 blocking tight",
    ),
    # Pipelines: https://www.mongodb.com/docs/manual/core/aggregation-pipeline-optimization/#indexes
    "match and sort": (
        [AB], {"pipeline": [{"$match": {"a": 1}}, {"$sort": {"b": 1}}, {"$limit": 5}]},
        "a_1_b_1 ES index tight",
    ),
    "sort, then match": (
        [AB], {"pipeline": [{"$sort": {"b": 1}}, {"$match": {"a": 1}}]}, "a_1_b_1 ES index tight",
    ),
    "match after the limit": ([AB], {"pipeline": [{"$limit": 5}, {"$match": {"a": 1}}]}, "COLLSCAN"),
    "match after the group": (
        [AB], {"pipeline": [{"$group": {"_id": "$c"}}, {"$match": {"a": 1}}]}, "COLLSCAN",
    ),
    "a covered group": (
        [ABC], {"pipeline": [{"$match": {"a": 1}}, {"$group": {"_id": "$b", "n": {"$sum": "$c"}}}]},
        "a_1_b_1_c_1 E-- covered tight",
    ),
    "a group of what is not there": (
        [AB], {"pipeline": [{"$match": {"a": 1}}, {"$group": {"_id": "$c", "n": {"$sum": 1}}}]},
        "a_1_b_1 E- tight",
    ),
    "whole documents in a group": (
        [AB], {"pipeline": [{"$match": {"a": 1}}, {"$group": {"_id": "$b", "all": {"$push": "$$ROOT"}}}]},
        "a_1_b_1 E- tight",
    ),
    "a count": ([{"a": 1}], {"pipeline": [{"$match": {"a": 1}}, {"$count": "n"}]}, "a_1 E covered tight"),
    # Writes
    "an update": (
        [{"a": 1}], {"filter": {"a": 1}, "action": "update", "update": {"$set": {"b": 1}}}, "a_1 E tight",
    ),
    "a deletion": ([{"a": 1}], {"filter": {"a": 1}, "action": "delete"}, "a_1 E tight"),
}  # fmt: skip


@pytest.mark.parametrize(("indexes", "query", "expected"), CASES.values(), ids=CASES)
def test_the_plan_is_what_mongodb_documents(indexes, query, expected):
    assert in_short(planned(indexes, **query)) == expected


def test_an_insertion_has_no_plan():
    assert planned([AB], action="insert", document={"a": 1}) is None


def test_the_bounds_of_an_elem_match_hold_for_one_element():
    model = planned(
        [{"lines.sku": 1, "lines.count": 1}],
        filter={"lines": {"$elemMatch": {"sku": "x", "count": {"$gte": 2, "$lt": 9}}}},
    )

    assert [str(interval) for key in model.keys for interval in key.intervals] == ["[x, x]", "[2, 9)"]


def test_a_collection_scan_says_why_each_index_does_not_serve():
    model = planned(
        [
            {"a": 1, "b": 1},
            {"keys": {"b": 1}, "partial_filter": {"a": 1}},
            {"keys": {"c": 1}, "hidden": True},
        ],
        filter={"b": 1},
    )

    assert "a_1_b_1: its first field is neither in the filter nor in the sort" in model.why
    assert "b_1: the query does not imply its filter {'a': 1}" in model.why
    assert "c_1: it is hidden" in model.why
