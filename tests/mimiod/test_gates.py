"""The gates of the steps: the worked example broken in each way is found, with file and line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mimiod import mongo
from mimiod.projects import load_project
from mimiod.reporting import readme
from mimiod.workflow.drafts import Draft
from mimiod.workflow.gates import check_step

from tests.mimiod.runs import run
from tests.mimiod.workshop import assemble, no_server

ENTITY = "| Bicycle | brand and kind, as told at the counter | in `jobs` | one a job |\n"
DESIGN = {
    "section-empty": ("## Assumptions\n", "## Assumptions\n\n## More\n"),
    "unfilled": ("## Patterns\n", "## Patterns\n\n<!-- fill in: patterns -->\n"),
    "design-table-missing": ("## Relationships\n", "## How things hang together\n"),
    "design-column-missing": ("| Frequency | Priority |\n", "| Volume | Priority |\n"),
    "design-cell-empty": ("| 70 / day | high |", "|  | high |"),
    "design-cell-unclear": ("| 70 / day | high |", "| 70 / day | urgent |"),
    "design-entity-alone": (ENTITY, f"{ENTITY}| Voucher | a present | `vouchers` | 10 |\n"),
    "design-no-reads": (" | write | ", " | read | "),
}


def test_a_design_without_relationships_is_found_by_its_heading_and_column(tmp_path):
    changes = (("## Relationships\n", "## Together\n"), ("| Cardinality |", "| Number |"))

    (finding, *_) = _found(tmp_path, 1, tech_design=changes, rule="design-table-missing")

    assert "relationships" in finding.text


@pytest.mark.parametrize("rule", [rule for rule in DESIGN if rule != "design-table-missing"])
def test_what_is_wrong_with_a_design_is_found_at_its_line(tmp_path, rule):
    found = _found(tmp_path, 1, tech_design=[DESIGN[rule]], rule=rule)

    text = (tmp_path / "projects/workshop/tech_design.md").read_text().splitlines()
    assert {finding.file for finding in found} == {"tech_design.md"}
    words = {
        "section-empty": "## Assumptions",
        "unfilled": "<!-- fill in",
        "design-column-missing": "| Volume | Priority |",
        "design-cell-empty": "|  | high |",
        "design-cell-unclear": "| urgent |",
        "design-entity-alone": "| Voucher |",
        "design-no-reads": "| `customer_by_phone` |",
    }
    lines = [text[finding.line - 1] for finding in found]
    assert any(words[rule] in line for line in lines)


def test_a_design_for_another_business_is_found(tmp_path):
    folder = assemble(tmp_path)
    (folder / "brief.md").write_text("Vessels carry containers. " * 3 + "Harbour dues. Harbour pilots. " * 3)

    found = check_step(Draft(folder), 1, no_server).findings

    assert [finding.rule for finding in found] == ["design-misses-input"]


QUERY = '    Query(\n        name="turnover",'
SCHEMA = [
    ("import-failed", [("jobs: Annotated[int,", "jobs: Annotated[integer,")], 40),
    ("import-failed", [("database_schema = BaseMongoDbSchema(", "the_schema = BaseMongoDbSchema(")], None),
    (
        "import-forbidden",
        [("from datetime import datetime\n", "import os\nfrom datetime import datetime\n")],
        3,
    ),
    ("import-forbidden", [("from datetime import datetime\n", "from .. import x\n")], 3),
    ("workload-empty", [("    workload=workload,\n", "")], None),
    ("design-query-missing", [('name="job_by_number"', 'name="x"'), ("Find a job by its number", "")], None),
    ("design-query-differs", [('priority="low"', 'priority="high"')], None),
    ("design-reference-missing", [('Reference("mechanics", why="shared by many jobs")', "1")], None),
    ("missing-index", [('IndexDefinition(name="phone", keys={"phone": 1}, unique=True)', "")], None),
    ("collection-without-query", [('{"from": "mechanics"', '{"from": "customers"')], None),
    ("unfilled", [("class Line(BaseModel):", "# fill in: more\nclass Line(BaseModel):")], 55),
]


@pytest.mark.parametrize(("rule", "changes", "line"), SCHEMA)
def test_what_is_wrong_with_a_schema_is_found(tmp_path, rule, changes, line):
    found = _found(tmp_path, 2, db_schema=changes, rule=rule)

    assert {finding.file for finding in found} <= {"db_schema.py", ""}
    if line:
        said = (tmp_path / "projects/workshop/db_schema.py").read_text().splitlines()[found[0].line - 1]
        assert changes[0][1].partition("\n")[0] in said or "jobs: Annotated[integer" in said


def test_a_collection_of_the_design_that_is_not_declared_is_found(tmp_path):
    row = "| Bicycle | brand and kind, as told at the counter | in `jobs` |"
    found = _found(
        tmp_path, 2, tech_design=[(row, row.replace("in `jobs`", "`bicycles`"))], rule="collection-missing"
    )

    assert [(finding.where, finding.file) for finding in found] == [("bicycles", "tech_design.md")]


def test_what_the_schema_accepts_with_a_reason_passes(tmp_path):
    without = ('{"from": "mechanics"', '{"from": "customers"')
    entry = '    accepted={"collection-without-query:mechanics": "a list on paper"},\n'
    accepted = ("    volumes=", f"{entry}    volumes=")

    gate = check_step(Draft(assemble(tmp_path, db_schema=[without, accepted])), 2, no_server)

    assert gate.passed
    assert [each.reason for each in gate.suppressed] == ["a list on paper"]


SEEDER = [
    ("import-failed", [("import DatabaseSeeder\n", "import DatabaseSeeder, Nothing\n")]),
    ("import-failed", [("class WorkshopSeeder(DatabaseSeeder):", "class WorkshopSeeder:")]),
    ("import-forbidden", [("from typing import ClassVar\n", "import socket\nfrom typing import ClassVar\n")]),
    ("seeder-failed", [('"phone": Digits', '"telephone": Digits')]),
    ("seeder-failed", [('"mechanic_id": Ref', '"bill": 1, "mechanic_id": Ref')]),
    ("seed-document", [("Poisson(2, low=1, high=8)", "12")]),
    ("seed-reference", [('Ref("mechanics", prefer="zipf")', "Function(lambda _: ObjectId(b'nomechanic!!'))"),
                        ("from mimiod import", "from bson import ObjectId\nfrom mimiod import"),
                        ("    Fake,", "    Fake,\n    Function,")]),
    ("seed-duplicate", [('Text("J-{row:07d}")', 'Choice(["J-1", "J-2"])')]),
    ("seed-constant", [('"status": life.state()', '"status": "received"')]),
    ("seed-empty", [("Poisson(4, high=25)", "0")]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "changes"), SEEDER)
def test_what_is_wrong_with_a_seeder_is_found_without_a_server(tmp_path, rule, changes):
    found = _found(tmp_path, 3, seed_db=changes, rule=rule)

    assert found[0].file in {"seed_db.py", ""}
    assert found[0].mend


LOOPS = """
from mimiod import DatabaseSeeder


