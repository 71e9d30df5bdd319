"""A MongoDB database as a source: it is read, and nothing else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit
from uuid import UUID

import bson
import pymongo.errors
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from mimiod import mongo
from mimiod.errors import AccessDeniedError, ConfigurationError, SourceError
from mimiod.evolution import shapes
from mimiod.inspecting.counting import values_at
from mimiod.inspecting.sketches import hash_of, object_id_of, uuid_of
from mimiod.inspecting.sources import found_in, reservoir

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from random import Random

    from pymongo.collection import Collection
    from pymongo.database import Database

    from mimiod.evolution.shapes import CollectionShape, Shape
    from mimiod.inspecting.sources import CollectionSource, Path

DECODED: CodecOptions[Any] = CodecOptions(
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
"As documents are counted: BSON's own types, and dates beyond Python's as they are."
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)

_FEW = 20
"How many times as many documents there have to be for `$sample` to take less than a scan."
_ATTEMPTS = 5
_AT_ONCE = 500
_UNAUTHORIZED = 13


class MongoSource:
    """A database on a MongoDB server."""

    def __init__(self, uri: str) -> None:
        name = database_of(uri)
        self.notes: list[str] = []
        self.name = mongo.mask(uri)
        self._uri = uri
        self._client = mongo.connect(uri)
        self._database = mongo.database(self._client, name)

    def collections(self) -> list[CollectionSource]:
        """Return its collections; views, and what belongs to the server or to Mimiod, are passed over."""
        with reading(self._uri, self._database.name):
            shape = shapes.live(self._database)
        views = sorted(name for name, each in shape.collections.items() if each.is_view)
        self.notes += [f"{view!r} is a view, and is not inspected" for view in views]
        found = collections_of(self._database, shape, self._uri)
        if not found:
            raise SourceError(f"{self.name} has no collections: is the database's name right?")
        return list(found)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def database_of(uri: str) -> str:
    """Return the name of the database that a URI names.

    Raises:
        ConfigurationError: it names none.
    """
    name = unquote(urlsplit(uri).path.strip("/")) if "://" in uri else ""
    if not name:
        raise ConfigurationError(
            f"{mongo.mask(uri)} names no database: mongodb://user:password@host:port/DATABASE"
        )
    return name


def collections_of(database: Database[dict[str, Any]], shape: Shape, uri: str) -> list[MongoCollection]:
    """Return the collections of a database by name, without its views."""
    sample = shape.server is not None and shape.server.stand_in is None
    return [
        MongoCollection(database, name, each, uri, has_sample=sample)
        for name, each in sorted(shape.collections.items())
        if not each.is_view
    ]


@contextmanager
def reading(uri: str, database: str) -> Iterator[None]:
    """What the driver raises inside becomes a line, which says what rights are needed."""
    try:
        with mongo.driver_errors(uri):
            yield
    except AccessDeniedError as exc:
        cause = exc.__cause__
        if isinstance(cause, pymongo.errors.OperationFailure) and cause.code == _UNAUTHORIZED:
            user = mongo.user_of(uri)
            who = f"user {user!r}" if user else "whoever gives no user"
            raise AccessDeniedError(
                f"{who} may not read {database!r} at {mongo.mask(uri)}: {mongo.brief(cause)}; this needs "
                f"the role `read` on {database!r} (find, listCollections, listIndexes), and no other"
            ) from cause
        raise


class MongoCollection:
    """A collection of a MongoDB database."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        name: str,
        shape: CollectionShape,
        uri: str,
        *,
        has_sample: bool,
    ) -> None:
        self.name = name
        self.shape = shape
        self.method = "all documents"
        self._uri = uri
        self._has_sample = has_sample
        self._raw = cast("Collection[RawBSONDocument]", database.get_collection(name, codec_options=_RAW))
        with self._reading():
            self.estimated: int | None = self._raw.estimated_document_count()

    def documents(self, sample: int | None, draws: Random) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield documents: a sample by `$sample` where that takes less than a scan, else drawn in a scan.

        Servers draw for `$sample` from a random cursor if a twentieth or less is asked for; stand-ins are
        not known to draw evenly, and are scanned.
        """
        with self._reading():
            if sample is None or (self.estimated or 0) <= sample:
                raws = self._scan()
            elif self._has_sample and (self.estimated or 0) > _FEW * sample:
                self.method = "$sample"
                raws = self._sampled(sample)
            else:
                self.method = "reservoir over a scan"
                raws = iter(reservoir(self._scan(), sample, draws))
            for raw in raws:
                yield self._decoded(raw), len(raw)

    def found(self, wanted: Mapping[Path, Sequence[Any]]) -> dict[Path, set[int]]:
        """Ask the server for the values, which an index makes quick; of a stand-in read all documents."""
        found: dict[Path, set[int]] = {}
        with self._reading():
            if not self._has_sample:
                read = self._scan(_first_names(wanted))
                return found_in(map(self._decoded, read), wanted)
            for path, values in wanted.items():
                both = [*values]
                for value in values:
                    if isinstance(value, str):
                        both += [one for of in (object_id_of, uuid_of) if (one := of(value)) is not None]
                    elif isinstance(value, bson.ObjectId | UUID):
                        both.append(str(value))
                asked = {hash_of(value) for value in values}
                found[path] = set()
                for start in range(0, len(both), _AT_ONCE):
                    field = ".".join(path)
                    some = {field: {"$in": both[start : start + _AT_ONCE]}}
                    for held in self._raw.find(some, {field: 1}):
                        document = bson.decode(bytes(held.raw), DECODED)
                        found[path] |= asked & {hash_of(value) for value in values_at(document, path)}
        return found

    def _decoded(self, raw: bytes) -> dict[str, Any]:
        try:
            return bson.decode(raw, DECODED)
        except (BSONError, RecursionError) as exc:
            said = " ".join(str(exc).split())
            raise SourceError(f"{self.name!r}: a document of {len(raw):,} bytes is damaged: {said}") from exc

    def _reading(self) -> Any:
        return reading(self._uri, self._raw.database.name)

    def _sampled(self, size: int) -> Iterator[bytes]:
        seen = set()
        for document in self._raw.aggregate([{"$sample": {"size": size}}], allowDiskUse=True):
            identifier = hash_of(document["_id"]) if "_id" in document else None
            if identifier is None or identifier not in seen:  # the random cursor may draw one twice
                seen.add(identifier)
                yield bytes(document.raw)

    def _scan(self, fields: list[str] | None = None) -> Iterator[bytes]:
        """Yield all documents by `_id`; a scan that breaks is gone on with after the last one."""
        ordered = "timeseries" not in self.shape.options  # which has no index on _id
        last: Any = None
        attempts = 0
        while True:
            after = {} if last is None else {"$expr": {"$gt": ["$_id", {"$literal": last}]}}
            cursor = self._raw.find(after, fields, batch_size=1000)
            if ordered:
                cursor = cursor.sort("_id", 1)
            try:
                for document in cursor:
                    raw = bytes(document.raw)
                    yield raw
                    attempts = 0
                    if ordered:
                        last = document["_id"]
            except (pymongo.errors.AutoReconnect, pymongo.errors.CursorNotFound):
                attempts += 1
                if attempts == _ATTEMPTS or not ordered:
                    raise
            else:
                return


def _first_names(paths: Iterable[Path]) -> list[str] | None:
    """Return what to read of each document for some paths; None for all, where a name is no path."""
    names = sorted({path[0] for path in paths})
    plain = all(name and not name.startswith("$") and "." not in name and name != "*" for name in names)
    return names if plain else None
