"""The promises of projects/record_shop: what its tech_design.md says of the data, beyond the schema."""

import hashlib
import re
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median

import pytest
from mimiod.checking.check import check
from mimiod.projects import load_project
from mimiod.running import run
from pymongo import MongoClient

from tests.mimiod.planning import documents, encoded

PROJECT = Path(__file__).parents[2] / "projects" / "record_shop"
REPRICED_AT = datetime(2024, 7, 1, tzinfo=UTC)
THEMES = {
    "Classical 101": {"Classical"},
    "Late Night Jazz": {"Jazz"},
    "Headbanger's Hour": {"Metal", "Heavy Metal"},
}


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
def shop():
    return documents(plan_of(0.5))


@pytest.fixture(scope="module")
def tracks(shop):
    return by_id(shop["tracks"])


@pytest.fixture(scope="module")
def albums(shop):
    """The tracks of each album, in their order."""
    found = grouped(shop["tracks"], "album_id")
    return [sorted(listed, key=lambda track: track["position"]) for listed in found.values()]


def by_id(found):
    return {document["_id"]: document for document in found}


def grouped(found, field):
    groups = defaultdict(list)
    for document in found:
        groups[document[field]].append(document)
    return groups


def digest(plan, step=None):
    found = encoded(plan, step)
    return hashlib.sha256(b"".join(raw for name in sorted(found) for raw in found[name])).hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_units_of_any_size():
    assert digest(plan_of(0.02)) == digest(plan_of(0.02), step=2)


def test_a_run_is_verified_and_every_query_finds_something_by_its_index(mongodb):
    project = load_project(PROJECT)
    project = replace(project, schema=project.schema.model_copy(update={"database_name": mongodb.database}))

    summary = run(project, uri=mongodb.uri, reporter=Silent(), scale=0.1)
    report = check(project, mongodb.uri)

    assert summary.passed, summary.to_dict()
    reads = [measured for measured in report.queries if measured.query.action in {"find", "aggregate"}]
    assert len(reads) == 16
    assert [measured.query.name for measured in reads if not measured.returned] == []
    scans = {measured.query.name: measured.plan.scan for measured in reads}
    assert [name for name, scan in scans.items() if scan != "index"] == []

    with MongoClient(mongodb.uri) as client:
        database = client[mongodb.database]
        for code in re.findall(
            r"^```python\n(.*?)^```", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL
        ):
            if '"number"' in code.splitlines()[0] or '"email"' in code.splitlines()[0]:
                continue  # a document that is there at full scale
            names = {"database": database, "datetime": datetime, "Counter": Counter}
            exec(code, names)
            assert names["answer"], code


def test_an_invoice_keeps_what_was_sold_and_what_it_cost_on_its_day(shop, tracks):
    seen = Counter()
    for invoice in shop["invoices"]:
        sold = [line["track_id"] for line in invoice["lines"]]
        assert len(set(sold)) == len(sold)
        for line in invoice["lines"]:
            track, before = tracks[line["track_id"]], invoice["invoiced_at"] < REPRICED_AT
            assert (line["name"], line["artist_name"]) == (track["name"], track["artist_name"])
            assert line["unit_price"] == (min(99, track["unit_price"]) if before else track["unit_price"])
            assert line["amount"] == line["unit_price"] * line["quantity"]
            seen[before, track["unit_price"]] += 1
    assert set(seen) == {(before, price) for before in (True, False) for price in (69, 99, 129)}


def test_the_managers_of_an_employee_are_the_way_up_the_tree(shop):
    staff = by_id(shop["employees"])
    assert len(staff) == 48
    for employee in staff.values():
        way, above = [], employee["reports_to"]
        while above is not None:
            way.insert(0, above)
            above = staff[above]["reports_to"]
        assert employee["managers"] == way
        assert employee["hired_on"] - employee["born_on"] > timedelta(days=18 * 365)
    assert Counter(len(employee["managers"]) for employee in staff.values()) == {0: 1, 1: 3, 2: 16, 3: 28}


def test_support_agents_look_after_customers_and_a_sale_stays_with_who_did_then(shop):
    agents = {employee["_id"] for employee in shop["employees"] if employee["title"] == "Sales Support Agent"}
    bought = grouped(shop["invoices"], "customer_id")
    handed_over = moved = 0
    for customer in shop["customers"]:
        own = sorted(bought[customer["_id"]], key=lambda invoice: invoice["invoiced_at"])
        contacts = [invoice["support_rep_id"] for invoice in own] + [customer["support_rep"]["employee_id"]]
        towns = [invoice["billing"]["city"] for invoice in own] + [customer["address"]["city"]]
        assert set(contacts) <= agents
        assert sum(one != other for one, other in pairwise(contacts)) <= 1
        assert sum(one != other for one, other in pairwise(towns)) <= 1
        handed_over += len(set(contacts)) > 1
        moved += len(set(towns)) > 1
    assert handed_over > 40
    assert moved > 20


