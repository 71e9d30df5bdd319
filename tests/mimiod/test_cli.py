"""The command line as a person or a machine meets it: what is printed, and the exit code."""

import json
import os
import signal
import subprocess
import sys

import pytest
from mimiod import embedded, mongo

BLOCKING_SEEDER = """
import threading

from mimiod import DatabaseSeeder


class Blocking(DatabaseSeeder):
    def METHOD(self, *arguments):
        threading.Event().wait(600)

    def seed_all_collections(self, num_records=None):
        pass
"""


def mimiod(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "mimiod", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def assert_one_clear_line(ran, complaint):
    assert ran.returncode == 1
    assert complaint in ran.stderr
    assert ran.stderr.startswith("error: ")
    assert ran.stderr.count("\n") == 1
    assert "Traceback" not in ran.stdout + ran.stderr


def test_a_run_prints_its_phases_and_a_summary(make_project, mongodb):
    ran = mimiod("run", make_project(), "--uri", mongodb.uri)

    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert [line.split()[0] for line in lines[:6]] == [
        "pre-checks",
        "clear",
        "collections",
        "seed",
        "indexes",
        "validate",
    ]
    assert ["people", "20", "0", "0"] in [line.split() for line in lines]
    assert ["orders", "100", "100", "0"] in [line.split() for line in lines]
    assert lines[-2].startswith(f"{mongodb.database}: verified, 120 documents in ")
    assert lines[-1].startswith("query it: mongosh mongodb://")


def test_the_projects_main_does_the_same(make_project, mongodb):
    folder = make_project()

    ran = subprocess.run(
        [sys.executable, "main.py", "--scale", "0.5"],
        cwd=folder,
        env=os.environ | {"MONGODB_URI": mongodb.uri},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert "verified, 60 documents" in ran.stdout


def test_json_is_a_line_for_every_event_whatever_the_seeder_prints(make_project, mongodb):
    seeder = """
from mimiod import DatabaseSeeder

class Loud(DatabaseSeeder):
    def seed_all_collections(self, num_records=None):
        print("no JSON")
"""
    ran = mimiod("run", make_project(seed_db=seeder), "--uri", mongodb.uri, "--json")

    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0
    assert [event["phase"] for event in events if event["event"] == "phase"][-1] == "validate"
    assert events[-1]["event"] == "summary"
    assert events[-1]["passed"] is True
    assert "no JSON" in ran.stderr


def test_what_is_not_as_declared_exits_1(make_project, mongodb):
    seeder = """
from mimiod import DatabaseSeeder, PyObjectId

class Dangling(DatabaseSeeder):
    def seed_all_collections(self, num_records=None):
        self.insert("orders", [{"_id": PyObjectId(), "person": PyObjectId(), "total": 1}])
"""
    ran = mimiod("run", make_project(seed_db=seeder), "--uri", mongodb.uri)

    assert ran.returncode == 1
    assert "fault: orders _id " in ran.stdout
    assert "NOT as declared" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere"], "there is no project 'nowhere'"),
        (
            ["PROJECT", "--uri", "mongodb://ann:pw@127.0.0.1:1"],
            "no answer from mongodb://ann:***@127.0.0.1:1",
        ),
        (["PROJECT", "--uri", "mongodb://ann:p/w@h"], "mongodb://ann:***@h cannot be used"),
    ],
)
def test_bad_input_is_one_clear_line(make_project, arguments, complaint):
    folder = make_project()

    ran = mimiod("run", *[folder if part == "PROJECT" else part for part in arguments])

    assert_one_clear_line(ran, complaint)
    assert "pw" not in ran.stdout + ran.stderr


def test_a_named_server_that_is_down_is_never_replaced(make_project, tmp_path):
    ran = mimiod("run", make_project(), MONGODB_URI="mongodb://127.0.0.1:1")

    assert_one_clear_line(ran, "no answer from mongodb://127.0.0.1:1")
    assert not (tmp_path / "data").exists()


def test_an_error_is_json_where_json_was_asked_for():
    ran = mimiod("run", "nowhere", "--json")

    assert ran.returncode == 1
    assert json.loads(ran.stdout.splitlines()[-1])["event"] == "error"


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "x", "--scale", "0"], ["run", "x", "--scale", "much"]]
)
def test_wrong_usage_exits_2(arguments):
    ran = mimiod(*arguments)

    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr


@pytest.mark.backend("mongodb")
def test_a_user_without_rights_is_told_what_is_missing(make_project, secured_server):
    folder = make_project()

    wrong = mimiod("run", folder, "--uri", secured_server.uri("boss:pw"))
    reader = mimiod("run", folder, "--uri", secured_server.uri("reader:glasses"))

    assert_one_clear_line(wrong, "refuses user 'boss': wrong name or password")
    assert_one_clear_line(reader, "user 'reader' lacks a right")
    assert "glasses" not in reader.stdout + reader.stderr


