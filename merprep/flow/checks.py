"""What images flow can be computed from; everything else is refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import DeviceError, FlowError, UsageError
from merprep.flow.devices import cuda_is_ready

SMALLEST = 16
# Interpolation overshoots a little; more than that means another scale.
_OVERSHOOT = 32.0


def checked_pair(onset: ArrayLike, apex: ArrayLike, *, keep_bytes: bool = False) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both batches as contiguous (N, H, W) float32, or say what is wrong with them.

    Parameters
    ----------
    onset, apex : (N, H, W) or (H, W), uint8 or float
        Grey, 0 to 255.
    keep_bytes : bool
        Whether uint8 images stay uint8.

    Raises
    ------
    FlowError
        Where shapes differ, an image is empty, too small, not grey, of another type or scale, or not finite.

    Examples
    --------
    >>> onset, apex = checked_pair(np.zeros((16, 16), np.uint8), np.zeros((16, 16), np.uint8))
    >>> onset.shape, onset.dtype
    ((1, 16, 16), dtype('float32'))
    """
    first, second = _array("onset", onset), _array("apex", apex)
    for name, images in (("onset", first), ("apex", second)):
        _check_channels(name, images.shape)
    if first.shape != second.shape:
        raise FlowError("Onset and apex differ in size", expected=str(first.shape), found=str(second.shape))
    for name, images in (("onset", first), ("apex", second)):
        _check_shape(name, images.shape)
        _check_type(name, images)
    return _batch("onset", first, keep_bytes), _batch("apex", second, keep_bytes)


def _array(name: str, images: ArrayLike) -> NDArray[Any]:
    try:
        array = np.asarray(images)
    except ValueError as error:  # rows of several lengths
        raise FlowError(f"The {name} is not an image", found=str(error).split(".", maxsplit=1)[0]) from error
    if array.ndim == 0:
        mend = "read the file first: cv2.imread(name, cv2.IMREAD_GRAYSCALE)" if isinstance(images, str) else None
        raise FlowError(f"The {name} is not an image", expected="(H, W) or (N, H, W)", found=repr(images), mend=mend)
    return array


def _check_channels(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) > 2 and shape[-1] == 1:
        raise FlowError(
            f"The {name} has an axis of channels, with one channel",
            expected="(H, W) or (N, H, W)",
            found=str(shape),
            mend="take it off: image[..., 0]",
        )
    if len(shape) == 4 or (len(shape) == 3 and shape[-1] in (3, 4)):
        raise FlowError(
            f"The {name} has colour channels",
            expected="grey images, (H, W) or (N, H, W)",
            found=str(shape),
            mend="convert it first: merprep.flow.to_grey(image) for BGR",
        )


def _check_shape(name: str, shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise FlowError(f"The {name} is empty", expected="at least one image", found=str(shape))
    if len(shape) not in (2, 3):
        raise FlowError(f"The {name} is not an image", expected="(H, W) or (N, H, W)", found=str(shape))
    if min(shape[-2:]) < SMALLEST:
        raise FlowError(
            f"The {name} is too small for optical flow",
            expected=f"at least {SMALLEST} by {SMALLEST} pixels",
            found=f"{shape[-2]} by {shape[-1]}",
        )


def _check_type(name: str, images: NDArray[np.generic]) -> None:
    if images.dtype == np.uint8 or np.issubdtype(images.dtype, np.floating):
        return
    mend = "divide 16-bit images by 257 and keep them as float32" if images.dtype == np.uint16 else None
    raise FlowError(
        f"The {name} has a type that flow is not computed from",
        expected="uint8, or float32 from 0 to 255",
        found=str(images.dtype),
        mend=mend,
    )


def _batch(name: str, images: NDArray[np.generic], keep_bytes: bool) -> NDArray[Any]:
    kept = keep_bytes and images.dtype == np.uint8
    batch = np.ascontiguousarray(images, np.uint8 if kept else np.float32).reshape(-1, *images.shape[-2:])
    if images.dtype == np.uint8:
        return batch
    if not np.isfinite(batch).all():
        index = int(np.argmin(np.isfinite(batch).all(axis=(1, 2))))
        raise FlowError(f"The {name} holds values that are not numbers (NaN or infinity)", where=f"image {index}")
    low, high = float(batch.min()), float(batch.max())
    if low < -_OVERSHOOT or high > 255 + _OVERSHOOT or 0 < high <= 1:
        raise FlowError(
            f"The {name} is on another scale",
            expected="grey levels from 0 to 255",
            found=f"{low:.4g} to {high:.4g}",
            mend="multiply images from 0 to 1 by 255" if high <= 1 else None,
        )
    return batch


@contextmanager
def naming(which: str) -> Iterator[None]:
    """Say in an error about images which of many they are.

    Examples
    --------
    >>> try:
    ...     with naming("pair 3"):
    ...         raise FlowError("The onset is empty")
    ... except FlowError as error:
    ...     print(error.where)
    pair 3
    """
    try:
        yield
    except FlowError as error:
        where = which + (f", {error.where}" if error.where else "")
        raise FlowError(error.what, where=where, expected=error.expected, found=error.found, mend=error.mend) from error


def resolved_device(device: str, method: str, devices: tuple[str, ...]) -> str:
    """Return the device that a method runs on; ``auto`` takes the GPU where there is one and the method can use it.

    Raises
    ------
    UsageError
        Where there is no device of that name.
    DeviceError
        Where the method has no engine for it.

    Examples
    --------
    >>> resolved_device("auto", "tvl1", ("cpu",))
    'cpu'
    """
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError("There is no such device", expected="auto, cpu or cuda", found=repr(device))
    if device == "auto":
        return "cuda" if "cuda" in devices and cuda_is_ready(method) else "cpu"
    if device not in devices:
        raise DeviceError(
            f"The flow method {method!r} cannot run on {device}",
            expected=" or ".join(devices),
            found=device,
            mend="use --device auto (device='auto')",
        )
    return device
