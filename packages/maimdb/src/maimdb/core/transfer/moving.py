"""A tenant taken from one database to another, with writes refused for a short time only.

1. Its rows are copied while it is at work; what has changed meanwhile is copied again, until that is little.
   Sums over groups of rows tell what has changed.
2. The pause: its status becomes `inactive`, so that every process's gate refuses its writes within half a
   second; transactions that had begun are waited for. What has changed is copied, rows are counted.
3. The switch: the source's row of `maimdb_moves` says where the tenant is. Its copy here stays inactive, or
   is deleted, which is refused if it has changed since.

A move that was stopped, at any moment, is run again.
"""

# ruff: noqa: S608 - every name is quoted, every value a parameter

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.errors import TransferError
from maimdb.core.migrations.engines import operations_for
from maimdb.core.scope import system_scope
from maimdb.core.standing import SECONDS
from maimdb.core.transfer import fingerprints
from maimdb.core.transfer.arrived import Arrived
from maimdb.core.transfer.reading import Snapshot, find_tenant, owned, quoted, schema_version
from maimdb.core.transfer.tables import Table, tables_of
from maimdb.core.transfer.writing import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from maimdb.core.engines import Engine
    from maimdb.core.transfer.columns import Row
    from maimdb.core.transfer.fingerprints import Group, Sums

MOVES: Final = "maimdb_moves"
_FEW: Final = 200
"""So many changed rows are copied in the pause."""
_ON_ITS_WAY: Final = 0.25
"""Seconds that a statement has to reach the server, after its process ceased to believe that it may write."""
_ROUNDS: Final = 5


@dataclass(slots=True)
class MoveReport:
    """What a move did."""

    tenant: str
    tables: dict[str, int] = field(default_factory=dict)
    """Rows by table, counted alike on both sides."""
    copied: int = 0
    """Rows written to the target, each time that they were."""
    pause: float = 0.0
    """Seconds during which the tenant's writes were refused."""
    deleted: bool = False
    """Whether the source's rows are deleted."""


def move_tenant(
    source: Engine,
    target: Engine,
    tenant: str,
    *,
    delete_source: bool = False,
    progress: Callable[[str, int], None] | None = None,
) -> MoveReport:
    """Move a tenant from one database to another.

    Raises:
        TransferError: there is no such tenant; the schemas differ; the target has rows that are in the way;
            the source was changed after the switch.
        CrossTenantError: inside the scope of another tenant.
    """
    found, _ = find_tenant(source, tenant)
    if source.config.url == target.config.url:
        raise TransferError("source and target are the same database")
    versions = schema_version(source), schema_version(target)
    if versions[0] != versions[1]:
        raise TransferError(f"the source's schema is at version {versions[0]}, the target's at {versions[1]}")
    with system_scope(reason=f"move of tenant {found} to {target.config.url}"):
        move = _Move(source, target, found, progress or (lambda _table, _rows: None))
        with contextlib.closing(move):
            return move.run(delete_source=delete_source)


