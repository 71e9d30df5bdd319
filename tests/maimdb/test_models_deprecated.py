"""The models of the first control plane, on a database that it made."""

import subprocess
import sys
import uuid
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from maimdb import (
    ALL_MODELS,
    OldAgent,
    OldApiKey,
    OldTenant,
    ScopeError,
    User,
    close_database,
    init_database,
    tenant_scope,
)

OLD = [OldTenant, User, OldAgent, OldApiKey]


@pytest.fixture
def database(sql_url: str) -> Iterator[Any]:
    database = init_database(sql_url)
    database.create_tables(OLD)
    yield database
    close_database()


def test_importing_them_does_not_warn():
    code = (
        "from maimdb import OldTenant, OldAgent, OldApiKey, User; from maimdb.core.models.deprecated import *"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_they_are_not_among_all_models():
    assert not set(OLD) & set(ALL_MODELS)


def test_rows_of_the_first_version_are_read_and_written(database):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tenant = OldTenant.create(name="t")
        user = User.create(username="u", email="e", password_hash="h", tenant=tenant)
        agent = OldAgent.create(name="a", user=user, tenant=tenant)
        OldApiKey.create(key_hash="k", name="n", agent=agent)
        key = OldApiKey.select().join(OldAgent).where(OldAgent.tenant == tenant).get()
        assert (key.agent.user.username, key.agent.model_type) == ("u", "gpt-3.5-turbo")
        assert OldTenant.get_by_id(tenant.id).max_users == 10


@pytest.mark.parametrize(
    "use",
    [
        lambda: OldTenant(name="x"),
        OldAgent.select,
        lambda: OldApiKey.get_or_none(OldApiKey.id == uuid.uuid4()),
        lambda: User.update(full_name="x").execute(),
        lambda: User.delete().execute(),
        lambda: OldTenant.insert(name="x").execute(),
        lambda: OldTenant.insert_many([{"name": "x"}]).execute(),
    ],
)
def test_using_them_warns(database, use):
    with pytest.warns(DeprecationWarning, match="is deprecated: use"):
        use()


def test_a_tenants_scope_confines_them(database):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        mine, theirs = (OldTenant.create(name=name) for name in "ab")
        with tenant_scope(mine.id.hex):
            assert [row.name for row in OldTenant.select()] == ["a"]
            assert User.select().count() == 0
            with pytest.raises(ScopeError):
                list(OldApiKey.raw("select * from api_keys"))
        assert theirs.name == "b"
