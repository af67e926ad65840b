"""How commands speak: tables for people, one JSON document for programs, one panel for an error."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merprep.plain import shown
from merprep.progress import Progress, Silent
from merprep.store.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console

    from merprep.errors import MerprepError
    from merprep.planning import Step
    from merprep.records import StageReport
    from merprep.study import Study

# What a list of reasons shows before it says how many more there are.
_MOST_REASONS = 12
_PIPE_WIDTH = 140


class Output:
    """The screen of one command, and its exit code.

    Parameters
    ----------
    workspace : Path
        The folder named by ``--workspace``.
    strict, json, quiet, debug : bool
        The shared options.
    """

    def __init__(self, workspace: Path, strict: bool, json: bool, quiet: bool, debug: bool) -> None:
        self.workspace = Workspace(workspace)
        self.strict = strict
        self.json = json
        self.quiet = quiet
        self.debug = debug
        self.exit_code = 0

    @cached_property
    def study(self) -> Study:
        """The settings of the workspace: its merprep.toml over the defaults."""
        from merprep.study import Study

        return Study(self.workspace.folder)

    @property
    def talks(self) -> bool:
        """Whether text for people is wanted."""
        return not (self.json or self.quiet)

    def progress(self) -> Progress:
        """Return a progress bar on stderr, or a silent one."""
        if not self.talks:
            return Silent()
        from merprep.cli.bars import Bars

        return Bars()

    def say(self, *things: Any) -> None:
        """Print text or a rich table for people; text from files is never read as markup."""
        if self.talks:
            console = self._console()
            for thing in things:
                console.print(shown(thing) if isinstance(thing, str) else thing, markup=False, highlight=False)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table for people; numbers stand to the right."""
        if not self.talks:
            return
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(shown(title, lines=False)), title_justify="left", header_style="bold", box=SIMPLE_HEAD)
        for index, name in enumerate(columns):
            numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
            table.add_column(Text(_cell(name)), justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(_cell(value)) for value in row))
        self._console().print(table)

    def document(self, value: Mapping[str, Any]) -> None:
        """Print the JSON document, where ``--json`` asked for it."""
        if self.json:
            sys.stdout.write(json_module.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def stage(self, report: StageReport, *, then: str = "") -> None:
        """Print a stage's account and what comes `then`; ``--strict`` turns failures into exit code 1."""
        counts = report.counts()
        self.say(
            f"{report.stage}: {counts['in']} clips = {counts['done']} done + {counts['skipped']} skipped "
            f"+ {counts['failed']} failed, in {report.seconds:.1f} s"
        )
        for state in ("skipped", "failed"):
            reasons = list(report.reasons(state).items())
            for reason, count in reasons[:_MOST_REASONS]:
                self.say(f"  {state} {count}: {shown(reason, lines=False)}")
            if len(reasons) > _MOST_REASONS:
                self.say(f"  … and {len(reasons) - _MOST_REASONS} more reasons, all in the stage's report")
        for note in report.notes:
            self.say(f"  note: {shown(note, lines=False)}")
        for path in report.outputs:
            self.say(f"  wrote {path}")
        self.next_step(report.next_step or (then if counts["done"] else ""))
        if counts["failed"]:
            self.failed()

    def plan(self, *steps: Step) -> None:
        """Print what would be done."""
        for step in steps:
            self.say(*step.lines())
        self.say("nothing was done: that is what --dry-run is for")
        self.document({"plan": [step.as_json() for step in steps]})

    def failed(self) -> None:
        """Note that some clips failed; only ``--strict`` makes that an exit code."""
        if self.strict:
            self.exit_code = 1

    def next_step(self, command: str) -> None:
        """Say what comes next: a command that can be pasted, with this workspace in it."""
        if command:
            self.say(f"next: {self.here(command)}")

    def here(self, command: str) -> str:
        """Return a command of merprep as it must be typed for this workspace."""
        folder = str(self.workspace.folder)
        if not command.startswith("merprep ") or "--workspace" in command or folder == ".":
            return command
        return f'{command} --workspace "{folder}"' if " " in folder else f"{command} --workspace {folder}"

    def error(self, error: MerprepError) -> None:
        """Print an error as one panel on stderr, or as JSON on stdout where ``--json`` was asked for."""
        if self.json:
            kind = type(error).__name__
            self.document({"error": {"kind": kind, "what": error.what, **error.details()}})
            return
        from rich.panel import Panel
        from rich.text import Text

        lines = Text(shown(error.what), style="bold")
        for name, text in error.details().items():
            lines.append(f"\n{name:<9}", style="cyan")
            # Further lines are set in, so that none of them can be taken for another field.
            lines.append(shown(text).replace("\n", "\n         "), style="default not bold")
        self._console(stderr=True).print(Panel(lines, title="merprep", title_align="left", border_style="red"))

    def note(self, text: str) -> None:
        """Say something on stderr about what goes on, beside the results."""
        if self.talks:
            self._console(stderr=True).print(text, markup=False, highlight=False)

    def interrupted(self) -> None:
        """Say that what was finished is kept."""
        self._console(stderr=True).print("interrupted; finished clips and folds are kept, run the same command again")

    def _console(self, *, stderr: bool = False) -> Console:
        from rich.console import Console

        console = Console(stderr=stderr, soft_wrap=not stderr)
        # Into a file or a pipe, rich would assume 80 columns and break words.
        return console if console.is_terminal else Console(stderr=stderr, soft_wrap=not stderr, width=_PIPE_WIDTH)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else shown(str(value), lines=False)
