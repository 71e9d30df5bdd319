"""Fill the database of `record_shop`: `uv run python main.py --help` lists the options."""

from mimiod.cli import run_project

if __name__ == "__main__":
    run_project(__file__)
