"""A tenant with rows in every table, and everything that a database holds of its tenants."""

import datetime as dt
from typing import Any

from hypothesis import strategies as st
from maimdb import (
    ALL_MODELS,
    Agent,
    AgentActiveState,
    ApiKey,
    ChatHistory,
    ChatLogs,
    FileUpload,
    SystemMetrics,
    Tenant,
    UserSession,
    close_database,
    get_database,
    init_database,
    system_scope,
    tenant_scope,
)

AUDIT = {"audit_events", "audit_head"}
TEXTS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20
) | st.sampled_from(
    ["", "🦊" * 3, "'\"\\\n\r\t\x01\x7f", "\ufeff\u202e\U0010ffff", "x" * 70_000, "null", "\\N", "%s %% ?"]
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([1e308, -1e-300, 0.1 + 0.2, -0.0])
FIRST, LAST = dt.datetime.fromisoformat("1000-01-01"), dt.datetime.fromisoformat("9999-12-31 23:59:59")
EDGES = ["1000-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1970-01-01 00:00:00"]
MOMENTS = st.datetimes(FIRST, LAST, timezones=st.just(dt.UTC)) | st.sampled_from(
    [dt.datetime.fromisoformat(f"{text}+00:00") for text in EDGES]
)
LONGS = st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(st.tuples(TEXTS, FLOATS, MOMENTS, LONGS), min_size=1, max_size=8)


def fill(rows: list[Any], name: str = "One") -> str:
    """Make a tenant with two agents and rows of these values in every table; return its id."""
    with get_database().atomic():
        return _fill(rows, name)


def _fill(rows: list[Any], name: str) -> str:
    tenant = Tenant.create(tenant_name=name, description=rows[0][0], tenant_config='{"a": 1}')
    first, second = (Agent.create(tenant_id=tenant.id, name=n) for n in "ab")
    ApiKey.create(tenant_id=tenant.id, agent_id=first.id, permissions='["chat"]')
    with tenant_scope(tenant.id):
        AgentActiveState.create(agent_id=second.id)
        for number, (text, ratio, moment, size) in enumerate(rows):
            common = {"agent_id": (first.id, second.id, None)[number % 3], "created_at": moment}
            ChatHistory.create(session_id="s", user_message=text, agent_response="", user_id=None, **common)
            ChatLogs.create(
                session_id="s", request_type="t", request_content=text, status_code=-(2**31),
                token_count=None, response_time=ratio, **common,
            )  # fmt: skip
            FileUpload.create(
                original_filename="f", stored_filename="", file_path=text, file_size=size, mime_type="m",
                file_hash="h", is_public=bool(number % 2), expires_at=moment, **common,
            )  # fmt: skip
            UserSession.create(session_id=f"s{number}", last_activity=moment, is_active=False, **common)
            SystemMetrics.create(metric_name="m", metric_value=ratio, tags='{"🦊": []}', **common)
    return str(tenant.id)


def contents(url: str, tenant: str) -> dict[str, list[dict[str, Any]]]:
    """Return a tenant's rows of every model as the models read them."""
    init_database(url)
    found = {}
    with system_scope(reason="test"):
        for model in ALL_MODELS:
            meta: Any = model._meta
            if meta.table_name not in AUDIT:
                owner = model.id if model is Tenant else model.tenant_id
                rows = [row.__data__ for row in model.select().where(owner == tenant)]
                found[meta.table_name] = sorted(rows, key=repr)
    close_database()
    return found
