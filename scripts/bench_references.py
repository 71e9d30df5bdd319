"""Look for the references of databases where they are known, with nothing that marks them, and score it.

    uv run python scripts/bench_references.py

Precision and recall are over fields: collection, field, collection referred to and field there have to be
right.
With --sample so many documents of each collection are read, and what they hold is looked up.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.mimiod.known_references import Score, all_known, score

LEAST = 0.95


def main() -> int:
    """Print a table and return 1 if the whole is below 0.95."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sample", type=int, default=None, help="documents of each collection; else all")
    sample: int | None = parser.parse_args().sample
    scores: list[Score] = []
    print("| Database | Documents | References | Found | Missed | Wrong | F1 | Documents/s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for known in all_known():
        documents = sum(map(len, known.documents.values()))
        began = time.perf_counter()
        found = score(known, sample)
        rate = documents / (time.perf_counter() - began)
        scores.append(found)
        print(_row(found, f"{documents:,}", f"{rate:,.0f}"))
    whole = Score(
        "all",
        sum(each.known for each in scores),
        sum(each.right for each in scores),
        [link for each in scores for link in each.missed],
        [link for each in scores for link in each.wrong],
    )
    print(_row(whole, "", ""))
    for each in scores:
        for what, links in (("missed", each.missed), ("wrong", each.wrong)):
            for collection, fields, target, keys in links:
                print(f"{each.name}: {what}: {collection}.{'+'.join(fields)} → {target}.{'+'.join(keys)}")
    return 0 if whole.f1 >= LEAST else 1


def _row(each: Score, documents: str, rate: str) -> str:
    counts = f"{each.known} | {each.right} | {len(each.missed)} | {len(each.wrong)} | {each.f1:.3f}"
    return f"| {each.name} | {documents} | {counts} | {rate} |"


if __name__ == "__main__":
    sys.exit(main())
