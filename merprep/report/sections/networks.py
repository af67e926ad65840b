"""What networks learned: honest beside optimistic, confusions, persons, the clips that went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from merprep.report.blocks import (
    Block,
    Cell,
    Details,
    Figure,
    Figures,
    Group,
    Missing,
    Notes,
    Section,
    Table,
    Text,
    Value,
)
from merprep.report.charts import two_scores
from merprep.report.confusion_svg import confusion_drawing
from merprep.report.runs import Run, UnitRun
from merprep.report.study import Study

TITLE = "Networks"
_SHOWN = 8
_DEPENDENT = "A subject-dependent split: the same persons are on both sides, so these scores say nothing about others."


def section(study: Study) -> Section:
    """Return the section."""
    units = [_units(run) for run in study.unit_runs[:_SHOWN]]
    if not study.runs:
        missing = () if units else (Missing("No network was trained yet.", "merprep train --preset sanity"),)
        return Section("networks", TITLE, (*missing, *units, *_left(study)))
    told = (
        "Where a run does not say otherwise, no person is on both sides of a split. Honest: predictions of the last "
        "epoch (or one chosen without the test person), pooled over all folds. Optimistic: the best epoch was chosen "
        "on the test person, as in much of the literature; it is shown so that tables can be compared, and is no "
        "estimate of anything."
    )
    rows = [(run.title, float(run.full["uf1"]), run.optimistic().get("uf1")) for run in study.runs[:_SHOWN]]
    drawn = two_scores("UF1, honest and optimistic", rows)
    figure = Figure(drawn, "UF1 of each run; at the right, the gap.", "honest-optimistic", wide=True)
    blocks: list[Block] = [Text(told), figure, _table(study.runs), *_left(study)]
    for index, run in enumerate(study.runs[:_SHOWN]):
        inner = tuple(_run(run))
        title = f"{run.title}: {run.name}"
        blocks.append(Group(title, inner) if index == 0 else Details(title, inner))
    if len(study.runs) > _SHOWN:
        blocks.append(Text(f"{len(study.runs) - _SHOWN} older runs stand in the table only."))
    return Section("networks", TITLE, (*blocks, *units))


def _units(run: UnitRun) -> Group:
    """Return the binary F1 of each action unit."""
    honest, optimistic = run.units(), run.units("optimistic")
    rows: list[list[Value | Cell]] = []
    for unit, values in honest.items():
        scores = [values.get(name) for name in ("clips", "f1", "precision", "recall")]
        number = Cell(f"AU {unit}", sort=float(unit)) if unit.isdigit() else Cell(unit)
        rows.append([number, *scores, optimistic.get(unit, {}).get("f1")])
    mean = f"{run.title}, {run.scores.get('protocol')}: mean F1 {run.full()['mean_f1']:.3f}, honest"
    if run.full("optimistic"):
        mean += f"; {run.full('optimistic')['mean_f1']:.3f}, optimistic"
    notes = tuple(str(note) for note in run.scores.get("notes", ()))
    warning = (Notes((_DEPENDENT,), "warning"),) if run.scores.get("subject_dependent") else ()
    columns = ("unit", "clips with it", "F1", "precision", "recall", "optimistic F1")
    table = Table("Action units, a model of its own for each", columns, rows, name=f"units-{run.name}")
    return Group(f"Action units: {run.name}", (*warning, Text(mean), table, *([Notes(notes)] if notes else [])))


def _left(study: Study) -> list[Block]:
    names = study.unfinished
    return [Notes((f"Runs without scores, interrupted or damaged: {', '.join(names)}.",), "warning")] if names else []


def _table(runs: tuple[Run, ...]) -> Table:
    rows: list[list[Value | Cell]] = []
    for run in runs:
        honest, optimistic = run.full, run.optimistic().get("uf1")
        gap = None if optimistic is None else float(optimistic) - float(honest["uf1"])
        rows.append([
            run.name, str(run.scores.get("scheme", "")), str(run.scores.get("protocol", "")),
            str(run.scores.get("selection", "")), int(run.scores.get("seeds", 1)), int(run.scores.get("folds", 0)),
            int(honest["n"]), Cell(float(honest["uf1"]), "strong"), float(honest["uar"]), float(honest["accuracy"]),
            optimistic, gap if gap is None else Cell(f"{gap:+.3f}", sort=gap),
        ])  # fmt: skip
    columns = ("run", "scheme", "protocol", "selection", "seeds", "folds", "clips", "UF1", "UAR", "accuracy",
               "optimistic UF1", "gap")  # fmt: skip
    return Table("All runs", columns, rows)


def _run(run: Run) -> list[Block]:
    blocks: list[Block] = []
    if run.scores.get("subject_dependent"):
        blocks.append(Notes((_DEPENDENT,), "warning"))
    blocks += [_by_database(run), *_by_class(run), Figures("Confusion", tuple(_confusions(run)))]
    notes = [str(note)[:1].upper() + str(note)[1:] + "." for note in run.scores.get("notes", ())]
    notes += [
        f"{name}: {values['note']}." for name, values in {"all": run.full, **run.databases}.items() if "note" in values
    ]
    if notes:
        blocks.append(Notes(tuple(notes)))
    table = run.predictions
    if table.empty:
        return [*blocks, Notes(("predictions.csv is missing or damaged, so there is nothing by person.",), "warning")]
    return [*blocks, _persons(run, table), *_wrong(run, table)]


def _by_database(run: Run) -> Table:
    seeds = int(run.scores.get("seeds", 1))
    rows: list[list[Value | Cell]] = []
    for name, honest in {"all": run.full, **run.databases}.items():
        optimistic = run.optimistic("" if name == "all" else name)
        row: list[Value | Cell] = [name, int(honest["n"]), span(honest)]
        for score in ("uf1", "uar", "accuracy"):
            sd = float(honest.get("sd", {}).get(score, 0.0))
            told = f"{honest[score]:.3f}" + (f" ± {sd:.3f}" if seeds > 1 else "")
            row.append(Cell(told, "strong" if score == "uf1" else "", sort=float(honest[score])))
        row += [optimistic.get("uf1"), optimistic.get("uar")]
        rows.append(row)
    columns = ("database", "clips", "UF1, 95 % interval", "UF1", "UAR", "accuracy", "optimistic UF1", "optimistic UAR")
    spread = f", mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
    return Table(f"Scores by database{spread}", columns, rows, name=f"databases-{run.name}")


def span(scores: Mapping[str, Any]) -> Cell:
    """Return the interval of UF1 over resampled persons as a cell, where the run has one."""
    interval = scores.get("interval")
    ends = interval.get("uf1") if isinstance(interval, dict) else None
    if not isinstance(ends, list) or len(ends) != len(("low", "high")):
        return Cell(None)
    low, high = float(ends[0]), float(ends[1])
    return Cell(f"{low:.3f} to {high:.3f}", sort=low)


def _by_class(run: Run) -> list[Block]:
    """Return each class's recall, precision and F1, where the run has them."""
    kinds = [
        (name, run.full.get(key)) for name, key in (("recall", "recall"), ("precision", "precision"), ("F1", "f1"))
    ]
    told = [(name, values) for name, values in kinds if isinstance(values, dict)]
    if not told:
        return []
    rows = [(name, *(values.get(name) for _, values in told)) for name in run.classes]
    return [Table("Honest scores by class", ("class", *(name for name, _ in told)), rows, name=f"classes-{run.name}")]


