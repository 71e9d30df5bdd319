"""An import: planned with counts, made in pieces that commit with their place, and proved afterwards."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import peewee

from maimdb.core.bulk import bulk_insert
from maimdb.core.errors import LegacyImportError, MaimdbError
from maimdb.core.legacy import tables
from maimdb.core.legacy.detection import Detected, detect
from maimdb.core.legacy.maibot import Maibot
from maimdb.core.legacy.maimdb_v1 import MaimdbV1
from maimdb.core.legacy.owners import find_owner, make_owner
from maimdb.core.legacy.reconciliation import Balance, as_json, from_json, reconcile
from maimdb.core.legacy.source import FIRST
from maimdb.core.legacy.steps import Keeper, Step
from maimdb.core.legacy.values import SetAside
from maimdb.core.migrations import is_blank, migrate, migration_status
from maimdb.core.scope import system_scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from maimdb.core.engines import Engine
    from maimdb.core.legacy.source import Source
    from maimdb.core.legacy.steps import Row

    Report = Callable[[str, int, int], None]

_NAMESPACE: Final = uuid.UUID("6f1f7a56-5f0c-4d8e-9a53-3c1d1c6f4a20")
_BATCH_BYTES: Final = 4_000_000
"""Characters to a transaction, about, whatever the number of rows."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the file does not say."""

    tenant: str = ""
    """The tenant's name, for a bot's file."""
    agent: str = ""
    accounts: frozenset[str] = frozenset()
    """The bot's account ids: a message of theirs is the agent's."""
    timezone: str = "UTC"
    """Of the bot's local times."""

    def text(self) -> str:
        """Return what a later run must be given too."""
        return json.dumps({"bot_accounts": sorted(self.accounts), "timezone": self.timezone})


