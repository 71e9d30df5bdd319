"""The promises of projects/digital_bank: what its README and tech_design.md say of the data."""

import ast
import hashlib
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import bson
import pytest
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from mimiod.projects import load_project
from mimiod.running import Summary, run
from mimiod.schema_types import references
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError

PROJECT = Path(__file__).parents[2] / "projects" / "digital_bank"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
JAKARTA = timedelta(hours=7)

Documents = dict[str, list[dict[str, Any]]]


class Silent:
    def phase(self, name):
        pass

    def note(self, text):
        pass

    def progress(self, collection, done, total):
        pass


def fill(mongodb, scale, seed=None) -> Summary:
    project = load_project(PROJECT)
    schema = project.schema.model_copy(update={"database_name": mongodb.database})
    return run(replace(project, schema=schema), uri=mongodb.uri, reporter=Silent(), scale=scale, seed=seed)


def drawn(scale, seed=42) -> Documents:
    """Return the documents as the seeder hands them over, without a server."""
    project = load_project(PROJECT)
    kept: Documents = {}

    class Recorder(project.seeder):
        def insert(self, collection, documents, total=None):  # noqa: ARG002
            kept[collection] = [document.model_dump(by_alias=True) for document in documents]
            return len(kept[collection])

    seeder = Recorder("mongodb://no.server.invalid", project.schema)
    seeder.scale, seeder.seed = scale, seed
    seeder.seed_all_collections()
    return kept


@pytest.fixture(scope="module")
def bank() -> Documents:
    return drawn(1)


@pytest.fixture
def database(mongodb):
    with MongoClient(mongodb.uri, tz_aware=True) as client:
        yield client[mongodb.database]


def by_id(documents):
    return {document["_id"]: document for document in documents}


def share(documents, condition):
    return sum(map(condition, documents)) / len(documents)


def jakarta_day(at):
    return (at + JAKARTA).date()


def assert_totals(bank):
    """Recompute what each loan says from its instalments and from its payments, each on their own."""
    booked = defaultdict(list)
    for payment in bank["payments"]:
        if payment["status"] == "booked":
            booked[payment["loan_id"], payment["instalment"]].append(payment)
    assert bank["loans"]
    for loan in bank["loans"]:
        parts = loan["instalments"]
        open_parts = [part for part in parts if part["status"] == "open"]
        assert loan["total_due"] == loan["principal"] + loan["interest"] == sum(p["amount"] for p in parts)
        assert loan["repaid"] == sum(part["paid_amount"] for part in parts)
        assert loan["outstanding"] == loan["total_due"] - loan["repaid"]
        for part in parts:
            payments = booked.pop((loan["_id"], part["number"]), [])
            assert part["paid_amount"] == sum(payment["amount"] for payment in payments)
            if part["status"] == "paid":
                assert part["paid_amount"] == part["amount"]
                assert part["paid_at"] == max(payment["paid_at"] for payment in payments)
        if loan["status"] in {"active", "late"}:
            overdue = max(0, (jakarta_day(NOW) - jakarta_day(open_parts[0]["due_at"])).days)
            assert loan["next_due_at"] == open_parts[0]["due_at"]
            assert loan["days_past_due"] == overdue
            assert loan["status"] == ("late" if overdue else "active")
        else:
            assert loan["next_due_at"] is None
            assert loan["days_past_due"] == (180 if loan["status"] == "written_off" else 0)
    assert not booked, "payments for instalments that do not exist"


@pytest.mark.parametrize("scale", [0.01, 0.05])
def test_run_at_a_small_scale_is_verified(mongodb, scale):
    summary = fill(mongodb, scale)

    assert summary.passed, summary.to_dict()
    assert all(found.documents for found in summary.verification.collections.values())
    assert sum(found.references for found in summary.verification.collections.values()) > 100


def test_totals_read_from_the_server_are_exact(mongodb, database):
    fill(mongodb, 0.1)

    assert_totals({name: list(database[name].find()) for name in ("loans", "payments")})


def test_default_scale_is_20000_documents(bank):
    assert sum(map(len, bank.values())) == pytest.approx(20_000, rel=0.03)


def test_scale_multiplies_and_stays_valid():
    bank = drawn(2)

    assert sum(map(len, bank.values())) == pytest.approx(40_000, rel=0.05)
    assert_totals(bank)
    for collection, fields in [
        ("customers", ("phone",)),
        ("customers", ("national_id",)),
        ("customers", ("email",)),
        ("loan_applications", ("number",)),
        ("loans", ("number",)),
        ("loans", ("application_id",)),
    ]:
        keys = [tuple(document[field] for field in fields) for document in bank[collection]]
        given = [key for key in keys if None not in key]
        assert len(set(given)) == len(given), fields
    for documents in bank.values():
        assert len(by_id(documents)) == len(documents)


