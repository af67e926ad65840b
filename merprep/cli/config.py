"""`merprep config`: the settings that the stages run with."""

from __future__ import annotations

import typer

from merprep.cli.command import add_command
from merprep.cli.output import Output

app = typer.Typer(no_args_is_help=True, help="The settings that the stages run with, and their file merprep.toml.")


def show(out: Output) -> None:
    """Show all settings as they stand: the workspace's merprep.toml over the defaults, and the ids in files' names.

    Example: merprep config show --workspace study
    """
    values = out.study.as_json()
    out.say(f"settings of {out.study.path}" if out.study.exists else f"defaults; there is no {out.study.path}")
    for name in ("databases", "align", "flow", "train"):
        title = f"{name} ({values[name]['id']})" if "id" in values[name] else name
        rows = [(key, str(value)) for key, value in values[name].items() if key != "id"]
        if rows:
            out.table(title, ("setting", "value"), rows)
    out.document(values)


def init(out: Output) -> None:
    """Write a merprep.toml to start from into the workspace.

    Example: merprep config init --workspace study
    """
    from merprep.study import write_template

    path = write_template(out.study)
    out.say(f"wrote {path}")
    out.next_step("name your databases in it, then `merprep run`")
    out.document({"file": str(path)})


add_command(app, show)
add_command(app, init)
