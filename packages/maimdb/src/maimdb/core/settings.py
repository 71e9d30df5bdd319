"""The settings: the only reader of the environment and of the `.env` file of the working directory.

| Variable | Meaning | Default |
|---|---|---|
| DATABASE_URL | the whole connection string; overrides the rest of the target | none |
| DATABASE_HOST, _PORT, _NAME, _USER, _PASSWORD | a server by its parts | none |
| DB_HOST, _PORT, _NAME, _USER, _PASSWORD | the same, legacy; a DATABASE_* name wins | none |
| DB_TYPE | `postgresql`, `mysql`, `mariadb`: a server by its parts | port 3306: `mysql`, else `postgresql` |
| DB_MAX_CONNECTIONS | the pool's size | 20 |
| DB_CONNECTION_TIMEOUT | seconds | 30 |
| DB_TIMEZONE | the session's time zone | UTC |
| DB_FALLBACK | `sqlite` or `error`: when the configured server does not answer at start | sqlite |
| MAIMDB_KEY_PEPPER | secrets that API keys are hashed with, the newest first, by commas | a known one |

An empty variable counts as unset. The environment wins over `.env`, variable by variable; the environment
itself is never changed. With no target at all the database is SQLite at `data/MaiBot.db`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from maimdb.core.config import (
    DEFAULT_PATH,
    DEFAULT_PORTS,
    PEPPER_LENGTH,
    SCHEMES,
    DatabaseConfig,
    Secret,
)
from maimdb.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


def load_config(environ: Mapping[str, str] | None = None) -> DatabaseConfig:
    """Return the configuration that the environment and `.env` describe.

    Raises:
        ConfigurationError: naming the variable to correct.
    """
    values = environment() if environ is None else {k: v.strip() for k, v in environ.items() if v.strip()}
    settings = _settings(values)
    if url := values.get("DATABASE_URL"):
        return DatabaseConfig.from_url(url, **settings)
    if any(_either(values, part)[1] for part in ("HOST", "PORT", "NAME")):
        return _from_parts(values, settings)
    return DatabaseConfig("sqlite", DEFAULT_PATH, source="default", **settings)


def config_from_url(url: str) -> DatabaseConfig:
    """Return the configuration of a URL given in code; pool, timeouts and policy are the environment's."""
    return DatabaseConfig.from_url(url, source="the database URL", **_settings(environment()))


def load_peppers() -> tuple[Secret, ...]:
    """Return the secrets that API keys are hashed with, the newest first; none where none is configured.

    Raises:
        ConfigurationError: one is too short to be a secret.
    """
    peppers = tuple(part.strip() for part in environment().get("MAIMDB_KEY_PEPPER", "").split(","))
    if peppers == ("",):
        return ()
    if any(len(pepper) < PEPPER_LENGTH for pepper in peppers):
        raise ConfigurationError(
            f"MAIMDB_KEY_PEPPER holds a secret shorter than {PEPPER_LENGTH} characters: use random ones, "
            'such as `python -c "import secrets; print(secrets.token_hex(32))"` prints, with commas between',
            variable="MAIMDB_KEY_PEPPER",
        )
    return tuple(map(Secret, peppers))


def environment() -> dict[str, str]:
    """Return the variables of `.env` and the environment, without the empty ones.

    A password keeps its spaces; everything else is stripped.
    """
    merged: dict[str, str | None] = {}
    dotenv = Path(".env")
    if dotenv.is_file():
        try:
            merged.update(dotenv_values(dotenv))
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(
                f".env cannot be read ({type(exc).__name__}): make it a readable UTF-8 text file",
                variable=".env",
            ) from None
    merged.update({name: value for name, value in os.environ.items() if value.strip()})
    return {
        name: value if name.endswith("PASSWORD") else value.strip()
        for name, value in merged.items()
        if value and value.strip()
    }


def _settings(values: Mapping[str, str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, setting, kind, wanted in (
        ("DB_MAX_CONNECTIONS", "max_connections", int, "a whole number of at least 1"),
        ("DB_CONNECTION_TIMEOUT", "connection_timeout", float, "seconds between 0 and 86400"),
    ):
        if text := values.get(name):
            try:
                settings[setting] = kind(text)
            except ValueError:
                raise ConfigurationError(f"{name} is {text!r}: use {wanted}", variable=name) from None
    if text := values.get("DB_TIMEZONE"):
        settings["timezone"] = text
    if text := values.get("DB_FALLBACK"):
        settings["fallback"] = text.lower()
    return settings


def _either(values: Mapping[str, str], part: str) -> tuple[str, str]:
    """Return the variable that holds a part of the target, and its value or ''."""
    for name in (f"DATABASE_{part}", f"DB_{part}"):
        if value := values.get(name):
            return name, value
    return f"DATABASE_{part}", ""


def _from_parts(values: Mapping[str, str], settings: dict[str, Any]) -> DatabaseConfig:
    host_variable, host = _either(values, "HOST")
    name_variable, name = _either(values, "NAME")
    port_variable, port_text = _either(values, "PORT")
    if not host or not name:
        missing, present = (host_variable, name_variable) if not host else (name_variable, host_variable)
        present = present if host or name else port_variable
        raise ConfigurationError(
            f"{missing} is not set although {present} is: set both, or DATABASE_URL, or neither for SQLite",
            variable=missing,
        )
    if not port_text:
        port = None
    elif port_text.isascii() and port_text.isdigit() and 0 < int(port_text) < 65536:  # noqa: PLR2004 - ports
        port = int(port_text)
    else:
        raise ConfigurationError(
            f"{port_variable} is {port_text!r}: use a number from 1 to 65535", variable=port_variable
        )
    kind = values.get("DB_TYPE", "mysql" if port == DEFAULT_PORTS["mysql"] else "postgresql").lower()
    engine = SCHEMES.get(kind)
    if engine in (None, "sqlite"):
        raise ConfigurationError(f"DB_TYPE is {kind!r}: use postgresql, mysql or mariadb", variable="DB_TYPE")
    password = _either(values, "PASSWORD")[1]
    return DatabaseConfig(
        engine,
        name,
        host=host.strip("[]"),
        port=port or DEFAULT_PORTS[engine],
        user=_either(values, "USER")[1] or None,
        password=Secret(password) if password else None,
        source=host_variable,
        **settings,
    )
