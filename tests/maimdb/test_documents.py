"""MaimDB's README and pages: every block of Python and shell runs, and prints what the page says.

A block of Python that begins with `# name.py` is that file; the others of a page are one program, and the
comments in it that stand alone are what it prints. The blocks of shell of a page are one script in an empty
folder; a block of text after one is what it prints, `…` standing for anything.
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.maimdb.legacy_files import NEW, message, modern, plain, written

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^ *# (.*)$", re.MULTILINE)
SERVER = "trap 'kill ${SERVICE:-} 2>/dev/null || true' EXIT\n"
PEPPER = {"MAIMDB_KEY_PEPPER": "a pepper of the documents of 38 letters"}

PROGRAMS = {
    ROOT / "packages/maimdb/README.md": 10,
    DOCS / "api-keys.md": 6,
    DOCS / "async.md": 2,
    DOCS / "lifecycle.md": 8,
}
"""Pages with a program, and how many lines it prints."""
SCRIPTS = {
    DOCS / "export-format.md": PEPPER,
    DOCS / "fastapi.md": {},
    DOCS / "legacy-import.md": {},
    DOCS / "migrations.md": {},
    DOCS / "operations.md": PEPPER,
    DOCS / "service.md": {},
}
"""Pages with a script, and the settings that it starts with."""


def blocks(page, language):
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


@pytest.mark.parametrize("page", PROGRAMS, ids=lambda page: page.stem)
def test_a_program_prints_what_the_page_says(page, tmp_path):
    program = "".join(blocks(page, "python"))
    expected = COMMENT.findall(program)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env=os.environ | PEPPER,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.stderr, ran.stdout.splitlines()) == ("", expected)
    assert len(expected) == PROGRAMS[page]


@pytest.mark.parametrize("page", SCRIPTS, ids=lambda page: page.stem)
def test_a_script_prints_what_the_page_says(page, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    if page.stem == "legacy-import":
        bots_file(tmp_path / "MaiBot.db")
    script, expected = [], []
    found = BLOCK.findall(page.read_text().replace("8000", port))
    for (language, text), (following, output) in zip(found, [*found[1:], ("", "")], strict=True):
        if language == "python":
            (tmp_path / text.partition("\n")[0].removeprefix("# ")).write_text(text)
        elif language == "sh" and not text.startswith("pip install"):
            script.append(text)
            expected.append(output if following == "text" else None)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", SERVER + "printf '\\036'\n".join(script)],
        cwd=tmp_path,
        env={**os.environ, **SCRIPTS[page], "PATH": path(), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert any(expected)
    for printed, said in zip(ran.stdout.split("\036"), expected, strict=True):
        assert said is None or re.fullmatch(pattern(said), stripped(printed), re.DOTALL), printed


def path():
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def pattern(text):
    return re.escape(stripped(text)).replace("…", ".*")


def stripped(text):
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def bots_file(path):
    """Make the file that the page imports: one message of it has a time that is none."""
    with written(path, NEW) as database:
        plain(database)
        modern(database)
        message(database, 20, time=1e30)


def test_no_block_of_a_page_is_left_out():
    runnable = {
        page
        for page in DOCS.glob("*.md")
        if any("maimdb" in text for kind in ("python", "sh") for text in blocks(page, kind))
    }
    assert runnable <= {*PROGRAMS, *SCRIPTS}
    for page in PROGRAMS:
        assert not blocks(page, "sh"), page
    for page in SCRIPTS:
        assert all(re.match(r"# \w+\.py\n", text) for text in blocks(page, "python")), page


def test_every_link_leads_somewhere_and_the_index_names_every_page():
    for page in [*PROGRAMS, *SCRIPTS, DOCS / "README.md"]:
        links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == [], page
    index = (DOCS / "README.md").read_text()
    assert [
        page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"]({page.name})" not in index
    ] == []
