"""Flow along whole clips, two frames at a time, and flow in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import UsageError
from merprep.flow.checks import checked_pair, naming, resolved_device
from merprep.flow.registry import estimate, estimator


def stream(
    frames: Iterable[ArrayLike],
    pairs: Literal["onset-every", "frame-frame"] = "onset-every",
    method: str = "tvl1",
    device: str = "cpu",
    **parameters: Any,
) -> Iterator[NDArray[np.float32]]:
    """Yield the flow along a clip; no more than two frames are held, however long it is.

    Parameters
    ----------
    frames : iterable of (H, W) uint8 or float32
        Grey, 0 to 255, the onset first; read one by one.
    pairs : {"onset-every", "frame-frame"}
        From the first frame to each later one, or from each frame to the next.
    method, device, **parameters
        See `merprep.flow.estimate`.

    Yields
    ------
    (2, H, W) float32
        One for each frame but the first, px.

    Raises
    ------
    UsageError
        Where there are no such pairs.
    FlowError
        Where a frame cannot be used.

    Examples
    --------
    >>> clip = (np.zeros((32, 32), np.uint8) for _ in range(4))
    >>> [flow.shape for flow in stream(clip, "frame-frame")]
    [(2, 32, 32), (2, 32, 32), (2, 32, 32)]
    """
    if pairs not in ("onset-every", "frame-frame"):
        raise UsageError("There are no such pairs", expected="onset-every or frame-frame", found=repr(pairs))
    chosen = estimator(method, **parameters)
    engine = chosen.on(resolved_device(device, method, chosen.devices))
    first: ArrayLike | None = None
    for number, frame in enumerate(frames):
        if first is not None:
            with naming(f"frame {number}"):
                onset, apex = checked_pair(first, frame, keep_bytes=engine.takes_bytes)
            yield np.asarray(engine.fields(onset, apex)[0])
        if first is None or pairs == "frame-frame":
            first = frame


@dataclass(frozen=True)
class BothWays:
    """Flow in both directions.

    Parameters
    ----------
    forward, backward : (..., 2, H, W) float32
        Onset to apex and apex to onset, px.
    inconsistency : (..., H, W) float32
        How far from where it started a pixel of the onset comes back, px: small where the flow can be trusted.
        Infinite where it left the picture.
    """

    forward: NDArray[np.float32]
    backward: NDArray[np.float32]
    inconsistency: NDArray[np.float32]


def both_ways(
    onset: ArrayLike, apex: ArrayLike, method: str = "tvl1", device: str = "cpu", **parameters: Any
) -> BothWays:
    """Compute flow in both directions, and where they disagree.

    Parameters
    ----------
    onset, apex, method, device, **parameters
        See `merprep.flow.estimate`.

    Examples
    --------
    >>> images = np.zeros((32, 32), np.uint8)
    >>> float(both_ways(images, images).inconsistency.max())
    0.0
    """
    forward = estimate(onset, apex, method, device, **parameters)
    backward = estimate(apex, onset, method, device, **parameters)
    flat = zip(
        forward.reshape(-1, *forward.shape[-3:]), backward.reshape(-1, *backward.shape[-3:]), strict=True
    )  # fmt: skip
    rest = np.stack([_inconsistency(there, back) for there, back in flat])
    return BothWays(forward, backward, rest.reshape(*forward.shape[:-3], *forward.shape[-2:]))


def _inconsistency(there: NDArray[np.float32], back: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``|w(x) + w'(x + w(x))|``, the way there and back."""
    from scipy.ndimage import map_coordinates

    height, width = there.shape[1:]
    y, x = np.mgrid[:height, :width] + there[::-1].astype(np.float64)
    returned = np.stack([map_coordinates(part, np.stack([y, x]), order=1, mode="nearest") for part in back])
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    return np.where(inside, np.hypot(*(there + returned)), np.inf).astype(np.float32)