class Workshop(DatabaseSeeder):
    def seed_all_collections(self, num_records=None):
        self.insert("mechanics", ({"name": "Ann", "speciality": "NONE"} for _ in range(self.scaled(1_000))))
"""


def test_a_seeder_with_loops_is_tried_in_a_database_that_is_gone_afterwards(tmp_path, mongodb):
    folder = assemble(tmp_path, mongodb.database)
    (folder / "seed_db.py").write_text(LOOPS.replace("NONE", "wheels"))

    gate = check_step(Draft(folder), 3, lambda: mongodb.uri)

    assert gate.facts["rows"]["mechanics"] == 10
    with mongo.connect(mongodb.uri) as client:
        names = client.list_database_names()
    assert not [name for name in names if name.startswith("mimiod_dry_") or name == mongodb.database]


def test_a_file_that_is_not_there_or_no_text_is_a_finding_of_its_step(tmp_path):
    folder = assemble(tmp_path)
    for file in folder.iterdir():
        file.unlink()
    missing = {1: "tech_design.md", 2: "db_schema.py", 3: "db_schema.py", 4: "db_schema.py", 5: "README.md"}

    for step, file in missing.items():
        (finding,) = check_step(Draft(folder), step, no_server).findings
        assert (finding.rule, finding.file) == ("file-missing", file)
    (folder / "tech_design.md").write_bytes("# Entwurf: Übersicht".encode("utf-16"))
    assert [each.rule for each in check_step(Draft(folder), 1, no_server).findings] == ["file-unreadable"]


README = [
    ("readme-section-missing", [("## Queries", "## Ideas")]),
    ("readme-command-missing", [("uv run mimiod run projects/workshop", "uv run mimiod run projects/x")]),
    ("readme-code", [('database.jobs.count_documents({"status": "received"})', "database.jobs.count(")]),
    ("readme-code", [("database.jobs.count_documents", "database.repairs.count_documents")]),
    ("readme-query-missing", [('database.mechanics.find_one(best["_id"])["name"]', '"Ann"')]),
    ("section-empty", [("\n`mimiod score workshop`: 100 of 100.\n", "")]),
]


@pytest.fixture(scope="module")
def documented(tmp_path_factory):
    """The README of the example with its generated sections."""
    folder = assemble(tmp_path_factory.mktemp("documented"))
    readme.write(folder, load_project(folder).schema)
    return (folder / "README.md").read_text()


@pytest.mark.parametrize(("rule", "changes"), README)
def test_what_is_wrong_with_a_readme_is_found(tmp_path, documented, rule, changes):
    folder = assemble(tmp_path)
    for old, new in changes:
        assert old in documented
        documented = documented.replace(old, new)
    (folder / "README.md").write_text(documented)

    found = [finding for finding in check_step(Draft(folder), 5, no_server).findings if finding.rule == rule]

    assert found
    assert {finding.file for finding in found} == {"README.md"}
    if rule == "readme-code":
        assert changes[0][1] in documented.splitlines()[found[0].line - 1]


def test_a_readme_of_an_older_schema_does_not_pass(tmp_path, documented):
    folder = assemble(tmp_path, db_schema=[('"Who repairs them."', '"Who mends them."')])
    (folder / "README.md").write_text(documented)

    gate = check_step(Draft(folder), 5, no_server)

    assert {finding.rule for finding in gate.findings} == {"readme-stale"}
    assert not gate.passed


FEW = [("            900,\n", "            60,\n")]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory, mongodb_databases):
    """The example, small, run in full: its folder and its server."""
    with mongodb_databases.fresh() as database:
        folder = assemble(tmp_path_factory.mktemp("seeded"), database, seed_db=FEW)
        assert run(folder, mongodb_databases.url).passed
        yield folder, mongodb_databases.url, database


def test_a_complete_run_passes(seeded):
    folder, uri, _ = seeded

    gate = check_step(Draft(folder), 4, lambda: uri)

    assert [str(each) for each in gate.findings if each.severity != "note"] == []
    assert gate.facts["verification"]["passed"]


def test_wrong_data_does_not_pass(seeded):
    folder, uri, database = seeded
    with mongo.connect(uri) as client:
        jobs = client[database]["jobs"]
        one = jobs.find_one_and_update({}, {"$set": {"total": 123_456_789}})
        try:
            gate = check_step(Draft(folder), 4, lambda: uri)
        finally:
            jobs.replace_one({"_id": one["_id"]}, one)

    assert not gate.passed
    assert {finding.rule for finding in gate.findings if finding.severity == "error"} == {"data-fault"}


@pytest.mark.parametrize(
    ("mark", "said"),
    [({"state": "interrupted"}, "interrupted"), ({"scale": 0.1}, "at scale 0.1"), (None, "no run of mimiod")],
)
def test_a_run_that_is_not_whole_does_not_pass(seeded, mark, said):
    folder, uri, database = seeded
    with mongo.connect(uri) as client:
        marks = client[database]["_mimiod"]
        before = marks.find_one({"_id": "run"})
        if mark:
            marks.update_one({"_id": "run"}, {"$set": mark})
        else:
            marks.delete_one({"_id": "run"})
        try:
            gate = check_step(Draft(folder), 4, lambda: uri)
        finally:
            marks.replace_one({"_id": "run"}, before, upsert=True)

    (finding,) = (each for each in gate.findings if each.severity == "error")
    assert finding.rule == "run-missing"
    assert said in finding.text


def test_an_empty_database_does_not_pass(tmp_path, mongodb):
    gate = check_step(Draft(assemble(tmp_path, mongodb.database)), 4, lambda: mongodb.uri)

    assert [finding.rule for finding in gate.findings] == ["run-missing"]


def test_the_command_answers_in_json_and_by_its_exit_code(tmp_path):
    folder = assemble(tmp_path, tech_design=[DESIGN["design-cell-empty"]])

    ran = subprocess.run(
        [sys.executable, "-m", "mimiod", "check", folder, "--step", "1", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (1, "")
    answer = json.loads(ran.stdout)
    assert (answer["project"], answer["step"], answer["passed"]) == ("workshop", 1, False)
    (finding,) = answer["findings"]
    assert finding.keys() == {"rule", "severity", "where", "file", "line", "text", "mend"}


def test_a_check_of_the_whole_project_shows_what_the_gates_of_its_files_find(seeded):
    folder, uri, _ = seeded
    design = Path(folder) / "tech_design.md"
    whole = design.read_text()
    design.write_text(whole.replace(*DESIGN["design-cell-empty"]))
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "mimiod", "check", folder, "--uri", uri],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        design.write_text(whole)

    assert ran.returncode == 1
    assert "(design-cell-empty)" in ran.stdout


def _found(home, step, *, rule, **changes):
    gate = check_step(Draft(assemble(home, **changes)), step, no_server)
    found = [finding for finding in gate.findings if finding.rule == rule]
    assert found, [str(finding) for finding in gate.findings]
    return found
