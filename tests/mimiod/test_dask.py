"""Seeding on a Dask cluster: the same documents, though a worker is killed in mid-run."""

import subprocess
import sys

import distributed
import pytest
from mimiod import ConfigurationError, ProjectError, WorkerLostError

from tests.mimiod.runs import first_in_encode, killed_once, run


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs="CRITICAL"
    ) as cluster:
        yield cluster.scheduler_address.replace("tcp", "dask")


def test_a_cluster_makes_the_same_documents_though_a_worker_is_killed(
    make_shop, trial, contents, cluster, tmp_path
):
    flag = tmp_path / "alive"
    folder = make_shop(killed_once(flag))
    assert run(folder, trial.uri, workers=1).passed
    expected = contents()
    flag.touch()

    assert run(folder, trial.uri, executor=cluster).passed

    assert not flag.exists()
    assert contents() == expected


def test_what_goes_wrong_on_a_cluster_reads_as_it_does_here(make_shop, trial, cluster):
    folder = make_shop(("def order(self, row):\n", "def order(self, row):\n        row / (row - 999)\n"))

    with pytest.raises(ProjectError, match=r"seed_db\.py:40: ZeroDivisionError: division by zero"):
        run(folder, trial.uri, executor=cluster)


def test_a_unit_that_kills_every_worker_is_given_up(make_shop, trial, cluster):
    folder = make_shop(first_in_encode("import os", "if unit.start == 200: os.kill(os.getpid(), 9)"))

    with pytest.raises(WorkerLostError, match=r"again and again that had rows \d+ to \d+ of 'people'"):
        run(folder, trial.uri, executor=cluster)


@pytest.mark.parametrize(
    ("executor", "complaint"),
    [
        ("dask://127.0.0.1:1", "no Dask scheduler answers at dask://127.0.0.1:1"),
        ("ray://local", "it reads dask://host:port or dask://local"),
    ],
)
def test_a_cluster_that_is_none_is_one_clear_line(make_shop, trial, executor, complaint, monkeypatch):
    monkeypatch.setattr("mimiod.seeding.dask_executor.ANSWER_WITHIN", 0.2)

    with pytest.raises(ConfigurationError, match=complaint):
        run(make_shop(), trial.uri, executor=executor)


def test_a_local_cluster_is_started_for_a_main_that_is_a_script(make_shop, mongodb):
    folder = make_shop()

    ran = subprocess.run(
        [sys.executable, "main.py", "--executor", "dask://local", "--workers", "1", "--uri", mongodb.uri],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "verified, 2,010 documents" in ran.stdout


def test_without_dask_it_is_said_how_to_get_it(make_shop, trial, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "mimiod.seeding.dask_executor", raising=False)

    with pytest.raises(ConfigurationError, match=r"pip install 'mimiod\[dask\]'"):
        run(make_shop(), trial.uri, executor="dask://local")
