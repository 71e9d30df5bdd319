"""Make a shop, then a twin of it, and print how far each field of the twin is from the shop.

    uv run python scripts/bench_twin.py

The shop has customers, products, orders and staff: skewed numbers, seasons, correlations, categories,
optional fields, arrays and references. Its twin is drawn by the project that `mimiod twin` writes, in memory:
no server is needed, and the seconds of one are not in the figures.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent))

from mimiod.inspecting.sources import Memory
from mimiod.twinning.distances import LIMIT, distances
from mimiod.twinning.making import make, write
from mimiod.twinning.measuring import measure

from tests.mimiod.twins import documents_of, loaded, shop

SHOWN = 25


def main() -> int:
    """Print a table, and return 1 if a field is farther than it may be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=100_000, help="orders; a tenth as many customers")
    parser.add_argument("--sample", type=int, default=None, help="documents of a collection; else all")
    parser.add_argument("--every", action="store_true", help="print all distances")
    arguments = parser.parse_args()
    source = shop(arguments.orders // 10, arguments.orders)
    total = sum(map(len, source.values()))
    seconds: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        made = make(Memory("shop", source), arguments.sample, 10)
        write(made, Path(folder) / "twin", lambda _: {})
        seconds["inspected, measured and written"] = time.perf_counter() - began
        project = loaded(Path(folder) / "twin")
        began = time.perf_counter()
        documents = documents_of(project.seeder("mongodb://nowhere", project.schema).plan())
        seconds["drawn"] = time.perf_counter() - began
    began = time.perf_counter()
    there = measure(Memory("twin", documents), made.inspection, None)
    found = distances(made.measurement, there, made.makers)
    seconds["compared"] = time.perf_counter() - began
    print("| Field | What | Measure | Distance | Chance |")
    print("|---|---|---|---:|---:|")
    for each in found if arguments.every else found[:SHOWN]:
        shown = f"{each.collection}.{each.field} | {each.what} | {each.measure}"
        print(f"| {shown} | {each.distance:.4f} | {each.chance:.4f} |")
    above = sum(each.distance > LIMIT for each in found)
    print(f"\n{total:,} documents; {len(found)} distances, {above} above {LIMIT}")
    print("; ".join(f"{what} in {taken:.1f} s, {total / taken:,.0f}/s" for what, taken in seconds.items()))
    return 1 if any(each.misses for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
