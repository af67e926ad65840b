"""The command line: parses, calls the public API, prints. No logic."""

from __future__ import annotations


def main() -> None:
    """Run `merprep`; the entry point of the installed command."""
    from merprep.cli.app import app

    app()


__all__ = ["main"]
