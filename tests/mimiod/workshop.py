"""The worked example of steps/, put together: its blocks are the files of one project."""

from pathlib import Path

from mimiod.workflow import markdown
from mimiod.workflow.drafts import Draft

ROOT = Path(__file__).parents[2]
FILES = {"brief.md", "tech_design.md", "db_schema.py", "seed_db.py", "main.py", "README.md"}


def blocks():
    """Return the files of the example by name."""
    pages = sorted((ROOT / "steps").glob("[1-5]_*.md"))
    found = [block for page in pages for block in markdown.blocks(page.read_text()) if block.name]
    assert sorted(block.name for block in found) == sorted(FILES)
    return {block.name: block.text for block in found}


def assemble(home, database="workshop", **changes):
    """Make `projects/workshop` in a folder; `changes` are pairs of texts by a file's name without ending."""
    folder = home / "projects" / "workshop"
    folder.mkdir(parents=True)
    for name, written in blocks().items():
        text = written.replace('database_name="workshop"', f'database_name="{database}"')
        for old, new in changes.pop(name.partition(".")[0], ()):
            assert old in text, (name, old)
            text = text.replace(old, new)
        (folder / name).write_text(text)
    assert not changes
    return folder


def draft(home, **changes):
    """Return the example as a draft, changed."""
    return Draft(assemble(home, **changes))


def no_server():
    """Stand for a server where none may be asked for."""
    raise AssertionError("a server was asked for")
