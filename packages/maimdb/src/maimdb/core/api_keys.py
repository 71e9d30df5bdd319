"""API keys: issued once, verified at each request, rotated and revoked.

    issued = issue(tenant.id, agent.id, ["chat"], name="web")   # issued.text is shown this once
    key = verify(issued.text)                                   # InvalidKeyError: it opens nothing
    key.has("chat")

A key that was verified is believed for half a second, then asked of the database again: what is revoked,
suspended or changed, by whatever program, takes effect everywhere within a second. A wrong key is never
remembered. Uses are counted in the process and written by a thread in batches; `flush()` writes them now.

Rate limits are requests a minute, counted in each process: a key's own `rate_limit` or, from the tenant's
configuration, `key_requests_per_minute`; and `requests_per_minute` for all of a tenant's keys together.
"""

from __future__ import annotations

import datetime as dt
import hmac
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import peewee

from maimdb.core import audit, key_text
from maimdb.core.database import get_database, on_close
from maimdb.core.errors import InvalidKeyError, LifecycleError
from maimdb.core.key_usage import Limits, Uses
from maimdb.core.models.fields import utc_now
from maimdb.core.models.system_v2 import ApiKey, ApiKeyStatus
from maimdb.core.scope import current_tenant, internal_scope
from maimdb.core.standing import access_of

if TYPE_CHECKING:
    from collections.abc import Iterable

SECONDS: Final = 0.5
"""How long a verified key is believed, and how long a use waits to be written."""
KEY_LIMIT: Final = "key_requests_per_minute"
TENANT_LIMIT: Final = "requests_per_minute"
"""The keys of `tenant_config` that limit requests."""
_REMEMBERED: Final = 10_000
_NOBODYS: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class VerifiedKey:
    """A key that opens something now."""

    key_id: str
    tenant_id: str
    agent_id: str
    permissions: frozenset[str]

    def has(self, permission: str) -> bool:
        """Return whether the key has a permission."""
        return permission in self.permissions


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key that was just made: the only time that its text is known."""

    key_id: str
    tenant_id: str
    agent_id: str
    permissions: frozenset[str]
    expires_at: dt.datetime | None
    text: str = field(repr=False)
    """What the caller sends with each request."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A verified key, and how long and how often it may be used."""

    key: VerifiedKey
    until: float
    expires_at: dt.datetime | None
    limits: tuple[tuple[str, float], ...]
    """Names of buckets and requests a minute."""


_known: dict[str, _Known] = {}
"""By the hash of a key's text."""
_limits = Limits()
_uses = Uses(SECONDS)


def verify(text: str, *, tenant_id: str | None = None, agent_id: str | None = None) -> VerifiedKey:
    """Return what a key opens; its use is counted.

    Inside a tenant's scope, or with `tenant_id` or `agent_id`, only that tenant's and agent's keys pass.

    Raises:
        InvalidKeyError: it opens nothing; why is not said.
        RateLimitedError: the key or its tenant has made too many requests.
    """
    peppers = key_text.peppers(warn=True)
    usable = isinstance(text, str) and len(text) <= key_text.LONGEST
    parsed = key_text.parse(text if usable else "")
    hashed = key_text.digest(text if usable else "")[0]  # always, so that a wrong key takes as long
    if not parsed.known:
        raise InvalidKeyError
    known = _known.get(hashed)
    if known is None or known.until < time.monotonic():
        known = _look_up(text, parsed.key_id, hashed, peppers[0].name)
    now = utc_now()
    if known is None or (known.expires_at is not None and known.expires_at <= now):
        raise InvalidKeyError
    key = known.key
    for wanted, actual in (
        (tenant_id, key.tenant_id),
        (current_tenant(), key.tenant_id),
        (agent_id, key.agent_id),
    ):
        if wanted is not None and wanted != actual:
            raise InvalidKeyError
    if known.limits:
        _limits.take(known.limits)
    _uses.add(key.key_id, now)
    return key


def _look_up(text: str, key_id: str, hashed: str, pepper: str) -> _Known | None:
    started = time.monotonic()
    database = get_database()
    hashes = key_text.digests(text)
    marks = ", ".join([database.param] * len(hashes))
    sql = (
        "SELECT k.key_hash, k.pepper, k.id, k.tenant_id, k.agent_id, k.permissions, k.status, k.expires_at, "  # noqa: S608
        "k.rate_limit, t.status, t.tenant_config, a.status FROM api_keys k "
        "JOIN tenants t ON t.id = k.tenant_id "
        "JOIN agents a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id "
        f"WHERE k.id = {database.param} OR k.key_hash IN ({marks})"
    )
    with internal_scope():
        rows = database.execute_sql(sql, (key_id, *hashes.values())).fetchall()
    found = None
    for row in rows or [(_NOBODYS, "", *[None] * 10)]:
        if hmac.compare_digest(row[0], hashes.get(row[1], _NOBODYS)) and row[2]:
            found = row
    if found is None:
        _known.pop(hashed, None)
        return None
    known = _admitted(found, started + SECONDS)
    if known is None:
        _known.pop(hashed, None)
        return None
    if found[1] != pepper:
        _uses.rehash(found[2], found[0], (hashed, pepper))
    if len(_known) >= _REMEMBERED:
        _known.clear()
    _known[hashed] = known
    return known


