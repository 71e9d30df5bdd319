"""The frozen configuration of a database, parsed from its URL. Reads no environment and opens nothing."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal, cast
from urllib.parse import parse_qsl, quote, unquote
from zoneinfo import ZoneInfo

from maimdb.core.errors import ConfigurationError

EngineName = Literal["sqlite", "postgresql", "mysql"]
FallbackPolicy = Literal["sqlite", "error"]

DEFAULT_PATH: Final = "data/MaiBot.db"
FALLBACK_PATH: Final = "data/MaiBot.fallback.db"
PEPPER_LENGTH: Final = 16
"""The fewest characters of a secret that API keys are hashed with."""
DEFAULT_PORTS: Final[dict[EngineName, int]] = {"postgresql": 5432, "mysql": 3306}

SCHEMES: Final[dict[str, EngineName]] = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mysql+pymysql": "mysql",
    "mariadb": "mysql",
}

_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}
# What a URL may ask of a driver after the question mark, and the type that the driver wants.
# `sslpassword` and `password` are left out on purpose: a secret has one place, before the @.
_OPTIONS: Final[dict[EngineName, dict[str, type]]] = {
    "sqlite": {"timeout": float},
    "postgresql": {
        "application_name": str,
        "channel_binding": str,
        "connect_timeout": int,
        "gssencmode": str,
        "host": str,
        "keepalives": int,
        "keepalives_count": int,
        "keepalives_idle": int,
        "keepalives_interval": int,
        "options": str,
        "passfile": str,
        "port": int,
        "ssl_min_protocol_version": str,
        "sslcert": str,
        "sslcrl": str,
        "sslkey": str,
        "sslmode": str,
        "sslrootcert": str,
        "target_session_attrs": str,
        "tcp_user_timeout": int,
    },
    "mysql": {
        "charset": str,
        "collation": str,
        "connect_timeout": int,
        "read_timeout": int,
        "ssl_ca": str,
        "ssl_cert": str,
        "ssl_disabled": bool,
        "ssl_key": str,
        "ssl_verify_cert": bool,
        "ssl_verify_identity": bool,
        "unix_socket": str,
        "write_timeout": int,
    },
}
_EXAMPLES: Final = "postgresql://user:password@host:5432/name, mysql://… or sqlite:///data/custom.db"
_ENCODE: Final = "characters such as / ? % in a user or password must be percent-encoded"


class Secret:
    """A text that prints as asterisks; `reveal()` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str | tuple[Any, ...]:
        msg = "a Secret is not pickled"
        raise TypeError(msg)

    def __deepcopy__(self, memo: object) -> Secret:
        return self


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseConfig:
    """Where the database is and how to use it."""

    engine: EngineName
    database: str
    """The server's database name, or SQLite's file as given; `:memory:` is this process's alone."""
    host: str = ""
    """Name, address, or (PostgreSQL, MySQL) the absolute path of a socket."""
    port: int | None = None
    user: str | None = None
    password: Secret | None = None
    options: dict[str, Any] = field(default_factory=dict, hash=False)
    """Driver parameters from the URL's query."""
    max_connections: int = 20
    connection_timeout: float = 30.0
    """Seconds to wait for a free connection, a server's answer or SQLite's write lock."""
    timezone: str = "UTC"
    """The session's time zone: what `now()` in raw SQL shows. Models store and return UTC whatever it is."""
    fallback: FallbackPolicy = "sqlite"
    """What to do at start when the server does not answer."""
    fallback_path: str = FALLBACK_PATH
    """The SQLite file that takes over; apart from the default one, so that replay knows its rows."""
    source: str = "DATABASE_URL"
    """The variable or parameter to name in an error."""

    def __post_init__(self) -> None:
        if self.max_connections < 1:
            raise ConfigurationError(
                f"DB_MAX_CONNECTIONS is {self.max_connections}: use a whole number of at least 1",
                variable="DB_MAX_CONNECTIONS",
            )
        if not 0 < self.connection_timeout <= timedelta(days=1).total_seconds():
            raise ConfigurationError(
                f"DB_CONNECTION_TIMEOUT is {self.connection_timeout:g}: use seconds between 0 and 86400",
                variable="DB_CONNECTION_TIMEOUT",
            )
        if self.fallback not in ("sqlite", "error"):
            raise ConfigurationError(
                f"DB_FALLBACK is {self.fallback!r}: use 'sqlite' or 'error'", variable="DB_FALLBACK"
            )
        _check_timezone(self.timezone)

    @classmethod
    def from_url(cls, url: str, *, source: str = "DATABASE_URL", **settings: Any) -> DatabaseConfig:
        """Parse a URL; `settings` are further fields of the configuration.

        Raises:
            ConfigurationError: naming `source`, never the URL itself.
        """
        return cls(**_parse(url, source), source=source, **settings)

    @property
    def url(self) -> str:
        """The database's URL, its password masked, its options left out."""
        if self.engine == "sqlite":
            return f"sqlite:///{self.database}"
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        user = quote(self.user, safe="") if self.user is not None else ""
        at = f"{user}{':***' if self.password is not None else ''}@" if user or self.password else ""
        port = f":{self.port}" if self.port else ""
        return f"{self.engine}://{at}{host}{port}/{quote(self.database, safe='')}"

    def masked(self, text: str) -> str:
        """Return the text without the password, should a driver have put it in."""
        secret = self.password.reveal() if self.password else ""
        return text.replace(secret, "***") if len(secret) > 3 else text  # noqa: PLR2004 - "a" is in every word

    def __repr__(self) -> str:
        return f"DatabaseConfig({self.url!r})"


