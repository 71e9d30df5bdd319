import os
import pickle
import traceback

import pytest
from maimdb.core.config import DatabaseConfig
from maimdb.core.database import open_database
from maimdb.core.errors import (
    AuthenticationError,
    ConfigurationError,
    DatabaseError,
    DatabaseUnavailableError,
    MissingDriverError,
    UnknownDatabaseError,
)
from maimdb.core.settings import config_from_url, load_config

SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def _own_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def target(config: DatabaseConfig) -> tuple[object, ...]:
    return config.engine, config.host, config.port, config.user, config.database


def test_nothing_set_means_sqlite_in_the_data_folder():
    config = load_config({})
    assert (config.engine, config.database) == ("sqlite", "data/MaiBot.db")
    assert (
        config.max_connections,
        config.connection_timeout,
        config.timezone,
        config.fallback,
    ) == (20, 30.0, "UTC", "sqlite")


def test_database_url_overrides_the_parts():
    config = load_config({"DATABASE_URL": "mysql://u@h/n", "DATABASE_HOST": "other", "DB_NAME": "other"})
    assert target(config) == ("mysql", "h", 3306, "u", "n")


def test_new_names_win_over_legacy_ones():
    config = load_config(
        {
            "DATABASE_HOST": "new",
            "DB_HOST": "old",
            "DATABASE_NAME": "bot",
            "DB_NAME": "x",
            "DB_USER": "u",
            "DB_PASSWORD": "p w",
        }
    )
    assert target(config) == ("postgresql", "new", 5432, "u", "bot")
    assert config.password.reveal() == "p w"


@pytest.mark.parametrize(
    ("values", "engine", "port"),
    [
        ({}, "postgresql", 5432),
        ({"DB_PORT": "3306"}, "mysql", 3306),
        ({"DB_TYPE": "mysql"}, "mysql", 3306),
        ({"DB_TYPE": "MariaDB", "DB_PORT": "3307"}, "mysql", 3307),
        ({"DB_TYPE": "postgres", "DB_PORT": "3306"}, "postgresql", 3306),
    ],
)
def test_parts_choose_the_engine(values, engine, port):
    config = load_config({"DB_HOST": "h", "DB_NAME": "n", **values})
    assert (engine, port) == (config.engine, config.port)


def test_empty_variables_count_as_unset():
    config = load_config({"DATABASE_URL": " ", "DB_HOST": "", "DB_MAX_CONNECTIONS": ""})
    assert (config.engine, config.max_connections) == ("sqlite", 20)


def test_user_alone_names_no_server():
    assert load_config({"DB_USER": "app", "DB_PASSWORD": SECRET}).engine == "sqlite"


