"""Which databases can be faked, and what is their own about it. A new one is a module and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from merprep.databases.sheet import CodingSheet
from merprep.synthetic import (
    layout_4dme,
    layout_casme,
    layout_casme2,
    layout_casme3a,
    layout_casme3c,
    layout_casme_sq,
    layout_dfme,
    layout_meview,
    layout_mmew,
    layout_samm,
    layout_samm_lv,
    layout_smic,
    layout_smic_e,
)
from merprep.synthetic.plans import Cast, ClipPlan


@dataclass(frozen=True)
class Writer:
    """How a database is faked.

    Attributes
    ----------
    invented : callable
        Plans the clips of invented subjects.
    write_sheets : callable, optional
        Writes the coding sheets of a version of the table; None where the folders are the annotation.
    from_sheet : callable, optional
        Plans a clip for every row of a real sheet; None plans by the fields alone.
    extra_folders : callable, optional
        Plans the folders that the release has without a row.
    """

    invented: Callable[[Cast], list[ClipPlan]]
    write_sheets: Callable[[Path, list[ClipPlan], str], list[Path]] | None = None
    from_sheet: Callable[[CodingSheet], list[ClipPlan]] | None = None
    extra_folders: Callable[[], list[ClipPlan]] | None = None


REGISTRY: dict[str, Writer] = {
    "4dme": Writer(layout_4dme.invented, layout_4dme.write_sheets, extra_folders=layout_4dme.extra_folders),
    "casme": Writer(layout_casme.invented, layout_casme.write_sheets, layout_casme.from_sheet),
    "casme-sq": Writer(layout_casme_sq.invented, layout_casme_sq.write_sheets, layout_casme_sq.from_sheet),
    "casme2": Writer(
        layout_casme2.invented, layout_casme2.write_sheets, layout_casme2.from_sheet, layout_casme2.extra_folders
    ),
    "casme3a": Writer(layout_casme3a.invented, layout_casme3a.write_sheets, layout_casme3a.from_sheet),
    "casme3c": Writer(layout_casme3c.invented, layout_casme3c.write_sheets, layout_casme3c.from_sheet),
    "dfme": Writer(layout_dfme.invented, layout_dfme.write_sheets),
    "meview": Writer(layout_meview.invented, layout_meview.write_sheets),
    "mmew": Writer(layout_mmew.invented, layout_mmew.write_sheets),
    "mmew-macro": Writer(layout_mmew.invented_macro),
    "samm": Writer(layout_samm.invented, layout_samm.write_sheets, layout_samm.from_sheet),
    "samm-lv": Writer(layout_samm_lv.invented, layout_samm_lv.write_sheets),
    "smic": Writer(layout_smic.invented),
    "smic-e-hs": Writer(layout_smic_e.invented, layout_smic_e.write_hs, layout_smic_e.from_sheet),
    "smic-e-nir": Writer(layout_smic_e.invented, layout_smic_e.write_nir, layout_smic_e.from_sheet),
    "smic-e-vis": Writer(layout_smic_e.invented, layout_smic_e.write_vis, layout_smic_e.from_sheet),
}
