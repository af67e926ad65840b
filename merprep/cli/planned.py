"""The option of commands that can say what they would do."""

from __future__ import annotations

from typing import Annotated

import typer

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, and how long it may take.")]
