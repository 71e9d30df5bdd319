"""What generated code can reach while it runs: each way out, tried in a real sandbox."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mimiod.workflow import confined_runner
from mimiod.workflow.sandbox import Limits, Sandbox, barred, module_path

NOWHERE = "mongodb://127.0.0.1:9"
SECRET = "sk-very-secret-0815"


def ran(code, *, uri=NOWHERE, **limits):
    """Run a statement in a sandbox, behind both the kernel's barriers and Python's fence."""
    sandbox = Sandbox(uri, Limits(**{"seconds": 30.0, **limits}), program="timeit")
    return sandbox.run("shop", {"brief.md": "A shop."}, ["-n1", "-r1", code])


TRIES = """
import json, os, sys

def tried(do):
    try:
        return "got " + repr(do())
    except BaseException as exc:  # create_server says why in an error of its own
        return type(exc.__context__ or exc).__name__

def way(name, code):
    return tried(lambda: eval(compile(code, name, "eval"), {"os": os}))

found = {name: way(name, code) for name, code in json.loads(TABLE).items()}
print(json.dumps(found))
"""

WAYS_OUT = {
    "a secret file": "open(SECRET_FILE).read()",
    "a secret file by its descriptor": "os.read(os.open(SECRET_FILE, os.O_RDONLY), 99)",
    "the folder it lies in": "os.listdir(os.path.dirname(SECRET_FILE))",
    "a symbolic link to it": "os.symlink(SECRET_FILE, 'brief.link')",
    "a hard link to it": "os.link(SECRET_FILE, 'brief.link')",
    "the parent's environment": "open(f'/proc/{os.getppid()}/environ').read()",
    "its own environment in /proc": "open('/proc/self/environ').read()",
    "the parent's memory": "open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
    "the users of the machine": "open('/etc/passwd').read()",
    "the user's keys": "open('/root/.ssh/id_rsa').read()",
    "a new file in its folder": "open('new.txt', 'w')",
    "a file beside": "open('/tmp/mimiod-escape.txt', 'w')",
    "writing over its input": "open('projects/shop/brief.md', 'w')",
    "removing its input": "os.remove('projects/shop/brief.md')",
    "renaming its input": "os.rename('projects/shop/brief.md', 'b')",
    "a folder": "os.mkdir('d')",
    "a program": "__import__('subprocess').run(['/bin/true'])",
    "a shell": "os.system('true') and 1/0",
    "becoming a program": "os.execv('/bin/true', ['true'])",
    "spawning": "os.posix_spawn('/bin/true', ['true'], {})",
    "a fork": "os.fork()",
    "killing the parent": "os.kill(os.getppid(), 0)",
    "killing its group": "os.killpg(0, 0)",
    "another port": "__import__('socket').create_connection(('127.0.0.1', OTHER_PORT), 2)",
    "another host": "__import__('socket').create_connection(('192.0.2.1', DATABASE_PORT), 2)",
    "a name": "__import__('socket').getaddrinfo('example.org', 80)",
    "a datagram": "__import__('socket').socket(2, 2).sendto(b'x', ('127.0.0.1', OTHER_PORT))",
    "a local socket": "__import__('socket').socket(1, 1).connect('/var/run/docker.sock')",
    "a server": "__import__('socket').create_server(('127.0.0.1', 0))",
    "the C library": "__import__('ctypes').CDLL(None).getpid()",
    "Python's own C": "__import__('ctypes').pythonapi.Py_GetVersion()",
    "pickled code": "__import__('pickle').loads(b'cos\\ngetpid\\n(tR.')",
    "more memory": "__import__('resource').setrlimit(9, (-1, -1))",
    "all objects": "len(__import__('gc').get_objects())",
    "a text that pydantic evaluates": "__import__('typing').ForwardRef('().__class__.__mro__')",
}


def table(folder, other_port, database_port):
    (folder / ".env").write_text(f"OPENAI_API_KEY={SECRET}")
    codes = {
        name: code.replace("SECRET_FILE", repr(str(folder / ".env")))
        .replace("OTHER_PORT", str(other_port))
        .replace("DATABASE_PORT", str(database_port))
        for name, code in WAYS_OUT.items()
    }
    return TRIES.replace("TABLE", repr(json.dumps(codes)))


@pytest.fixture
def listening():
    """Two servers on this machine: the database's address, and somebody else's."""
    with socket.create_server(("127.0.0.1", 0)) as database, socket.create_server(("127.0.0.1", 0)) as other:
        yield database.getsockname()[1], other.getsockname()[1]


def test_no_way_out_is_open(tmp_path, listening, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    database, other = listening

    result = ran(table(tmp_path, other, database), uri=f"mongodb://127.0.0.1:{database}")

    found = json.loads(result.out.splitlines()[0])
    assert {name: got for name, got in found.items() if got != "PermissionError"} == {}
    assert found.keys() == WAYS_OUT.keys()
    assert SECRET not in result.out + result.err
    assert not Path("/tmp/mimiod-escape.txt").exists()


KERNEL = """
import importlib.util, json, os, sys
spec = importlib.util.spec_from_file_location("confined_runner", sys.argv[1])
runner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)
import ctypes, gc, pickle, resource, socket, subprocess, typing
runner.limit(4 << 30, 30)
readable = [os.getcwd(), *json.loads(sys.argv[2]), *runner.READABLE]
runner.bar_files_and_network(readable, [], [int(sys.argv[3])])
runner.bar_calls(names=False)
"""
HARMLESS_ALONE = {
    "the C library",
    "Python's own C",
    "pickled code",
    "all objects",
    "a text that pydantic evaluates",
    "its own environment in /proc",
}
"What the fence stops though it leads nowhere: behind the barriers it finds nothing to take."


def test_the_kernel_bars_what_gets_around_pythons_fence(tmp_path, listening):
    if not barred():  # docs/generate.md says where that is so, and the command does too
        assert confined_runner.landlock_version() < confined_runner.LANDLOCK_WITH_NETWORK
        return
    database, other = listening
    jail = tmp_path / "jail"
    (jail / "projects" / "shop").mkdir(parents=True)
    (jail / "projects" / "shop" / "brief.md").write_text("A shop.")
    (tmp_path / "home").mkdir()
    code = KERNEL + table(tmp_path / "home", other, database)

    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            code,
            confined_runner.__file__,
            json.dumps(module_path()),
            str(database),
        ],
        cwd=jail,
        env={"OPENAI_API_KEY": SECRET},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    found = json.loads(done.stdout) if done.stdout else done.stderr
    # The kernel judges by the port of an address only: there is no answer from another host, not a refusal.
    open_ones = {name: got for name, got in found.items() if got.startswith("got")}
    assert open_ones.keys() <= HARMLESS_ALONE, open_ones
    assert "PermissionError" in found["its own environment in /proc"]
    assert found["more memory"] in {"PermissionError", "ValueError"}


FENCE = """
import json, os, sys
from mimiod.workflow import audit_fence, confined_runner
readable = [os.getcwd(), *json.loads(sys.argv[1]), *confined_runner.READABLE]
audit_fence.put_up(readable, [], hosts=["127.0.0.1"], ports=[int(sys.argv[2])])
"""


def test_pythons_fence_stops_every_way_out_where_the_kernel_has_no_barriers(tmp_path, listening):
    database, other = listening
    jail = tmp_path / "jail"
    (jail / "projects" / "shop").mkdir(parents=True)
    (jail / "projects" / "shop" / "brief.md").write_text("A shop.")
    (tmp_path / "home").mkdir()
    code = FENCE + table(tmp_path / "home", other, database)

    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(module_path()), str(database)],
        cwd=jail,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    found = json.loads(done.stdout) if done.stdout else done.stderr
    assert {name: got for name, got in found.items() if got != "PermissionError"} == {}
    assert found.keys() == WAYS_OUT.keys()


def test_the_database_can_be_reached(mongodb):
    code = f"import pymongo; print(pymongo.MongoClient('{mongodb.uri}').admin.command('ping')['ok'])"

    result = ran(code, uri=mongodb.uri)

    assert result.out.startswith("1.0"), result.err


def test_the_environment_is_empty_of_what_is_the_users(monkeypatch):
    for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "MONGODB_URI", "MY_TOKEN"):
        monkeypatch.setenv(name, SECRET)

    result = ran("import os; print(sorted(os.environ)); print(os.path.expanduser('~') == os.getcwd())")

    assert SECRET not in result.out
    names = set(result.out.splitlines()[0].replace("'", "").strip("[]").split(", "))
    assert names <= {
        "COLUMNS",
        "HOME",
        "LANG",
        "LC_CTYPE",
        "OPENBLAS_NUM_THREADS",
        "PATH",
        "SYSTEMROOT",
        "TMPDIR",
    }
    assert result.out.splitlines()[1] == "True"


@pytest.mark.parametrize(
    ("code", "limits", "why"),
    [
        ("while True: pass", {"seconds": 2.0}, "it took longer than 2 seconds"),
        ("import threading; threading.Event().wait()", {"seconds": 2.0}, "it took longer than 2 seconds"),
        ("while True: print('x' * 9999)", {"output": 100_000}, "it printed more than 100,000 bytes"),
    ],
)
def test_what_does_not_end_is_ended(code, limits, why):
    result = ran(code, **limits)

    assert result.stopped == why
    assert result.code != 0
    assert len(result.out) <= 100_000


def test_memory_is_bounded():
    result = ran("x = bytearray(10 << 30)")

    assert result.code != 0
    assert "MemoryError" in result.err


def test_a_bomb_of_forks_does_not_go_off():
    result = ran("import os\nwhile True: os.fork()")

    assert result.code != 0
    assert "PermissionError" in result.err


def test_the_one_file_that_may_be_written_comes_back():
    text = "# filled\n" * 10
    sandbox = Sandbox(NOWHERE, Limits(seconds=30.0), program="timeit")
    code = f"open('projects/shop/README.md', 'w').write({text!r})"

    result = sandbox.run("shop", {"README.md": "# shop\n"}, ["-n1", "-r1", code], writable="README.md")

    assert (result.code, result.written) == (0, text), result.err


def test_that_file_cannot_grow_without_bound():
    sandbox = Sandbox(NOWHERE, Limits(seconds=30.0), program="timeit")
    code = "open('projects/shop/README.md', 'w').write('x' * 50_000_000)"

    result = sandbox.run("shop", {"README.md": ""}, ["-n1", "-r1", code], writable="README.md")

    assert result.code != 0
    assert len(result.written) <= confined_runner.MOST_WRITTEN
