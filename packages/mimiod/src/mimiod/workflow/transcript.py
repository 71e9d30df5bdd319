"""The transcript of a generation: what was asked and answered, and what the gates found.

One JSON object a line. The first says for what it is: `kind` "transcript", `version`, `name` and `brief`.
Then in order: `exchange` (`step`, `attempt`, `messages`, `model`, and `answer`, or `overflow` where the
prompt was too long), `gate` (`step`, `attempt`, `files` as a digest, `reached`, `findings`, `completed`), and
`spent` (tokens of answers that broke off). It holds no key and no address.

It is also the state of a generation: what is recorded is not asked again. So the same command goes on where
it ended, and a whole transcript gives the same files again without a network.
"""

from __future__ import annotations

import json
import os
from collections import deque
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from mimiod.errors import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERSION: Final = 1
_MOST_BYTES: Final = 200_000_000

Record = dict[str, Any]


def digest_of(files: Mapping[str, str]) -> str:
    """Return what stands for the contents of files."""
    text = json.dumps(sorted(files.items()), ensure_ascii=True)
    return blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass
class Transcript:
    """What is recorded, played back in order; then, if it has a file, what is recorded from now on."""

    file: Path | None
    "Where records are added; None for one that is only played back."
    records: deque[Record] = field(default_factory=deque)
    "Those that were not played back yet."

    @property
    def live(self) -> bool:
        """Whether more may be asked once all is played back."""
        return self.file is not None

    @property
    def ended(self) -> bool:
        """Whether all is played back."""
        return not self.records

    def spent(self) -> tuple[int, int]:
        """Take the records of answers that broke off here, and return their tokens in and out."""
        tokens_in = tokens_out = 0
        while self.records and self.records[0]["kind"] == "spent":
            record = self.records.popleft()
            tokens_in += record["tokens_in"]
            tokens_out += record["tokens_out"]
        return tokens_in, tokens_out

    def exchange(self, step: int, attempt: int, messages: list[dict[str, str]]) -> Record | None:
        """Return the exchange that was recorded here, None past the end.

        Raises:
            TranscriptError: something else was asked here.
        """
        if self._past_end():
            return None
        record = self.records.popleft()
        place = record["kind"], record.get("step"), record.get("attempt")
        if place != ("exchange", step, attempt) or record["messages"] != messages:
            raise TranscriptError(
                f"the transcript does not match: at step {step}, attempt {attempt}, it has "
                f"{'another prompt' if place == ('exchange', step, attempt) else 'something else'}; the "
                "brief, the instructions or Mimiod have changed since; start over with --fresh"
            )
        return record

    def gate(self, step: int, attempt: int, files: Mapping[str, str]) -> Record | None:
        """Return what the gate found here, None past the end.

        Raises:
            TranscriptError: it judged other files.
        """
        if self._past_end():
            return None
        record = self.records.popleft()
        place = record["kind"], record.get("step"), record.get("attempt"), record.get("files")
        if place != ("gate", step, attempt, digest_of(files)):
            raise TranscriptError(
                f"the transcript does not match: at step {step}, attempt {attempt}, its gate judged other "
                "files; start over with --fresh"
            )
        return record

    def add(self, kind: str, **facts: Any) -> None:
        """Record something, so that it outlasts this process."""
        assert self.file is not None
        line = json.dumps({"kind": kind, **facts}, ensure_ascii=False) + "\n"
        with self.file.open("ab") as opened:
            opened.write(line.encode())
            opened.flush()
            os.fsync(opened.fileno())

    def _past_end(self) -> bool:
        if self.ended and not self.live:
            raise TranscriptEndError("the transcript ends before the project is complete")
        return self.ended


class TranscriptEndError(TranscriptError):
    """A transcript that is played back, and ends early."""


def begun(file: Path, name: str, brief: str) -> Transcript:
    """Return a transcript that begins, at a file that is written anew."""
    file.write_bytes(b"")
    transcript = Transcript(file)
    transcript.add("transcript", version=VERSION, name=name, brief=brief)
    return transcript


def read(file: Path, name: str, brief: str, *, live: bool) -> Transcript:
    """Return the transcript in a file, which is gone on with if it is `live`.

    A last line that was not written to its end is left out, and of a live one's file cut off.

    Raises:
        TranscriptError: it cannot be read, or is of another brief.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise TranscriptError(f"{file} is no transcript: it has more than {_MOST_BYTES:,} bytes")
        raw = file.read_bytes()
    except OSError as exc:
        raise TranscriptError(f"{file} cannot be read: {exc.strerror or exc}") from exc
    whole = raw[: raw.rfind(b"\n") + 1]
    records = deque(_record(line, file, number) for number, line in enumerate(whole.splitlines(), 1))
    first = records.popleft() if records else {}
    if first.get("kind") != "transcript" or first.get("version") != VERSION:
        raise TranscriptError(f"{file} is no transcript of this version of Mimiod")
    if first["name"] != name:
        raise TranscriptError(f"{file} is of the project {first['name']!r}: give that --name")
    if first["brief"] != brief:
        raise TranscriptError(f"{file} is of another brief; give that one, or start over with --fresh")
    if live and len(whole) < len(raw):
        os.truncate(file, len(whole))
    return Transcript(file if live else None, records)


_FACTS: Final[dict[str, dict[str, type | tuple[type, ...]]]] = {
    "transcript": {"version": int, "name": str, "brief": str},
    "exchange": {"step": int, "attempt": int, "messages": list},
    "gate": {"step": int, "attempt": int, "files": str, "reached": int, "findings": list, "completed": dict},
    "spent": {"tokens_in": int, "tokens_out": int},
}


def _record(line: bytes, file: Path, number: int) -> Record:
    try:
        record = json.loads(line)
        facts = _FACTS[record["kind"]]
        if all(isinstance(record[name], kind) for name, kind in facts.items()):
            return record  # type: ignore[no-any-return]
    except (ValueError, LookupError, TypeError):
        pass
    raise TranscriptError(f"{file}:{number} is no line of a transcript")
