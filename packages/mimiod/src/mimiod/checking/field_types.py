"""What the model of a collection's documents says of a path: where arrays lie, and whether it holds text."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class FieldType:
    """What stands at a path."""

    arrays: frozenset[str] = frozenset()
    "The parts of the path, from its start, that are arrays: an index over it is multikey."
    types: frozenset[Any] = frozenset()
    "The types of its values, array elements instead of arrays; empty where nothing is known."

    @property
    def may_hold_text(self) -> bool:
        """Whether a collation can matter."""
        return not self.types or any(
            kind in {str, Any} or (isinstance(kind, type) and issubclass(kind, str)) for kind in self.types
        )

    @property
    def is_nullable(self) -> bool:
        """Whether null may stand there."""
        return not self.types or type(None) in self.types


def field_type(model: type[BaseModel] | None, path: str) -> FieldType:
    """Return what a model says of a dotted path, nothing for a path that it does not have."""
    if model is None:
        return FieldType()
    arrays: set[str] = set()
    leaves = frozenset(_descend(model, path.split("."), (), arrays))
    return FieldType(frozenset(arrays), leaves)


def _descend(annotation: Any, rest: list[str], above: tuple[str, ...], arrays: set[str]) -> Iterator[Any]:
    for kind in _alternatives(annotation):
        origin = get_origin(kind) or kind
        if _is_array(origin):
            arrays.add(".".join(above))
            elements = [element for element in get_args(kind) if element is not Ellipsis] or [Any]
            for element in elements:
                yield from _descend(element, rest, above, arrays)
        elif not rest:
            yield kind
        elif isinstance(origin, type) and issubclass(origin, BaseModel):
            for name, field in origin.model_fields.items():
                if (field.serialization_alias or name) == rest[0]:
                    yield from _descend(field.annotation, rest[1:], (*above, rest[0]), arrays)
        elif isinstance(origin, type) and issubclass(origin, Mapping):
            value = (get_args(kind) or (Any, Any))[1]
            yield from _descend(value, rest[1:], (*above, rest[0]), arrays)
        elif kind is Any:
            yield Any


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Yield the types that a value may have."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in {Union, types.UnionType}:
        for each in get_args(annotation):
            yield from _alternatives(each)
    elif origin is Literal:
        yield from {type(value) for value in get_args(annotation)}
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from {type(member.value) for member in annotation}
    else:
        yield annotation


def _is_array(origin: Any) -> bool:
    return (
        isinstance(origin, type)
        and issubclass(origin, Sequence | AbstractSet)
        and not issubclass(origin, str | bytes)
    )
