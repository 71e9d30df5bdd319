"""A twin of a SQL database: of the documents that its tables become."""

import json

import pytest
from mimiod.cli.inspect import open_source
from mimiod.inspecting.declarations import Declared
from mimiod.twinning.making import make, write

from tests.mimiod.sql_samples import parties as sample_of_parties
from tests.mimiod.sql_samples import sqlite_file
from tests.mimiod.twins import compared, documents_of, loaded, refused

FAR = 1.4
"As in `test_twin.py`."


@pytest.fixture
def parties(tmp_path):
    source = open_source(sqlite_file(sample_of_parties(), tmp_path / "parties.db"))
    yield source
    source.close()


def test_a_sql_database_has_a_twin_that_fits_its_schema(parties, tmp_path):
    made = make(parties, None, 10)
    write(made, tmp_path / "twin", lambda _: {})
    project = loaded(tmp_path / "twin")
    documents = documents_of(project.seeder("mongodb://nowhere", project.schema).plan())
    assert refused(project, documents) == []
    assert {name: len(held) for name, held in documents.items()} == made.measurement.documents
    assert [
        each for each in compared(made, documents).values() if each.distance > 1.4 * each.chance + 0.05
    ] == []
    assert isinstance(made.told, Declared)
    assert made.told.limits == {}
    assert json.loads((tmp_path / "twin" / "inspection.json").read_text())["decisions"]
