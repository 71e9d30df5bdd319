"""Declared types of columns, in the databases' own words, and what their values become in documents."""

from __future__ import annotations

import re
from typing import NamedTuple

from sqlglot import errors, exp

from mimiod.relational.parsing import SQLGLOT


class ColumnType(NamedTuple):
    """What a declared type says of its values, by the names of `Column`."""

    kind: str
    length: int | None = None
    digits: int | None = None
    values: tuple[str, ...] = ()
    items: str | None = None


_KINDS = {
    name: kind
    for kind, names in {
        "int": "SMALLINT TINYINT UTINYINT USMALLINT MEDIUMINT UMEDIUMINT INT SERIAL SMALLSERIAL YEAR",
        "long": "UINT BIGINT UBIGINT BIGSERIAL",
        "decimal": "DECIMAL UDECIMAL MONEY SMALLMONEY BIGDECIMAL",
        "double": "FLOAT DOUBLE UDOUBLE",
        "bool": "BOOLEAN",
        "date": "DATE DATETIME DATETIME2 TIMESTAMP TIMESTAMPTZ TIMESTAMPLTZ TIMESTAMPNTZ",
        "uuid": "UUID",
        "binData": "BINARY VARBINARY BLOB TINYBLOB MEDIUMBLOB LONGBLOB IMAGE",
        "object": "JSON JSONB",
    }.items()
    for name in names.split()
}
_TEXTS = {"CHAR", "VARCHAR", "NCHAR", "NVARCHAR", "BPCHAR"}
_SPATIAL = {
    *("geometry", "point", "linestring", "polygon", "geometrycollection"),
    *("multipoint", "multilinestring", "multipolygon"),
}
_TWO = 2


def column_type(declared: str, dialect: str) -> ColumnType:
    """Return what a declared type becomes; one that is not known becomes a string, as its text."""
    if dialect == "postgresql" and declared.endswith("]"):
        return ColumnType("array", items=column_type(declared[: declared.index("[")], dialect).kind)
    try:
        parsed = exp.DataType.build(declared, dialect=SQLGLOT[dialect], udt=True)
    except (errors.SqlglotError, ValueError, AttributeError):
        return _unknown(declared, dialect)
    return parsed_type(parsed, dialect)


def parsed_type(parsed: exp.Expr, dialect: str) -> ColumnType:
    """Return what a type becomes that sqlglot has parsed."""
    if not isinstance(parsed, exp.DataType) or not isinstance(parsed.this, exp.DType):
        return ColumnType("long" if isinstance(parsed, exp.ObjectIdentifier) else "string")
    name = parsed.this.name
    numbers = [int(n.name) for n in parsed.expressions if n.name.isdigit()]
    if name == "USERDEFINED":
        return _unknown(str(parsed.args.get("kind") or ""), dialect)
    if name == "ARRAY":
        items = parsed_type(parsed.expressions[0], dialect).kind if parsed.expressions else "string"
        return ColumnType("array", items=items)
    return (dialect == "mysql" and _of_mysql(name, numbers, parsed)) or _named(name, numbers, dialect)


def _named(name: str, numbers: list[int], dialect: str) -> ColumnType:
    if name == "TINYINT" and numbers == [1] and dialect != "postgresql":
        return ColumnType("bool")
    kind = _KINDS.get(name, "string")
    if kind == "decimal":
        return ColumnType(kind, digits=_digits(name, numbers, dialect))
    if kind == "int" and dialect == "sqlite":  # whose integers have 64 bits, whatever they are called
        kind = "long"
    return ColumnType(kind, length=numbers[0] if numbers and name in _TEXTS else None)


def _of_mysql(name: str, numbers: list[int], parsed: exp.DataType) -> ColumnType | None:
    if name == "SERIAL":
        return ColumnType("long")
    if name == "ENUM":
        return ColumnType("string", values=tuple(value.name for value in parsed.expressions))
    if name == "SET":
        return ColumnType("array", items="string")
    if name == "BIT":
        return ColumnType("bool" if numbers in ([], [1]) else "long")
    return ColumnType("binData") if name.lower() in _SPATIAL else None


def _digits(name: str, numbers: list[int], dialect: str) -> int | None:
    if "MONEY" in name:
        return _TWO
    if len(numbers) >= _TWO:
        return numbers[1]
    return 0 if dialect == "mysql" or (numbers and dialect == "postgresql") else None


def _unknown(declared: str, dialect: str) -> ColumnType:
    """Return what a type becomes that sqlglot does not know; SQLite takes any words, and looks for some."""
    words = declared.lower()
    bare = re.sub(r"\(.*\)", "", words, flags=re.DOTALL).strip()
    if dialect == "mysql" and bare in _SPATIAL:
        return ColumnType("binData")
    if dialect == "postgresql" and bare == "numeric":  # of a negative scale
        return ColumnType("decimal")
    if dialect == "sqlite":
        if "int" in words:
            return ColumnType("long")
        if any(word in words for word in ("char", "clob", "text")):
            length = re.search(r"\((\d{1,9})\)", words)
            return ColumnType("string", length=int(length[1]) if length else None)
        if any(word in words for word in ("real", "floa", "doub")):
            return ColumnType("double")
    return ColumnType("string")
