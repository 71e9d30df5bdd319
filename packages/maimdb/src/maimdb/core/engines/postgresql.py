"""PostgreSQL."""

from __future__ import annotations

import contextlib
import math
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

import peewee

from maimdb.core import errors
from maimdb.core.engines.base import (
    TRUSTED_IDLE,
    Engine,
    bad_timezone,
    hang_up,
    is_quiet,
    missing_driver,
    orig,
)
from maimdb.core.identifiers import quick_uuid

if TYPE_CHECKING:
    import uuid

    from maimdb.core.config import DatabaseConfig

# What libpq says, or a server that starts or stops. Only what surely means that nobody serves counts as that.
_REFUSED: Final = (
    r"authentication failed|no password supplied|pg_hba\.conf|permission denied for database|"
    r'role ".*" does not exist'
)
_SILENT: Final = (
    r"connection refused|could not translate host name|timeout expired|timed out|no route to host|"
    r"is unreachable|host is down|no such file or directory|server closed the connection|connection reset|"
    r"starting up|shutting down|administrator command|recovery mode|not yet accepting"
)
_ANSWERS: Final = (
    (_REFUSED, errors.AuthenticationError, "refused the user or the password"),
    (r'database ".*" does not exist', errors.UnknownDatabaseError, "has no such database: create it first"),
    (r"ssl|certificate", errors.DatabaseError, "cannot be used"),
    (_SILENT, errors.DatabaseUnavailableError, "does not answer"),
)


_SESSION: Final = re.compile(r"set_config|advisory_lock|dblink|setseed", re.IGNORECASE)


def _read_uuids_fast(connection: Any) -> None:
    """Let a connection hand out UUIDs made in a third of the time that psycopg2's own take."""
    try:
        from psycopg2.extensions import new_type, register_type  # noqa: PLC0415 - it may be missing
    except ImportError as exc:  # and psycopg 3, which Peewee would take in its place, be there
        raise peewee.ImproperlyConfigured("psycopg2 is not installed") from exc
    register_type(new_type((_UUID_OID,), "UUID", _uuid), connection)


def _uuid(text: Any, _cursor: object) -> uuid.UUID | None:
    return None if text is None else quick_uuid(text.replace("-", ""))


_UUID_OID: Final = 2950


@lru_cache(maxsize=4096)
def _touches_session(sql: str) -> bool:
    return _SESSION.search(sql) is not None


class PostgresqlEngine(Engine, peewee.PostgresqlDatabase):
    """PostgreSQL 10 or later, through psycopg2."""

    _DEFAULTS: ClassVar[dict[str, Any]] = {
        "application_name": "maimdb",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    # Functions that a SELECT may call and that outlive the transaction.

    def __init__(self, config: DatabaseConfig) -> None:
        params: dict[str, Any] = {"host": config.host, "port": config.port, "user": config.user}
        super().__init__(
            config.database, **{k: v for k, v in params.items() if v}, **self._DEFAULTS | config.options
        )
        self._start(config)

    def _connect_within(self, timeout: float) -> Any:
        adapter: Any = self._adapter  # type: ignore[attr-defined]
        adapter.check_driver()
        params = {"connect_timeout": math.ceil(timeout)} | self.connect_params
        if self.config.password is not None:
            params["password"] = self.config.password.reveal()
        connection = adapter.connect(self, **params)
        connection.autocommit = True
        try:
            self._set_session(connection)
            _read_uuids_fast(connection)
        except BaseException:
            hang_up(connection)
            raise
        return connection

    def _set_session(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('TimeZone', %s, false)", (self.config.timezone,))

    def _explained(self, exc: Exception) -> Exception:
        if isinstance(exc, peewee.ImproperlyConfigured):
            return missing_driver(self.config.source, "psycopg2-binary")
        said = str(exc).lower()
        if "time zone" in said or "timezone" in said:
            return bad_timezone(self.config.timezone, "PostgreSQL")
        for pattern, kind, what in _ANSWERS:
            if re.search(pattern, said):
                return self._error(kind, what, exc)
        return self._error(errors.DatabaseError, "cannot be used", exc)

    def _is_alive(self, connection: Any, idle: float) -> bool:
        if connection.closed:
            return False
        try:
            if idle < TRUSTED_IDLE and is_quiet(connection.fileno()):
                return True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except Exception:  # noqa: BLE001 - whatever the driver says, it is not alive
            return False
        return True

    def _reset(self, connection: Any, dirty: bool) -> bool:  # noqa: FBT001 - the pool's signature
        try:
            if not self._adapter.is_connection_reusable(connection):  # type: ignore[attr-defined]
                return False
            if dirty:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute("DISCARD ALL")
                self._set_session(connection)
        except Exception:  # noqa: BLE001 - whatever the driver says, it cannot be used again
            return False
        return True

    def _is_lost(self, exc: peewee.PeeweeException, connection: Any) -> bool:
        code = getattr(orig(exc), "pgcode", None) or ""
        return bool(connection.closed) or code[:2] == "08" or code in {"57P01", "57P02", "57P03"}

    def _changes_session(self, sql: str) -> bool:
        return _touches_session(sql)

    def _duplicate(self, exc: peewee.IntegrityError) -> str | None:
        if getattr(orig(exc), "pgcode", None) != "23505":
            return None
        return orig(exc).diag.constraint_name or ""

    def _version(self) -> str | None:
        return (
            f"{self.server_version // 10000}.{self.server_version % 10000}" if self.server_version else None
        )

    def _transaction_id(self) -> Any:
        # Below the gate: this is not the borrower's statement.
        return self._execute_cursor(
            "SELECT txid_current_if_assigned(), pg_postmaster_start_time()", ()
        ).fetchone()

    def _outcome(self, transaction_id: Any) -> bool | None:
        if transaction_id is None:
            return None
        number, started = transaction_id
        if number is None:
            return False  # it wrote nothing: doing it again is harmless
        deadline = time.monotonic() + self.config.connection_timeout
        while time.monotonic() < deadline:
            status, now_started = self._transaction_status(number, deadline)
            if status == "aborted":
                return False
            if status == "committed":
                # A server that crashed may have forgotten the number and given it to another transaction.
                return True if started == now_started else None
            time.sleep(0.05)
        return None

    def _transaction_status(self, number: int, deadline: float) -> tuple[str | None, Any]:
        """Ask over a connection of its own; None: the server does not tell yet."""
        try:
            connection = self._dial(max(deadline - time.monotonic(), 1))
        except errors.DatabaseError:
            return None, None
        with contextlib.closing(connection):
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT txid_status(%s), pg_postmaster_start_time()", (number,))
                    return cursor.fetchone()  # type: ignore[no-any-return]
            except Exception as exc:  # noqa: BLE001 - a driver's error
                # It crashed before it had written anything of the transaction.
                return ("aborted" if "in the future" in str(exc) else None), None
