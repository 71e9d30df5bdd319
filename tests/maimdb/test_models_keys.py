"""API keys and active states."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from maimdb import (
    ALL_MODELS,
    AgentActiveState,
    ApiKey,
    ApiKeyStatus,
    DuplicateError,
    ValidationError,
    close_database,
    db_manager,
    init_database,
    system_scope,
)
from maimdb.core.models.fields import utc_now

from tests.maimdb.rows import assistant, company


@pytest.fixture
def database(sql_url: str) -> Iterator[Any]:
    database = init_database(sql_url)
    db_manager.create_tables(ALL_MODELS)
    yield database
    close_database()


# API keys.


def test_key_text_is_shown_once_and_never_stored(database):
    key = ApiKey.create(tenant_id=(tenant := company()).id, agent_id=assistant(tenant).id)
    text = key.api_key
    assert len(text) > 40
    assert text not in repr(key)
    assert text not in json.dumps({name: str(value) for name, value in key.__data__.items()})
    read = ApiKey.get_by_id(key.id)
    assert read.api_key is None
    with system_scope(reason="test"):
        row = database.execute_sql("SELECT * FROM api_keys").fetchone()
    assert not any(text in str(value) for value in row)


def test_key_is_found_by_its_text(database):
    key = ApiKey.create(tenant_id=(tenant := company()).id, agent_id=assistant(tenant).id)
    assert ApiKey.verify(key.api_key) == key
    assert ApiKey.verify(key.api_key + "x") is None
    assert ApiKey.verify("") is None


def test_callers_own_key_text_verifies_later(database):
    agent = assistant(company())
    own = "mmc_dGVuYW50OmFnZW50OmtleQ=="
    key = ApiKey.create(tenant_id=agent.tenant_id, agent_id=agent.id, api_key=own, name="mine")
    assert key.api_key == own
    assert ApiKey.verify(own) == key
    with pytest.raises(DuplicateError):
        ApiKey.create(tenant_id=agent.tenant_id, agent_id=agent.id, api_key=own)
    with pytest.raises(ValidationError, match="api_key is empty"):
        ApiKey.create(tenant_id=agent.tenant_id, agent_id=agent.id, api_key=" ")


def test_key_that_is_over_or_disabled_opens_nothing(database):
    agent = assistant(company())
    past, future = utc_now() - dt.timedelta(seconds=1), utc_now() + dt.timedelta(hours=1)
    for values, opens in (
        ({"expires_at": past}, False),
        ({"expires_at": past.replace(tzinfo=None)}, False),
        ({"expires_at": future}, True),
        ({"status": ApiKeyStatus.DISABLED}, False),
        ({}, True),
    ):
        key = ApiKey.create(tenant_id=agent.tenant_id, agent_id=agent.id, **values)
        assert (ApiKey.verify(key.api_key) is not None) == key.is_active == opens


def test_permissions_are_read_and_written(database):
    agent = assistant(company())
    key = ApiKey.create(tenant_id=agent.tenant_id, agent_id=agent.id)
    assert key.get_permissions() == []
    key.set_permissions(["chat", "config_read"])
    key.save()
    read = ApiKey.get_by_id(key.id)
    assert read.has_permission("chat")
    assert not read.has_permission("admin")
    read.permissions = '{"chat": true}'
    with pytest.raises(ValidationError, match="holds no list"):
        read.get_permissions()


# Active states.


def test_active_state_ends_after_its_time(database):
    agent = assistant(company())
    state = AgentActiveState.create(tenant_id=agent.tenant_id, agent_id=agent.id, ttl_seconds=60)
    assert state.expires_at - state.last_seen_at == dt.timedelta(seconds=60)
    assert state.is_active
    with pytest.raises(DuplicateError):
        AgentActiveState.create(tenant_id=agent.tenant_id, agent_id=agent.id)
    state.expires_at = utc_now() - dt.timedelta(seconds=1)
    assert state.save() == 1
    (read,) = AgentActiveState.select()
    assert not read.is_active
