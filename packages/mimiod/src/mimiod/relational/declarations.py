"""Tables as statements declare them, one after the other: made, altered, indexed, dropped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from mimiod.relational.checks import checked
from mimiod.relational.column_types import ColumnType, column_type
from mimiod.relational.keys import named, settled
from mimiod.relational.model import Column, ForeignKey, Index, Relational, Table
from mimiod.relational.parsing import SQLGLOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mimiod.relational.parsing import Created

Name = tuple[str, str]
"Schema, or nothing, and name."


class AgainError(Exception):
    """A table that is there already."""


@dataclass
class _Draft:
    """A table as far as it is known."""

    name: Name
    columns: dict[str, Column] = field(default_factory=dict)
    primary_key: tuple[str, ...] = ()
    keys: list[tuple[ForeignKey, Name]] = field(default_factory=list)
    uniques: list[tuple[str, ...]] = field(default_factory=list)
    indexes: list[Index] = field(default_factory=list)
    inherits: Name | None = None
    checks: list[exp.Expr] = field(default_factory=list)

    def without(self, column: str) -> None:
        """Forget a column, and what was of it."""
        self.columns.pop(column, None)
        self.keys = [each for each in self.keys if column not in each[0].columns]
        self.uniques = [each for each in self.uniques if column not in each]
        self.indexes = [each for each in self.indexes if column not in each.columns]


class Declarations:
    """What the statements of a file have declared so far."""

    def __init__(self, dialect: str, *, any_type: bool = True) -> None:
        self.dialect = dialect
        self.any_type = any_type
        "Whether SQLite's types may be any words."
        self.schema = ""
        "That of names without one."
        self.notes: list[str] = []
        self.passed: Counter[str] = Counter()
        "What was passed over, and how often."
        self._tables: dict[Name, _Draft] = {}
        self._types: dict[str, ColumnType] = {}

    def __bool__(self) -> bool:
        return bool(self._tables)

    def create_table(self, made: Created) -> None:
        """Take a table.

        Raises:
            AgainError: there is one of that name.
        """
        name = self._name(made.name)
        if self._find(name, exactly=True) is not None:
            if made.exists:
                return
            raise AgainError(name[1])
        draft = _Draft(name)
        words = made.options.upper().split()
        if words[:2] == ["PARTITION", "OF"] or "TEMP" in made.kind:
            self.passed["temporary tables" if "TEMP" in made.kind else "partitions of tables"] += 1
            return
        if made.kind == "FOREIGN" or (made.elements is None and words[:1] != ["LIKE"]):
            self.notes.append(f"{name[1]!r} is of a query, a module or another server, and is passed over")
            return
        self._tables[name] = draft
        if made.elements is None:
            self._copy(draft, self._named_in(made.options.split()[1]))
        for each in made.elements or []:
            self._add(draft, each, made)
        if words and words[0].startswith("INHERITS"):
            inside = made.options[made.options.index("(") + 1 : made.options.index(")")]
            self._inherit(draft, [self._named_in(parent.strip()) for parent in inside.split(",")])

    def _add(self, draft: _Draft, element: exp.Expr, made: Created) -> None:
        if isinstance(element, exp.Identifier):  # SQLite asks for no type
            name = self._identifier(element)
            draft.columns[name] = Column(name, "string", "")
        elif isinstance(element, exp.ColumnDef):
            self._add_column(draft, element, made.types)
        elif isinstance(element, exp.LikeProperty):
            self._copy(draft, self._name(element.this))
        else:
            self._constrain(draft, element)

    def create_index(self, statement: exp.Create) -> None:
        """Take an index; one of expressions, or of some rows alone, is passed over."""
        index = statement.this
        draft = self._find(self._name(index.args["table"]))
        params = index.args.get("params")
        columns = _columns(params.args.get("columns") or [] if params else [])
        partial = params is not None and params.args.get("where") is not None
        if draft is None or columns is None or not columns or partial:
            self.passed["CREATE INDEX (of an expression, of some rows, or of no table)"] += 1
            return
        names = self._identifiers(columns)
        if statement.args.get("unique"):
            draft.uniques.append(names)
        else:
            draft.indexes.append(_index(draft, index.name, names))

    def create_type(self, name: exp.Expr, of: ColumnType) -> None:
        """Remember a type that has a name of its own."""
        self._types[name.name.casefold()] = of

    def alter(self, statement: exp.Alter) -> None:
        """Take an ALTER TABLE statement; what does not change the shape of rows is passed over."""
        draft = self._find(self._name(statement.this))
        for action in statement.args.get("actions") or []:
            if draft is None:
                self.passed["ALTER TABLE of a table that is not made here"] += 1
            else:
                self._alter(draft, action)

    def _alter(self, draft: _Draft, action: exp.Expr) -> None:
        if isinstance(action, exp.AddConstraint):
            for constraint in action.expressions:
                self._constrain(draft, constraint)
        elif isinstance(action, exp.ColumnDef):
            self._add_column(draft, action, {})
        elif isinstance(action, exp.ModifyColumn) and isinstance(action.this, exp.ColumnDef):
            self._add_column(draft, action.this, {})
        elif isinstance(action, exp.AlterColumn) and action.args.get("allow_null") is not None:
            self._allow_null(draft, action)
        elif isinstance(action, exp.Drop) and action.kind == "COLUMN":
            for column in action.args.get("tables") or [action.this]:
                draft.without(self._identifier(_inner(column)))
        elif isinstance(action, exp.AlterRename | exp.RenameColumn | exp.AlterColumn):
            self.passed["ALTER TABLE that renames or changes a type"] += 1

    def drop(self, table: exp.Expr) -> None:
        """Forget a table, if there is one."""
        if (draft := self._find(self._name(table))) is not None:
            del self._tables[draft.name]

    def relational(self, name: str) -> Relational:
        """Return the database; a key that names nothing is left out, with a note."""
        called = {draft.name: self._called(draft.name) for draft in self._tables.values()}
        tables = {}
        for draft in self._tables.values():
            parent = self._find(draft.inherits, draft.name[0]) if draft.inherits else None
            table = Table(
                called[draft.name],
                {column.name: _in_key(column, draft.primary_key) for column in draft.columns.values()},
                draft.primary_key,
                tuple(
                    replace(
                        key, target=called[there.name] if (there := self._find(of, draft.name[0])) else of[1]
                    )
                    for key, of in draft.keys
                ),
                tuple(dict.fromkeys(each for each in draft.uniques if each != draft.primary_key)),
                tuple(draft.indexes),
                called[parent.name] if parent else "",
            )
            tables[table.name] = checked(table, draft.checks)
        notes = list(self.notes)
        whole = settled(tables, notes)
        if self.passed:
            told = ", ".join(f"{count:,} {what}" for what, count in sorted(self.passed.items()))
            notes.append(f"passed over: {told}")
        return Relational(name, self.dialect, whole, notes)

    def _called(self, name: Name) -> str:
        alike = [other for other in self._tables if other[1].casefold() == name[1].casefold()]
        return name[1] if len(alike) == 1 or not name[0] else f"{name[0]}_{name[1]}"

    def _find(self, name: Name, schema: str = "", *, exactly: bool = False) -> _Draft | None:
        """Return a table, its name as SQL takes it; one of another schema if there is no other."""
        alike = [draft for draft in self._tables.values() if named(name[1], [draft.name[1]])]
        for wanted in dict.fromkeys([name[0], schema, self.schema] if not name[0] else [name[0]]):
            for draft in alike:
                if draft.name[0].casefold() == wanted.casefold():
                    return draft
        return alike[0] if len(alike) == 1 and not exactly else None

    def _name(self, table: exp.Expr) -> Name:
        found = table.find(exp.Table)
        if found is None:
            return self.schema, table.name
        schema = found.args.get("db")
        return self._identifier(schema) if schema else self.schema, self._identifier(found.this)

    def _named_in(self, text: str) -> Name:
        return self._name(exp.to_table(text, dialect=SQLGLOT[self.dialect]))

    def _identifier(self, identifier: exp.Expr) -> str:
        """Return a name; PostgreSQL takes one without quotes in small letters."""
        quoted = isinstance(identifier, exp.Identifier) and identifier.quoted
        return identifier.name.lower() if self.dialect == "postgresql" and not quoted else identifier.name

    def _identifiers(self, expressions: Iterable[exp.Expr]) -> tuple[str, ...]:
        return tuple(self._identifier(_inner(each)) for each in expressions)

    def _inherit(self, draft: _Draft, parents: list[Name]) -> None:
        """Give a table the columns of those that it inherits from, first."""
        own, draft.columns = draft.columns, {}
        draft.inherits = parents[0]
        for parent in parents:
            self._copy(draft, parent)
        draft.columns.update(own)

    def _copy(self, draft: _Draft, of: Name) -> None:
        if (parent := self._find(of, draft.name[0])) is not None:
            draft.columns.update(parent.columns)
            draft.checks += parent.checks

    def _allow_null(self, draft: _Draft, action: exp.AlterColumn) -> None:
        name = self._identifier(action.this)
        if name in draft.columns:
            draft.columns[name] = replace(draft.columns[name], nullable=bool(action.args["allow_null"]))

    def _add_column(self, draft: _Draft, definition: exp.ColumnDef, types: Mapping[str, str]) -> None:
        name = self._identifier(definition.this)
        parsed = definition.args.get("kind")
        declared = (types.get(definition.name) or parsed.sql(SQLGLOT[self.dialect])) if parsed else ""
        constraints = [each.args.get("kind") for each in definition.args.get("constraints") or []]
        serial = "SERIAL" in declared.upper()
        nullable = not serial and not any(
            isinstance(each, exp.GeneratedAsIdentityColumnConstraint)
            or (isinstance(each, exp.NotNullColumnConstraint) and not each.args.get("allow_null"))
            for each in constraints
        )
        of = self._type(declared)
        draft.columns[name] = Column(name, declared=declared, nullable=nullable, **of._asdict())
        for each in constraints:
            if isinstance(each, exp.PrimaryKeyColumnConstraint):
                draft.primary_key = (name,)
            elif isinstance(each, exp.UniqueColumnConstraint):
                draft.uniques.append((name,))
            elif isinstance(each, exp.Reference):
                self._refer(draft, (name,), each)
            elif isinstance(each, exp.CheckColumnConstraint):
                draft.checks.append(each.this)
                if each.this.name.casefold() == "json_valid":  # as MariaDB declares JSON
                    draft.columns[name] = replace(draft.columns[name], kind="object")

    def _type(self, declared: str) -> ColumnType:
        name = declared.partition("[")[0].rpartition(".")[2]
        own = self._types.get(name.strip(' "`').casefold())
        if own is None:
            return column_type(declared, self.dialect)
        return ColumnType("array", items=own.kind) if "[" in declared else own

    def _constrain(self, draft: _Draft, constraint: exp.Expr) -> None:
        """Take a constraint or an index of a table."""
        if isinstance(constraint, exp.Constraint):
            for each in constraint.expressions:
                self._constrain(draft, each)
        elif isinstance(constraint, exp.PrimaryKey):
            draft.primary_key = self._identifiers(constraint.expressions)
        elif isinstance(constraint, exp.ForeignKey):
            self._refer(draft, self._identifiers(constraint.expressions), constraint.args["reference"])
        elif isinstance(constraint, exp.CheckColumnConstraint):
            draft.checks.append(constraint.this)
        elif isinstance(constraint, exp.UniqueColumnConstraint) and isinstance(constraint.this, exp.Schema):
            draft.uniques += self._indexed(constraint.this.expressions)
        elif isinstance(constraint, exp.IndexColumnConstraint) and not constraint.args.get("kind"):
            name = constraint.this.name if constraint.this else ""
            draft.indexes += [_index(draft, name, each) for each in self._indexed(constraint.expressions)]

    def _indexed(self, expressions: Iterable[exp.Expr]) -> list[tuple[str, ...]]:
        """Return the columns of an index, if they are columns."""
        columns = _columns(expressions)
        return [self._identifiers(columns)] if columns else []

    def _refer(self, draft: _Draft, columns: tuple[str, ...], reference: exp.Expr) -> None:
        there = reference.this
        keys = self._identifiers(there.expressions) if isinstance(there, exp.Schema) else ()
        options = [str(option).upper() for option in reference.args.get("options") or []]
        deleting = next((o.removeprefix("ON DELETE ") for o in options if o.startswith("ON DELETE")), "")
        key = ForeignKey(columns, "", keys, "" if deleting == "NO ACTION" else deleting)
        draft.keys.append((key, self._reference(there)))

    def _reference(self, there: exp.Expr) -> Name:
        found = there.find(exp.Table)
        schema = found.args.get("db") if found else None
        return self._identifier(schema) if schema else "", self._identifier(found.this if found else there)


def _index(table: _Draft, name: str, columns: tuple[str, ...]) -> Index:
    return Index(name or "_".join((table.name[1], *columns)), columns)


def _in_key(column: Column, key: tuple[str, ...]) -> Column:
    """Return a column as it is if its table has a primary key: of that, no column is null."""
    return replace(column, nullable=column.nullable and named(column.name, key) is None)


def _inner(expression: exp.Expr) -> exp.Expr:
    inner: exp.Expr = expression
    while isinstance(inner, exp.Ordered | exp.Column | exp.ColumnPrefix):
        inner = inner.this
    return inner


def _columns(expressions: Iterable[exp.Expr]) -> list[exp.Expr] | None:
    """Return the columns of an index, or None if one is an expression."""
    found = [_inner(each) for each in expressions]
    return found if all(isinstance(each, exp.Identifier) for each in found) else None
