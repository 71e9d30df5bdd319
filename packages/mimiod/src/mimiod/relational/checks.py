"""Check constraints that say what values a column may have: enumerations and bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from mimiod.relational.keys import named
from mimiod.relational.parsing import UnparsedError, conditions, table_created
from mimiod.relational.values import moment_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mimiod.relational.model import Column, Table

_Literal = str | Decimal
_FLIPPED = {exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE, exp.EQ: exp.EQ}


@dataclass(frozen=True)
class Allowed:
    """What a condition allows a column to be."""

    values: tuple[_Literal, ...] | None = None
    low: _Literal | None = None
    high: _Literal | None = None
    low_open: bool = False
    high_open: bool = False


def checked(table: Table, demanded: Iterable[exp.Expr]) -> Table:
    """Return a table whose columns have the values and bounds that conditions demand."""
    columns = dict(table.columns)
    for condition in demanded:
        for name, allowed in _allowed(condition).items():
            if (here := named(name, columns)) is not None:
                columns[here] = _bounded(columns[here], allowed)
    return replace(table, columns=columns)


def checked_as_created(
    tables: Mapping[str, Table], created: Mapping[str, str], dialect: str
) -> dict[str, Table]:
    """Return tables with the checks of the statements that made them; of one that cannot be parsed, none."""
    found = dict(tables)
    for name, table in tables.items():
        try:
            found[name] = checked(table, conditions(table_created(created[name], dialect).elements or []))
        except UnparsedError:
            continue
    return found


def _allowed(condition: exp.Expr) -> dict[str, Allowed]:
    """Return what a condition says of single columns; of what it says beside, nothing."""
    condition = _bare(condition)
    if isinstance(condition, exp.And):
        return _both(_allowed(condition.left), _allowed(condition.right))
    if isinstance(condition, exp.Or):
        return _either(condition)
    name = _column(condition.this) if isinstance(condition, exp.Predicate) else None
    if isinstance(condition, exp.In) and name:
        held = [_literal(each) for each in condition.expressions]
        return (
            {name: Allowed(values=tuple(v for v in held if v is not None))}
            if held and None not in held
            else {}
        )
    if isinstance(condition, exp.Between) and name:
        low, high = _literal(condition.args["low"]), _literal(condition.args["high"])
        return {name: Allowed(low=low, high=high)}
    if isinstance(condition, exp.Binary) and type(condition) in _FLIPPED:
        return _compared(condition)
    return {}


def _compared(condition: exp.Binary) -> dict[str, Allowed]:
    kind = type(condition)
    name, other = _column(condition.left), condition.right
    if name is None:
        kind, name, other = _FLIPPED[kind], _column(condition.right), condition.left
    if name is None:
        return {}
    if kind is exp.EQ and isinstance(among := _bare(other), exp.Any):  # = ANY (ARRAY[…]): PostgreSQL's IN
        listed = _bare(among.this)
        held = [_literal(each) for each in listed.expressions] if isinstance(listed, exp.Array) else [None]
        return {name: Allowed(values=tuple(v for v in held if v is not None))} if None not in held else {}
    value = _literal(other)
    if value is None:
        return {}
    if kind is exp.EQ:
        return {name: Allowed(values=(value,))}
    if kind in {exp.GT, exp.GTE}:
        return {name: Allowed(low=value, low_open=kind is exp.GT)}
    return {name: Allowed(high=value, high_open=kind is exp.LT)}


def _both(left: dict[str, Allowed], right: dict[str, Allowed]) -> dict[str, Allowed]:
    found = {**right, **left}
    for name in left.keys() & right.keys():
        a, b = left[name], right[name]
        first = a if a.low is not None else b
        last = a if a.high is not None else b
        found[name] = Allowed(
            a.values if a.values is not None else b.values,
            first.low,
            last.high,
            first.low_open,
            last.high_open,
        )
    return found


def _either(condition: exp.Or) -> dict[str, Allowed]:
    """Return what all sides say: `x IS NULL OR …` is what the other side says, two lists are one."""
    sides = [_bare(condition.left), _bare(condition.right)]
    for one, other in (sides, sides[::-1]):
        if isinstance(one, exp.Is) and isinstance(one.expression, exp.Null):
            name, said = _column(one.this), _allowed(other)
            return {name: said[name]} if name in said and name is not None else {}
    left, right = _allowed(sides[0]), _allowed(sides[1])
    return {
        name: Allowed(values=(*(left[name].values or ()), *(right[name].values or ())))
        for name in left.keys() & right.keys()
        if left[name].values and right[name].values
    }


def _bare(expression: exp.Expr) -> exp.Expr:
    while isinstance(expression, exp.Paren | exp.Cast | exp.Introducer):
        expression = expression.expression if isinstance(expression, exp.Introducer) else expression.this
    return expression


def _column(expression: Any) -> str | None:
    bare = _bare(expression)
    return bare.name if isinstance(bare, exp.Column) else None


def _literal(expression: exp.Expr) -> _Literal | None:
    bare = _bare(expression)
    if isinstance(bare, exp.Neg):
        inner = _literal(bare.this)
        return -inner if isinstance(inner, Decimal) else None
    if not isinstance(bare, exp.Literal):
        return None
    if bare.is_string:
        return bare.name
    try:
        return Decimal(bare.name)
    except InvalidOperation:
        return None


def _bounded(column: Column, allowed: Allowed) -> Column:
    if column.kind == "string":
        texts = [value for value in allowed.values or () if isinstance(value, str)]
        return replace(column, values=tuple(dict.fromkeys(texts))) if texts else column
    low, high = (
        _bound(column, allowed.low, allowed.low_open),
        _bound(column, allowed.high, -allowed.high_open),
    )
    if allowed.values:
        every = [_bound(column, value) for value in allowed.values]
        if None not in every:
            low, high = min(every), max(every)
    return replace(
        column,
        low=column.low if low is None else low,
        high=column.high if high is None else high,
    )


def _bound(column: Column, value: _Literal | None, beyond: int = 0) -> Any:
    """Return a bound as a value of the column; of an open one the next value, up or down, if there is one."""
    if value is None or column.kind == "date":
        return moment_in(value) if isinstance(value, str) else None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if column.kind in {"int", "long"}:
        whole = math.floor(number) if beyond < 0 else math.ceil(number)
        return whole + beyond if whole == number else whole
    if column.kind == "decimal":
        return number if column.digits is None else number + beyond * Decimal(1).scaleb(-column.digits)
    return float(number) if column.kind == "double" else None
