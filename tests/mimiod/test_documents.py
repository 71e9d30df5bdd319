"""The documents: what they show has run, and what they name is there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from dotenv import dotenv_values
from mimiod import DatabaseSeeder
from mimiod.cli.app import app
from mimiod.settings import load_settings
from mimiod.workflow import markdown

ROOT = Path(__file__).parents[2]
PAGES = [
    str(file.relative_to(ROOT))
    for place in ("*.md", "docs/**/*.md", "steps/*.md", "projects/*/README.md", "packages/mimiod/*.md")
    for file in sorted(ROOT.glob(place))
    if "mimiod " in file.read_text()
]
SOURCES = sorted((ROOT / "packages/mimiod/src").rglob("*.py"))
COMMAND = re.compile(
    r"^(?:\s*(?:- )?(?:run: )?(?:\$ )?)(?:.* && )?(?:uv run (?:--\S+ )*)?mimiod (?P<words>.+)$"
)


def blocks(file, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / file).read_text(), re.MULTILINE | re.DOTALL)


def without_what_varies(transcript, database):
    """The lines that are the same on every machine: neither times, ports, servers nor progress."""
    lines = [line.replace(database, "library").rstrip() for line in transcript.splitlines()]
    kept = [line for line in lines if line and not line.startswith(("$", "note:", "  ", "query it:"))]
    return [re.sub(r" in [0-9.]+ s on .*", "", line) for line in kept]


def test_the_packages_readme_shows_what_happens(tmp_path, mongodb):
    schema, seeder = blocks("packages/mimiod/README.md", "python")
    (transcript,) = (block for block in blocks("packages/mimiod/README.md", "") if "mimiod run" in block)
    (tmp_path / "db_schema.py").write_text(schema.replace('"library"', f'"{mongodb.database}"'))
    (tmp_path / "seed_db.py").write_text(seeder)

    ran = subprocess.run(
        [sys.executable, "-m", "mimiod", "run", tmp_path, "--uri", mongodb.uri],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"COLUMNS": "200"},
        check=True,
    )

    expected = without_what_varies(transcript, mongodb.database)
    assert without_what_varies(ran.stdout, mongodb.database) == expected
    assert expected[-1] == "library: verified, 258 documents"


def test_what_the_third_step_names_a_seeder_has():
    names = set(re.findall(r"`self\.(\w+)", (ROOT / "steps/3_seed_db.md").read_text()))

    assert names >= {"scaled", "object_id", "rng", "faker", "insert"}
    assert all(hasattr(DatabaseSeeder, name) for name in names)


def test_the_example_of_an_env_file_can_be_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = (ROOT / ".env.example").read_text()
    (tmp_path / ".env").write_text(re.sub(r"^# ([A-Z_]+=)", r"\1", example, flags=re.MULTILINE))

    settings = load_settings()

    values = dotenv_values(tmp_path / ".env")
    assert settings.mongodb_uri == values["MONGODB_URI"]
    assert settings.server_cache == values["MIMIOD_SERVER_CACHE"]
    assert settings.data_dir == tmp_path / values["MIMIOD_DATA_DIR"]


def shown(page):
    """Return the words of each command that stands in a block of a page."""
    lines = [line for block in markdown.blocks((ROOT / page).read_text()) for line in block.text.splitlines()]
    return [words(match["words"]) for line in lines if (match := COMMAND.match(line))]


def named(text):
    """Return the words of each command that stands in backticks."""
    found = re.findall(r"`(?:uv run )?mimiod ([a-z][^`]*)`", text)
    return [words(each) for each in found]


def words(command):
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    lexer.whitespace_split = True
    found = []
    for word in lexer:
        if set(word) <= set("|&;><"):
            break
        found.append(word.strip("[]"))
    return found


def resolved(given):
    """Return the command of these words and what is left of them; AssertionError if there is none."""
    command, path, rest = typer.main.get_command(app), "mimiod", list(given)
    while hasattr(command, "commands") and rest and rest[0] != "--help":
        path = f"{path} {rest[0]}"
        assert rest[0] in command.commands, f"there is no {path}"
        command = command.commands[rest.pop(0)]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    unknown = [word for word in rest if word.startswith("-") and word.split("=")[0] not in {*options, "-"}]
    assert not unknown, f"{path} has no {', '.join(unknown)}"
    return command, path, rest


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_are_those_that_there_are(page):
    for given in named((ROOT / page).read_text()):
        resolved(given)
    for given in shown(page):
        command, path, rest = resolved(given)
        if rest != ["--help"]:
            command.make_context(path, ["1" if word == "N" else word for word in rest])


def test_the_commands_that_messages_name_are_those_that_there_are():
    found = [given for file in SOURCES for given in named(file.read_text())]

    assert len(found) > 30
    for given in found:
        resolved([word for word in given if not word.startswith("{")])


def test_every_command_is_on_the_packages_page():
    group = typer.main.get_command(app)
    page = (ROOT / "packages/mimiod/README.md").read_text()

    assert not [name for name in group.commands if f"| `mimiod {name}" not in page]
