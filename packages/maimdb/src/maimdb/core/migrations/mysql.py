"""MySQL and MariaDB, which commit at every change of the schema."""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import TYPE_CHECKING, ClassVar, Final

from maimdb.core.errors import MigrationError
from maimdb.core.migrations import definitions
from maimdb.core.migrations.operations import PATIENCE, Operations

if TYPE_CHECKING:
    from collections.abc import Iterator

_NULL: Final = re.compile(r"('(?:[^'\\]|''|\\.)*')| (?:DEFAULT )?NULL\b", re.DOTALL)

_NAME: Final = "`((?:[^`]|``)+)`"


def _kept_text(found: re.Match[str]) -> str:
    return found[1] or ""


class MysqlOperations(Operations):
    """A changed column keeps its DEFAULT, CHECK, character set and comment."""

    transactional: ClassVar = False
    opening: ClassVar = ()
    closing: ClassVar = ()
    table_options: ClassVar = " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    types: ClassVar = {
        "text": "LONGTEXT",
        "moment": "DATETIME(6)",
        "uuid": "VARCHAR(40)",
        "flag": "BOOL",
        "bigint": "BIGINT",
        "double": "DOUBLE PRECISION",
    }

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the server's lock of this database's name."""
        name = "maimdb " + hashlib.sha256(self.database.database.encode()).hexdigest()[:40]
        with super().exclusive():
            if self._run("SELECT GET_LOCK(%s, %s)", (name, PATIENCE)).fetchone()[0] != 1:
                raise MigrationError(
                    f"another process has been changing the schema for {PATIENCE:g} seconds: run again later"
                )
            try:
                yield
            finally:
                with contextlib.suppress(Exception):  # a lost connection has given it back
                    self._run("SELECT RELEASE_LOCK(%s)", (name,))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Open none: it would end with the first change."""
        yield

    def _change_null(self, table: str, name: str, *, null: bool) -> None:
        kept = self.table(table).definitions
        bare = definitions.without_not_null(kept[name], backslashes=True)
        bare = bare if null else _NULL.sub(_kept_text, bare)
        kept[name] = definitions.before_check(bare, "NULL" if null else "NOT NULL")
        self.emit(f"ALTER TABLE {self.quote(table)} MODIFY {self.quote(name)} {kept[name]}")

    def _free_column(self, table: str, name: str) -> None:
        constraints = self.table(table).constraints
        for key in self.database.get_foreign_keys(table) if constraints else ():
            if key.column == name and key.name in constraints:
                del constraints[key.name]
                self.emit(f"ALTER TABLE {self.quote(table)} DROP FOREIGN KEY {self.quote(key.name)}")
        for check in self._checks_of(table, name):
            del constraints[check]
            self._drop_constraint(table, check)

    def _rename_column_sql(self, table: str, old: str, new: str) -> str:
        """Return one statement; MySQL, unlike MariaDB, does not rename a column that a CHECK names."""
        constraints = self.table(table).constraints
        changes = [super()._rename_column_sql(table, old, new)]
        for check in [] if self.database.mariadb else self._checks_of(table, old):
            constraints[check] = definitions.renamed(constraints[check], old, self.quote(new))
            changes.append(f"DROP CONSTRAINT {self.quote(check)}")
            changes.append(f"ADD CONSTRAINT {self.quote(check)} {constraints[check]}")
        return ", ".join(changes)

    def _checks_of(self, table: str, column: str) -> list[str]:
        """Return the names of the CHECKs that a column stands in."""
        return [
            name
            for name, text in self.table(table).constraints.items()
            if text.upper().startswith("CHECK") and definitions.renamed(text, column, "") != text
        ]

    def _drop_index_sql(self, table: str, name: str) -> str:
        return f"{super()._drop_index_sql(table, name)} ON {self.quote(table)}"

    def _escaped(self, text: str) -> str:
        return super()._escaped(text.replace("\\", "\\\\"))

    def _type(self, table: str, name: str) -> str:
        rows = self._run(f"SHOW COLUMNS FROM {self.quote(table)}").fetchall()
        return str(next(row[1] for row in rows if row[0] == name)).lower()

    def _constraints(self, table: str) -> dict[str, str]:
        sql = (
            "SELECT constraint_name FROM information_schema.table_constraints "
            "WHERE table_schema = DATABASE() AND table_name = %s"
        )
        names = [row[0] for row in self._run(sql, (table,)).fetchall()]
        checks = dict(self._lines(table, rf"CONSTRAINT {_NAME} (CHECK .*?)"))
        return {name: checks.get(name, "") for name in names}

    def _definitions(self, table: str) -> dict[str, str]:
        return dict(self._lines(table, f"{_NAME} (.*?)"))

    def _lines(self, table: str, pattern: str) -> Iterator[tuple[str, str]]:
        """Yield names and what follows them, of the lines of CREATE TABLE that are so."""
        create = self._run(f"SHOW CREATE TABLE {self.quote(table)}").fetchone()[1]
        for found in re.finditer(rf"^ *{pattern},?$", create, re.MULTILINE):
            yield found[1].replace("``", "`"), found[2]
