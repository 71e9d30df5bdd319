"""The tenant scope: one truth for threads, tasks, executors and generators."""

import asyncio
import contextvars
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Thread

import pytest
from maimdb import (
    CrossTenantError,
    ScopeError,
    carry,
    current_scope,
    current_tenant,
    system_scope,
    tenant_scope,
)


def test_without_a_scope_the_scope_is_standalone():
    assert current_scope().standalone
    assert current_tenant() is None


def test_tenant_scope_ends_with_its_block():
    with tenant_scope("tenant_a"):
        assert current_tenant() == "tenant_a"
    assert current_scope().standalone


def test_tenant_scope_ends_with_an_exception():
    with suppress(KeyError), tenant_scope("tenant_a"):
        raise KeyError
    assert current_scope().standalone


def test_tenant_scope_nests_into_the_same_tenant():
    with tenant_scope("tenant_a"), tenant_scope("tenant_a"):
        assert current_tenant() == "tenant_a"


def test_tenant_scope_refuses_to_nest_into_another():
    with tenant_scope("tenant_a"):
        with pytest.raises(CrossTenantError) as refused, tenant_scope("tenant_b"):
            pass
        assert current_tenant() == "tenant_a"
    assert (refused.value.tenant, refused.value.other) == ("tenant_a", "tenant_b")


@pytest.mark.parametrize("tenant_id", ["", " ", None, 7, "a b", "a\0b", "a\n", "x" * 51])
def test_tenant_scope_refuses_what_is_no_id(tenant_id):
    with pytest.raises(ScopeError, match="is no tenant id"):
        tenant_scope(tenant_id)


def test_tenant_scope_object_may_be_entered_again_and_shared():
    scope = tenant_scope("tenant_a")

    def enter() -> str | None:
        with scope, scope:
            return current_tenant()

    with ThreadPoolExecutor(8) as pool:
        assert {pool.submit(enter).result() for _ in range(50)} == {"tenant_a"}
    assert enter() == "tenant_a"
    assert current_scope().standalone


def test_system_scope_crosses_and_is_written_to_the_audit_log(caplog):
    with caplog.at_level(logging.INFO, "maimdb.audit"), tenant_scope("tenant_a"):
        with system_scope(reason="billing run"):
            assert current_scope().system
            with tenant_scope("tenant_b"):
                assert current_tenant() == "tenant_b"
        assert current_tenant() == "tenant_a"
    (record,) = caplog.records
    assert record.getMessage() == "system scope opened from tenant tenant_a: billing run"
    assert (record.reason, record.tenant, record.funcName) == (
        "billing run",
        "tenant_a",
        "test_system_scope_crosses_and_is_written_to_the_audit_log",
    )


@pytest.mark.parametrize("reason", ["", "  ", None])
def test_system_scope_needs_a_reason(reason):
    with pytest.raises(ScopeError, match="needs a reason"):
        system_scope(reason=reason)


def test_scopes_closed_out_of_order_raise():
    first, second = tenant_scope("tenant_a"), system_scope(reason="test")

    def run() -> None:
        first.__enter__()
        second.__enter__()
        first.__exit__()

    with pytest.raises(ScopeError, match="another order"):
        contextvars.copy_context().run(run)


def test_generator_that_opens_a_scope_is_refused():
    def leaky() -> Iterator[int]:
        with tenant_scope("tenant_a"):
            yield 1

    with pytest.raises(ScopeError, match=r"leaky\(\) would leak"):
        next(leaky())
    assert current_scope().standalone


def test_async_generator_that_opens_a_scope_is_refused():
    async def leaky():
        async with tenant_scope("tenant_a"):
            yield 1

    async def run() -> None:
        with pytest.raises(ScopeError, match="would leak"):
            await anext(leaky())

    asyncio.run(run())


def test_generator_sees_the_scope_of_who_iterates_it():
    def tenants() -> Iterator[str | None]:
        while True:
            yield current_tenant()

    items = tenants()
    with tenant_scope("tenant_a"):
        assert next(items) == "tenant_a"
    with tenant_scope("tenant_b"):
        assert next(items) == "tenant_b"
    assert next(items) is None


def test_context_manager_may_open_a_scope():
    @contextmanager
    def request() -> Iterator[None]:
        with tenant_scope("tenant_a"):
            yield

    with request():
        assert current_tenant() == "tenant_a"
    assert current_scope().standalone


@pytest.fixture
def _scoped():
    with tenant_scope("tenant_f"):
        yield


@pytest.mark.usefixtures("_scoped")
def test_fixture_may_open_a_scope():
    assert current_tenant() == "tenant_f"


def test_async_with_opens_the_scope():
    async def run() -> str | None:
        async with tenant_scope("tenant_a"):
            await asyncio.sleep(0)
            return current_tenant()

    assert asyncio.run(run()) == "tenant_a"


def test_task_keeps_the_scope_that_it_was_started_in():
    async def run() -> list[str | None]:
        async def later(gate: asyncio.Event) -> str | None:
            await gate.wait()
            return current_tenant()

        gate = asyncio.Event()
        tasks = []
        for tenant in ("tenant_a", "tenant_b"):
            with tenant_scope(tenant):
                tasks.append(asyncio.create_task(later(gate)))
        tasks.append(asyncio.create_task(later(gate)))
        gate.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == ["tenant_a", "tenant_b", None]


def test_to_thread_and_copied_contexts_inherit():
    async def run() -> str | None:
        with tenant_scope("tenant_a"):
            return await asyncio.to_thread(current_tenant)

    assert asyncio.run(run()) == "tenant_a"
    with tenant_scope("tenant_b"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(contextvars.copy_context().run, current_tenant).result() == "tenant_b"


def test_bare_thread_starts_standalone():
    """Never in the scope of whoever happened to start it, or of what the thread did before."""
    seen = []
    with tenant_scope("tenant_a"):
        thread = Thread(target=lambda: seen.append(current_tenant()))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(current_tenant).result())
    assert seen == [None, None]


def test_carry_takes_the_scope_to_an_executor():
    """Earlier versions kept the tenant in a thread-local and lost it in executors."""

    async def run() -> str | None:
        with tenant_scope("tenant_a"):
            return await asyncio.get_running_loop().run_in_executor(None, carry(current_tenant))

    assert asyncio.run(run()) == "tenant_a"
    with ThreadPoolExecutor(1) as pool:
        with tenant_scope("tenant_b"):
            carried = carry(current_tenant)
        assert [pool.submit(carried).result(), pool.submit(current_tenant).result()] == ["tenant_b", None]
