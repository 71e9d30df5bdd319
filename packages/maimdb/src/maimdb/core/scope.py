"""Whose rows a statement may reach: one ContextVar, read by the gate.

There are three scopes.

* The tenant scope, `with tenant_scope(tenant_id):`. Every guarded table is confined to that tenant,
  `tenants` itself to the row of that id. It nests only into itself.
* The system scope, `with system_scope(reason=…):`, reaches every row. It is the only way across tenants
  and is written to the log `maimdb.audit` and to the table `audit_events`. A tenant scope may be opened
  inside it (a job that goes through tenants), even that of a suspended tenant.
* The standalone scope: none was opened. Business tables show only the rows that carry no tenant, never
  anybody's. The control plane (`tenants`, `agents`, `api_keys`, `agent_active_states`) is reachable,
  because a service must find the tenant before it can open that tenant's scope. `database.require_scope =
  True` turns this scope into a NoScopeError for every guarded table.

Tasks, `asyncio.to_thread` and `contextvars.copy_context().run` inherit the scope; a bare thread or
executor starts in the standalone scope unless its function went through `carry()`.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, ParamSpec, Self, TypeVar

from maimdb.core.errors import CrossTenantError, ScopeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

P = ParamSpec("P")
R = TypeVar("R")

ID_LENGTH: Final = 50
"""The longest tenant id, in characters."""

_audit = logging.getLogger("maimdb.audit")
_GENERATOR = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
# These run a generator as the two halves of one `with`, so what it opens is closed by them.
_PAIRING = frozenset({"contextlib", "_pytest.fixtures", "pytest_asyncio.plugin"})


@dataclass(frozen=True, slots=True)
class Scope:
    """What the current code may reach."""

    tenant: str | None = None
    system: bool = False
    reason: str = field(default="", compare=False)
    outer: Scope | None = field(default=None, compare=False, repr=False)
    """The scope that was current when this one was opened."""
    exempt: bool = field(default=False, compare=False, repr=False)
    """Whether it lies within a system scope, so that a tenant's suspension does not count."""

    @property
    def standalone(self) -> bool:
        """Whether no scope was opened."""
        return self.tenant is None and not self.system


STANDALONE: Final = Scope()
_current: ContextVar[Scope] = ContextVar("maimdb.scope", default=STANDALONE)

current_scope: Final = _current.get

on_crossing: Final[list[Callable[[str, str | None], object]]] = []
"""Called with the reason and the tenant that is left whenever a system scope is opened."""


def current_tenant() -> str | None:
    """Return the tenant of the current scope; None in the standalone and the system scope."""
    return _current.get().tenant


class _Opened:
    """A scope that `with` or `async with` opens; holds no state, so it may be shared and entered again."""

    __slots__ = ("_reason", "_system", "_tenant")

    def __init__(self, tenant: str | None, *, reason: str = "", system: bool = False) -> None:
        self._tenant = tenant
        self._system = system
        self._reason = reason

    def __enter__(self) -> Self:
        _refuse_generator()
        outer = _current.get()
        self._admit(outer)
        exempt = outer.system or outer.exempt
        _current.set(Scope(self._tenant, self._system, self._reason, outer, exempt))
        return self

    def __exit__(self, *_: object) -> None:
        scope = _current.get()
        if scope.outer is None or (scope.tenant, scope.system) != (self._tenant, self._system):
            raise ScopeError("scopes were closed in another order than they were opened", tenant=scope.tenant)
        _current.set(scope.outer)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def _admit(self, outer: Scope) -> None:
        """Raise unless this scope may be opened inside that one."""


class tenant_scope(_Opened):  # noqa: N801 - it reads as a statement
    """Confines what it encloses to one tenant's rows.

    Raises:
        ScopeError: the id is empty, too long or holds blanks or control characters.
        CrossTenantError: on entering, when another tenant's scope is open.
    """

    __slots__ = ()

    def __init__(self, tenant_id: str) -> None:
        if (
            not isinstance(tenant_id, str)
            or not 0 < len(tenant_id) <= ID_LENGTH
            or not tenant_id.isprintable()
            or " " in tenant_id
        ):
            raise ScopeError(
                f"{tenant_id!r} is no tenant id: pass the id of a row of `tenants`; rows without a tenant "
                "are reached with no scope at all"
            )
        # A subclass of str, such as an enumeration's member, is no parameter that every driver takes.
        super().__init__(str.__str__(tenant_id))

    def _admit(self, outer: Scope) -> None:
        if outer.tenant is not None and outer.tenant != self._tenant:
            raise CrossTenantError(
                f"tenant {self._tenant!r} inside the scope of tenant {outer.tenant!r}: leave that scope "
                "first, or cross with system_scope(reason=…)",
                tenant=outer.tenant,
                other=self._tenant,
            )


class system_scope(_Opened):  # noqa: N801 - it reads as a statement
    """Reaches every tenant's rows, for the reason that the audit log receives."""

    __slots__ = ()

    def __init__(self, *, reason: str) -> None:
        if not isinstance(reason, str) or not reason.strip():
            raise ScopeError("system_scope needs a reason: it is written to the audit log")
        super().__init__(None, reason=reason, system=True)

    def _admit(self, outer: Scope) -> None:
        _audit.info(
            "system scope opened from %s: %s",
            f"tenant {outer.tenant}" if outer.tenant else "system" if outer.system else "no scope",
            self._reason,
            extra={"reason": self._reason, "tenant": outer.tenant},
            stacklevel=3,
        )
        for record in on_crossing:
            record(self._reason, outer.tenant)


class internal_scope(_Opened):  # noqa: N801 - it reads as a statement
    """Reaches every row for MaimDB's own bookkeeping: verifying a key, counting its use, the audit itself.

    It is not recorded, as each request would be; nothing that a caller chooses runs inside it.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None, reason="bookkeeping", system=True)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function so that it runs in the present scope wherever it is called (an executor, a job)."""
    scope = _current.get()

    @functools.wraps(function)
    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        token = _current.set(scope)
        try:
            return function(*args, **kwargs)
        finally:
            _current.reset(token)

    return carried


def _refuse_generator() -> None:
    """Raise in a generator's body: between two items, the scope would be its consumer's."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the only way to the caller's frame
    while frame is not None and frame.f_globals.get("__name__") in {"contextlib", __name__}:
        frame = frame.f_back
    if frame is None or not frame.f_code.co_flags & _GENERATOR:
        return
    driver = frame.f_back
    if driver is None or driver.f_globals.get("__name__") not in _PAIRING:
        raise ScopeError(
            f"a scope opened inside the generator {frame.f_code.co_name}() would leak to whoever iterates "
            "it: open it around the loop, or collect the rows first"
        )
