"""`merprep run`: a whole study from its file."""

from __future__ import annotations

from typing import Annotated

import typer

from merprep.cli.output import Output
from merprep.errors import ConfigError


def run(
    out: Output,
    train: Annotated[bool, typer.Option(help="Also train and score, as [train] says.")] = True,
) -> None:
    """Do a whole study as the workspace's merprep.toml says: ingest its databases, then flow, then train.

    Every stage keeps what is finished, so a run that stopped goes on where it was.

    Example: merprep run --workspace study
    """
    from merprep import models, stages, training

    databases = out.study.databases()
    if not databases:
        raise ConfigError(
            "The study names no database",
            where=str(out.study.path),
            expected='a table such as [databases.casme2] with root = "~/data/CASME2"',
            mend="`merprep config init` writes a file to start from" if not out.study.exists else None,
        )
    for name, arguments in databases.items():
        root = arguments.pop("root")
        result = stages.ingest(out.workspace, name, root, **arguments, progress=out.progress())
        out.say(*result.lines())
        out.stage(result.report)
    how = out.study.running("flow")
    config = out.study.flow_config()
    features, report = stages.flow(out.workspace, config, jobs=how.jobs, device=how.device, progress=out.progress())
    out.stage(report)
    if not train:
        out.document({"features": str(features), "train": None})
        return
    table = out.study.train_table()
    seen = models.preset(table.model, table.preset).input
    if seen.frames:  # a network that sees whole clips; the other frames of the faces are still missing
        out.stage(
            stages.align(
                out.workspace, config.align, frames="all", jobs=how.jobs, device=how.device, progress=out.progress()
            )
        )
    scores = training.train(
        out.workspace.aligned_path(config.align.config_id()) if seen.is_picture else features,
        **table.arguments(),
        runs_folder=out.workspace.runs,
        progress=out.progress(),
    )
    out.table(scores.title(), *scores.table())
    for line in scores.remarks():
        out.say(line)
    out.document({"features": str(features), "train": scores.as_json()})
