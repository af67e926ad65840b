"""How a long step tells how far it is, without knowing who listens (a terminal, a test, nobody)."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What stages, downloads and training report to."""

    def start(self, description: str, total: int) -> None:
        """Begin a step of `total` units (clips, bytes, folds)."""

    def advance(self, amount: int = 1, *, failed: bool = False) -> None:
        """Count `amount` units as finished, or as finished without success."""

    def finish(self) -> None:
        """End the step."""


class Silent:
    """A progress that nobody sees.

    Examples
    --------
    >>> progress = Silent()
    >>> progress.start("flow", 3)
    >>> progress.advance()
    >>> progress.finish()
    """

    def start(self, description: str, total: int) -> None:
        """Ignore the start."""

    def advance(self, amount: int = 1, *, failed: bool = False) -> None:
        """Ignore the step."""

    def finish(self) -> None:
        """Ignore the end."""
