"""A tenant's rows to a file, from a file, and from one database to another."""

from maimdb.core.transfer.exporting import ExportReport, export_tenant
from maimdb.core.transfer.importing import ImportReport, TableReport, import_tenant
from maimdb.core.transfer.moving import MoveReport, move_tenant

__all__ = [
    "ExportReport",
    "ImportReport",
    "MoveReport",
    "TableReport",
    "export_tenant",
    "import_tenant",
    "move_tenant",
]
