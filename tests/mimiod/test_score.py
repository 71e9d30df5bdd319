"""The score: points for evidence, which declaring less never brings more of."""

import json
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mimiod.projects import load_project
from mimiod.reporting import readme
from mimiod.schema_types import Computed, Copy, NotBefore, Reference, marks, references
from mimiod.workflow import gate_schema
from mimiod.workflow.drafts import Draft
from mimiod.workflow.gates import check_step
from mimiod.workflow.score import POINTS, SHARES, StepScore, scale, score

from tests.mimiod.rule_blog import blog
from tests.mimiod.rule_shop import good_shop
from tests.mimiod.runs import run
from tests.mimiod.workshop import ROOT, assemble, no_server

MARKS = (Reference, Copy, Computed, NotBefore)


def described(schema):
    """Return a design that says what a schema declares."""
    lines = ["# Design", "## Entities", "| Entity | What it is | Collection |", "|---|---|---|"]
    lines += [f"| {name} | things | `{name}` |" for name in schema.collections]
    lines += ["## Relationships", "| From → to | Cardinality | How | Why |", "|---|---|---|---|"]
    lines += [
        f"| {mark.collection} → {name} | 1 : many | reference `{name}.{path}` | shared |"
        for name, each in schema.collections.items()
        for path, mark in references(each.document_schema).items()
    ]
    columns = ("Query", "Action", "Type", "Information", "Frequency", "Priority")
    lines += ["## Workload", f"| {' | '.join(columns)} |", 6 * "|---" + "|"]
    for query in schema.workload:
        kind = "write" if query.action in {"insert", "update", "delete"} else "read"
        kind = "write" if query.pipeline and query.pipeline[-1].keys() & {"$merge", "$out"} else kind
        lines.append(
            f"| `{query.name}` | {query.name} | {kind} | all | {query.per_minute} | {query.priority} |"
        )
    return "\n".join([*lines, "## Patterns", "None.", "## Sample data", "None."])


def forget_mark(schema, collection, path):
    """Take a mark off a field of a collection's documents, or of what is embedded in them."""
    model = schema.collections[collection].document_schema
    copied = type(model.__name__, (model,), {"__module__": model.__module__, "__doc__": model.__doc__})
    for name, field in copied.model_fields.items():
        if (field.serialization_alias or name) == path:
            field.metadata = [each for each in field.metadata if not isinstance(each, MARKS)]
    copied.model_rebuild(force=True)
    declared = schema.collections[collection].model_copy(update={"document_schema": copied})
    return with_collections(schema, {**schema.collections, collection: declared})


def with_collections(schema, collections):
    return schema.model_copy(update={"collections": collections})


def without_query(schema, name):
    return schema.model_copy(update={"workload": [each for each in schema.workload if each.name != name]})


def without_index(schema, collection, name):
    declared = schema.collections[collection]
    kept = [index for index in declared.indexes if index.name != name]
    changed = declared.model_copy(update={"indexes": kept})
    return with_collections(schema, {**schema.collections, collection: changed})


def without_validator(schema, collection):
    changed = schema.collections[collection].model_copy(update={"validation_level": "off"})
    return with_collections(schema, {**schema.collections, collection: changed})


def without_collection(schema, collection):
    """Drop a collection, its queries, and the marks that need it."""
    kept = {name: each for name, each in schema.collections.items() if name != collection}
    changed = with_collections(schema, kept)
    for name, declared in kept.items():
        for path, mark in references(declared.document_schema).items():
            if mark.collection == collection and "." not in path:
                changed = forget_mark(changed, name, path)
    queries = [each for each in changed.workload if each.collection != collection]
    return changed.model_copy(update={"workload": queries})


def removals(schema):
    """Return every removal of one thing by a name."""
    found = {f"query {each.name}": (without_query, each.name) for each in schema.workload}
    for name, declared in schema.collections.items():
        found[f"validator {name}"] = (without_validator, name)
        found |= {
            f"index {name}:{index.name}": (without_index, name, index.name) for index in declared.indexes
        }
        for kind in MARKS:
            paths = [path for path in marks(declared.document_schema, kind) if "." not in path]
            found |= {f"mark {name}.{path}": (forget_mark, name, path) for path in paths}
    return found


def schema_score(folder, schema):
    draft = Draft(folder)
    draft.__dict__["schema"] = schema
    return StepScore(gate_schema.gate(draft), len(schema.accepted))


DESIGNS = {
    "shop": lambda: good_shop().context().schema,
    "blog": lambda: blog,
    "digital_bank": lambda: load_project(ROOT / "projects/digital_bank").schema,
}


@pytest.fixture(scope="module", params=DESIGNS)
def design(request, tmp_path_factory):
    """A folder with a design, its schema and what that scores."""
    schema = DESIGNS[request.param]()
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "tech_design.md").write_text(described(schema))
    return folder, schema, schema_score(folder, schema)


def test_a_design_that_declares_all_scores_well(design):
    assert design[2].gate.passed
    assert design[2].earned > 80


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_declaring_less_never_scores_more(design, data):
    folder, schema, whole = design
    known = removals(schema)

    for name in data.draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=6, unique=True)):
        change, *arguments = known[name]
        schema = change(schema, *arguments)

    less = schema_score(folder, schema)
    assert less.earned <= whole.earned
    assert less.score <= whole.score


