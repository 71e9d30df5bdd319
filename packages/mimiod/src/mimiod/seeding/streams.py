"""BSON of many documents side by side: streams of pieces, and the bytes of each row.

A piece is a constant, a matrix of bytes (as many in each row) or a list with the bytes of each row.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import bson
import numpy as np
from bson.codec_options import CodecOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Stream = list["bytes | Bytes | Varying"]

CODEC: Final = CodecOptions[dict[str, Any]](tz_aware=True)


@dataclass(frozen=True, slots=True)
class Varying:
    """The bytes of each row, of differing lengths."""

    parts: list[bytes]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, parts: list[bytes]) -> Varying:
        """Return these parts with their lengths."""
        return cls(parts, np.fromiter(map(len, parts), np.int64, len(parts)))


def size_of(stream: Stream) -> tuple[int, NDArray[np.int64] | None]:
    """Return how many bytes every row has, and how many more each has."""
    fixed, varying = 0, None
    for piece in stream:
        if isinstance(piece, bytes):
            fixed += len(piece)
        elif isinstance(piece, Varying):
            varying = piece.sizes if varying is None else varying + piece.sizes
        else:
            fixed += piece.shape[1]
    return fixed, varying


def assemble(stream: Stream, rows: int) -> list[bytes]:
    """Return the bytes of each row."""
    parts: list[list[bytes]] = []
    together: list[bytes | Bytes] = []
    for piece in stream:
        if isinstance(piece, Varying):
            if together:
                parts.append(_side_by_side(together, rows))
                together = []
            parts.append(piece.parts)
        else:
            together.append(piece)
    if together:
        parts.append(_side_by_side(together, rows))
    return parts[0] if len(parts) == 1 else list(map(b"".join, zip(*parts, strict=True)))


def _side_by_side(pieces: Sequence[bytes | Bytes], rows: int) -> list[bytes]:
    widths = [len(piece) if isinstance(piece, bytes) else piece.shape[1] for piece in pieces]
    width = sum(widths)
    if all(isinstance(piece, bytes) for piece in pieces):
        return [b"".join(pieces)] * rows  # type: ignore[arg-type]
    block = np.empty((rows, width), np.uint8)
    at = 0
    for piece, wide in zip(pieces, widths, strict=True):
        block[:, at : at + wide] = np.frombuffer(piece, np.uint8) if isinstance(piece, bytes) else piece
        at += wide
    listed: list[bytes] = block.view(f"V{width}").ravel().tolist()
    return listed


def document_stream(stream: Stream) -> Stream:
    """Return the stream of documents with these elements: their length, the elements, the end."""
    fixed, varying = size_of(stream)
    if varying is None:
        return [struct.pack("<i", fixed + 5), *stream, b"\0"]
    return [matrix((varying + (fixed + 5)).astype("<i4")), *stream, b"\0"]


def matrix(values: NDArray[Any]) -> Bytes:
    """Return the bytes of each value as a row."""
    width = values.itemsize * (values.shape[1] if values.ndim > 1 else 1)
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), width)


def digits(numbers: NDArray[Any], places: int) -> Bytes:
    """Return whole numbers from 0 on in ASCII digits, so many places of each, with zeros in front."""
    matrix = np.empty((len(numbers), places), np.uint8)
    rest = numbers.astype(np.uint64)
    for place in range(places - 1, -1, -1):
        rest, digit = np.divmod(rest, np.uint64(10))
        matrix[:, place] = digit
    matrix += ord("0")
    return matrix


def encode_element(name: bytes, value: Any) -> bytes:
    """Return one BSON element; a name that is NUL-free is taken as it is."""
    return bson.encode({name.decode(): value}, codec_options=CODEC)[4:-1]
