"""MaimDB in a FastAPI service (`pip install 'maimdb[fastapi]'`).

    app = FastAPI(lifespan=lifespan)
    install(app)

    @app.get("/chats")
    async def chats(key: Annotated[VerifiedKey, Depends(require("chat"))]) -> list[dict[str, Any]]:
        return [...]                # in the scope of the key's tenant

A key comes in `Authorization: Bearer …` or `X-API-Key`, never in a URL, which logs and histories keep. A
stranger's row is not found (404), like one that does not exist.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import peewee

try:
    from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
    from fastapi.responses import JSONResponse
    from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
except ModuleNotFoundError as exc:
    raise ModuleNotFoundError("maimdb.fastapi needs FastAPI: pip install 'maimdb[fastapi]'") from exc

from maimdb.core import api_keys, audit
from maimdb.core.api_keys import VerifiedKey
from maimdb.core.database import close_database, get_database
from maimdb.core.errors import (
    CrossTenantError,
    DatabaseError,
    InvalidKeyError,
    LifecycleError,
    LimitExceededError,
    MaimdbError,
    RateLimitedError,
    TenantSuspendedError,
    ValidationError,
)
from maimdb.core.migrations import migration_status
from maimdb.core.scope import tenant_scope
from maimdb.core.units import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["VerifiedKey", "authenticated", "install", "lifespan", "require"]

READY_WITHIN: Final = 5.0
"""Seconds in which the database has to answer for the service to count as ready."""

_bearer = HTTPBearer(auto_error=False, description="An API key")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Open the configured database when the service starts; when it ends, write what waits and close it.

    Raises:
        ConfigurationError, AuthenticationError, UnknownDatabaseError, DatabaseUnavailableError: the service
            does not start.
    """
    await in_thread(_open)
    try:
        yield
    finally:
        await in_thread(_close)


def _open() -> None:
    with get_database().connection_context():
        pass


def _close() -> None:
    api_keys.close()
    audit.flush()
    close_database()


async def authenticated(
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    header: Annotated[str | None, Depends(_header)],
) -> AsyncIterator[VerifiedKey]:
    """Verify the request's key and do the request in the scope of its tenant.

    A dependency: `Annotated[VerifiedKey, Depends(authenticated)]`. Answers 401 to a request without a key
    that opens something, 429 to one too many.
    """
    text = bearer.credentials if bearer is not None else header
    if text is None:
        raise InvalidKeyError("an API key is needed: Authorization: Bearer … or X-API-Key")
    key = await in_thread(api_keys.verify, text)
    async with tenant_scope(key.tenant_id):
        yield key


def require(*permissions: str) -> Callable[..., Awaitable[VerifiedKey]]:
    """Return a dependency that verifies the request's key, and answers 403 where it lacks a permission."""

    async def allowed(key: Annotated[VerifiedKey, Depends(authenticated)]) -> VerifiedKey:
        missing = [permission for permission in permissions if not key.has(permission)]
        if missing:
            raise HTTPException(403, f"the key lacks the permission {missing[0]!r}")
        return key

    return allowed


def install(app: FastAPI, *, health: bool = True) -> None:
    """Have errors answered with their status and, with `health`, GET /health and /ready.

    /health: the process answers. /ready: the database answers too, and its schema is this version's; or 503.
    """
    for error, answer in _ANSWERS.items():
        app.add_exception_handler(error, answer)
    if health:
        app.include_router(_health)


def _answer(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers)


async def _not_found(_request: Request, _error: Exception) -> JSONResponse:
    return _answer(404, "not found")


async def _unauthorized(_request: Request, error: Exception) -> JSONResponse:
    return _answer(401, str(error) or "the API key opens nothing", {"WWW-Authenticate": "Bearer"})


async def _too_many(_request: Request, error: Exception) -> JSONResponse:
    seconds = math.ceil(getattr(error, "retry_after", 1.0))
    return _answer(429, str(error), {"Retry-After": str(max(1, seconds))})


async def _forbidden(_request: Request, error: Exception) -> JSONResponse:
    return _answer(403, str(error))


async def _conflict(_request: Request, error: Exception) -> JSONResponse:
    ours = isinstance(error, LimitExceededError)
    return _answer(409, str(error) if ours else "it conflicts with what is there")


async def _lifecycle(request: Request, error: Exception) -> JSONResponse:
    if getattr(error, "missing", False):
        return await _not_found(request, error)
    return _answer(409, str(error))


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    return _answer(422, str(error))


async def _unavailable(_request: Request, _error: Exception) -> JSONResponse:
    return _answer(503, "the database does not answer", {"Retry-After": "1"})


_ANSWERS: Final[dict[type[Exception], Any]] = {
    peewee.DoesNotExist: _not_found,
    CrossTenantError: _not_found,
    InvalidKeyError: _unauthorized,
    RateLimitedError: _too_many,
    TenantSuspendedError: _forbidden,
    LimitExceededError: _conflict,
    LifecycleError: _lifecycle,
    peewee.IntegrityError: _conflict,
    ValidationError: _invalid,
    DatabaseError: _unavailable,
}

_health = APIRouter(tags=["health"])


@_health.get("/health")
async def _alive() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "ok"}


@_health.get("/ready")
async def _ready() -> JSONResponse:
    """Tell whether the database answers and its schema is this version's."""
    try:
        behind = await asyncio.wait_for(in_thread(_behind), READY_WITHIN)
    except (MaimdbError, peewee.PeeweeException, TimeoutError):
        return JSONResponse({"status": "the database does not answer"}, 503)
    if behind:
        return JSONResponse({"status": "the schema is not this version's: run `maimdb migrate`"}, 503)
    return JSONResponse({"status": "ready"})


def _behind() -> bool:
    return any(version.state != "applied" for version in migration_status(get_database()))
