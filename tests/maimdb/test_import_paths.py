"""Every path that callers import from gives the same objects, and the public surface is what it says."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import maimdb
import maimdb.core.errors
import pytest

PATHS = [
    "maimdb",
    "maimdb.core",
    "maimdb.core.models",
    "maim_db",
    "maim_db.core",
    "maim_db.core.models",
    "maim_db.src.core",
    "maim_db.src.core.models",
]
MODELS = [
    "ALL_MODELS",
    "Agent",
    "AgentActiveState",
    "AgentStatus",
    "ApiKey",
    "ApiKeyStatus",
    "BaseModel",
    "BusinessBaseModel",
    "ChatHistory",
    "ChatLogs",
    "FileUpload",
    "OldAgent",
    "OldApiKey",
    "OldTenant",
    "SystemMetrics",
    "Tenant",
    "TenantStatus",
    "TenantType",
    "User",
    "UserSession",
]
DATABASE = ["get_database", "init_database", "close_database", "db_manager"]
ASYNC = [f"Async{name}" for name in ("Tenant", "Agent", "ApiKey", "AgentActiveState")]
CONFIGURATION = ["AGENT_CONFIG_MODELS", "AgentConfigManager", "parse_json_field", "serialize_json_field"]

STRANGERS = {
    *("ConnectionError", "ImportError", "IntegrityError", "LookupError", "OperationalError"),
    *("PermissionError", "ProgrammingError", "RuntimeError", "TimeoutError", "ValueError"),
}
"""Errors of Python and Peewee that the tree of ours names."""


@pytest.mark.parametrize("path", PATHS)
def test_every_path_gives_the_same_objects(path):
    module = importlib.import_module(path)
    names = MODELS if path == "maimdb.core.models" else MODELS + DATABASE + ASYNC + CONFIGURATION
    assert {name: getattr(module, name) for name in names} == {name: getattr(maimdb, name) for name in names}
    assert all(getattr(module, name) is getattr(maimdb, name) for name in names)


@pytest.mark.parametrize("package", ["maim_db.core", "maim_db.src.core"])
@pytest.mark.parametrize("module", ["models.system_v2", "models.business", "async_models"])
def test_submodules_give_the_same_classes(package, module):
    ours = importlib.import_module(f"maimdb.core.{module}")
    theirs = importlib.import_module(f"{package}.{module}")
    assert ours.__all__
    assert all(getattr(theirs, name) is getattr(ours, name) for name in ours.__all__)


@pytest.mark.parametrize("path", [each for each in PATHS if each.startswith("maimdb")])
def test_public_surface_is_what_all_says(path):
    module = importlib.import_module(path)
    # What a package imports for itself, and its submodules, are no part of its surface.
    found = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, type(sys)) and name != "on_fallback"
    }
    assert found == set(module.__all__)
    assert len(module.__all__) == len(set(module.__all__))


def test_the_package_offers_the_core_and_every_error():
    errors = {name for name in vars(maimdb.core.errors) if name.endswith("Error")}
    assert set(maimdb.__all__) == set(maimdb.core.__all__) | errors
    assert errors == set(re.findall(r"\b\w+Error\b", maimdb.core.errors.__doc__)) - STRANGERS


def test_importing_opens_no_database_and_warns_of_nothing(tmp_path):
    code = f"import {', '.join(PATHS)}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True, capture_output=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert list(tmp_path.iterdir()) == []


def test_older_paths_hold_no_code_of_their_own():
    root = Path(importlib.import_module("maim_db").__file__).parent
    for file in root.rglob("*.py"):
        code = [line for line in file.read_text().splitlines() if line and not line.startswith('"""')]
        assert all(line.startswith("from maimdb") for line in code), file
