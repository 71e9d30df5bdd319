"""The foundation of every model: its database, who owns its rows, how it is saved and looked up."""

# ruff: noqa: SLF001 - Peewee keeps what its objects are in private attributes
# ruff: noqa: D106 - Peewee reads a model's options from its class Meta

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Self

import peewee
from peewee import SQL, Check, Model, ModelInsert, Node

from maimdb.core import prepared
from maimdb.core.database import database_proxy
from maimdb.core.guards import guard
from maimdb.core.models.fields import UTCDateTimeField, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import Enum

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_CHARACTERS = 8
_ATTEMPTS = 5
"""How often a new id is drawn before a collision is given up on."""


def new_id(prefix: str) -> str:
    """Return `<prefix>_` and 8 random characters; one underscore, as callers split on it."""
    number = int.from_bytes(os.urandom(8))
    characters = []
    for _ in range(_ID_CHARACTERS):
        number, digit = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return f"{prefix}_{''.join(characters)}"


def one_of(table: str, column: str, enumeration: type[Enum]) -> Node:
    """Return the CHECK that holds a column to an enumeration's values."""
    values = ", ".join(f"'{member.value}'" for member in enumeration)
    return Check(f"{column} IN ({values})", name=f"{table}_{column}_check")


def references(table: str, columns: str, target: str, *, cascade: bool = False) -> Node:
    """Return the foreign key from columns to a target such as `agents (tenant_id, id)`."""
    name = f"{table}_{target.partition(' ')[0]}_fk"
    rule = " ON DELETE CASCADE" if cascade else ""
    return SQL(f"CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {target}{rule}")


