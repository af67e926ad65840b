"""Maps as PNG pictures that stand inside the page itself."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from merprep.report.colours import colour_wheel, flow_colours

Pixels = NDArray[np.uint8]


def data_uri(pixels: Pixels, palette: Pixels | None = None) -> str:
    """Return a picture as a PNG in a ``data:`` address.

    Parameters
    ----------
    pixels : (H, W), (H, W, 3) or (H, W, 4) uint8
        Grey, RGB or RGBA; indices where a palette is given.
    palette : (256, 3) uint8, optional
        The colour of each index.

    Examples
    --------
    >>> data_uri(np.zeros((2, 2), np.uint8))[:22]
    'data:image/png;base64,'
    """
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    if palette is not None:
        image.putpalette(palette.tobytes())
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def flow_picture(flow: NDArray[np.floating], bound: float) -> str:
    """Return a flow field (2, H, W) in the colours of the wheel; motion of `bound` px is fully coloured."""
    return data_uri(_bytes(flow_colours(flow.astype(np.float32), bound)))


def heat_picture(values: NDArray[np.floating], bound: float) -> str:
    """Return a map (H, W) from 0 to `bound` in the colours of `heat_palette`."""
    return data_uri(_bytes(values / max(bound, 1e-12)), heat_palette())


def level_picture(values: NDArray[np.floating], low: float, high: float) -> str:
    """Return a map (H, W) from `low` to `high` in colours from dark blue to yellow (matplotlib's viridis)."""
    return data_uri(_bytes((values - low) / max(high - low, 1e-12)), _palette("viridis"))


def face_picture(image: Pixels) -> str:
    """Return a face, grey or BGR as the aligned file holds it."""
    return data_uri(image if image.ndim == 2 else image[..., ::-1])


def wheel_picture(size: int = 96) -> str:
    """Return the legend of flow colours."""
    return data_uri(_bytes(colour_wheel(size)))


def heat_palette() -> Pixels:
    """Return 256 colours from black over red to light yellow, (256, 3) RGB (matplotlib's inferno)."""
    return _palette("inferno")


def _palette(name: str) -> Pixels:
    from matplotlib import colormaps

    return _bytes(np.asarray(colormaps[name](np.arange(256))[:, :3]))


def heat_scale() -> str:
    """Return the palette as a picture, low at the left."""
    return data_uri(np.arange(256, dtype=np.uint8)[np.newaxis], heat_palette())


def _bytes(values: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.rint(np.clip(values, 0.0, 1.0) * 255.0), np.uint8)
