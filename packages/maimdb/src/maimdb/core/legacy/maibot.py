"""MaiBot 0.7 to 0.12: what its tables become. Columns are looked for by name; no order of theirs matters."""

from __future__ import annotations

import mimetypes
import re
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.legacy.source import quote
from maimdb.core.legacy.steps import (
    LONGEST,
    Keeper,
    Step,
    identifier,
    number_measure,
    session_of,
    text_measure,
)
from maimdb.core.legacy.values import (
    RowIds,
    SetAside,
    integer_of,
    is_exact,
    is_plain_text,
    moment_of,
    number_of,
    text_of,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from maimdb.core.legacy.source import Source, SourceTable
    from maimdb.core.legacy.steps import Row, Written

USAGE_SESSION: Final = "llm_usage"
"""The session of what a language model was asked: MaiBot did not write down for which chat."""
_MESSAGE: Final = frozenset({"chat_id", "time", "processed_plain_text", "user_id"})
_STREAM: Final = frozenset({"stream_id", "create_time", "last_active_time", "user_id"})
_USAGE: Final = frozenset({"request_type", "timestamp", "total_tokens", "time_cost", "user_id"})
_ACTION: Final = frozenset({"chat_id", "time", "action_name", "action_data", "action_prompt_display"})
_REQUEST: Final = 50
"""Characters of a request's type."""
_HASH: Final = 64
_TOTALS: Final = {"llm_requests": "requests", "llm_total_tokens": "tokens", "llm_cost": "cost"}
_SEPARATOR: Final = re.compile(r"[/\\]")


class Maibot:
    """The steps of importing one bot's file for one agent."""

    def __init__(
        self,
        source: Source,
        import_id: str,
        owner: tuple[str, str],
        accounts: frozenset[str],
        zone: ZoneInfo,
    ) -> None:
        self.source = source
        self.import_id = import_id
        self.owner = {"tenant_id": owner[0], "agent_id": owner[1]}
        self.accounts = accounts
        self.zone = zone
        self.keeper = Keeper(import_id)
        self._own = lambda _: owner

    def steps(self) -> list[Step]:
        """Return the steps in the order in which they are made."""
        made: dict[str, Callable[[SourceTable], list[Step]]] = {
            "chat_streams": self._streams,
            "messages": self._messages,
            "llm_usage": self._usage,
            "action_records": self._actions,
            "online_time": self._online,
            "emoji": lambda table: [self._files(table, "full_path", ("record_time",))],
            "images": lambda table: [self._files(table, "path", ("timestamp",))],
        }
        tables = self.source.tables
        steps = [step for name, make in made.items() if name in tables for step in make(tables[name])]
        if (made_up := self._made_up()) is not None:
            steps.insert(1 if "chat_streams" in tables else 0, made_up)
        rest = [self.keeper.step(table, self._own) for name, table in tables.items() if name not in made]
        return steps + rest

    def _step(
        self, table: SourceTable | None, target: str, goes_to: str, convert: Any, **options: Any
    ) -> Step:
        name = options.pop("name", None) or str(table and table.name.lower())
        ids = RowIds(self.import_id, name)

        def write(number: int, row: Row) -> Iterable[Written]:
            return ((target, {"id": ids.of(number), **self.owner, **convert(row)}),)

        return Step(name, target, goes_to, options.pop("map", write), self._own, table, **options)

    # Sessions.

    def _streams(self, table: SourceTable) -> list[Step]:
        def convert(row: Row) -> Row:
            rest = _rest(row, _STREAM)
            session = session_of(row.get("stream_id"), "stream_id")
            if session != row["stream_id"]:
                rest["stream_id"] = row["stream_id"]
            created, active = (
                _first_moment(row, names, rest)
                for names in (("create_time", "last_active_time"), ("last_active_time", "create_time"))
            )
            return _session(session, identifier(row, "user_id", rest), created, active, rest)

        return [self._step(table, "user_sessions", "UserSession", convert)]

    def _made_up(self) -> Step | None:
        parts = []
        for name in ("messages", "action_records"):
            if name in self.source.tables and (chat := _chat(self.source.tables[name])):
                moment = "time" if "time" in self.source.tables[name].columns else "NULL"
                parts.append(f"SELECT {chat} AS chat_id, {moment} AS at FROM {quote(name)}")  # noqa: S608
        if not parts:
            return None
        known = "AND chat_id NOT IN (SELECT stream_id FROM chat_streams WHERE stream_id IS NOT NULL)"
        seconds = (
            "CASE WHEN typeof(at) NOT IN ('integer', 'real') THEN NULL WHEN abs(at) < 1e11 THEN at "
            "WHEN abs(at) < 1e14 THEN at / 1e3 WHEN abs(at) < 1e17 THEN at / 1e6 "
            "WHEN abs(at) < 1e20 THEN at / 1e9 END"
        )
        sql = (
            f"SELECT chat_id, MIN({seconds}) AS first, MAX({seconds}) AS last "  # noqa: S608
            f"FROM ({' UNION ALL '.join(parts)}) WHERE chat_id <> '' "
            f"{known if self.source.has('chat_streams', 'stream_id') else ''} "
            "GROUP BY chat_id ORDER BY chat_id"
        )

        def convert(row: Row) -> Row:
            session = session_of(row["chat_id"], "chat_id")
            first, last = moment_of(row["first"]), moment_of(row["last"])
            return _session(session, None, first, last, {"made_up": True})

        return self._step(
            None,
            "user_sessions",
            "UserSession, made up",
            convert,
            name="(chats without a stream)",
            sql=sql,
        )

    # Rows one to one.

    def _messages(self, table: SourceTable) -> list[Step]:
        def convert(row: Row) -> Row:
            rest = _rest(row, _MESSAGE)
            chat = row.get("chat_id") or row.get("chat_info_stream_id")
            session = session_of(chat, "chat_id")
            text = row.get("processed_plain_text")
            if not is_plain_text(text):
                rest["processed_plain_text"] = text
            said = text_of(row.get("display_message") if text is None else text) or ""
            user = identifier(row, "user_id", rest)
            is_bots = user in self.accounts
            return {
                "created_at": _moment(row, "time", rest),
                "session_id": session,
                "user_message": "" if is_bots else said,
                "agent_response": said if is_bots else "",
                "user_id": user,
                "message_type": "emoji"
                if row.get("is_emoji")
                else "image"
                if row.get("is_picid")
                else "text",
                "metadata": to_json(rest),
            }

        measure = text_measure(
            "text bytes",
            table,
            [("processed_plain_text", "display_message")],
            "user_message",
            "agent_response",
        )
        return [
            self._step(table, "chat_history", "ChatHistory, by time and id", convert, measures=(measure,))
        ]

    def _usage(self, table: SourceTable) -> list[Step]:
        def convert(row: Row) -> Row:
            rest = _rest(row, _USAGE)
            number_of(row.get("cost"), "cost")
            succeeded = row.get("status") == "success"
            return {
                "created_at": _moment(row, "timestamp", rest, self.zone),
                "session_id": USAGE_SESSION,
                "request_type": _request(row.get("request_type"), "", "request_type", rest),
                "request_content": "",
                "response_content": None,
                "status_code": 200 if succeeded else 500,
                "error_message": None if succeeded else text_of(row.get("status")),
                "token_count": integer_of(row.get("total_tokens"), "total_tokens"),
                "response_time": number_of(row.get("time_cost"), "time_cost"),
                "user_id": identifier(row, "user_id", rest),
                "metadata": to_json(rest),
            }

        measures = (
            number_measure("tokens", table, "total_tokens", to="token_count"),
            number_measure("cost", table, "cost", key="cost"),
        )
        steps = [self._step(table, "chat_logs", "ChatLogs, one to one", convert, measures=measures)]
        needed = {"model_name", "total_tokens", "cost", "timestamp"}
        return [*steps, self._totals()] if needed <= set(table.columns) else steps

    def _totals(self) -> Step:
        sql = (
            "SELECT model_name, COUNT(*) AS requests, TOTAL(total_tokens) AS tokens, TOTAL(cost) AS cost, "
            "MAX(timestamp) AS timestamp FROM llm_usage GROUP BY model_name ORDER BY model_name"
        )
        ids = RowIds(self.import_id, "(totals of llm_usage)")

        def write(number: int, row: Row) -> Iterable[Written]:
            rest: Row = {"model_name": row["model_name"], "source": "llm_usage"}
            moment = _moment(row, "timestamp", rest, self.zone)
            for at, (metric, column) in enumerate(_TOTALS.items()):
                yield (
                    "system_metrics",
                    {
                        "id": ids.of(number * len(_TOTALS) + at),
                        **self.owner,
                        "created_at": moment,
                        "metric_name": metric,
                        "metric_value": number_of(row[column], column),
                        "metric_unit": None,
                        "tags": to_json(rest),
                    },
                )

        return self._step(
            None,
            "system_metrics",
            "SystemMetrics, by model",
            None,
            name="(totals of llm_usage)",
            sql=sql,
            map=write,
            yields=len(_TOTALS),
        )

    def _actions(self, table: SourceTable) -> list[Step]:
        def convert(row: Row) -> Row:
            rest = _rest(row, _ACTION)
            content, shown = row.get("action_data"), row.get("action_prompt_display")
            for name, value in (("action_data", content), ("action_prompt_display", shown)):
                if not is_plain_text(value):
                    rest[name] = value
            return {
                "created_at": _moment(row, "time", rest),
                "session_id": session_of(row.get("chat_id") or row.get("chat_info_stream_id"), "chat_id"),
                "request_type": _request(row.get("action_name"), "action:", "action_name", rest),
                "request_content": text_of(content) or "",
                "response_content": text_of(shown),
                "status_code": 200 if row.get("action_done") else 202,
                "error_message": None,
                "token_count": None,
                "response_time": None,
                "user_id": None,
                "metadata": to_json(rest),
            }

        texts = [("action_data",), ("action_prompt_display",)]
        measure = text_measure("text bytes", table, texts, "request_content", "response_content")
        return [self._step(table, "chat_logs", "ChatLogs, action:<name>", convert, measures=(measure,))]

    def _online(self, table: SourceTable) -> list[Step]:
        def convert(row: Row) -> Row:
            start, end = (moment_of(row.get(f"{name}_timestamp"), self.zone) for name in ("start", "end"))
            if end < start:
                raise SetAside("it ends before it starts")
            return {
                "created_at": end,
                "metric_name": "online_time",
                "metric_value": (end - start).total_seconds(),
                "metric_unit": "s",
                "tags": to_json(_rest(row, frozenset())),
            }

        return [self._step(table, "system_metrics", "SystemMetrics, end - start", convert)]

    def _files(self, table: SourceTable, path_column: str, times: tuple[str, ...]) -> Step:
        used = frozenset({path_column, "emoji_hash", *times})

        def convert(row: Row) -> Row:
            rest = {"legacy_table": table.name, **_rest(row, used)}
            path = text_of(row.get(path_column)) or ""
            if not is_plain_text(row.get(path_column)):
                rest[path_column] = row[path_column]
            digest = text_of(row.get("emoji_hash")) or ""
            if len(digest) > _HASH:
                raise SetAside(f"its hash is longer than {_HASH} characters")
            name = _SEPARATOR.split(path)[-1][-LONGEST:]
            return {
                "created_at": _first_moment(row, times, rest),
                "original_filename": name,
                "stored_filename": name,
                "file_path": path,
                "file_size": 0,
                "mime_type": _mime(name, row.get("format")),
                "file_hash": digest,
                "is_public": False,
                "download_url": None,
                "expires_at": None,
                "user_id": None,
                "metadata": to_json(rest),
            }

        measure = text_measure("path bytes", table, [(path_column,)], "file_path")
        return self._step(table, "file_uploads", "FileUpload", convert, measures=(measure,))


def _rest(row: Row, used: frozenset[str]) -> Row:
    return {name: value for name, value in row.items() if value is not None and name not in used}


def _moment(row: Row, column: str, rest: Row, zone: ZoneInfo | None = None) -> datetime:
    value = row.get(column)
    if not is_exact(value):
        rest[column] = value
    return moment_of(value, zone)


def _first_moment(row: Row, columns: tuple[str, ...], rest: Row) -> datetime:
    """Return the first column's moment, or where it has none another's."""
    for column in columns:
        try:
            return _moment(row, column, rest)
        except SetAside:
            if column == columns[-1]:
                raise
    raise AssertionError


def _session(session: str, user: str | None, created: datetime, active: datetime, rest: Row) -> Row:
    return {
        "created_at": created,
        "session_id": session,
        "user_id": user,
        "is_active": True,
        "last_activity": active,
        "metadata": to_json(rest),
        "expires_at": None,
    }


def _chat(table: SourceTable) -> str:
    names = [name for name in ("chat_id", "chat_info_stream_id") if name in table.columns]
    return (
        f"COALESCE({', '.join(f'NULLIF({quote(name)}, {chr(39) * 2})' for name in names)}, '')"
        if names
        else ""
    )


def _request(value: Any, prefix: str, column: str, rest: Row) -> str:
    text = f"{prefix}{text_of(value) or ''}"
    if len(text) > _REQUEST or not is_plain_text(value):
        rest[column] = value
    return text[:_REQUEST]


def _mime(name: str, kind: Any) -> str:
    ending = f".{kind}" if isinstance(kind, str) and kind.isalnum() else name
    return mimetypes.guess_type(f"file{ending}" if ending != name else name)[0] or "application/octet-stream"
