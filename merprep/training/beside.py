"""A run beside the published results on the same clips, each compared with the score of its own kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from merprep.evaluation import PublishedResult, tables_beside
from merprep.training.job import Plan


def beside(
    plan: Plan,
    about: Mapping[str, Any],
    honest: Mapping[str, Any],
    optimistic: Mapping[str, Any] | None,
    databases: Sequence[str],
) -> tuple[tuple[dict[str, Any], ...], list[str]]:
    """Find what was published on these clips.

    A published number whose epoch was chosen on the test subject is compared with the optimistic score, all others
    with the honest one; where the choice is not known, the difference may be flattering to the published number.

    Returns
    -------
    tables : tuple of dict
        ``table``, ``title``, ``source`` and ``results``: for each ``method``, ``model``, ``selection`` (``last``,
        ``test-oracle``, ``unknown``), ``provenance``, ``source``, ``note``, ``uf1``, ``uar``, ``compared_with``
        (``honest``, ``optimistic``, or ``nothing`` where this run has no score of that kind) and ``difference`` (this
        run's minus the published). This model's results come first, then by UF1.
    notes : list of str
    """
    full = honest["full"]
    found, notes = tables_beside(
        about["protocol"], about["scheme"], databases, clips=full["n"], persons=full["persons"]
    )
    tables = []
    for name, table in found.items():
        ordered = sorted(table.results, key=lambda row: (row.model != plan.preset.model, -(row.full.uf1 or 0)))
        rows = [_row(row, full, optimistic and optimistic["full"]) for row in ordered]
        tables.append({"table": name, "title": table.title, "source": table.source, "results": rows})
    return tuple(tables), notes


def _row(row: PublishedResult, honest: Mapping[str, Any], optimistic: Mapping[str, Any] | None) -> dict[str, Any]:
    kind = "optimistic" if row.selection == "test-oracle" else "honest"
    ours = optimistic if kind == "optimistic" else honest
    printed = {"uf1": row.full.uf1, "uar": row.full.uar}
    gaps = {name: None if ours is None or value is None else ours[name] - value for name, value in printed.items()}
    return {
        "method": row.method,
        "model": row.model,
        "selection": row.selection,
        "provenance": row.provenance,
        "source": row.source,
        "note": row.note,
        **printed,
        "compared_with": kind if ours is not None else "nothing",
        "difference": gaps,
    }
