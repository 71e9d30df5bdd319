"""The settings from the environment and from `.env` files; the only reader of either."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from mimiod.errors import ConfigurationError

LOCAL_URI = "mongodb://localhost:27017"
"Where a MongoDB server is looked for when `MONGODB_URI` names none."


@dataclass(frozen=True)
class Settings:
    """What the environment says."""

    home: Path
    "The folder with `projects/` and `data/`."
    data_dir: Path
    "Where the embedded server keeps its files: `MIMIOD_DATA_DIR`, or `data/` in the home."
    mongodb_uri: str | None
    "`MONGODB_URI`, None where it is unset or empty."
    server_cache: str
    "`MIMIOD_SERVER_CACHE`: memory for the embedded server's cache, such as 512M."
    openai_api_key: str | None = field(default=None, repr=False)
    "`OPENAI_API_KEY`, None where it is unset or empty: then no language model is asked."
    openai_endpoint: str = "https://api.openai.com/v1"
    "`OPENAI_ENDPOINT`: the base address of a service that speaks OpenAI's chat completions."
    openai_model: str = "gpt-4o-mini"
    "`OPENAI_MODEL`."


def load_settings(project: Path | None = None) -> Settings:
    """Return the settings as seen from the current folder, for a project if one is given.

    A variable of the environment wins over the project's `.env`, that over the current folder's, and
    that over the home's. An empty variable counts as unset. The environment itself is never changed.
    """
    here = Path.cwd()
    home = find_home(here)
    values: dict[str, str] = {}
    for folder in dict.fromkeys((home, here, (project or here).resolve())):
        file = folder / ".env"
        if file.is_file():
            values |= {name: value for name, value in _read(file).items() if value}
    values |= {name: value for name, value in os.environ.items() if value}
    return Settings(
        home=home,
        data_dir=home / Path(values.get("MIMIOD_DATA_DIR", "data")).expanduser(),
        mongodb_uri=values.get("MONGODB_URI"),
        server_cache=values.get("MIMIOD_SERVER_CACHE", "512M"),
        openai_api_key=values.get("OPENAI_API_KEY"),
        openai_endpoint=values.get("OPENAI_ENDPOINT", Settings.openai_endpoint),
        openai_model=values.get("OPENAI_MODEL", Settings.openai_model),
    )


def find_home(start: Path) -> Path:
    """Return the nearest folder at or above `start` that holds `projects/`, else `start` itself."""
    return next((folder for folder in (start, *start.parents) if (folder / "projects").is_dir()), start)


def environment_without_secrets() -> dict[str, str]:
    """Return the environment for a process that has no business with the user's credentials."""
    secret = ("MONGODB_", "OPENAI_", "DATABASE_", "DB_")
    return {name: value for name, value in os.environ.items() if not name.startswith(secret)}


def _read(file: Path) -> dict[str, str | None]:
    try:
        return dotenv_values(file, interpolate=False)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{file} cannot be read: {exc}") from exc
