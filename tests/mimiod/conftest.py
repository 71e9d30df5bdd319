"""Fixtures of Mimiod's tests: a database to try things on, a project to run, a server with users."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from mimiod import BaseMongoDbSchema, mongo
from pymongo.database import Database

from tests.mimiod.runs import contents_of

SCHEMA = """
from typing import Annotated

from mimiod import (
    BaseCollectionSchema, BaseMongoDbDocumentSchema, BaseMongoDbSchema, IndexDefinition, PyObjectId,
    Reference,
)


class Person(BaseMongoDbDocumentSchema):
    name: str
    email: str


class Order(BaseMongoDbDocumentSchema):
    person: Annotated[PyObjectId, Reference("people")]
    total: int


database_schema = BaseMongoDbSchema(
    database_name="DATABASE",
    collections={
        "people": BaseCollectionSchema(
            document_schema=Person, indexes=[IndexDefinition(keys={"email": 1}, unique=True)]
        ),
        "orders": BaseCollectionSchema(
            document_schema=Order, indexes=[IndexDefinition(keys={"person": 1, "total": -1})]
        ),
    },
)
"""

SEEDER = """
from mimiod import DatabaseSeeder


class ShopSeeder(DatabaseSeeder):
    def seed_all_collections(self, num_records=None):
        people = self.scaled(20)
        fake = self.faker("people")
        self.insert("people", (
            {"_id": self.object_id("people", row), "name": fake.name(), "email": f"{row}@example.com"}
            for row in range(people)
        ), people)
        draw = self.rng("orders")
        self.insert("orders", (
            {
                "_id": self.object_id("orders", row),
                "person": self.object_id("people", draw.randrange(people)),
                "total": draw.randrange(100),
            }
            for row in range(5 * people)
        ), 5 * people)
"""

MAIN = """
from mimiod.cli import run_project

run_project(__file__)
"""


@dataclass(frozen=True)
class Trial:
    """A connected, empty database."""

    uri: str
    database: Database[dict[str, Any]]

    def schema(self, **collections: Any) -> BaseMongoDbSchema:
        """Return a schema for it."""
        return BaseMongoDbSchema(database_name=self.database.name, collections=collections)


@dataclass(frozen=True)
class SecuredServer:
    """A server that wants TLS and a password; its users are boss, writer and reader (of `shop`)."""

    address: str
    certificate: Path

    def uri(self, userinfo: str = "", *, tls: bool = True) -> str:
        """Return its URI for a `user:password`."""
        options = f"?tls=true&tlsCAFile={self.certificate}" if tls else ""
        return f"mongodb://{userinfo}{'@' if userinfo else ''}{self.address}/{options}"


@pytest.fixture
def trial(mongodb) -> Iterator[Trial]:
    client = mongo.connect(mongodb.uri)
    yield Trial(mongodb.uri, mongo.database(client, mongodb.database))
    client.close()


@pytest.fixture
def make_project(tmp_path: Path, mongodb) -> Callable[..., Path]:
    """Write a project for the test's database; files given take the place of its own, None leaves one out."""

    def make(**files: str | None) -> Path:
        folder = tmp_path / "projects" / "shop"
        folder.mkdir(parents=True)
        for name, text in {"db_schema": SCHEMA, "seed_db": SEEDER, "main": MAIN, **files}.items():
            if text is not None:
                (folder / f"{name}.py").write_text(text.replace('DATABASE"', f'{mongodb.database}"'))
        return folder

    return make


@pytest.fixture
def secured_server(tmp_path: Path, private_server) -> Iterator[SecuredServer]:
    """A server of the test's own; `private_server` deselects the test where there is no program for it."""
    del private_server
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("secured_server.py"), tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield SecuredServer(process.stdout.readline().strip(), tmp_path / "ca.pem")
        process.stdin.close()


ROWS = '''
import hashlib

import bson
from mimiod import DatabaseSeeder
from mimiod.seeding.units import Encoded

PEOPLE, ORDERS_EACH, BUCKETS = 400, 4, 10


class ShopPlan:
    """People with their orders, and totals over all of them: every document from its row number."""

    def __init__(self, seeder):
        self.seeder = seeder
        self.roots = {"people": seeder.scaled(PEOPLE), "totals": 1}
        self.expected = {
            "people": self.roots["people"], "orders": ORDERS_EACH * self.roots["people"], "totals": BUCKETS
        }
        self.computed = frozenset({"totals"})
        self.pools = None

    def warm(self):
        pass

    def adopt(self, pools):
        self.pools = pools

    def rows_per_unit(self, root):
        return 50

    def person(self, row):
        return {
            "_id": self.seeder.object_id("people", row),
            "name": hashlib.blake2b(f"{self.seeder.seed}/{row}".encode()).hexdigest(),
            "email": f"{row}@example.com",
        }

    def order(self, row):
        owner = self.seeder.object_id("people", row // ORDERS_EACH)
        return {"_id": self.seeder.object_id("orders", row), "person": owner, "total": row % 100}

    def total(self, bucket):
        return {
            "_id": self.seeder.object_id("totals", bucket),
            "people": sum(1 for row in range(self.roots["people"]) if row % BUCKETS == bucket),
        }

    def encode(self, unit):
        if unit.root == "totals":
            yield Encoded("totals", [bson.encode(self.total(bucket)) for bucket in range(BUCKETS)])
            return
        rows = range(unit.start, unit.stop)
        yield Encoded("people", [bson.encode(self.person(row)) for row in rows])
        orders = range(unit.start * ORDERS_EACH, unit.stop * ORDERS_EACH)
        yield Encoded("orders", [bson.encode(self.order(row)) for row in orders])

    def row_of(self, collection, identifier):
        return int.from_bytes(identifier.binary[7:], "big")


class ShopSeeder(DatabaseSeeder):
    def plan(self):
        return ShopPlan(self)
'''
"""A seeder that declares its data, by a plan of its own."""


@pytest.fixture
def make_shop(make_project) -> Callable[..., Path]:
    """Write a project whose data is declared; pairs of texts change its seeder, `schema` its schema."""
    schema = SCHEMA.replace(
        "\ndatabase_schema",
        "\nclass Total(BaseMongoDbDocumentSchema):\n    people: int\n\n\ndatabase_schema",
    ).replace(
        '        "orders"', '        "totals": BaseCollectionSchema(document_schema=Total),\n        "orders"'
    )

    def make(*changes: tuple[str, str], schema_changes: tuple[tuple[str, str], ...] = ()) -> Path:
        texts = [ROWS, schema]
        for number, pairs in enumerate((changes, schema_changes)):
            for old, new in pairs:
                assert old in texts[number]
                texts[number] = texts[number].replace(old, new)
        return make_project(seed_db=texts[0], db_schema=texts[1])

    return make


@pytest.fixture
def contents(trial) -> Callable[[], str]:
    """Return a digest of every document of the test's database but Mimiod's own, to the byte."""
    return lambda: contents_of(trial.database)
