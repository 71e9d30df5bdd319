"""What a database's own catalogue says of its tables, in a form that can be compared."""

import re
from typing import Any

import peewee

STATE = "maimdb_migrations"


def schema_facts(database: Any) -> dict[str, Any]:
    """Return columns, keys, indexes, constraints and triggers of every table but that of the migrations."""
    read = _sqlite if isinstance(database, peewee.SqliteDatabase) else _server
    return {table: read(database, table) for table in sorted(database.get_tables()) if table != STATE}


def _sqlite(database: Any, table: str) -> dict[str, Any]:
    def rows(sql: str, *params: Any) -> list[Any]:
        return [tuple(row) for row in database.execute_sql(sql, params).fetchall()]

    create = rows("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", table)[0][0]
    checks = sorted(" ".join(text.split()) for text in create.replace('"', "").split("CHECK ")[1:])
    indexes = rows(f'PRAGMA index_list("{table}")')
    return {
        "columns": sorted(row[1:] for row in rows(f'PRAGMA table_xinfo("{table}")')),
        "indexes": sorted(
            (name, unique, origin, partial, rows(f'PRAGMA index_xinfo("{name}")'))
            for _, name, unique, origin, partial in indexes
            if origin == "c"
        ),
        "unique": sorted(
            [row[2] for row in rows(f'PRAGMA index_info("{index[1]}")')]
            for index in indexes
            if index[3] != "c"
        ),
        "foreign keys": sorted(row[1:] for row in rows(f'PRAGMA foreign_key_list("{table}")')),
        "checks": [text[: text.index(")") + 1] for text in checks],
        "strict": create.rstrip().endswith("STRICT"),
        "triggers": rows(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", table
        ),
    }


SERVER = {
    "postgresql": {
        "columns": "SELECT attname, format_type(atttypid, atttypmod), attnotnull, "
        "attgenerated, attcollation, pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef "
        "ON adrelid = attrelid AND adnum = attnum WHERE attrelid = %s::regclass AND attnum > 0 "
        "AND NOT attisdropped",
        "constraints": "SELECT conname, contype, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = %s::regclass AND contype <> 'n'",
        "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s",
        "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = %s::regclass "
        "AND NOT tgisinternal",
    },
    "mysql": {
        "columns": "SELECT column_name, column_type, is_nullable, column_default, collation_name, extra, "
        "generation_expression FROM information_schema.columns WHERE table_schema = DATABASE() "
        "AND table_name = %s",
        "constraints": "SELECT constraint_name, constraint_type FROM information_schema.table_constraints "
        "WHERE table_schema = DATABASE() AND table_name = %s",
        "checks": "SELECT constraint_name, check_clause FROM information_schema.check_constraints "
        "WHERE constraint_schema = DATABASE() AND constraint_name IN (SELECT constraint_name "
        "FROM information_schema.table_constraints WHERE table_schema = DATABASE() AND table_name = %s)",
        "foreign keys": "SELECT constraint_name, referenced_table_name, delete_rule, update_rule "
        "FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE() "
        "AND table_name = %s",
        "keys": "SELECT constraint_name, ordinal_position, column_name, referenced_column_name "
        "FROM information_schema.key_column_usage WHERE table_schema = DATABASE() AND table_name = %s",
        "indexes": "SELECT index_name, seq_in_index, column_name, non_unique "
        "FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = %s",
        "table": "SELECT engine, table_collation FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name = %s",
        "triggers": "SELECT trigger_name, action_statement FROM information_schema.triggers "
        "WHERE event_object_schema = DATABASE() AND event_object_table = %s",
    },
}


def _server(database: Any, table: str) -> dict[str, Any]:
    queries = SERVER[database.config.engine]
    return {
        name: sorted(
            (tuple(map(_bare, row)) for row in database.execute_sql(sql, (table,)).fetchall()), key=repr
        )
        for name, sql in queries.items()
    }


def _bare(value: Any) -> Any:
    """Leave out the character set that MySQL puts before a text: another one, once a column was changed."""
    return re.sub(r"\b_[a-z0-9]+(?=\\?')", "", value) if isinstance(value, str) else value
