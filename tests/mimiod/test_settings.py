"""The settings: where they come from, and which wins."""

import os
from pathlib import Path

import pytest
from mimiod import ConfigurationError
from mimiod.settings import environment_without_secrets, find_home, load_settings


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "projects" / "shop"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return folder


def test_nothing_set_means_no_server_is_named(project, tmp_path):
    settings = load_settings(project)

    assert settings.mongodb_uri is None
    assert settings.home == tmp_path
    assert settings.data_dir == tmp_path / "data"


def test_the_environment_wins_over_the_projects_file_and_that_over_the_homes(project, tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("MONGODB_URI=mongodb://home\nMIMIOD_SERVER_CACHE=1G\n")
    assert load_settings(project).mongodb_uri == "mongodb://home"

    (project / ".env").write_text("MONGODB_URI=mongodb://project\n")
    assert load_settings(project).mongodb_uri == "mongodb://project"

    monkeypatch.setenv("MONGODB_URI", "mongodb://environment")
    assert load_settings(project).mongodb_uri == "mongodb://environment"
    assert load_settings(project).server_cache == "1G"


def test_an_empty_variable_counts_as_unset(project, monkeypatch):
    (project / ".env").write_text("MONGODB_URI=mongodb://file\n")
    monkeypatch.setenv("MONGODB_URI", "")

    assert load_settings(project).mongodb_uri == "mongodb://file"


def test_reading_changes_no_environment(project):
    (project / ".env").write_text("MONGODB_URI=mongodb://file\n")
    before = dict(os.environ)

    load_settings(project)

    assert dict(os.environ) == before


def test_a_dollar_in_a_password_is_a_dollar(project):
    (project / ".env").write_text("MONGODB_URI='mongodb://a:x${HOME}@h'\n")

    assert load_settings(project).mongodb_uri == "mongodb://a:x${HOME}@h"


def test_a_file_that_is_no_text_is_named(project):
    (project / ".env").write_bytes(b"A=\xff\xfe")

    with pytest.raises(ConfigurationError, match=r"\.env cannot be read"):
        load_settings(project)


def test_the_data_folder_can_be_elsewhere(project, tmp_path, monkeypatch):
    monkeypatch.setenv("MIMIOD_DATA_DIR", "/somewhere")
    assert load_settings(project).data_dir == Path("/somewhere")

    monkeypatch.setenv("MIMIOD_DATA_DIR", "elsewhere")
    assert load_settings(project).data_dir == tmp_path / "elsewhere"


def test_home_is_found_from_within_a_project(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project)

    assert load_settings().home == tmp_path


def test_a_project_elsewhere_leaves_the_home_where_one_is(project, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (project / ".env").write_text("MONGODB_URI=mongodb://project\n")

    settings = load_settings(project)

    assert settings.mongodb_uri == "mongodb://project"
    assert settings.data_dir == tmp_path / "data"


def test_without_projects_the_folder_itself_is_home(tmp_path):
    assert find_home(tmp_path) == tmp_path


def test_credentials_do_not_reach_other_processes(monkeypatch):
    for name in ("MONGODB_URI", "OPENAI_API_KEY", "DATABASE_URL", "DB_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LANG", "C")

    environment = environment_without_secrets()

    assert "secret" not in environment.values()
    assert environment["LANG"] == "C"
