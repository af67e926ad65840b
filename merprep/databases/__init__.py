"""Raw databases: their descriptions, coding sheets, folders and corrections."""

from merprep.databases.errata import Erratum, ErratumOutcome, load_errata
from merprep.databases.reading import DatabaseReading, read_database
from merprep.databases.spec import DatabaseSpec, names, spec

__all__ = [
    "DatabaseReading",
    "DatabaseSpec",
    "Erratum",
    "ErratumOutcome",
    "load_errata",
    "names",
    "read_database",
    "spec",
]
