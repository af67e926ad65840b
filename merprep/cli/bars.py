"""Progress bars on stderr: how many, how fast, how long still, how many failed."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if not speed else f"{speed:,.1f}/s", style="dim")


class Bars:
    """A `merprep.progress.Progress` drawn by rich; silent where stderr is not a terminal."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None

    def start(self, description: str, total: int) -> None:
        """Open a bar; one that is still open is closed first."""
        self.finish()
        console = Console(stderr=True)
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}", style="red", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._failures = 0
        self._bar.start()
        self._task_id = self._bar.add_task(description, total=total, failed="")

    def advance(self, amount: int = 1, *, failed: bool = False) -> None:
        """Move the bar on."""
        if self._bar is None:
            return
        self._failures += amount if failed else 0
        text = f"{self._failures} failed" if self._failures else ""
        self._bar.update(self._task_id, advance=amount, failed=text)

    def finish(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
