"""Connect to the configured database, ask it something, and print what it is. Never falls back to SQLite."""

import argparse
import sys

import peewee
from maimdb.core.database import open_database
from maimdb.core.errors import MaimdbError
from maimdb.core.settings import load_config


def main() -> int:
    """Return 0 if the database answers."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        database = open_database(load_config())
        try:
            database.execute_sql("SELECT 1").fetchone()
            status = database.status()
        finally:
            database.close_all()
    except (MaimdbError, peewee.PeeweeException) as exc:
        print(f"failed: {exc}", file=sys.stderr)
        return 1
    print(
        f"connected: {status.engine} {status.version} at {status.url}, up to {status.pool.size} connections"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
