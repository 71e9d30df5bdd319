"""The import of files that earlier programs left: MaiBot 0.7 to 0.12, and MaimDB's first control plane."""

from maimdb.core.legacy.detection import detect
from maimdb.core.legacy.importing import Imported, LegacyImport, Options, Planned
from maimdb.core.legacy.reconciliation import Balance, Sum
from maimdb.core.legacy.source import Source, open_source

__all__ = [
    "Balance",
    "Imported",
    "LegacyImport",
    "Options",
    "Planned",
    "Source",
    "Sum",
    "detect",
    "open_source",
]