def _check_timezone(name: str) -> None:
    if name.upper() == "UTC":  # known without the tzdata that Windows lacks
        return
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as exc:  # ZoneInfoNotFoundError is a KeyError
        raise ConfigurationError(
            f"DB_TIMEZONE is {name!r}, which is no time zone: use a name such as 'UTC' or 'Asia/Shanghai'",
            variable="DB_TIMEZONE",
        ) from exc


def _parse(url: str, source: str) -> dict[str, Any]:
    """Split a URL by hand: urllib's errors quote the URL, and it stumbles over @, # and [ in passwords."""

    def refuse(why: str) -> ConfigurationError:
        return ConfigurationError(f"{source} {why}", variable=source)

    scheme, separator, rest = url.strip().partition("://")
    if not separator:
        raise refuse(f"is not a URL: write {_EXAMPLES}")
    engine = SCHEMES.get(scheme.lower())
    if engine is None:
        shown = repr(scheme) if re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,30}", scheme) else "there"
        raise refuse(f"has an unknown scheme {shown}: use one of {', '.join(SCHEMES)}")
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    if "\0" in unquote(rest):
        raise refuse("holds a NUL character: remove it")
    if engine == "sqlite":
        if authority or not slash or not path:
            raise refuse(
                "needs three slashes for a relative file (sqlite:///data/custom.db), four for an absolute one"
            )
        return {
            "engine": engine,
            "database": _decoded(path, refuse),
            "options": _options(engine, query, refuse),
        }

    userinfo, at, hostport = authority.rpartition("@")
    user, colon, password = userinfo.partition(":")
    host, port = _host_and_port(hostport, refuse)
    name = _decoded(path, refuse)
    if not name or "@" in path or "/" in path:
        raise refuse(f"names no database: write {engine}://user:password@host/name ({_ENCODE})")
    # Last: were the question mark part of a password, an error above has said so without showing it.
    options = _options(engine, query, refuse)
    host = options.pop("host", host) or options.get("unix_socket", "")
    if not host:
        raise refuse(f"names no host: write {engine}://user:password@host/name")
    return {
        "engine": engine,
        "database": name,
        "host": host,
        "port": options.pop("port", port) or DEFAULT_PORTS[engine],
        "user": _decoded(user, refuse) if at and user else None,
        "password": Secret(_decoded(password, refuse)) if colon else None,
        "options": options,
    }


def _host_and_port(text: str, refuse: Any) -> tuple[str, int | None]:
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise refuse("has an IPv6 address without its closing bracket: write [::1]:5432")
        port = port[1:]
    else:
        host, _, port = text.partition(":")
    if not port:
        return _decoded(host, refuse), None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):  # noqa: PLR2004 - the ports there are
        raise refuse(f"has a port that is no number from 1 to 65535 ({_ENCODE})")
    return _decoded(host, refuse), int(port)


def _decoded(text: str, refuse: Any) -> str:
    with suppress(UnicodeDecodeError):  # raised in its handler, the error would carry the text as its context
        return unquote(text, errors="strict")
    raise refuse("has percent-encoded bytes that are not UTF-8")


def _options(engine: EngineName, query: str, refuse: Any) -> dict[str, Any]:
    known = _OPTIONS[engine]
    options: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            shown = repr(name) if re.fullmatch(r"[A-Za-z_-]{1,30}", name) else "there"
            raise refuse(
                f"has an unknown parameter {shown} after the question mark: "
                f"{engine} takes {', '.join(known)} ({_ENCODE})"
            )
        kind = known[name]
        try:
            options[name] = _FLAGS[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError):
            wanted = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
            raise refuse(f"has a parameter {name} that is not {wanted}") from None
    if cast("str", options.get("charset", "utf8mb4")).lower() != "utf8mb4":
        raise refuse("asks for a charset other than utf8mb4, which cannot hold every character: leave it out")
    return options
