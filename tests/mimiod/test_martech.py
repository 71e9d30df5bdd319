"""The promises of projects/martech: what its tech_design.md says of the data, beyond what the schema says."""

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from mimiod.checking.check import check
from mimiod.projects import load_project
from mimiod.running import run

from tests.mimiod.planning import documents, encoded

PROJECT = Path(__file__).parents[2] / "projects" / "martech"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCALE = 0.25
TYPES = {"text": str, "number": int, "flag": bool}
STEPS = {
    "sent": "sent_at", "delivered": "delivered_at", "opened": "opened_at", "clicked": "clicked_at",
    "converted": "converted_at",
}  # fmt: skip
COUNTED = {
    "message_sent": "sent", "message_delivered": "delivered", "message_opened": "opened",
    "message_clicked": "clicked", "purchase": "converted", "unsubscribed": "unsubscribed",
}  # fmt: skip
WEIGHTS = {
    "message_opened": 1, "message_clicked": 3, "page_view": 1, "search": 2, "cart_add": 4, "purchase": 10,
    "chat": 3, "follow": 5,
}  # fmt: skip


class Silent:
    def phase(self, name):
        pass

    def note(self, text):
        pass

    def progress(self, collection, done, total):
        pass


def plan_of(scale):
    """Return what every document of the database is, at a scale."""
    project = load_project(PROJECT)
    seeder = project.seeder("mongodb://no.server.invalid", project.schema)
    seeder.scale, seeder.seed = scale, 42
    return seeder.plan()


@pytest.fixture(scope="module")
def platform():
    return documents(plan_of(SCALE))


@pytest.fixture(scope="module")
def brands(platform):
    return by_id(platform["brands"])


@pytest.fixture(scope="module")
def events_of(platform):
    return grouped(platform["events"], "customer_id")


@pytest.fixture(scope="module")
def consents_of(platform):
    return grouped(platform["consents"], "customer_id")


def by_id(found):
    return {document["_id"]: document for document in found}


def grouped(found, field):
    groups = defaultdict(list)
    for document in found:
        groups[document[field]].append(document)
    return groups


def test_documents_do_not_depend_on_how_they_are_divided():
    hashes = set()
    for step in (None, 1):
        total = hashlib.sha256()
        for name, rows in sorted(encoded(plan_of(0.05), step).items()):
            total.update(name.encode() + b"".join(rows))
        hashes.add(total.hexdigest())

    assert len(hashes) == 1


def test_run_is_verified_and_every_query_answers_by_its_index(mongodb):
    project = load_project(PROJECT)
    project = replace(project, schema=project.schema.model_copy(update={"database_name": mongodb.database}))

    summary = run(project, uri=mongodb.uri, reporter=Silent(), scale=0.1)
    report = check(project, mongodb.uri)

    assert summary.passed, summary.to_dict()
    assert all(found.documents for found in summary.verification.collections.values())
    assert [found for found in report.findings if found.severity == "error"] == []
    reads = [measured for measured in report.queries if measured.query.action in {"find", "aggregate"}]
    assert len(reads) == 20
    for measured in reads:
        assert measured.runs > 0 or measured.query.name == "open_request"
        assert measured.plan.scan == "index", measured.query.name
        assert measured.refusal == ""
    assert sum(bool(measured.returned) for measured in reads) > 15


def test_attributes_are_those_that_the_brand_has_defined(platform, brands):
    for customer in platform["customers"]:
        brand = brands[customer["brand_id"]]
        defined = {field["key"]: field for field in brand["fields"]}
        for attribute in customer["attributes"]:
            field = defined[attribute["key"]]
            assert type(attribute["value"]) is TYPES[field["type"]]
            assert not field["choices"] or attribute["value"] in field["choices"]
        assert set(customer["labels"]) <= set(brand["labels"])
    assert len({tuple(field["key"] for field in brand["fields"]) for brand in brands.values()}) > 3


def test_messages_go_step_by_step_down_the_funnel(platform):
    for message in platform["messages"]:
        moments = [message[field] for field in STEPS.values()]
        reached = [at for at in moments if at is not None]
        assert reached == moments[: len(reached)] == sorted(reached)
        assert all(at < NOW for at in reached)
        if message["status"] in STEPS:
            assert list(STEPS).index(message["status"]) == len(reached) - 1
        assert (message["status"] == "queued") == (not reached)
    states = Counter(message["status"] for message in platform["messages"])
    assert states["delivered"] > states["opened"] > states["clicked"] > states["converted"]


def test_messages_reach_only_customers_who_agree_at_that_time(platform, consents_of):
    campaigns, customers = by_id(platform["campaigns"]), by_id(platform["customers"])
    assert platform["messages"]
    for message in platform["messages"]:
        start = campaigns[message["campaign_id"]]["starts_at"]
        said = [
            consent["state"]
            for consent in sorted(consents_of[message["customer_id"]], key=lambda consent: consent["at"])
            if consent["channel"] == message["channel"] and consent["at"] <= start
        ]
        assert said[-1:] == ["granted"]
        assert customers[message["customer_id"]]["joined_at"] <= start


def test_only_campaigns_of_the_next_day_have_queued_messages(platform):
    campaigns = by_id(platform["campaigns"])
    for message in platform["messages"]:
        campaign = campaigns[message["campaign_id"]]
        assert campaign["status"] in {"scheduled", "sending", "sent"}
        queued = campaign["starts_at"] > NOW
        assert queued == (message["status"] == "queued")
        assert not queued or campaign["starts_at"] < NOW + timedelta(days=1)


