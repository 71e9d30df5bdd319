"""The models of the first control plane, for programs and migrations that still read its tables.

They share the table names of their successors in `system_v2` and are not among ALL_MODELS. Using one warns;
importing does not. In a database of the first version, work with them in no scope or in a system scope.
"""

# ruff: noqa: D106, RUF012 - Peewee reads a model's options from its class Meta

from __future__ import annotations

import uuid
import warnings
from typing import Any, ClassVar

import peewee
from peewee import BooleanField, CharField, ForeignKeyField, IntegerField, TextField, UUIDField

from maimdb.core.models.base import Record
from maimdb.core.models.fields import UTCDateTimeField, utc_now


class DeprecatedModel(Record):
    """A model that has a successor."""

    successor: ClassVar[str] = ""

    id = UUIDField(primary_key=True, default=uuid.uuid4)
    is_active = BooleanField(default=True)
    created_at = UTCDateTimeField(default=utc_now)
    updated_at = UTCDateTimeField(default=utc_now)

    class Meta:
        control = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._warn()
        super().__init__(*args, **kwargs)

    @classmethod
    def _warn(cls) -> None:
        warnings.warn(
            f"{cls.__name__} is deprecated: use {cls.successor} and migrate the table",
            DeprecationWarning,
            stacklevel=3,
        )

    @classmethod
    def validate_model(cls) -> None:
        """Guard only what no successor guards: the table names are shared, the columns are not."""
        if cls.__name__ == "User":
            super().validate_model()

    @classmethod
    def select(cls, *fields: Any) -> Any:
        """Return a SELECT."""
        cls._warn()
        return super().select(*fields)

    @classmethod
    def insert(cls, data: Any = None, /, **values: Any) -> Any:
        """Return an INSERT of one row."""
        cls._warn()
        return super().insert(data, **values)

    @classmethod
    def insert_many(cls, rows: Any, fields: Any = None) -> Any:
        """Return an INSERT of many rows."""
        cls._warn()
        return super().insert_many(rows, fields)

    @classmethod
    def update(cls, data: Any = None, /, **changes: Any) -> Any:
        """Return an UPDATE."""
        cls._warn()
        return super().update(data, **changes)

    @peewee.classmethod_only  # type: ignore[arg-type]
    def delete(cls) -> Any:  # noqa: N805 - Peewee's descriptor passes the class
        """Return a DELETE."""
        cls._warn()
        return peewee.ModelDelete(cls)


class OldTenant(DeprecatedModel):
    """A tenant of the first version."""

    successor = "Tenant"

    name = CharField(unique=True)
    description = TextField(null=True)
    max_users = IntegerField(default=10)

    class Meta:
        table_name = "tenants"


class User(DeprecatedModel):
    """A user of the first version, which had its own passwords."""

    successor = "the identity provider of your service"

    username = CharField(unique=True)
    email = CharField(unique=True)
    password_hash = CharField()
    full_name = CharField(null=True)
    is_superuser = BooleanField(default=False)
    last_login = UTCDateTimeField(null=True)
    tenant = ForeignKeyField(OldTenant, backref="users")

    class Meta:
        table_name = "users"


class OldAgent(DeprecatedModel):
    """An agent of the first version."""

    successor = "Agent"

    name = CharField(index=True)
    description = TextField(null=True)
    config = TextField(null=True)
    model_type = CharField(100, default="gpt-3.5-turbo")
    user = ForeignKeyField(User, backref="agents")
    tenant = ForeignKeyField(OldTenant, backref="agents")

    class Meta:
        table_name = "agents"
        indexes = [(("name", "tenant"), True)]


class OldApiKey(DeprecatedModel):
    """A key of the first version."""

    successor = "ApiKey"

    key_hash = CharField(unique=True)
    name = CharField()
    description = TextField(null=True)
    expires_at = UTCDateTimeField(null=True)
    last_used_at = UTCDateTimeField(null=True)
    usage_count = IntegerField(default=0)
    agent = ForeignKeyField(OldAgent, backref="api_keys")

    class Meta:
        table_name = "api_keys"