def test_customers_are_the_same_at_every_scale(bank):
    small = drawn(0.02)

    for name, documents in small.items():
        assert documents == bank[name][: len(documents)], name


def test_references_name_documents(bank):
    project = load_project(PROJECT)
    ids = {name: by_id(documents) for name, documents in bank.items()}
    for name, declared in project.schema.collections.items():
        for path, mark in references(declared.document_schema).items():
            values = [value_at(document, path) for document in bank[name]]
            assert set(values) - {None} <= ids[mark.collection].keys(), (name, path)
    for event in bank["audit_events"]:
        assert event["entity_id"] in ids[event["entity"]]


def value_at(document, path):
    for step in path.split("."):
        document = document and document[step]
    return document


def test_totals_are_exact(bank):
    assert_totals(bank)


def test_time_runs_forward(bank):
    customers, loans = by_id(bank["customers"]), by_id(bank["loans"])
    applications, payments = by_id(bank["loan_applications"]), by_id(bank["payments"])
    for application in bank["loan_applications"]:
        customer = customers[application["customer_id"]]
        assert customer["registered_at"] < customer["identity"]["checked_at"] < application["applied_at"]
        if application["decision"]:
            assert application["applied_at"] < application["decision"]["decided_at"] <= NOW
    for loan in bank["loans"]:
        decision = applications[loan["application_id"]]["decision"]
        assert decision["decided_at"] < loan["disbursed_at"] <= NOW
        dues = [loan["disbursed_at"], *(part["due_at"] for part in loan["instalments"])]
        assert all(one < two for one, two in pairwise(dues))
    for payment in bank["payments"]:
        assert loans[payment["loan_id"]]["disbursed_at"] < payment["paid_at"] < payment["received_at"] <= NOW
        if payment["duplicate_of"]:
            assert payments[payment["duplicate_of"]]["received_at"] < payment["received_at"]
    for case in bank["collection_cases"]:
        times = [case["opened_at"], *(each["at"] for each in case["contacts"]), case["closed_at"] or NOW]
        assert all(one < two for one, two in pairwise(times))
    assert all(customers[score["customer_id"]]["registered_at"] < score["scored_at"] <= NOW
               for score in bank["scores"])  # fmt: skip
    assert all(event["at"] <= NOW for event in bank["audit_events"])


def test_copies_equal_their_originals(bank):
    customers, loans = by_id(bank["customers"]), by_id(bank["loans"])
    for name in ("loan_applications", "loans", "collection_cases"):
        assert all(each["customer_name"] == customers[each["customer_id"]]["name"] for each in bank[name])
    running = {loan["customer_id"]: loan for loan in bank["loans"] if loan["next_due_at"]}
    under_way = {
        application["customer_id"]: application
        for application in bank["loan_applications"]
        if application["status"] in {"in_review", "approved"}
    }
    repaid = Counter(loan["customer_id"] for loan in bank["loans"] if loan["status"] == "repaid")
    for customer in bank["customers"]:
        home = customer["home"]
        assert home["loans_repaid"] == repaid[customer["_id"]]
        assert (home["loan"] and home["loan"]["loan_id"]) == running.get(customer["_id"], {}).get("_id")
        assert (home["application"] and home["application"]["application_id"]) == under_way.get(
            customer["_id"], {}
        ).get("_id")
        if home["loan"]:
            loan = loans[home["loan"]["loan_id"]]
            due = next(part for part in loan["instalments"] if part["status"] == "open")
            assert home["loan"]["next_due_amount"] == due["amount"] - due["paid_amount"]
            for field in ("number", "outstanding", "next_due_at", "days_past_due"):
                assert home["loan"][field] == loan[field]


def test_customers_remember_their_last_five_scores(bank):
    scores = defaultdict(list)
    for score in bank["scores"]:
        scores[score["customer_id"]].append(score)
    longest = 0
    for customer in bank["customers"]:
        made = sorted(scores[customer["_id"]], key=lambda score: score["scored_at"], reverse=True)
        longest = max(longest, len(made))
        if not made:
            assert customer["score"] is None
            continue
        kept = [{key: each[key] for key in ("value", "model_version", "scored_at")} for each in made]
        assert customer["score"] == kept[0] | {"history": kept[:5]}
    assert longest > 5


