"""What a run looks like: a progress display on a terminal, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mimiod.running import Reporter

if TYPE_CHECKING:
    from rich.progress import TaskID

    from mimiod.running import Summary

PLAIN_LINE_EVERY = 2.0
"Seconds between lines about one collection where no display can be redrawn."

_SAID = {
    "pre-checks": "checking the project and the server",
    "clear": "dropping what an earlier run left",
    "collections": "making collections and validators",
    "seed": "inserting documents",
    "indexes": "building indexes",
    "validate": "reading every document and following every reference",
}


class Display(Reporter, Protocol):
    """A reporter that also shows how the run ended."""

    current: str
    "The phase that goes on."

    def summary(self, summary: Summary, *, hint: str) -> None:
        """Show the end of a run; `hint` says what to do next."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def say(text: str) -> None:
    """Print one line of text: no markup, and nothing that could move a terminal's cursor."""
    plain = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    Console().print(plain, markup=False, highlight=False, soft_wrap=True)


def display(*, as_json: bool) -> Display:
    """Return the display for this output."""
    if as_json:
        return JsonLines(sys.stdout)
    console = Console()
    return Bars(console) if console.is_terminal else Lines(console)


class Lines:
    """A line for each phase, and every few seconds one that says how far it is."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.current = "pre-checks"
        self.began = self.last = time.monotonic()
        self.counts: dict[str, tuple[int, int | None]] = {}
        "Of the phase: how many documents of each collection are done, and how many there will be."

    def phase(self, name: str) -> None:
        self.current = name
        self.began = self.last = time.monotonic()
        self.counts = {}
        self.console.print(f"{name:<12} {_SAID[name]}", highlight=False)

    def note(self, text: str) -> None:
        self.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)

    def progress(self, collection: str, done: int, total: int | None) -> None:
        self.counts[collection] = done, total
        now = time.monotonic()
        if now - self.last >= PLAIN_LINE_EVERY:
            self.last = now
            so_far = sum(done for done, _ in self.counts.values())
            rate = so_far / (now - self.began)
            text = f"  {so_far:,} documents, {rate:,.0f}/s"
            if self.current == "seed" and rate and all(total for _, total in self.counts.values()):
                left = max(0, sum(total or 0 for _, total in self.counts.values()) - so_far) / rate
                text += f", about {left:,.0f} s left"
            self.console.print(text, markup=False, highlight=False)

    def summary(self, summary: Summary, *, hint: str) -> None:
        _print_summary(self.console, summary, hint)

    def close(self) -> None:
        pass


class Bars(Lines):
    """The phases with a bar for each collection."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.bars: Progress | None = None
        self.tasks: dict[str, TaskID] = {}

    def phase(self, name: str) -> None:
        self.close()
        super().phase(name)

    def progress(self, collection: str, done: int, total: int | None) -> None:
        if self.bars is None:
            self.bars = Progress(
                TextColumn("  {task.description:<24}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=self.console,
            )
            self.bars.start()
        if collection not in self.tasks:
            self.tasks[collection] = self.bars.add_task(collection, total=total, rate="", before=done)
        task = self.bars.tasks[self.bars.task_ids.index(self.tasks[collection])]
        done_now = done - task.fields["before"]  # a run that goes on has not made what was there
        rate = f"{done_now / task.elapsed:,.0f}/s" if done_now > 0 and task.elapsed else ""
        self.bars.update(self.tasks[collection], completed=done, total=total, rate=rate)

    def close(self) -> None:
        if self.bars is not None:
            self.bars.stop()
        self.bars, self.tasks = None, {}

    def summary(self, summary: Summary, *, hint: str) -> None:
        self.close()
        super().summary(summary, hint=hint)


class JsonLines:
    """One JSON object a line: `event` and its facts."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.current = "pre-checks"

    def write(self, event: str, **facts: Any) -> None:
        self.out.write(json.dumps({"event": event, **facts}, ensure_ascii=False, default=str) + "\n")
        self.out.flush()

    def phase(self, name: str) -> None:
        self.current = name
        self.write("phase", phase=name)

    def note(self, text: str) -> None:
        self.write("note", text=text)

    def progress(self, collection: str, done: int, total: int | None) -> None:
        self.write("progress", phase=self.current, collection=collection, done=done, total=total)

    def summary(self, summary: Summary, *, hint: str) -> None:
        self.write("summary", **summary.to_dict(), hint=hint)

    def close(self) -> None:
        pass


def _print_summary(console: Console, summary: Summary, hint: str) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("collection")
    for heading in ("documents", "references", "faults"):
        table.add_column(heading, justify="right")
    for name, found in summary.verification.collections.items():
        faults = sum(found.fault_counts.values())
        table.add_row(name, f"{found.documents:,}", f"{found.references:,}", f"{faults:,}")
    console.print()
    console.print(table)
    console.print()
    for text in [*summary.faults, *map(str, summary.verification.faults)]:
        console.print(f"fault: {text}", markup=False, highlight=False, soft_wrap=True)
    verdict = "verified" if summary.passed else "NOT as declared"
    documents = sum(found.documents for found in summary.verification.collections.values())
    console.print(
        f"{summary.database}: {verdict}, {documents:,} documents in {sum(summary.seconds.values()):.1f} s "
        f"on {summary.server}",
        style="bold green" if summary.passed else "bold red",
        highlight=False,
        soft_wrap=True,
    )
    console.print(hint, markup=False, highlight=False, soft_wrap=True)
