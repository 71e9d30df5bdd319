"""The choice of the server that a command talks to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mimiod import embedded, mongo
from mimiod.errors import AccessDeniedError, MimiodError
from mimiod.settings import LOCAL_URI

if TYPE_CHECKING:
    from mimiod.settings import Settings

LOCAL_ANSWERS_WITHIN = 1.0


@dataclass(frozen=True)
class Chosen:
    """A server, and what is to be said about the choice."""

    uri: str
    embedded: embedded.EmbeddedServer | None = None


def choose(settings: Settings, uri: str | None = None) -> Chosen:
    """Return the server to talk to.

    The one that is named, by `uri` or `MONGODB_URI`, and never another in its place; with none named
    the one on localhost:27017, and with none there the embedded one, started if need be.
    """
    named = uri or settings.mongodb_uri
    if named:
        return Chosen(named)
    try:
        mongo.connect(LOCAL_URI, answer_within=LOCAL_ANSWERS_WITHIN).close()
    except AccessDeniedError:
        return Chosen(LOCAL_URI)
    except MimiodError:
        server = embedded.start(settings.data_dir, cache=settings.server_cache)
        return Chosen(server.uri, server)
    return Chosen(LOCAL_URI)
