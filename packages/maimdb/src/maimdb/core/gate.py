"""The one place that every statement passes, where it is confined to the scope's tenant.

`GateMixin` goes before a Peewee database class. Peewee compiles each query through the database's
`context_class`; `GateContext` sees every node on the way and

* confines a guarded table that is read: with a predicate in the SELECT's WHERE, or, where an outer join
  would make that mean something else, by putting `(SELECT * FROM t WHERE tenant_id = ?) AS tN` in the
  table's place;
* adds the predicate to UPDATE and DELETE, and refuses to move a row to another tenant;
* stamps the tenant on INSERT (VALUES and SELECT), refuses another's, guards upserts, refuses REPLACE;
* refuses raw statements, and SQL fragments that could leave their place or read on their own.

Inside a tenant scope a table must be known: guarded, or the table of a model that refers to no guarded
one. What the gate cannot see (views, functions and triggers of the database, the driver's own cursor) is
the business of the database's own enforcement. Which scope reaches what is written in
`maimdb.core.scope`.

A query that was run keeps its rows; the gate ties them to the scope that they were read in, and the same
query iterated in another scope is compiled and run again.
"""

# ruff: noqa: SLF001 - Peewee keeps what its objects are in private attributes

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import peewee
from peewee import (
    CTE,
    JOIN,
    SQL,
    Alias,
    Column,
    CompoundSelectQuery,
    Context,
    Delete,
    Entity,
    Expression,
    Function,
    Insert,
    Join,
    ModelAlias,
    Node,
    NodeList,
    RawQuery,
    Select,
    Table,
    Update,
    ValuesList,
)

from maimdb.core import fragments
from maimdb.core.errors import ScopeError
from maimdb.core.guards import ANYONE, Guard, find_source, guard_of, is_model, owner_in, refuse_raw
from maimdb.core.scope import current_scope
from maimdb.core.stamp import (
    Stamp,
    check_owner,
    column_name,
    conjunction,
    enclosed,
    guarded_assignments,
    is_owned,
    twin,
)
from maimdb.core.standing import Standings

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[["GateContext", Any], Any]


_INNER_LEFT: Final = frozenset({JOIN.INNER, JOIN.CROSS, JOIN.LEFT_OUTER, JOIN.LATERAL, JOIN.LEFT_LATERAL})
_INNER_RIGHT: Final = frozenset({JOIN.INNER, JOIN.CROSS, JOIN.RIGHT_OUTER, JOIN.LATERAL})
_JOINS: Final = frozenset(JOIN.values())
_GLUES: Final = frozenset({" ", ", ", ".", "="})
_HARMLESS_ACTIONS: Final = frozenset({"", "update", "ignore", "nothing", "abort", "fail", "rollback"})
# Peewee writes these attributes into the statement as they are.
_TEXTS: Final[dict[type, tuple[str, ...]]] = {
    peewee.Cast: ("_cast",),
    peewee.Ordering: ("direction", "collation", "nulls"),
    peewee.ForUpdate: ("_expr",),
    peewee.CompoundSelectQuery: ("op",),
}
_OPERATORS: Final = frozenset(peewee.OP.values())
_SYMBOL: Final = re.compile(r"(?!.*(?:--|/\*))[<>=!~@#&|?*+/%^:-]{1,4}")


_compile: Any = Context.sql


