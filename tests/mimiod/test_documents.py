"""The documents: what they show has run, and what they name is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from dotenv import dotenv_values
from mimiod import DatabaseSeeder
from mimiod.settings import load_settings

ROOT = Path(__file__).parents[2]


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
