"""Landmark backends, one a file, behind one interface (`merprep.faces.backends.base`)."""

from __future__ import annotations

import importlib
import threading

from merprep.errors import UnknownNameError
from merprep.faces.backends.base import Backend, DetectedFace, FaceBox

__all__ = ["Backend", "DetectedFace", "FaceBox", "backend", "names", "resolve", "scheme_of"]

DEFAULT = "mesh"

# A new backend is one file with `SCHEME` and `create(device)`, and one line here.
_HOMES = {
    "dlib": "merprep.faces.backends.dlib_68",
    "fan": "merprep.faces.backends.fan",
    "mediapipe": "merprep.faces.backends.mediapipe_tasks",
    "mesh": "merprep.faces.backends.mesh",
    "none": "merprep.faces.backends.none",
    "precomputed": "merprep.faces.backends.precomputed",
}

_created = threading.local()


def names() -> list[str]:
    """Return the names of the backends.

    Examples
    --------
    >>> "mesh" in names()
    True
    """
    return sorted(_HOMES)


def resolve(name: str) -> str:
    """Return the name of a backend; ``auto`` is the default one.

    Raises
    ------
    UnknownNameError
        Where there is no such backend.
    """
    known = DEFAULT if name == "auto" else name
    if known not in _HOMES:
        raise UnknownNameError.among("landmark backend", name, ["auto", *names()])
    return known


def scheme_of(name: str) -> str:
    """Return what the landmarks of a backend are, without loading it; empty where its file of landmarks decides.

    Examples
    --------
    >>> scheme_of("mesh")
    'mesh478'
    """
    return str(importlib.import_module(_HOMES[resolve(name)]).SCHEME)


def backend(name: str = "auto", *, device: str = "auto", landmarks: str = "") -> Backend:
    """Return a backend, created once a thread (OpenCV's networks cannot be shared between threads).

    Parameters
    ----------
    name : str
    device : str
        ``auto``, ``cpu`` or ``cuda``, for networks that can use one.
    landmarks : str
        The file that ``precomputed`` reads.

    Raises
    ------
    UnknownNameError
        Where there is no such backend.
    WeightsError
        Where its weights are missing and cannot be fetched.
    MissingDependencyError
        Where it needs a library that is not installed.
    """
    known = resolve(name)
    key = f"{known} {device} {landmarks}"
    cache: dict[str, Backend] = _created.__dict__
    if key not in cache:
        home = importlib.import_module(_HOMES[known])
        created: Backend = home.create(landmarks) if known == "precomputed" else home.create(device)
        cache[key] = created
    return cache[key]