def test_leaving_out_a_collection_never_scores_more(design):
    folder, schema, whole = design

    inside = {
        mark.collection
        for each in schema.collections.values()
        for path, mark in references(each.document_schema).items()
        if "." in path
    }
    left_out = sorted(schema.collections.keys() - inside)[:4]
    assert left_out
    for name in left_out:
        assert schema_score(folder, without_collection(schema, name)).score < whole.score


def test_leaving_out_a_query_always_costs(design):
    folder, schema, whole = design

    for query in schema.workload[:4]:
        assert schema_score(folder, without_query(schema, query.name)).earned < whole.earned


def test_a_schema_without_workload_has_no_points_for_it(design):
    folder, schema, _ = design

    scored = schema_score(folder, schema.model_copy(update={"workload": []}))

    points = {each.asked: scored.points(each) for each in scored.gate.evidence}
    assert scored.score <= 59
    for asked in (
        "actions of the design that the workload declares",
        "queries without fault",
        "queries that an index serves",
        "collections that a query is on",
    ):
        assert points[asked] == 0


def test_accepting_findings_costs_something(design):
    folder, schema, whole = design

    more = schema.model_copy(update={"accepted": {**schema.accepted, "hidden-index:x": "a reason"}})

    assert schema_score(folder, more).earned < whole.earned


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, mongodb_databases):
    """The worked example, small, run in full and documented: its folder, its server, its score."""
    with mongodb_databases.fresh() as database:
        home = tmp_path_factory.mktemp("workshop")
        folder = assemble(home, database, seed_db=[("            900,\n", "            60,\n")])
        assert run(folder, mongodb_databases.url).passed
        readme.write(folder, load_project(folder).schema)
        yield folder, mongodb_databases.url, score(Draft(folder), lambda: mongodb_databases.url)


def test_a_whole_project_has_all_points(workshop):
    assert workshop[2].score == 100


def paragraphs(text):
    """Yield a text without each of its sections, and without some of the rows of its tables."""
    lines = text.splitlines(keepends=True)
    heads = [number for number, line in enumerate(lines) if line.startswith("## ")] + [len(lines)]
    for first, last in pairwise(heads):
        yield "".join(lines[:first] + lines[last:])
    rows = [number for number, line in enumerate(lines) if line.startswith(("| `", "- "))]
    for number in rows[:: 1 + len(rows) // 6]:
        yield "".join(lines[:number] + lines[number + 1 :])


@pytest.mark.parametrize(("file", "step"), [("tech_design.md", 1), ("README.md", 5)])
def test_a_shorter_document_never_scores_more(workshop, file, step):
    folder, _, whole = workshop
    before = whole.steps[step - 1]
    text = (folder / file).read_text()
    try:
        for shorter in paragraphs(text):
            (folder / file).write_text(shorter)
            after = StepScore(check_step(Draft(folder), step, no_server))
            assert after.score <= before.score
        (folder / file).unlink()
        assert StepScore(check_step(Draft(folder), step, no_server)).score == 0
    finally:
        (folder / file).write_text(text)


def test_a_seeder_that_makes_less_never_scores_more(workshop):
    folder, _, whole = workshop
    file = folder / "seed_db.py"
    text = file.read_text()
    try:
        for declared in ("Poisson(4, high=25)", 'Fake("name")', "life.state()"):
            file.write_text(text.replace(declared, "0"))
            assert StepScore(check_step(Draft(folder), 3, no_server)).score < whole.steps[2].score
    finally:
        file.write_text(text)


def test_data_that_is_not_there_has_no_points(workshop, mongodb):
    folder, _, whole = workshop
    draft = Draft(folder)
    draft.__dict__["project"] = load_project(folder)
    schema = draft.__dict__["project"].schema.model_copy(update={"database_name": mongodb.database})
    object.__setattr__(draft.__dict__["project"], "schema", schema)

    scored = StepScore(check_step(draft, 4, lambda: mongodb.uri))

    assert (scored.score, whole.steps[3].score) == (0, 100)


def test_a_query_less_scores_less_on_the_data_too(workshop):
    folder, uri, whole = workshop
    file = folder / "db_schema.py"
    text = file.read_text()
    try:
        file.write_text(text.replace("    workload=workload,", "    workload=workload[1:],"))
        scored = StepScore(check_step(Draft(folder), 4, lambda: uri))
    finally:
        file.write_text(text)

    assert scored.earned < whole.steps[3].earned


def test_the_scale_adds_up_and_names_all_that_is_asked(workshop):
    assert sum(SHARES.values()) == 100
    assert [sum(points.values()) for points in POINTS.values()] == [100] * 5
    for step in workshop[2].steps:
        assert [each.asked for each in step.gate.evidence] == list(POINTS[step.gate.step])
    page = (ROOT / "docs/score.md").read_text()
    for line in scale().splitlines():
        assert line in page


def test_the_exit_code_serves_ci(workshop):
    folder, uri, _ = workshop
    (folder / "README.md").rename(folder / "hidden")
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "mimiod", "score", folder, "--uri", uri, "--least", "90", "--json"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        (folder / "hidden").rename(folder / "README.md")

    assert (ran.returncode, ran.stderr) == (1, "")
    answer = json.loads(ran.stdout)
    assert (answer["score"], answer["passed"], answer["least"]) == (79, False, 90)
    assert [each["score"] for each in answer["steps"]] == [100, 100, 100, 100, 0]
