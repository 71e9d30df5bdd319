"""The types with which a project describes its database.

A project's `db_schema.py` declares documents (pydantic models), collections and indexes with these
and exports one `BaseMongoDbSchema` named `database_schema`. Everything else (validators, indexes,
referential checks) is derived from it. This module needs `bson`, never a connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from bson import ObjectId
from bson.errors import InvalidId
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import core_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue


class PyObjectId(ObjectId):
    """An ObjectId that pydantic knows: made from an ObjectId or its 24 hexadecimal digits."""

    @classmethod
    def validate(cls, value: object) -> PyObjectId:
        """Return `value` as an id; anything but an ObjectId or its text is a ValueError."""
        if isinstance(value, cls):
            return value
        if isinstance(value, ObjectId | str):
            try:
                return cls(value)
            except InvalidId:
                pass
        msg = "Invalid ObjectId"
        raise ValueError(msg)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.validate,
            json_schema_input_schema=core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json"),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": "^[0-9a-f]{24}$", "bsonType": "objectId"}


@dataclass(frozen=True, slots=True)
class Reference:
    """A mark on a field: its values name documents of another collection.

    Stands in an `Annotated`: on an id (`Annotated[PyObjectId, Reference("customers")]`), on a list
    of ids, or on either inside an embedded document or an array of them. A null or an absent value
    names nothing and is no fault.
    """

    collection: str
    "The collection referred to."
    field: str = "_id"
    "The field there that holds the value."
    why: str = ""
    "Why a reference and not an embedded document."


@dataclass(frozen=True, slots=True)
class Copy:
    """A mark on a field: it repeats a field of the document that a reference names.

    `Annotated[str, Copy("customer_id.name")]`: the name of the customer that `customer_id` refers to.
    """

    path: str
    "The reference in the same document, then the field there."
    stale: str = ""
    "How old the copy may be, and who brings it up to date."


@dataclass(frozen=True, slots=True)
class Computed:
    """A mark on a field: it is computed from other documents, or from an array in the same one.

    `Annotated[int, Computed("count", "orders")]`: how many documents of `orders` refer to this one.
    `Annotated[float, Computed("sum", "orders.amount", where={"status": "paid"})]`: over some of them.
    `Annotated[int, Computed("sum", "items.quantity")]`: over an array of this document.
    """

    how: Literal["count", "sum", "min", "max", "latest", "earliest"]
    "`latest` and `earliest` are the value of the document with the last or first `by`."
    of: str
    "A collection that refers to this one, or an array here; then, but for a count, the field."
    where: tuple[tuple[str, Any], ...] | dict[str, Any] = ()
    "Only documents with these values count; a list means any of them."
    by: str = ""
    "The moment that `latest` and `earliest` go by."

    @property
    def conditions(self) -> dict[str, Any]:
        """`where` as a mapping."""
        return dict(self.where)


@dataclass(frozen=True, slots=True, init=False)
class NotBefore:
    """A mark on a moment: it does not come before other moments.

    `Annotated[datetime, NotBefore("applied_at", "customer_id.registered_at")]`: fields of the same
    document, or through a reference of the document that it names. A null orders nothing.
    """

    paths: tuple[str, ...]
    "The earlier moments."

    def __init__(self, *paths: str) -> None:
        object.__setattr__(self, "paths", paths)


class IndexDirection(Enum):
    """The direction or kind of one key of an index; `.value` is what pymongo takes."""

    ASCENDING = 1
    DESCENDING = -1
    TEXT = "text"
    GEO2D = "2d"
    GEO2DSPHERE = "2dsphere"
    HASHED = "hashed"


class IndexDefinition(BaseModel):
    """An index to be built on a collection."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    keys: dict[str, IndexDirection | int | str] = Field(min_length=1)
    "Field paths and directions in order, kept as given; pairs are taken too."
    name: str = ""
    "Made from the keys (`email_1_created_at_-1`) where none is given."
    unique: bool = False
    sparse: bool = False
    background: bool = True
    "Accepted for old projects and never sent: servers since 4.2 ignore it."
    ttl_seconds: int | None = Field(default=None, ge=0, le=2**31 - 1)
    "Documents are removed this many seconds after the date in the key."
    partial_filter: dict[str, Any] | None = None
    "Only documents that match this are indexed."
    collation: dict[str, Any] | None = None
    "For example `{'locale': 'en', 'strength': 2}`: compares without regard to case."
    hidden: bool = False
    wildcard_projection: dict[str, int] | None = None
    "The fields that a key of `$**` takes in or leaves out."
    weights: dict[str, int] | None = None
    "Of a text index: how much a match in each field counts."
    default_language: str | None = None
    language_override: str | None = None
    bits: int | None = Field(default=None, ge=1, le=32)
    "Of a 2d index: the precision of its coordinates."
    min: float | None = None
    max: float | None = None

    @field_validator("keys", mode="before")
    @classmethod
    def _pairs_as_mapping(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            pairs = [tuple(pair) for pair in value]
            if len({field for field, *_ in pairs}) < len(pairs):
                msg = "an index names each field once"
                raise ValueError(msg)
            return dict(pairs)
        return value

    @field_validator("keys")
    @classmethod
    def _known_directions(cls, value: dict[str, Any]) -> dict[str, Any]:
        for field, direction in value.items():
            try:
                IndexDirection(direction)
            except ValueError:
                known = ", ".join(repr(member.value) for member in IndexDirection)
                msg = f"{direction!r} of {field!r} is no direction: one of {known}"
                raise ValueError(msg) from None
        return value

    @model_validator(mode="after")
    def _named_and_consistent(self) -> IndexDefinition:
        if not self.name:
            self.name = "_".join(f"{field}_{direction}" for field, direction in self.key_pairs())
        if self.ttl_seconds is not None and len(self.keys) > 1:
            msg = f"index {self.name!r}: ttl_seconds needs an index of one field"
            raise ValueError(msg)
        if self.sparse and self.partial_filter is not None:
            msg = f"index {self.name!r}: sparse and partial_filter exclude each other"
            raise ValueError(msg)
        return self

    def key_pairs(self) -> list[tuple[str, int | str]]:
        """Return the keys as pymongo takes them, directions as their values."""
        return [(field, IndexDirection(direction).value) for field, direction in self.keys.items()]

    def options(self) -> dict[str, Any]:
        """Return what `createIndexes` takes beside the keys, under MongoDB's own names."""
        options: dict[str, Any] = {"name": self.name}
        options |= {flag: True for flag in ("unique", "sparse", "hidden") if getattr(self, flag)}
        named = {
            "expireAfterSeconds": self.ttl_seconds,
            "partialFilterExpression": self.partial_filter,
            "collation": self.collation,
            "wildcardProjection": self.wildcard_projection,
            "weights": self.weights,
            "default_language": self.default_language,
            "language_override": self.language_override,
            "bits": self.bits,
            "min": self.min,
            "max": self.max,
        }
        return options | {option: value for option, value in named.items() if value is not None}


class BaseMongoDbDocumentSchema(BaseModel):
    """A document: a pydantic model with MongoDB's `_id` as `id`."""

    model_config = ConfigDict(
        populate_by_name=True, arbitrary_types_allowed=True, use_attribute_docstrings=True
    )

    id: PyObjectId = Field(default_factory=PyObjectId, alias="_id")


class BaseCollectionSchema(BaseModel):
    """A collection: its documents, validator and indexes."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    collection_name: str = ""
    "Taken from the key in `BaseMongoDbSchema.collections` where none is given."
    document_schema: type[BaseModel] | None = None
    "The model of its documents; without one only `json_schema` says what they are."
    json_schema: dict[str, Any] | None = None
    "A `$jsonSchema` that takes the place of the one derived from `document_schema`."
    indexes: list[IndexDefinition] = Field(default_factory=list)
    description: str = ""
    validation_level: Literal["strict", "moderate", "off"] = "strict"
    validation_action: Literal["error", "warn"] = "error"
    shard_key: dict[str, int | str] | None = None
    "On a sharded cluster: the fields and `1`, or one field and `hashed`, by which it is spread."
    options: dict[str, Any] = Field(default_factory=dict)
    "What `create` takes beside the validator: timeseries, capped, size, clusteredIndex, collation …"

    def shrinks(self) -> bool:
        """Return whether the server removes documents by itself: a TTL index, or a capped collection."""
        ttl = any(index.ttl_seconds is not None for index in self.indexes)
        return ttl or bool(self.options.keys() & {"capped", "expireAfterSeconds"})

    @model_validator(mode="after")
    def _index_names_differ(self) -> BaseCollectionSchema:
        names = [index.name for index in self.indexes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"collection {self.collection_name!r} has two indexes named {twice[0]!r}"
            raise ValueError(msg)
        return self


@dataclass(frozen=True, slots=True)
class Sample:
    """A parameter of a query: a value that stands in the data, as `Sample("customers.phone")`."""

    path: str
    "A collection and a field of its documents, by dotted path."


class Query(BaseModel):
    """A query, or a write, that the database is designed for.

    Values in `filter`, `pipeline`, `update` and `document` may be a `Sample`.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, use_attribute_docstrings=True)

    name: str
    collection: str
    action: Literal["find", "aggregate", "insert", "update", "delete"] = "find"
    filter: dict[str, Any] = Field(default_factory=dict)
    sort: dict[str, Literal[1, -1]] = Field(default_factory=dict)
    projection: dict[str, Any] | None = None
    limit: int | None = Field(default=None, ge=1)
    pipeline: list[dict[str, Any]] = Field(default_factory=list)
    "Of an aggregation."
    update: dict[str, Any] = Field(default_factory=dict)
    "The operators of an update."
    document: dict[str, Any] = Field(default_factory=dict)
    "Of an insertion: its fields, as far as indexes and rules are concerned."
    collation: dict[str, Any] | None = None
    per_minute: float = Field(gt=0)
    "How often it is asked at the volume that the database is designed for."
    priority: Literal["high", "medium", "low"] = "medium"
    latency_ms: float | None = Field(default=None, gt=0)
    "What it may take."
    description: str = ""


