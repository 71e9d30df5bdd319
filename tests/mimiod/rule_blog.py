"""A second design that breaks no rule, written after the rules: camelCase, places, trees, a time series."""

# ruff: noqa: N815 - the fields are named as a JavaScript application names them

from datetime import datetime
from typing import Annotated, Any, Literal

from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    BaseMongoDbSchema,
    Computed,
    Copy,
    IndexDefinition,
    PyObjectId,
    Reference,
)
from mimiod.schema_types import Query, Sample
from pydantic import BaseModel, Field

from tests.mimiod.rule_shop import TODAY

Text = Annotated[str, Field(max_length=200)]


class Point(BaseModel):
    type: Literal["Point"]
    coordinates: tuple[float, float]


class Comment(BaseModel):
    authorId: Annotated[PyObjectId, Reference("users", why="shared")]
    authorName: Annotated[Text, Copy("recentComments.authorId.name", stale="1h")]
    text: Text
    at: datetime


class User(BaseMongoDbDocumentSchema):
    name: Text
    email: Text
    createdAt: datetime
    location: Point | None = None
    roles: Annotated[list[Literal["admin", "editor"]], Field(max_length=2)]
    followerCount: int = 0
    lastLoginAt: datetime | None = None
    preferences: dict[str, bool]


class Post(BaseMongoDbDocumentSchema):
    slug: Text
    title: Text
    body: str
    authorId: Annotated[PyObjectId, Reference("users", why="shared")]
    tags: Annotated[list[Text], Field(max_length=10)]
    status: Literal["draft", "published"]
    publishedAt: datetime | None
    recentComments: Annotated[list[Comment], Field(max_length=10)]
    commentCount: Annotated[int, Computed("count", "comments")]
    averageRating: float | None
    categoryPath: Annotated[list[Text], Field(max_length=6)]


class CommentDoc(BaseMongoDbDocumentSchema):
    postId: Annotated[PyObjectId, Reference("posts", why="unbounded")]
    authorId: Annotated[PyObjectId, Reference("users", why="shared")]
    text: Text
    at: datetime
    parentId: Annotated[PyObjectId | None, Reference("comments", why="tree")] = None


class Reading(BaseModel):
    at: datetime
    sensor: dict[str, str]
    temperature: float
    amountOfRain: float


class Event(BaseMongoDbDocumentSchema):
    kind: Literal["view", "click"]
    userId: Annotated[PyObjectId | None, Reference("users", why="shared")]
    postId: Annotated[PyObjectId, Reference("posts", why="shared")]
    at: datetime
    data: dict[str, Any]
    schemaVersion: int


class Category(BaseMongoDbDocumentSchema):
    name: Text
    parent: Annotated[PyObjectId | None, Reference("categories", why="tree")]
    ancestors: Annotated[list[PyObjectId], Field(max_length=8)]


def _query(name: str, collection: str, filters: Any = None, rate: float = 10, **parts: Any) -> Query:
    return Query(name=name, collection=collection, filter=filters or {}, per_minute=rate, **parts)


blog = BaseMongoDbSchema(
    database_name="blog",
    collections={
        "users": BaseCollectionSchema(
            document_schema=User,
            indexes=[
                IndexDefinition(keys={"email": 1}, unique=True, collation={"locale": "en", "strength": 2}),
                IndexDefinition(keys={"location": "2dsphere"}),
            ],
        ),
        "posts": BaseCollectionSchema(
            document_schema=Post,
            indexes=[
                IndexDefinition(keys={"slug": 1}, unique=True),
                IndexDefinition(keys={"tags": 1, "publishedAt": -1}, partial_filter={"status": "published"}),
                IndexDefinition(keys={"authorId": 1, "publishedAt": -1}),
                IndexDefinition(keys={"title": "text", "body": "text"}),
                IndexDefinition(keys={"publishedAt": -1}, partial_filter={"status": "published"}),
            ],
        ),
        "comments": BaseCollectionSchema(
            document_schema=CommentDoc,
            shard_key={"postId": "hashed"},
            indexes=[IndexDefinition(keys={"postId": 1, "at": -1})],
        ),
        "readings": BaseCollectionSchema(
            document_schema=Reading, options={"timeseries": {"timeField": "at", "metaField": "sensor"}}
        ),
        "events": BaseCollectionSchema(
            document_schema=Event,
            indexes=[
                IndexDefinition(keys={"at": 1}, ttl_seconds=86400),
                IndexDefinition(keys={"postId": 1, "kind": 1, "at": 1}),
                IndexDefinition(keys={"data.$**": 1}),
            ],
        ),
        "categories": BaseCollectionSchema(
            document_schema=Category, indexes=[IndexDefinition(keys={"parent": 1, "name": 1})]
        ),
    },
    volumes={"categories": 80, "events": 10**8},
    workload=[
        _query(
            "login",
            "users",
            {"email": Sample("users.email")},
            500,
            collation={"locale": "en", "strength": 2},
            priority="high",
            limit=1,
        ),
        _query(
            "near",
            "users",
            {"location": {"$near": {"$geometry": {"type": "Point", "coordinates": [1, 2]}}}},
            limit=10,
        ),
        _query(
            "seen",
            "users",
            {"_id": Sample("users._id")},
            500,
            action="update",
            update={"$set": {"lastLoginAt": TODAY}},
        ),
        _query("read", "posts", {"slug": Sample("posts.slug")}, 5000, priority="high"),
        _query(
            "home",
            "posts",
            {"status": "published"},
            2000,
            sort={"publishedAt": -1},
            limit=20,
            projection={"title": 1, "slug": 1},
            priority="high",
        ),
        _query(
            "tag",
            "posts",
            {"status": "published", "tags": Sample("posts.tags")},
            200,
            sort={"publishedAt": -1},
            limit=20,
        ),
        _query("author", "posts", {"authorId": Sample("users._id")}, 200, sort={"publishedAt": -1}, limit=20),
        _query("search", "posts", {"$text": {"$search": "x"}}, 200, limit=20),
        _query(
            "comments",
            "comments",
            {"postId": Sample("posts._id")},
            3000,
            sort={"at": -1},
            limit=50,
            priority="high",
        ),
        _query(
            "comment",
            "comments",
            rate=20,
            action="insert",
            document={"postId": Sample("posts._id"), "text": "a"},
        ),
        _query(
            "push",
            "posts",
            {"_id": Sample("posts._id")},
            20,
            action="update",
            update={"$inc": {"commentCount": 1}, "$push": {"recentComments": {"$each": [{}], "$slice": -10}}},
        ),
        _query(
            "temp",
            "readings",
            {"sensor.id": "a", "at": {"$gt": TODAY}},
            5,
            action="aggregate",
            pipeline=[{"$group": {"_id": None, "t": {"$avg": "$temperature"}}}],
        ),
        _query("measure", "readings", rate=5000, action="insert", document={"temperature": 1}),
        _query(
            "views",
            "events",
            {},
            1,
            action="aggregate",
            pipeline=[
                {"$match": {"postId": Sample("posts._id"), "kind": "view", "at": {"$gte": TODAY}}},
                {"$count": "n"},
            ],
        ),
        _query("data", "events", {"data.utm": "x", "at": {"$gt": TODAY}}, 1, limit=100),
        _query("children", "categories", {"parent": Sample("categories._id")}, 10, sort={"name": 1}),
        _query("names", "categories", {"name": "x"}, 10),
    ],
)
