"""`merprep train`: a network leaving one subject out, its honest score beside the optimistic one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from merprep.cli import completing
from merprep.cli.cluster import Distributed, Scheduler
from merprep.cli.output import Output
from merprep.cli.planned import DryRun


class Precision(StrEnum):
    """In which numbers a network computes."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


class Selection(StrEnum):
    """Which epoch's predictions are printed as the chosen ones."""

    last = "last"
    inner = "inner"
    test_oracle = "test-oracle"


def train(
    out: Output,
    model: Annotated[
        str | None,
        typer.Option(help="htnet (by itself), ststnet, svm, majority, …", autocompletion=completing.models),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="published (hours, or a GPU), sanity (minutes), …")] = None,
    features: Annotated[
        Path | None,
        typer.Option(help="Features (or aligned faces); those made last where not given."),
    ] = None,
    classes: Annotated[int | None, typer.Option(help="3 (MEGC2019), 5 or 7 unified classes.")] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help="A label scheme by name, instead of --classes; au-12, or action-units for twelve of them."),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="loso (by itself), kfold-N, hde, hold-out:DATABASE, dfme-official, …: see --list."),
    ] = None,
    selection: Annotated[
        Selection | None,
        typer.Option(help="last epoch, or by inner validation persons; test-oracle is optimistic (much literature)."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many seeds; scores are means over them.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda (all visible GPUs, in turn) or cuda:N.")] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Worker processes; all cores, or one a GPU, where not given."),
    ] = None,
    stack: Annotated[
        int | None, typer.Option(min=1, help="Folds of a small network side by side in a process; 1: one by one.")
    ] = None,
    precision: Annotated[
        Precision | None,
        typer.Option(help="auto (by itself): bfloat16 for large networks on a GPU that has it, else float32."),
    ] = None,
    capture: Annotated[
        bool | None,
        typer.Option("--capture/--no-capture", help="Record the steps of large networks on a GPU (by itself), or not."),
    ] = None,
    distributed: Distributed = None,
    scheduler: Scheduler = None,
    epochs: Annotated[int | None, typer.Option(help="Fewer or more epochs than the recipe says (recorded).")] = None,
    max_folds: Annotated[int | None, typer.Option(help="Only the first folds: a trial, marked as such.")] = None,
    pretrain: Annotated[
        Path | None,
        typer.Option(help="Macro-expressions to learn first: a workspace, its file, or a folder of classes."),
    ] = None,
    pretrain_scheme: Annotated[str | None, typer.Option(help="Their label scheme; emotions as annotated.")] = None,
    final: Annotated[bool | None, typer.Option("--final", help="Also fit on everybody, for `merprep predict`.")] = None,
    dry_run: DryRun = False,
    list_: Annotated[bool, typer.Option("--list", help="Only list models, presets, protocols and schemes.")] = False,
) -> None:
    """Train leaving people out, pool the predictions, and print the honest score beside the optimistic one.

    Nobody is ever trained on and tested: see --list for the ways of leaving people, or whole databases, out. A run
    that was interrupted continues with the folds that are missing.

    Example: merprep train --model htnet --preset sanity --seeds 3
    """
    if list_:
        _list(out)
        return
    from merprep import training
    from merprep.engines import open_engine
    from merprep.errors import UsageError

    table = out.study.train_table(
        model=model,
        preset=preset,
        features=features and str(features),
        classes=classes,
        scheme=scheme,
        protocol=protocol,
        selection=selection and selection.value,
        seeds=seeds,
        device=device,
        jobs=jobs,
        stack=stack,
        precision=precision and precision.value,
        capture=capture,
        epochs=epochs,
        max_folds=max_folds,
        pretrain=pretrain and str(pretrain),
        pretrain_scheme=pretrain_scheme,
        final=final,
    )
    source = table.features or training.newest_input(out.workspace, table.model, table.preset)
    options: dict[str, Any] = {**table.arguments(), "runs_folder": out.workspace.runs}
    if dry_run:
        from merprep.planning import plan_train

        out.plan(*plan_train(source, **options))
        return
    options["progress"] = out.progress()
    if table.scheme == training.ACTION_UNITS:
        if distributed is not None:
            raise UsageError("Action units are trained on this machine alone", mend="leave --distributed out")
        del options["scheme"]
        units = training.train_units(source, **options)
        out.table(units.title(), *units.table())
        out.say(*units.remarks())
        out.document(units.as_json())
        return
    with open_engine(distributed, scheduler, jobs=table.jobs) as engine:
        result = training.train(source, **options, engine=engine)
    columns, rows = result.table()
    out.table(result.title(), columns, rows)
    out.table("by class, honest", *result.class_table())
    if result.published:
        out.table("published on the same clips", *result.published_table())
    for line in result.remarks():
        out.say(line)
    out.next_step("merprep report --open")
    out.document(result.as_json())


def _list(out: Output) -> None:
    """Print what there is to choose from; nothing heavy is imported."""
    from merprep.evaluation import PROTOCOLS
    from merprep.labels import scheme_names
    from merprep.models import names, preset, presets

    found = [preset(model, name) for model in names() for name in presets(model)]
    rows = [(row.model, row.name, row.input.representation, row.description.split(". ")[0]) for row in found]
    out.table("models", ("model", "preset", "sees", ""), rows)
    out.table("protocols", ("protocol", ""), list(PROTOCOLS.items()))
    out.say(f"selection: {', '.join(Selection)}", f"schemes: {', '.join(scheme_names())}, action-units, au-N")
    models = {model: [row.name for row in found if row.model == model] for model in names()}
    out.document({"models": models, "protocols": PROTOCOLS, "selections": list(Selection), "schemes": scheme_names()})
