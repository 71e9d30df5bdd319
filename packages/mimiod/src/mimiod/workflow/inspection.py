"""Reads generated code before any of it runs, and refuses what a database's design has no use for.

The list of what may be used is closed: modules, names of modules, attributes, built-ins. Nothing of the
code is run or imported here. What passes is still run in the sandbox only; this is the outer of two fences.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from string import Formatter
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mimiod.checking.findings import Finding
from mimiod.workflow.code_names import (
    ATTRIBUTES,
    BUILTINS,
    BY_NAME,
    DUNDER,
    EXCEPT,
    GLOBALS,
    METHODS,
    MODULES,
    ONLY,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

RULE = "code-refused"
_MEND = (
    "declare the data with mimiod.seeding and pydantic; generated code reaches no files, processes, network "
    "or inner workings of Python"
)
_NO_OWN = "a project's own module may not be called as one that can be imported already"

Refusal = tuple[int, str]
"A line, and what is refused there."


def inspected(files: Mapping[str, str]) -> list[Finding]:
    """Return an error for each thing that the Python among the files may not do."""
    own = {name.removesuffix(".py") for name in files if name.endswith(".py")}
    trees: dict[str, ast.Module] = {}
    refused: set[tuple[str, int, str]] = set()
    for name in own:
        refused.update((name, 1, text) for text in _called(name))
        try:
            trees[name] = ast.parse(files[f"{name}.py"], f"{name}.py")
        except SyntaxError as exc:
            refused.add((name, exc.lineno or 1, f"it is no Python: {exc.msg}"))
        except (ValueError, RecursionError, MemoryError) as exc:
            refused.add((name, 1, f"it cannot be parsed: {type(exc).__name__}"))
    modules = {name for tree in trees.values() for name in _modules_named(tree)}
    for name, tree in trees.items():
        reader = _Reader(tree, own, modules, _modules_named(tree))
        try:
            refused.update((name, line, text) for line, text in reader.refusals())
        except RecursionError:
            refused.add((name, 1, "it is nested too deeply"))
    return [
        Finding(RULE, "error", f"{name}.py:{line}", text, _MEND, f"{name}.py", line)
        for name, line, text in sorted(refused)
    ]


def refused_in(expression: str) -> list[str]:
    """Return why a text may not be evaluated, as an annotation is; nothing if it may."""
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [text for _, text in _Reader(tree, set(), set(), {}).refusals()]


def _called(module: str) -> list[str]:
    """Return why a module of the project may not have that name, nothing if it may."""
    taken = module in sys.stdlib_module_names or module in _top_level() or _installed(module)
    return [f"the module name {module!r}: {_NO_OWN}"] if taken else []


def _modules_named(tree: ast.AST) -> dict[str, str]:
    """Return the names that stand for modules, and which."""
    named: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                named[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if f"{node.module}.{alias.name}" in MODULES:
                    named[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return named


def _top_level() -> set[str]:
    return {module.partition(".")[0] for module in MODULES} | {"main"}


def _installed(module: str) -> bool:
    """Return whether anything outside the project goes by that name."""
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return True
    # A project's modules are importable while the project is loaded; they lie beside its schema.
    return found is not None and module not in {"db_schema", "seed_db"}


def _loaded(module: str) -> Any:
    """Return a module that is on the list, under the name by which a package hands it on, too."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package, _, name = module.rpartition(".")
        return getattr(importlib.import_module(package), name)


