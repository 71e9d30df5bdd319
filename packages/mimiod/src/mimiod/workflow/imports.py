"""What a project's Python may import: data needs neither files nor processes nor the network."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALLOWED = frozenset({
    "__future__", "abc", "annotated_types", "array", "base64", "bisect", "bson", "calendar", "collections",
    "copy", "dataclasses", "datetime", "decimal", "enum", "faker", "fractions", "functools", "hashlib",
    "heapq", "itertools", "json", "math", "mimiod", "numbers", "numpy", "operator", "pydantic", "random",
    "re", "statistics", "string", "textwrap", "types", "typing", "typing_extensions", "unicodedata", "uuid",
    "zoneinfo",
})  # fmt: skip
"Top-level modules that a project's files may import, beside its own."


def forbidden(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and name of what a file imports and may not.

    A file that does not parse yields nothing: its import says why.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    own = {each.stem for each in file.parent.glob("*.py")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{'.' * node.level}{node.module or ''}"]
        else:
            continue
        for name in names:
            if name.partition(".")[0] not in ALLOWED | own:
                yield node.lineno, name
