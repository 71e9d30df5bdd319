"""Brings `steps/` of the repository into the wheel as `mimiod/steps/`, by way of the source distribution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StepsHook(BuildHookInterface[Any]):
    """Adds the instructions; a source distribution has them already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the folder to take in; an editable install reads the repository's own."""
        steps = Path(self.root).parents[1] / "steps"
        if version != "editable" and (steps / "1_tech_design.md").is_file():
            inside = "mimiod/steps" if self.target_name == "wheel" else "src/mimiod/steps"
            build_data["force_include"][str(steps)] = inside
