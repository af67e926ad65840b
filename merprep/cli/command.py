"""What every command shares: five options, one way to print, one way to fail."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from merprep.cli.output import Output
from merprep.errors import MerprepError
from merprep.store.locks import waiting_for_others

_COMMON: dict[str, tuple[Any, Any]] = {
    "workspace": (
        Annotated[Path, typer.Option("--workspace", "-w", help="Folder that holds the manifest, features and runs.")],
        Path(),
    ),
    "strict": (Annotated[bool, typer.Option("--strict", help="Any failed clip makes the exit code 1.")], False),
    "json": (Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, nothing else.")], False),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")], False),
    "debug": (Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")], False),
}
# Commands that write to a workspace; the others need not wait for anybody.
_WRITERS = ("demo", "ingest", "htnet_features", "align", "spot", "temporal", "flow", "train", "merge", "clean", "run")
_WAIT = Annotated[bool, typer.Option("--wait", help="Wait while another merprep writes here, instead of refusing.")]


def add_command(app: typer.Typer, function: Callable[..., None], *, panel: str | None = None) -> None:
    """Register a command under its function's name, with the shared options added.

    The function's first parameter is an `Output`; its docstring is the help.
    """
    name = function.__name__.rstrip("_").replace("_", "-")
    app.command(name, rich_help_panel=panel)(with_common_options(function))


def with_common_options(function: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that Typer sees the shared options, and errors of users become one panel and exit code 2."""

    @functools.wraps(function)
    def command(**arguments: Any) -> None:
        shared = {name: arguments.pop(name) for name in _COMMON}
        wait = arguments.pop("wait", False)
        out = Output(**shared)
        try:
            with waiting_for_others(out.note) if wait else nullcontext():
                function(out, **arguments)
        except MerprepError as error:
            if out.debug:
                raise
            out.error(error)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            out.interrupted()
            raise typer.Exit(130) from None
        raise typer.Exit(out.exit_code)

    own = list(inspect.signature(function).parameters.values())[1:]
    hints = get_type_hints(function, include_extras=True)
    parameters = [parameter.replace(annotation=hints[parameter.name]) for parameter in own]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _COMMON.items()
    ]
    if function.__name__ in _WRITERS:
        parameters.append(inspect.Parameter("wait", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_WAIT))
    setattr(command, "__signature__", inspect.Signature(parameters))  # noqa: B010 - what Typer reads
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del command.__wrapped__
    return command
