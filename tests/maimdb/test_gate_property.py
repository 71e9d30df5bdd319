"""Random query trees and writes, under random scopes, against a model of plain Python."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import count, product
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from maimdb import close_database, init_database, system_scope, tenant_scope
from maimdb.core.models.base import Record
from maimdb.core.models.fields import StringField
from maimdb.core.scope import current_tenant
from peewee import JOIN, IntegerField, Select, SelectBase, fn

OPERATIONS = Counter[str]()
EXAMPLES = 150

TENANTS = ("tenant_1", "tenant_2")
SYSTEM = "system"
SCOPES = (None, *TENANTS, SYSTEM)


class _Row(Record):
    k = IntegerField(null=True)
    v = IntegerField(null=True)


class _Owned(_Row):
    tenant_id = StringField(50, null=True, default=current_tenant)


class PropNote(_Owned):
    code = IntegerField(null=True, unique=True)


class PropTag(_Owned):
    pass


class PropControl(_Owned):
    class Meta:
        control = True


class PropShared(_Row):
    pass


TABLES = {"note": PropNote, "tag": PropTag, "control": PropControl, "shared": PropShared}
Pair = tuple[int | None, int | None]


@dataclass
class Stored:
    owner: str | None
    k: int | None
    v: int | None
    code: int | None = None


class Reference:
    """What the tables hold, and who may see it."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Stored]] = {name: [] for name in TABLES}

    def visible(self, table: str, scope: str | None) -> list[Stored]:
        rows = self.tables[table]
        if table == "shared" or scope == SYSTEM or (table == "control" and scope is None):
            return rows
        return [row for row in rows if row.owner == scope]


names = count()


def opened(scope: str | None) -> AbstractContextManager[Any]:
    if scope == SYSTEM:
        return system_scope(reason="property test")
    return tenant_scope(scope) if scope else nullcontext()


# Query trees. Each builds a SELECT of the columns k and v, and tells what it must return.


class Tree(ABC):
    @abstractmethod
    def build(self) -> Any: ...

    @abstractmethod
    def rows(self, reference: Reference, scope: str | None) -> list[Pair]: ...


@dataclass(frozen=True)
class Comparison:
    column: str
    operator: str
    value: int

    def build(self, k: Any, v: Any) -> Any:
        column = k if self.column == "k" else v
        return {"=": column == self.value, "<": column < self.value, ">": column > self.value}[self.operator]

    def holds(self, row: Any) -> bool:
        value = row.k if self.column == "k" else row.v
        if value is None:
            return False
        return {"=": value == self.value, "<": value < self.value, ">": value > self.value}[self.operator]


@dataclass(frozen=True)
class Leaf(Tree):
    table: str
    tests: tuple[Comparison, ...]
    aliased: bool

    def build(self) -> Any:
        model: Any = TABLES[self.table]
        source = model.alias() if self.aliased else model
        query = source.select(source.k.alias("k"), source.v.alias("v"))
        for test in self.tests:
            query = query.where(test.build(source.k, source.v))
        return query

    def rows(self, reference: Reference, scope: str | None) -> list[Pair]:
        visible = reference.visible(self.table, scope)
        return [(row.k, row.v) for row in visible if all(test.holds(row) for test in self.tests)]


