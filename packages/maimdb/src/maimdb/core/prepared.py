"""Statements that the gate compiles once and that then run with the tenant as a parameter.

A statement is kept per database, shape and kind of scope (tenant, standalone, system), never per tenant.
Building SQL is most of what a small Peewee query costs; what is left here is the driver and the row's
conversion.

    query = ChatHistory.select().where(ChatHistory.user_id == parameter("user"))
    recent = Prepared(query.limit(parameter("n")))
    with tenant_scope("tenant_0a1b2c3d"):
        rows = recent.rows(user="u1", n=20)

`Model.get_by_id`, `get` by primary key, `create` and `save` take this way wherever nothing about the
instance asks for more.
"""

# ruff: noqa: SLF001 - Peewee keeps what its objects are in private attributes

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast
from weakref import WeakKeyDictionary

import peewee
from peewee import OP, Expression, Field, Model, Node

from maimdb.core.gate import GateContext, GateMixin, lookup_of
from maimdb.core.guards import ANYONE, guard_of, owner_in, refuse_other
from maimdb.core.identifiers import quick_uuid
from maimdb.core.scope import current_scope

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from maimdb.core.scope import Scope

M = TypeVar("M", bound=Model)

_internals: Any = peewee  # its stubs leave out what is not documented

Build = Callable[["Sequence[Any]"], Any]

_OWNER: Final = ""


class Slot(NamedTuple):
    """A place in a statement's parameters."""

    name: str
    convert: Callable[[Any], Any] | None


class parameter(Node):  # noqa: N801 - it reads as a function in a query
    """Stands for a value that is given when the statement runs: compared, assigned, or in LIMIT."""

    def __init__(self, name: str, convert: Callable[[Any], Any] | None = None) -> None:
        self.name = name
        self.convert = convert

    def __sql__(self, ctx: Any) -> Any:
        ctx._values.append(Slot(self.name, self.convert or lookup_of(ctx.state.converter)))
        return ctx.literal(ctx.state.param or "?")


class Statement(NamedTuple):
    """SQL and what goes into it."""

    sql: str
    slots: tuple[Any, ...]

    def run(self, database: Any, scope: Scope, values: Mapping[str, Any]) -> Any:
        """Return the cursor."""
        return database.execute_compiled(self.sql, self.bind(scope, values))

    def bind(self, scope: Scope, values: Mapping[str, Any]) -> list[Any]:
        """Return the parameters."""
        bound = []
        for slot in self.slots:
            if type(slot) is not Slot:
                bound.append(slot)
            elif slot[0] is _OWNER:
                bound.append(scope.tenant)
            else:
                convert = slot[1]
                bound.append(values[slot[0]] if convert is None else convert(values[slot[0]]))
        return bound


def database_of(model: Any) -> Any:
    """Return the database itself where a model is bound to a proxy; opens it if need be."""
    database = model._meta.database
    if isinstance(database, peewee.Proxy):
        return database.obj if database.obj is not None else database.get_sql_context.__self__
    return database


def statement(
    database: Any, scope: Scope, key: Any, shape: Callable[[], Any], kept: dict[Any, Statement] | None = None
) -> Statement:
    """Return the statement of a shape in a scope, compiled by the gate if it is the first time."""
    if kept is None:
        kept = database.__dict__.setdefault("prepared_statements", {})
    key = (key, scope.system, scope.tenant is None, database.require_scope)
    found = kept.get(key)
    if found is None:
        context = cast("GateContext", database.get_sql_context())
        if scope.tenant is not None:
            context.owner_parameter = parameter(_OWNER)
        sql, values = context.sql(shape()).query()
        found = kept[key] = Statement(context.verify(sql), tuple(values))
    return found


class Prepared:
    """A SELECT with parameters, compiled when it first runs in each kind of scope."""

    def __init__(self, query: Any) -> None:
        if not isinstance(query, peewee.ModelSelect):
            raise TypeError(f"{type(query).__name__} cannot be prepared: pass a model's SELECT")
        self._query: Any = query
        self._build = _builder_of(query)
        self._converters: list[Any] | None = None
        self._kept: WeakKeyDictionary[Any, dict[Any, Statement]] = WeakKeyDictionary()

    def rows(self, **values: Any) -> list[Any]:
        """Return what the query selects in the current scope.

        These are instances where it selects fields of its one model, else tuples.
        """
        database, scope = database_of(self._query.model), current_scope()
        build = self._build
        kept = self._kept.setdefault(database, {})
        cursor = statement(database, scope, None, lambda: self._query, kept).run(database, scope, values)
        if build is not None:
            return [build(row) for row in cursor.fetchall()]
        if self._converters is None:
            self._converters = _internals._resolve_model_columns(
                cursor, self._query.model, self._query._returning
            )[2]
        return [
            tuple(
                value if convert is None else convert(value)
                for convert, value in zip(self._converters, row, strict=True)
            )
            for row in cursor.fetchall()
        ]