def test_decisions_follow_the_design(bank):
    applications = bank["loan_applications"]
    decided = [application for application in applications if application["decision"]]
    automatic = [each for each in decided if each["decision"]["method"] == "automatic"]
    by_hand = [each for each in decided if each["decision"]["method"] == "underwriter"]

    def waited(application):
        return application["decision"]["decided_at"] - application["applied_at"]

    assert share(applications, lambda each: each["underwriting"] is None) == pytest.approx(0.8, abs=0.03)
    assert max(map(waited, automatic)) < timedelta(minutes=10)
    assert timedelta(hours=12) < median(map(waited, by_hand)) < timedelta(hours=36)
    assert share(decided, lambda each: each["decision"]["outcome"] == "approved") == pytest.approx(
        0.54, abs=0.04
    )
    assert share(applications, lambda each: each["status"] == "disbursed") == pytest.approx(0.5, abs=0.04)
    assert all(each["decision"]["reasons"] and each["decision"]["model_version"] for each in decided)
    queue = Counter(each["underwriting"]["queue_status"] for each in applications if each["underwriting"])
    assert queue["waiting"] >= 3
    assert queue["assigned"] >= 1


def test_amounts_are_log_normal_and_clipped(bank):
    amounts = [application["requested_amount"] for application in bank["loan_applications"]]

    assert (min(amounts), max(amounts)) == (1_600_000, 24_000_000)
    assert median(amounts) == pytest.approx(6_200_000, rel=0.05)
    assert share(amounts, lambda amount: amount < 6_200_000 * 0.549) == pytest.approx(0.16, abs=0.04)
    assert share(amounts, lambda amount: amount > 6_200_000 * 1.822) == pytest.approx(0.16, abs=0.04)


def test_applications_peak_on_paydays(bank):
    days = [jakarta_day(application["applied_at"]).day for application in bank["loan_applications"]]

    assert share(days, lambda day: day >= 25 or day == 1) == pytest.approx(0.52, abs=0.04)


def test_payments_follow_the_design(bank):
    booked = [payment for payment in bank["payments"] if payment["status"] == "booked"]
    counts = Counter(payment["channel"] for payment in booked)
    channels = {name: count / len(booked) for name, count in counts.items()}
    designed = {"virtual_account": 0.42, "e_wallet": 0.33, "convenience_store": 0.17, "direct_debit": 0.08}

    assert channels == pytest.approx(designed, abs=0.04)
    assert 1 - len(booked) / len(bank["payments"]) == pytest.approx(0.02, abs=0.01)


def test_events_sent_twice_are_kept_and_counted_once(bank):
    booked = [payment for payment in bank["payments"] if payment["status"] == "booked"]
    originals = by_id(booked)
    repeated = [payment for payment in bank["payments"] if payment["status"] == "duplicate"]

    assert len({(payment["channel"], payment["external_reference"]) for payment in booked}) == len(booked)
    assert repeated
    for payment in repeated:
        original = originals[payment["duplicate_of"]]
        same = ("loan_id", "instalment", "amount", "channel", "external_reference", "paid_at")
        assert [payment[field] for field in same] == [original[field] for field in same]


def test_loans_are_repaid_or_late_as_designed(bank):
    loans = bank["loans"]
    parts = [part for loan in loans for part in loan["instalments"]]
    paid = [part for part in parts if part["status"] == "paid"]
    due = [part for part in parts if part["due_at"] < NOW]
    states = {name: count / len(loans) for name, count in Counter(loan["status"] for loan in loans).items()}

    assert all(4 <= len(loan["instalments"]) <= 20 for loan in loans)
    assert {len(loan["instalments"]) for loan in loans} >= {4, 20}
    assert share(paid, lambda part: part["paid_at"] > part["due_at"]) == pytest.approx(0.26, abs=0.04)
    repaid = sum(part["paid_amount"] for part in due) / sum(part["amount"] for part in due)
    assert repaid == pytest.approx(0.97, abs=0.02)
    assert states == pytest.approx(
        {"repaid": 0.7, "active": 0.235, "late": 0.045, "written_off": 0.02}, abs=0.035
    )
    assert min(states.values()) > 0.005