class _Reader:
    """Reads the tree of one file."""

    def __init__(self, tree: ast.AST, own: set[str], modules: set[str], imported: Mapping[str, str]) -> None:
        self.tree = tree
        self.own = own
        self.modules = modules
        "Names that stand for modules in any file of the project."
        self.imported = imported
        "The module that each name of this file stands for."

    def refusals(self) -> Iterator[Refusal]:
        """Yield what is refused, node by node."""
        bases: set[ast.AST] = set()
        "Names that are the module in `module.name`, and functions in `getattr(…)`, judged there."
        for node in ast.walk(self.tree):
            line = getattr(node, "lineno", 1)
            for refused in self._of(node, bases):
                yield line, refused

    def _of(self, node: ast.AST, bases: set[ast.AST]) -> Iterable[str]:  # noqa: C901, PLR0911 - a table
        match node:
            case ast.Import():
                names = [alias.asname or "" for alias in node.names]
                refused = [text for alias in node.names for text in self._module(alias.name)]
                return [*refused, *(text for name in names for text in _defined(name))]
            case ast.ImportFrom():
                return self._from(node)
            case ast.Call(func=ast.Name(id=function)) if function in BY_NAME:
                bases.add(node.func)
                return _by_name(node, function)
            case ast.Call(func=ast.Attribute(attr="format", value=receiver)):
                bases.add(node.func)
                return _formatted(receiver)
            case ast.Attribute():
                return self._attribute(node, bases)
            case ast.Name():
                return self._name(node.id) if node not in bases else []
            case ast.ClassDef():
                given = [word.arg or "**" for word in node.keywords if word.arg in {None, "metaclass"}]
                return [*(f"class {node.name}: {name}=" for name in given), *_defined(node.name)]
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return _defined(node.name)
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                return _defined(name)
            case ast.MatchClass():
                return [text for name in node.kwd_attrs for text in _spelled(name)]
            case ast.Constant(value=str(text)):
                return self._text(text)
            case _:
                return []

    def _module(self, name: str) -> list[str]:
        if name in MODULES or name in self.own:
            return []
        return [f"import of {name!r}"]

    def _from(self, node: ast.ImportFrom) -> list[str]:
        if node.level or not node.module:
            return ["a relative import"]
        if refused := self._module(node.module):
            return refused
        names = [alias.name for alias in node.names]
        refused = [text for name in names for text in self._member(node.module or "", name)]
        return [*refused, *(text for alias in node.names for text in _defined(alias.asname or ""))]

    def _member(self, module: str, name: str) -> list[str]:
        """Return why a name of a module is refused, nothing if it is not."""
        shown = f"{module}.{name}"
        if name == "*":
            return [f"from {module} import *"]
        if shown in MODULES:
            return []
        if module in self.own:
            hidden = name.startswith("__") or name in self.modules
            return [shown] if hidden else []
        if name.startswith("_"):
            return [shown]
        allowed = name in ONLY[module] if module in ONLY else name not in EXCEPT.get(module, ())
        value = getattr(_loaded(module), name, None)
        return [] if allowed and not isinstance(value, ModuleType) else [shown]

    def _attribute(self, node: ast.Attribute, bases: set[ast.AST]) -> list[str]:
        module = self._module_at(node.value, bases)
        if module is not None:
            return self._member(module, node.attr)
        if node.attr == "format" and node not in bases:
            return ["the attribute 'format' as a value"]
        private = node.attr.startswith("_") and not node.attr.startswith("__")
        if private and isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}:
            return []
        return _spelled(node.attr)

    def _module_at(self, node: ast.expr, bases: set[ast.AST]) -> str | None:
        """Return the module that an expression stands for, None if it is none."""
        match node:
            case ast.Name(id=name) if name in self.imported:
                bases.add(node)
                return self.imported[name]
            case ast.Attribute():
                above = self._module_at(node.value, bases)
                if above is not None and f"{above}.{node.attr}" in MODULES:
                    return f"{above}.{node.attr}"
        return None

    def _name(self, name: str) -> list[str]:
        if name in self.imported:
            return [f"the module {name!r} as a value: use it as {name}.something"]
        if name in BUILTINS:
            return [f"the name {name!r}"]
        return _defined(name)

    def _text(self, text: str) -> list[str]:
        """Return what a text would do where pydantic reads it as an annotation."""
        if "(" not in text:
            return []
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return []
        if not any(isinstance(node, ast.Call) for node in ast.walk(tree)):
            return []
        found = _Reader(tree, self.own, self.modules, self.imported).refusals()
        return [f"a text that is code: {refused}" for _, refused in found]


def _spelled(name: str) -> list[str]:
    """Return why an attribute is refused, nothing if it is not."""
    if name in ATTRIBUTES or (name.startswith("_") and name not in DUNDER):
        return [f"the attribute {name!r}"]
    return []


def _defined(name: str) -> list[str]:
    """Return why a name may not be defined or read, nothing if it may."""
    between = name.startswith("__") and name.endswith("__")
    return [f"the name {name!r}"] if between and name not in GLOBALS | METHODS else []


def _by_name(call: ast.Call, function: str) -> list[str]:
    named: Any = call.args[1] if len(call.args) > 1 else None
    if not isinstance(named, ast.Constant) or not isinstance(named.value, str):
        return [f"{function}() of a name that is no literal"]
    return _spelled(named.value)


def _formatted(receiver: ast.expr) -> list[str]:
    """Return why `.format` is refused: its fields read attributes."""
    if not isinstance(receiver, ast.Constant) or not isinstance(receiver.value, str):
        return [".format() of a text that is no literal: use an f-string"]
    try:
        fields = [field or "" for _, field, _, _ in Formatter().parse(receiver.value)]
    except ValueError:
        return []
    reads = any(sign in field for field in fields for sign in ".[")
    return [".format() with a field that reads attributes: use an f-string"] if reads else []
