"""The files of a project that `mimiod inspect` writes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mimiod.errors import ProjectError
from mimiod.inspecting.account import brief, design, to_dict
from mimiod.inspecting.schema_code import schema_code
from mimiod.inspecting.seed_code import seed_code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mimiod.inspecting.facts import Inspection

DESIGN = "tech_design.md"


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
    if DESIGN in texts:
        texts[DESIGN] = design(inspection, texts[DESIGN])
    write_whole(folder, texts)
    return [folder / file for file in texts]


def write_whole(folder: Path, texts: Mapping[str, str]) -> None:
    """Make a folder of files: with all of them, or not at all.

    Raises:
        ProjectError: there is one.
    """
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as made:
        whole = Path(made) / folder.name
        whole.mkdir()
        for file, text in texts.items():
            (whole / file).write_text(text, encoding="utf-8")
        check_folder(folder)
        whole.rename(folder)