@dataclass(frozen=True)
class Chain(Tree):
    """Tables joined from left to right on equal k; an item may be a tree."""

    first: str
    others: tuple[tuple[str, str | Tree], ...]

    def build(self) -> Any:
        model: Any = TABLES[self.first]
        head = last = model.alias()
        query = Select([head], [])
        for kind, item in self.others:
            if isinstance(item, Tree):
                other = item.build().alias(f"q{next(names)}")
                column = other.c
            else:
                other = column = TABLES[item].alias()
            on = None if kind == JOIN.CROSS else self._k(last) == column.k
            query = query.join(other, kind, on)
            last = other
        return query.columns(self._k(head).alias("k"), self._v(last).alias("v"))

    @staticmethod
    def _k(source: Any) -> Any:
        return source.c.k if isinstance(source, SelectBase) else source.k

    @staticmethod
    def _v(source: Any) -> Any:
        return source.c.v if isinstance(source, SelectBase) else source.v

    def rows(self, reference: Reference, scope: str | None) -> list[Pair]:
        nothing = (None, None)
        combined = [[(row.k, row.v)] for row in reference.visible(self.first, scope)]
        for width, (kind, item) in enumerate(self.others, 1):
            if isinstance(item, Tree):
                right = item.rows(reference, scope)
            else:
                right = [(row.k, row.v) for row in reference.visible(item, scope)]
            matches = [
                (i, j)
                for (i, left), (j, row) in product(enumerate(combined), enumerate(right))
                if kind == JOIN.CROSS or (left[-1][0] is not None and left[-1][0] == row[0])
            ]
            joined = [[*combined[i], right[j]] for i, j in matches]
            if kind in (JOIN.LEFT_OUTER, JOIN.FULL_OUTER):
                met = {i for i, _ in matches}
                joined += [[*left, nothing] for i, left in enumerate(combined) if i not in met]
            if kind in (JOIN.RIGHT_OUTER, JOIN.FULL_OUTER):
                met = {j for _, j in matches}
                joined += [[nothing] * width + [row] for j, row in enumerate(right) if j not in met]
            combined = joined
        return [(row[0][0], row[-1][1]) for row in combined]


def without_cte(query: Any) -> Any:
    """SQLite takes no WITH in a compound's member, and Peewee drops the WITH of what becomes a CTE."""
    if not query._cte_list:
        return query
    query = query.alias(f"m{next(names)}")
    return Select([query], [query.c.k.alias("k"), query.c.v.alias("v")])


@dataclass(frozen=True)
class Compound(Tree):
    operator: str
    left: Tree
    right: Tree

    def build(self) -> Any:
        left, right = without_cte(self.left.build()), without_cte(self.right.build())
        return {
            "union": lambda: left | right,
            "union all": lambda: left + right,
            "intersect": lambda: left & right,
            "except": lambda: left - right,
        }[self.operator]()

    def rows(self, reference: Reference, scope: str | None) -> list[Pair]:
        left, right = self.left.rows(reference, scope), self.right.rows(reference, scope)
        match self.operator:
            case "union":
                return list({*left, *right})
            case "union all":
                return left + right
            case "intersect":
                return list({*left} & {*right})
            case _:
                return list({*left} - {*right})


@dataclass(frozen=True)
class Wrapped(Tree):
    """A tree as a subquery in FROM, or as a CTE."""

    tree: Tree
    as_cte: bool
    tests: tuple[Comparison, ...]

    def build(self) -> Any:
        name = f"w{next(names)}"
        if self.as_cte:
            source = without_cte(self.tree.build()).cte(name)
            query = Select((source,), [source.c.k.alias("k"), source.c.v.alias("v")]).with_cte(source)
        else:
            source = self.tree.build().alias(name)
            query = Select((source,), [source.c.k.alias("k"), source.c.v.alias("v")])
        for test in self.tests:
            query = query.where(test.build(source.c.k, source.c.v))
        return query

    def rows(self, reference: Reference, scope: str | None) -> list[Pair]:
        rows = [Stored(None, *pair) for pair in self.tree.rows(reference, scope)]
        return [(row.k, row.v) for row in rows if all(test.holds(row) for test in self.tests)]


@dataclass(frozen=True)
class Within(Tree):
    """The rows of a table whose k is among a tree's, by IN or by a correlated EXISTS."""

    table: str
    tree: Tree
    correlated: bool

    def build(self) -> Any:
        model: Any = TABLES[self.table]
        outer = model.alias()
        sub = self.tree.build().alias(f"s{next(names)}")
        inner = Select([sub], [sub.c.k])
        condition = fn.EXISTS(inner.where(sub.c.k == outer.k)) if self.correlated else outer.k.in_(inner)
        return outer.select(outer.k.alias("k"), outer.v.alias("v")).where(condition)

    def rows(self, reference: Reference, scope: str | None) -> list[Pair]:
        keys = {k for k, _ in self.tree.rows(reference, scope)} - {None}
        return [(row.k, row.v) for row in reference.visible(self.table, scope) if row.k in keys]


