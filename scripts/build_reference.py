"""Build the reference of both packages from their docstrings: HTML pages in a folder, index.html first."""

import argparse
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

PACKAGES = ("maimdb", "mimiod")
PROGRAMS = {"__main__", "cli", "embedded_runner", "confined_runner", "versions"}
"""Modules that are run, not imported by callers."""


def modules(package: str) -> Iterator[str]:
    """Yield a package, and its modules where pdoc would show only what `__all__` names."""
    yield package
    module = import_module(package)
    shown = {*PROGRAMS, *getattr(module, "__all__", ())}
    for found in pkgutil.iter_modules(module.__path__) if hasattr(module, "__all__") else ():
        name = f"{package}.{found.name}"
        if found.ispkg and found.name not in shown:
            yield from modules(name)
        elif found.name not in shown:
            yield name


def main() -> int:
    """Return pdoc's exit code; a warning of it is an error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pages are written")
    folder = parser.parse_args().folder
    names = [name for package in PACKAGES for name in modules(package)]
    options = ["--docformat", "google", "--no-show-source", "--output-directory", str(folder)]
    # What is imported for type checkers only stays a name in the signature.
    warnings = ["-W", "error", "-W", "ignore:Error parsing type annotation"]
    command = [sys.executable, *warnings, "-m", "pdoc", *options, *names]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - this very Python


if __name__ == "__main__":
    sys.exit(main())
