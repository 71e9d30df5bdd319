"""Open the configured SQLite database (none configured: data/MaiBot.db), write a row and read it back."""

import argparse
import sys

import peewee
from maimdb.core.database import open_database
from maimdb.core.errors import MaimdbError
from maimdb.core.settings import load_config


def main() -> int:
    """Return 0 if SQLite works."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        config = load_config()
        if config.engine != "sqlite":
            print(f"failed: {config.source} names {config.url}, which is not SQLite", file=sys.stderr)
            return 1
        database = open_database(config)
        try:
            with database.atomic() as transaction:
                database.execute_sql("CREATE TABLE maimdb_simple_test (text TEXT)")
                database.execute_sql("INSERT INTO maimdb_simple_test VALUES ('it works')")
                (answer,) = database.execute_sql("SELECT text FROM maimdb_simple_test").fetchone()
                transaction.rollback()
        finally:
            database.close_all()
    except (MaimdbError, peewee.PeeweeException) as exc:
        print(f"failed: {exc}", file=sys.stderr)
        return 1
    print(f"{answer}: SQLite {database.status().version} at {config.database}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
