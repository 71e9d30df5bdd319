"""The promises of projects/digital_bank: what its README and tech_design.md say of the data."""

import ast
import hashlib
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from bson import ObjectId
from mimiod.projects import load_project
from mimiod.running import Summary, run
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError

from tests.mimiod.planning import documents, encoded

PROJECT = Path(__file__).parents[2] / "projects" / "digital_bank"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
JAKARTA = timedelta(hours=7)
GOLDEN = "d0df0b2d0dd7483b5f76b70c5d2c89c761dff443b5c19b8837a62839370570de"
"The hash of all documents at scale 0.05 with the default seed."

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


def plan_of(scale, seed=42):
    """Return what every document of the database is, at a scale."""
    project = load_project(PROJECT)
    seeder = project.seeder("mongodb://no.server.invalid", project.schema)
    seeder.scale, seeder.seed = scale, seed
    return seeder.plan()


def drawn(scale, seed=42) -> Documents:
    """Return the documents, without a server."""
    return documents(plan_of(scale, seed))


def digest(found: dict[str, list[bytes]]) -> str:
    """Return a hash over the bytes of all documents, by collection and row."""
    total = hashlib.sha256()
    for name in sorted(found):
        total.update(f"{name} {len(found[name])}".encode())
        total.update(b"".join(found[name]))
    return total.hexdigest()


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


def test_run_at_a_small_scale_is_verified(mongodb):
    summary = fill(mongodb, 0.03)

    assert summary.passed, summary.to_dict()
    assert all(found.documents for found in summary.verification.collections.values())
    assert sum(found.references for found in summary.verification.collections.values()) > 100
    assert summary.verification.untested == []
    checked = sum((Counter(found.checked) for found in summary.verification.collections.values()), Counter())
    assert min(checked[kind] for kind in ("copy", "total", "order", "unique", "distribution")) > 500


def test_totals_read_from_the_server_are_exact(mongodb, database):
    fill(mongodb, 0.1)

    assert_totals({name: list(database[name].find()) for name in ("loans", "payments")})


def test_default_scale_is_100000_documents_of_nine_collections(bank):
    assert sum(map(len, bank.values())) == pytest.approx(100_000, rel=0.08)
    assert len(bank) == 9
    assert all(bank.values())


def test_scale_1_is_a_thousandth_of_the_bank(bank):
    def in_the_last_year(at):
        return NOW - timedelta(days=365) <= at < NOW

    assert len(bank["customers"]) == 4_000
    applied = sum(in_the_last_year(each["applied_at"]) for each in bank["loan_applications"])
    assert applied == pytest.approx(30 * 365, rel=0.03)
    assert sum(in_the_last_year(loan["disbursed_at"]) for loan in bank["loans"]) == pytest.approx(
        575, rel=0.05
    )


def test_documents_have_the_fields_of_the_schema_and_no_others(bank):
    for name, declared in load_project(PROJECT).schema.collections.items():
        fields = {
            field.serialization_alias or key for key, field in declared.document_schema.model_fields.items()
        }
        assert all(document.keys() == fields for document in bank[name])
    assert not [
        key for loan in bank["loans"] for part in loan["instalments"] for key in part if key[0] == "_"
    ]


def test_scale_multiplies_and_stays_valid(bank):
    larger = drawn(1.5)

    assert sum(map(len, larger.values())) == pytest.approx(1.5 * sum(map(len, bank.values())), rel=0.03)
    assert_totals(larger)
    for collection, field in [
        ("customers", "phone"),
        ("customers", "national_id"),
        ("customers", "email"),
        ("loan_applications", "number"),
        ("decisions", "application_id"),
        ("loans", "number"),
        ("loans", "application_id"),
    ]:
        given = [document[field] for document in larger[collection] if document[field] is not None]
        assert len(set(given)) == len(given), field
    for documents_of in larger.values():
        assert len(by_id(documents_of)) == len(documents_of)


def test_customers_are_the_same_at_every_scale(bank):
    small = drawn(0.02)

    for name in small.keys() - {"daily_totals"}:
        assert small[name] == bank[name][: len(small[name])], name


def test_totals_are_exact(bank):
    assert_totals(bank)


