"""The errors that Mimiod raises, each of which also is the natural builtin.

::

    MimiodError
    ├── ConfigurationError     (ValueError)       a setting, URI or schema that cannot be used
    ├── ProjectError           (ValueError)       a project folder that cannot be loaded
    ├── ServerUnavailableError (ConnectionError)  no server answers, or it stopped answering
    ├── AccessDeniedError      (PermissionError)  wrong password, or a right is missing
    ├── EmbeddedServerError    (RuntimeError)     the embedded server cannot be had or started
    ├── DatabaseInUseError     (RuntimeError)     another run, or data that is not Mimiod's
    ├── DuplicateKeysError     (ValueError)       a unique index over data that is not unique
    ├── IndexConflictError     (ValueError)       an index of that name with other options
    └── DatabaseError          (RuntimeError)     anything else that the server refused

The text of each is one line that a person can act on. None ever holds a password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class MimiodError(Exception):
    """Whatever Mimiod cannot do, said in one line."""


class ConfigurationError(MimiodError, ValueError):
    """A setting, URI or schema that cannot be used."""


class ProjectError(MimiodError, ValueError):
    """A project folder that cannot be loaded."""


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