class Schema(peewee.SchemaManager):
    """Creates a model's table; on MySQL one that holds every character and compares exactly, as others do."""

    def _create_table(self, safe: bool = True, **options: Any) -> Any:  # noqa: FBT001, FBT002
        context = super()._create_table(safe=safe, **options)  # type: ignore[misc]
        database = self.database
        if isinstance(getattr(database, "obj", database), peewee.MySQLDatabase):
            context.literal(" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        return context


class Record(Model):
    """A row of a table that MaimDB keeps.

    A table with the column `tenant_id` (Meta's `tenant_column`) is guarded; Meta's `control` says that it
    belongs to the control plane.
    """

    id: Any
    id_prefix: ClassVar[str | None] = None
    """Begins the ids that are drawn for new rows."""
    record_init: ClassVar[Any]
    """The __init__ that an instance read from the database may do without."""
    _new = False
    _drawn_id: str | None = None
    """The id that was drawn by chance: another will do."""

    class Meta:
        database = database_proxy
        legacy_table_names = False
        schema_manager_class = Schema
        tenant_column = "tenant_id"
        control = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Peewee passes __no_default__ to the instances that it reads.
        self._new = "__no_default__" not in kwargs
        drawn = self.id_prefix is not None and self._new and "id" not in kwargs
        super().__init__(*args, **kwargs)
        if drawn:
            self._drawn_id = self.__data__["id"]

    @classmethod
    def validate_model(cls) -> None:
        """Guard the table; Peewee calls this once for each model."""
        super().validate_model()
        meta: Any = cls._meta
        if meta.tenant_column in meta.columns:
            guard(meta.table_name, meta.tenant_column, control=meta.control)

    @classmethod
    def get(cls, *query: Any, **filters: Any) -> Self:
        """Return the one row that the conditions find first.

        Raises:
            DoesNotExist: there is none in the scope.
        """
        if not filters and prepared.is_key_lookup(cls, query):
            return prepared.get(cls, query[0].rhs)
        return super().get(*query, **filters)

    @classmethod
    def get_by_id(cls, pk: Any) -> Self:
        """Return the row of this primary key.

        Raises:
            DoesNotExist: there is none in the scope.
        """
        if not prepared.is_plain(cls, pk):
            return super().get_by_id(pk)
        return prepared.get(cls, pk)

    @classmethod
    def set_by_id(cls, key: Any, value: Any) -> Any:
        """Change the row of a primary key; return the number of rows."""
        changes = prepared.plain_changes(cls, key, value)
        if changes is None:
            return super().set_by_id(key, value)  # type: ignore[no-untyped-call]
        return prepared.change(cls, key, cls._touched(changes))

    @classmethod
    def _touched(cls, changes: dict[str, Any]) -> dict[str, Any]:
        """Return the changes with what every change brings about."""
        return changes

    @classmethod
    def bulk_create(cls, model_list: Iterable[Self], batch_size: int | None = None) -> None:
        """Insert instances, many in a statement."""
        instances = list(model_list)
        super().bulk_create(instances, batch_size)
        for instance in instances:
            instance._new = False

    def save(self, force_insert: bool = False, only: Any = None) -> Any:  # noqa: FBT001, FBT002
        """Insert the row of a new instance, whatever its id, or update it; return the number of rows."""
        if not (force_insert or self._new):
            return self._save(insert=False, only=only)
        if only is not None:
            meta: Any = self._meta
            only = [*only, *meta.get_primary_keys()]
        drawn = self._drawn_id is not None and self._drawn_id == self.__data__["id"]
        for attempt in range(_ATTEMPTS):
            try:
                with self._undoable() if drawn else nullcontext():
                    rows = self._save(insert=True, only=only)
            except peewee.IntegrityError as exc:
                if not drawn or attempt == _ATTEMPTS - 1 or not _is_id_collision(exc):
                    raise
                self.id = new_id(str(self.id_prefix))
            else:
                break
        self._new = False
        return rows

    def _save(self, *, insert: bool, only: Any) -> Any:
        if prepared.is_savable(self, only):
            return prepared.insert(self) if insert else prepared.update(self)
        return super().save(force_insert=insert, only=only)

    def _undoable(self) -> Any:
        database = self._meta.database
        database = getattr(database, "obj", database)
        # A failed statement ends a PostgreSQL transaction, unless a savepoint stands before it.
        if isinstance(database, peewee.PostgresqlDatabase) and database.in_transaction():
            return database.savepoint()
        return nullcontext()


Record.record_init = Record.__init__


def _is_id_collision(exc: peewee.IntegrityError) -> bool:
    constraint = str(getattr(exc, "constraint", None) or exc)
    return constraint.endswith((".id", "_pkey", "PRIMARY"))


class _TouchingInsert(ModelInsert):
    """An INSERT whose upsert keeps `updated_at`."""

    def on_conflict(self, *args: Any, **kwargs: Any) -> Any:
        query: Any = super().on_conflict(*args, **kwargs)
        conflict = query._on_conflict
        if conflict is not None and (conflict._update or conflict._preserve):
            changes = dict(conflict._update or {})
            kept = {getattr(column, "name", column) for column in (*changes, *conflict._preserve)}
            if "updated_at" not in kept:
                changes[self.model._meta.fields["updated_at"]] = utc_now()
            conflict._update = changes
        return query


def _normal(model: Any, data: Any, values: dict[str, Any]) -> Any:
    return model._normalize_data(data, values)


class BaseModel(Record):
    """A row that knows when it was made and last changed, whatever way its model wrote it."""

    created_at = UTCDateTimeField(default=utc_now)
    updated_at = UTCDateTimeField(default=utc_now)

    @classmethod
    def insert(cls, data: Any = None, /, **values: Any) -> ModelInsert:
        """Return an INSERT of one row."""
        return _TouchingInsert(cls, _normal(cls, data, values))

    @classmethod
    def insert_many(cls, rows: Any, fields: Any = None) -> ModelInsert:
        """Return an INSERT of many rows."""
        return _TouchingInsert(cls, insert=rows, columns=fields)

    @classmethod
    def _touched(cls, changes: dict[str, Any]) -> dict[str, Any]:
        return {"updated_at": utc_now(), **changes}

    @classmethod
    def update(cls, data: Any = None, /, **changes: Any) -> Any:
        """Return an UPDATE, of `updated_at` too."""
        return super().update({cls.updated_at: utc_now(), **_normal(cls, data, changes)})

    def save(self, force_insert: bool = False, only: Any = None) -> Any:  # noqa: FBT001, FBT002
        """Insert the row of a new instance, whatever its id, or update it; return the number of rows."""
        if not (force_insert or self._new):
            self.updated_at = utc_now()
            if only is not None:
                only = [*only, type(self).updated_at]
        return super().save(force_insert=force_insert, only=only)
