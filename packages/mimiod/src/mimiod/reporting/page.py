"""The report as one HTML page: nothing in it is fetched from anywhere, and every text of a user's is text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from mimiod.reporting import words
from mimiod.reporting.charts import charts_of
from mimiod.reporting.fields import MOST_VALUES
from mimiod.schema_types import NotBefore, marks

if TYPE_CHECKING:
    from mimiod.reporting.facts import CollectionFacts, Report

_CODE = re.compile(r"`([^`\n]+)`")


def render(report: Report) -> str:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("mimiod.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "size": words.size,
        "share": words.share,
        "rate": words.rate,
        "prose": _prose,
        "anchor": _anchor,
        "breakable": _breakable,
    }
    environment.globals |= {
        "charts_of": charts_of,
        "most_values": MOST_VALUES,
        "words": words,
        "validator_notes": _validator_notes,
        "counts": _counts,
    }
    return environment.get_template("report.html.jinja").render(report=report, sums=_sums(report))


def _prose(text: str) -> Markup:
    """Return a text with what stands in backticks set in code."""
    parts = _CODE.split(" ".join(text.split()))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )


def _anchor(name: str) -> str:
    """Return a name as an element's id, no two alike."""
    return "c-" + "".join(
        letter if letter.isalnum() or letter == "_" else f"-{ord(letter):x}-" for letter in name
    )


def _breakable(name: str) -> Markup:
    """Return a name that may be broken after dots and underscores."""
    parts = re.split(r"(?<=[._])", name)
    return Markup("<wbr>").join(escape(part) for part in parts)


def _validator_notes(collection: CollectionFacts) -> list[str]:
    """Return what a reader should know of what the server lets in."""
    schema = collection.schema
    if schema.json_schema is not None:
        notes = ["a $jsonSchema of its own takes the place of the model's"]
    elif schema.document_schema is not None:
        notes = ["made from the model"]
    else:
        return ["none: any document is let in"]
    notes.append(f"level {schema.validation_level}, action {schema.validation_action}")
    ordered = len(marks(schema.document_schema, NotBefore))
    if ordered:
        notes.append(f"{words.counted(ordered, 'order')} in time checked by `mimiod run`, not by the server")
    return notes


def _counts(report: Report) -> dict[str, int]:
    found = report.check.findings
    return {
        severity: sum(each.severity == severity for each in found)
        for severity in ("error", "warning", "note")
    }


def _sums(report: Report) -> dict[str, int]:
    """Return the totals of the forecast, in bytes."""
    data = sum(each.data for each in report.forecasts)
    indexes = sum(each.index_bytes for each in report.forecasts)
    hot = sum(each.hot for each in report.forecasts)
    return {
        "documents": sum(each.documents for each in report.forecasts),
        "data": data,
        "indexes": indexes,
        "hot": hot,
        "working": hot + indexes,
    }