def test_time_runs_forward(bank):
    customers, loans = by_id(bank["customers"]), by_id(bank["loans"])
    applications, payments = by_id(bank["loan_applications"]), by_id(bank["payments"])
    for application in bank["loan_applications"]:
        customer = customers[application["customer_id"]]
        assert customer["registered_at"] < customer["identity"]["checked_at"] < application["applied_at"]
    for decision in bank["decisions"]:
        assert applications[decision["application_id"]]["applied_at"] < decision["decided_at"] <= NOW
        assert decision["keep_until"] - decision["decided_at"] >= timedelta(days=3_652)  # ten years
    for loan in bank["loans"]:
        assert applications[loan["application_id"]]["decided_at"] < loan["disbursed_at"] <= NOW
        dues = [loan["disbursed_at"], *(part["due_at"] for part in loan["instalments"])]
        assert all(one < two for one, two in pairwise(dues))
        paid = [part["paid_at"] for part in loan["instalments"] if part["paid_at"]]
        assert paid == sorted(paid)
    for payment in bank["payments"]:
        assert loans[payment["loan_id"]]["disbursed_at"] < payment["paid_at"] < payment["received_at"] <= NOW
        if payment["duplicate_of"]:
            assert payments[payment["duplicate_of"]]["received_at"] < payment["received_at"]
    for case in bank["collection_cases"]:
        times = [case["opened_at"], *(each["at"] for each in case["contacts"]), case["closed_at"] or NOW]
        assert all(one < two for one, two in pairwise(times))
    assert all(event["at"] <= NOW for event in bank["audit_events"])


def test_customers_have_one_loan_at_a_time(bank):
    lives = defaultdict(list)
    for application in bank["loan_applications"]:
        lives[application["customer_id"]].append(application)
    loans = {loan["application_id"]: loan for loan in bank["loans"]}
    again = 0
    for applications in lives.values():
        for one, two in pairwise(sorted(applications, key=lambda each: each["applied_at"])):
            assert one["status"] in {"rejected", "lapsed", "disbursed"}
            assert one["decided_at"] < two["applied_at"]
            if one["status"] == "disbursed":
                assert loans[one["_id"]]["status"] == "repaid"
                assert loans[one["_id"]]["closed_at"] < two["applied_at"]
                again += 1
    assert again > 100


def test_home_screen_shows_what_is_under_way(bank):
    running = {loan["customer_id"]: loan for loan in bank["loans"] if loan["status"] in {"active", "late"}}
    for customer in bank["customers"]:
        home, loan = customer["home"], running.get(customer["_id"])
        assert home["loan_id"] == (loan and loan["_id"])
        if loan:
            due = next(part for part in loan["instalments"] if part["status"] == "open")
            assert home["next_due_amount"] == due["amount"] - due["paid_amount"]
            assert home["next_due_at"] == due["due_at"]
            assert home["outstanding"] == loan["outstanding"] > 0
    assert len(running) > 100


def test_customers_remember_their_last_five_scores(bank):
    scores = defaultdict(list)
    for score in bank["scores"]:
        scores[score["customer_id"]].append(score)
    longest = 0
    for customer in bank["customers"]:
        made = sorted(scores[customer["_id"]], key=lambda score: score["scored_at"], reverse=True)
        longest = max(longest, len(made))
        fields = ("value", "model_version", "scored_at")
        kept = [{field: each[field] for field in fields} for each in made]
        newest = kept[0] if kept else dict.fromkeys(fields)
        assert customer["score"] == newest | {"history": kept[:5]}
    assert longest > 5


def test_decisions_follow_the_design(bank):
    applications = bank["loan_applications"]
    asked = by_id(applications)
    automatic, by_hand = (
        [each for each in bank["decisions"] if each["method"] == method]
        for method in ("automatic", "underwriter")
    )

    def waited(decision):
        return decision["decided_at"] - asked[decision["application_id"]]["applied_at"]

    assert share(applications, lambda each: each["underwriting"] is None) == pytest.approx(0.8, abs=0.01)
    assert max(map(waited, automatic)) < timedelta(minutes=10)
    assert timedelta(hours=12) < median(map(waited, by_hand)) < timedelta(hours=36)
    assert share(bank["decisions"], lambda each: each["outcome"] == "approved") == pytest.approx(
        0.059, abs=0.006
    )
    # 575,000 of 30,000 x 365
    assert share(applications, lambda each: each["status"] == "disbursed") == pytest.approx(0.0525, abs=0.005)
    assert all(each["reasons"] and each["model_version"] for each in bank["decisions"])
    queue = Counter(each["underwriting"]["queue_status"] for each in applications if each["underwriting"])
    assert queue["waiting"] >= 3
    assert queue["assigned"] >= 1


def test_applications_are_filled_in_within_ten_minutes(bank):
    took = [each["applied_at"] - each["started_at"] for each in bank["loan_applications"]]

    assert timedelta() < min(took) < max(took) < timedelta(minutes=10)


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


