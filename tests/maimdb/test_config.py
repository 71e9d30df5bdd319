import copy
import pickle
from dataclasses import asdict
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maimdb.core.config import DatabaseConfig, Secret
from maimdb.core.errors import ConfigurationError

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@settings(deadline=None)
@given(user=TEXT, password=TEXT, name=TEXT)
def test_url_parts_round_trip_whatever_their_characters(user, password, name):
    parts = [quote(part, safe="") for part in (user, password, name)]
    config = DatabaseConfig.from_url("postgresql://{}:{}@db.example:5432/{}".format(*parts))
    assert (user, password, name) == (config.user, config.password.reveal(), config.database)


@settings(deadline=None)
@given(password=TEXT)
def test_password_changes_nothing_that_is_printed(password):
    config = DatabaseConfig.from_url(f"mysql://app:{quote(password, safe='')}@db.example/name")
    other = DatabaseConfig.from_url("mysql://app:another@db.example/name")
    assert [f"{other!r}", f"{other}", other.url, f"{asdict(other)}"] == [
        f"{config!r}",
        f"{config}",
        config.url,
        f"{asdict(config)}",
    ]


@settings(deadline=None)
@given(password=st.text(min_size=8), noise=st.text(max_size=4))
def test_password_is_in_no_error_about_its_url(password, noise):
    for url in (f"postgresql://app:{password}@db.example/name{noise}", f"{noise}://app:{password}@db"):
        assert password not in complaint(url)


def complaint(url: str) -> str:
    try:
        DatabaseConfig.from_url(url)
    except ConfigurationError as exc:
        return f"{exc} {exc!r} {exc.__dict__}"
    return ""


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///data/custom.db", ("sqlite", "data/custom.db")),
        ("sqlite:////srv/maim/bot.db", ("sqlite", "/srv/maim/bot.db")),
        ("sqlite:///C:/maim/bot.db", ("sqlite", "C:/maim/bot.db")),
        ("sqlite:///with%20space%3F.db", ("sqlite", "with space?.db")),
        ("sqlite:///:memory:", ("sqlite", ":memory:")),
    ],
)
def test_sqlite_url_names_its_file(url, expected):
    config = DatabaseConfig.from_url(url)
    assert expected == (config.engine, config.database)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h/n", ("postgresql", "h", 5432, "u", "p", "n")),
        ("postgres://u:p@h:6543/n", ("postgresql", "h", 6543, "u", "p", "n")),
        ("mysql://u:p@h/n", ("mysql", "h", 3306, "u", "p", "n")),
        ("mysql+pymysql://u:p%40%2F@h/n", ("mysql", "h", 3306, "u", "p@/", "n")),
        ("mariadb://u@h/n", ("mysql", "h", 3306, "u", None, "n")),
        ("postgresql://u:p@ss#1@h/n", ("postgresql", "h", 5432, "u", "p@ss#1", "n")),
        ("postgresql://[::1]:5433/n", ("postgresql", "::1", 5433, None, None, "n")),
        ("postgresql://u@/n?host=/run/postgresql", ("postgresql", "/run/postgresql", 5432, "u", None, "n")),
        ("postgresql://u@%2Frun%2Fpostgresql/n", ("postgresql", "/run/postgresql", 5432, "u", None, "n")),
        (" POSTGRESQL://u:@h/n ", ("postgresql", "h", 5432, "u", "", "n")),
    ],
)
def test_server_url_is_taken_apart(url, expected):
    config = DatabaseConfig.from_url(url)
    password = config.password.reveal() if config.password else None
    assert expected == (config.engine, config.host, config.port, config.user, password, config.database)


def test_query_parameters_reach_the_driver_in_its_types():
    config = DatabaseConfig.from_url("mysql://h/n?ssl_ca=/ca.pem&ssl_verify_cert=true&connect_timeout=3")
    assert config.options == {"ssl_ca": "/ca.pem", "ssl_verify_cert": True, "connect_timeout": 3}


def test_masked_url_keeps_what_identifies_the_database():
    config = DatabaseConfig.from_url("postgresql://ann:secret@[::1]:5433/na%2Fme?sslmode=require")
    assert config.url == "postgresql://ann:***@[::1]:5433/na%2Fme"


def test_secret_is_copied_but_not_pickled():
    secret = Secret("hush")
    assert copy.deepcopy(secret) == secret
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