def builder(model: Any, fields: Sequence[Field]) -> Build:
    """Return the function that turns a row of these columns into an instance."""
    data_of = _reader(fields)
    # Only an instance that has an __init__ of its own must go through it.
    if getattr(model, "record_init", None) is not model.__init__:

        def construct(row: Sequence[Any]) -> Any:
            instance = model(__no_default__=True, **data_of(*row))
            instance._dirty.clear()
            return instance

        return construct

    new = model.__new__

    def build(row: Sequence[Any]) -> Any:
        instance = new(model)
        instance.__data__ = data_of(*row)
        instance.__rel__ = {}
        instance._dirty = set()
        return instance

    return build


_TEXT: Final = (peewee.CharField, peewee.TextField)


def _reader(fields: Sequence[Field]) -> Callable[..., dict[str, Any]]:
    """Return the function that takes a row's columns and returns its values, converted, by field name.

    Its text is made of the fields, as a namedtuple's is: a third of the time of a loop over them.
    """
    names = [f"v{number}" for number in range(len(fields))]
    pairs, converters = [], {}
    for name, field in zip(names, fields, strict=True):
        value = name
        if not isinstance(field, _TEXT):
            converters[f"to_{name}"] = _converter(field)
            value = f"None if {name} is None else to_{name}({name})"
        pairs.append(f"{field.name!r}: {value}")
    text = f"lambda {', '.join(names)}: {{{', '.join(pairs)}}}"
    return cast("Callable[..., dict[str, Any]]", eval(text, converters))  # noqa: S307 - the text is our own


def _converter(field: Field) -> Callable[[Any], Any]:
    return _uuid if type(field) is peewee.UUIDField else field.python_value


def _uuid(value: Any) -> Any:
    """Return the UUID that a driver gave, or its text."""
    if type(value) is str and len(value) == _DIGITS:
        return quick_uuid(value)
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


_DIGITS: Final = 32


def _builder_of(query: Any) -> Build | None:
    """Return the builder of a query that selects fields of its one model, and nothing for any other."""
    model, selected = query.model, query._returning
    if query._joins or not all(isinstance(node, Field) and node.model is model for node in selected):
        return None
    return builder(model, selected)


_builders: dict[Any, tuple[int, Build]] = {}


def _builder(model: Any) -> Build:
    fields = model._meta.sorted_fields
    found = _builders.get(model)
    if found is None or found[0] != len(fields):
        found = _builders[model] = (len(fields), builder(model, list(fields)))
    return found[1]


def is_plain(model: Any, key: Any) -> bool:
    """Return whether a row of this key can be fetched by a prepared statement."""
    return (
        not isinstance(key, Node | tuple | list | dict)
        and not model._meta.composite_key
        and isinstance(database_of(model), GateMixin)
    )


def is_key_lookup(model: Any, conditions: tuple[Any, ...]) -> bool:
    """Return whether the conditions are one: the primary key equals a plain value."""
    if len(conditions) != 1 or type(conditions[0]) is not Expression:
        return False
    condition = conditions[0]
    return (
        condition.lhs is model._meta.primary_key and condition.op == OP.EQ and is_plain(model, condition.rhs)
    )


def get(model: type[M], key: Any) -> M:
    """Return the row of a primary key in the current scope, or raise the model's DoesNotExist."""
    database, scope = database_of(model), current_scope()
    found = statement(
        database, scope, (model, "get"), lambda: model.select().where(_key(model) == parameter("key"))
    )
    row = found.run(database, scope, {"key": key}).fetchone()
    if row is None:
        missing: type[Exception] = model.DoesNotExist  # type: ignore[attr-defined]
        raise missing(f"{model!r} instance matching query does not exist: {key!r}")
    return cast("M", _builder(model)(row))


def page(
    model: type[M],
    *,
    limit: int = 50,
    after: M | tuple[dt.datetime, uuid.UUID] | None = None,
    newest_first: bool = False,
    **equals: Any,
) -> list[M]:
    """Return rows in the order of `created_at`, those of which the given columns equal the given values.

    `after` is the last row of the previous page, or its (created_at, id): each page costs what the first did.
    """
    database, scope = database_of(model), current_scope()
    values: dict[str, Any] = {"limit": limit, **{f"={name}": value for name, value in equals.items()}}
    if after is not None:
        values["moment"], values["id"] = after if isinstance(after, tuple) else _place(after)
    key = (model, "page", tuple(equals), after is None, newest_first)
    found = statement(database, scope, key, lambda: _page(model, tuple(equals), newest_first, after is None))
    build = _builder(model)
    return [build(row) for row in found.run(database, scope, values).fetchall()]