def interrupted(folder, uri, phase):
    """Run the project and send Ctrl-C once the phase has begun; returns code, events and other output."""
    with subprocess.Popen(
        [sys.executable, "-m", "mimiod", "run", str(folder), "--uri", uri, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        events = []
        for line in process.stdout:
            events.append(json.loads(line))
            if events[-1] == {"event": "phase", "phase": phase}:
                process.send_signal(signal.SIGINT)
        return process.wait(240), events, process.stderr.read()


PHASES = {
    "pre-checks": ("db_schema", "import threading\n\nthreading.Event().wait(600)\n"),
    "clear": ("seed_db", BLOCKING_SEEDER.replace("METHOD", "clear_database")),
    "seed": (
        "seed_db",
        BLOCKING_SEEDER.replace(
            "    def seed_all_collections(self, num_records=None):\n        pass\n", ""
        ).replace("METHOD", "seed_all_collections"),
    ),
    "indexes": ("seed_db", BLOCKING_SEEDER.replace("METHOD", "create_indexes")),
    "validate": ("seed_db", BLOCKING_SEEDER.replace("METHOD", "validate_seed_data")),
}


@pytest.mark.parametrize("phase", PHASES)
def test_ctrl_c_in_any_phase_is_one_line_and_the_next_run_works(make_project, mongodb, phase):
    file, text = PHASES[phase]
    folder = make_project()
    whole = (folder / f"{file}.py").read_text()
    (folder / f"{file}.py").write_text(text)

    code, events, other = interrupted(folder, mongodb.uri, phase)

    assert code == 130
    assert events[-1] == {
        "event": "error",
        "text": f"interrupted in the phase {phase}; run the same command again to start over",
    }
    assert "Traceback" not in other

    (folder / f"{file}.py").write_text(whole)
    assert mimiod("run", folder, "--uri", mongodb.uri).returncode == 0


@pytest.mark.parametrize("command", ["verify", "check"])
def test_ctrl_c_in_a_command_that_only_reads_is_one_clear_line(make_project, mongodb, tmp_path, command):
    os.mkfifo(tmp_path / "reached")
    blocking = f"""
import threading
open({str(tmp_path / "reached")!r}, "w").close()
threading.Event().wait(600)
"""
    folder = make_project(db_schema=blocking)
    with subprocess.Popen(
        [sys.executable, "-m", "mimiod", command, folder, "--uri", mongodb.uri],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        (tmp_path / "reached").open().close()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=240)

    assert process.returncode == 130
    assert said == ("", "error: interrupted; run the same command again to start over\n")


def test_the_second_of_two_runs_at_once_is_refused(make_project, mongodb):
    folder = make_project(seed_db=PHASES["seed"][1])
    with subprocess.Popen(
        [sys.executable, "-m", "mimiod", "run", str(folder), "--uri", mongodb.uri, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as first:
        while json.loads(first.stdout.readline()).get("phase") != "seed":
            pass
        second = mimiod("run", folder, "--uri", mongodb.uri)
        first.send_signal(signal.SIGINT)
        first.stdout.read()

    assert_one_clear_line(second, f"is being filled by process {first.pid} on ")


@pytest.mark.backend("mongodb")
def test_the_server_can_be_started_looked_at_stopped_and_wiped(tmp_path, private_server):
    del private_server
    data = {"MIMIOD_DATA_DIR": str(tmp_path / "data")}

    assert mimiod("server", "status", **data).returncode == 1
    started = mimiod("server", "start", **data)
    try:
        uri = started.stdout.split(" at ")[1].split()[0]
        assert "`mimiod server stop` stops it, `mimiod server wipe` deletes its data" in started.stdout
        with mongo.connect(uri):
            assert uri in mimiod("server", "status", **data).stdout
        assert "the data stays in" in mimiod("server", "stop", **data).stdout
        assert mimiod("server", "stop", **data).stdout == "no embedded server runs\n"
        refused = mimiod("server", "wipe", **data)
        assert refused.returncode == 1
        assert list((tmp_path / "data").iterdir()) != []
        assert "deleted " in mimiod("server", "wipe", "--yes", **data).stdout
    finally:
        embedded.wipe(tmp_path / "data")


def test_a_failing_server_command_is_one_clear_line(tmp_path):
    (tmp_path / "data").write_text("a file")

    assert_one_clear_line(
        mimiod("server", "start", MIMIOD_DATA_DIR=str(tmp_path / "data")), "embedded server"
    )


def test_help_names_every_command():
    shown = mimiod("--help").stdout

    assert all(command in shown for command in ("run", "server"))
