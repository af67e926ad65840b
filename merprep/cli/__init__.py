"""The command line: parses, calls the public API, prints. No logic."""

from __future__ import annotations


def main() -> None:
    """Run `merprep`; the entry point of the installed command."""
    import os

    # A damaged image is reported by merprep, with its clip; OpenCV's own line would stand between the tables.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    from merprep.cli.app import app

    app()


__all__ = ["main"]