def _place(row: Any) -> tuple[Any, Any]:
    return row.created_at, row.id


def _page(model: Any, equals: tuple[str, ...], newest_first: bool, first: bool) -> Any:  # noqa: FBT001
    moment, key = model.created_at, model._meta.primary_key
    query = model.select()
    for name in equals:
        query = query.where(model._meta.fields[name] == parameter(f"={name}"))
    at, id_ = parameter("moment"), parameter("id")
    if not first and newest_first:
        query = query.where(moment <= at, (moment < at) | (key < id_))
    elif not first:
        query = query.where(moment >= at, (moment > at) | (key > id_))
    order = (moment.desc(), key.desc()) if newest_first else (moment, key)
    return query.order_by(*order).limit(parameter("limit"))


def is_savable(instance: Any, only: Any) -> bool:
    """Return whether a prepared INSERT or UPDATE writes just what Peewee's would."""
    meta, data = instance._meta, instance.__data__
    return (
        only is None
        and not instance.__rel__
        and not meta.composite_key
        and not meta.auto_increment
        and not meta.only_save_dirty
        and data.get(meta.primary_key.name) is not None
        and not any(isinstance(value, Node) for value in data.values())
        and all(field.name in data for field in meta.defaults)
        and isinstance(database_of(instance), GateMixin)
    )


def insert(instance: Any) -> int:
    """Insert an instance in the current scope; return the number of rows."""
    model = type(instance)
    database, scope = database_of(model), current_scope()
    stamped = _check_owner(database, scope, model, instance.__data__)
    fields = [field for field in model._meta.sorted_fields if field.name != stamped]
    found = statement(
        database,
        scope,
        (model, "insert"),
        lambda: peewee.ModelInsert(model, {field: _assigned(field) for field in fields}).as_rowcount(),
    )
    data = instance.__data__
    values = data if len(data) == len(model._meta.fields) else dict.fromkeys(model._meta.fields) | data
    found.run(database, scope, values)
    instance._dirty.clear()
    return 1


def update(instance: Any) -> int:
    """Write an instance's values to its row in the current scope; return the number of rows."""
    model = type(instance)
    database, scope = database_of(model), current_scope()
    data = instance.__data__
    left_out = {_check_owner(database, scope, model, data), model._meta.primary_key.name}
    names = tuple(name for name in data if name not in left_out)
    if not names:
        raise ValueError("no data to save!")
    fields = model._meta.fields
    found = statement(
        database,
        scope,
        (model, "update", names),
        lambda: peewee.ModelUpdate(model, {fields[name]: _assigned(fields[name]) for name in names}).where(
            _key(model) == parameter(model._meta.primary_key.name)
        ),
    )
    rows = database.rows_affected(found.run(database, scope, data))
    instance._dirty.clear()
    return int(rows)


def plain_changes(model: Any, key: Any, changes: Any) -> dict[str, Any] | None:
    """Return changes by field name, or None where a prepared UPDATE of the row cannot make them."""
    if key is None or not changes or not isinstance(changes, dict) or not is_plain(model, key):
        return None
    fields, entry = model._meta.fields, guard_of(model)
    named: dict[str, Any] = {str(getattr(name, "name", name)): value for name, value in changes.items()}
    for name, value in named.items():
        if name not in fields or isinstance(value, Node | Model):
            return None
        if entry is not None and fields[name].column_name == entry.column:
            return None
    return named


def change(model: Any, key: Any, changes: dict[str, Any]) -> int:
    """Write changes, by field name, to the row of a primary key; return the number of rows."""
    database, scope = database_of(model), current_scope()
    fields, names = model._meta.fields, tuple(changes)
    found = statement(
        database,
        scope,
        (model, "change", names),
        lambda: peewee.ModelUpdate(model, {fields[name]: _assigned(fields[name]) for name in names}).where(
            _key(model) == parameter("=")
        ),
    )
    return int(database.rows_affected(found.run(database, scope, {**changes, "=": key})))


def _key(model: Any) -> Any:
    return model._meta.primary_key


def _assigned(field: Field) -> parameter:
    return parameter(field.name, field.db_value)


def _check_owner(database: Any, scope: Scope, model: Any, data: Mapping[str, Any]) -> str | None:
    """Return the field that the gate stamps in this scope; raise where the row names another tenant."""
    entry = guard_of(model)
    owner = ANYONE if entry is None else owner_in(scope, entry, strict=database.require_scope)
    if entry is None or owner is ANYONE:
        return None
    name: str = model._meta.columns[entry.column].name
    value = data.get(name)
    if value is not None:
        refuse_other(entry, value, owner, scope)
    return name
