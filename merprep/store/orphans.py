"""Lets worker processes end with the process that they work for."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

from merprep.store.whole import is_alive

_SECONDS = 1.0
_watching: set[int] = set()


def end_with_parent() -> None:
    """Let this process end within seconds of its parent, if it is one of loky's workers; else do nothing.

    A worker whose parent was killed would wait for work for ever, with all the memory that it holds.
    """
    process = os.getpid()
    if process in _watching or not multiprocessing.current_process().name.startswith("LokyProcess"):
        return
    _watching.add(process)
    threading.Thread(target=_watch, args=(os.getppid(),), name="merprep-parent", daemon=True).start()


def _watch(parent: int) -> None:
    # Elsewhere than on Windows, an orphan has another parent at once.
    while os.getppid() == parent and (os.name != "nt" or is_alive(parent)):
        time.sleep(_SECONDS)
    os._exit(1)
