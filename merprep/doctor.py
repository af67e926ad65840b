"""What on this machine would stop a run, and how to mend it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from merprep.errors import MerprepError
from merprep.progress import Progress, Silent
from merprep.store.workspace import Workspace

# Features of the largest database (7,526 clips, 224², three channels) need about 4.5 GB.
_ENOUGH_DISK = 5e9

MEND_CV2 = (
    "pip uninstall -y opencv-python opencv-python-headless && "
    "pip install --force-reinstall --no-deps opencv-contrib-python"
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    `state` is ``fine``, ``note`` (works, but worth knowing) or ``wrong``; `mend` says what to do about it.
    """

    name: str
    state: Literal["fine", "note", "wrong"]
    found: str
    mend: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the check as plain values."""
        return asdict(self)


def examine(workspace: Workspace, *, progress: Progress | None = None) -> list[Check]:
    """Look at everything that a run needs.

    Parameters
    ----------
    workspace : Workspace
        Its folder is checked for room and for being writable.
    progress : Progress, optional
        Told while missing weights are fetched.

    Returns
    -------
    list of Check

    Examples
    --------
    >>> checks = examine(Workspace("."))  # doctest: +SKIP
    """
    looks: list[tuple[str, Callable[[], Check]]] = [
        ("Python", _python),
        ("OpenCV", _opencv),
        ("tables", _tables),
        ("weights", lambda: _weights(progress or Silent())),
        ("landmarks", _landmarks),
        ("flow engine", _flow_engine),
        ("torch device", _device),
        ("disk", lambda: _disk(workspace.folder)),
    ]
    return [_looked_at(name, look) for name, look in looks]


def _looked_at(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except MerprepError as error:
        return Check(name, "wrong", f"{error.what} {error.found or ''}".strip(), error.mend or "")
    except ImportError as error:
        return Check(name, "wrong", f"{error}", "pip install --upgrade --force-reinstall merprep")


def _python() -> Check:
    text = f"{sys.version.split()[0]} on {sys.platform}, {os.cpu_count()} cores"
    return Check("Python", "fine", text)


def _opencv() -> Check:
    import cv2

    version = getattr(cv2, "__version__", None)
    if version is None:
        return Check("OpenCV", "wrong", "cv2 is an empty folder: one of two OpenCV packages was uninstalled", MEND_CV2)
    # A plain opencv-python installed later overwrites the contrib build but leaves `cv2.optflow` behind.
    if not hasattr(getattr(cv2, "optflow", None), "DualTVL1OpticalFlow_create"):
        found = f"{version} without contrib modules: another package's opencv-python replaced the contrib build"
        return Check("OpenCV", "wrong", found, MEND_CV2)
    return Check("OpenCV", "fine", f"{version} with contrib modules")


def _tables() -> Check:
    from merprep.manifest_data import manifest_folders, table_names

    found = table_names("databases")
    state: Literal["fine", "wrong"] = "fine" if found else "wrong"
    return Check("tables", state, f"{len(found)} databases in {manifest_folders()[-1]}")


def _weights(progress: Progress) -> Check:
    from merprep import weights

    files = [weights.fetch(row.name, progress=progress) for row in weights.table() if row.default]
    return Check("weights", "fine", ", ".join(file.name for file in files) + f" in {files[0].parent}")


def _landmarks() -> Check:
    from merprep.faces import self_test

    deviation = self_test()
    found = f"five points of a known photograph within {deviation:.2f} px"
    if deviation > 1.0:
        return Check("landmarks", "wrong", found, "another OpenCV may read the network wrongly: " + MEND_CV2)
    return Check("landmarks", "fine", found)


def _flow_engine() -> Check:
    import numpy as np

    from merprep.flow import estimate

    columns, rows = np.meshgrid(np.arange(64.0), np.arange(64.0))
    onset = (128 + 60 * np.sin(columns / 5) * np.cos(rows / 6)).astype(np.float32)
    apex = (128 + 60 * np.sin((columns - 0.5) / 5) * np.cos(rows / 6)).astype(np.float32)
    u, v = estimate(onset, apex)[:, 16:48, 16:48].mean(axis=(1, 2))
    found = f"a shift of (0.50, 0.00) px is measured as ({u:.2f}, {v:.2f})"
    state: Literal["fine", "wrong"] = "fine" if abs(u - 0.5) < 0.1 and abs(v) < 0.1 else "wrong"
    return Check("flow engine", state, found, "" if state == "fine" else "report this with your versions")


def _device() -> Check:
    import torch

    if torch.cuda.is_available():
        return Check("torch device", "fine", f"{torch.__version__}, {torch.cuda.get_device_name()}")
    return Check("torch device", "note", f"{torch.__version__}, CPU only: everything runs, large networks are slow")


def _disk(folder: Path) -> Check:
    existing = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.exists())
    free = shutil.disk_usage(existing).free
    found = f"{free / 1e9:.1f} GB free at {existing}"
    if not os.access(existing, os.W_OK):
        return Check("disk", "wrong", f"{existing} cannot be written to", "choose another --workspace")
    if free < _ENOUGH_DISK:
        return Check("disk", "note", found, "the largest database's features need about 5 GB")
    return Check("disk", "fine", found)