class BaseMongoDbSchema(BaseModel):
    """A database: its name and its collections."""

    collections: dict[str, BaseCollectionSchema]
    database_name: str
    description: str = ""
    workload: list[Query] = Field(default_factory=list)
    "The queries and writes that it is designed for."
    accepted: dict[str, str] = Field(default_factory=dict)
    """Findings that are meant to be: a rule's id, or `rule:collection`, or `rule:collection.field` or
    `rule:collection.index`, and the reason."""
    volumes: dict[str, int] = Field(default_factory=dict)
    "How many documents each collection is designed for."

    @field_validator("database_name")
    @classmethod
    def _allowed_by_mongodb(cls, value: str) -> str:
        # https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions
        if not value or len(value.encode()) > 63 or set(value) & set('/\\. "$*<>:|?\0'):  # noqa: PLR2004
            msg = f'{value!r} is no database name: 1 to 63 bytes without / \\ . " $ * < > : | ? or spaces'
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _complete(self) -> BaseMongoDbSchema:
        for name, collection in self.collections.items():
            collection.collection_name = collection.collection_name or name
        for collection in self.collections.values():
            for path, reference in references(collection.document_schema).items():
                if reference.collection not in {c.collection_name for c in self.collections.values()}:
                    msg = (
                        f"{collection.collection_name}.{path} refers to {reference.collection!r}, "
                        f"which is no collection of {self.database_name!r}"
                    )
                    raise ValueError(msg)
        return self


