"""MaimDB's first control plane: its tenants and agents get V2's ids, and their rows point at these.

Users and keys have no place in V2: a password's hash is of no use to it, and how a key's hash was made is not
known. They are kept whole, with the tenant and agent that they belong to. So are the old rows of tenants and
agents, for the columns that V2 lacks.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.legacy.steps import Keeper, Step, identifier, number_measure, session_of, text_measure
from maimdb.core.legacy.tables import IDS
from maimdb.core.legacy.values import (
    RowIds,
    SetAside,
    integer_of,
    is_plain_text,
    moment_of,
    number_of,
    text_of,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from maimdb.core.legacy.source import Source, SourceTable
    from maimdb.core.legacy.steps import Owner, Row, Written

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_NAME: Final = 100
_LIMITS: Final = {
    "message_type": 50,
    "request_type": 50,
    "original_filename": 255,
    "stored_filename": 255,
    "mime_type": 100,
    "file_hash": 64,
    "metric_name": 100,
    "metric_unit": 20,
}
"""Characters of V2's columns."""
_NOBODY: Final = (None, None)


class MaimdbV1:
    """The steps of importing a whole file of the first version."""

    def __init__(self, source: Source, import_id: str, taken: Callable[[str], bool]) -> None:
        self.source = source
        self.import_id = import_id
        self.keeper = Keeper(import_id)
        self._is_taken = taken
        self._names: set[str] = set()
        self.tenants: set[str] = set()
        """The old ids of the tenants in the file."""
        self.agents: dict[str, Owner] = {}
        """The new owner by the old agent's id."""
        self._read_owners()

    def _read_owners(self) -> None:
        if self.source.has("tenants", "id"):
            for (old,) in self.source.connection.execute("SELECT id FROM tenants"):
                self.tenants.add(text_of(old) or "")
        if self.source.has("agents", "id", "tenant_id"):
            for old, tenant in self.source.connection.execute("SELECT id, tenant_id FROM agents"):
                if (text_of(tenant) or "") in self.tenants:
                    self.agents[text_of(old) or ""] = (
                        self._new("tenant", text_of(tenant) or ""),
                        self._new("agent", text_of(old) or ""),
                    )

    def _new(self, prefix: str, old: str) -> str:
        """Return the new id of an old one: the same in every run."""
        digest = hashlib.blake2b(f"{self.import_id}/{prefix}/{old}".encode(), digest_size=8).digest()
        number, characters = int.from_bytes(digest), ""
        for _ in range(8):
            number, digit = divmod(number, len(_ALPHABET))
            characters += _ALPHABET[digit]
        return f"{prefix}_{characters}"

    def steps(self) -> list[Step]:
        """Return the steps in the order in which they are made."""
        tables = self.source.tables
        made: dict[str, Callable[[SourceTable], Step]] = {
            "tenants": self._tenants,
            "agents": self._agents,
            "users": lambda table: self.keeper.step(table, self._of_tenant),
            "api_keys": lambda table: self.keeper.step(table, self._of_agent),
            "user_sessions": self._sessions,
            "chat_history": self._history,
            "chat_logs": self._logs,
            "file_uploads": self._files,
            "system_metrics": self._metrics,
        }
        needed = {
            "tenants": {"id", "name"},
            "agents": {"id", "name", "tenant_id"},
            "chat_history": {"agent_id", "assistant_message"},
        }
        steps = []
        for name, make in made.items():
            if self.source.has(name, *needed.get(name, {"id"})):
                steps.append(make(tables[name]))
        done = {step.name for step in steps}
        rest = [
            self.keeper.step(table, lambda _: _NOBODY) for name, table in tables.items() if name not in done
        ]
        return steps + rest

    # Owners.

    def _of_tenant(self, row: Row) -> Owner:
        old = text_of(row.get("tenant_id")) or ""
        return (self._new("tenant", old), None) if old in self.tenants else _NOBODY

    def _of_agent(self, row: Row) -> Owner:
        return self.agents.get(text_of(row.get("agent_id")) or "", _NOBODY)

    def _tenants(self, table: SourceTable) -> Step:
        def write(number: int, row: Row) -> Iterable[Written]:
            old = _key(row)
            new = self._new("tenant", old)
            yield (
                "tenants",
                {
                    **_times(row),
                    "id": new,
                    "tenant_name": self._free_name(text_of(row.get("name")) or old, new),
                    "tenant_type": "personal",
                    "description": text_of(row.get("description")),
                    "status": "active" if row.get("is_active", 1) else "inactive",
                },
            )
            yield self._mapped("tenants", old, new, new)
            yield self.keeper.kept("tenants", number, row, (new, None))

        return Step("tenants", "tenants", "Tenant, with a new id", write, lambda _: _NOBODY, table)

    def _free_name(self, name: str, new: str) -> str:
        if len(name) <= _NAME and name not in self._names and not self._is_taken(name):
            self._names.add(name)
            return name
        return f"{name[: _NAME - len(new) - 3]} ({new})"

    def _agents(self, table: SourceTable) -> Step:
        def write(number: int, row: Row) -> Iterable[Written]:
            old = _key(row)
            if old not in self.agents:
                raise SetAside("its tenant is not in the file")
            tenant, new = self.agents[old]
            config = text_of(row.get("config"))
            yield (
                "agents",
                {
                    **_times(row),
                    "id": new,
                    "tenant_id": tenant,
                    "name": (text_of(row.get("name")) or old)[:_NAME],
                    "description": text_of(row.get("description")),
                    "config": config if config and _is_object(config) else None,
                    "status": "active" if row.get("is_active", 1) else "inactive",
                },
            )
            yield self._mapped("agents", old, str(new), tenant)
            yield self.keeper.kept("agents", number, row, (tenant, new))

        return Step("agents", "agents", "Agent, with a new id", write, self._of_tenant, table)

    def _mapped(self, table: str, old: str, new: str, tenant: str | None) -> Written:
        values = {
            "import_id": self.import_id,
            "source_table": table,
            "old_id": old,
            "new_id": new,
            "tenant_id": tenant,
        }
        return IDS, values

    # What agents left behind.

    def _business(
        self, table: SourceTable, words: str, convert: Callable[[Row, Row], Row], **more: Any
    ) -> Step:
        name = table.name.lower()
        ids = RowIds(self.import_id, name)
        notes = "tags" if name == "system_metrics" else "metadata"

        def write(number: int, row: Row) -> Iterable[Written]:
            tenant, agent = self._of_agent(row)
            if agent is None:
                raise SetAside("its agent is not in the file")
            rest = {"legacy_id": row.get("id")}
            values = {
                "id": ids.of(number),
                "tenant_id": tenant,
                "agent_id": agent,
                "created_at": moment_of(row.get("created_at")),
                **convert(row, rest),
            }
            values[notes] = _notes(row.get(notes), notes, rest)
            return ((name, values),)

        return Step(name, name, f"{words}, of the new agent", write, self._of_agent, table, **more)

    def _sessions(self, table: SourceTable) -> Step:
        def convert(row: Row, rest: Row) -> Row:
            return {
                "session_id": session_of(row.get("session_id"), "session_id"),
                "user_id": identifier(row, "user_id", rest),
                "is_active": bool(row.get("is_active", 1)),
                "last_activity": moment_of(row.get("last_activity") or row.get("created_at")),
                "expires_at": _optional_moment(row, "expires_at"),
            }

        return self._business(table, "UserSession", convert)

    def _history(self, table: SourceTable) -> Step:
        def convert(row: Row, rest: Row) -> Row:
            return {
                "session_id": session_of(row.get("session_id"), "session_id"),
                "user_message": _long(row, "user_message", rest) or "",
                "agent_response": _long(row, "assistant_message", rest) or "",
                "user_id": identifier(row, "user_id", rest),
                "message_type": _short(row, "message_type", rest) or "text",
            }

        texts = [("user_message",), ("assistant_message",)]
        measure = text_measure("text bytes", table, texts, "user_message", "agent_response")
        return self._business(table, "ChatHistory", convert, measures=(measure,))

    def _logs(self, table: SourceTable) -> Step:
        def convert(row: Row, rest: Row) -> Row:
            return {
                "session_id": session_of(row.get("session_id"), "session_id"),
                "request_type": _short(row, "request_type", rest),
                "request_content": _long(row, "request_content", rest) or "",
                "response_content": _long(row, "response_content", rest),
                "status_code": integer_of(row.get("status_code"), "status_code") or 0,
                "error_message": _long(row, "error_message", rest),
                "token_count": integer_of(row.get("token_count"), "token_count"),
                "response_time": number_of(row.get("response_time"), "response_time"),
                "user_id": identifier(row, "user_id", rest),
            }

        texts = [("request_content",), ("response_content",)]
        measures = (
            text_measure("text bytes", table, texts, "request_content", "response_content"),
            number_measure("tokens", table, "token_count", to="token_count"),
        )
        return self._business(table, "ChatLogs", convert, measures=measures)

    def _files(self, table: SourceTable) -> Step:
        def convert(row: Row, rest: Row) -> Row:
            return {
                "original_filename": _short(row, "original_filename", rest),
                "stored_filename": _short(row, "stored_filename", rest),
                "file_path": _long(row, "file_path", rest) or "",
                "file_size": int(number_of(row.get("file_size"), "file_size") or 0),
                "mime_type": _short(row, "mime_type", rest),
                "file_hash": _short(row, "file_hash", rest),
                "is_public": bool(row.get("is_public")),
                "download_url": _long(row, "download_url", rest),
                "expires_at": _optional_moment(row, "expires_at"),
                "user_id": identifier(row, "user_id", rest),
            }

        measure = text_measure("path bytes", table, [("file_path",)], "file_path")
        return self._business(table, "FileUpload", convert, measures=(measure,))

    def _metrics(self, table: SourceTable) -> Step:
        def convert(row: Row, rest: Row) -> Row:
            value = number_of(row.get("metric_value"), "metric_value")
            if value is None:
                raise SetAside("it has no metric_value")
            return {
                "metric_name": _short(row, "metric_name", rest),
                "metric_value": float(value),
                "metric_unit": _short(row, "metric_unit", rest) or None,
            }

        return self._business(table, "SystemMetrics", convert)


