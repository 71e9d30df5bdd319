"""A folder of dumps as a source: a file for each collection, of JSON, NDJSON or BSON, packed or not."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, Any

from bson import json_util

from mimiod.errors import SourceError
from mimiod.evolution.shapes import CollectionShape
from mimiod.inspecting.json_documents import decoded, records
from mimiod.inspecting.sources import found_in, reservoir

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from random import Random

    from mimiod.inspecting.sources import CollectionSource
    from mimiod.inspecting.sources import Path as FieldPath

_FILE = re.compile(r"(?P<name>.+?)\.(?P<kind>json|ndjson|jsonl|bson)(\.gz)?")
_METADATA = ".metadata.json"
_RULES = ("validator", "validationLevel", "validationAction", "uuid", "autoIndexId", "idIndex")


class FolderSource:
    """A folder with a file for each collection, as `mongodump` and `mongoexport` write them."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self.notes: list[str] = []
        self._files = _files_in(folder)
        if not self._files:
            below = [each for each in _entries(folder) if each.is_dir()]
            filled = [files for each in below if (files := _files_in(each))]
            if len(filled) != 1:
                raise SourceError(
                    f"{folder} has no files of documents: one for each collection, NAME.json, NAME.ndjson, "
                    "NAME.jsonl or NAME.bson, or any of them with .gz"
                    + ("; inspect one of the folders in it" if filled else "")
                )
            self._files = filled[0]

    def collections(self) -> list[CollectionSource]:
        """Return the collections, by name."""
        return [FileCollection(name, file, self.notes) for name, file in sorted(self._files.items())]

    def close(self) -> None:
        """Do nothing: files are open only while they are read."""


class FileCollection:
    """The documents of one file."""

    def __init__(self, name: str, file: Path, notes: list[str]) -> None:
        self.name = name
        self.method = "all documents"
        self.estimated: int | None = None
        self.shape = _shape_of(file, name)
        self._file = file
        self._lines = {".ndjson", ".jsonl"} & set(file.suffixes) != set()
        self._notes = notes
        self._noted = False

    def documents(self, sample: int | None, draws: Random) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield the documents, or so many drawn in one reading of the file."""
        if sample is None:
            yield from self._decoded(records(self._file, lines=self._lines))
            return
        counted = 0

        def counting() -> Iterator[Any]:
            nonlocal counted
            for counted, record in enumerate(records(self._file, lines=self._lines), 1):  # noqa: B007
                yield record

        held = reservoir(counting(), sample, draws)
        self.estimated = counted
        if counted > sample:
            self.method = "reservoir over a scan"
        yield from self._decoded(iter(held))

    def found(self, wanted: Mapping[FieldPath, Sequence[Any]]) -> dict[FieldPath, set[int]]:
        """Look for the values in the whole file."""
        read = self._decoded(records(self._file, lines=self._lines))
        return found_in((document for document, _ in read), wanted)

    def _decoded(self, read: Iterator[Any]) -> Iterator[tuple[dict[str, Any], int]]:
        for record in read:
            yield decoded(record, self._file, self._stray), len(record[0])

    def _stray(self, line: int) -> None:
        if not self._noted:
            self._noted = True
            self._notes.append(
                f"{self._file}, line {line:,}: it has bytes that are no UTF-8; they are read as Windows-1252"
            )


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as exc:
        raise SourceError(f"{folder} cannot be read: {exc.strerror or exc}") from exc


def _files_in(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in _entries(folder):
        named = _FILE.fullmatch(file.name)
        if named is None or file.name.removesuffix(".gz").endswith(_METADATA) or not file.is_file():
            continue
        name = named["name"]
        if name.startswith("system."):
            continue
        if name in found:
            raise SourceError(f"{found[name]} and {file} are both of the collection {name!r}: remove one")
        found[name] = file
    return found


def _shape_of(file: Path, name: str) -> CollectionShape:
    """Return what mongodump wrote of a collection beside its documents."""
    for metadata in (file.with_name(name + _METADATA), file.with_name(f"{name}{_METADATA}.gz")):
        if not metadata.is_file():
            continue
        try:
            raw = (
                gzip.decompress(metadata.read_bytes()) if metadata.suffix == ".gz" else metadata.read_bytes()
            )
            told = json_util.loads(raw.decode())
            options = told.get("options", {})
            indexes = {each["name"]: each for each in told.get("indexes", []) if each["name"] != "_id_"}
        except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError) as exc:
            raise SourceError(f"{metadata} cannot be read: {' '.join(str(exc).split())}") from exc
        return CollectionShape(
            options={key: value for key, value in options.items() if key not in _RULES},
            validator=options.get("validator") or {},
            level=options.get("validationLevel", "strict"),
            action=options.get("validationAction", "error"),
            indexes=indexes,
        )
    return CollectionShape()
