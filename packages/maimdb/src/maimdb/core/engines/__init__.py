"""The engines: SQLite, PostgreSQL and MySQL (MariaDB) as pooled, gated Peewee databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maimdb.core.engines.base import DatabaseStatus, Engine
from maimdb.core.engines.mysql import MysqlEngine
from maimdb.core.engines.postgresql import PostgresqlEngine
from maimdb.core.engines.sqlite import SqliteEngine

if TYPE_CHECKING:
    from maimdb.core.config import DatabaseConfig

__all__ = ["DatabaseStatus", "Engine", "MysqlEngine", "PostgresqlEngine", "SqliteEngine", "make_engine"]


def make_engine(config: DatabaseConfig) -> Engine:
    """Return the engine that a configuration asks for, unopened."""
    if config.engine == "sqlite":
        return SqliteEngine(config)
    return PostgresqlEngine(config) if config.engine == "postgresql" else MysqlEngine(config)