Mark = TypeVar("Mark", Reference, Copy, Computed, NotBefore)


def references(model: type[BaseModel] | None) -> Mapping[str, Reference]:
    """Return the references of a model's documents by dotted path, as `marks` has it."""
    return marks(model, Reference)


def marks(model: type[BaseModel] | None, kind: type[Mark]) -> Mapping[str, Mark]:
    """Return what the fields of a model's documents are marked with, by dotted path.

    Array positions are left out of a path (`items.product_id`), as in a query; the values of a
    mapping with free keys stand under `*`.
    """
    found: dict[str, Mark] = {}
    if model is not None:
        _collect(kind, model, "", found, ())
    return found


def _collect(
    kind: type[Mark],
    model: type[BaseModel],
    prefix: str,
    found: dict[str, Mark],
    above: tuple[type[BaseModel], ...],
) -> None:
    for name, field in model.model_fields.items():
        path = prefix + (field.serialization_alias or name)
        for mark in field.metadata:
            if isinstance(mark, kind):
                found[path] = mark
        _collect_in_type(kind, field.annotation, path, found, (*above, model))


def _collect_in_type(
    kind: type[Mark],
    annotation: Any,
    path: str,
    found: dict[str, Mark],
    above: tuple[type[BaseModel], ...],
) -> None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in above:
            _collect(kind, annotation, f"{path}.", found, above)
        return
    for mark in getattr(annotation, "__metadata__", ()):
        if isinstance(mark, kind):
            found[path] = mark
    origin = getattr(annotation, "__origin__", None)
    arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
    if isinstance(origin, type) and issubclass(origin, dict):
        _collect_in_type(kind, arguments[1], f"{path}.*", found, above)
        return
    for argument in arguments:
        _collect_in_type(kind, argument, path, found, above)
