"""The connection: what is promised of servers that answer, refuse or are not there."""

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from urllib.parse import quote_plus

import pymongo.errors
import pytest
from bson import Decimal128
from hypothesis import given
from hypothesis import strategies as st
from mimiod import (
    AccessDeniedError,
    ConfigurationError,
    DatabaseError,
    DiskFullError,
    ServerUnavailableError,
    mongo,
)

SECRET = "s3cretW0rd"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://localhost",
        "mongodb://",
        f"mongodb://ann:{SECRET}@localhost:notaport",
        f"mongodb://ann:x@{SECRET}@localhost",
        f"mongodb://ann:x/{SECRET}@localhost",
        f"mongodb://ann:1?{SECRET}@localhost",
        f"mongodb://ann:{SECRET}%ZZ@localhost",
        f"mongodb://ann:{SECRET}@localhost/?frobnicate=1",
        f"mongodb://ann:{SECRET}@localhost/?serverSelectionTimeoutMS=soon",
        "mongodb://localhost/?tls=true&tlsCAFile=/nowhere.pem",
        "mongodb://h:99999999",
        "mongodb://[::1",
    ],
)
def test_a_uri_that_cannot_be_used_is_refused_at_once_without_its_password(uri):
    began = time.monotonic()
    with pytest.raises(ConfigurationError, match="cannot be used") as caught:
        mongo.connect(uri)

    assert time.monotonic() - began < 1
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid"])
def test_a_server_that_is_not_there_is_an_error_within_five_seconds(host):
    began = time.monotonic()
    with pytest.raises(ServerUnavailableError, match="no answer from mongodb://ann:") as caught:
        mongo.connect(f"mongodb://ann:{SECRET}@{host}/")

    assert time.monotonic() - began < 5
    assert SECRET not in str(caught.value)


def test_an_srv_name_that_does_not_resolve_is_an_error_within_five_seconds():
    began = time.monotonic()
    with pytest.raises(ServerUnavailableError, match=r"no answer from mongodb\+srv://ann:\*\*\*@"):
        mongo.connect(f"mongodb+srv://ann:{SECRET}@cluster.invalid/")

    assert time.monotonic() - began < 5


@given(
    user=st.text(min_size=1, max_size=20),
    password=st.text(min_size=1, max_size=20),
    host=st.sampled_from(["example.org", "a:1,b:2", "[::1]:27017"]),
)
def test_masking_hides_any_password_and_keeps_the_rest(user, password, host):
    user, password = quote_plus(user, errors="replace"), quote_plus(password, errors="replace")

    assert mongo.mask(f"mongodb://{user}:{password}@{host}/db?x=1") == f"mongodb://{user}:***@{host}/db?x=1"


def test_masking_hides_secrets_among_the_options():
    masked = mongo.mask(
        "mongodb://h/?tlsCertificateKeyFilePassword=abc&tls=true&authMechanismProperties=T:abc"
    )

    assert "abc" not in masked
    assert "tls=true" in masked


@pytest.mark.backend("mongodb")
def test_tls_and_a_password_open_a_server(secured_server):
    with mongo.connect(secured_server.uri(f"boss:{quote_plus('p@ss/wörd')}")) as client:
        assert client.admin.command("ping")["ok"] == 1


@pytest.mark.backend("mongodb")
def test_a_server_with_users_says_no_in_one_line(secured_server):
    with pytest.raises(AccessDeniedError, match="refuses user 'boss': wrong name or password") as caught:
        mongo.connect(secured_server.uri(f"boss:{SECRET}"))
    assert SECRET not in str(caught.value)

    reader = secured_server.uri("reader:glasses")
    with (
        mongo.connect(reader) as client,
        pytest.raises(AccessDeniedError, match=r"user 'reader' lacks a right .* needs readWrite"),
        mongo.driver_errors(reader),
    ):
        client.shop.orders.insert_one({})

    nobody = secured_server.uri()
    with (
        mongo.connect(nobody) as client,
        pytest.raises(AccessDeniedError, match="wants a user"),
        mongo.driver_errors(nobody),
    ):
        client.shop.orders.insert_one({})

    with pytest.raises(ServerUnavailableError):
        mongo.connect(secured_server.uri("boss:x", tls=False), answer_within=1)


def test_what_a_model_can_hold_can_be_stored(trial):
    class Colour(Enum):
        RED = "red"

    trial.database.things.insert_one(
        {
            "_id": 1,
            "price": Decimal("1.10"),
            "colour": Colour.RED,
            "day": date(2026, 1, 2),
            "tags": {"b", "a"},
        }
    )

    stored = trial.database.things.find_one()
    assert stored == {
        "_id": 1,
        "price": Decimal("1.10"),
        "colour": "red",
        "day": datetime(2026, 1, 2, tzinfo=UTC),
        "tags": ["a", "b"],
    }
    raw = trial.database.client[trial.database.name].things.find_one()
    assert raw["price"] == Decimal128("1.10")


def test_a_refused_document_is_named_with_the_reason(trial):
    trial.database.create_collection("things", validator={"$jsonSchema": {"required": ["name"]}})

    with (
        pytest.raises(
            DatabaseError, match="1 documents of a batch, the first _id 7: Document failed validation"
        ),
        mongo.driver_errors(trial.uri),
    ):
        trial.database.things.insert_many([{"_id": 7}, {"_id": 8, "name": "x"}], ordered=False)


@pytest.mark.parametrize(
    "said",
    [
        pymongo.errors.OperationFailure("out of disk space", 14031),
        pymongo.errors.OperationFailure("28: No space left on device", 8),
        pymongo.errors.BulkWriteError({"writeErrors": [{"index": 0, "code": 14031, "errmsg": "full"}]}),
    ],
    ids=["its code", "its text", "in a batch"],
)
def test_a_full_disk_is_said(said):
    with (
        pytest.raises(DiskFullError, match="the disk of mongodb://h/ is full: make room, then run"),
        mongo.driver_errors("mongodb://h/"),
    ):
        raise said
