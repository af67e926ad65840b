"""merprep: from raw micro-expression databases to checked features, and networks that tell the truth.

The rooms (`databases`, `faces`, `flow`, `evaluation`, ...) are imported when first used, so that the command line
starts quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_ROOMS = (
    "bench", "config", "databases", "errors", "evaluation", "faces", "features", "flow", "labels", "models", "records",
    "report", "stages", "store", "synthetic", "temporal", "training", "weights",
)  # fmt: skip
_NAMES = {"FeatureDataset": "training"}

if TYPE_CHECKING:
    from merprep.training import FeatureDataset

__all__ = ["FeatureDataset", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"merprep.{_NAMES[name]}"), name)
    if name in _ROOMS:
        return importlib.import_module(f"merprep.{name}")
    raise AttributeError(f"module 'merprep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS, *_NAMES])
