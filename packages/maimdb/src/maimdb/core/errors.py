"""The errors that MaimDB raises.

    MaimdbError
    ├── ConfigurationError          (ValueError)
    │   └── MissingDriverError      (ImportError)
    ├── DatabaseError               (peewee.OperationalError)
    │   ├── DatabaseUnavailableError (ConnectionError)
    │   ├── AuthenticationError     (PermissionError)
    │   ├── UnknownDatabaseError    (LookupError)
    │   ├── PoolTimeoutError        (TimeoutError)
    │   └── ConnectionLostError     (ConnectionError)
    │       └── CommitUnknownError
    ├── DuplicateError              (peewee.IntegrityError)
    ├── ValidationError             (ValueError)
    ├── MigrationError              (RuntimeError)
    │   └── SchemaVersionError
    ├── LegacyImportError           (RuntimeError)
    ├── ReplayError                 (RuntimeError)
    ├── BackupError                 (RuntimeError)
    ├── TransferError               (RuntimeError)
    ├── UnitError                   (RuntimeError)
    ├── InvalidKeyError             (PermissionError)
    ├── RateLimitedError            (RuntimeError)
    ├── LimitExceededError          (RuntimeError)
    ├── LifecycleError              (RuntimeError)
    └── ScopeError                  (RuntimeError)
        ├── NoScopeError
        ├── CrossTenantError        (PermissionError)
        ├── TenantSuspendedError    (PermissionError)
        └── RawSqlRefusedError

Peewee's other exceptions (`peewee.IntegrityError`, `peewee.ProgrammingError`, …) pass through as they are.
A message never holds a password.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import peewee

if TYPE_CHECKING:
    from pathlib import Path


class MaimdbError(Exception):
    """MaimDB could not do what was asked."""

    def __init__(self, message: str | None = None, **facts: Any) -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or "").splitlines()[0])
        self.__dict__.update(facts)

    def __str__(self) -> str:
        return str(self.args[0])


class ConfigurationError(MaimdbError, ValueError):
    """The configuration is wrong."""

    variable: str | None = None
    """The environment variable or parameter to correct."""


class MissingDriverError(ConfigurationError, ImportError):
    """The driver of the configured database is not installed."""


class DatabaseError(MaimdbError, peewee.OperationalError):
    """The database refused or failed."""

    engine: str | None = None
    """`sqlite`, `postgresql` or `mysql`."""
    target: str | None = None
    """The database's URL, its password masked."""


class DatabaseUnavailableError(DatabaseError, ConnectionError):
    """The database does not answer."""


class AuthenticationError(DatabaseError, PermissionError):
    """The database refused the user or its password."""


class UnknownDatabaseError(DatabaseError, LookupError):
    """The server has no database of that name."""


class PoolTimeoutError(DatabaseError, TimeoutError):
    """No connection became free in time."""

    size: int = 0
    in_use: int = 0
    waiting: int = 0
    timeout: float = 0.0
    """Seconds waited."""


class ConnectionLostError(DatabaseError, ConnectionError):
    """The connection to the database was lost; what its transaction had done is undone."""


class CommitUnknownError(ConnectionLostError):
    """The connection was lost during COMMIT and the outcome is unknown: look before doing it again."""


class DuplicateError(MaimdbError, peewee.IntegrityError):
    """A row with the same unique key exists."""

    constraint: str | None = None
    """The constraint's or index's name, or SQLite's `table.column`, where the driver tells it."""


class ValidationError(MaimdbError, ValueError):
    """A value is not allowed."""

    field: str | None = None
    position: int | None = None
    """Where in a text the fault is, counted from 0."""
    value: Any = None


class MigrationError(MaimdbError, RuntimeError):
    """A schema change could not be made."""

    operation: str | None = None
    done: tuple[str, ...] = ()
    """The operations that stay done because the engine cannot undo them (MySQL)."""


class SchemaVersionError(MigrationError):
    """The schema is of a version that this code does not know, or half migrated."""

    version: int | None = None
    """The version that the database has."""
    latest: int | None = None
    """The latest version that this code knows."""


class LegacyImportError(MaimdbError, RuntimeError):
    """A file of an earlier program cannot be imported."""

    path: Path | None = None
    """The file at fault."""


class ReplayError(MaimdbError, RuntimeError):
    """The rows of a fallback cannot be replayed."""


class BackupError(MaimdbError, RuntimeError):
    """A database file could not be copied or put back."""

    path: Path | None = None
    """The file at fault."""


class TransferError(MaimdbError, RuntimeError):
    """A tenant's rows cannot be exported, imported or moved."""

    table: str | None = None
    line: int | None = None
    """The line of the file at fault, counted from 1."""


class UnitError(MaimdbError, RuntimeError):
    """A unit of work of asyncio tasks is used where it does not reach."""


class InvalidKeyError(MaimdbError, PermissionError):
    """The API key opens nothing."""


class RateLimitedError(MaimdbError, RuntimeError):
    """Too many requests."""

    retry_after: float = 0.0
    """Seconds after which a request is let through again."""


class LimitExceededError(MaimdbError, RuntimeError):
    """A tenant has as many of something as its configuration allows."""

    tenant: str | None = None
    limit: int = 0


class LifecycleError(MaimdbError, RuntimeError):
    """A tenant, agent or key is not there, or not in the state that this needs."""

    missing: bool = False
    """Whether it is not there, or another tenant's."""


class ScopeError(MaimdbError, RuntimeError):
    """The tenant scope does not allow this."""

    tenant: str | None = None
    """The tenant of the scope; None stands for the standalone scope."""


class NoScopeError(ScopeError):
    """No tenant scope is set: use `with tenant_scope(tenant_id):`."""


class CrossTenantError(ScopeError, PermissionError):
    """A row of another tenant was about to be written."""

    table: str | None = None
    other: str | None = None
    """The tenant that the row names."""


class TenantSuspendedError(ScopeError, PermissionError):
    """The tenant is suspended or archived."""

    status: str | None = None
    """The tenant's status."""


class RawSqlRefusedError(ScopeError):
    """Raw SQL is refused inside a tenant scope: it cannot be confined to the tenant."""

    sql: str | None = None
