"""Any model, any document: the server's validator accepts what pydantic accepts, and nothing else."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pydantic
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mimiod import PyObjectId, mongo, structure, validators
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pymongo.errors import OperationFailure


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    model_config = ConfigDict(strict=True)

    code: str
    count: int = Field(default=1, ge=1, le=3)


class Exact(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    code: str
    at: datetime | None = None


class Cat(BaseModel):
    model_config = ConfigDict(strict=True)

    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    kind: Literal["dog"]
    name: str | None


class Tree(BaseModel):
    model_config = ConfigDict(strict=True)

    value: int
    left: "Tree | None" = None


def unless(*kinds):
    """Refuse what pydantic would convert though it is strict; a database is to hold the type itself."""

    def checked(value):
        if isinstance(value, kinds):
            msg = "to be converted"
            raise ValueError(msg)  # noqa: TRY004 - pydantic hears ValueErrors
        return value

    return BeforeValidator(checked)


AMOUNT = Annotated[Decimal, Field(strict=False), unless(str, bool)]
REAL = Annotated[float, unless(Decimal)]
ID = Annotated[PyObjectId, unless(str)]

simple = st.sampled_from(
    [
        *(int, REAL, str, bool, bytes, datetime, Any, ID, AMOUNT, dict[str, Any]),
        Annotated[Colour, Field(strict=False)],
        *(Literal["a", "b"], Literal[1, 2], Literal[1, "a"], Literal[True, "a"], Literal["a"] | None),
        *(Part, Exact, Tree, Cat | Dog, Annotated[Cat | Dog, Field(discriminator="kind")], Part | int),
        Annotated[int, Field(ge=0, lt=3)],
        Annotated[int, Field(multiple_of=2)],
        Annotated[int, unless(str), Field(ge=1, lt=3)],
        Annotated[float, Field(gt=0.5, le=2), unless(Decimal)],
        Annotated[str, Field(min_length=1, max_length=2)],
        Annotated[str, Field(pattern="^[ab]*$")],
        *(int | str, REAL | bool, str | bytes, ID | int, list[int] | int, list[int] | dict[str, int]),
    ]
)
annotations = st.recursive(
    simple,
    lambda inner: st.one_of(
        inner.map(lambda each: each | None),
        inner.map(lambda each: list[each]),
        inner.map(lambda each: Annotated[list[each], Field(min_length=1, max_length=2)]),
        inner.map(lambda each: dict[str, each]),
    ),
    max_leaves=3,
)

texts = st.sampled_from(["", "a", "b", "ab", "abc", "red", "cat", "é😀"])
numbers = st.sampled_from([-1, 0, 1, 2, 3, 2**40, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
scalars = st.one_of(
    texts,
    numbers,
    st.booleans(),
    st.none(),
    st.sampled_from([b"x", Decimal("1.5"), ObjectId("0123456789abcdef01234567")]),
    st.just(datetime(2026, 1, 1, tzinfo=UTC)),
)
objects = st.one_of(
    st.fixed_dictionaries({"code": texts}, optional={"count": numbers, "at": scalars, "more": scalars}),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["cat", "dog"])}, optional={"lives": numbers, "name": scalars}
    ),
    st.fixed_dictionaries({"value": numbers}, optional={"left": st.fixed_dictionaries({"value": scalars})}),
    st.dictionaries(st.sampled_from(["x", "y"]), scalars, max_size=2),
)
values = st.recursive(
    scalars | objects,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("x"), inner, max_size=1),
    max_leaves=4,
)


@st.composite
def models(draw):
    fields = {}
    for name in ("one", "two"):
        annotation = draw(annotations)
        fields[name] = (annotation, ...) if draw(st.booleans()) else (annotation | None, None)
    config = ConfigDict(strict=True, extra=draw(st.sampled_from(["ignore", "forbid", "allow"])))
    return pydantic.create_model("Model", __config__=config, **fields)


documents = st.lists(
    st.fixed_dictionaries({}, optional={"one": values, "two": values, "more": scalars}),
    min_size=20,
    max_size=20,
)


def accepted_by_pydantic(model, document):
    try:
        model.model_validate(document)
    except pydantic.ValidationError:
        return False
    return True


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(models(), documents)
def test_server_and_pydantic_agree_on_any_document_of_any_model(trial, model, given_documents):
    collection = trial.database.everything
    collection.delete_many({})
    collection.insert_many([{"_id": number, **each} for number, each in enumerate(given_documents)])
    schema = validators.json_schema(model)

    try:
        found, exactly = list(collection.find({"$jsonSchema": schema}, {"_id": 1})), True
    except OperationFailure:  # a stand-in that knows less may be looser, never stricter
        assert mongo.server(trial.database.client).stand_in
        looser = validators.without(schema, *structure.REFUSED_KEYWORDS)
        found, exactly = list(collection.find({"$jsonSchema": looser}, {"_id": 1})), False

    accepted = {each["_id"] for each in found}
    expected = {number for number, each in enumerate(given_documents) if accepted_by_pydantic(model, each)}
    assert expected - accepted == set(), schema
    assert not exactly or accepted == expected, schema