class _Move:
    def __init__(
        self, source: Engine, target: Engine, tenant: str, progress: Callable[[str, int], None]
    ) -> None:
        self.source = source
        self.tenant = tenant
        self.report = MoveReport(tenant)
        self._progress = progress
        self._tables = tables_of(source)
        self._target = Target(target, tenant)
        self._status = ""
        self._sums: dict[str, Sums] = {}
        """Of the source's rows as the target has them."""
        self._round = 0
        self._arrived = Arrived()

    def close(self) -> None:
        """Let go of what is kept beside."""
        self._arrived.close()

    def run(self, *, delete_source: bool) -> MoveReport:
        for database in (self.source, self._target.database):
            _create_moves(database)
        to = self._target.database.config.url
        mark = self._mark()
        if mark is not None and mark[0] != to:
            raise TransferError(
                f"tenant {self.tenant!r} is on its way to {mark[0]}: go on with that move first"
            )
        self._status = mark[1] if mark else self._current_status()
        if mark is None or mark[2] is None:
            if mark is None:
                self._copy_live()
            self._pause_and_switch()
        if delete_source:
            self._delete()
        return self.report

    def _copy_live(self) -> None:
        for _ in range(_ROUNDS):
            if self._copy() <= _FEW:
                return

    def _pause_and_switch(self) -> None:
        start = time.monotonic()
        try:
            with self.source.atomic():
                self._set_status("inactive")
                self._remember(None)
            refused = time.monotonic()
            self._copy()
            time.sleep(max(0.0, refused + SECONDS + _ON_ITS_WAY - time.monotonic()))
            self._wait_for_writers()
            while self._copy():  # until nothing comes any more
                self._wait_for_writers()
            self._require_equal()
        except Exception:
            with contextlib.suppress(Exception), self.source.atomic():  # the fault itself is what is told
                self._set_status(self._status)
                self._forget(self.source)
            raise
        with self._target.database.atomic():
            self._forget(self._target.database)  # it may have been moved from there before
        self._remember(fingerprints.digest(self._sums_of_rows()))
        self.report.pause = time.monotonic() - start

    def _copy(self) -> int:
        """Make the target's rows the source's; return how many had to be written."""
        self._round += 1
        written = 0
        groups: dict[str, set[Group]] = {}
        fitting: dict[str, Table] = {}
        with Snapshot(self.source, self.tenant) as snapshot:
            for table in self._tables:
                name = table.name
                sums = fingerprints.take(snapshot, table)
                self._target.create(self._target.fit(table))
                fitting[name] = self._target.fit(table)
                groups[name] = fingerprints.changed(self._sums.get(name, {}), sums)
                written += self._copy_groups(snapshot, fitting[name], groups[name])
                self._sums[name] = sums
                self.report.tables[name] = sum(count for count, _ in sums.values())
        for table in reversed(self._tables):
            for keys in self._arrived.take_gone(table, groups[table.name], self._round):
                self._target.delete(fitting[table.name], keys)
                written += len(keys)
            if (
                self._round == 1
                and self._count(self._target.database, table) > self.report.tables[table.name]
            ):
                written += self._delete_surplus(table)
        self.report.copied += written
        return written

    def _copy_groups(self, snapshot: Snapshot, table: Table, groups: set[Group]) -> int:
        if not groups:
            return 0
        written = done = 0
        named = groups if len(groups) <= fingerprints.MOST and self._round > 1 else None
        for places, rows in fingerprints.rows_of(snapshot, table, named):
            if table.name == "tenants":
                self._put_status(table, rows)
            written += self._put(table, rows)
            self._arrived.add(table, places, rows, self._round)
            done += len(rows)
            self._progress(table.name, done)
        return written

    def _put(self, table: Table, rows: list[Row]) -> int:
        try:
            self._target.check(table, rows)
        except ValueError as exc:
            raise TransferError(f"the target cannot hold a row: {exc}", table=table.name) from exc

        def put() -> int:
            missing, differing = self._target.compare(table, rows)
            self._target.insert(table, missing)
            self._target.update(table, differing)
            return len(missing) + len(differing)

        return self._target.database.run_unit(put)

    def _put_status(self, table: Table, rows: list[Row]) -> None:
        place = [column.name for column in table.columns].index("status")
        for row in rows:
            row[place] = self._status

    def _delete_surplus(self, table: Table) -> int:
        """Delete rows of the target that an earlier move left there and the source has no more."""
        here, there = Target(self.source, self.tenant), self._target
        fitting = here.fit(table)
        surplus: list[Row] = []
        with Snapshot(there.database, self.tenant) as snapshot:
            for rows in snapshot.batches(there.fit(table)):
                surplus += here.compare(fitting, rows)[0]
        for start in range(0, len(surplus), 500):
            keys = [[row[place] for place in table.places] for row in surplus[start : start + 500]]
            there.delete(there.fit(table), keys)
        return len(surplus)

    def _require_equal(self) -> None:
        for table in self._tables:
            found = self._count(self._target.database, table)
            if found != (wanted := self.report.tables[table.name]):
                raise TransferError(
                    f"the source has {wanted} rows in {table.name!r} and the target {found}: is somebody "
                    "writing past MaimDB?",
                    table=table.name,
                )

    def _count(self, database: Engine, table: Table) -> int:
        where, values = self._owned(database, table)
        mark = database.quote[0]
        sql = f"SELECT COUNT(*) FROM {quoted(table.name, mark)} WHERE {where}"
        return int(database.execute_sql(sql, values).fetchone()[0])

    def _owned(self, database: Engine, table: Table) -> tuple[str, list[Any]]:
        mark = database.quote[0]
        agents: list[str] = []
        if table.owner == "agent_id":
            sql = f"SELECT id FROM agents WHERE tenant_id = {database.param}"
            agents = [row[0] for row in database.execute_sql(sql, (self.tenant,)).fetchall()]
        return owned(table, self.tenant, agents, database.param, mark)

    def _wait_for_writers(self) -> None:
        """Wait until no transaction is open that began to write before the pause."""
        engine, connection = self.source.config.engine, self.source.connection()
        mark = self.source.quote[0]
        names = [quoted(table.name, mark) for table in self._tables]
        statements = {
            "sqlite": ["BEGIN IMMEDIATE", "COMMIT"],
            "postgresql": ["BEGIN", f"LOCK TABLE {', '.join(names)} IN SHARE MODE", "COMMIT"],
            "mysql": [f"LOCK TABLES {', '.join(f'{name} READ' for name in names)}", "UNLOCK TABLES"],
        }[engine]
        with contextlib.closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)
        self.source.close()

    def _delete(self) -> None:
        mark = self._mark()
        with Snapshot(self.source, self.tenant) as snapshot:
            self._sums = {table.name: fingerprints.take(snapshot, table) for table in self._tables}
        if mark is None or fingerprints.digest(self._sums_of_rows()) != mark[2]:
            raise TransferError(
                f"rows of tenant {self.tenant!r} were changed here after it was moved to "
                f"{self._target.database.config.url}; nothing was deleted: bring them there first"
            )
        quote = self.source.quote[0]

        def delete() -> None:
            for table in reversed(self._tables):
                where, values = self._owned(self.source, table)
                self.source.execute_sql(f"DELETE FROM {quoted(table.name, quote)} WHERE {where}", values)
            self._forget(self.source)

        self.source.run_unit(delete)
        self.report.deleted = True

    def _sums_of_rows(self) -> dict[str, Sums]:
        """Return the sums without the tenant's own row, whose status the move changes."""
        return {name: sums for name, sums in self._sums.items() if name != "tenants"}

    # What the source remembers of the move.

    def _mark(self) -> tuple[str, str, str | None] | None:
        sql = f"SELECT target, status, digest FROM {MOVES} WHERE tenant_id = {self.source.param}"
        row = self.source.execute_sql(sql, (self.tenant,)).fetchone()
        return (row[0], row[1], row[2]) if row else None

    def _remember(self, digest: str | None) -> None:
        param, database = self.source.param, self.source
        self._forget(database)
        database.execute_sql(
            f"INSERT INTO {MOVES} VALUES ({', '.join([param] * 5)})",
            (
                self.tenant,
                self._target.database.config.url,
                self._status,
                digest,
                datetime.now(UTC).isoformat(timespec="seconds"),
            ),
        )

    def _forget(self, database: Engine) -> None:
        database.execute_sql(f"DELETE FROM {MOVES} WHERE tenant_id = {database.param}", (self.tenant,))

    def _current_status(self) -> str:
        sql = f"SELECT status FROM tenants WHERE id = {self.source.param}"
        return str(self.source.execute_sql(sql, (self.tenant,)).fetchone()[0])

    def _set_status(self, status: str) -> None:
        param = self.source.param
        self.source.execute_sql(
            f"UPDATE tenants SET status = {param} WHERE id = {param}", (status, self.tenant)
        )


def _create_moves(database: Engine) -> None:
    operations = operations_for(database)
    if not operations.has_table(MOVES):
        operations.create_table(
            MOVES,
            "tenant_id VARCHAR(50) NOT NULL PRIMARY KEY, target VARCHAR(1000) NOT NULL, "
            "status VARCHAR(20) NOT NULL, digest VARCHAR(64), moved_at VARCHAR(40) NOT NULL",
        )
