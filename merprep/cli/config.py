"""`merprep config`: the settings that the stages run with."""

from __future__ import annotations

import typer

from merprep.cli.command import add_command
from merprep.cli.output import Output

app = typer.Typer(no_args_is_help=True, help="Show the settings that the stages run with.")


def show(out: Output) -> None:
    """Show the settings of alignment and flow and the id that stands in their files' names.

    Example: merprep config show
    """
    from merprep.faces import AlignConfig
    from merprep.features import FlowConfig

    settings = {"align": AlignConfig(), "flow": FlowConfig()}
    for name, config in settings.items():
        rows = [(key, str(value)) for key, value in config.model_dump(mode="json").items()]
        out.table(f"{name} ({config.config_id()})", ("setting", "value"), rows)
    out.document({name: {"id": c.config_id(), **c.model_dump(mode="json")} for name, c in settings.items()})


add_command(app, show)