def _key(row: Row) -> str:
    old = text_of(row.get("id"))
    if not old:
        raise SetAside("it has no id")
    if len(old) > 255:  # noqa: PLR2004 - the column's
        raise SetAside("its id is longer than 255 characters")
    return old


def _times(row: Row) -> Row:
    created = moment_of(row.get("created_at") or 0)
    return {
        "created_at": created,
        "updated_at": moment_of(row.get("updated_at") or row.get("created_at") or 0),
    }


def _optional_moment(row: Row, column: str) -> Any:
    return None if row.get(column) is None else moment_of(row[column])


def _short(row: Row, column: str, rest: Row) -> str:
    """Return a text cut to its column; the whole one stays in the rest."""
    value, limit = row.get(column), _LIMITS[column]
    text = text_of(value) or ""
    if len(text) > limit or not is_plain_text(value):
        rest[column] = value
    return text[:limit]


def _long(row: Row, column: str, rest: Row) -> str | None:
    value = row.get(column)
    if not is_plain_text(value):
        rest[column] = value
    return text_of(value)


def _notes(value: Any, column: str, rest: Row) -> str:
    """Return the old JSON object with the rest; one that is broken is kept as a text in it."""
    if type(value) is str and _is_object(value):
        return to_json({**json.loads(value), **rest})
    return to_json(rest if value is None else {**rest, column: value})


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict) and "\\u0000" not in text
    except (ValueError, RecursionError):
        return False
