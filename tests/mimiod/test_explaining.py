"""What servers say of a plan, read alike whatever engine wrote it."""

import pytest
from mimiod.checking.explaining import evidence
from mimiod.schema_types import Query, Sample

HOME = Query(name="home", collection="people", filter={"_id": Sample("people._id")}, per_minute=1)

MONGODB_FIND = {
    "explainVersion": "1",
    "queryPlanner": {
        "winningPlan": {
            "stage": "SORT",
            "inputStage": {"stage": "FETCH", "inputStage": {"stage": "IXSCAN", "indexName": "of_person"}},
        },
        "rejectedPlans": [{"stage": "FETCH", "inputStage": {"stage": "IXSCAN", "indexName": "rejected"}}],
    },
    "executionStats": {
        "nReturned": 5,
        "totalKeysExamined": 20,
        "totalDocsExamined": 20,
        "executionStages": {"stage": "SORT", "nReturned": 5},
    },
}
SLOT_BASED_GROUP = {
    "explainVersion": "2",
    "queryPlanner": {
        "winningPlan": {
            "queryPlan": {
                "stage": "GROUP",
                "planNodeId": 3,
                "inputStage": {
                    "stage": "FETCH",
                    "planNodeId": 2,
                    "inputStage": {"stage": "IXSCAN", "planNodeId": 1, "indexName": "of_person"},
                },
            },
            "slotBasedPlan": {"stages": "…"},
        },
        "rejectedPlans": [],
    },
    "executionStats": {
        "nReturned": 2,
        "totalKeysExamined": 60,
        "totalDocsExamined": 60,
        "executionStages": {
            "stage": "mkobj",
            "planNodeId": 3,
            "nReturned": 2,
            "inputStage": {
                "stage": "nlj",
                "planNodeId": 2,
                "nReturned": 60,
                "inputStage": {"stage": "cfilter"},
            },
        },
    },
}
CLASSIC_PIPELINE = {
    "stages": [
        {
            "$cursor": {
                "queryPlanner": {"winningPlan": {"stage": "COLLSCAN"}, "rejectedPlans": []},
                "executionStats": {"nReturned": 7, "totalKeysExamined": 0, "totalDocsExamined": 90},
            }
        },
        {"$sort": {"sortKey": {"total": 1}}},
        {"$group": {"_id": "$x"}},
    ]
}
SHARDED = {
    "queryPlanner": {
        "winningPlan": {
            "stage": "SHARD_MERGE",
            "shards": [
                {"winningPlan": {"stage": "FETCH", "inputStage": {"stage": "IXSCAN", "indexName": "a_1"}}},
                {"winningPlan": {"stage": "COLLSCAN"}},
            ],
        }
    },
    "executionStats": {"nReturned": 3, "totalKeysExamined": 3, "totalDocsExamined": 8},
}
SHARDED_PIPELINE = {
    "shards": {
        name: {
            "stages": [
                {
                    "$cursor": {
                        "queryPlanner": {"winningPlan": {"stage": "IXSCAN", "indexName": "a_1"}},
                        "executionStats": {"nReturned": 2, "totalKeysExamined": 3, "totalDocsExamined": 2},
                    }
                }
            ]
        }
        for name in ("one", "two")
    }
}
BY_ID = {"queryPlanner": {"winningPlan": {"stage": "IDHACK"}}}
EXPRESS = {"queryPlanner": {"winningPlan": {"stage": "EXPRESS_IXSCAN", "indexName": "email_1"}}}
MERGED = {
    "queryPlanner": {
        "winningPlan": {
            "stage": "FETCH",
            "inputStage": {
                "stage": "SORT_MERGE",
                "inputStages": [
                    {"stage": "IXSCAN", "indexName": "a_1"},
                    {"stage": "IXSCAN", "indexName": "b_1"},
                ],
            },
        }
    }
}
PIPELINE = Query(
    name="p",
    collection="orders",
    per_minute=1,
    action="aggregate",
    pipeline=[{"$match": {"a": 1}}, {"$group": {"_id": "$x"}}],
)


@pytest.mark.parametrize(
    ("answer", "asked", "expected"),
    [
        (MONGODB_FIND, HOME, (("of_person",), False, True, 5, 20, 20)),
        (SLOT_BASED_GROUP, PIPELINE, (("of_person",), False, False, 60, 60, 60)),
        (CLASSIC_PIPELINE, PIPELINE, ((), True, True, 7, 0, 90)),
        (SHARDED, HOME, (("a_1",), True, False, 3, 3, 8)),
        (SHARDED_PIPELINE, PIPELINE, (("a_1",), False, False, 4, 6, 4)),
        (BY_ID, HOME, (("_id_",), False, False, None, None, None)),
        (EXPRESS, HOME, (("email_1",), False, False, None, None, None)),
        (MERGED, HOME, (("a_1", "b_1"), False, False, None, None, None)),
    ],
    ids=["classic", "slot-based", "stages", "sharded", "sharded stages", "by _id", "express", "merged"],
)
def test_an_explanation_is_read_alike_whatever_engine_wrote_it(answer, asked, expected):
    found = evidence(answer, asked)

    assert (
        found.indexes,
        found.scans_collection,
        found.sorts,
        found.returned,
        found.keys,
        found.documents,
    ) == expected


def test_stages_that_only_repeat_the_pipeline_say_nothing_of_a_sort():
    asked = Query(
        name="p",
        collection="orders",
        per_minute=1,
        action="aggregate",
        pipeline=[{"$match": {"a": 1}}, {"$sort": {"b": 1}}],
    )
    cursor = {"$cursor": {"queryPlanner": {"winningPlan": {"stage": "IXSCAN", "indexName": "a_1_b_1"}}}}

    assert evidence({"stages": [cursor, *asked.pipeline]}, asked).sorts is None
