"""Copies of a SQLite file: whole, checked, and never in the way of what is there."""

import sqlite3
import threading
from contextlib import closing

import pytest
from maimdb import Tenant, close_database, init_database
from maimdb.cli.app import app
from maimdb.core.backup import back_up, check, restore
from maimdb.core.errors import BackupError, ConfigurationError
from maimdb.core.migrations import migrate
from typer.testing import CliRunner


@pytest.fixture
def path(tmp_path):
    """A migrated database of three tenants."""
    path = tmp_path / "data" / "bot.db"
    migrate(init_database(f"sqlite:///{path}"))
    for number in range(3):
        Tenant.create(tenant_name=f"Tenant {number}")
    yield path
    close_database()


def count(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM tenants").fetchone()[0]


def damage(path):
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)


def run(*arguments):
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.exception


def test_a_database_in_use_is_copied_whole(path, tmp_path):
    stop = threading.Event()

    def work():
        while not stop.is_set():
            Tenant.create(tenant_name=f"Tenant {threading.get_ident()} {stop.wait(0.001)} {count(path)}")

    writer = threading.Thread(target=work)
    writer.start()
    try:
        back_up(path, tmp_path / "new" / "copy.db")
    finally:
        stop.set()
        writer.join()
    check(tmp_path / "new" / "copy.db")
    assert 3 <= count(tmp_path / "new" / "copy.db") <= count(path)
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["copy.db"]


def test_a_copy_is_put_back_and_what_was_there_is_kept(path, tmp_path):
    back_up(path, tmp_path / "copy.db")
    Tenant.create(tenant_name="Later")
    close_database()
    aside = restore(tmp_path / "copy.db", path)
    assert (count(path), count(aside), count(tmp_path / "copy.db")) == (3, 4, 3)
    init_database(f"sqlite:///{path}")
    assert Tenant.select().count() == 3


def test_a_missing_database_is_restored(path, tmp_path):
    back_up(path, tmp_path / "copy.db")
    assert restore(tmp_path / "copy.db", tmp_path / "elsewhere" / "bot.db") is None
    assert count(tmp_path / "elsewhere" / "bot.db") == 3


def test_a_database_in_use_is_not_replaced(path, tmp_path):
    back_up(path, tmp_path / "copy.db")
    Tenant.create(tenant_name="Later")
    with pytest.raises(BackupError, match="is in use: stop the programs"):
        restore(tmp_path / "copy.db", path)
    assert count(path) == 4


def test_a_damaged_copy_is_not_put_back(path, tmp_path):
    back_up(path, tmp_path / "copy.db")
    damage(tmp_path / "copy.db")
    close_database()
    with pytest.raises(BackupError, match=r"copy\.db is damaged"):
        restore(tmp_path / "copy.db", path)
    assert count(path) == 3
    assert sorted(each.name for each in path.parent.iterdir()) == ["bot.db"]


def test_a_damaged_database_is_not_copied_and_can_be_replaced(path, tmp_path):
    back_up(path, tmp_path / "copy.db")
    close_database()
    damage(path)
    with pytest.raises(BackupError, match=r"bot\.db is damaged"):
        back_up(path, tmp_path / "second.db")
    assert not (tmp_path / "second.db").exists()
    assert restore(tmp_path / "copy.db", path) is not None
    assert count(path) == 3


def test_what_is_no_database_is_said_to_be_none(tmp_path):
    (tmp_path / "text.db").write_text("no database " * 100)
    with pytest.raises(BackupError, match="is no SQLite database"):
        check(tmp_path / "text.db")
    with pytest.raises(BackupError, match="there is no file"):
        check(tmp_path / "none.db")
    with pytest.raises(ConfigurationError, match=r"is damaged or no SQLite file .*`maimdb restore`"):
        init_database(f"sqlite:///{tmp_path / 'text.db'}")


def test_nothing_is_overwritten(path, tmp_path):
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(BackupError, match="exists: name another file"):
        back_up(path, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


def test_the_commands_copy_and_put_back(path, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
    copy = str(tmp_path / "copy.db")
    close_database()
    assert run("backup", copy)[:2] == (0, f"copied {path} to {copy}\n")
    code, output, _ = run("restore", copy)
    assert (code, output.splitlines()[0]) == (0, f"restored {path} from {copy}")
    assert isinstance(run("backup", copy)[2], BackupError)
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@127.0.0.1:1/n")
    assert "use the server's own tools" in str(run("backup", copy)[2])


def test_a_file_is_copied_before_it_is_migrated(path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
    Tenant.delete().execute()
    close_database()
    assert run("migrate", "--dry-run", "--to", "0")[0] == 0
    assert list(path.parent.glob("*.backup")) == []
    code, output, _ = run("migrate", "--to", "0")
    assert (code, output.splitlines()[-1]) == (0, "down 1 (tables)")
    (copy,) = path.parent.glob("*.backup")
    assert count(copy) == 0
    check(copy)
