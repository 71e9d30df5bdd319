"""Check what a start on SQLite promises: file, WAL, foreign keys, transactions, threads, a second start."""

# ruff: noqa: S608 - the only name put into SQL is a constant

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import peewee
from maimdb.core.database import Engine, open_database
from maimdb.core.errors import MaimdbError
from maimdb.core.settings import load_config

TABLE = "maimdb_startup_test"
THREADS, WRITES = 8, 25


def checks(database: Engine, path: str) -> Iterator[tuple[str, bool]]:
    """Yield each promise and whether it holds."""

    def ask(sql: str) -> object:
        return database.execute_sql(sql).fetchone()[0]

    if path != ":memory:":
        yield "the file is there", Path(path).is_file()
        yield "WAL mode", ask("PRAGMA journal_mode") == "wal"
    yield "foreign keys are enforced", ask("PRAGMA foreign_keys") == 1
    database.execute_sql(f"CREATE TABLE {TABLE} (n INTEGER NOT NULL)")
    database.execute_sql(f"INSERT INTO {TABLE} VALUES (0)")
    with database.atomic() as transaction:
        database.execute_sql(f"UPDATE {TABLE} SET n = 99")
        transaction.rollback()
    yield "a transaction is undone", ask(f"SELECT n FROM {TABLE}") == 0

    def add_one() -> None:
        (n,) = database.execute_sql(f"SELECT n FROM {TABLE}").fetchone()
        database.execute_sql(f"UPDATE {TABLE} SET n = ?", (n + 1,))

    with ThreadPoolExecutor(THREADS) as threads:
        for write in [threads.submit(database.run_unit, add_one) for _ in range(THREADS * WRITES)]:
            write.result()
    yield f"{THREADS} threads lose no write", ask(f"SELECT n FROM {TABLE}") == THREADS * WRITES


def main() -> int:
    """Return 0 if every promise holds."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        config = load_config()
        if config.engine != "sqlite":
            print(f"failed: {config.source} names {config.url}, which is not SQLite", file=sys.stderr)
            return 1
        database = open_database(config)
        try:
            database.execute_sql(f"DROP TABLE IF EXISTS {TABLE}")
            for promise, holds in checks(database, config.database):
                if not holds:
                    print(f"failed: {promise}: it is not so", file=sys.stderr)
                    return 1
                print(f"ok: {promise}")
            database.execute_sql(f"DROP TABLE {TABLE}")
        finally:
            database.close_all()
        open_database(config).close_all()
    except (MaimdbError, peewee.PeeweeException) as exc:
        print(f"failed: {exc}", file=sys.stderr)
        return 1
    print("ok: a second start")
    return 0


if __name__ == "__main__":
    sys.exit(main())
