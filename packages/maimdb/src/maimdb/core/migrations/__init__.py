"""The versions of the schema: applied in order, each once, by one process at a time.

migrate(database)                  # to the latest version
migrate(database, to=1)            # up or down to a version
migrate(database, dry_run=True)    # the SQL, nothing executed
"""

from maimdb.core.migrations.history import VERSIONS, VersionStatus
from maimdb.core.migrations.runner import migrate, migration_status
from maimdb.core.migrations.stamping import forget, is_blank, own_tables, require_known_schema, stamp

__all__ = [
    "VERSIONS",
    "VersionStatus",
    "forget",
    "is_blank",
    "migrate",
    "migration_status",
    "own_tables",
    "require_known_schema",
    "stamp",
]
