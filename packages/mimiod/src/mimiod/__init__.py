"""Designs, builds, seeds and checks MongoDB databases from a typed schema."""

from mimiod.errors import (
    AccessDeniedError,
    ConfigurationError,
    DatabaseError,
    DatabaseInUseError,
    DuplicateKeysError,
    EmbeddedServerError,
    IndexConflictError,
    MimiodError,
    ProjectError,
    ServerUnavailableError,
)
from mimiod.schema_types import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    BaseMongoDbSchema,
    IndexDefinition,
    IndexDirection,
    PyObjectId,
    Reference,
)
from mimiod.seeder_base import DatabaseSeeder

__all__ = [
    "AccessDeniedError",
    "BaseCollectionSchema",
    "BaseMongoDbDocumentSchema",
    "BaseMongoDbSchema",
    "ConfigurationError",
    "DatabaseError",
    "DatabaseInUseError",
    "DatabaseSeeder",
    "DuplicateKeysError",
    "EmbeddedServerError",
    "IndexConflictError",
    "IndexDefinition",
    "IndexDirection",
    "MimiodError",
    "ProjectError",
    "PyObjectId",
    "Reference",
    "ServerUnavailableError",
]
