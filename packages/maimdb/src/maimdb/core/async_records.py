"""What the models for asyncio have in common: a model's methods, done in threads, and its rows, wrapped."""

# ruff: noqa: SLF001 - Peewee keeps what a model is in `_meta`; wrappers make each other

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ClassVar, Self

import peewee

from maimdb.core.models.fields import JSONTextField, parse_json, to_json
from maimdb.core.units import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator

    from maimdb.core.models.base import Record

BUILDERS = frozenset(
    {
        "delete",
        "filter",
        "insert",
        "insert_from",
        "insert_many",
        "noop",
        "raw",
        "replace",
        "replace_many",
        "select",
        "update",
    }
)
"""Methods of a model that make a query and touch no database."""
PURE = frozenset(
    {
        "add_index",
        "alias",
        "bind",
        "bind_ctx",
        "clone",
        "coerce",
        "get_config",
        "get_id",
        "get_permissions",
        "has_permission",
        "index",
        "is_alias",
        "is_dirty",
        "is_expired",
        "record_init",
        "set_config",
        "set_permissions",
        "unwrap",
        "validate_model",
    }
)
"""Methods of a model that touch no database: called as they are. Any other is taken for one that does."""
RUNNING = frozenset(
    {"count", "execute", "exists", "explain", "first", "get", "get_or_none", "peek", "scalar", "scalars"}
)
"""Methods that run a query."""

_wrappers: dict[type[peewee.Model], type[AsyncRecord]] = {}


class _FieldValue:
    """A field: of the class for queries, of an instance its value, JSON as what it holds."""

    def __init__(self, field: Any) -> None:
        self.field = field
        self.is_json = isinstance(field, JSONTextField)

    def __get__(self, instance: AsyncRecord | None, owner: type[AsyncRecord]) -> Any:
        if instance is None:
            return self.field
        value = getattr(instance.record, self.field.name)
        return parse_json(value, None, field=str(self.field)) if self.is_json else value

    def __set__(self, instance: AsyncRecord, value: Any) -> None:
        setattr(instance.record, self.field.name, self.stored(value))

    def stored(self, value: Any) -> Any:
        """Return a value as the model takes it; a text is taken for JSON already."""
        return (
            value
            if not self.is_json or isinstance(value, str | None)
            else to_json(value, field=str(self.field))
        )


class _EitherOf:
    """A name that means one thing for the class, a query, and another for an instance, its row."""

    def __init__(self, of_class: str, of_instance: str) -> None:
        self.of_class, self.of_instance = of_class, of_instance

    def __get__(self, instance: AsyncRecord | None, owner: type[AsyncRecord]) -> Any:
        return owner._build(self.of_class) if instance is None else getattr(instance, self.of_instance)


class AsyncQuery:
    """A query: built like the model's, run by `await`, `async for` or a method such as `count()`.

    It is run anew each time, and may be shared by tasks.
    """

    def __init__(self, query: Any) -> None:
        self.query = query

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.query, name)
        if not callable(attribute) or isinstance(attribute, peewee.Node):
            return attribute
        if name in RUNNING:
            return _awaited(getattr(self.query.clone(), name))

        @functools.wraps(attribute)
        def chained(*args: Any, **kwargs: Any) -> Any:
            result = attribute(*map(_plain, args), **{key: _plain(value) for key, value in kwargs.items()})
            return AsyncQuery(result) if isinstance(result, peewee.BaseQuery) else result

        return chained

    def __await__(self) -> Generator[Any, Any, Any]:
        return in_thread(_executed, self.query.clone()).__await__()

    async def __aiter__(self) -> AsyncIterator[Any]:
        for row in await self:
            yield row


def _executed(query: Any) -> Any:
    result = query.execute()
    return _wrapped(list(result)) if isinstance(result, peewee.CursorWrapper) else _wrapped(result)


def _plain(value: Any) -> Any:
    """Return what the models take for what stands for it here."""
    if isinstance(value, AsyncQuery):
        return value.query
    if isinstance(value, AsyncRecord):
        return value.record
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return value


def _wrapped(value: Any) -> Any:
    """Return what stands here for what the models return."""
    if isinstance(value, peewee.Model):
        return _wrappers[type(value)]._of(value) if type(value) in _wrappers else value
    if isinstance(value, list | tuple) and type(value) in {list, tuple}:
        return type(value)(map(_wrapped, value))
    return value


