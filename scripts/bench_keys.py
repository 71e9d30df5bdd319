"""Measure verifications of API keys: remembered, asked of the database, mistyped, and a caller's own.

    uv run python scripts/bench_keys.py --quick

On a new SQLite file, or on the database of --url, which must be empty. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from maimdb import ALL_MODELS, Agent, ApiKey, Tenant, close_database, init_database
from maimdb.core import api_keys
from maimdb.core.errors import InvalidKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WARM_TARGET: Final = 20_000
COLD_TARGET: Final = 2_000
P99_TARGET: Final = 1.0
"""Milliseconds."""


@dataclass(frozen=True)
class Figure:
    """What was measured of one way."""

    name: str
    per_second: float
    p50_ms: float
    p99_ms: float
    target: str
    met: bool


def measure(
    name: str, verify: Callable[[str], object], texts: Sequence[str], count: int, target: int = 0
) -> Figure:
    """Return the figure of verifying texts in turn, so many times."""
    times = []
    clock = time.perf_counter
    started = clock()
    for number in range(count):
        before = clock()
        verify(texts[number % len(texts)])
        times.append(clock() - before)
    rate = count / (clock() - started)
    times.sort()
    p99 = times[int(count * 0.99)] * 1000
    warm = target == WARM_TARGET
    wanted = f">= {target:,}/s{f', p99 < {P99_TARGET:g} ms' if warm else ''}" if target else ""
    return Figure(
        name,
        rate,
        times[count // 2] * 1000,
        p99,
        wanted,
        met=rate >= target and (not warm or p99 < P99_TARGET),
    )


def cold(text: str) -> None:
    """Verify a key as if for the first time."""
    api_keys._known.clear()  # noqa: SLF001 - what is measured is a key that is not remembered
    api_keys.verify(text)


def refused(text: str) -> None:
    """Verify a key that opens nothing."""
    with contextlib.suppress(InvalidKeyError):
        api_keys.verify(text)


def run(url: str, keys: int, count: int) -> list[Figure]:
    """Return the figures on an empty database with so many keys."""
    init_database(url).create_tables(ALL_MODELS)
    try:
        tenant = Tenant.create(tenant_name="Bench")
        agent = Agent.create(tenant_id=tenant.id, name="Bench")
        texts = [api_keys.issue(tenant.id, agent.id, ["chat"]).text for _ in range(keys)]
        own = f"mmc_{secrets.token_urlsafe(32)}"
        ApiKey.create(tenant_id=tenant.id, agent_id=agent.id, api_key=own)
        return [
            measure("remembered", api_keys.verify, texts[:100], count, WARM_TARGET),
            measure("asked of the database", cold, texts, count // 5, COLD_TARGET),
            measure("a caller's own, asked", cold, [own], count // 5, COLD_TARGET),
            measure("a wrong secret", refused, [f"mmc_{secrets.token_urlsafe(32)}"], count // 5),
            measure("mistyped, no statement", refused, [texts[0][:-1]], count),
        ]
    finally:
        close_database()


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", help="an empty database; default: a new SQLite file")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    keys, count = (200, 10_000) if options.quick else (2_000, 100_000)
    with tempfile.TemporaryDirectory() as folder:
        figures = run(options.url or f"sqlite:///{Path(folder) / 'keys.db'}", keys, count)
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures]))
    else:
        print(f"{'verification':<24}{'a second':>10}{'p50 ms':>9}{'p99 ms':>9}  target")
        for each in figures:
            verdict = f"{each.target}: {'met' if each.met else 'missed'}" if each.target else ""
            print(
                f"{each.name:<24}{each.per_second:>10,.0f}{each.p50_ms:>9.3f}{each.p99_ms:>9.3f}  {verdict}"
            )
    sys.exit(0 if all(figure.met for figure in figures) else 1)


if __name__ == "__main__":
    main()