def _confusions(run: Run) -> list[Figure]:
    seeds = int(run.scores.get("seeds", 1))
    summed = f", summed over {seeds} seeds" if seeds > 1 else ""
    found = []
    for kind, scores in (("honest", run.full), ("optimistic", run.optimistic())):
        matrix = scores.get("confusion")
        if matrix:
            svg = confusion_drawing(matrix, run.classes, f"Confusion matrix of {run.title}, {kind}")
            found.append(
                Figure(svg, f"{kind.capitalize()}{summed}: UF1 {scores['uf1']:.3f}.", f"confusion-{kind}-{run.name}")
            )
    return found


def _persons(run: Run, table: pd.DataFrame) -> Table:
    seeds = max(int(run.scores.get("seeds", 1)), 1)
    right = table.assign(
        right=table["truth"] == table["prediction"],
        lucky=table["truth"] == table["optimistic"] if "optimistic" in table else False,
    )
    rows: list[list[Value | Cell]] = []
    for person, own in right.groupby("person", sort=False):
        clips = len(own) / seeds
        honest, lucky = float(own["right"].mean()), float(own["lucky"].mean())
        rows.append([str(person), ", ".join(sorted(set(own["database"]))), round(clips), ", ".join(
            f"{name} {count // seeds}" for name, count in own["truth"].value_counts().items()),
            Cell(honest, "bad" if honest < 0.5 else ""), lucky if run.optimistic() else None])  # fmt: skip
    columns = ("person", "database", "clips", "classes", "accuracy", "optimistic accuracy")
    return Table("Persons, each tested by networks that had not seen them", columns, rows, name=f"persons-{run.name}")


def _wrong(run: Run, table: pd.DataFrame) -> list[Block]:
    wrong = table[table["truth"] != table["prediction"]]
    if wrong.empty:
        return [Text("Every clip was predicted rightly.")]
    rows: list[list[Value | Cell]] = []
    for _, row in wrong.iterrows():
        chance = row.get(f"probability_{row['prediction']}")
        rows.append([str(row["id"]), int(row.get("seed", 0)), str(row["truth"]), str(row["prediction"]),
                     None if chance is None or pd.isna(chance) else float(chance)])  # fmt: skip
    columns = ("clip", "seed", "truth", "prediction", "its probability")
    told = f"{len(wrong)} of {len(table)} predictions were wrong"
    return [Details(told, (Table("Wrong predictions", columns, rows, name=f"wrong-{run.name}"),))]
