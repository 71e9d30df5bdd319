"""The field types of MaimDB's models: what they refuse is refused alike on every engine, before it is sent.

`db_value` checks what is written; `lookup_value`, which the gate puts in its place in comparisons, lets a
value through that no row can have, so that looking for it finds nothing. A NUL is refused in both, as
PostgreSQL can neither hold nor be asked for it.
"""

# ruff: noqa: SLF001 - Peewee keeps what its objects are in private attributes

from __future__ import annotations

import datetime as dt
import json
from enum import Enum
from typing import Any

import peewee

from maimdb.core.errors import ValidationError


def utc_now() -> dt.datetime:
    """Return the present moment, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


def parse_json(text: str | None, default: Any, *, field: str) -> Any:
    """Return what a JSON text holds; the default where there is no text.

    Raises:
        ValidationError: with the field and the position of the fault.
    """
    if text is None or text == "":
        return default
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        raise ValidationError(
            f"{field} holds broken JSON at position {exc.pos}: {exc.msg}",
            field=field,
            position=exc.pos,
            value=text,
        ) from exc
    except (TypeError, ValueError, RecursionError) as exc:
        raise ValidationError(f"{field} holds no JSON text: {exc}", field=field, value=text) from exc


def to_json(value: Any, *, field: str) -> str:
    """Return a value as JSON text, or raise a ValidationError that names the field."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise ValidationError(f"{field}: {exc}", field=field, value=value) from exc


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class _CheckedText(peewee.Field):
    """Text that every engine can hold."""

    def lookup_value(self, value: Any) -> Any:
        """Return what a row is compared with."""
        if value is None:
            return None
        text = self.adapt(value)  # type: ignore[no-untyped-call]
        if "\0" in text:
            raise ValidationError(
                f"{self} holds a NUL character at position {text.index(chr(0))}: PostgreSQL cannot store it, "
                "so no engine is given it",
                field=str(self),
                position=text.index("\0"),
                value=value,
            )
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as exc:
                raise ValidationError(
                    f"{self} holds a lone surrogate at position {exc.start}, which is no character",
                    field=str(self),
                    position=exc.start,
                    value=value,
                ) from exc
        return text

    def db_value(self, value: Any) -> Any:
        return self.lookup_value(value)

    def __str__(self) -> str:
        return f"{self.model._meta.table_name}.{self.name}"


class StringField(_CheckedText, peewee.CharField):
    """A text of limited length; the limit holds on SQLite too."""

    def db_value(self, value: Any) -> Any:
        """Return the text, or raise a ValidationError when it is too long."""
        text = self.lookup_value(value)
        if text is not None and len(text) > self.max_length:
            raise ValidationError(
                f"{self} takes at most {self.max_length} characters, this has {len(text)}",
                field=str(self),
                position=self.max_length,
                value=value,
            )
        return text


class ChoiceField(StringField):
    """The value of an enumeration, stored as its text."""

    def __init__(self, enumeration: type[Enum], **options: Any) -> None:
        self.enumeration = enumeration
        super().__init__(max_length=20, **options)

    def adapt(self, value: Any) -> Any:
        """Return the text of a member, too."""
        return super().adapt(value.value if isinstance(value, Enum) else value)

    def db_value(self, value: Any) -> Any:
        """Return the text, or raise a ValidationError when the enumeration has no such value."""
        text = self.lookup_value(value)
        if text is not None and text not in self.enumeration._value2member_map_:
            allowed = ", ".join(repr(member.value) for member in self.enumeration)
            raise ValidationError(f"{self} is {text!r}: use one of {allowed}", field=str(self), value=value)
        return text


class LongTextField(_CheckedText, peewee.TextField):
    """A text of any length."""

    def ddl_datatype(self, ctx: Any) -> Any:
        """Return LONGTEXT for MySQL, whose TEXT ends at 64 KiB."""
        return peewee.SQL("LONGTEXT") if ctx.state.quote == "``" else super().ddl_datatype(ctx)


class JSONTextField(LongTextField):
    """JSON, stored and handed out as text."""

    def db_value(self, value: Any) -> Any:
        """Return the text, or raise a ValidationError that says where it is broken."""
        if value is not None and not isinstance(value, str):
            raise ValidationError(
                f"{self} takes JSON as text, not {type(value).__name__}: pass json.dumps(…)",
                field=str(self),
                value=value,
            )
        parse_json(value, None, field=str(self))
        return self.lookup_value(value)


_WITHOUT_ZONE = (19, 26)
"""The lengths of a moment's text, without and with its fraction."""


class UTCDateTimeField(peewee.DateTimeField):
    """A moment: stored as UTC to the microsecond, handed out aware. A naive datetime is taken for UTC."""

    def get_modifiers(self) -> list[int]:
        """Return the digits of a second; MySQL keeps none unless told."""
        return [6]

    def db_value(self, value: Any) -> Any:
        """Return the moment as a naive datetime in UTC."""
        if isinstance(value, str):
            value = self.adapt(value)  # type: ignore[no-untyped-call]
        if value is None:
            return None
        if type(value) is dt.date:
            return dt.datetime.combine(value, dt.time())
        if not isinstance(value, dt.datetime):
            name = f"{self.model._meta.table_name}.{self.name}"
            raise ValidationError(f"{name} is {value!r}: use a datetime", field=name, value=value)
        return value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)

    def python_value(self, value: Any) -> Any:
        """Return the moment as an aware datetime in UTC."""
        if isinstance(value, str):
            try:
                if len(value) in _WITHOUT_ZONE:
                    return dt.datetime.fromisoformat(value + "+00:00")
            except ValueError:
                pass
            try:
                value = dt.datetime.fromisoformat(value)
            except ValueError:
                value = self.adapt(value)  # type: ignore[no-untyped-call]
        if not isinstance(value, dt.datetime):
            return value  # what another program wrote is shown rather than lost
        if value.tzinfo is not None:
            return value.astimezone(dt.UTC)
        return dt.datetime.combine(value, value.time(), dt.UTC)  # a fifth of the time of replace()
