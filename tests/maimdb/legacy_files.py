"""Files of earlier programs, made from their DDL, with the traps that real ones hold."""

import random
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from maimdb.core.database import open_database
from maimdb.core.legacy import Imported, LegacyImport, Options, open_source
from maimdb.core.settings import config_from_url

DDL = Path(__file__).with_name("legacy")
OLD, NEW, V1 = "maibot_0.7.0", "maibot_0.12.3", "maimdb_v1"
SHANGHAI = ZoneInfo("Asia/Shanghai")
BOT = "10001"
START = 1_700_000_000
_TABLE = re.compile(r'(CREATE TABLE IF NOT EXISTS "\w+" \()(.*?)\);', re.DOTALL)
_EMPTY = {"INTEGER": 0, "REAL": 0.0, "DATETIME": "2024-03-01 08:00:00"}


def ddl(name: str, *, loose: bool = False, shuffled: random.Random | None = None) -> str:
    """Return a file's DDL; a loose one as an upgrade in place leaves it: no NOT NULL, UNIQUE or text type."""
    text = (DDL / f"{name}.sql").read_text()
    if loose:
        text = text.replace("UNIQUE INDEX", "INDEX").replace(" TEXT NOT NULL", "").replace(" NOT NULL", "")
    if shuffled:
        text = _TABLE.sub(lambda found: found[1] + _shuffled(found[2], shuffled) + ");", text)
    return text


def _shuffled(body: str, chance: random.Random) -> str:
    columns = re.split(r", (?=\")", body.partition(", FOREIGN KEY")[0])
    chance.shuffle(columns)
    return ", ".join(columns)


@contextmanager
def written(path: Path, name: str, **options: Any) -> Iterator[sqlite3.Connection]:
    """Make a file of a DDL, and yield the connection that fills it."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(ddl(name, **options))
        yield database
        database.commit()


def insert(database: sqlite3.Connection, table: str, **values: Any) -> int:
    """Insert a row; columns that need a value and are given none get an empty one."""
    for _, column, kind, required, _, key in database.execute(f'PRAGMA table_info("{table}")').fetchall():
        if required and not key and column not in values:
            values[column] = _EMPTY.get(kind, "")
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join("?" * len(values))
    cursor = database.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(values.values()))
    return int(cursor.lastrowid or 0)


def plain(database: sqlite3.Connection, rows: int = 20) -> None:
    """Fill every table of a bot with ordinary rows."""
    for number in range(3):
        insert(
            database,
            "chat_streams",
            stream_id=f"stream{number}",
            create_time=START + number,
            last_active_time=START + 1000.25 + number,
            user_id=f"u{number}",
            group_name="群 😀",
        )
    for number in range(rows):
        message(database, number, time=START + number // 3)
        insert(
            database,
            "llm_usage",
            model_name=f"model{number % 2}",
            request_type="replyer",
            prompt_tokens=number,
            completion_tokens=1,
            total_tokens=number + 1,
            cost=number / 7,
            status="success" if number % 3 else "timeout",
            timestamp=f"2024-03-01 08:00:{number % 60:02}.250000",
        )
    insert(
        database,
        "online_time",
        timestamp="2024-03-01 08:00:00",
        duration=3,
        start_timestamp="2024-03-01 08:00:00",
        end_timestamp="2024-03-01 09:30:00",
    )
    insert(
        database,
        "emoji",
        full_path="/data/emoji/a.png",
        format="png",
        emoji_hash="ab" * 16,
        record_time=START,
    )
    insert(database, "images", path="C:\\images\\b.jpeg", emoji_hash="ab" * 16, timestamp=START)
    insert(database, "person_info", person_id="p", nickname="名" * 400)


def message(database: sqlite3.Connection, number: int, **values: Any) -> int:
    """Insert a message, every fourth the bot's."""
    plain = {
        "message_id": f"m{number}",
        "time": START + number,
        "chat_id": f"stream{number % 3}",
        "user_id": BOT if number % 4 == 3 else f"u{number % 3}",
        "processed_plain_text": f"text 文 {number}",
    }
    return insert(database, "messages", **{**plain, **values})