class GateContext(Context):
    """A compiler of queries that knows the tenant."""

    __slots__ = ("_own", "_plain", "_strict", "_target", "owner_parameter", "tenancy")

    _sql: list[str]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.tenancy = current_scope()
        self._strict = bool(settings.get("require_scope"))
        self._plain: frozenset[int] = frozenset()
        self._target: Any = None
        self._own: list[int] = []  # where among the pieces of SQL the gate wrote a guarded name
        self.owner_parameter: Node | None = None
        """Stands for the tenant in a prepared statement."""

    def as_new(self) -> GateContext:
        """Return an empty context of the same settings; Peewee's own method forgets the class."""
        return type(self)(**self.state.settings)

    def value(self, value: Any, converter: Any = None, add_param: Any = True) -> Any:  # noqa: FBT002
        """Add a parameter, converted."""
        if converter is None:
            converter = lookup_of(self.state.converter)
        return super().value(value, converter, add_param)

    def sql(self, obj: Any) -> Any:
        """Compile a node, confined."""
        kind = type(obj)
        handler = _handlers[kind] if kind in _handlers else _handler_of(kind)
        if handler is None or self.tenancy.system:
            return _compile(self, obj)
        return handler(self, obj)

    def verify(self, sql: str) -> str:
        """Return the compiled statement; raise where it reads a guarded table that the gate did not write."""
        if self.tenancy.system:
            return sql
        business_only = self.tenancy.tenant is None and not self._strict
        others = self._sql.copy()
        for index in self._own:
            others[index] = "?"
        if found := find_source("".join(others), business_only=business_only):
            raise ScopeError(
                f"{found!r} reads a guarded table past the gate: use the table's model, or cross "
                "with system_scope(reason=…)",
                tenant=self.tenancy.tenant,
            )
        return sql

    # What a node's class is compiled with.

    def _source(self, obj: Any) -> Any:
        state = self.state.scope
        if state == peewee.SCOPE_VALUES and obj is self._target:
            self._target = None
            return self._name(obj)
        if state not in (peewee.SCOPE_SOURCE, peewee.SCOPE_VALUES):
            return _compile(self, obj)
        entry = guard_of(obj)
        if entry is None:
            self._known(obj)
        if entry is None or state == peewee.SCOPE_VALUES:
            return _compile(self, obj)
        owner = self._owner(entry)
        if owner is ANYONE:
            return _compile(self, obj)
        source = obj._meta.table if is_model(obj) else obj
        alias = source.__dict__.get("alias" if isinstance(source, ModelAlias) else "_alias")
        if alias:
            self.alias_manager[source] = alias
        if id(obj) in self._plain:
            self._name(obj)
        else:
            self.literal("(SELECT * FROM ")
            self._name(obj).literal(" WHERE ").sql(is_owned(Entity(entry.column), owner))
            self.literal(")")
        return self.literal(" AS ").sql(Entity(self.alias_manager[source]))

    def _select(self, query: Any) -> Any:
        plain: dict[int, Any] = {}
        for item in query._from_list:
            self._walk(item, plain, inner=True)
        predicates = []
        for source in plain.values():
            entry = guard_of(source)
            owner = self._owner(entry) if entry else ANYONE
            if entry is not None and owner is not ANYONE:
                table = source._meta.table if is_model(source) else source
                predicates.append(is_owned(Column(table, entry.column), owner))
        if predicates:
            query = twin(query)
            query._where = conjunction([*predicates, *enclosed(query._where)])
        return self._nested(query, plain=frozenset(plain))

    def _join(self, join: Any) -> Any:
        # Without parentheses, a fragment such as `1=1, other` would name a further table.
        on = join._on
        if isinstance(on, Node) and not (type(on) is Expression and not on.flat):
            join = twin(join)
            join._on = NodeList((on,), parens=True)
        return _compile(self, join)

    def _write(self, query: Any) -> Any:
        for item in getattr(query, "_from", None) or ():
            self._walk(item, {}, inner=False)
        entry = guard_of(query.table)
        if entry is None:
            self._known(query.table)
            return self._nested(query, target=None)
        owner = self._owner(entry)
        if owner is ANYONE:
            return _compile(self, query)
        if isinstance(query.table, ModelAlias):
            raise ScopeError(f"an alias of {entry.table!r} cannot be written: use the model itself")
        for key, value in (getattr(query, "_update", None) or {}).items():
            if column_name(query.table, key) == entry.column:
                check_owner(self.tenancy, entry, value, owner)
        table = query.table._meta.table if is_model(query.table) else query.table
        self.alias_manager[table] = table.__name__
        query = twin(query)
        query._where = conjunction([is_owned(Column(table, entry.column), owner), *enclosed(query._where)])
        return self._nested(query, target=query.table)

    def _insert(self, query: Any) -> Any:
        entry = guard_of(query.table)
        if entry is None:
            self._known(query.table)
            return self._nested(query, target=None)
        owner = self._owner(entry)
        if owner is ANYONE:
            return _compile(self, query)
        if isinstance(query.table, ModelAlias):
            raise ScopeError(f"an alias of {entry.table!r} cannot be written: use the model itself")
        original, query = query, twin(query)
        Stamp(self.tenancy, entry, owner, original.table).apply(query)
        if query._on_conflict is not None:
            query._on_conflict = self._conflict(original, entry, owner)
        return self._nested(query, target=query.table)

    def _conflict(self, query: Any, entry: Guard, owner: Any) -> Any:
        conflict = query._on_conflict
        if (conflict._action or "").lower() not in _HARMLESS_ACTIONS:
            raise ScopeError(
                f"{conflict._action} can delete another tenant's row of {entry.table!r}: use "
                "on_conflict(update=…)",
                tenant=self.tenancy.tenant,
            )
        for key, value in (conflict._update or {}).items():
            if column_name(query.table, key) == entry.column:
                check_owner(self.tenancy, entry, value, owner)
        if not (conflict._update or conflict._preserve):
            return conflict
        conflict = conflict.clone()
        if self.state.upsert_by_case:
            owned = is_owned(Entity(entry.table, entry.column), owner)
            conflict._update = guarded_assignments(
                query.table, entry.table, conflict, owned, self.state.upsert_by_case
            )
            conflict._preserve = ()
        else:
            table = query.table._meta.table if is_model(query.table) else query.table
            owned = is_owned(Column(table, entry.column), owner)
            conflict._where = conjunction([owned, *enclosed(conflict._where)])
        return conflict

    def _raw(self, query: Any) -> Any:
        refuse_raw(query._sql, self.tenancy, strict=self._strict)
        return _compile(self, query)

    def _text(self, node: Any) -> Any:
        if isinstance(node, SQL):
            self._inspect(str(node.sql))
        elif isinstance(node, Function):
            if self.tenancy.tenant is not None and not fragments.is_plain_call(node.name):
                raise self._refused(
                    str(node.name), "is no plain function, or one that runs SQL or reads files"
                )
        elif isinstance(node, NodeList):
            if node.glue not in _GLUES:
                self._inspect(node.glue)
                if any(isinstance(part, SQL) for part in node.nodes):
                    raise self._refused(node.glue, "glues pieces of SQL to new words")
        else:
            for attribute in next(names for kind, names in _TEXTS.items() if isinstance(node, kind)):
                if text := getattr(node, attribute):
                    self._inspect(str(getattr(text, "sql", text)), own=True)
        if isinstance(node, CompoundSelectQuery):
            return self._nested(node)
        return _compile(self, node)

    def _expression(self, node: Expression) -> Any:
        if node.op not in _OPERATORS and not _SYMBOL.fullmatch(node.op):
            self._inspect(str(node.op))
        return _compile(self, node)

    # Their parts.

    def _nested(self, query: Any, *, plain: frozenset[int] = frozenset(), target: Any = None) -> Any:
        """Compile a statement whose tables are these and no longer the enclosing one's."""
        outer = self._plain, self._target
        self._plain, self._target = plain, target
        try:
            return _compile(self, query)
        finally:
            self._plain, self._target = outer

    def _walk(self, item: Any, plain: dict[int, Any], *, inner: bool) -> None:
        """Collect the sources on which a predicate in WHERE means the same as one before the join."""
        while isinstance(item, Alias):
            item = item.node
        if isinstance(item, Join):
            if item.join_type not in _JOINS:
                raise self._refused(str(item.join_type), "is no join")
            self._walk(item.lhs, plain, inner=inner and item.join_type in _INNER_LEFT)
            self._walk(item.rhs, plain, inner=inner and item.join_type in _INNER_RIGHT)
        elif isinstance(item, Table | ModelAlias) or is_model(item):
            if inner:
                plain[id(item)] = item
        elif self.tenancy.tenant is not None and not isinstance(
            item, peewee.SelectBase | CTE | ValuesList | Function
        ):
            raise self._refused(repr(getattr(item, "sql", item)), "is read as a table: use a model")

    def _known(self, source: Any) -> None:
        """Raise inside a tenant scope when nobody has said whose the rows of a table are."""
        if self.tenancy.tenant is None:
            return
        model = getattr(source, "_model" if isinstance(source, Table) else "model", source)
        if not is_model(model):
            if isinstance(source, Table):
                raise self._refused(source.__name__, "is a table that no model declares")
        elif any(guard_of(other) for other in model._meta.refs.values()):
            raise self._refused(
                model._meta.table_name,
                "refers to tenants' rows without saying whose it is: give it a tenant_id",
            )

    def _owner(self, entry: Guard) -> Any:
        owner = owner_in(self.tenancy, entry, strict=self._strict)
        return (
            self.owner_parameter
            if self.owner_parameter is not None and owner not in (None, ANYONE)
            else owner
        )

    def _name(self, obj: Any) -> GateContext:
        table: Any = obj if isinstance(obj, Table) else getattr(obj, "model", obj)._meta.table
        _compile(self, Entity(*table._path))
        self._own.append(len(self._sql) - 1)
        return self

    def _inspect(self, text: str, *, own: bool = False) -> None:
        faults = fragments.faults_of(text)
        if faults.escape:
            raise self._refused(text, faults.escape)
        if self.tenancy.tenant is None or own:
            return
        if faults.read:
            raise self._refused(text, f"it holds {faults.read!r} and could read past the gate")
        if faults.source and not self.state.in_function:
            raise self._refused(text, "it holds 'from' and could read past the gate")

    def _refused(self, text: str, why: str) -> ScopeError:
        return ScopeError(
            f"{text!r} is refused inside a scope, {why}: build it with Peewee's nodes, or cross with "
            "system_scope(reason=…)",
            tenant=self.tenancy.tenant,
        )