def test_an_account_shows_its_five_newest_invoices(shop):
    bought = grouped(shop["invoices"], "customer_id")
    for customer in shop["customers"]:
        newest = sorted(bought[customer["_id"]], key=lambda invoice: invoice["invoiced_at"], reverse=True)
        shown = [
            {name: invoice[name] for name in ("number", "invoiced_at", "total")} for invoice in newest[:5]
        ]
        assert customer["recent_invoices"] == shown


def test_a_day_of_sales_is_the_sum_of_its_invoices(shop):
    sums = defaultdict(lambda: [0, 0, 0])
    for invoice in shop["invoices"]:
        day = sums[invoice["billing"]["country"], invoice["invoiced_at"].date()]
        for place, amount in enumerate((1, invoice["copies"], invoice["total"])):
            day[place] += amount
    found = {
        (day["country"], day["day"].date()): [day["invoices"], day["copies"], day["total"]]
        for day in shop["daily_sales"]
    }
    assert found == sums


def test_albums_are_counted_through_and_name_nothing_twice(albums):
    for listed in albums:
        assert [track["position"] for track in listed] == list(range(1, len(listed) + 1))
        assert len({track["name"] for track in listed}) == len(listed)
        assert len({track["genre"] for track in listed} - {None}) <= 1


def test_classical_albums_begin_with_a_first_movement_under_its_composer(albums):
    classical = [listed for listed in albums if listed[0]["genre"] == "Classical"]
    assert len(classical) > 5
    for listed in classical:
        title, first = listed[0]["album_title"], listed[0]
        assert ": I. " in first["name"]
        assert title.partition(":")[0] == first["composer"].split()[-1]
        for work, movements in groupby(listed, key=lambda track: track["name"].rpartition(": ")[0]):
            assert work
            assert len({track["composer"] for track in movements}) == 1


def test_playlists_hold_tracks_of_their_genres_and_most_tracks_are_in_few(shop):
    names = {playlist["_id"]: playlist["name"] for playlist in shop["playlists"]}
    genres = defaultdict(set)
    for track in shop["tracks"]:
        for playlist in track["playlist_ids"]:
            genres[names[playlist]].add(track["genre"])
    assert {name: genres[name] for name in THEMES} == THEMES
    assert all(genres[name] for name in names.values())
    assert max(len(track["playlist_ids"]) for track in shop["tracks"]) <= 6


def test_lengths_are_those_of_the_genre_and_files_follow_them(shop):
    lengths = defaultdict(list)
    for track in shop["tracks"]:
        lengths[track["genre"]].append(track["milliseconds"])
        if track["bytes"] is not None:
            assert 28 <= track["bytes"] / track["milliseconds"] <= 36.1
    assert median(lengths["Pop"]) < median(lengths["Rock"]) < median(lengths["Metal"])
    assert median(lengths["Metal"]) < median(lengths["Classical"])


def test_the_shop_grows_is_busiest_before_christmas_and_in_the_evening(shop):
    moments = [invoice["invoiced_at"] for invoice in shop["invoices"]]
    years = Counter(moment.year for moment in moments)
    assert years[2023] < years[2024] < years[2025]
    months = Counter(moment.month for moment in moments if moment.year == 2025)
    assert months[12] > 1.6 * median(months[month] for month in range(2, 8))
    hours = Counter(moment.hour for moment in moments)
    assert sum(hours[hour] for hour in range(18, 23)) > 4 * sum(hours[hour] for hour in range(1, 6))


def test_a_tenth_of_the_artists_sells_a_third_but_no_artist_rules_the_shop(shop):
    sold = Counter(line["artist_name"] for invoice in shop["invoices"] for line in invoice["lines"])
    total, artists = sum(sold.values()), len(shop["artists"])
    assert sum(count for _, count in sold.most_common(artists // 10)) > total / 3
    assert sold.most_common(1)[0][1] < total / 6


def test_companies_buy_more_copies_than_people(shop):
    companies = {customer["_id"] for customer in shop["customers"] if customer["company"]}
    copies = defaultdict(list)
    for invoice in shop["invoices"]:
        copies[invoice["customer_id"] in companies] += [line["quantity"] for line in invoice["lines"]]
    assert sum(copies[True]) / len(copies[True]) > 1.5
    assert max(copies[False]) == 2
