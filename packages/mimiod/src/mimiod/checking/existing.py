"""What stands in an existing document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def values_at(document: Any, path: str) -> Iterator[Any]:
    """Yield what stands at a dotted path, through arrays; nulls and absent fields yield nothing."""
    if isinstance(document, list):
        for item in document:
            yield from values_at(item, path)
        return
    if not path:
        if document is not None:
            yield document
        return
    if not isinstance(document, dict):
        return
    name, _, rest = path.partition(".")
    if name == "*":
        yield from values_at(list(document.values()), rest)
    elif name in document:
        yield from values_at(document[name], rest)
