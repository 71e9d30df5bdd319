"""The instructions of the steps: their example passes every gate, and what they name is there."""

import json
import re
import subprocess
import sys
from datetime import datetime
from itertools import pairwise

import pytest
from mimiod import mongo, seeding
from mimiod.checking.explanations import OTHERS
from mimiod.checking.rules import RULES
from mimiod.errors import ConfigurationError
from mimiod.projects import load_project
from mimiod.reporting import readme
from mimiod.workflow import faults, markdown, steps
from mimiod.workflow.drafts import Draft
from mimiod.workflow.gates import STEPS, check_step
from mimiod.workflow.score import score

from tests.mimiod.runs import run
from tests.mimiod.workshop import ROOT, assemble, no_server

PAGES = {file.name: file.read_text() for file in sorted((ROOT / "steps").glob("*.md"))}


def test_the_example_passes_the_gates_of_the_files_without_a_server(tmp_path):
    draft = Draft(assemble(tmp_path))

    for step in (1, 2, 3):
        gate = check_step(draft, step, no_server)
        assert [str(finding) for finding in gate.findings] == []
        assert gate.suppressed == []


def test_the_example_passes_every_gate_and_scores_what_its_readme_says(tmp_path, mongodb):
    folder = assemble(tmp_path, mongodb.database)
    assert run(folder, mongodb.uri).passed
    readme.write(folder, load_project(folder).schema)

    scored = score(Draft(folder), lambda: mongodb.uri)

    assert [each.gate.passed for each in scored.steps] == [True] * 5
    assert [
        str(each) for step in scored.steps for each in step.gate.findings if each.severity != "note"
    ] == []
    (said,) = re.findall(r"^`mimiod score workshop`: (\d+) of 100\.$", PAGES["5_document.md"], re.MULTILINE)
    assert scored.score == int(said)
    made = scored.steps[3].gate.facts["verification"]["collections"].values()
    documents = sum(each["documents"] for each in made)
    assert f"It makes {documents:,} documents" in PAGES["5_document.md"]
    _answers_are_real(folder, mongodb)


def _answers_are_real(folder, mongodb):
    found = markdown.blocks((folder / "README.md").read_text())
    answers = [(code, said) for code, said in pairwise(found) if said.language == "json"]
    assert len(answers) == 3
    with mongo.connect(mongodb.uri) as client:
        for code, answer in answers:
            names = {"database": client[mongodb.database], "datetime": datetime}
            exec(compile(code.text, "README.md", "exec"), names)
            assert names["answer"] == json.loads(answer.text)


def test_the_vocabulary_is_that_of_the_page_on_seeding():
    page = (ROOT / "docs/seeding.md").read_text()
    vocabulary = page[page.index("## Collections") : page.index("## Common mistakes")].rstrip()

    assert re.sub(r"^#", "##", vocabulary, flags=re.MULTILINE) in PAGES["3_seed_db.md"]
    assert not [name for name in seeding.__all__ if not re.search(rf"\b{name}\b", PAGES["3_seed_db.md"])]


@pytest.mark.parametrize("page", [name for name in PAGES if name != "README.md"])
def test_the_findings_that_a_page_names_can_be_explained(page):
    table = PAGES[page].split("| Finding", 1)[-1] if "| Finding" in PAGES[page] else PAGES[page]
    named = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([a-z]+(?:-[a-z]+)+|unfilled)`", line.split(" | ")[0])
    }

    assert len(named) > 4
    assert not named - RULES.keys() - OTHERS.keys()


def test_every_fault_of_a_step_stands_on_its_page():
    general = {"file-missing", "file-unreadable", "import-forbidden", "seed-ignores-scale"}
    for each in faults.FAULTS.values():
        (page,) = [text for name, text in PAGES.items() if name.startswith(each.family.removeprefix("step "))]
        assert each.id in general or each.id in page, each.id


def test_the_pages_name_commands_that_there_are():
    named = {
        name
        for text in PAGES.values()
        for name in re.findall(r"(?:`|uv run |^)mimiod ([a-z]+)\b", text, re.MULTILINE)
    }
    listed = subprocess.run(
        [sys.executable, "-m", "mimiod", "--help"], capture_output=True, text=True, timeout=60, check=True
    ).stdout

    assert {"new", "steps", "check", "run", "explain", "score", "report", "rules"} <= named
    assert not [name for name in named if not re.search(rf"\b{name}\b", listed)]


@pytest.mark.parametrize(("arguments", "page"), [([], "README.md"), (["3"], "3_seed_db.md")])
def test_the_command_prints_the_page_of_a_step_or_of_all(arguments, page):
    printed = subprocess.run(
        [sys.executable, "-m", "mimiod", "steps", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert printed == PAGES[page]


def test_every_step_has_its_page():
    assert {steps.text(step) for step in STEPS} == {
        text for name, text in PAGES.items() if name != "README.md"
    }


def test_the_pages_of_an_installed_wheel_are_those_of_the_repository():
    found = {file.name: file.read_text() for file in steps.find().glob("*.md")}

    assert found == PAGES


def test_the_pages_are_found_in_a_wheel_and_in_a_checkout(tmp_path):
    for place in ("wheel/mimiod/steps", "checkout/steps"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "1_tech_design.md").write_text(place)

    assert steps.text(1, steps.find(tmp_path / "wheel/mimiod")) == "wheel/mimiod/steps"
    assert steps.text(1, steps.find(tmp_path / "checkout/packages/mimiod/src/mimiod")) == "checkout/steps"
    with pytest.raises(ConfigurationError, match="has no steps/"):
        steps.find(tmp_path / "elsewhere")
