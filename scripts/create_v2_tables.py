"""Create the V2 tables that the configured database does not have yet. Never falls back to SQLite."""

import argparse
import sys
from dataclasses import replace

import peewee
from maimdb import ALL_MODELS, MaimdbError, close_database, init_database
from maimdb.core.migrations import migrate
from maimdb.core.settings import load_config


def main() -> int:
    """Return 0 if all tables are there."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        database = init_database(replace(load_config(), fallback="error"))
        before = set(database.get_tables())
        if "tenants" in before and "tenant_name" not in {
            each.name for each in database.get_columns("tenants")
        }:
            print("failed: the tables are of the first version: see migrate_to_v2_models.py", file=sys.stderr)
            return 1
        migrate(database)
    except (MaimdbError, peewee.PeeweeException) as exc:
        print(f"failed: {exc}", file=sys.stderr)
        return 1
    finally:
        close_database()
    for model in ALL_MODELS:
        table = model._meta.table_name  # noqa: SLF001 - Peewee's way to ask
        print(f"{'was there' if table in before else 'created  '}  {table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
