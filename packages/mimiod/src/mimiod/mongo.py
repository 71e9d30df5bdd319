"""The connection to a MongoDB server: the one place where the driver's errors become Mimiod's."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pymongo
import pymongo.errors
from bson import Decimal128
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry

from mimiod.errors import (
    AccessDeniedError,
    ConfigurationError,
    DatabaseError,
    DiskFullError,
    MimiodError,
    ServerUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.database import Database

Client = pymongo.MongoClient[dict[str, Any]]

ANSWER_WITHIN = 4.0
"Seconds in which a server has to answer."
_BUSY_FOR = 30.0
"""Seconds for which a server that answered may be too busy to say that it is there. Then the driver breaks
off whatever goes on, on all of its connections ("operation cancelled"), be it a scan that goes well."""

_UNAUTHORIZED = 13
_AUTHENTICATION_FAILED = (18, 8000)
"The second is Atlas's."
_OUT_OF_DISK_SPACE = 14031
_URI_FORM = (
    "it has to read mongodb://user:password@host:port/?options, "
    "with / : @ and % in a user or password written as %2F %3A %40 %25"
)


class _DecimalFromBson(TypeDecoder):
    bson_type = Decimal128

    def transform_bson(self, value: Decimal128) -> Decimal:
        return value.to_decimal()


def _to_bson(value: Any) -> Any:
    """Return what BSON holds for a value of a pydantic model that it has no type for."""
    match value:
        case Decimal():
            return Decimal128(value)
        case Enum():
            return value.value
        case date():
            return datetime.combine(value, time(), UTC)
        case set() | frozenset():
            return sorted(value)
    return value


CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    type_registry=TypeRegistry([_DecimalFromBson()], fallback_encoder=_to_bson),
)
"Dates come back aware, in UTC; decimals, UUIDs, enumerations, dates and sets can be stored."


@dataclass(frozen=True)
class Server:
    """What a server says of itself."""

    version: str
    stand_in: str | None
    "The product's name where it is not MongoDB but speaks its protocol."

    @property
    def serves_one_at_a_time(self) -> bool:
        """Whether several clients together get no more done than one: true of the embedded server."""
        return self.stand_in is not None and self.stand_in.startswith("SecantusDB")

    def __str__(self) -> str:
        return f"{self.stand_in} (as MongoDB {self.version})" if self.stand_in else f"MongoDB {self.version}"


def connect(uri: str, *, answer_within: float = ANSWER_WITHIN) -> Client:
    """Return a client whose server has answered.

    Raises:
        ConfigurationError: the URI cannot be used.
        ServerUnavailableError: nothing answered within `answer_within` seconds.
        AccessDeniedError: the password is wrong.
    """
    wanted = {"serverSelectionTimeoutMS": answer_within, "connectTimeoutMS": _BUSY_FOR}
    defaults = {
        option: int(seconds * 1000) for option, seconds in wanted.items() if option.lower() not in uri.lower()
    }
    client = _client(uri, defaults)
    with driver_errors(uri):
        try:
            client.admin.command("ping")
        except BaseException:
            client.close()
            raise
    return client


def _client(uri: str, defaults: dict[str, int]) -> Client:
    # No text of the driver where the URI did not parse, and no cause: it may quote the password.
    where = mask(uri)
    userinfo = uri.partition("://")[2].rpartition("@")[0]
    if set(userinfo) & set("/?#[]@"):
        raise ConfigurationError(f"{where} cannot be used: {_URI_FORM}")
    try:
        with warnings.catch_warnings(action="error", category=UserWarning):  # an option it passes over
            return pymongo.MongoClient(uri, appname="mimiod", **defaults)  # type: ignore[arg-type]
    except UserWarning as exc:
        reason = str(exc).split(". Did you mean")[0]
    except pymongo.errors.ConfigurationError as exc:
        text = str(exc)
        if isinstance(exc, pymongo.errors.InvalidURI):
            reason = _URI_FORM
        elif uri.startswith("mongodb+srv:") and any(sign in text for sign in ("DNS", "resol", "SRV")):
            raise ServerUnavailableError(f"no answer from {where}: its name cannot be resolved") from None
        else:
            reason = _URI_FORM if user_of(uri) else " ".join(text.split())
    except OSError as exc:  # a certificate of its TLS options
        reason = f"{exc.filename or 'a file of its options'}: {exc.strerror or exc}"
    except (ValueError, TypeError):
        reason = _URI_FORM
    raise ConfigurationError(f"{where} cannot be used: {reason}")


def database(client: Client, name: str) -> Database[dict[str, Any]]:
    """Return the database, with values coded as `CODEC` says."""
    return client.get_database(name, codec_options=CODEC)


def server(client: Client) -> Server:
    """Return what the server says of itself."""
    info = client.admin.command("buildInfo")
    stand_in = None
    if "secantusVersion" in info:
        stand_in = f"SecantusDB {info['secantusVersion']}"
    elif "documentdb" in str(info).lower() or client.admin.command("hello").get("internal"):
        stand_in = "DocumentDB"
    return Server(info["version"], stand_in)


def mask(uri: str) -> str:
    """Return the URI without its password, and without options that may hold a secret.

    >>> mask("mongodb://ann:s3cret@example.org/?authSource=admin")
    'mongodb://ann:***@example.org/?authSource=admin'
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return "***" if "@" in uri else uri
    userinfo, at, hosts = rest.rpartition("@")
    if at:
        user, colon, _ = userinfo.partition(":")
        userinfo = f"{user}:***" if colon else user
    hosts = re.sub(r"(?i)((?:password|token|authMechanismProperties)[^=&]*=)[^&]*", r"\1***", hosts)
    return f"{scheme}://{userinfo}{at}{hosts}"


