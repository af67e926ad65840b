"""Which frames of a clip flow is computed between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from merprep.features import FlowConfig
from merprep.records import Clip
from merprep.stages.runner import SkipClip


@dataclass(frozen=True)
class KeyFrames:
    """File numbers of the frames that are averaged before and after the motion.

    Parameters
    ----------
    first, second : tuple of int
        One number each, or several around it.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]


def ends(clip: Clip, config: FlowConfig) -> tuple[int | None, int | None]:
    """Return the file numbers of the two frames, None where the clip has no such frame."""
    if config.pair == "onset-apex":
        return clip.onset, clip.apex
    return clip.apex, clip.offset


def key_frames(clip: Clip, config: FlowConfig, present: Sequence[int]) -> KeyFrames:
    """Return the frames of a clip that its flow is computed between.

    Parameters
    ----------
    clip : Clip
    config : FlowConfig
        Its `pair` and `average`.
    present : sequence of int
        File numbers of the frames there are, ascending.

    Raises
    ------
    SkipClip
        Where the clip lacks one of them.

    Examples
    --------
    >>> clip = Clip("samm", "006", "006_1_2", person="samm:6", onset=10, apex=14, offset=20)
    >>> key_frames(clip, FlowConfig(average=1), range(10, 21))
    KeyFrames(first=(10, 11), second=(13, 14, 15))
    """
    numbers = []
    for name, number in zip(config.pair.split("-"), ends(clip, config), strict=True):
        if number is None:
            raise SkipClip(f"it has no {name}")
        if number not in present:
            raise SkipClip(f"the file of its {name} is missing: {clip.frames.path(number)}")
        place = list(present).index(number)
        numbers.append(tuple(present[max(place - config.average, 0) : place + config.average + 1]))
    return KeyFrames(*numbers)
