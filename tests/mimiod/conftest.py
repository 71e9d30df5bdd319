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
