"""The documents of a collection, read while those before are looked at.

In the order in which the server has them: an order by `_id` takes some servers twice as long and needs a
sort in a time series, and each range of `_id`s is a whole scan on the embedded one. A server that is lost
on the way is asked again for what follows the last document, which has to be where it was.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import bson
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from pymongo.errors import AutoReconnect, CursorNotFound

from mimiod.errors import DatabaseError
from mimiod.mongo import CODEC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymongo.collection import Collection

Result = TypeVar("Result")

BATCH = 2000
"Documents that are looked at together."
_AHEAD = 4
"Batches that are read ahead."
PATIENCE = 30.0
"Seconds for which a server that is away is asked again."
_PAUSE = 0.5
_LENIENT = CODEC.with_options(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
)


@dataclass
class Batch:
    """Some documents and the bytes that each takes."""

    documents: list[dict[str, Any]]
    sizes: list[int]
    damaged: dict[int, str] = field(default_factory=dict)
    "By position, why a document cannot be decoded as it is."


def batches(collection: Collection[dict[str, Any]]) -> Iterator[Batch]:
    """Yield all documents, in the order in which the server has them.

    Raises:
        DatabaseError: the server was away, and has other documents in the places of those that were read.
    """
    ahead = _ReadAhead(collection)
    # Not of a pool: a thread that waits for a long query must not keep an interrupted process alive.
    threading.Thread(target=ahead.read, name="mimiod-reading", daemon=True).start()
    try:
        while (raw := ahead.waiting.get()) is not None:
            if isinstance(raw, BaseException):
                raise raw
            if raw:
                yield decoded(raw)
    finally:
        ahead.given_up.set()


class _ReadAhead:
    """The batches of a collection, read until nobody wants them any more."""

    def __init__(self, collection: Collection[dict[str, Any]]) -> None:
        self.collection = collection
        self.waiting: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
        "Batches; last the exception that ended the reading, or None."
        self.given_up = threading.Event()
        self._number = 0
        "Of documents that were read."
        self._last = b""
        "The last of them."

    def read(self) -> None:
        """Read all."""
        end: BaseException | None = None
        try:
            patiently(self._read_on, done=lambda: self._number, waited=self.given_up.wait)
        except BaseException as exc:  # noqa: BLE001 - whoever waits for the documents raises it
            end = exc
        self._put(end)

    def _read_on(self) -> None:
        """Read what follows the last document that was read."""
        known = self._last
        with self.collection.find_raw_batches({}, batch_size=BATCH, skip=max(0, self._number - 1)) as cursor:
            for raw in cast("Iterator[bytes]", cursor):
                whole = raw
                if known and whole:
                    if not whole.startswith(known):
                        break
                    whole, known = whole[len(known) :], b""
                if whole:
                    starts = starts_of(whole)
                    self._put(whole)
                    self._number += len(starts)
                    self._last = whole[starts[-1] :]
                if self.given_up.is_set():
                    return
        if known:
            raise DatabaseError(
                f"the server was away when {self._number:,} documents of {self.collection.name!r} were read, "
                "and has others in their places since: verify again, while nobody writes to it"
            )

    def _put(self, item: bytes | BaseException | None) -> None:
        while not self.given_up.is_set():
            try:
                self.waiting.put(item, timeout=0.2)
            except queue.Full:
                continue
            return


def patiently(
    do: Callable[[], Result],
    *,
    done: Callable[[], int] = lambda: 0,
    waited: Callable[[float], Any] = time.sleep,
) -> Result:
    """Return what `do` returns, called again while the server is away and no more gets done.

    `waited` waits for some seconds; if it says True, nobody wants the result any more.

    Raises:
        AutoReconnect, CursorNotFound: the server was away for `PATIENCE` seconds.
    """
    at, since = -1, 0.0
    while True:
        try:
            return do()
        except (AutoReconnect, CursorNotFound):
            if done() > at:
                at, since = done(), time.monotonic()
            if time.monotonic() - since > PATIENCE or waited(_PAUSE):
                raise


def starts_of(raw: bytes) -> list[int]:
    """Return where each of the documents begins that stand one after the other."""
    starts, at = [], 0
    while at < len(raw):
        starts.append(at)
        at += int.from_bytes(raw[at : at + 4], "little")
    return starts


def decoded(raw: bytes) -> Batch:
    """Return the documents that stand one after the other."""
    starts = starts_of(raw)
    sizes = [end - start for start, end in zip(starts, [*starts[1:], len(raw)], strict=True)]
    try:
        return Batch(bson.decode_all(raw, CODEC), sizes)
    except BSONError:
        batch = Batch([], sizes)
    for position, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        part = raw[start : start + size]
        try:
            batch.documents.append(bson.decode(part, CODEC))
        except BSONError as exc:
            batch.damaged[position] = " ".join(str(exc).split())
            batch.documents.append(bson.decode(part, _LENIENT))
    return batch
