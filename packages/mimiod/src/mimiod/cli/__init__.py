"""The command line: it parses, calls and prints."""

from mimiod.cli.app import main, run_project

__all__ = ["main", "run_project"]
