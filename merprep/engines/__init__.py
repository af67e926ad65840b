"""Engines that carry work to other processes and machines (Dask, Ray), behind joblib's interface of backends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merprep.lazy import lazy_names

if TYPE_CHECKING:
    from merprep.engines.backend import Engine, Lost, spread
    from merprep.engines.opening import names, open_engine

__all__ = ["Engine", "Lost", "names", "open_engine", "spread"]

__getattr__ = lazy_names(
    __name__,
    {**dict.fromkeys(("Engine", "Lost", "spread"), "backend"), **dict.fromkeys(("names", "open_engine"), "opening")},
)
