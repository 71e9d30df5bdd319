"""The fields of a document's model, as a plan reads them."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class FieldFacts:
    """What a model says of one field."""

    type: Any
    "The type of its values, or of its items: a class, `Any` or a union."
    literals: tuple[Any, ...] = ()
    "All values that it may have, where the type says so."
    optional: bool = False
    many: bool = False
    "Whether it is an array."
    marks: tuple[Any, ...] = ()
    default: Any = PydanticUndefined

    @property
    def model(self) -> type[BaseModel] | None:
        """The model of the embedded documents."""
        embeds = isinstance(self.type, type) and issubclass(self.type, BaseModel)
        return self.type if embeds else None

    def mark(self, kind: type) -> Any:
        """Return the mark of that kind, or None."""
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)


def fields_of(model: type[BaseModel] | None) -> Mapping[str, FieldFacts]:
    """Return the fields of a model under the names that they have in documents, `_id` first."""
    if model is None:
        return {}
    found = {
        name if info.serialization_alias is None else info.serialization_alias: _facts(info)
        for name, info in model.model_fields.items()
    }
    return dict(sorted(found.items(), key=lambda item: item[0] != "_id"))


def _facts(info: FieldInfo) -> FieldFacts:
    facts = _of_type(info.annotation, tuple(info.metadata))
    default = info.default
    if info.default_factory in (list, dict):
        default = info.default_factory()
    return FieldFacts(facts.type, facts.literals, facts.optional, facts.many, facts.marks, default)


def _of_type(annotation: Any, marks: tuple[Any, ...]) -> FieldFacts:  # noqa: PLR0911 - a form of type each
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _of_type(arguments[0], (*marks, *arguments[1:]))
    if origin in (Union, UnionType):
        others = [argument for argument in arguments if argument is not NoneType]
        if len(others) == 1:
            inner = _of_type(others[0], marks)
            return FieldFacts(inner.type, inner.literals, optional=True, many=inner.many, marks=inner.marks)
        return FieldFacts(annotation, optional=len(others) < len(arguments), marks=marks)
    if origin in (list, set, tuple, frozenset):
        inner = _of_type(arguments[0], marks)
        return FieldFacts(inner.type, inner.literals, many=True, marks=inner.marks)
    if origin is Literal:
        return FieldFacts(type(arguments[0]), arguments, marks=marks)
    if isinstance(annotation, type) and hasattr(annotation, "__members__"):
        values = tuple(member.value for member in annotation.__members__.values())
        return FieldFacts(type(values[0]), values, marks=marks)
    return FieldFacts(origin or annotation, marks=marks)
