"""Cities and points around them, and the ready-made draws of the providers."""

import inspect
from collections import Counter
from math import cos, hypot, radians
from statistics import NormalDist, fmean

import numpy as np
import pytest
from mimiod import DeclarationError, seeding
from mimiod.seeding import (
    City,
    Fake,
    Get,
    Maybe,
    Moment,
    Point,
    Rows,
    business,
    credit,
    financial,
    marketing,
    randomness,
    social,
    time_series,
)

from tests.mimiod.planning import chi_square, documents, drawn, kolmogorov, plan_of

PROVIDERS = [business, credit, financial, marketing, social, time_series]


def kilometres(one, other):
    (lon, lat), (lon_2, lat_2) = one["coordinates"], other["coordinates"]
    return hypot((lat - lat_2) * 111.195, (lon - lon_2) * 111.195 * cos(radians(lat)))


def test_cities_are_of_their_countries_by_weight():
    rows = drawn(
        {"place": City({"ID": 6, "DE": 3, "FR": 1}), "one": City("ID"), "some": City(["MY", "PH"])}, 10_000
    )

    assert chi_square(Counter(row["place"]["country"] for row in rows), {"ID": 6, "DE": 3, "FR": 1}) < 4
    assert {row["one"]["country"] for row in rows} == {"ID"}
    assert {row["some"]["country"] for row in rows} == {"MY", "PH"}
    town = next(row["one"] for row in rows if row["one"]["city"] == "Pekanbaru")
    assert town["timezone"] == "Asia/Jakarta"
    assert town["location"]["coordinates"] == [101.44167, 0.51667]


def test_what_one_city_gives_agrees_and_names_keep_cities_apart():
    home, work = City(name="home"), City(name="work")
    rows = drawn(
        {
            "home": home,
            "town": home.city(),
            "land": home.country(),
            "zone": home.timezone(),
            "point": home.point(5),
            "near": Point("home", 5),
            "work": work.city(),
        },
        3_000,
    )

    for row in rows:
        place = row["home"]
        assert (row["town"], row["land"], row["zone"]) == (place["city"], place["country"], place["timezone"])
        assert kilometres(place["location"], row["point"]) < 35
        assert kilometres(place["location"], row["near"]) < 35
    assert fmean(row["town"] == row["work"] for row in rows) < 0.02


def test_points_are_spread_normally_and_in_range():
    rows = drawn(
        {
            "point": Point((106.85, -6.2), 12),
            "edge": Point((179.9, 88.0), 300),
            "other": Point("point", 1),
            "none": Point("nothing"),
            "nothing": Maybe(0.5, City("DE")),
        },
        20_000,
    )

    north = [(row["point"]["coordinates"][1] + 6.2) * 111.195 for row in rows]
    east = [(row["point"]["coordinates"][0] - 106.85) * 111.195 * cos(radians(6.2)) for row in rows]
    for distances in (north, east):
        assert kolmogorov(distances, NormalDist(0, 12).cdf) < 1.95
    for row in rows:
        assert row["point"]["type"] == "Point"
        assert all(value == round(value, 6) for value in row["point"]["coordinates"])
        longitude, latitude = row["edge"]["coordinates"]
        assert -180 <= longitude <= 180
        assert -90 <= latitude <= 90
        assert kilometres(row["point"], row["other"]) < 8
        assert (row["none"] is None) == (row["nothing"] is None)
    assert min(row["edge"]["coordinates"][0] for row in rows) < -170


def test_the_cosine_is_one():
    degrees = np.linspace(-180, 180, 10_001)

    assert np.abs(randomness.cosine(degrees) - np.cos(np.radians(degrees))).max() < 1e-12


@pytest.mark.parametrize(
    ("draw", "message"),
    [(City("XX"), "no cities are known of XX"), (Point("word"), "neither a GeoJSON point")],
)
def test_a_place_that_is_none_is_an_error(draw, message):
    with pytest.raises(DeclarationError, match=message):
        drawn({"word": Fake("word"), "value": draw}, 3)


def functions(provider):
    return {
        name: function
        for name, function in inspect.getmembers(provider, inspect.isfunction)
        if function.__module__ == provider.__name__ and not name.startswith("_")
    }


PATHS = {
    "name": "name",
    "company": "company",
    "followers": "profile.followers",
    "at": "at",
    "metric": "metric_name",
    "start": "2025-06-01",
}


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.__name__.rsplit(".", 1)[1])
def test_every_function_of_a_provider_gives_a_draw(provider):
    assert len(functions(provider)) >= 6
    fields = {
        "at": Moment(),
        "name": Fake("name"),
        "company": Fake("company"),
        "profile": social.profile("profile"),
        "metric_name": time_series.metric_name(),
    }
    for name, function in functions(provider).items():
        wanted = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
        assert function.__doc__
        assert not inspect.signature(function).parameters or ">>>" in function.__doc__
        fields[name] = function(*(PATHS.get(parameter, name) for parameter in wanted))

    rows = drawn(fields, 300)

    for name in functions(provider):
        assert all(row[name] is not None for row in rows)
        assert len({repr(row[name]) for row in rows}) > 1


def test_ready_made_documents_agree_in_themselves():
    rows = drawn(
        {
            "size": business.company_size(),
            "staff": business.employee_count("size"),
            "metrics": marketing.engagement("metrics"),
            "device": credit.device(),
            "score": financial.credit_score(),
            "rate": financial.interest_rate("score"),
            "iban": financial.iban("DE"),
            "wallet": credit.ewallet("wallet"),
        },
        3_000,
    )

    for row in rows:
        low, _, high = row["size"].rstrip("+").partition("-")
        assert int(low) <= row["staff"] <= int(high or 400_000)
        metrics = row["metrics"]
        assert metrics["impressions"] >= metrics["clicks"] >= metrics["conversions"]
        assert (row["device"]["maker"] == "Apple") == (row["device"]["os"] == "iOS")
        turned = row["iban"][4:] + "1314" + row["iban"][2:4]
        assert int(turned) % 97 == 1
        assert row["wallet"]["monthly_outflow"] <= 1.1 * row["wallet"]["monthly_inflow"] + 0.01
    assert np.corrcoef([row["score"] for row in rows], [row["rate"] for row in rows])[0, 1] < -0.6


def test_sensor_readings_have_their_season_and_drift():
    rows = {
        "sensors": Rows(4, {"mean": 20.0}),
        "readings": Rows(
            24 * 60,
            {
                "at": time_series.ticks("2025-10-01", minutes=60),
                "value": time_series.sensor_reading(
                    "at", Get("sensor_id.mean"), daily=6, drift=0.1, anomalies=0
                ),
                "sensor_id": seeding.Parent("sensors"),
            },
            per="sensors",
        ),
    }
    readings = documents(plan_of(rows))["readings"]

    by_hour = {hour: fmean(r["value"] for r in readings if r["at"].hour == hour) for hour in (3, 9, 15, 21)}
    assert by_hour[15] - by_hour[3] == pytest.approx(12, abs=0.3)
    assert by_hour[9] == pytest.approx(by_hour[21], abs=0.3)
    first = fmean(r["value"] for r in readings if r["at"].month == 10 and r["at"].day == 1)
    later = fmean(r["value"] for r in readings if r["at"].month == 10 and r["at"].day == 31)
    assert later - first == pytest.approx(3, abs=0.3)
    assert (readings[1]["at"] - readings[0]["at"]).total_seconds() == 3_600