def test_dotenv_is_read_and_the_environment_wins(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("DATABASE_URL='mysql://u:pä@h/n'\nDB_MAX_CONNECTIONS=7\n", "utf-8")
    monkeypatch.setenv("DB_MAX_CONNECTIONS", "9")
    before = dict(os.environ)
    config = load_config()
    assert (config.engine, config.password.reveal(), config.max_connections) == ("mysql", "pä", 9)
    assert before == dict(os.environ)


def test_url_in_code_keeps_the_pool_of_the_environment(monkeypatch):
    monkeypatch.setenv("DB_CONNECTION_TIMEOUT", "2.5")
    assert config_from_url("sqlite:///:memory:").connection_timeout == 2.5


WRONG = {
    "no URL": ({"DATABASE_URL": "localhost/maimbot"}, "DATABASE_URL"),
    "unknown scheme": ({"DATABASE_URL": f"oracle://app:{SECRET}@h/n"}, "DATABASE_URL"),
    "no host": ({"DATABASE_URL": f"postgresql://app:{SECRET}@/n"}, "DATABASE_URL"),
    "no database name": ({"DATABASE_URL": f"postgresql://app:{SECRET}@h"}, "DATABASE_URL"),
    "slash in the password": ({"DATABASE_URL": f"mysql://app:/{SECRET}@h/n"}, "DATABASE_URL"),
    "question mark in it": ({"DATABASE_URL": f"mysql://app:1?{SECRET}@h/n"}, "DATABASE_URL"),
    "port in words": ({"DATABASE_URL": f"mysql://app:{SECRET}@h:http/n"}, "DATABASE_URL"),
    "open bracket": ({"DATABASE_URL": f"mysql://app:{SECRET}@[::1/n"}, "DATABASE_URL"),
    "bytes that are no text": ({"DATABASE_URL": f"mysql://app:%ff{SECRET}@h/n"}, "DATABASE_URL"),
    "NUL": ({"DATABASE_URL": f"mysql://app:%00{SECRET}@h/n"}, "DATABASE_URL"),
    "unknown parameter": ({"DATABASE_URL": f"postgresql://app:{SECRET}@h/n?sslmodus=on"}, "DATABASE_URL"),
    "parameter in words": (
        {"DATABASE_URL": f"postgresql://a:{SECRET}@h/n?connect_timeout=soon"},
        "DATABASE_URL",
    ),
    "narrow charset": ({"DATABASE_URL": f"mysql://app:{SECRET}@h/n?charset=latin1"}, "DATABASE_URL"),
    "two slashes for SQLite": ({"DATABASE_URL": "sqlite://custom.db"}, "DATABASE_URL"),
    "pool of words": ({"DB_MAX_CONNECTIONS": "abc"}, "DB_MAX_CONNECTIONS"),
    "pool of none": ({"DB_MAX_CONNECTIONS": "0"}, "DB_MAX_CONNECTIONS"),
    "timeout in words": ({"DB_CONNECTION_TIMEOUT": "soon"}, "DB_CONNECTION_TIMEOUT"),
    "timeout below zero": ({"DB_CONNECTION_TIMEOUT": "-1"}, "DB_CONNECTION_TIMEOUT"),
    "timeout that is no number": ({"DB_CONNECTION_TIMEOUT": "nan"}, "DB_CONNECTION_TIMEOUT"),
    "unknown time zone": ({"DB_TIMEZONE": "Mars/Olympus"}, "DB_TIMEZONE"),
    "unknown fallback": ({"DB_FALLBACK": "perhaps"}, "DB_FALLBACK"),
    "host without name": ({"DB_HOST": "h", "DB_PASSWORD": SECRET}, "DATABASE_NAME"),
    "name without host": ({"DB_NAME": "n"}, "DATABASE_HOST"),
    "port out of range": ({"DB_HOST": "h", "DB_NAME": "n", "DB_PORT": "99999"}, "DB_PORT"),
    "unknown type": ({"DB_HOST": "h", "DB_NAME": "n", "DB_TYPE": "oracle"}, "DB_TYPE"),
}


@pytest.mark.parametrize(("values", "variable"), WRONG.values(), ids=WRONG)
def test_wrong_configuration_is_one_line_that_names_the_variable(values, variable):
    with pytest.raises(ConfigurationError) as caught:
        load_config(values)
    assert variable == caught.value.variable
    check_message(caught.value, variable)


def check_message(error: Exception, variable: str) -> None:
    """One line that names the variable, without the secret, in the message and in the traceback."""
    print(f"{type(error).__name__}: {error}")  # noqa: T201 - what a user sees: pytest -rP
    assert variable in str(error)
    assert "\n" not in str(error)
    shown = "".join(traceback.format_exception(error)).replace(f'SECRET = "{SECRET}"', "")
    assert SECRET not in shown + repr(error) + repr(error.__dict__)
    assert SECRET not in repr(error.__context__)  # some pickles carry it
    assert SECRET.encode() not in pickle.dumps(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_unreadable_dotenv_is_named(tmp_path):
    (tmp_path / ".env").write_bytes(b"DATABASE_URL=\xff\xfe")
    with pytest.raises(ConfigurationError) as caught:
        load_config()
    check_message(caught.value, ".env")


def refusal(url: str, **settings: object) -> Exception:
    config = DatabaseConfig.from_url(url, connection_timeout=5, **settings)
    with pytest.raises((ConfigurationError, DatabaseError)) as caught:
        open_database(config)
    check_message(
        caught.value, caught.value.variable if hasattr(caught.value, "variable") else "DATABASE_URL"
    )
    return caught.value


def test_sqlite_file_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    assert isinstance(refusal("sqlite:///file/bot.db"), ConfigurationError)


def test_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "bot.db").write_text("not a database, although it is long enough to be looked at as one")
    assert isinstance(refusal("sqlite:///bot.db"), ConfigurationError)


def with_credentials(url: str, credentials: str, name: str | None = None) -> str:
    scheme, _, rest = url.partition("://")
    address = rest.rpartition("@")[2]
    return f"{scheme}://{credentials}@{address if name is None else address.partition('/')[0] + '/' + name}"


@pytest.mark.backend("postgresql", "mysql")
def test_wrong_password_is_an_authentication_error(private_server):
    server = private_server()
    require_password(server, "app", "right")
    name = "postgres" if server.backend.name == "postgresql" else "mysql"
    error = refusal(with_credentials(server.url, f"app:{SECRET}", name))
    assert isinstance(error, AuthenticationError)
    assert isinstance(error, PermissionError)


def require_password(server, user: str, password: str) -> None:
    connection = server.backend.connect(server.url)
    cursor = connection.cursor()
    if server.backend.name == "mysql":
        cursor.execute(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{password}'")
    else:
        cursor.execute(f"CREATE USER {user} PASSWORD '{password}'")
        cursor.execute("SHOW hba_file")
        path = cursor.fetchone()[0]
        cursor.execute(
            f"COPY (SELECT unnest(ARRAY['host all postgres 127.0.0.1/32 trust', "
            f"'host all all 127.0.0.1/32 scram-sha-256'])) TO '{path}'"
        )
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()


@pytest.mark.backend("postgresql", "mysql")
def test_unknown_database_is_named(sql_url):
    error = refusal(f"{sql_url.rpartition('/')[0]}/no_such_database")
    assert isinstance(error, UnknownDatabaseError)
    assert "no_such_database" in str(error)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid", "%2Fno%2Fsocket"])
def test_server_that_is_not_there_is_unavailable(scheme, host):
    error = refusal(f"{scheme}://app:{SECRET}@{host}/n")
    assert isinstance(error, DatabaseUnavailableError)
    assert isinstance(error, ConnectionError)


@pytest.mark.backend("postgresql", "mysql")
def test_encryption_that_the_server_lacks_is_no_silence(private_server):
    server = private_server()
    option = (
        "postgres?sslmode=require" if server.backend.name == "postgresql" else "mysql?ssl_ca=/no/such.pem"
    )
    assert not isinstance(refusal(server.url + option), DatabaseUnavailableError)


def test_time_zone_that_the_server_lacks_is_named(mysql_url):
    error = refusal(mysql_url, timezone="Asia/Shanghai")
    assert error.variable == "DB_TIMEZONE"


@pytest.mark.parametrize(
    ("scheme", "module", "package"),
    [
        ("postgresql", "peewee.psycopg2", "psycopg2-binary"),
        ("mysql", "maimdb.core.engines.mysql.pymysql", "pymysql"),
    ],
)
def test_missing_driver_says_what_to_install(scheme, module, package, monkeypatch):
    monkeypatch.setattr("peewee.psycopg", None)
    monkeypatch.setattr(module, None)
    error = refusal(f"{scheme}://app:{SECRET}@127.0.0.1/n")
    assert isinstance(error, MissingDriverError)
    assert f"pip install {package}" in str(error)