@dataclass(frozen=True)
class Aggregate(Tree):
    tree: Tree

    def build(self) -> Any:
        sub = self.tree.build().alias(f"a{next(names)}")
        return Select([sub], [sub.c.k.alias("k"), fn.COUNT(sub.c.v).alias("v")]).group_by(sub.c.k)

    def rows(self, reference: Reference, scope: str | None) -> list[Pair]:
        counts: dict[int | None, int] = {}
        for k, v in self.tree.rows(reference, scope):
            counts[k] = counts.get(k, 0) + (v is not None)
        return list(counts.items())


# Writes. Each runs, and changes the reference as it must have changed the tables.

Write = Callable[[Reference, str | None, str], None]


def insert(table: str, pairs: list[Pair], how: str) -> Write:
    def run(reference: Reference, scope: str | None, _: str) -> None:
        model: Any = TABLES[table]
        rows = [{"k": k, "v": v} for k, v in pairs]
        if how == "create":
            for row in rows:
                model.create(**row)
        elif how == "dicts":
            model.insert_many(rows).execute()
        elif how == "tuples":
            model.insert_many(pairs, fields=[model.k, model.v]).execute()
        else:
            model.bulk_create([model(**row) for row in rows])
        owner = None if table == "shared" else scope
        reference.tables[table] += [Stored(owner, k, v) for k, v in pairs]

    return run


def insert_from(table: str, tree: Tree) -> Write:
    def run(reference: Reference, scope: str | None, _: str) -> None:
        model: Any = TABLES[table]
        pairs = tree.rows(reference, scope)
        model.insert_from(tree.build(), [model.k, model.v]).execute()
        owner = None if table == "shared" else scope
        reference.tables[table] += [Stored(owner, k, v) for k, v in pairs]

    return run


def update(table: str, tests: tuple[Comparison, ...], value: int) -> Write:
    def run(reference: Reference, scope: str | None, _: str) -> None:
        model: Any = TABLES[table]
        query = model.update(v=value)
        for test in tests:
            query = query.where(test.build(model.k, model.v))
        changed = [row for row in reference.visible(table, scope) if all(test.holds(row) for test in tests)]
        query.execute()
        for row in changed:
            row.v = value

    return run


def update_from(table: str, tree: Tree) -> Write:
    def run(reference: Reference, scope: str | None, _: str) -> None:
        model: Any = TABLES[table]
        values = [v for _, v in tree.rows(reference, scope) if v is not None]
        sub = tree.build().alias("u")
        model.update(v=Select([sub], [fn.MAX(sub.c.v)])).execute()
        for row in reference.visible(table, scope):
            row.v = max(values, default=None)

    return run


def delete(table: str, tree: Tree) -> Write:
    def run(reference: Reference, scope: str | None, _: str) -> None:
        model: Any = TABLES[table]
        keys = {k for k, _ in tree.rows(reference, scope)} - {None}
        gone = [row for row in reference.visible(table, scope) if row.k in keys]
        sub = tree.build().alias("d")
        model.delete().where(model.k.in_(Select([sub], [sub.c.k]))).execute()
        reference.tables[table] = [
            row for row in reference.tables[table] if not any(row is it for it in gone)
        ]

    return run


def upsert(code: int, k: int, v: int) -> Write:
    def run(reference: Reference, scope: str | None, engine: str) -> None:
        target: dict[str, Any] = {} if engine == "mysql" else {"conflict_target": [PropNote.code]}
        PropNote.insert(code=code, k=k, v=v).on_conflict(
            update={PropNote.v: v}, preserve=[PropNote.k], **target
        ).execute()
        held = next((row for row in reference.tables["note"] if row.code == code), None)
        if held is None:
            reference.tables["note"].append(Stored(scope, k, v, code))
        elif held.owner == scope:
            held.k, held.v = k, v

    return run


# Strategies.

numbers = st.integers(0, 3)
maybe = st.none() | numbers
pairs = st.tuples(maybe, maybe)
tests = st.lists(
    st.builds(Comparison, st.sampled_from("kv"), st.sampled_from("=<>"), numbers), max_size=2
).map(tuple)


