"""What a legacy file is: no version stands in it, so its tables and columns tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from maimdb.core.errors import LegacyImportError

if TYPE_CHECKING:
    from maimdb.core.legacy.source import Source

_SHOWN: Final = 8
"""Tables that a message names."""
Kind = Literal["maibot", "maimdb-v1"]

_FIRST_COLUMNS: Final = {"detailed_plain_text", "memorized_times"}
"""Columns of `messages` that 0.7 had and 0.12 has not."""
_LAST_COLUMNS: Final = {"is_emoji", "is_picid", "is_command", "is_notify", "selected_expressions"}
"""Columns of `messages` that 0.7 had not; `selected_expressions` came last."""


@dataclass(frozen=True, slots=True)
class Detected:
    """What a file was found to be."""

    kind: Kind
    label: str
    """As people call it, such as `MaiBot 0.12`."""


def detect(source: Source) -> Detected:
    """Say what a file is.

    Raises:
        LegacyImportError: it is nothing that can be imported; the message says what was seen.
    """
    names = ", ".join(sorted(source.tables)[:_SHOWN]) + (", …" if len(source.tables) > _SHOWN else "")
    if not source.tables:
        raise LegacyImportError(
            f"{source.path} is a SQLite database without tables: name another file", path=source.path
        )
    if source.has("mai_messages"):
        raise LegacyImportError(
            f"{source.path} is of MaiBot 1.0 or later (tables {names}), which has migrations of its own: "
            "only 0.7 to 0.12 are imported",
            path=source.path,
        )
    if source.has("messages", "chat_info_stream_id") or source.has("chat_streams", "stream_id"):
        return Detected("maibot", _maibot(source))
    if source.has("tenants", "tenant_name"):
        raise LegacyImportError(
            f"{source.path} is a MaimDB V2 database already: use it by DATABASE_URL=sqlite:///{source.path}",
            path=source.path,
        )
    if source.has("tenants", "name", "max_users") or source.has("chat_history", "assistant_message"):
        return Detected("maimdb-v1", "MaimDB's first control plane")
    raise LegacyImportError(
        f"{source.path} holds tables of neither MaiBot 0.7 to 0.12 nor MaimDB's first version: {names}. "
        "MaiBot 1.0 and later have migrations of their own",
        path=source.path,
    )


def _maibot(source: Source) -> str:
    columns = set(source.tables["messages"].columns) if "messages" in source.tables else set()
    if columns & _FIRST_COLUMNS and columns & _LAST_COLUMNS:
        return "MaiBot, upgraded in place"
    if columns & _FIRST_COLUMNS:
        return "MaiBot 0.7"
    return "MaiBot 0.12" if columns >= _LAST_COLUMNS else "MaiBot between 0.7 and 0.12"
