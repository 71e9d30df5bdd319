"""MySQL and MariaDB."""

from __future__ import annotations

import math
import re
import ssl
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import peewee

try:
    import pymysql
except ImportError:  # a service on SQLite or PostgreSQL may leave it out
    pymysql = None  # type: ignore[assignment]
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

if TYPE_CHECKING:
    from maimdb.core.config import DatabaseConfig


_SESSION: Final = re.compile(r"@|get_lock|sql_calc_found_rows|last_insert_id\s*\(.", re.IGNORECASE)


@lru_cache(maxsize=4096)
def _touches_session(sql: str) -> bool:
    return _SESSION.search(sql) is not None


class MysqlEngine(Engine, peewee.MySQLDatabase):
    """MySQL 8 or later, or MariaDB 10.5 or later, which it tells apart when it connects."""

    _MODES = (
        "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION"
    )
    _REFUSED = frozenset({1044, 1045, 1130, 1251, 1698, 1862})
    _SILENT = frozenset({1053, 1077, 1078, 1079, 2002, 2003, 2006, 2013, 2055})
    _LOST = frozenset({0, 1053, 1927, 2006, 2013, 2055, 3169, 4031})
    _COM_RESET_CONNECTION = 0x1F
    _FOUND_ROWS = 2
    """The client flag for counting the rows that an UPDATE matched, not those it changed, as others do."""

    def __init__(self, config: DatabaseConfig) -> None:
        params: dict[str, Any] = {
            "user": config.user,
            "read_timeout": None,
            "client_flag": self._FOUND_ROWS,
            **config.options,
        }
        if config.host.startswith("/"):
            params["unix_socket"] = config.host
        else:
            params |= {"host": config.host, "port": config.port}
        super().__init__(config.database, **params)
        self._start(config)

    @property
    def engine_name(self) -> str:
        """`mysql`, or `mariadb` once a connection has told."""
        return "mariadb" if self.mariadb else "mysql"

    def _set_server_version(self, connection: Any) -> None:
        self.mariadb = "maria" in str(connection.get_server_info()).lower()
        super()._set_server_version(connection)  # type: ignore[misc]

    def _connect_within(self, timeout: float) -> Any:
        if pymysql is None:
            raise missing_driver(self.config.source, "pymysql")
        params = {"connect_timeout": math.ceil(timeout)} | self.connect_params
        password = self.config.password.reveal() if self.config.password else ""
        if not Path(params.get("unix_socket", "/")).exists():  # PyMySQL would leave a socket open
            raise peewee.OperationalError(2002, "no such file or directory")
        connection: Any = pymysql.connect(
            database=self.database, password=password, autocommit=True, defer_connect=True, **params
        )
        # PyMySQL's connect_timeout ends with the TCP handshake; a server that then is silent needs this one.
        connection._read_timeout = min(timeout, params["connect_timeout"])  # noqa: SLF001
        connection.connect()
        try:
            self._set_session(connection)
        except BaseException:
            hang_up(connection)
            raise
        connection._read_timeout = params["read_timeout"]  # noqa: SLF001
        return connection

    def _set_session(self, connection: Any) -> None:
        zone = "+00:00" if self.config.timezone.upper() == "UTC" else self.config.timezone
        with connection.cursor() as cursor:
            cursor.execute(
                "SET SESSION time_zone = %s, SESSION sql_mode = CONCAT_WS(',', @@GLOBAL.sql_mode, %s)",
                (zone, self._MODES),
            )

    def _explained(self, exc: Exception) -> Exception:
        code = exc.args[0] if exc.args else None
        cause = getattr(orig(exc), "original_exception", None)
        if isinstance(exc, RuntimeError) and "cryptography" in str(exc):
            return missing_driver(self.config.source, "cryptography (or use TLS: ?ssl_ca=…)")
        if code == 1298:  # noqa: PLR2004 - ER_UNKNOWN_TIME_ZONE
            return bad_timezone(self.config.timezone, "the server (are its time zone tables loaded?)")
        if code in self._REFUSED:
            return self._error(errors.AuthenticationError, "refused the user or the password", exc)
        if code == 1049:  # noqa: PLR2004 - ER_BAD_DB_ERROR
            return self._error(errors.UnknownDatabaseError, "has no such database: create it first", exc)
        if code in self._SILENT and not isinstance(cause, ssl.SSLError):
            return self._error(errors.DatabaseUnavailableError, "does not answer", exc)
        return self._error(errors.DatabaseError, "cannot be used", exc)

    def _is_alive(self, connection: Any, idle: float) -> bool:
        if not connection.open:
            return False
        try:
            if idle < TRUSTED_IDLE and is_quiet(connection._sock.fileno()):  # noqa: SLF001
                return True
            connection.ping(reconnect=False)
        except Exception:  # noqa: BLE001 - whatever the driver says, it is not alive
            return False
        return True

    def _reset(self, connection: Any, dirty: bool) -> bool:  # noqa: FBT001 - the pool's signature
        try:
            if not connection.open:
                return False
            if dirty:
                connection._execute_command(self._COM_RESET_CONNECTION, b"")  # noqa: SLF001
                connection._read_ok_packet()  # noqa: SLF001
                connection.set_character_set(connection.charset, connection.collation)
                connection.autocommit(True)  # noqa: FBT003 - PyMySQL's signature
                self._set_session(connection)
            elif connection.server_status & pymysql.constants.SERVER_STATUS.SERVER_STATUS_IN_TRANS:
                connection.rollback()
        except Exception:  # noqa: BLE001 - whatever the driver says, it cannot be used again
            return False
        return True

    def _is_lost(self, exc: peewee.PeeweeException, connection: Any) -> bool:
        return not connection.open or (bool(exc.args) and exc.args[0] in self._LOST)

    def _changes_session(self, sql: str) -> bool:
        return _touches_session(sql)

    def _duplicate(self, exc: peewee.IntegrityError) -> str | None:
        if exc.args[0] != 1062:  # noqa: PLR2004 - ER_DUP_ENTRY
            return None
        found = re.search(r"for key '([^']*)'$", str(exc.args[-1]))
        return found[1] if found else ""
