"""docs/tutorial.md: whoever types it from top to bottom gets what it shows."""

import contextlib
import datetime as dt
import io
import re
import shlex
from pathlib import Path

import pymongo
import pytest
from mimiod.cli import main
from mimiod.workflow import markdown

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tutorial.md").read_text()
BLOCKS = markdown.blocks(PAGE)
SHOWN_BY = {"bash", "python", "js"}
NOT_RUN = re.compile(r"pip install |uv run mimiod server ")
"What would change the machine, or take the port that a reader uses; `test_embedded.py` starts and stops."


@pytest.fixture
def reader(tmp_path, mongodb, monkeypatch):
    """Somebody with an empty folder and a server."""
    (tmp_path / "projects").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MONGODB_URI", mongodb.uri)
    monkeypatch.setenv("COLUMNS", "120")
    return Reader(tmp_path, mongodb)


class Reader:
    """Writes each file, makes each change, types each command, and compares."""

    def __init__(self, home, mongodb):
        self.home, self.mongodb = home, mongodb
        self.compared = 0

    def reads(self, block, answer):
        if block.language == "text":
            return
        if block.language == "diff":
            self.changes(block)
        elif block.name:
            self.writes(block)
        else:
            printed = getattr(self, block.language)(block.text)
            if answer is not None:
                assert matches(answer.text, printed.replace(self.mongodb.database, "ski_hire")), printed
                self.compared += 1

    def writes(self, block):
        text = block.text.replace('database_name="ski_hire"', f'database_name="{self.mongodb.database}"')
        (self.home / block.name).write_text(text)

    def changes(self, block):
        file = self.home / block.name
        lines = block.text.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] == sign) for sign in "-+")
        text = file.read_text()
        assert text.count(old) == 1, old
        file.write_text(text.replace(old, new))

    def bash(self, text):
        typed = [shlex.split(line) for line in text.splitlines() if not NOT_RUN.match(line)]
        return "".join(ran(words) for words in typed)

    def python(self, text):
        there = text.replace("mongodb://localhost:27017", self.mongodb.uri)
        code = compile(there.replace('"ski_hire"', f'"{self.mongodb.database}"'), "tutorial", "exec")
        printed, names = io.StringIO(), {}
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        names["database"].client.close()
        return printed.getvalue()

    def js(self, text):
        """Run a mongosh query that is Python but for its keys; its answer is printed as mongosh does."""
        with pymongo.MongoClient(self.mongodb.uri) as client:
            found = eval(quoted(text), {"db": client[self.mongodb.database]}).to_list()
        return repr(found)


def ran(words):
    assert words[:3] == ["uv", "run", "mimiod"]
    printed = io.StringIO()
    with (
        pytest.raises(SystemExit),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        main(words[3:])
    return printed.getvalue()


def quoted(text):
    """Return JavaScript's objects as Python's."""
    return re.sub(r"(?<=[{ ])(\w+): ", r'"\1": ', text)


def without_what_varies(text):
    """Return the lines that are the same on every machine: no progress, no times, no server."""
    lines = [line.rstrip() for line in text.splitlines()]
    kept = [re.sub(r" in [0-9.]+ s on .*|, on Secantus.*| on Secantus[^:]*", "", line) for line in lines]
    return "\n".join(
        line
        for line in kept
        if not re.match(r"note: embedded server|query it:|  [0-9,]+ documents, ", line) and line
    )


def matches(shown, printed):
    """Whether this was printed; `…` stands for a part of a line, or for lines."""
    if shown.startswith("[\n"):
        names = {"ISODate": lambda said: dt.datetime.fromisoformat(said).replace(tzinfo=None)}
        return eval(quoted(shown), names) == eval(printed, {"datetime": dt})
    pattern = re.escape(without_what_varies(shown)).replace("…", ".*?")
    return re.fullmatch(pattern, without_what_varies(printed), re.DOTALL) is not None


def test_whoever_types_the_tutorial_gets_what_it_shows(reader):
    for block, after in zip(BLOCKS, [*BLOCKS[1:], None], strict=True):
        reader.reads(block, after if after and after.language == "text" else None)

    assert reader.compared == sum(block.language == "text" for block in BLOCKS) > 12


def test_the_pictures_are_there_and_small():
    pictures = re.findall(r"!\[[^\]]+\]\((pictures/[^)]+)\)", PAGE)

    assert len(pictures) > 2
    for each in pictures:
        assert 1_000 < (ROOT / "docs" / each).stat().st_size < 300_000
