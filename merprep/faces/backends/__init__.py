"""Landmark backends, one a file, behind one interface (`merprep.faces.backends.base`)."""

from __future__ import annotations

import importlib
import threading

from merprep.errors import UnknownNameError
from merprep.faces.backends.base import Backend, DetectedFace, FaceBox

__all__ = ["Backend", "DetectedFace", "FaceBox", "backend", "names", "resolve", "scheme_of"]

DEFAULT = "mesh"

# A new backend is one file with `SCHEME` and `create()`, and one line here.
_HOMES = {
    "mesh": "merprep.faces.backends.mesh",
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
    """Return what the landmarks of a backend are, without loading it.

    Examples
    --------
    >>> scheme_of("mesh")
    'mesh478'
    """
    return str(importlib.import_module(_HOMES[resolve(name)]).SCHEME)


def backend(name: str = "auto") -> Backend:
    """Return a backend, created once a thread (OpenCV's networks cannot be shared between threads).

    Raises
    ------
    UnknownNameError
        Where there is no such backend.
    WeightsError
        Where its weights are missing and cannot be fetched.
    """
    known = resolve(name)
    cache: dict[str, Backend] = _created.__dict__
    if known not in cache:
        created: Backend = importlib.import_module(_HOMES[known]).create()
        cache[known] = created
    return cache[known]
