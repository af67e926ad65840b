"""Makes a stage the only one that writes to its workspace, on a workspace without the debris of killed runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from merprep.store.locks import writing
from merprep.store.whole import sweep
from merprep.store.workspace import Workspace

P = ParamSpec("P")
R = TypeVar("R")


def one_writer(stage: Callable[P, R]) -> Callable[P, R]:
    """Wrap a stage, so that a second one on the same workspace is refused (or waits) while it runs.

    A stage that calls another one is no second one. The stage's first parameter must be its workspace.

    Examples
    --------
    >>> import tempfile
    >>> @one_writer
    ... def stage(workspace):
    ...     return "done"
    >>> stage(Workspace(tempfile.mkdtemp()))
    'done'
    """

    @wraps(stage)
    def alone(*arguments: P.args, **options: P.kwargs) -> R:
        given: dict[str, Any] = dict(options)
        workspace: Workspace = given["workspace"] if "workspace" in given else arguments[0]  # type: ignore[assignment]
        with writing(workspace.folder, stage.__name__.replace("_", " ")) as outermost:
            if outermost:
                sweep(workspace.written_folders())
            return stage(*arguments, **options)

    return alone
