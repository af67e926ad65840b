"""What is done to the frames of an aligned clip, one after the other, and where its key frames are then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from merprep.config import StageConfig
from merprep.errors import UsageError
from merprep.faces.config import AlignConfig
from merprep.temporal.checks import Frames


class Magnification(StageConfig):
    """The settings of `merprep.temporal.magnify`.

    Parameters
    ----------
    factor : float
        alpha: motions look 1 + alpha times as large.
    low, high : float
        The band of temporal frequencies, Hz.
    wavelength : float
        px of the aligned face; shorter ones are magnified less.
    fps : float, optional
        Frames a second, in place of what the manifest says of each clip.
    """

    factor: float = Field(default=10.0, gt=0, le=1000)
    low: float = Field(default=0.5, ge=0)
    high: float = Field(default=4.0, gt=0)
    wavelength: float = Field(default=16.0, gt=0)
    fps: float | None = Field(default=None, gt=0)


class TemporalSteps(StageConfig):
    """What is done to the frames of a clip: a span is taken, magnified, then brought to a number of frames.

    Parameters
    ----------
    span : {"onset-offset", "onset-apex", "all"}
        Which frames are taken first.
    magnify : Magnification, optional
    length : int, optional
        Frames of every clip; None keeps those that there are, with their file numbers.
    method : {"tim", "linear", "uniform"}
        How `length` frames are made: by interpolation, or by taking some (and repeating, where there are fewer).

    Examples
    --------
    >>> TemporalSteps(length=16).method
    'tim'
    """

    span: Literal["onset-offset", "onset-apex", "all"] = "onset-offset"
    magnify: Magnification | None = None
    length: int | None = Field(default=None, ge=2, le=4096)
    method: Literal["tim", "linear", "uniform"] = "tim"

    @model_validator(mode="after")
    def _something_is_done(self) -> Self:
        if self.magnify is None and self.length is None:
            raise ValueError("nothing is asked for: give a length, or magnify")
        return self


class TemporalConfig(TemporalSteps):
    """The settings of the temporal stage.

    Parameters
    ----------
    align : AlignConfig
        How the faces were aligned.

    Examples
    --------
    >>> TemporalConfig(length=8).steps() == TemporalSteps(length=8)
    True
    """

    align: AlignConfig = Field(default_factory=AlignConfig)

    def steps(self) -> TemporalSteps:
        """Return what is done to the frames, without how they were aligned."""
        return TemporalSteps(**{name: getattr(self, name) for name in TemporalSteps.model_fields})


@dataclass(frozen=True)
class TemporalPlan:
    """Which frames a clip's new ones are made from, and what is where afterwards.

    Parameters
    ----------
    taken : tuple of int
        File numbers of the frames that are taken.
    numbers : tuple of int
        Those of the frames that come out: the same, or 1 to `length`.
    onset, apex, offset : int or None
        Of the clip that comes out.
    fps : float or None
    gaps : int
        How many file numbers are missing in the span; what is there is taken to be evenly spaced.
    """

    taken: tuple[int, ...]
    numbers: tuple[int, ...]
    onset: int | None
    apex: int | None
    offset: int | None
    fps: float | None
    gaps: int


def temporal_plan(
    steps: TemporalSteps,
    present: Sequence[int],
    *,
    onset: int | None,
    apex: int | None,
    offset: int | None,
    fps: float | None,
) -> TemporalPlan:
    """Plan the steps for a clip.

    Parameters
    ----------
    steps : TemporalSteps
    present : sequence of int
        File numbers of the frames there are, ascending.
    onset, apex, offset : int, optional
        File numbers of the clip's key frames.
    fps : float, optional
        Frames a second.

    Raises
    ------
    UsageError
        Where the clip lacks what the steps need; its text is the reason.

    Examples
    --------
    >>> plan = temporal_plan(TemporalSteps(length=5), range(10, 31), onset=10, apex=14, offset=30, fps=200.0)
    >>> plan.numbers, plan.apex, plan.fps
    ((1, 2, 3, 4, 5), 2, 40.0)
    """
    taken = _taken(steps, present, onset, apex, offset)
    gaps = taken[-1] - taken[0] + 1 - len(taken)
    if steps.magnify is not None and (steps.magnify.fps or fps) is None:
        raise UsageError("its frame rate is not known")
    if steps.length is None:
        numbers, new = taken, {number: number for number in taken}
    else:
        places = _places(steps, len(taken))
        numbers = tuple(range(1, steps.length + 1))
        new = {number: 1 + int(np.abs(places - index).argmin()) for index, number in enumerate(taken)}
        fps = None if fps is None else fps * (steps.length - 1) / (len(taken) - 1)
    first, top, last = (None if number is None else new.get(number) for number in (onset, apex, offset))
    return TemporalPlan(taken, numbers, first, top, last, fps, gaps)


def _taken(
    steps: TemporalSteps, present: Sequence[int], onset: int | None, apex: int | None, offset: int | None
) -> tuple[int, ...]:
    first, last = present[0], present[-1]
    if steps.span != "all":
        name, end = ("apex", apex) if steps.span == "onset-apex" else ("offset", offset)
        if onset is None or end is None:
            raise UsageError(f"it has no {'onset' if onset is None else name}")
        first, last = onset, end
    taken = tuple(number for number in present if first <= number <= last)
    if len(taken) < 2:
        raise UsageError(f"only {len(taken)} frame{'' if len(taken) == 1 else 's'} in the span {steps.span}")
    return taken


def _places(steps: TemporalSteps, count: int) -> NDArray[np.float64]:
    """Return which of the `count` frames taken each new one is, or lies between."""
    from merprep.temporal.sampling import uniform_indices

    if steps.method == "uniform":
        return np.asarray(uniform_indices(count, steps.length or count), np.float64)
    return np.linspace(0, count - 1, steps.length or count)


def apply_steps(frames: Frames, steps: TemporalSteps, *, fps: float | None) -> Frames:
    """Do the steps to the frames that were taken.

    Parameters
    ----------
    frames : (T, H, W) or (T, H, W, 3), uint8 or float
    steps : TemporalSteps
        Its span is not looked at.
    fps : float, optional
        Frames a second; magnification needs it.

    Returns
    -------
    (length or T, ...) of the frames' type

    Raises
    ------
    ImageError, UsageError
        As `merprep.temporal.magnify` and `interpolate` do.

    Examples
    --------
    >>> apply_steps(np.zeros((9, 4, 4), np.uint8), TemporalSteps(length=3, method="linear"), fps=None).shape
    (3, 4, 4)
    """
    from merprep.temporal.interpolation import interpolate
    from merprep.temporal.magnification import magnify
    from merprep.temporal.sampling import sample_uniformly

    if steps.magnify is not None:
        how = steps.magnify
        rate = how.fps or fps
        if rate is None:
            raise UsageError("Magnification needs to know the frames a second")
        frames = magnify(frames, how.factor, fps=rate, low=how.low, high=how.high, wavelength=how.wavelength)
    if steps.length is None:
        return frames
    if steps.method == "uniform":
        return sample_uniformly(frames, steps.length)
    return interpolate(frames, steps.length, steps.method)
