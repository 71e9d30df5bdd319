"""What falls short of the workload on a server; what the design alone shows, the rules judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mimiod.checking.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mimiod.checking.workload import Measured
    from mimiod.mongo import Server

MOST_KEYS_PER_RETURNED = 1.5
"Of queries of high priority."


def findings(measured: list[Measured], server: Server) -> Iterator[Finding]:
    """Yield what falls short.

    What a server shows is an error where it is MongoDB. A stand-in's plans are its own: its counts are a
    warning, and where it does otherwise than the model, the model is believed.
    """
    for each in measured:
        if each.plan is None and each.query.action != "insert":
            yield Finding(
                "unknown-collection",
                "error",
                f"query {each.query.name}",
                f"the schema has no collection {each.query.collection!r}",
                "name a collection of the schema, or declare this one",
            )
        yield from _of_evidence(each, server)


def _of_evidence(measured: Measured, server: Server) -> Iterator[Finding]:
    query, where = measured.query, f"query {measured.query.name}"
    stands_in = server.stand_in is not None
    if measured.refusal:
        yield Finding(
            "query-refused",
            "note" if stands_in else "error",
            where,
            f"{server} refuses it: {measured.refusal}",
            "check it on MongoDB" if stands_in else "mend the query",
        )
    if measured.disagreement and not stands_in:
        yield Finding(
            "plan-differs",
            "warning",
            where,
            measured.disagreement,
            "look at the server's explain",
        )
    yield from _keys_examined(measured, server)
    if measured.runs and measured.returned == 0:
        yield Finding(
            "query-finds-nothing",
            "note",
            where,
            f"it returned nothing in {measured.runs} runs, so its counts say little",
            "seed data that it finds, or draw its parameters from where they occur",
        )
    slow = query.latency_ms is not None and (measured.milliseconds or 0) > query.latency_ms
    if slow:
        yield Finding(
            "slow-query",
            "note",
            where,
            f"{measured.milliseconds:.1f} ms on this machine, {query.latency_ms:g} ms declared",
            "measure it where it will run",
        )


def _keys_examined(measured: Measured, server: Server) -> Iterator[Finding]:
    query, plan, ratio = measured.query, measured.plan, measured.keys_per_returned
    stands_in = server.stand_in is not None
    if plan is None or ratio is None or query.priority != "high" or (stands_in and measured.disagreement):
        return
    # Each branch of an $or may find the same document.
    if ratio <= MOST_KEYS_PER_RETURNED * max(1, len(plan.branches)):
        return
    left = f"; now left to look at: {', '.join(plan.residual)}" if plan.residual else ""
    yield Finding(
        "keys-examined",
        "warning" if stands_in else "error",
        f"query {query.name}",
        f"{server} examines {ratio:.1f} keys for each document that it returns, "
        f"more than {MOST_KEYS_PER_RETURNED}",
        f"bound more of the index's fields by equality, from its first on{left}",
    )