def test_daily_totals_are_those_of_the_booked_payments(bank):
    expected = defaultdict(lambda: [0, 0])
    for payment in bank["payments"]:
        if payment["status"] == "booked":
            total = expected[jakarta_day(payment["paid_at"]), payment["channel"]]
            total[0] += 1
            total[1] += payment["amount"]
    found = {
        (jakarta_day(each["day"]), each["channel"]): [each["payments"], each["amount"]]
        for each in bank["daily_totals"]
    }

    assert found == expected
    assert len(found) == len(bank["daily_totals"])


def test_loans_are_repaid_or_late_as_designed(bank):
    loans = bank["loans"]
    parts = [part for loan in loans for part in loan["instalments"]]
    paid = [part for part in parts if part["status"] == "paid"]
    due = [part for part in parts if part["due_at"] < NOW]
    states = {name: count / len(loans) for name, count in Counter(loan["status"] for loan in loans).items()}

    assert {len(loan["instalments"]) for loan in loans} >= {4, 20}
    assert all(4 <= len(loan["instalments"]) <= 20 for loan in loans)
    assert share(paid, lambda part: part["paid_at"] > part["due_at"]) == pytest.approx(0.28, abs=0.04)
    repaid = sum(part["paid_amount"] for part in due) / sum(part["amount"] for part in due)
    assert repaid == pytest.approx(0.955, abs=0.02)
    assert states == pytest.approx(
        {"repaid": 0.59, "active": 0.32, "late": 0.06, "written_off": 0.03}, abs=0.035
    )
    assert min(states.values()) > 0.01


def test_loans_thirty_days_late_have_an_open_case(bank):
    late = {loan["_id"] for loan in bank["loans"] if loan["status"] == "late" and loan["days_past_due"] >= 30}
    open_cases = {case["loan_id"] for case in bank["collection_cases"] if case["status"] == "open"}
    loans = by_id(bank["loans"])

    assert late
    assert late <= open_cases
    assert all(loans[loan]["status"] in {"active", "late"} for loan in open_cases)
    ever_late = set()
    for loan in bank["loans"]:
        for part in loan["instalments"]:
            night = datetime.combine(jakarta_day(part["due_at"]), time(1), UTC) + timedelta(days=30) - JAKARTA
            if night <= NOW and (part["paid_at"] is None or part["paid_at"] > night):
                ever_late.add((loan["_id"], night))
                break
    assert {(case["loan_id"], case["opened_at"]) for case in bank["collection_cases"]} == ever_late


def test_audit_trail_tells_how_each_application_came_to_its_state(bank):
    trails = defaultdict(list)
    for event in bank["audit_events"]:
        trails[event["entity_id"]].append(event)
    ids = {name: by_id(documents_of) for name, documents_of in bank.items()}
    assert all(event["entity_id"] in ids[event["entity"]] for event in bank["audit_events"])
    for name in ("loan_applications", "loans", "collection_cases"):
        for document in bank[name]:
            trail = trails[document["_id"]]
            assert [each["at"] for each in trail] == sorted(each["at"] for each in trail)
            assert all(one["after"] == two["before"] for one, two in pairwise(trail) if name != "loans")
            if name == "loan_applications" or document["closed_at"]:
                assert trail[-1]["after"] == document["status"]


def test_alternative_data_differs_and_grows(bank):
    kinds = [frozenset(customer["alternative_data"]) for customer in bank["customers"]]
    registered = [customer["registered_at"] for customer in bank["customers"]]

    assert len(set(kinds)) > 50
    for kind, since in (("utilities", (2024, 7)), ("marketplace", (2025, 1)), ("telco", (2025, 6))):
        holders = [at for at, has in zip(registered, kinds, strict=True) if kind in has]
        assert holders
        assert min(holders) >= datetime(*since, 1, tzinfo=UTC)


def test_documents_are_these_bytes_whatever_they_are_cut_into():
    plan = plan_of(0.05)
    hashes = {step: digest(encoded(plan, step)) for step in (None, 200, 61, 7)}

    assert set(hashes.values()) == {GOLDEN}


def test_another_process_makes_the_same_bytes():
    code = "from tests.mimiod.test_digital_bank import *; print(digest(encoded(plan_of(0.05))))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT.parents[1],
        env={"PYTHONHASHSEED": "4711", "PYTHONPATH": ".", "TZ": "Asia/Jakarta", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == GOLDEN


def test_another_seed_makes_other_bytes():
    assert digest(encoded(plan_of(0.05, seed=43))) != GOLDEN


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
    fill(mongodb, 0.2)
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