_HANDLERS: Final[tuple[tuple[Any, Handler], ...]] = (
    (peewee.ModelBase, GateContext._source),
    ((Table, ModelAlias), GateContext._source),
    (Select, GateContext._select),
    ((Update, Delete), GateContext._write),
    (Insert, GateContext._insert),
    (Join, GateContext._join),
    (RawQuery, GateContext._raw),
    (Expression, GateContext._expression),
    ((SQL, Function, NodeList, *_TEXTS), GateContext._text),
)


_handlers: dict[type, Handler | None] = {}


def _handler_of(kind: Any) -> Handler | None:
    handler = next((handler for kinds, handler in _HANDLERS if issubclass(kind, kinds)), None)
    _handlers[kind] = handler
    return handler


def lookup_of(converter: Any) -> Any:
    """Return how a value is converted that rows are compared with.

    Peewee converts it as if it were written; but to look for a value that no row can have is no error.
    """
    return getattr(getattr(converter, "__self__", None), "lookup_value", converter)


class GateMixin:
    """A Peewee database whose statements are confined to the current scope; before the database class."""

    context_class = GateContext
    require_scope: bool = False
    """Whether a guarded table may be used only inside a scope."""

    def get_context_options(self) -> dict[str, Any]:
        """Return Peewee's options and the gate's."""
        options: dict[str, Any] = super().get_context_options()  # type: ignore[misc]
        options["require_scope"] = self.require_scope
        if isinstance(self, peewee.MySQLDatabase):
            # MariaDB renamed the function in 10.3.3; Peewee tells the two apart by the same comparison.
            options["upsert_by_case"] = "VALUE" if (self.server_version or (0,)) >= (10, 3, 3) else "VALUES"
        return options

    def execute(self, query: Any, **context_options: Any) -> Any:
        """Compile a query, confined, and run it."""
        if isinstance(query, Context):  # a schema statement, compiled by Peewee's SchemaManager
            sql, params = query.query()
            refuse_raw(sql, current_scope(), strict=self.require_scope)
            return self.execute_compiled(sql, params)
        context = cast("GateContext", self.get_sql_context(**context_options))  # type: ignore[attr-defined]
        sql, params = context.sql(query).query()
        context.verify(sql)
        if isinstance(query, peewee.BaseQuery):
            kind: Any = type(query)
            query.__class__ = _remembering(kind)
        return self.execute_compiled(sql, params)

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Run a raw statement where the scope allows it."""
        refuse_raw(sql, current_scope(), strict=self.require_scope)
        return self.execute_compiled(sql, params)

    def admit(self, sql: str) -> None:
        """Raise where the scope's tenant is suspended and may not run this statement."""
        scope = current_scope()
        if scope.tenant is not None:
            self._standings().admit(self, scope, sql)

    def forget_standing(self, tenant: str) -> None:
        """Ask anew what a tenant may do."""
        self._standings().forget(tenant)

    def _standings(self) -> Standings:
        facts = self.__dict__
        found: Standings = facts.get("standings") or facts.setdefault("standings", Standings())
        return found

    def execute_compiled(self, sql: str, params: Any = None) -> Any:
        """Run a statement that the gate compiled; not for SQL from anywhere else."""
        self.admit(sql)
        return super().execute_sql(sql, params)  # type: ignore[misc]


def _rows_of_scope(query: Any) -> Any:
    rows = query.__dict__.get("_cursor_wrapper")
    return rows if rows is None or query.__dict__.get("_rows_scope") == current_scope() else None


def _keep_rows(query: Any, rows: Any) -> None:
    query.__dict__["_cursor_wrapper"] = rows
    query.__dict__["_rows_scope"] = current_scope()


@lru_cache(maxsize=256)
def _remembering(kind: Any) -> Any:
    """Return the query class with rows that only the scope which read them sees."""
    if isinstance(kind.__dict__.get("_cursor_wrapper"), property):
        return kind
    namespace = {"_cursor_wrapper": property(_rows_of_scope, _keep_rows), "__module__": kind.__module__}
    return type(kind.__name__, (kind,), namespace)
