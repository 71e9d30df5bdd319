"""Draws of moments and states: seasons, bursts, orders in time, and machines that agree with themselves."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from math import log
from statistics import NormalDist, fmean

import pytest
from mimiod import DeclarationError
from mimiod.seeding import (
    After,
    Age,
    Before,
    Burst,
    Choice,
    Day,
    LogNormal,
    Maybe,
    Moment,
    States,
    To,
    Uniform,
    When,
)

from tests.mimiod.planning import NOW, chi_square, drawn, kolmogorov, values

YEAR = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
HOURS = [1, 0, 0, 0, 0, 1, 2, 4, 6, 8, 10, 11, 11, 12, 10, 9, 9, 9, 10, 11, 13, 13, 6, 3]
WEEKDAYS = [5, 5, 4, 5, 6, 2, 1]
MONTHS = [1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 4, 5]


def test_moments_without_weights_are_even_in_their_window():
    sample = values(Moment("2025-03-01T06:30:00", date(2025, 3, 9)))

    start, end = datetime(2025, 3, 1, 6, 30, tzinfo=UTC), datetime(2025, 3, 9, tzinfo=UTC)
    assert start <= min(sample)
    assert max(sample) < end
    assert kolmogorov(sample, lambda moment: (moment - start) / (end - start)) < 1.95


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        ({}, NOW - timedelta(days=365), NOW),
        ({"days": 0.5}, NOW - timedelta(hours=12), NOW),
        ({"start": "2025-12-01"}, datetime(2025, 12, 1, tzinfo=UTC), NOW),
        (
            {"end": "2020-01-11", "days": 10},
            datetime(2020, 1, 1, tzinfo=UTC),
            datetime(2020, 1, 11, tzinfo=UTC),
        ),
        (
            {"start": "1969-12-31", "days": 2},
            datetime(1969, 12, 31, tzinfo=UTC),
            datetime(1970, 1, 2, tzinfo=UTC),
        ),
        (
            {"start": "2025-01-01T00:00:00+07:00", "end": "2025-01-01T00:00:01+07:00"},
            datetime(2024, 12, 31, 17, tzinfo=UTC),
            datetime(2024, 12, 31, 17, 0, 1, tzinfo=UTC),
        ),
    ],
)
def test_a_window_is_given_by_two_of_start_end_and_days(window, start, end):
    sample = values(Moment(**window), 3_000)

    assert start <= min(sample) < start + (end - start) / 100
    assert end - (end - start) / 100 < max(sample) < end


def test_hours_weekdays_and_months_have_their_weights_in_local_time():
    sample = values(Moment(*YEAR, hours=HOURS, weekdays=WEEKDAYS, months=MONTHS, offset=7))
    local = [moment + timedelta(hours=7) for moment in sample]

    days = [YEAR[0] + timedelta(days=number) for number in range(365)]
    by_day = {day.date(): WEEKDAYS[day.weekday()] * MONTHS[day.month - 1] for day in days}
    whole = [moment for moment in local if moment.date() in by_day and moment.date() != date(2025, 1, 1)]
    del by_day[date(2025, 1, 1)]
    months, weekdays = Counter(), Counter()
    for day, weight in by_day.items():
        months[day.month] += weight
        weekdays[day.weekday()] += weight
    assert chi_square(Counter(moment.hour for moment in whole), dict(enumerate(HOURS))) < 4
    assert chi_square(Counter(moment.month for moment in whole), months) < 4
    assert chi_square(Counter(moment.weekday() for moment in whole), weekdays) < 4


def test_growth_says_how_much_denser_the_end_is():
    sample = values(Moment(*YEAR, growth=4.0))

    by_hour = [4 ** ((hour + 0.5) / 8_760) for hour in range(8_760)]
    total = sum(by_hour)
    weights = {part: sum(by_hour[part * 876 : part * 876 + 876]) / total for part in range(10)}
    counts = Counter(int((moment - YEAR[0]) / (YEAR[1] - YEAR[0]) * 10) for moment in sample)
    assert chi_square(counts, weights) < 4


def test_a_burst_is_denser_by_its_factor():
    draw = Moment(
        *YEAR, bursts=[Burst("2025-11-11", days=2, times=5), Burst(date(2025, 3, 1), times=0)], offset=7
    )
    local = [moment + timedelta(hours=7) for moment in values(draw)]

    counts = Counter(moment.date() for moment in local)
    ordinary = (len(local) - counts[date(2025, 11, 11)] - counts[date(2025, 11, 12)]) / 362
    assert counts[date(2025, 11, 11)] == pytest.approx(5 * ordinary, rel=0.1)
    assert counts[date(2025, 11, 12)] == pytest.approx(5 * ordinary, rel=0.1)
    assert counts[date(2025, 3, 1)] == 0


@pytest.mark.parametrize(
    "declare",
    [
        lambda: Moment(hours=[1] * 23),
        lambda: Moment(weekdays=[0] * 7),
        lambda: Moment(growth=0),
        lambda: Moment("2025-13-01"),
        lambda: Moment("2025-01-01", "2025-02-01", days=3),
        lambda: Moment(bursts=[Burst("soon")]),
        lambda: Burst("2025-01-01", days=0),
        lambda: values(Moment("2025-02-01", "2025-01-01"), 1),
        lambda: values(Moment("2027-02-01"), 1),
        lambda: values(Moment("2025-01-01T02:00", "2025-01-01T03:00", hours=[0] * 3 + [1] * 21), 1),
        lambda: After(by=3),
        lambda: After("at", unit="fortnights"),
        lambda: Before("at", unit="weeks"),
        lambda: States("at", {"a": [To("b")]}, first="x"),
        lambda: States("at", {"a": [To("b", unit="years")]}, first="a"),
        lambda: States("at", {"a": [To("b", -1)]}, first="a"),
        lambda: States("at", {"a": [To("b")]}, first="a").at("c"),
    ],
)
def test_a_senseless_time_is_refused(declare):
    with pytest.raises(DeclarationError) as error:
        declare()

    assert "\n" not in str(error.value)


def test_an_age_is_the_whole_part_of_its_years():
    for now in (NOW, datetime(2024, 2, 29, 15, tzinfo=UTC), datetime(2025, 7, 31, tzinfo=UTC)):
        rows = drawn({"born": Age(Uniform(30, 32)), "none": Age(None)}, 4_000, now=now)

        ages = Counter(
            now.year - row["born"].year - ((now.month, now.day) < (row["born"].month, row["born"].day))
            for row in rows
        )
        assert chi_square(ages, {30: 1, 31: 1, 32: 1}) < 4
        assert all(row["born"].hour == row["born"].minute == 0 and row["none"] is None for row in rows)


def test_moments_after_and_before_others():
    rows = drawn(
        {
            "a": Moment(days=30),
            "b": Maybe(0.5, Moment(days=30)),
            "later": After("a", "b", by=LogNormal(6, 1), unit="days"),
            "open": After("a", by=Uniform(10, 20), past=False),
            "before": Before("a", by=Uniform(1, 2), unit="hours"),
            "day": Day("a", offset=7),
        },
        5_000,
    )

    for row in rows:
        if row["b"] is None:
            assert row["later"] is None
        else:
            assert max(row["a"], row["b"]) <= row["later"] <= NOW
        assert timedelta(days=10) <= row["open"] - row["a"] <= timedelta(days=20)
        assert timedelta(hours=1) <= row["a"] - row["before"] <= timedelta(hours=2)
        local = row["a"] + timedelta(hours=7)
        assert row["day"] + timedelta(hours=7) == local.replace(hour=0, minute=0, second=0, microsecond=0)


LIFE = States(
    "applied_at",
    {
        "applied": [
            To("approved", 0.6, by=LogNormal(2, 0.7), unit="hours"),
            To("rejected", 0.3, by=LogNormal(4, 0.5), unit="hours"),
        ],
        "approved": [To("active", 90, by=LogNormal(1, 0.5)), To("cancelled", 10, by=Uniform(5, 6))],
        "active": [To("late", 0.3, by=30), To("repaid", 0.7, by=60)],
        "late": [To("active", 0.8, by=5), To("lost", 0.2, by=90)],
    },
    first="applied",
)
FIELDS = {
    "applied_at": Moment("2020-01-01", "2021-01-01"),
    "status": LIFE.state(),
    "since": LIFE.since(),
    "approved_at": LIFE.at("approved"),
    "rejected_at": LIFE.at("rejected"),
    "late_at": LIFE.at("late"),
    "events": LIFE.history(state="status", at="at"),
    "steps": LIFE.step_count(),
}


def test_steps_have_their_weights_and_dwell_times():
    rows = drawn(FIELDS, 20_000)

    second = Counter(row["events"][1]["status"] if row["steps"] else "applied" for row in rows)
    assert chi_square(second, {"approved": 0.6, "rejected": 0.3, "applied": 0.1}) < 4
    third = Counter(row["events"][2]["status"] for row in rows if row["approved_at"] and row["steps"] > 1)
    assert chi_square(third, {"active": 0.9, "cancelled": 0.1}) < 4
    hours = [
        (row["approved_at"] - row["applied_at"]).total_seconds() / 3_600 for row in rows if row["approved_at"]
    ]
    assert kolmogorov(hours, lambda x: NormalDist().cdf(log(x / 2) / 0.7)) < 1.95


def test_all_that_one_machine_tells_of_a_document_agrees():
    for row in drawn(FIELDS, 3_000) + drawn(FIELDS | {"applied_at": Moment(days=40)}, 3_000):
        states, times = zip(*((event["status"], event["at"]) for event in row["events"]), strict=True)
        assert (states[0], times[0]) == ("applied", row["applied_at"])
        assert (states[-1], times[-1]) == (row["status"], row["since"])
        assert list(times) == sorted(times)
        assert times[-1] <= NOW
        assert row["steps"] == len(states) - 1
        for name in ("approved", "rejected", "late"):
            first = times[states.index(name)] if name in states else None
            assert row[f"{name}_at"] == first


def test_what_would_come_after_now_has_not_happened_unless_that_is_wanted():
    steps = {"new": [To("done", 1, by=Uniform(0.0, 20.0))]}
    past, future = States("at", steps, first="new"), States("at", steps, first="new", past=False)
    rows = drawn({"at": Moment(days=10), "past": past.state(), "future": future.at("done")}, 5_000)

    assert all(row["past"] == ("done" if row["future"] <= NOW else "new") for row in rows)
    assert fmean(row["past"] == "done" for row in rows) == pytest.approx(0.25, abs=0.03)


def test_a_document_without_a_start_has_no_state():
    life = States("at", {"new": [To("done", by=1)]}, first="new")
    rows = drawn(
        {
            "at": Maybe(0.5, Moment("2024-01-01", "2025-01-01")),
            "state": life.state(),
            "since": life.since(),
            "all": life.history(),
            "steps": life.step_count(),
        },
        200,
    )

    for row in rows:
        if row["at"] is None:
            assert (row["state"], row["since"], row["all"], row["steps"]) == (None, None, [], 0)
        else:
            assert (row["state"], len(row["all"]), row["steps"]) == ("done", 2, 1)


def test_a_machine_that_goes_round_is_cut():
    life = States("at", {"on": [To("off", by=1)], "off": [To("on", by=1)]}, first="on")

    assert {row["n"] for row in drawn({"at": Moment("2020-01-01", days=9), "n": life.step_count()}, 50)} == {
        16
    }


def test_dwell_times_may_depend_on_the_document_and_names_keep_machines_apart():
    steps = {"a": [To("b", 0.5, by=When("kind", {"slow": 10}, otherwise=1)), To("c", 0.5, by=1)]}
    one, two, same = (States("at", steps, first="a", name=name) for name in ("one", "two", "one"))
    rows = drawn(
        {
            "kind": Choice(["slow", "fast"]),
            "at": Moment("2024-01-01", "2025-01-01"),
            "one": one.state(),
            "two": two.state(),
            "same": same.state(),
            "b": one.at("b"),
        },
        2_000,
    )

    assert all(row["one"] == row["same"] for row in rows)
    assert fmean(row["one"] == row["two"] for row in rows) == pytest.approx(0.5, abs=0.05)
    assert all(
        row["b"] - row["at"] == timedelta(days=10 if row["kind"] == "slow" else 1) for row in rows if row["b"]
    )
