"""Nothing that identifies anybody is in a twin, nor in any file of its project."""

import json
import re
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from bson import ObjectId
from mimiod.evolution.shapes import CollectionShape
from mimiod.inspecting.sources import Memory
from mimiod.twinning.making import make

from tests.mimiod.twins import refused, twin

K = 10
TOLD = {"active", "blocked", "Germany", "Indonesia", "Point", "support", "engineering"}
"Texts of the source that at least ten documents share, in fields of categories."
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 '\"\\{}$.<>|`%\né名\u202e"


OLDEST = datetime(1911, 11, 11, 11, 11, 11, tzinfo=UTC)


def word(draws, shortest=6, longest=30):
    return "".join(draws.choices(LETTERS, k=draws.randint(shortest, longest))).strip() + "qY7"


def people(draws, count):
    return [
        {
            "_id": ObjectId(draws.randbytes(12)),
            "name": f"{word(draws)} {word(draws)}",
            "email": f"{draws.randrange(10**9)}@mail{draws.randrange(9)}.example.org",
            "phone": f"+49 {draws.randrange(10**9, 10**10)}",
            "token": UUID(int=draws.getrandbits(128), version=4),
            "token_text": str(UUID(int=draws.getrandbits(128), version=4)),
            "ssn": draws.randrange(10**8, 10**9),
            "member_no": 4_000_000 + number,
            "card": f"{draws.randrange(10**15, 10**16)}",
            "biography": " ".join(word(draws) for _ in range(draws.randint(1, 6))),
            "site": f"https://{word(draws, 8, 9).encode().hex()}.example.net/{number}",
            "ip": f"10.{draws.randrange(256)}.{draws.randrange(256)}.{draws.randrange(256)}",
            "manager": draws.choice(["Maria Magdalena Muster", "Hans-Joachim Beispiel"]),
            "account_key": draws.choice(["ACME-INTERNAL-7", "GLOBEX-INTERNAL-9"]),
            "status": "active" if number % 3 else "blocked",
            "country": "Germany" if number % 2 else "Indonesia",
            "diagnosis": "influenza-like" if number % 100 else f"rare disease {number}",
            "salary": round(draws.lognormvariate(10, 1), 2) if number else 98_765_432.1,
            "seen_at": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=draws.randrange(3 * 10**7)),
            "born": datetime(1970 + number % 40, 5, 5, tzinfo=UTC) if number else OLDEST,
            "friends": [word(draws) for _ in range(draws.randint(0, 3))],
            "teams": [draws.choice(["support", "engineering"]) for _ in range(draws.randint(0, 2))],
            "places": [{"label": word(draws), "at": {"type": "Point", "coordinates": [number / 9, 50.0]}}],
            "by_person": {f"{word(draws, 8, 9).encode().hex()}@mail.org": draws.randrange(9)},
            "settings": {draws.choice(["alpha@mail.org", "omega@mail.org"]): 1, "theme": 1},
            "calls": {("4915112345678", "4915187654321")[number % 2]: 3, "last": 1},
            "mixed": word(draws) if number % 2 else number,
        }
        for number in range(count)
    ]  # fmt: skip


def notes(draws, persons, count):
    return [
        {
            "_id": f"note-{draws.randrange(10**8, 10**9)}-{number}",
            "person_id": (person := draws.choice(persons))["_id"],
            "person_email": person["email"],
            "text": word(draws, 20, 90),
        }
        for number in range(count)
    ]