def trees(tables: tuple[str, ...], joins: tuple[str, ...]) -> st.SearchStrategy[Tree]:
    table = st.sampled_from(tables)
    leaves: st.SearchStrategy[Tree] = st.builds(Leaf, table, tests, st.booleans())

    def grow(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        step = st.tuples(st.sampled_from(joins), table | inner)
        return (
            st.builds(Chain, table, st.lists(step, min_size=1, max_size=3).map(tuple))
            | st.builds(
                Compound, st.sampled_from(["union", "union all", "intersect", "except"]), inner, inner
            )
            | st.builds(Wrapped, inner, st.booleans(), tests)
            | st.builds(Within, table, inner, st.just(value=False))
            # SQLite 3.40 finds NULL equal to NULL where EXISTS correlates with a right join in a compound.
            | st.builds(Within, table, leaves, st.just(value=True))
            | st.builds(Aggregate, inner)
        )

    return st.recursive(leaves, grow, max_leaves=4)


def programs(joins: tuple[str, ...]) -> st.SearchStrategy[Any]:
    every = tuple(TABLES)
    table = st.sampled_from(every)
    # MySQL refuses to read the table that a statement writes.
    apart = table.flatmap(
        lambda name: st.tuples(st.just(name), trees(tuple(each for each in every if each != name), joins))
    )
    write = (
        st.builds(
            insert,
            table,
            st.lists(pairs, min_size=1, max_size=3),
            st.sampled_from(["create", "dicts", "tuples", "bulk_create"]),
        )
        | apart.map(lambda both: insert_from(*both))
        | st.builds(update, table, tests, numbers)
        | apart.map(lambda both: update_from(*both))
        | apart.map(lambda both: delete(*both))
        | st.builds(upsert, numbers, numbers, numbers)
    )
    writes = st.tuples(st.sampled_from((None, *TENANTS)), write)
    reads = st.tuples(st.sampled_from(SCOPES), trees(every, joins))
    rows = st.lists(st.tuples(st.sampled_from((None, *TENANTS)), maybe, maybe), max_size=6)
    return st.tuples(
        st.fixed_dictionaries(dict.fromkeys(TABLES, rows)),
        st.lists(reads | writes, min_size=1, max_size=12),
    )


def load(reference: Reference, start: dict[str, Any]) -> None:
    with system_scope(reason="property test"):
        for name, model in TABLES.items():
            model.delete().execute()
            for owner, k, v in start[name]:
                known = {} if name == "shared" else {"tenant_id": owner}
                model.create(k=k, v=v, **known)
                reference.tables[name].append(Stored(known.get("tenant_id"), k, v))


def held(reference: Reference) -> dict[str, Any]:
    return {
        name: sorted(repr((row.owner, row.k, row.v, row.code)) for row in rows)
        for name, rows in reference.tables.items()
    }


def stored() -> dict[str, Any]:
    with system_scope(reason="property test"):
        return {
            name: sorted(
                repr((getattr(row, "tenant_id", None), row.k, row.v, getattr(row, "code", None)))
                for row in model.select()
            )
            for name, model in TABLES.items()
        }


def check(program: Any, database: Any, engine: str) -> None:
    start, steps = program
    reference = Reference()
    load(reference, start)
    for scope, step in steps:
        OPERATIONS[engine] += 1
        with opened(scope):
            if isinstance(step, Tree):
                found = Counter(tuple(row) for row in step.build().bind(database).tuples())
                assert found == Counter(step.rows(reference, scope))
                continue
            step(reference, scope, engine)
        assert stored() == held(reference)


@pytest.fixture
def database(sql_url: str) -> Iterator[Any]:
    database = init_database(sql_url)
    database.create_tables(list(TABLES.values()))
    yield database
    close_database()


def test_random_queries_and_writes_agree_with_plain_python(database: Any) -> None:
    engine = database.config.engine
    joins = [JOIN.INNER, JOIN.LEFT_OUTER, JOIN.RIGHT_OUTER, JOIN.CROSS]
    if engine != "mysql":
        joins.append(JOIN.FULL_OUTER)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(programs(tuple(joins)))
    def run(program: Any) -> None:
        with database.atomic() as transaction:
            check(program, database, engine)
            transaction.rollback()

    run()
    assert OPERATIONS[engine] > 2 * EXAMPLES
