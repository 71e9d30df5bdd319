"""What generated code may not be: each escape is refused before any of it runs, and honest code is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mimiod.seeding import __all__ as vocabulary
from mimiod.workflow.inspection import inspected

from tests.mimiod import scripted_workshop as workshop


def refused(code, **others):
    files = {"db_schema.py": code} | {f"{name}.py": text for name, text in others.items()}
    return [f"{found.file}:{found.line} {found.text}" for found in inspected(files)]


ESCAPES = {
    "reading the environment": "import os\nkey = os.environ['OPENAI_API_KEY']",
    "its own environment in /proc": "key = open('/proc/self/environ').read()",
    "the parent's environment": "from pathlib import Path\nPath('/proc/1/environ').read_bytes()",
    "a .env file": "from dotenv import dotenv_values",
    "the settings": "from mimiod.settings import load_settings",
    "the settings by a neighbour": "from mimiod.seeding.prose import load_settings",
    "the settings by an attribute": "import mimiod\nmimiod.settings.load_settings()",
    "a connection": "import socket",
    "a request": "import urllib.request",
    "a request by a library": "import httpx",
    "the driver": "import pymongo",
    "a process": "import subprocess",
    "a fork bomb": "import os\nwhile True: os.fork()",
    "threads": "import threading",
    "C": "import ctypes",
    "pickles": "import pickle",
    "marshalled code": "import marshal",
    "imports by name": "import importlib\nimportlib.import_module('os')",
    "imports by a function": "__import__('os').system('id')",
    "imports by the loader": "__loader__.load_module('os')",
    "built-ins": "__builtins__['eval']('1')",
    "evaluating": "eval('1')",
    "executing": "exec('import os')",
    "compiling": "compile('1', '', 'eval')",
    "an alias of a built-in": "run = eval\nrun('1')",
    "subclasses": "().__class__.__base__.__subclasses__()",
    "a function's globals": "def f(): pass\nf.__globals__",
    "a method's globals": "class A:\n    def __init__(self): pass\nA.__init__.__globals__",
    "a frame": "def g(): yield\ng().gi_frame.f_back.f_globals",
    "an error's frame": "try: 1/0\nexcept Exception as e: e.__traceback__.tb_frame",
    "getattr of a built name": "getattr((), '__cla' + 'ss__')",
    "getattr of a hidden name": "getattr((), '__class__')",
    "getattr as a value": "list(map(getattr, [()], ['__class__']))",
    "a module's module": "import random\nrandom._os.system('id')",
    "a module's module without a blank": "import typing\ntyping.sys.modules",
    "built-ins by another name": "import enum\nenum.bltns.eval('1')",
    "a module's module, imported": "from dataclasses import sys",
    "a module as a value": "import typing\nt = typing\nt.sys",
    "a module handed on": "import typing\nprint(vars(typing))",
    "everything": "from random import *",
    "a decorator": "@eval\ndef f(): pass",
    "a metaclass": "class M(type): pass\nclass A(metaclass=M): pass",
    "keywords of a class": "k = {}\nclass A(**k): pass",
    "__init_subclass__": "class A:\n    def __init_subclass__(cls): pass",
    "__class_getitem__": "class A:\n    def __class_getitem__(cls, item): pass",
    "__reduce__": "class A:\n    def __reduce__(self): return (print, ())",
    "__del__": "class A:\n    def __del__(self): pass",
    "__getattribute__": "class A:\n    def __getattribute__(self, name): pass",
    "a pydantic validator": (
        "from pydantic import field_validator\n@field_validator('x')\ndef f(cls, x): return open(x).read()"
    ),
    "a pydantic import": "from pydantic import ImportString",
    "pydantic's parts": "import pydantic.v1",
    "pydantic's inner parts": "from pydantic._internal import _utils",
    "an annotation": "x: __import__('os')",
    "an annotation in a text": "x: \"__import__('os').system('id')\"",
    "an annotation in a text in a list": "x: list[\"open('/etc/passwd').read()\"]",
    "a text for a forward reference": 'y = ["().__class__.__mro__[1].__subclasses__()"]',
    "a default": "def f(x=open('x')): pass",
    "a lambda": "f = lambda: eval('1')",
    "a comprehension": "[exec(x) for x in 'a']",
    "an f-string": "f'{eval(\"1\")}'",
    "a format with attributes": "'{0.__class__}'.format(())",
    "a format that is built": "('{0.' + '_' * 2 + 'class__}').format(())",
    "format as a value": "f = '{0.__class__}'.format\nf(())",
    "format_map": "'{a}'.format_map({})",
    "a pattern that reads attributes": "match ():\n    case object(__class__=c): pass",
    "getters by name": "from operator import attrgetter",
    "deleting by name": "delattr(int, 'x')",
    "setting by name": "setattr(int, 'x' + 'y', 1)",
    "a hidden attribute of another": "def f(model): return model._sa_registry",
    "wide letters": "\uff45\uff56\uff41\uff4c('1')",
    "code objects": "import types\ntypes.CodeType",
    "functions from code": "from types import FunctionType",
    "numpy's files": "import numpy as np\nnp.load('x', allow_pickle=True)",
    "numpy's C": "import numpy as np\nnp.ctypeslib",
    "an array's file": "import numpy as np\nnp.zeros(1).tofile('x')",
    "an array's address": "import numpy as np\nnp.zeros(1).ctypes",
    "running the project": "from mimiod.cli import run_project",
    "a network address": "import uuid\nuuid.getnode()",
    "a name that hides a built-in": "import math as __builtins__",
    "a relative import": "from . import os",
    "the console": "input()",
    "the debugger": "breakpoint()",
    "no Python": "def",
    "null bytes": "x = '\0'",
    "deep nesting": "x = " + "(" * 300 + ")" * 300,
    "deeper nesting": "x = " + "-" * 50_000 + "1",
}


@pytest.mark.parametrize("code", ESCAPES.values(), ids=ESCAPES)
def test_an_escape_is_refused(code):
    assert refused(code) != []


@pytest.mark.parametrize("name", ["random", "os", "mimiod", "pydantic", "numpy", "main", "bson", "pytest"])
def test_a_module_called_like_another_is_refused(name):
    assert "the module name" in refused("import " + name, **{name: "x = 1"})[-1]


def test_a_module_of_the_project_hands_on_no_module():
    code = "import draws\nfrom draws import np\ndraws.np.load('x')"

    assert len(refused(code, draws="import numpy as np")) == 2


def test_what_is_refused_is_named_with_its_line():
    assert refused("x = 1\n\ny = eval('1')") == ["db_schema.py:3 the name 'eval'"]


HONEST = {
    "the vocabulary": f"from mimiod.seeding import {', '.join(vocabulary)}",
    "draws of one's own": "from mimiod.seeding.frames import Place\nfrom mimiod.seeding.values import Column",
    "numpy": "import numpy as np\nfrom numpy.typing import NDArray\nx = np.zeros(3, dtype=np.int64)",
    "a generator": "import random\nrandom.Random(1).choice([1])",
    "times": "from datetime import UTC, datetime, timedelta\nfrom zoneinfo import ZoneInfo\nZoneInfo('UTC')",
    "a private attribute of one's own": (
        "class A:\n    def __init__(self):\n        super().__init__()\n        self._x = 1"
    ),
    "a model": (
        "from __future__ import annotations\nfrom typing import Annotated, Literal\n"
        "from pydantic import BaseModel, Field, model_validator\n"
        "class A(BaseModel):\n    os: str\n    x: Annotated[int, Field(ge=0)]\n    y: 'A | None'\n"
        "    z: Literal['open']\n"
        "    @model_validator(mode='after')\n    def ok(self): return self"
    ),
    "words that are code elsewhere": "x = ['open', 'eval', 'customer._id', 'os.environ', 'a (b) c.']",
    "a format": "'{:.2f} {}'.format(1.0, 2)",
    "getattr of a plain name": "getattr(1, 'real')",
    "a module of its own": "import draws\nfrom draws import one\ndraws.one()",
}


@pytest.mark.parametrize("code", HONEST.values(), ids=HONEST)
def test_honest_code_is_let_through(code):
    assert refused(code, draws="def one(): return 1") == []


def test_the_worked_example_is_let_through():
    files = workshop.files()

    assert inspected({name: text for name, text in files.items() if name != "main.py"}) == []


@given(
    st.sampled_from(sorted(ESCAPES)),
    st.sampled_from(["if True:", "def f():", "class A:", "for x in []:", "try:"]),
)
def test_an_escape_is_refused_wherever_it_stands(name, around):
    lines = ESCAPES[name].splitlines() or [""]
    end = "\nfinally: pass" if around == "try:" else ""

    assert refused(around + "".join(f"\n    {line}" for line in lines) + end) != []


@given(st.text(max_size=200))
def test_no_text_breaks_the_inspection(text):
    inspected({"db_schema.py": text})
