"""Tasks and the database: units of work, cancellation, scopes, and a loop that goes on."""

import asyncio
import threading
import time

import pytest
from maimdb import (
    ALL_MODELS,
    Agent,
    ChatHistory,
    DuplicateError,
    Tenant,
    close_database,
    current_tenant,
    get_database,
    init_database,
    tenant_scope,
)
from maimdb.core.errors import UnitError
from maimdb.core.units import in_thread, run_unit, unit

from tests.maimdb.rows import assistant, company


@pytest.fixture
def database(sql_url):
    database = init_database(sql_url)
    database.create_tables(ALL_MODELS)
    yield database
    close_database()


def names() -> set[str]:
    return {tenant.tenant_name for tenant in Tenant.select()}


async def add(name: str) -> Tenant:
    return await in_thread(company, name)


def test_a_unit_is_one_transaction(database):
    async def work() -> set[str]:
        async with unit():
            await add("One")
            await add("Two")
            return await asyncio.to_thread(names)  # another connection sees nothing of it yet

    assert asyncio.run(work()) == set()
    assert names() == {"One", "Two"}


def test_an_error_undoes_the_unit(database):
    async def work() -> None:
        async with unit():
            await add("One")
            await add("One")

    with pytest.raises(DuplicateError):
        asyncio.run(work())
    assert names() == set()


def test_a_unit_inside_a_unit_is_undone_by_itself(database):
    async def work() -> None:
        async with unit():
            await add("Kept")
            with pytest.raises(RuntimeError, match="enough"):
                await undone()
            await add("Kept, too")

    async def undone() -> None:
        async with unit():
            await add("Undone")
            raise RuntimeError("enough")

    asyncio.run(work())
    assert names() == {"Kept", "Kept, too"}


def test_cancellation_undoes_the_unit(database):
    async def work(written: asyncio.Event) -> None:
        async with unit():
            await add("Cancelled")
            written.set()
            await asyncio.Event().wait()

    async def cancel() -> None:
        for _ in range(database.config.max_connections + 5):  # a connection that stayed away would be missed
            written = asyncio.Event()
            task = asyncio.create_task(work(written))
            await written.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await add("After")

    asyncio.run(cancel())
    assert names() == {"After"}


def test_cancellation_in_the_midst_of_a_statement_waits_for_it_and_undoes_it(database):
    began, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        company("Slow")
        began.set()
        assert go_on.wait(30)
        company("Slower")

    async def work() -> None:
        async with unit():
            await in_thread(slow)

    async def cancel() -> None:
        task = asyncio.create_task(work())
        await asyncio.to_thread(began.wait, 30)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert names() == set()


def test_tasks_started_inside_take_part_and_not_after_its_end(database):
    async def late(over: asyncio.Event) -> None:
        await over.wait()
        await add("Late")

    async def work() -> None:
        over = asyncio.Event()
        async with unit():
            await asyncio.gather(*(add(f"Tenant {number}") for number in range(10)))
            straggler = asyncio.create_task(late(over))
            assert await asyncio.to_thread(names) == set()
        over.set()
        with pytest.raises(UnitError, match="is over"):
            await straggler

    asyncio.run(work())
    assert names() == {f"Tenant {number}" for number in range(10)}


def test_a_task_opens_no_unit_inside_anothers(database):
    async def own() -> None:
        async with unit():
            await add("Own")

    async def work() -> None:
        async with unit():
            with pytest.raises(UnitError, match="another task's"):
                await asyncio.create_task(own())

    asyncio.run(work())


def test_a_unit_is_entered_once(database):
    async def work() -> None:
        once = unit()
        async with once:
            pass
        with pytest.raises(UnitError, match="entered once"):
            async with once:
                pass

    asyncio.run(work())


def test_a_unit_that_is_thrown_away_is_undone(database):
    loop = asyncio.new_event_loop()

    async def start() -> None:
        forgotten = unit()
        await forgotten.__aenter__()
        await add("Forgotten")

    loop.run_until_complete(start())  # no end of the unit: as if the process's loop had been stopped
    loop.close()
    for thread in threading.enumerate():
        if thread.name == "maimdb-unit":
            thread.join(30)
            assert not thread.is_alive()
    assert names() == set()


def test_a_whole_function_is_one_unit_and_one_hop(database):
    threads = set()

    def open_account(name: str) -> str:
        threads.add(threading.get_ident())
        assert get_database().in_transaction()
        tenant = company(name)
        assistant(tenant)
        return tenant.id

    tenant_id = asyncio.run(run_unit(open_account, "One"))
    assert Agent.get().tenant_id == tenant_id
    assert threading.get_ident() not in threads


def test_each_task_has_the_scope_that_it_opened(database):
    tenants = [company(f"Tenant {number}").id for number in range(10)]

    async def work(number: int) -> None:
        mine = tenants[number % len(tenants)]
        async with tenant_scope(mine):
            await in_thread(
                ChatHistory.create, session_id=str(number), user_message="Hello", agent_response="Hi"
            )
            await asyncio.sleep(0)
            seen = await in_thread(lambda: [row.tenant_id for row in ChatHistory.select()])
            assert set(seen) == {mine}
            async with unit():
                assert await in_thread(current_tenant) == mine
                assert {row.tenant_id for row in await in_thread(list, ChatHistory.select())} == {mine}

    async def crowd() -> None:
        await asyncio.gather(*(work(number) for number in range(200)))
        assert await in_thread(current_tenant) is None

    asyncio.run(crowd())


def test_the_loop_goes_on_while_the_database_is_busy(database):
    """No statement runs in the loop's thread, and none holds it up while it takes its time."""
    statements: set[int] = set()

    def watched(*_: object, **__: object) -> None:
        statements.add(threading.get_ident())

    def busy() -> float:
        with database.atomic():
            company("Busy")
            time.sleep(0.3)  # what a slow server does: the thread waits for it, nothing else
        return time.perf_counter()

    async def tick(gaps: list[float]) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            gaps.append(time.thread_time() - before)

    async def work() -> list[float]:
        gaps: list[float] = []
        ticking = asyncio.create_task(tick(gaps))
        database.query_hooks.append(watched)
        async with unit():
            await in_thread(busy)
            await in_thread(names)
        ticking.cancel()
        return gaps

    gaps = asyncio.run(work())
    assert statements
    assert threading.get_ident() not in statements
    assert len(gaps) > 20
    assert max(gaps) < 0.005
