"""Runs that end before their time: killed, interrupted, or left by their server; and rows added later."""

import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from mimiod import AppendError, ServerUnavailableError, mongo
from mimiod.seeding import loading
from mimiod.seeding.progress import Progress, Ranges

from tests.mimiod.runs import Heard, contents_of, run

KILLS = int(os.environ.get("MIMIOD_KILLS", "2"))
"How often `test_kills_leave_no_trace` kills; `--log-cli-level=INFO` shows what came of it."


def interrupt():
    raise KeyboardInterrupt


def interrupted(folder, uri, **options):
    with pytest.raises(KeyboardInterrupt, match="go on where it ended"):
        run(folder, uri, reporter=Heard(interrupt), **options)


def started(folder, uri, *options):
    return subprocess.Popen(
        [sys.executable, "-m", "mimiod", "run", str(folder), "--uri", uri, "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def events_of(process):
    out, other = process.communicate(timeout=120)
    assert "Traceback" not in other
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def big_shop(make_shop):
    return make_shop(("PEOPLE, ORDERS_EACH, BUCKETS = 400", "PEOPLE, ORDERS_EACH, BUCKETS = 2000"))


DECLARED = """
from mimiod import DatabaseSeeder
from mimiod.seeding import Fake, Poisson, Rows, Sequence, Text, Uniform


class Shop(DatabaseSeeder):
    rows = {
        "people": Rows(1500, {"name": Fake("name"), "email": Text("{n}@example.com", n=Sequence())}),
        "orders": Rows(Poisson(3, high=20), {"total": Uniform(1, 100)}, per="people"),
    }
"""


@pytest.mark.timeout(max(300, 30 * KILLS))
def test_kills_leave_no_trace(make_project, trial, contents):
    folder = make_project(seed_db=DECLARED)
    with started(folder, trial.uri, "--workers", "2") as process:
        began = time.monotonic()
        assert events_of(process)[-1]["passed"]
        lasts = time.monotonic() - began
    expected = contents()

    draw, kills, longest, resumed = random.Random(), 0, 0.0, 0
    while True:
        began = time.monotonic()
        with started(folder, trial.uri, "--workers", "2") as process:
            try:
                if kills < KILLS:
                    process.wait(draw.uniform(0.2, 0.8) * lasts)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
                process.communicate()
                continue
            events = events_of(process)
        resumed += any("resuming" in event.get("text", "") for event in events)
        longest = max(longest, time.monotonic() - began)
        assert events[-1]["passed"], events[-1]
        assert contents() == expected
        if kills == KILLS:
            break
    said = "%d kills, %d resumes to the end, the longest took %.1f s"
    logging.getLogger(__name__).info(said, kills, resumed, longest)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_run_goes_on(make_shop, trial, contents, workers):
    folder = make_shop()
    run(folder, trial.uri)
    expected = contents()
    interrupted(folder, trial.uri, workers=workers)
    there = Progress.stored(trial.database).made.total()
    reporter = Heard()

    assert run(folder, trial.uri, reporter=reporter).passed

    assert 0 < there < 2010
    assert (
        reporter.notes[0] == f"resuming: {there:,} of about 2,010 documents are there (--fresh starts over)"
    )
    assert reporter.phases == ["collections", "seed", "indexes", "validate"]
    assert contents() == expected


def test_ctrl_c_stops_the_workers_at_once_and_says_how_to_go_on(big_shop, trial):
    with started(big_shop, trial.uri, "--workers", "2") as process:
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "progress" and event["done"]:
                break
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
        events = events_of(process)
        lasted = time.monotonic() - began

    assert process.returncode == 130
    assert events[-1]["text"] == (
        "interrupted in the phase seed; run the same command again to go on where it ended"
    )
    assert lasted < 3
    with started(big_shop, trial.uri) as process:
        events = events_of(process)
    assert "resuming: " in next(event["text"] for event in events if event["event"] == "note")
    assert events[-1]["passed"]


@pytest.mark.parametrize("other", [{"seed": 7}, {"scale": 0.5}, {"fresh": True}], ids=str)
def test_other_data_starts_over(make_shop, trial, other):
    folder = make_shop()
    interrupted(folder, trial.uri)
    reporter = Heard()

    assert run(folder, trial.uri, reporter=reporter, **other).passed

    assert reporter.phases[0] == "clear"
    assert reporter.notes == []


def test_another_seeder_starts_over(make_shop, trial):
    folder = make_shop()
    interrupted(folder, trial.uri)
    (folder / "seed_db.py").write_text((folder / "seed_db.py").read_text() + "\n# edited\n")
    reporter = Heard()

    assert run(folder, trial.uri, reporter=reporter).passed
    assert reporter.phases[0] == "clear"


def test_after_a_complete_run_the_same_command_starts_over(make_shop, trial):
    folder = make_shop()
    run(folder, trial.uri)
    reporter = Heard()

    run(folder, trial.uri, reporter=reporter)

    assert reporter.phases[0] == "clear"


def test_a_run_that_was_not_as_declared_starts_over(make_shop, trial):
    folder = make_shop(("row // ORDERS_EACH", "10**6 + row // ORDERS_EACH"))
    assert not run(folder, trial.uri).passed
    reporter = Heard()

    run(folder, trial.uri, reporter=reporter)

    assert reporter.phases[0] == "clear"


def test_appending_keeps_rows_and_computes_totals_anew(make_shop, trial, contents):
    folder = make_shop()
    run(folder, trial.uri, scale=2.5)
    expected = contents()
    run(folder, trial.uri)
    trial.database.people.update_one({}, {"$set": {"name": "mine"}})
    reporter = Heard()

    summary = run(folder, trial.uri, append=2.5, reporter=reporter)

    assert summary.passed
    assert summary.scale == 2.5
    assert reporter.notes == ["keeping 2,010 documents of scale 1, adding rows up to scale 2.5"]
    assert trial.database.people.count_documents({"name": "mine"}) == 1
    run(folder, trial.uri)
    run(folder, trial.uri, append=2.5)
    assert contents() == expected


def test_an_interrupted_append_goes_on(make_shop, trial, contents):
    folder = make_shop()
    run(folder, trial.uri, scale=2)
    expected = contents()
    run(folder, trial.uri)
    interrupted(folder, trial.uri, append=2)
    reporter = Heard()

    assert run(folder, trial.uri, append=2, reporter=reporter).passed

    assert reporter.notes[0].startswith("resuming: ")
    assert contents() == expected


def test_appending_needs_something_to_append_to(make_shop, trial):
    folder = make_shop()
    with pytest.raises(AppendError, match="has nothing to append to: run without --append first"):
        run(folder, trial.uri, append=2)

    run(folder, trial.uri)
    with pytest.raises(AppendError, match=r"is at scale 1: --append takes a larger one, not 0\.5"):
        run(folder, trial.uri, append=0.5)
    with pytest.raises(AppendError, match="was made with other project files, another seed"):
        run(folder, trial.uri, append=2, seed=7)
    assert run(folder, trial.uri, append=1.1).passed  # the refusals changed nothing

    interrupted(folder, trial.uri)
    with pytest.raises(AppendError, match="did not end well: run it again, with --scale 1, before"):
        run(folder, trial.uri, append=2)


def test_a_seeder_that_inserts_by_itself_cannot_be_appended_to(make_project, trial):
    with pytest.raises(AppendError, match="shop seeds its database by itself"):
        run(make_project(), trial.uri, append=2)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.backend("mongodb")
def test_a_server_killed_in_mid_load_loses_nothing(make_shop, mongodb, private_server, workers):
    folder, server = make_shop(), private_server()
    restarting = []

    def kill_once():
        if not restarting:
            server.kill()
            restarting.append(threading.Thread(target=server.start))
            restarting[0].start()

    reporter = Heard(kill_once)
    summary = run(folder, server.url, reporter=reporter, workers=workers)
    restarting[0].join()

    assert summary.passed
    assert reporter.notes[-1] == "the server was started anew: what it may have lost is made again"
    with mongo.connect(server.url) as client:
        survived = contents_of(mongo.database(client, mongodb.database))
    assert run(folder, server.url, fresh=True).passed
    with mongo.connect(server.url) as client:
        assert contents_of(mongo.database(client, mongodb.database)) == survived


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.backend("mongodb")
def test_a_server_that_stays_away_is_given_up_and_the_run_goes_on_later(
    make_shop, mongodb, private_server, monkeypatch, workers
):
    monkeypatch.setattr(loading, "PATIENCE", 0.5)
    folder = make_shop()
    server = private_server()
    reporter = Heard(server.kill)
    uri = f"{server.url}?serverSelectionTimeoutMS=1000"

    with pytest.raises(ServerUnavailableError, match="no answer from mongodb://127"):
        run(folder, uri, reporter=reporter, workers=workers)
    server.start()

    assert reporter.notes[-1] == "the server does not answer, trying again for 0.5 s"
    with mongo.connect(uri) as client:  # the mark could not be changed any more: make its process a dead one
        client[mongodb.database]["_mimiod"].update_one({"_id": "run"}, {"$set": {"pid": 2**22 + 1}})
    reporter = Heard()
    assert run(folder, uri, reporter=reporter).passed
    assert reporter.phases[0] == "collections"


def test_what_a_server_lost_is_made_again(make_shop, trial, contents):
    folder = make_shop()
    run(folder, trial.uri)
    expected = contents()
    interrupted(folder, trial.uri)
    trial.database.orders.delete_many({})

    assert run(folder, trial.uri).passed

    assert contents() == expected


def test_ranges_are_merged():
    ranges = Ranges([(0, 10), (20, 30), (40, 50)])

    ranges.add(10, 20)
    ranges.add(45, 60)

    assert ranges.ranges == [(0, 30), (40, 60)]
    assert ranges.missing(100) == [(30, 40), (60, 100)]
    assert ranges.missing(35) == [(30, 35)]
    assert Ranges().missing(0) == []
