"""Fill the database of the digital bank: `uv run python main.py --help` lists the options."""

from mimiod.cli import run_project

run_project(__file__)
