"""API keys in several processes and threads: no use is lost, and what is revoked is revoked everywhere."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from maimdb import ALL_MODELS, ApiKey, close_database, init_database
from maimdb.core import api_keys, key_usage

from tests.maimdb.rows import assistant, company

SCRIPT = Path(__file__).with_name("key_process.py")


@pytest.fixture
def key(sql_url):
    init_database(sql_url).create_tables(ALL_MODELS)
    agent = assistant(company())
    yield api_keys.issue(agent.tenant_id, agent.id, ["chat"])
    close_database()


def start(url, how, key):
    process = subprocess.Popen(
        [sys.executable, SCRIPT, url, str(how)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process.stdin.write(f"{key.text}\n")
    process.stdin.flush()
    return process


def test_a_revoked_key_is_refused_in_another_process_within_a_second(sql_url, key):
    process = start(sql_url, "watch", key)
    assert process.stdout.readline() == "valid\n"
    revoked = time.time()
    api_keys.revoke(key.key_id)
    refused = float(process.communicate(timeout=30)[0])
    assert 0 <= refused - revoked < 1


def test_no_use_is_lost_among_threads_and_processes(sql_url, key):
    processes = [start(sql_url, 300, key) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: api_keys.verify(key.text), range(800)))
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    api_keys.close()
    row = ApiKey.get_by_id(key.key_id)
    assert row.usage_count == 800 + 2 * 300
    assert row.last_used_at > row.created_at


def test_uses_are_written_when_the_database_is_closed(sql_url, key):
    api_keys.verify(key.text)
    close_database()
    init_database(sql_url)
    assert ApiKey.get_by_id(key.key_id).usage_count == 1


def test_uses_are_kept_while_they_cannot_be_written(sql_url, key, monkeypatch):
    api_keys.verify(key.text)
    monkeypatch.setattr(key_usage, "_write_uses", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        api_keys.flush()
    monkeypatch.undo()
    api_keys.verify(key.text)
    api_keys.flush()
    assert ApiKey.get_by_id(key.key_id).usage_count == 2
