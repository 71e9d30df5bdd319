"""Measure `mimiod inspect`: documents and megabytes a second, and the most memory that it takes.

    uv run python scripts/bench_inspect.py

For each size a database like that of projects/digital_bank is written as a folder of BSON, and all of it is
read, in a process of its own. `--documents` names other sizes, `--shape small` takes one collection of small
documents without end, which are made as they are read, and `--uri` reads a MongoDB database instead.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import bson
from bson import ObjectId
from mimiod import projects
from mimiod.evolution.shapes import CollectionShape
from mimiod.inspecting.folder_source import FolderSource
from mimiod.inspecting.mongo_source import DECODED, MongoSource
from mimiod.inspecting.reading import inspect
from mimiod.inspecting.sources import CollectionSource, found_in
from mimiod.seeding.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
SIZES = (100_000, 1_000_000)


class Small:
    """A collection of any number of small documents, each made when it is read; also the source of it."""

    name = "small"
    method = "all documents"
    notes: tuple[str, ...] = ()
    shape = CollectionShape()

    def __init__(self, count: int) -> None:
        self.estimated = count

    def collections(self) -> list[CollectionSource]:
        """Return the collection."""
        return [self]

    def documents(self, sample: int | None, draws: Random) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield the documents."""
        del sample, draws
        made = Random(1)  # noqa: S311 - the same documents each time
        for number in range(self.estimated):
            raw = bson.encode({
                "_id": ObjectId(number.to_bytes(12, "big")),
                "customer": ObjectId(made.randrange(10**6).to_bytes(12, "big")),
                "state": made.choice(("new", "paid", "sent")),
                "total": made.randrange(10**6),
                "note": f"text {made.random()}",
            })  # fmt: skip
            yield bson.decode(raw, DECODED), len(raw)

    def found(self, wanted: Any) -> Any:
        """Look for values in all documents."""
        return found_in((document for document, _ in self.documents(None, Random(1))), wanted)  # noqa: S311 - unused

    def close(self) -> None:
        """Do nothing."""


def write(folder: Path, documents: int) -> None:
    """Write about so many documents of a bank, a file of BSON for each collection."""
    project = projects.load_project(ROOT / "projects" / "digital_bank")
    seeder = project.seeder("", project.schema)
    whole = seeder.plan()
    assert whole is not None
    seeder.scale = documents / sum(whole.expected.values())
    plan = seeder.plan()
    assert plan is not None
    plan.warm()
    with ExitStack() as files:
        opened = {name: files.enter_context((folder / f"{name}.bson").open("wb")) for name in plan.expected}
        for root, rows in plan.roots.items():
            step = plan.rows_per_unit(root)
            for start in range(0, rows, step):
                for encoded in plan.encode(Unit(root, start, min(rows, start + step))):
                    opened[encoded.collection].writelines(encoded.documents)


def measure(source: Any) -> dict[str, float]:
    """Inspect all of a source, and return what it took."""
    began = time.perf_counter()
    with closing(source):
        made = inspect(source, None)
    seconds = time.perf_counter() - began
    read = sum(each.read for each in made.collections.values())
    size = sum(each.read * each.average_size for each in made.collections.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"documents": read, "seconds": seconds, "megabytes": size / 1e6, "peak": peak}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--documents", type=int, nargs="+", default=SIZES, help="sizes; else 100,000 and 1,000,000"
    )
    parser.add_argument("--shape", choices=("bank", "small"), default="bank")
    parser.add_argument("--uri", help="a MongoDB database to read instead: mongodb://host/DATABASE")
    parser.add_argument("--folder", type=Path, help="a folder of dumps to read instead")
    parser.add_argument("--once", action="store_true", help="print the figures of one size as JSON")
    given = parser.parse_args()
    if given.once:
        source = (
            MongoSource(given.uri)
            if given.uri
            else FolderSource(given.folder)
            if given.folder
            else Small(given.documents[0])
        )
        print(json.dumps(measure(source)))
        return
    print("| Source | Documents | MB | Seconds | Documents/s | MB/s | Peak memory, MB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    if given.uri or given.folder:
        where = ["--uri", given.uri] if given.uri else ["--folder", str(given.folder)]
        _row("MongoDB" if given.uri else "folder", where)
        return
    for documents in given.documents:
        if given.shape == "small":
            _row("small documents", ["--documents", str(documents)])
            continue
        with TemporaryDirectory() as folder:
            write(Path(folder), documents)
            _row("folder of BSON", ["--folder", folder])


def _row(source: str, arguments: list[str]) -> None:
    """Measure in a process of its own, whose memory nothing else has taken."""
    ran = subprocess.run(  # noqa: S603 - this script
        [sys.executable, __file__, "--once", *arguments], check=True, capture_output=True, text=True
    )
    told = json.loads(ran.stdout)
    rates = f"{told['documents'] / told['seconds']:,.0f} | {told['megabytes'] / told['seconds']:.1f}"
    print(
        f"| {source} | {told['documents']:,.0f} | {told['megabytes']:,.0f} | {told['seconds']:.1f} "
        f"| {rates} | {told['peak']:,.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
