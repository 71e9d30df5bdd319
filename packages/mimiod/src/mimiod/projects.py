"""A project: the folder with `db_schema.py` and `seed_db.py`, found and loaded."""

from __future__ import annotations

import importlib
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mimiod.errors import MimiodError, ProjectError
from mimiod.schema_types import BaseMongoDbSchema
from mimiod.seeder_base import DatabaseSeeder
from mimiod.settings import find_home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_MODULES = ("db_schema", "seed_db")


@dataclass(frozen=True)
class Project:
    """A project's name, folder, schema and seeder."""

    name: str
    folder: Path
    schema: BaseMongoDbSchema
    seeder: type[DatabaseSeeder]


def load_project(where: str | Path) -> Project:
    """Return the project in a folder, or of that name under `projects/`.

    Raises:
        ProjectError: a file is missing or fails to import, or defines no schema or seeder; the text
            names file and line.
    """
    folder = find_project(where)
    for module in _MODULES:
        if not (folder / f"{module}.py").is_file():
            raise ProjectError(
                f"{folder} has no {module}.py: a project has db_schema.py with `database_schema` "
                "and seed_db.py with a DatabaseSeeder"
            )
    _forget_other_projects()
    sys.path.insert(0, str(folder))
    try:
        schema_module, seeder_module = (_imported(module, folder) for module in _MODULES)
    finally:
        sys.path.remove(str(folder))
    return Project(folder.name, folder, _schema_in(schema_module, folder), _seeder_in(seeder_module, folder))


def load_schema(where: str | Path) -> BaseMongoDbSchema:
    """Return a project's schema alone, whatever its seeder is like.

    Raises:
        ProjectError: as `load_project` has it.
    """
    folder = find_project(where)
    file = folder / "db_schema.py"
    if not file.is_file():
        raise ProjectError(f"{file}: it is missing: it defines `database_schema`")
    _forget_other_projects()
    sys.path.insert(0, str(folder))
    try:
        return _schema_in(_imported("db_schema", folder), folder)
    finally:
        sys.path.remove(str(folder))


def _forget_other_projects() -> None:
    """Drop the modules that were imported from a project's folder: every project has these names."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name != "__main__" and Path(file).with_name("db_schema.py").is_file():
            del sys.modules[name]


def find_project(where: str | Path) -> Path:
    """Return the folder of a project, given by its path or its name under `projects/`.

    Raises:
        ProjectError: there is none.
    """
    given = Path(where)
    named = find_home(Path.cwd()) / "projects" / given
    folder = next((candidate for candidate in (given, named) if candidate.is_dir()), None)
    if folder is None:
        raise ProjectError(f"there is no project {str(where)!r}: neither a folder, nor one under projects/")
    return folder.resolve()


def _imported(module: str, folder: Path) -> ModuleType:
    file = folder / f"{module}.py"
    importlib.invalidate_caches()
    try:
        return importlib.import_module(module)
    except SyntaxError as exc:
        raise ProjectError(f"{exc.filename}:{exc.lineno}: {exc.msg}") from exc
    except MimiodError as exc:
        raise ProjectError(f"{place_of(exc, folder) or file}: {exc}") from exc
    except (Exception, SystemExit) as exc:
        text = " ".join(str(exc).split())
        raise ProjectError(f"{place_of(exc, folder) or file}: {type(exc).__name__}: {text}") from exc


def place_of(exc: BaseException, folder: Path) -> str | None:
    """Return file and line of the project's own code that raised, the innermost."""
    frames: Sequence[traceback.FrameSummary] = traceback.extract_tb(exc.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else None


def explained(exc: Exception, folder: Path, otherwise: str) -> MimiodError:
    """Return what a project's own code raised as an error that names its file and line.

    `otherwise` names the place where none of the project's lines stands in the traceback.
    """
    if isinstance(exc, MimiodError):
        return exc
    where = place_of(exc, folder) or otherwise
    return ProjectError(f"{where}: {type(exc).__name__}: {' '.join(str(exc).split())}")


def _schema_in(module: ModuleType, folder: Path) -> BaseMongoDbSchema:
    schema = getattr(module, "database_schema", None)
    if not isinstance(schema, BaseMongoDbSchema):
        raise ProjectError(
            f"{folder / 'db_schema.py'} defines no `database_schema`, an instance of BaseMongoDbSchema"
        )
    return schema


def _seeder_in(module: ModuleType, folder: Path) -> type[DatabaseSeeder]:
    seeders = [
        member
        for member in vars(module).values()
        if isinstance(member, type)
        and issubclass(member, DatabaseSeeder)
        and member.__module__ == module.__name__
    ]
    if len(seeders) != 1:
        names = ", ".join(seeder.__name__ for seeder in seeders) or "none"
        raise ProjectError(f"{folder / 'seed_db.py'} defines {names}: it has to define one DatabaseSeeder")
    missing = sorted(seeders[0].__abstractmethods__)
    if missing:
        raise ProjectError(
            f"{folder / 'seed_db.py'}: {seeders[0].__name__} does not define {', '.join(missing)}()"
        )
    return seeders[0]
