"""Bring data of older versions into the V2 models.

Without a file: says what the configured database holds of older versions and would become, and changes
nothing. With one: imports that SQLite file into the configured database, as `maimdb import-legacy` does.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import peewee
from maimdb import MaimdbError, close_database, init_database
from maimdb.cli.legacy import INTERRUPTED, local_zone, run
from maimdb.core.config import DatabaseConfig
from maimdb.core.errors import LegacyImportError
from maimdb.core.legacy import LegacyImport, Options, detect, open_source
from maimdb.core.settings import load_config


def plan(config: DatabaseConfig) -> Iterator[str]:
    """Yield what would be done with the configured database, table by table."""
    if config.engine != "sqlite":
        try:
            database = init_database(replace(config, fallback="error"))
            tables = set(database.get_tables())
            if "tenants" in tables and "max_users" in {each.name for each in database.get_columns("tenants")}:
                yield "the tables are of the first version: only SQLite files of it can be imported"
        finally:
            close_database()
        return
    file = Path(config.database)
    if not file.exists() or not file.stat().st_size:
        return
    with open_source(file) as source:
        try:
            detect(source)
        except LegacyImportError:
            return
        for each in LegacyImport(source, None, Options("-", "-"), ZoneInfo("UTC")).plan():
            yield f"{each.table}: {each.rows} rows would become {each.goes_to}"
    yield (
        f"to do it, name another database by DATABASE_URL and run: maimdb import-legacy {file} "
        "--tenant NAME --agent NAME"
    )


def parsed() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "file", nargs="?", type=Path, help="a SQLite file of MaiBot or of MaimDB's first version"
    )
    parser.add_argument("--tenant", default="", help="whose a bot's file becomes")
    parser.add_argument("--agent", default="", help="the agent that the bot becomes")
    parser.add_argument(
        "--bot-account", action="append", default=[], help="the bot's account; may be repeated"
    )
    parser.add_argument(
        "--timezone", default=local_zone(), help="of the bot's local times; default: %(default)s"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan, change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser.parse_args()


def main() -> int:
    """Return 0 if the database could be looked at, or the import balances."""
    given = parsed()
    try:
        if given.file is not None:
            options = Options(given.tenant, given.agent, frozenset(given.bot_account), given.timezone)
            return run(given.file, options, dry_run=given.dry_run, as_json=False, yes=given.yes)
        steps = list(plan(load_config()))
    except (MaimdbError, peewee.PeeweeException) as exc:
        print(f"failed: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped: what was imported stays, and the same command goes on", file=sys.stderr)
        return INTERRUPTED
    for step in steps:
        print(step)
    print("nothing was changed" if steps else "nothing to migrate: no tables of an older version")
    return 0


if __name__ == "__main__":
    sys.exit(main())
