"""The pieces in which a database is made: any process can make any of them, in any order, again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """Rows `start` to `stop` (exclusive) of a root collection, with all rows below them."""

    root: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """Documents of one collection, each as its BSON bytes, in order of their row numbers."""

    collection: str
    documents: list[bytes]
