"""The errors that Mimiod raises, each of which also is the natural builtin.

::

    MimiodError
    ├── ConfigurationError     (ValueError)       a setting, URI or schema that cannot be used
    ├── ProjectError           (ValueError)       a project folder that cannot be loaded
    │   └── DeclarationError                      a declaration of rows that cannot be drawn
    ├── ServerUnavailableError (ConnectionError)  no server answers, or it stopped answering
    ├── AccessDeniedError      (PermissionError)  wrong password, or a right is missing
    ├── EmbeddedServerError    (RuntimeError)     the embedded server cannot be had or started
    ├── DatabaseInUseError     (RuntimeError)     another run, or data that is not Mimiod's
    ├── DuplicateKeysError     (ValueError)       a unique index over data that is not unique
    ├── DuplicateRowError      (ValueError)       two rows with one key of a unique index
    ├── DocumentRefusedError   (ValueError)       documents that the validator refuses, or above 16 MB
    ├── IndexConflictError     (ValueError)       an index of that name with other options
    ├── AppendError            (ValueError)       nothing there that rows could be added to
    ├── EmptyDatabaseError     (LookupError)      nothing there that could be checked
    ├── WorkerLostError        (RuntimeError)     worker processes that die, or cannot be had
    ├── DiskFullError          (OSError)          a server without room
    ├── SourceError            (ValueError)       something to be inspected that cannot be read
    ├── UnknownRuleError       (LookupError)      a design rule that there is not
    ├── ReadmeError            (ValueError)       a README.md whose generated sections cannot be found
    ├── LanguageModelError     (ConnectionError)  an endpoint that does not answer as it should
    ├── BudgetSpentError       (RuntimeError)     tokens, money or time of `mimiod generate` used up
    ├── TranscriptError        (ValueError)       a transcript that cannot be gone on with
    └── DatabaseError          (RuntimeError)     anything else that the server refused

The text of each is one line that a person can act on. None ever holds a password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class MimiodError(Exception):
    """Whatever Mimiod cannot do, said in one line. It passes between processes with its facts."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[MimiodError], arguments: tuple[Any, ...], facts: dict[str, Any]) -> MimiodError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(facts)
    return error


class ConfigurationError(MimiodError, ValueError):
    """A setting, URI or schema that cannot be used."""


class ProjectError(MimiodError, ValueError):
    """A project folder that cannot be loaded."""


class DeclarationError(ProjectError):
    """A declaration of rows that cannot be drawn."""


class ServerUnavailableError(MimiodError, ConnectionError):
    """A MongoDB server that does not answer."""


class AccessDeniedError(MimiodError, PermissionError):
    """A server that answers and says no: the password is wrong, or a right is missing."""


class EmbeddedServerError(MimiodError, RuntimeError):
    """An embedded server that cannot be had, started or stopped."""


class DatabaseInUseError(MimiodError, RuntimeError):
    """A database that another run is filling, or that holds somebody's data."""


class DatabaseError(MimiodError, RuntimeError):
    """Something that the server refused for a reason of its own."""


class DuplicateKeysError(MimiodError, ValueError):
    """A unique index over data that is not unique."""

    def __init__(self, collection: str, index: str, duplicates: Sequence[Mapping[str, Any]]) -> None:
        self.collection = collection
        self.index = index
        self.duplicates = list(duplicates)
        """One mapping per duplicated key: `key` {field: value}, `ids` (the first five), `count`."""
        shown = "; ".join(
            f"{', '.join(f'{field}={value!r}' for field, value in found['key'].items())}"
            f" in {found['count']} documents (_id {', '.join(str(i) for i in found['ids'])})"
            for found in self.duplicates[:3]
        )
        more = f"; and {len(self.duplicates) - 3} more keys" if len(self.duplicates) > 3 else ""  # noqa: PLR2004
        super().__init__(
            f"unique index {index!r} on {collection!r} cannot be built over duplicates: {shown}{more}; "
            "remove the duplicates or drop `unique`"
        )


class DuplicateRowError(MimiodError, ValueError):
    """Two rows with one key of a unique index."""

    def __init__(self, collection: str, index: str, key: str, rows: Sequence[str]) -> None:
        self.collection = collection
        self.index = index
        self.key = key
        self.rows = list(rows)
        "The row that was refused, and the one that has the key, as far as it can be told."
        super().__init__(
            f"{f'unique index {index!r}' if index else 'a unique index'} on {collection!r}: "
            f"{' and '.join(rows)} have {f'the key {key}' if key else 'the same key'}; "
            "make its values unique in the declaration, or drop `unique`"
        )


class DocumentRefusedError(MimiodError, ValueError):
    """Documents that the validator refuses, or that are larger than a document may be."""


class AppendError(MimiodError, ValueError):
    """A database that no rows can be added to."""


class EmptyDatabaseError(MimiodError, LookupError):
    """A database without data that a check could be made on."""


class SourceError(MimiodError, ValueError):
    """Something to be inspected that cannot be read."""


class WorkerLostError(MimiodError, RuntimeError):
    """Worker processes that die, or that cannot be had."""


class DiskFullError(MimiodError, OSError):
    """A server that has no room for more."""


class UnknownRuleError(MimiodError, LookupError):
    """A design rule that there is not."""

    def __init__(self, rule: str, nearest: Sequence[str]) -> None:
        meant = f"did you mean {' or '.join(nearest)}? " if nearest else ""
        super().__init__(f"there is no rule {rule!r}; {meant}`mimiod rules` lists them")
        self.rule = rule
        self.nearest = list(nearest)


class LanguageModelError(MimiodError, ConnectionError):
    """A language model's endpoint that does not answer as it should."""


class BudgetSpentError(MimiodError, RuntimeError):
    """Tokens, money or time that is used up."""


class TranscriptError(MimiodError, ValueError):
    """A transcript that cannot be read, or that belongs to other prompts."""


class ReadmeError(MimiodError, ValueError):
    """A README.md whose generated sections cannot be found."""


class IndexConflictError(MimiodError, ValueError):
    """An index of that name which exists with other options."""

    def __init__(self, collection: str, index: str, differences: Sequence[str]) -> None:
        self.collection = collection
        self.index = index
        self.differences = list(differences)
        super().__init__(
            f"index {index!r} on {collection!r} exists and differs ({'; '.join(differences)}): "
            "drop it, or give the new one another name"
        )