def test_loans_thirty_days_late_have_an_open_case(bank):
    late = {loan["_id"] for loan in bank["loans"] if loan["status"] == "late" and loan["days_past_due"] >= 30}
    open_cases = [case["loan_id"] for case in bank["collection_cases"] if case["status"] == "open"]
    loans = by_id(bank["loans"])

    assert sorted(open_cases) == sorted(late)
    assert late
    for case in bank["collection_cases"]:
        overdue = [
            (jakarta_day(case["opened_at"]) - jakarta_day(part["due_at"])).days
            for part in loans[case["loan_id"]]["instalments"]
            if part["paid_at"] is None or part["paid_at"] > case["opened_at"]
        ]
        assert max(overdue) == 30


def test_alternative_data_differs_and_grows(bank):
    kinds = [frozenset(customer["alternative_data"]) for customer in bank["customers"]]
    registered = [customer["registered_at"] for customer in bank["customers"]]

    assert len(set(kinds)) > 50
    for kind, since in (("utilities", (2024, 7)), ("marketplace", (2025, 1)), ("telco", (2025, 6))):
        holders = [at for at, has in zip(registered, kinds, strict=True) if kind in has]
        assert holders
        assert min(holders) >= datetime(*since, 1, tzinfo=UTC)


def digest(database) -> str:
    """Return a hash over the bytes of all documents."""
    total = hashlib.sha256()
    raw = database.with_options(bson.CodecOptions(document_class=RawBSONDocument))
    for name in sorted(load_project(PROJECT).schema.collections):
        for document in raw[name].find().sort("_id", 1):
            total.update(document.raw)
    return total.hexdigest()


def test_same_seed_gives_the_same_bytes_and_another_seed_others(mongodb, database):
    digests = []
    for seed in (42, 42, 43):
        fill(mongodb, 0.03, seed)
        digests.append(digest(database))

    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_main_fills_and_verifies(mongodb, tmp_path):
    project = tmp_path / "digital_bank"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
    schema = project / "db_schema.py"
    schema.write_text(schema.read_text().replace('"digital_bank"', repr(mongodb.database)))

    done = subprocess.run(
        [sys.executable, "-W", "error", "main.py", "--uri", mongodb.uri, "--scale", "0.02"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{mongodb.database}: verified" in done.stdout


def test_database_refuses_what_the_business_forbids(mongodb, database):
    fill(mongodb, 0.05)

    def again(collection, **changes):
        original = database[collection].find_one(changes.pop("like", {}))
        with pytest.raises(DuplicateKeyError):
            database[collection].insert_one(original | {"_id": ObjectId()} | changes)

    again("payments", like={"status": "booked"})
    again("loans", number="LN-2601-9999999")  # the same application paid out twice
    customer = database.customers.find_one({"email": {"$ne": None}})
    fresh = {"phone": "+6281200000000", "national_id": "3174010101900001", "email": None}
    for field in fresh:
        again("customers", **(fresh | {field: customer[field]}), like={"_id": customer["_id"]})
    # Any number of customers have no e-mail, and any number of events are duplicates.
    database.customers.insert_one(customer | {"_id": ObjectId()} | fresh)
    payment = database.payments.find_one({"status": "booked"})
    for _ in range(2):
        repeated = {"_id": ObjectId(), "status": "duplicate", "duplicate_of": payment["_id"]}
        database.payments.insert_one(payment | repeated)


def readme_queries():
    text = (PROJECT / "README.md").read_text()
    return re.findall(r"^### \d+\. (.+?)$.+?```python\n(.+?)```", text, flags=re.MULTILINE | re.DOTALL)


def test_each_query_of_the_readme_returns_something(mongodb, database):
    fill(mongodb, 0.3)
    queries = readme_queries()

    assert len(queries) >= 8
    for title, code in queries:
        assert answer(code, database), title


def answer(code, database):
    names = {"db": database, "datetime": datetime, "UTC": UTC, "ObjectId": ObjectId}
    *first, last = ast.parse(code).body
    exec(compile(ast.Module(first, []), "README.md", "exec"), names)
    found = eval(compile(ast.Expression(last.value), "README.md", "eval"), names)
    return found if isinstance(found, dict | None) else list(found)


def test_documents_name_every_collection_and_index():
    readme, design = ((PROJECT / name).read_text() for name in ("README.md", "tech_design.md"))
    declared = {
        (name, index.name)
        for name, collection in load_project(PROJECT).schema.collections.items()
        for index in collection.indexes
    }
    table = set(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", readme, flags=re.MULTILINE))

    assert table == declared
    for collection, index in declared:
        assert re.search(rf"\| `{collection}` .*`{index}`", design), (collection, index)