def user_of(uri: str) -> str | None:
    """Return the user that the URI names."""
    userinfo, at, _ = uri.partition("://")[2].rpartition("@")
    return unquote(userinfo.partition(":")[0]) if at else None


@contextmanager
def driver_errors(uri: str = "") -> Iterator[None]:
    """Whatever the driver raises inside becomes a `MimiodError` that names the server."""
    where = mask(uri) if uri else "the server"
    try:
        yield
    except pymongo.errors.PyMongoError as exc:
        if _is_disk_full(exc):
            raise DiskFullError(
                f"the disk of {where} is full: make room, then run the same command again"
            ) from exc
        raise _translated(exc, where, user_of(uri)) from exc


def _translated(exc: pymongo.errors.PyMongoError, where: str, user: str | None) -> MimiodError:
    match exc:
        case pymongo.errors.ServerSelectionTimeoutError() | pymongo.errors.AutoReconnect():
            return ServerUnavailableError(
                f"no answer from {where}: {brief(exc)}; is the server running, and the address right?"
            )
        case pymongo.errors.BulkWriteError():
            return DatabaseError(f"{where} refused {_refused_writes(exc)}")
        case pymongo.errors.OperationFailure(code=code) if code in _AUTHENTICATION_FAILED:
            return AccessDeniedError(
                f"{where} refuses user {user!r}: wrong name or password, or another authSource is needed"
            )
        case pymongo.errors.OperationFailure(code=code) if code == _UNAUTHORIZED and user:
            return AccessDeniedError(
                f"user {user!r} lacks a right at {where}: {brief(exc)}; "
                "Mimiod needs readWrite and dbAdmin on the project's database"
            )
        case pymongo.errors.OperationFailure(code=code) if code == _UNAUTHORIZED:
            return AccessDeniedError(f"{where} wants a user: give mongodb://user:password@host:port/")
    return DatabaseError(f"{where} refused: {brief(exc)}")


def _refused_writes(exc: pymongo.errors.BulkWriteError) -> str:
    errors = (exc.details or {}).get("writeErrors") or (exc.details or {}).get("writeConcernErrors") or [{}]
    first = errors[0]
    reason = " ".join(str(first.get("errmsg", exc)).split())
    why = f" ({first['errInfo']['details']})" if "details" in first.get("errInfo", {}) else ""
    identifier = first.get("op", {}).get("_id")
    return f"{len(errors)} documents of a batch, the first _id {identifier}: {reason}{why}"


def _is_disk_full(exc: pymongo.errors.PyMongoError) -> bool:
    errors = [{"code": getattr(exc, "code", None), "errmsg": str(exc)}]
    if isinstance(exc, pymongo.errors.BulkWriteError):
        errors = (exc.details or {}).get("writeErrors", [])
    return any(
        error.get("code") == _OUT_OF_DISK_SPACE
        or any(sign in str(error.get("errmsg")).lower() for sign in ("no space left", "enospc"))
        for error in errors
    )


def brief(exc: Exception) -> str:
    """Return what a driver's error says, as one line without its dump of the server's answer."""
    text = str(exc).split(", full error:")[0].split(" (configured timeouts")[0].split(", Timeout:")[0]
    return " ".join(text.split())