def test_who_unsubscribes_by_a_message_withdraws_once_and_hears_no_more(platform, consents_of):
    left = [message for message in platform["messages"] if message["unsubscribed_at"]]
    by_link = [consent for consent in platform["consents"] if consent["source"] == "unsubscribe_link"]

    assert {(one["customer_id"], one["channel"], one["unsubscribed_at"]) for one in left} == {
        (one["customer_id"], one["channel"], one["at"]) for one in by_link
    }
    assert len(left) == len(by_link) > 0
    for customer in platform["customers"]:
        for channel, allowed in customer["consent"].items():
            history = [one for one in consents_of[customer["_id"]] if one["channel"] == channel]
            assert allowed == (
                bool(history) and max(history, key=lambda one: one["at"])["state"] == "granted"
            )


def test_hours_count_what_the_events_of_their_campaign_say(platform):
    campaigns = by_id(platform["campaigns"])
    expected = Counter()
    variants = {
        (message["campaign_id"], message["customer_id"]): message["variant"]
        for message in platform["messages"]
    }
    for event in platform["events"]:
        if "campaign_id" in event and event["type"] in COUNTED:
            campaign = event["campaign_id"]
            hour = event["at"].replace(minute=0, second=0, microsecond=0)
            key = (campaign, variants[campaign, event["customer_id"]], hour)
            expected[*key, COUNTED[event["type"]]] += 1
            expected[*key, "revenue"] += event.get("amount", 0)
    found = Counter()
    for row in platform["campaign_hours"]:
        assert row["slice"] < campaigns[row["campaign_id"]]["counter_slices"]
        for name in {*COUNTED.values(), "revenue"}:
            found[row["campaign_id"], row["variant"], row["hour"], name] += row[name]

    assert +found == +expected


def test_engagement_halves_every_thirty_days(platform, events_of):
    for customer in platform["customers"]:
        total = sum(
            WEIGHTS.get(event["type"], 0) * 0.5 ** ((NOW - event["at"]).days // 30)
            for event in events_of[customer["_id"]]
        )
        assert customer["engagement_score"] == min(100, int(4 * total))


def test_preferred_channel_is_where_most_messages_were_opened(platform):
    opened = defaultdict(Counter)
    for message in platform["messages"]:
        if message["opened_at"]:
            opened[message["customer_id"]][message["channel"]] += 1
    for customer in platform["customers"]:
        counts = opened[customer["_id"]]
        most = {channel for channel in counts if counts[channel] == max(counts.values())}
        assert customer["preferred_channel"] in (most or {None})


def test_recent_holds_the_newest_ten_events(platform, events_of):
    for customer in platform["customers"]:
        newest = sorted((event["at"] for event in events_of[customer["_id"]]), reverse=True)[:10]
        assert [event["at"] for event in customer["recent"]] == newest


def test_members_of_a_segment_are_those_for_whom_its_rules_hold(platform):
    segments = grouped(platform["segments"], "brand_id")
    for customer in platform["customers"]:
        of_brand = segments[customer["brand_id"]]
        members = {one["_id"] for one in of_brand if all(holds(rule, customer) for rule in one["rules"])}
        assert set(customer["segment_ids"]) == members
    assert {one for customer in platform["customers"] for one in customer["segment_ids"]}


def holds(rule, customer):
    match rule["on"]:
        case "field":
            return {"key": rule["key"], "value": rule["text"]} in customer["attributes"]
        case "label":
            return rule["key"] in customer["labels"]
        case "joined":
            return NOW - customer["joined_at"] < timedelta(days=rule["number"])
        case "activity":
            last = customer["last_activity_at"]
            return last is None or NOW - last >= timedelta(days=rule["number"])
    number = customer[
        {"score": "engagement_score", "value": "lifetime_value", "orders": "orders"}[rule["on"]]
    ]
    return number >= rule["number"] if rule["operator"] == "at_least" else number <= rule["number"]


def test_deletions_are_done_within_thirty_days_and_name_nobody(platform):
    customers = by_id(platform["customers"])
    assert platform["deletion_requests"]
    for request in platform["deletion_requests"]:
        assert request["due_at"] - request["requested_at"] == timedelta(days=30)
        if request["status"] == "done":
            assert request["done_at"] <= request["due_at"]
            assert request["customer_id"] is None
            assert request["erased"] == ["events", "messages", "consents", "customer"]
        else:
            assert request["customer_id"] in customers
            assert "customer" not in request["erased"]
            assert request["due_at"] > NOW


def test_shares_of_a_campaigns_variants_come_to_a_hundred(platform):
    used = defaultdict(set)
    for message in platform["messages"]:
        used[message["campaign_id"]].add(message["variant"])
    for campaign in platform["campaigns"]:
        assert sum(variant["share"] for variant in campaign["variants"]) == 100
        assert used[campaign["_id"]] <= {variant["key"] for variant in campaign["variants"]}


def test_purchases_have_an_amount_and_end_a_visit(platform, events_of):
    amounts = {event["type"] for event in platform["events"] if "amount" in event}
    assert amounts == {"purchase"}
    for events in events_of.values():
        for before, event in pairwise(sorted(events, key=lambda event: event["_id"])):
            if event["type"] == "purchase":
                assert before["type"] == "cart_add"


def test_campaigns_crowd_around_black_friday(platform):
    weeks = Counter(campaign["starts_at"].isocalendar()[:2] for campaign in platform["campaigns"])
    assert weeks[2025, 48] > 2 * median(weeks.values())


def test_a_few_brands_and_customers_are_far_above_the_others(platform, brands, events_of):
    sizes = [brand["customers"] for brand in brands.values()]
    traces = [len(events) for events in events_of.values()]
    assert max(sizes) > 4 * median(sizes)
    assert max(traces) > 10 * median(traces)
    large = [one for one in platform["campaigns"] if one["counter_slices"] > 1]
    assert {brands[campaign["brand_id"]]["plan"] for campaign in large} == {"enterprise"}
