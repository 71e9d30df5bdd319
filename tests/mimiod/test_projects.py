"""Loading a project: whatever is wrong with its files is one line with the place."""

import shutil

import pytest
from mimiod import ProjectError
from mimiod.projects import load_project

BAD = {
    "no schema file": ({"db_schema": None}, r"has no db_schema\.py: a project has"),
    "no seeder file": ({"seed_db": None}, r"has no seed_db\.py"),
    "a schema that raises": ({"db_schema": "\nx = {}['key']\n"}, r"db_schema\.py:2: KeyError: 'key'"),
    "a schema that is no Python": ({"db_schema": "x = 1\ndef (:\n"}, r"db_schema\.py:2: invalid syntax"),
    "a schema that exits": ({"db_schema": "raise SystemExit(0)\n"}, r"db_schema\.py:1: SystemExit: 0"),
    "an import that is missing": (
        {"seed_db": "import nonesuch\n"},
        r"seed_db\.py:1: ModuleNotFoundError: No module named 'nonesuch'",
    ),
    "a schema that pydantic refuses": (
        {"db_schema": "from mimiod import IndexDefinition\n\nIndexDefinition(keys={})\n"},
        r"db_schema\.py:3: ValidationError: 1 validation error",
    ),
    "no database_schema": ({"db_schema": "other = 1\n"}, "defines no `database_schema`"),
    "a database_schema of another kind": (
        {"db_schema": "database_schema = 1\n"},
        "defines no `database_schema`",
    ),
    "no seeder": ({"seed_db": "x = 1\n"}, "defines none: it has to define one DatabaseSeeder"),
    "a seeder that does not seed": (
        {"seed_db": "from mimiod import DatabaseSeeder\nclass S(DatabaseSeeder): pass\n"},
        r"S does not define seed_all_collections\(\)",
    ),
    "two seeders": (
        {"seed_db": "from mimiod import DatabaseSeeder\nclass A(DatabaseSeeder): pass\nclass B(A): pass\n"},
        "defines A, B: it has to define one",
    ),
}


@pytest.mark.parametrize(("files", "complaint"), BAD.values(), ids=BAD)
def test_a_broken_project_is_refused_with_the_place(make_project, files, complaint):
    with pytest.raises(ProjectError, match=complaint) as caught:
        load_project(make_project(**files))

    assert "\n" not in str(caught.value)


def test_a_project_is_found_by_its_name_from_anywhere_in_the_home(make_project, tmp_path, monkeypatch):
    folder = make_project()
    elsewhere = tmp_path / "data"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    assert load_project("shop").folder == folder


def test_a_project_that_is_nowhere_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ProjectError, match="there is no project 'shop'"):
        load_project("shop")


def test_each_load_reads_the_files_anew(make_project):
    folder = make_project()
    first = load_project(folder)
    schema = folder / "db_schema.py"
    schema.write_text(
        schema.read_text().replace('"people": Base', '"people2": Base').replace('"people")', '"people2")')
    )

    assert "people" in first.schema.collections
    assert "people2" in load_project(folder).schema.collections


def test_a_project_may_have_modules_of_its_own_and_gets_no_other_projects(make_project, tmp_path):
    first = make_project()
    (first / "extras.py").write_text("NUMBER = 1\n")
    seeder = first / "seed_db.py"
    seeder.write_text(f"import extras\n{seeder.read_text()}\n    number = extras.NUMBER\n")
    second = tmp_path / "projects" / "second"
    shutil.copytree(first, second)
    (second / "extras.py").write_text("NUMBER = 2\n")

    numbers = [load_project(folder).seeder.number for folder in (first, second)]

    assert numbers == [1, 2]