SHAPES = {
    "people": CollectionShape(
        validator={"$jsonSchema": {"properties": {"status": {"enum": ["active", "Validator-Secret"]}}}},
        indexes={
            "both_1": {"key": {"status": 1, "seen_at": 1}, "unique": True},
            "email_1": {"key": {"email": 1}, "unique": True},
            "name_1": {"key": {"name": 1}, "partialFilterExpression": {"name": {"$gt": "Partial-Secret"}}},
            "born_1": {"key": {"born": 1}, "partialFilterExpression": {"born": {"$exists": True}}},
        },
    )
}
SECRET_NUMBERS = ("98765432", "1911-11-11", "11:11:11")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A source whose texts are nearly all secrets, its twin, and everything that was written of it."""
    draws = Random(3)
    persons = people(draws, 500)
    source = {"people": persons, "notes": notes(draws, persons, 400)}
    folder = tmp_path_factory.mktemp("hostile")
    made, project, documents = twin(folder, source, shapes=SHAPES)
    files = {file.name: file.read_text() for file in (folder / "twin").iterdir() if file.is_file()}
    return source, made, project, documents, files


def texts_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, ObjectId | UUID):
        yield str(value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if "@" in name or name.isdigit():
                yield name
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


def test_no_text_or_id_of_the_source_is_anywhere(hostile):
    source, _, _, documents, files = hostile
    secrets = {text for text in texts_in(list(source.values())) if len(text) > 5} - TOLD - {"influenza-like"}
    assert len(secrets) > 5_000
    written = [*files.values(), *(json.loads(files[name]) for name in ("twin.json", "inspection.json"))]
    everything = set(texts_in([*documents.values(), *written]))
    whole = "\0".join(everything)
    assert [text for text in secrets if text in whole] == []
    escaped = "\0".join(files.values())
    assert [
        text for text in secrets if json.dumps(text)[1:-1] in escaped or repr(text)[1:-1] in escaped
    ] == []


def test_no_number_that_identifies_is_anywhere(hostile):
    source, _, _, documents, files = hostile
    found = set(re.findall(r"\d{7,}", "\0".join(files.values()) + repr(documents)))
    people_there = source["people"]
    identifiers = {str(person[field]) for person in people_there for field in ("ssn", "member_no", "card")}
    assert identifiers & found == set()


def test_no_extreme_of_one_document_is_anywhere(hostile):
    _, _, _, documents, files = hostile
    assert max(person["salary"] for person in documents["people"]) < 10_000_000
    for secret in SECRET_NUMBERS:
        assert all(secret not in text for text in files.values()), secret


def test_what_ten_documents_share_is_kept(hostile):
    _, _, project, documents, files = hostile
    assert refused(project, documents) == []
    kept = {person[field] for person in documents["people"] for field in ("status", "country")}
    assert kept == {"active", "blocked", "Germany", "Indonesia"}
    diagnoses = [person["diagnosis"] for person in documents["people"]]
    assert set(diagnoses) == {"influenza-like", "other"}
    assert 1 <= diagnoses.count("other") <= 30
    assert '"status"' in files["twin.json"]


def test_validators_and_filters_are_not_copied_and_this_is_said(hostile):
    _, _, project, _, files = hostile
    for secret in ("Validator-Secret", "Partial-Secret"):
        assert all(secret not in text for text in files.values()), secret
    indexes = {index.name: index for index in project.schema.collections["people"].indexes}
    assert indexes["email_1"].unique
    assert not indexes["both_1"].unique
    assert not indexes["name_1"].partial_filter
    assert indexes["born_1"].partial_filter
    assert "the validator of people is not copied" in files["brief.md"]
    assert "not partial in the twin" in files["brief.md"]
    assert "'both_1' of people is not unique in the twin" in files["brief.md"]


def test_names_of_fields_that_are_data_are_left_out(hostile):
    _, _, _, documents, _ = hostile
    assert all(
        "@" not in name
        for person in documents["people"]
        for name in [*person["settings"], *person["by_person"]]
    )
    assert all("theme" in person["settings"] for person in documents["people"])


@pytest.mark.parametrize("count", [1, 3, 9, 11, 25])
def test_of_few_documents_nothing_is_told(tmp_path, count):
    draws = Random(count)
    persons = people(draws, count)
    _, project, documents = twin(tmp_path, {"people": persons})
    written = "\0".join(file.read_text() for file in (tmp_path / "twin").iterdir() if file.is_file())
    told = written + repr(documents)
    for person in persons:
        for field in ("name", "email", "phone", "token_text", "biography", "card", "manager", "account_key"):
            assert json.dumps(person[field])[1:-1] not in told, field
        assert person["seen_at"].strftime("%Y-%m-%dT%H:%M:%S") not in told
        assert f"{person['salary']}" not in told
        assert str(person["_id"]) not in told
    if count < K:
        assert not re.search("active|blocked|Germany|Indonesia|influenza", told)
    assert refused(project, documents) == []


def test_a_larger_k_tells_less():
    persons = [{"_id": number, "group": f"group {number % 40}"} for number in range(800)]
    source = Memory("m", {"people": persons})
    told = json.dumps(make(source, None, 10).laws)
    assert "group 7" in told
    assert "group 7" not in json.dumps(make(source, None, 21).laws)
