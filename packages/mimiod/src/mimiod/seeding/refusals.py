"""What a server refuses of a batch: what is there already, and what is at fault, by row."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pymongo.errors

from mimiod.errors import DocumentRefusedError, DuplicateRowError, ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pymongo.collection import Collection

    from mimiod.seeding.plan import Plan

NAMED = 10
"Refused documents that are named."

_DUPLICATE_KEY = 11000
_REFUSED_BY_VALIDATOR = 121
_PASSING = frozenset({6, 7, 89, 91, 189, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436})
"Host unreachable, shutdown in progress, not primary …: what the driver's retryable writes retry."
_LOOKED_UP_AT_ONCE = 100
"Values in one `$in`; the embedded server's time grows with their square."


def is_passing(exc: Exception) -> bool:
    """Return whether it says no more than that the server is away for a while."""
    if isinstance(exc, pymongo.errors.AutoReconnect | ServerUnavailableError):
        return True  # a ServerSelectionTimeoutError is an AutoReconnect too
    if isinstance(exc, pymongo.errors.BulkWriteError):
        details = exc.details or {}
        errors = [*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())]
        return any(error.get("code") in _PASSING for error in errors)
    return getattr(exc, "code", None) in _PASSING


class Refusals:
    """The refused documents of one batch."""

    def __init__(
        self, plan: Plan, collection: Collection[dict[str, Any]], exc: pymongo.errors.BulkWriteError
    ) -> None:
        self.plan = plan
        self.collection = collection
        self.exc = exc
        self.errors: list[Mapping[str, Any]] = (exc.details or {}).get("writeErrors", [])

    def judge(self) -> None:
        """Return if all of them are in the database already.

        Raises:
            DuplicateRowError: another document has the key of one.
            DocumentRefusedError: the validator refuses some.
            BulkWriteError: the server has other reasons.
        """
        others = [error for error in self.errors if error["code"] != _DUPLICATE_KEY]
        invalid = [error for error in others if error["code"] == _REFUSED_BY_VALIDATOR]
        if invalid:
            raise self._invalid(invalid) from self.exc
        if others or not self.errors:
            raise self.exc
        # Which of its indexes a server names for a document that is there already, is its own affair.
        doubtful = [error for error in self.errors if _index_of(error)[0] != "_id_"]
        there = self._there([error["op"]["_id"] for error in doubtful])
        for error in doubtful:
            if error["op"]["_id"] not in there:
                raise self._duplicate(error) from self.exc

    def _there(self, identifiers: Sequence[Any]) -> set[Any]:
        rest = iter(identifiers)
        found: set[Any] = set()
        while chunk := list(islice(rest, _LOOKED_UP_AT_ONCE)):
            found.update(each["_id"] for each in self.collection.find({"_id": {"$in": chunk}}, {"_id": 1}))
        return found

    def _duplicate(self, error: Mapping[str, Any]) -> DuplicateRowError:
        index, key = _index_of(error)
        values = error.get("keyValue")
        holder = self.collection.find_one(values, {"_id": 1}) if values else None
        rows = [self._row(error["op"]["_id"]), self._row(holder["_id"]) if holder else "another document"]
        return DuplicateRowError(self.collection.name, index, key, rows)

    def _invalid(self, errors: Sequence[Mapping[str, Any]]) -> DocumentRefusedError:
        said = "; ".join(
            f"{self._row(error['op']['_id'])}: {_reason(error.get('errInfo'))}" for error in errors[:NAMED]
        )
        more = f"; and {len(errors) - NAMED} more" if len(errors) > NAMED else ""
        return DocumentRefusedError(
            f"the validator of {self.collection.name!r} refuses {len(errors)} documents of a batch: "
            f"{said}{more}"
        )

    def _row(self, identifier: object) -> str:
        row = self.plan.row_of(self.collection.name, identifier)
        return f"_id {identifier}" if row is None else f"row {row} (_id {identifier})"


def _index_of(error: Mapping[str, Any]) -> tuple[str, str]:
    """Return name and key of the unique index that a duplicate was found in."""
    text = " ".join(error.get("errmsg", "").split())
    index = text.partition(" index: ")[2].split(" ")[0] or "_".join(map(str, error.get("keyPattern", {})))
    if "keyValue" in error:
        return index, ", ".join(f"{field}={value!r}" for field, value in error["keyValue"].items())
    return index, text.partition(" dup key: ")[2]


def _reason(info: Mapping[str, Any] | None) -> str:
    reasons = list(_rules((info or {}).get("details", {}), ""))
    return ", ".join(reasons) or "Document failed validation"


def _rules(details: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield what `errInfo.details` says, a few words for each rule that is broken."""
    inner = [*details.get("schemaRulesNotSatisfied", ()), *details.get("details", ())]
    for rule in inner:
        yield from _rules(rule, path)
    for each in details.get("propertiesNotSatisfied", ()):
        for rule in each.get("details", ()):
            yield from _rules(rule, f"{path}.{each['propertyName']}".lstrip("."))
    name = details.get("operatorName", "")
    if "missingProperties" in details:
        missing = ", ".join(map(repr, details["missingProperties"]))
        yield f"{path}: {missing} missing" if path else f"{missing} missing"
    elif "additionalProperties" in details:
        yield f"{path or 'document'}: {', '.join(map(repr, details['additionalProperties']))} not allowed"
    elif name and not inner and "propertiesNotSatisfied" not in details:
        value = f", it is {details['consideredValue']!r}" if "consideredValue" in details else ""
        wanted = details.get("specifiedAs", {}).get(name, "")
        yield f"{path or 'document'}: {name} {wanted}{value}".rstrip()
