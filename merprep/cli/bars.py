"""Progress on stderr: how many, how fast, how long still, how many failed. Bars on a terminal, else a line a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

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

# In the log of a batch job a line a minute is enough; what takes less than that says nothing.
_SECONDS_A_LINE = 60.0


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if not speed else f"{speed:,.1f}/s", style="dim")


class Bars:
    """A `merprep.progress.Progress` drawn by rich; lines of text where stderr is not a terminal.

    Parameters
    ----------
    console : rich.console.Console, optional
        stderr, where None.
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._bar: RichProgress | None = None
        self._lines: _Lines | None = None

    def start(self, description: str, total: int) -> None:
        """Open a bar; one that is still open is closed first."""
        self.finish()
        console = self._console or Console(stderr=True)
        if not console.is_terminal:
            self._lines = _Lines(console, description, total, self._clock)
            return
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
        )
        self._failures = 0
        self._bar.start()
        self._task_id = self._bar.add_task(description, total=total, failed="")

    def advance(self, amount: int = 1, *, failed: bool = False) -> None:
        """Move the bar on."""
        if self._lines is not None:
            self._lines.advance(amount, failed=failed)
        if self._bar is None:
            return
        self._failures += amount if failed else 0
        text = f"{self._failures} failed" if self._failures else ""
        self._bar.update(self._task_id, advance=amount, failed=text)

    def finish(self) -> None:
        """Close the bar."""
        self._lines = None
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class _Lines:
    """A line now and then; rate and time left are those of the time since the last line."""

    def __init__(self, console: Console, description: str, total: int, clock: Callable[[], float]) -> None:
        self._console, self._description, self._total, self._clock = console, description, total, clock
        self._done = self._failures = self._said = 0
        self._when = clock()

    def advance(self, amount: int, *, failed: bool) -> None:
        self._done += amount
        self._failures += amount if failed else 0
        passed = self._clock() - self._when
        if passed < _SECONDS_A_LINE or self._done == self._said:
            return
        rate = (self._done - self._said) / passed
        left = timedelta(seconds=round(max(self._total - self._done, 0) / rate))
        text = f"{self._description}: {self._done} of {self._total}, {rate:,.1f}/s, {left} left"
        failures = f", {self._failures} failed" if self._failures else ""
        self._console.print(text + failures, markup=False, highlight=False, soft_wrap=True)
        self._said, self._when = self._done, self._clock()