def _admitted(row: tuple[Any, ...], until: float) -> _Known | None:
    """Return what a row opens; None: the key, its agent or its tenant may do nothing."""
    key_id, tenant_id, agent_id, permissions, status, expires_at, limit, tenant_status, config, agent = row[
        2:
    ]
    archived = tenant_status == "inactive"
    if status != "active" or agent != "active" or archived or not access_of(tenant_status, config):
        return None
    key = VerifiedKey(key_id, tenant_id, agent_id, _permissions(permissions))
    settings = _object(config)
    limits = (
        (f"key {key_id}", limit if limit is not None else settings.get(KEY_LIMIT)),
        (f"tenant {tenant_id}", settings.get(TENANT_LIMIT)),
    )
    given = tuple((name, float(most)) for name, most in limits if isinstance(most, int | float))
    return _Known(key, until, ApiKey.expires_at.python_value(expires_at), given)


def _permissions(text: str | None) -> frozenset[str]:
    found: Any = None
    with suppress(ValueError):
        found = json.loads(text or "[]")
    return (
        frozenset(item for item in found if isinstance(item, str)) if isinstance(found, list) else frozenset()
    )


def _object(text: str | None) -> dict[str, Any]:
    found: Any = None
    with suppress(ValueError):
        found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


def issue(
    tenant_id: str,
    agent_id: str,
    permissions: Iterable[str] = (),
    name: str = "",
    *,
    expires_at: dt.datetime | None = None,
    description: str | None = None,
    rate_limit: int | None = None,
) -> IssuedKey:
    """Make a key; its text is known now and never again.

    Raises:
        LifecycleError: the tenant has no such agent.
        LimitExceededError: the tenant has as many keys as its configuration allows.
    """
    key_text.peppers(warn=True)
    key = ApiKey(
        tenant_id=tenant_id,
        agent_id=agent_id,
        name=name,
        description=description,
        expires_at=expires_at,
        rate_limit=rate_limit,
    )
    key.set_permissions(list(permissions))
    return _insert(key)


def _insert(key: ApiKey) -> IssuedKey:
    try:
        key.save(force_insert=True)
    except peewee.IntegrityError as exc:
        if "foreign key" not in str(exc).lower():
            raise
        raise LifecycleError(
            f"tenant {key.tenant_id!r} has no agent {key.agent_id!r}: create it first", missing=True
        ) from exc
    expires_at = ApiKey.expires_at.python_value(key.expires_at)
    granted = frozenset(key.get_permissions())
    return IssuedKey(key.id, key.tenant_id, key.agent_id, granted, expires_at, str(key.api_key))


def rotate(key_id: str, overlap: dt.timedelta = dt.timedelta()) -> IssuedKey:
    """Make a key that takes another's place: same agent, permissions, limits and expiry, never a later one.

    The old key works for the time of the overlap, if it does not expire before.

    Raises:
        LifecycleError: there is no such key, or it opens nothing any more.
    """

    def replace() -> IssuedKey:
        old = _locked(key_id)
        if not old.is_active:
            raise LifecycleError(f"key {key_id!r} is {old.status} or over: issue a new one instead")
        kept = ("tenant_id", "agent_id", "name", "description", "permissions", "expires_at", "rate_limit")
        new = ApiKey(**{name: getattr(old, name) for name in kept})
        end = utc_now() + overlap
        expires_at = ApiKey.expires_at.python_value(old.expires_at)
        if overlap <= dt.timedelta():
            old.status = ApiKeyStatus.DISABLED.value
        elif expires_at is None or end < expires_at:
            old.expires_at = end
        old.save(only=[ApiKey.status, ApiKey.expires_at])
        new.replaces = key_id
        return _insert(new)

    issued = get_database().run_unit(replace)
    _forget_key(key_id)
    return issued


def revoke(key_id: str) -> None:
    """Disable a key; within a second it opens nothing anywhere.

    Raises:
        LifecycleError: there is no such key.
    """

    def disable() -> None:
        key = _locked(key_id)
        key.status = ApiKeyStatus.DISABLED.value
        key.save(only=[ApiKey.status])
        audit.record("key.revoked", key_id, tenant_id=key.tenant_id)

    get_database().run_unit(disable)
    _forget_key(key_id)


def _locked(key_id: str) -> ApiKey:
    query = ApiKey.select().where(ApiKey.id == key_id)
    if not isinstance(get_database(), peewee.SqliteDatabase):
        query = query.for_update()
    key: ApiKey | None = query.get_or_none()
    if key is None:
        raise LifecycleError(
            f"there is no key {key_id!r}: `maimdb keys list` shows those there are", missing=True
        )
    return key


def _forget_key(key_id: str) -> None:
    for hashed, known in list(_known.items()):
        if known.key.key_id == key_id:
            _known.pop(hashed, None)


def forget_tenant(tenant_id: str) -> None:
    """Ask anew about every key of a tenant."""
    for hashed, known in list(_known.items()):
        if known.key.tenant_id == tenant_id:
            _known.pop(hashed, None)


def flush() -> None:
    """Write the uses that were counted, now."""
    _uses.bookkeeper.flush()


def close() -> None:
    """Write the uses that were counted, and forget what is believed of keys and limits."""
    _uses.bookkeeper.try_flush()
    _forget()


def _forget() -> None:
    _known.clear()
    _limits.clear()
    key_text.forget_peppers()


on_close.append(_forget)
