"""The Typer application: which commands there are, grouped by task."""

from __future__ import annotations

from typing import Annotated

import typer

from merprep import __version__
from merprep.cli import (
    align,
    bench,
    cite,
    clean,
    compare,
    config,
    databases,
    demo,
    doctor,
    export,
    flow,
    imports,
    ingest,
    labels,
    merge,
    predict,
    report,
    run,
    score,
    show,
    spot,
    temporal,
    verify,
)
from merprep.cli import train as train_commands
from merprep.cli import weights as weights_commands
from merprep.cli.command import add_command

_EPILOG = "Three that everybody runs: merprep ingest casme2 ROOT · merprep flow · merprep train"

app = typer.Typer(
    name="merprep",
    help="From raw micro-expression databases to checked features, and networks that tell the truth.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_TRY = "Try it"
_PREPARE = "Prepare the data"
_FEATURES = "Make features"
_NETWORKS = "Train and look"
_MACHINE = "This machine"

add_command(app, demo.demo, panel=_TRY)
add_command(app, run.run, panel=_TRY)
add_command(app, databases.databases, panel=_PREPARE)
add_command(app, ingest.ingest, panel=_PREPARE)
add_command(app, labels.labels, panel=_PREPARE)
add_command(app, verify.verify, panel=_PREPARE)
add_command(app, cite.cite, panel=_PREPARE)
add_command(app, align.align, panel=_FEATURES)
add_command(app, spot.spot, panel=_FEATURES)
add_command(app, temporal.temporal, panel=_FEATURES)
add_command(app, flow.flow, panel=_FEATURES)
add_command(app, merge.merge, panel=_FEATURES)
app.add_typer(imports.app, name="import", rich_help_panel=_FEATURES)
add_command(app, train_commands.train, panel=_NETWORKS)
add_command(app, predict.predict, panel=_NETWORKS)
add_command(app, compare.compare, panel=_NETWORKS)
add_command(app, score.score, panel=_NETWORKS)
add_command(app, report.report, panel=_NETWORKS)
add_command(app, show.show, panel=_NETWORKS)
add_command(app, export.export, panel=_NETWORKS)
add_command(app, clean.clean, panel=_MACHINE)
add_command(app, doctor.doctor, panel=_MACHINE)
app.add_typer(weights_commands.app, name="weights", rich_help_panel=_MACHINE)
app.add_typer(config.app, name="config", rich_help_panel=_MACHINE)
app.add_typer(bench.app, name="bench", rich_help_panel=_MACHINE)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass
