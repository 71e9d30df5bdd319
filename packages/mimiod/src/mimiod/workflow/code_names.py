"""Which modules and names generated code may use; what is not listed here is refused."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

_PROVIDERS = "business credit financial marketing social time_series"
_SEEDING = (
    "choices declaration frames functions histories models nested numbers places randomness relations "
    f"states texts times units values providers {_PROVIDERS}"
)

MODULES: Final = frozenset({
    "__future__", "abc", "annotated_types", "base64", "bisect", "bson", "bson.binary", "bson.decimal128",
    "bson.int64", "bson.objectid", "calendar", "collections", "collections.abc", "copy", "dataclasses",
    "datetime", "decimal", "enum", "faker", "fractions", "functools", "hashlib", "heapq", "itertools",
    "json", "math", "mimiod", "mimiod.schema_types", "mimiod.seeder_base", "mimiod.seeding", "numbers",
    "numpy", "numpy.random", "numpy.typing", "operator", "pydantic", "random", "re", "statistics",
    "string", "textwrap", "types", "typing", "typing_extensions", "unicodedata", "uuid", "zoneinfo",
    *(f"mimiod.seeding.{name}" for name in _SEEDING.split()),
    *(f"mimiod.seeding.providers.{name}" for name in _PROVIDERS.split()),
})  # fmt: skip
"Modules that may be imported; of them, no name that is itself another module."

ONLY: Final = MappingProxyType({
    "abc": {"ABC", "abstractmethod"},
    "faker": {"Faker"},
    "pydantic": {
        "AfterValidator", "AnyUrl", "AwareDatetime", "BaseModel", "BeforeValidator", "ConfigDict",
        "Discriminator",
        "EmailStr", "Field", "FutureDate", "FutureDatetime", "HttpUrl", "IPvAnyAddress", "JsonValue",
        "NaiveDatetime",
        "NegativeFloat", "NegativeInt", "NonNegativeFloat", "NonNegativeInt", "NonPositiveFloat",
        "NonPositiveInt",
        "PastDate", "PastDatetime", "PlainSerializer", "PositiveFloat", "PositiveInt", "PrivateAttr",
        "RootModel",
        "StrictBool", "StrictFloat", "StrictInt", "StrictStr", "StringConstraints", "Tag", "ValidationError",
        "ValidationInfo", "WrapValidator", "computed_field", "conint", "conlist", "constr",
        "field_serializer",
        "field_validator", "model_serializer", "model_validator",
    },
    "types": {"MappingProxyType", "SimpleNamespace"},
    "hashlib": {"blake2b", "blake2s", "md5", "sha1", "sha256", "sha512"},
    "json": {"dumps", "loads"},
    "string": {
        "ascii_letters", "ascii_lowercase", "ascii_uppercase", "digits", "hexdigits", "printable",
        "punctuation",
    },
})  # fmt: skip
"Of these modules, these names and no others."

EXCEPT: Final = MappingProxyType({
    "operator": {"attrgetter", "methodcaller"},
    "typing": {"ForwardRef", "get_type_hints"},
    "typing_extensions": {"ForwardRef", "get_type_hints", "evaluate_forward_ref"},
    "bson": {"decode_file_iter"},
    "numpy": {
        "DataSource", "fromfile", "fromregex", "genfromtxt", "load", "loadtxt", "memmap", "save", "savetxt",
        "savez", "savez_compressed", "frombuffer",
    },
    "uuid": {"getnode", "uuid1"},
})  # fmt: skip
"Names of these modules that reach files, processes or attributes by their spelling."

BUILTINS: Final = frozenset({
    "__build_class__", "__builtins__", "__import__", "__loader__", "__spec__", "breakpoint", "compile",
    "copyright", "credits", "delattr", "dir", "eval", "exec", "exit", "getattr", "globals", "hasattr", "help",
    "input", "license", "locals", "memoryview", "open", "quit", "setattr", "vars",
})  # fmt: skip
"Built-in names that may not be used."

BY_NAME: Final = frozenset({"getattr", "hasattr"})
"Of these, the ones that may be called with an attribute's name that is a literal."

ATTRIBUTES: Final = frozenset({
    "ag_code", "ag_frame", "co_code", "cr_code", "cr_frame", "ctypes", "f_back", "f_builtins", "f_code",
    "f_globals", "f_locals", "format_map", "gi_code", "gi_frame", "gi_yieldfrom", "mro", "parse_file",
    "parse_raw",
    "tb_frame", "tb_next", "tofile", "with_traceback",
})  # fmt: skip
"Attributes that lead from a value to the interpreter, or to a file."

DUNDER: Final = frozenset({"__doc__", "__init__", "__members__", "__name__", "__post_init__"})
"Attributes between double underscores that may be read."

METHODS: Final = frozenset({
    "__add__", "__bool__", "__call__", "__contains__", "__eq__", "__float__", "__ge__",
    "__get_pydantic_core_schema__",
    "__getitem__", "__gt__", "__hash__", "__init__", "__int__", "__iter__", "__le__", "__len__", "__lt__",
    "__mul__",
    "__ne__", "__next__", "__post_init__", "__repr__", "__str__", "__sub__",
})  # fmt: skip
"Methods between double underscores that a class may define."

GLOBALS: Final = frozenset({"__all__", "__file__", "__name__", "__slots__"})
"Names between double underscores that may be read or set."
