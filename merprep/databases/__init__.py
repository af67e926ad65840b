"""Raw databases: their descriptions, coding sheets, folders and corrections."""

from merprep.databases.errata import Erratum, ErratumOutcome, RowCorrection, load_errata, load_row_corrections
from merprep.databases.reading import DatabaseReading, read_database
from merprep.databases.spec import DatabaseSpec, names, spec

__all__ = [
    "DatabaseReading",
    "DatabaseSpec",
    "Erratum",
    "ErratumOutcome",
    "RowCorrection",
    "load_errata",
    "load_row_corrections",
    "names",
    "read_database",
    "spec",
]
