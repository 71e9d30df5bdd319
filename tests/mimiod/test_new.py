"""`mimiod new`: a project with its input and skeletons, or one clear line."""

import io
import subprocess
import sys

import pytest
from mimiod.errors import ProjectError
from mimiod.workflow import skeletons
from mimiod.workflow.drafts import Draft
from mimiod.workflow.gates import check_step

from tests.mimiod.runs import run
from tests.mimiod.workshop import no_server


def new(home, name, source, content=b""):
    given = source if source == "-" else str(home / source)
    return skeletons.create(name, given, home, io.BytesIO(content))


def command(home, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "mimiod", "new", *arguments],
        cwd=home,
        capture_output=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.fixture
def home(tmp_path):
    (tmp_path / "projects").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (".md", "# A shop\n"),
        (".txt", "A shop.\n"),
        (".sql", "CREATE TABLE shop (id int);\n"),
        (".json", '{"a": 1}\n'),
    ],
)
def test_the_input_is_kept_beside_the_five_files(home, ending, text):
    (home / f"input{ending}").write_text(text)

    folder = new(home, "my_shop", f"input{ending}")

    assert folder == home / "projects" / "my_shop"
    assert (folder / f"brief{ending}").read_text() == text
    files = {file.name for file in folder.iterdir()} - {f"brief{ending}"}
    assert files == {"tech_design.md", "db_schema.py", "seed_db.py", "main.py", "README.md"}


def test_the_command_takes_standard_input_and_says_what_is_next(home):
    made = command(home, "my_shop", "--from", "-", input="# Ein Café\n".encode())

    assert (made.returncode, made.stderr) == (0, b"")
    assert b"next: mimiod steps 1, then mimiod check my_shop --step 1" in made.stdout
    assert (home / "projects/my_shop/brief.md").read_text(encoding="utf-8") == "# Ein Café\n"


def test_the_command_refuses_in_one_line(home):
    made = command(home, "my_shop", "--from", "missing.md")

    assert made.returncode == 1
    assert made.stderr == b"error: missing.md cannot be read: No such file or directory\n"
    assert list((home / "projects").iterdir()) == []


def test_the_skeletons_run_and_fail_their_gates_for_what_is_to_be_filled_in_only(home, mongodb):
    folder = new(home, mongodb.database, "-", b"A shop with customers and orders.")
    draft = Draft(folder)

    assert run(folder, mongodb.uri).passed
    instructive = {
        1: {"unfilled", "design-table-missing"},
        2: {"unfilled", "design-row-missing"},
        3: {"unfilled"},
        5: {"unfilled", "readme-stale", "readme-query-missing", "readme-index-missing"},
    }
    for step, rules in instructive.items():
        gate = check_step(draft, step, no_server)
        assert not gate.passed
        assert {finding.rule for finding in gate.findings} == rules
        assert all(finding.line for finding in gate.findings if finding.rule == "unfilled")


@pytest.mark.parametrize(
    "name", ["My_Shop", "../x", "1st", "a b", "", "-x", "x" * 39, "shop.py", "café", "shop\n"]
)
def test_a_bad_name_is_refused(home, name):
    assert_refused(home, name, "-", b"A shop.", "is no name for a project")


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("brief.md", b"", "is empty"),
        ("brief.md", b" \n\t", "is empty"),
        ("brief.md", b"\x89PNG\r\n\x1a\n\xff", "is no UTF-8 text"),
        ("brief.md", b"a\0b", "null bytes"),
        ("brief.txt", b"x" * 1_000_001, "is larger than"),
        ("brief.json", b"{", "is no JSON"),
        ("brief.docx", b"x", "ends in .md, .txt, .sql, .json"),
        ("-", b"\xff", "the standard input is no UTF-8 text"),
    ],
)
def test_an_input_that_cannot_be_used_is_refused(home, file, content, complaint):
    if file != "-":
        (home / file).write_bytes(content)

    assert_refused(home, "my_shop", file, content, complaint)


def test_a_folder_is_no_input(home):
    (home / "brief.md").mkdir()

    assert_refused(home, "my_shop", "brief.md", b"", "cannot be read")


def test_an_existing_project_stays_as_it_is(home):
    kept = home / "projects/my_shop/kept"
    kept.parent.mkdir()
    kept.write_text("mine")

    with pytest.raises(ProjectError, match="exists: give another name"):
        new(home, "my_shop", "-", b"A shop.")

    assert [file.name for file in kept.parent.iterdir()] == ["kept"]


def assert_refused(home, name, source, content, complaint):
    with pytest.raises(ProjectError) as refused:
        new(home, name, source, content)

    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value).replace(name, "")
    assert list((home / "projects").iterdir()) == []
