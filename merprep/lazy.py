"""Names that a package offers and imports only when they are first used, so that the command line starts quickly."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def lazy_names(package: str, homes: dict[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package whose names live in modules that are heavy to import (PEP 562).

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    homes : dict of str
        The module of each name, relative to the package.

    Examples
    --------
    >>> find = lazy_names("merprep", {"Clip": "records"})
    >>> find("Clip").__name__
    'Clip'
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return find
