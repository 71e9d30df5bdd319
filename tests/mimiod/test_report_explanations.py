"""Whatever a check can find, `mimiod explain` teaches."""

import ast
from pathlib import Path

import mimiod
import pytest
from mimiod.checking.explanations import OTHERS
from mimiod.checking.rules import RULES, named
from mimiod.cli import main

PACKAGE = Path(mimiod.__file__).parent


def found_in(folder):
    """The ids of the findings that the modules in a folder make."""
    for file in sorted((PACKAGE / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    yield first.value


def test_every_finding_is_explained():
    found = {*found_in("checking"), *found_in("reporting")}

    assert {"query-refused", "design-missing", "accepted-unused", "readme-stale"} <= found
    assert found <= {*RULES, *OTHERS}


@pytest.mark.parametrize("identifier", sorted(OTHERS))
def test_an_explanation_says_why_and_how_to_mend(capsys, identifier):
    with pytest.raises(SystemExit) as ended:
        main(["explain", identifier])
    shown = capsys.readouterr().out

    assert ended.value.code == 0
    assert named(identifier).page.startswith(("https://www.mongodb.com/docs/manual/", "docs/"))
    for said in (named(identifier).reason, named(identifier).mend, named(identifier).example):
        assert said
        assert said in shown
