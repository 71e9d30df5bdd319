"""The files of a project that `mimiod inspect` writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mimiod.errors import ProjectError
from mimiod.inspecting.account import brief, to_dict
from mimiod.inspecting.schema_code import schema_code
from mimiod.inspecting.seed_code import seed_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mimiod.inspecting.facts import Inspection

WRITTEN = ("inspection.json", "brief.md", "db_schema.py", "seed_db.py")


def check_folder(folder: Path) -> None:
    """Raise ProjectError where a project is in the way."""
    if folder.exists():
        raise ProjectError(f"{folder} exists: give another --name, or remove it first")


def write(inspection: Inspection, folder: Path, others: Callable[[str], dict[str, str]]) -> list[Path]:
    """Write a project's folder and return the files; `others` gives those that facts say nothing of."""
    name = folder.name
    texts = {
        "inspection.json": json.dumps(to_dict(inspection), ensure_ascii=True, indent=1, default=str) + "\n",
        "brief.md": brief(inspection, name),
        "db_schema.py": schema_code(inspection, name),
        "seed_db.py": seed_code(inspection, name),
        **others(name),
    }
    check_folder(folder)
    folder.mkdir(parents=True)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return [folder / file for file in texts]
