"""Networks, one a file, with their presets and the key maps to the published implementations.

The networks themselves are imported when they are built, so that listing them needs no torch.
"""

from merprep.models.checkpoints import read_checkpoint
from merprep.models.keymap import load_published, published_shapes, to_published
from merprep.models.presets import InputSpec, Preset, names, preset, presets
from merprep.models.registry import build, build_preset, network_class

__all__ = [
    "InputSpec",
    "Preset",
    "build",
    "build_preset",
    "load_published",
    "names",
    "network_class",
    "preset",
    "presets",
    "published_shapes",
    "read_checkpoint",
    "to_published",
]