def modern(database: sqlite3.Connection) -> None:
    """Fill what 0.7 had not."""
    insert(database, "jargon", content="word", chat_id='[["stream0", 3]]', count=2)
    insert(database, "expression", situation="s", style="t", chat_id="stream0", last_active_time=START)
    insert(database, "chat_history", chat_id="stream0", original_text="summary", start_time=START)
    for number in range(5):
        insert(
            database,
            "action_records",
            action_id=f"a{number}",
            time=START + number,
            action_name="reply",
            action_data='{"target": "名"}',
            action_done=number % 2,
            action_prompt_display="replied",
            chat_id="stream0" if number else "elsewhere",
        )


def control_plane(database: sqlite3.Connection, agents: int = 3, rows: int = 6) -> None:
    """Fill a file of MaimDB's first version: two tenants, each with its agents, and these with rows."""
    times = {"created_at": "2023-05-01 10:00:00", "updated_at": "2023-05-02 10:00:00"}
    for tenant in ("t1", "t2"):
        insert(database, "tenants", id=tenant, name=f"Tenant {tenant}", is_active=tenant == "t1", **times)
        user = f"user-{tenant}"
        insert(
            database, "users", id=user, username=user, email=f"{user}@x", password_hash="h", tenant_id=tenant
        )
        for number in range(agents):
            agent = f"{tenant}-agent{number}"
            config = '{"persona": "calm"}' if number else "{broken"
            owner = {"user_id": user, "tenant_id": tenant}
            insert(
                database,
                "agents",
                id=agent,
                name=f"Agent {number}",
                config=config,
                is_active=1,
                **owner,
                **times,
            )
            insert(
                database, "api_keys", id=f"key-{agent}", key_hash=f"hash-{agent}", name="k", agent_id=agent
            )
            for row in range(rows):
                _turn(database, agent, row)


def _turn(database: sqlite3.Connection, agent: str, row: int) -> None:
    common = {
        "agent_id": agent,
        "user_id": "somebody",
        "metadata": ('{"a": 1}', "{broken", None)[row % 3],
        "created_at": f"2023-06-01 10:00:{row:02}",
    }
    key = f"{agent}-{row}"
    insert(
        database,
        "chat_history",
        **common,
        id=f"h{key}",
        session_id=key,
        user_message=f"ask {row}",
        assistant_message=f"答 {row}",
        message_type="text",
    )
    insert(
        database,
        "chat_logs",
        **common,
        id=f"l{key}",
        session_id=key,
        request_type="chat",
        request_content="q",
        response_content="a",
        status_code=200,
        token_count=row * 10,
    )
    insert(
        database,
        "file_uploads",
        **common,
        id=f"f{key}",
        file_path="/f" * 300,
        file_hash=f"{row}",
        file_size=9,
    )
    insert(
        database, "user_sessions", **common, id=f"s{key}", session_id=key, last_activity="2023-06-01 11:00:00"
    )
    metric = {name: common[name] for name in ("agent_id", "created_at")}
    insert(database, "system_metrics", **metric, id=f"x{key}", metric_name=f"m{row}", metric_value=row / 3)


def load(
    path: Path, url: str, *, agent: str = "bot", batch: int = 2000, report: Any = None, **options: Any
) -> Imported:
    """Import a file into the database of a URL."""
    given = Options(
        **{
            "tenant": "me",
            "agent": agent,
            "accounts": frozenset({BOT}),
            "timezone": "Asia/Shanghai",
            **options,
        }
    )
    database = open_database(config_from_url(url))
    try:
        with open_source(path) as source:
            return LegacyImport(source, database, given, ZoneInfo(given.timezone)).run(report, batch=batch)
    finally:
        database.close_all()