def _awaited(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = _plain(args), {key: _plain(value) for key, value in kwargs.items()}
        return await in_thread(lambda: _wrapped(method(*args, **kwargs)))

    return awaited


def _of_instance(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def method(self: AsyncRecord, *args: Any, **kwargs: Any) -> Any:
        bound = getattr(self.record, name)
        return (bound if name in PURE else _awaited(bound))(*args, **kwargs)

    return method


def _of_class(name: str, function: Callable[..., Any]) -> Any:
    @functools.wraps(function)
    def method(cls: type[AsyncRecord], *args: Any, **kwargs: Any) -> Any:
        if name in BUILDERS:
            return cls._build(name)(*args, **kwargs)
        bound = getattr(cls.model, name)
        return (bound if name in PURE else _awaited(bound))(*args, **cls._stored(kwargs))

    return classmethod(method)


if TYPE_CHECKING:

    class _Delegating(type):
        def __getattr__(cls, name: str) -> Any: ...

else:
    _Delegating = type


class AsyncRecord(metaclass=_Delegating):
    """A row, and with its class methods the table, of a model, for asyncio."""

    model: ClassVar[type[Record]]
    record: Any
    """The model's instance."""

    def __init__(self, **values: Any) -> None:
        self.record = self.model(**self._stored(values))

    def __init_subclass__(cls, *, model: type[Record]) -> None:
        """Give the class every public name of the model that it does not define by itself."""
        cls.model = _model = model
        _wrappers[model] = cls
        for name in dir(_model):
            if name.startswith("_") or hasattr(cls, name):
                continue
            what = inspect.getattr_static(_model, name)
            field = getattr(_model, name)
            if isinstance(field, peewee.Field):
                setattr(cls, name, _FieldValue(field))
            elif isinstance(what, property):
                setattr(cls, name, _property(name, what))
            elif isinstance(what, classmethod):
                setattr(cls, name, _of_class(name, what.__func__))
            elif inspect.isfunction(what):
                setattr(cls, name, _of_instance(name, what))
            else:
                setattr(cls, name, what)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    @classmethod
    def _of(cls, record: Any) -> Self:
        wrapped = cls.__new__(cls)
        wrapped.record = record
        return wrapped

    @classmethod
    def _stored(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Return fields as the model takes them."""
        described = {name: inspect.getattr_static(cls, name, None) for name in values}
        return {
            name: described[name].stored(value) if isinstance(described[name], _FieldValue) else _plain(value)
            for name, value in values.items()
        }

    @classmethod
    def _build(cls, name: str) -> Callable[..., AsyncQuery]:
        builder = getattr(cls.model, name)

        @functools.wraps(builder)
        def build(*args: Any, **kwargs: Any) -> AsyncQuery:
            given = [
                cls._stored(arg) if isinstance(arg, dict) and _named(arg) else _plain(arg) for arg in args
            ]
            return AsyncQuery(builder(*given, **cls._stored(kwargs)))

        return build

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsyncRecord) and bool(self.record == other.record)

    def __hash__(self) -> int:
        return hash(self.record)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.record}>"

    update = _EitherOf("update", "_change")
    delete = _EitherOf("delete", "delete_instance")

    async def _change(self, **values: Any) -> Self:
        """Change fields and save them; `updated_at` is kept."""
        unknown = sorted(values.keys() - self.model._meta.fields.keys())
        if unknown:
            raise AttributeError(f"{self.model.__name__} has no field {unknown[0]!r}")
        for name, value in self._stored(values).items():
            setattr(self.record, name, value)
        only = [getattr(self.model, name) for name in values]
        await in_thread(self.record.save, only=only)
        return self

    @classmethod
    async def get(cls, *query: Any, **filters: Any) -> Self | None:
        """Return the row of an id, or the first that the conditions find; None if there is none."""
        if len(query) == 1 and not isinstance(query[0], peewee.Node):
            key: Any = cls.model._meta.primary_key
            query = (key == query[0],)
        found: Self | None = _wrapped(await in_thread(cls.model.get_or_none, *query, **filters))
        return found


def _named(row: dict[Any, Any]) -> bool:
    return all(isinstance(key, str) for key in row)


def _property(name: str, of_model: property) -> property:
    def get(self: AsyncRecord) -> Any:
        return getattr(self.record, name)

    def put(self: AsyncRecord, value: Any) -> None:
        setattr(self.record, name, value)

    return property(get, put if of_model.fset else None, doc=of_model.__doc__)


def in_model(function: Callable[..., Any]) -> Any:
    """Make a class method for asyncio of a function that is given the model."""

    @functools.wraps(function)
    async def method(cls: type[AsyncRecord], *args: Any, **kwargs: Any) -> Any:
        return await in_thread(lambda: _wrapped(function(cls.model, *args, **kwargs)))

    return classmethod(method)