@dataclass(frozen=True, slots=True)
class Planned:
    """What would be done with a source table."""

    table: str
    rows: int
    goes_to: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to."""

    import_id: str
    fresh: bool
    """Whether this run did anything."""
    balances: list[Balance]

    @property
    def balanced(self) -> bool:
        """Whether everything adds up."""
        return all(balance.balanced for balance in self.balances)


class LegacyImport:
    """The import of one file into a database; with none it can only be planned."""

    def __init__(self, source: Source, database: Engine | None, options: Options, zone: ZoneInfo) -> None:
        self.source = source
        self.database: Any = database
        self.options = options
        self.zone = zone
        self.detected: Detected = detect(source)
        self.is_bots = self.detected.kind == "maibot"
        if self.is_bots and not (options.tenant and options.agent):
            raise LegacyImportError(
                f"{source.path} is one bot's file ({self.detected.label}): name whose it becomes with "
                "--tenant NAME --agent NAME",
                path=source.path,
            )
        self.fingerprint = source.fingerprint()
        self._models: dict[str, Any] = {}

    def plan(self) -> list[Planned]:
        """Return what would be done, table by table."""
        return [
            Planned(step.name, step.count(self.source), step.goes_to) for step in self._steps("", ("", ""))
        ]

    def run(self, report: Report | None = None, *, batch: int = 2000) -> Imported:
        """Import what is not imported yet, a batch of rows to a transaction, and prove it.

        Raises:
            LegacyImportError: the target is not fit, or holds another import of this agent; the file changed.
        """
        try:
            with system_scope(reason=f"legacy import of {self.source.path}"):
                return self._run(report or (lambda *_: None), batch)
        except peewee.PeeweeException as exc:
            if isinstance(exc, MaimdbError):
                raise
            said = " ".join(str(exc.args[-1] if exc.args else exc).split())[:500]
            raise LegacyImportError(
                f"{self.source.path}: the target refused: {said}; what was imported stays, and the same "
                "command goes on",
                path=self.source.path,
            ) from exc

    def _run(self, report: Report, batch: int) -> Imported:
        self._prepare_target()
        owner, found = self._registered()
        if found is not None and found.finished:
            return Imported(found.import_id, fresh=False, balances=from_json(found.finished))
        import_id = self._import_id(owner) if found is None else found.import_id
        steps = [step for step in self._steps(import_id, owner) if step.count(self.source)]
        kept = [tables.kept_table(step.name) for step in steps]
        tables.create(self.database, kept)
        if found is None:
            self._register(import_id, owner, steps)
        for step in steps:
            self._make(import_id, step, report, batch)
        if self.source.fingerprint() != self.fingerprint:
            raise LegacyImportError(
                f"{self.source.path} changed while it was read: stop the bot, and import it under another "
                "--agent",
                path=self.source.path,
            )
        balances = reconcile(self.database, self.source, import_id, steps)
        self._finish(import_id, balances)
        return Imported(import_id, fresh=True, balances=balances)

    def _prepare_target(self) -> None:
        if is_blank(self.database) or any(
            each.state == "half done" for each in migration_status(self.database)
        ):
            migrate(self.database)
        there = set(self.database.get_tables())
        for table in ("tenants", "agents", *tables.BUSINESS):
            columns = {each.name for each in self.database.get_columns(table)} if table in there else set()
            if not columns or (table == "tenants" and "tenant_name" not in columns):
                raise LegacyImportError(
                    f"the target {self.database.config.url} has no table {table!r} of V2: name another "
                    "database by DATABASE_URL, or run `maimdb migrate`"
                )

    def _import_id(self, owner: tuple[str, str]) -> str:
        return str(uuid.uuid5(_NAMESPACE, "/".join((self.fingerprint, *owner))))

    def _steps(self, import_id: str, owner: tuple[str, str]) -> list[Step]:
        if self.is_bots:
            return Maibot(self.source, import_id, owner, self.options.accounts, self.zone).steps()
        return MaimdbV1(self.source, import_id, self._is_taken).steps()

    def _is_taken(self, name: str) -> bool:
        sql = f"SELECT 1 FROM tenants WHERE tenant_name = {self.database.param}"  # noqa: S608
        return self.database.execute_sql(sql, (name,)).fetchone() is not None

    # The import's own row.

    def _registered(self) -> tuple[tuple[str, str], _Found | None]:
        """Return the tenant and agent, and the import that was begun for them."""
        mark = self.database.param
        owner = (
            find_owner(self.database, self.options.tenant, self.options.agent) if self.is_bots else ("", "")
        )
        if tables.IMPORTS not in self.database.get_tables():
            return owner, None
        where, value = ("agent_id", owner[1]) if self.is_bots else ("fingerprint", self.fingerprint)
        rows = self.database.execute_sql(
            f"SELECT id, fingerprint, options, finished_at, reconciliation FROM {tables.IMPORTS} "  # noqa: S608
            f"WHERE {where} = {mark}",
            (value,),
        ).fetchall()
        if not rows:
            return owner, None
        import_id, fingerprint, options, finished, reconciliation = rows[0]
        if fingerprint != self.fingerprint:
            raise LegacyImportError(
                f"agent {self.options.agent!r} of tenant {self.options.tenant!r} holds an import of another "
                f"file, or of {self.source.path} before it changed: import this one under another --agent",
                path=self.source.path,
            )
        if self.is_bots and options != self.options.text():
            raise LegacyImportError(
                f"this import was begun with other options ({options}): give the same ones",
                path=self.source.path,
            )
        return owner, _Found(str(import_id), reconciliation if finished is not None else None)

    def _register(self, import_id: str, owner: tuple[str, str], steps: list[Step]) -> None:
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)

        def write() -> None:
            if self.is_bots:
                make_owner(self.database, self.options.tenant, self.options.agent, owner, now)
            self._insert(
                tables.IMPORTS,
                id=import_id,
                tenant_id=owner[0] or None,
                agent_id=owner[1] or None,
                fingerprint=self.fingerprint,
                source=self.source.path.name[-255:],
                label=self.detected.label,
                options=self.options.text(),
                started_at=now,
            )
            for step in steps:
                self._insert(
                    tables.PROGRESS,
                    import_id=import_id,
                    step=step.name[:255],
                    position=FIRST,
                    done_rows=0,
                    finished=0,
                )

        self.database.run_unit(write)

    def _insert(self, table: str, **values: Any) -> None:
        marks = ", ".join([self.database.param] * len(values))
        self.database.execute_sql(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})",  # noqa: S608 - names are ours
            tuple(values.values()),
        )

    def _finish(self, import_id: str, balances: list[Balance]) -> None:
        if not all(balance.balanced for balance in balances):
            return
        mark = self.database.param
        self.database.execute_sql(
            f"UPDATE {tables.IMPORTS} SET finished_at = {mark}, reconciliation = {mark} "  # noqa: S608
            f"WHERE id = {mark}",
            (dt.datetime.now(dt.UTC).replace(tzinfo=None), as_json(balances), import_id),
        )

    # The rows.

    def _make(self, import_id: str, step: Step, report: Report, batch: int) -> None:
        mark = self.database.param
        total = step.count(self.source)
        position, done, finished = self.database.execute_sql(
            f"SELECT position, done_rows, finished FROM {tables.PROGRESS} "  # noqa: S608
            f"WHERE import_id = {mark} AND step = {mark}",
            (import_id, step.name[:255]),
        ).fetchone()
        report(step.name, done, total)
        while not finished:
            piece = self._read(import_id, step, position, batch)
            finished = int(piece.rows < batch and not piece.full)
            state = (piece.position, done + piece.rows, finished)
            self.database.run_unit(lambda: self._write(import_id, step, position, piece, state))  # noqa: B023
            position, done = piece.position, done + piece.rows
            report(step.name, done, total)

    def _read(self, import_id: str, step: Step, position: int, batch: int) -> _Piece:
        piece = _Piece(Keeper(import_id), step, position)
        with closing(step.rows(self.source, position)) as rows:
            for number, row in rows:
                piece.add(number, row)
                if piece.rows >= batch or piece.full:
                    break
        return piece

    def _write(
        self, import_id: str, step: Step, before: int, piece: _Piece, state: tuple[int, int, int]
    ) -> None:
        mark = self.database.param
        moved = self.database.execute_sql(
            f"UPDATE {tables.PROGRESS} SET position = {mark}, done_rows = {mark}, "  # noqa: S608
            f"finished = {mark} WHERE import_id = {mark} AND step = {mark} AND position = {mark}",
            (*state, import_id, step.name[:255], before),
        )
        if moved.rowcount != 1:
            raise LegacyImportError(
                f"another run imports {self.source.path} now: let it end, or stop it and run this again",
                path=self.source.path,
            )
        writes = piece.without(self._sessions_there(piece))
        for table, rows in writes.items():
            bulk_insert(self._model(table), rows)

    def _model(self, table: str) -> Any:
        if table not in self._models:
            self._models[table] = tables.shape(self.database, table)
        return self._models[table]

    def _sessions_there(self, piece: _Piece) -> set[tuple[str, str, str]]:
        rows = piece.written.get("user_sessions", [])
        if not rows:
            return set()
        found: set[tuple[str, str, str]] = set()
        mark = self.database.param
        for start in range(0, len(rows), 500):
            some = rows[start : start + 500]
            owners = sorted({row["tenant_id"] for row in some})
            sql = (
                "SELECT tenant_id, agent_id, session_id FROM user_sessions "  # noqa: S608
                f"WHERE tenant_id IN ({', '.join([mark] * len(owners))}) "
                f"AND session_id IN ({', '.join([mark] * len(some))})"
            )
            values = (*owners, *(row["session_id"] for row in some))
            found |= {tuple(row) for row in self.database.execute_sql(sql, values).fetchall()}
        return found


@dataclass(frozen=True, slots=True)
class _Found:
    """An import that was begun before."""

    import_id: str
    finished: str | None
    """Its reconciliation, if it was finished."""


class _Piece:
    """Rows that are written together."""

    def __init__(self, keeper: Keeper, step: Step, position: int) -> None:
        self.keeper = keeper
        self.step = step
        self.position = position
        self.rows = 0
        self.written: dict[str, list[Row]] = {}
        self._sources: list[tuple[int, Row]] = []
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether the rows are large enough for a transaction."""
        return self._size > _BATCH_BYTES

    def add(self, number: int, row: Row) -> None:
        """Map a row."""
        self.position, self.rows = number, self.rows + 1
        try:
            written = list(self.step.map(number, row))
        except SetAside as exc:
            written = [self._aside(number, row, str(exc))]
        for table, values in written:
            self.written.setdefault(table, []).append(values)
            self._size += sum(len(value) for value in values.values() if type(value) is str)
        if written[0][0] == "user_sessions":
            self._sources.append((number, row))

    def _aside(self, number: int, row: Row, reason: str) -> tuple[str, Row]:
        return self.keeper.kept(self.step.name, number, row, self.step.owner(row), reason)

    def without(self, there: set[tuple[str, str, str]]) -> dict[str, list[Row]]:
        """Return what is to be written by table; sessions that exist already are set aside."""
        if "user_sessions" not in self.written:
            return self.written
        writes = {table: list(rows) for table, rows in self.written.items()}
        sessions, writes["user_sessions"] = writes["user_sessions"], []
        seen = set(there)
        for session, (number, row) in zip(sessions, self._sources, strict=True):
            key = (session["tenant_id"], session["agent_id"], session["session_id"])
            if key in seen:
                table, values = self._aside(number, row, "the agent has a session of this id already")
                writes.setdefault(table, []).append(values)
            else:
                seen.add(key)
                writes["user_sessions"].append(session)
        return writes
