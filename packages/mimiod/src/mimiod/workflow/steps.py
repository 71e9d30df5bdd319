"""The instructions of the steps: `steps/` of the repository, which the wheel has as `mimiod/steps/`."""

from __future__ import annotations

from pathlib import Path

from mimiod.errors import ConfigurationError

PACKAGE = Path(__file__).parents[1]
"The folder of the package `mimiod`."


def find(package: Path = PACKAGE) -> Path:
    """Return the folder with the instructions: the wheel's own, else the repository's.

    Raises:
        ConfigurationError: neither is there.
    """
    places = [package / "steps", *(above / "steps" for above in package.parents)]
    found = next((place for place in places if (place / "1_tech_design.md").is_file()), None)
    if found is None:
        raise ConfigurationError(f"the instructions of the steps are missing: {package} has no steps/")
    return found


def text(step: int | None = None, folder: Path | None = None) -> str:
    """Return the instructions of a step, 1 to 5, or the page on all of them."""
    folder = folder or find()
    pattern = "README.md" if step is None else f"{step}_*.md"
    (file,) = folder.glob(pattern)
    return file.read_text(encoding="utf-8")
