r"""TV-L1 optical flow, our own: accurate below a pixel, and compiled.

The flow :math:`w = (u, v)` from the onset :math:`I_0` to the apex :math:`I_1` minimises

.. math:: \int |\nabla u| + |\nabla v| + \lambda \, |I_1(x + w(x)) - I_0(x)| \; dx              \qquad (1)

On every level of a pyramid, coarse to fine, the data term is expanded `warps` times around the present flow
:math:`w_0`; with :math:`g = \nabla [I_1(x + w_0)]`,

.. math:: \rho(w) = I_1(x + w_0) - I_0(x) + g \cdot (w - w_0)                                   \qquad (2)

and `iterations` times each, all at once over the image,

.. math::
    d &= \operatorname{clamp}(-\rho(w) / |g|^2, -\lambda\theta, \lambda\theta), \quad \hat w = w + d\,g \quad (3) \\
    w &= \hat w + \theta \, \operatorname{div} p                                                \qquad (4) \\
    p &= (p + \tfrac{\tau}{\theta} \nabla w) / (1 + \tfrac{\tau}{\theta} |\nabla w|)            \qquad (5)

with one dual field p for each component. (3) is the threshold step of the paper, written without its three cases.
The number of iterations is fixed and small on purpose: on micro-motion, further ones make the flow worse, since (1)
prefers piecewise constant fields and skin moves smoothly. After each warp both components pass a median of five
along rows, then along columns. Noisy pairs are changed first (`noise.py`). docs/flow.md gives the details and what
was measured.

References
----------
C. Zach, T. Pock, H. Bischof, "A duality based approach for realtime TV-L1 optical flow", DAGM 2007.
J. Sánchez, E. Meinhardt-Llopis, G. Facciolo, "TV-L1 optical flow estimation", IPOL 3, 2013, doi:10.5201/ipol.2013.26.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from merprep.config import StageConfig
from merprep.flow.base import Estimator, Fields, Images, in_threads
from merprep.flow.noise import adapted

_SMALLEST_LEVEL = 16
LEAST_GRADIENT = 1e-6  # of |g|^2, squared grey levels a pixel
# The free number of Keys' cubic. On motion made with a = -1/2, with a = -3/4 (OpenCV's) and with a cubic spline, the
# value between keeps the largest error smallest; each of the others does well only on motion made with itself.
CUBIC = -0.625


class TvL1Parameters(StageConfig):
    """Parameters of TV-L1; the defaults are tuned for motions of 0.1 to 2 px.

    Parameters
    ----------
    attachment : float
        lambda, the weight of the data term for grey levels 0 to 255.
    tightness : float
        theta, how closely the smoothed field follows the data.
    time_step : float
        tau; the iteration is stable up to 1/4.
    scales : int
        Levels of the pyramid; levels below 16 px are left out.
    scale_step : float
        Size of a level relative to the next finer one.
    warps : int
        How often the data term is expanded anew on each level.
    iterations : int
        Iterations after each warp.
    median : bool
        Whether each component is median filtered after each warp.
    adapt_to_noise : bool
        Whether pairs with noise of about two grey levels or more are smoothed, rounded and weighed by it first; see
        `merprep.flow.noise`.

    Examples
    --------
    >>> TvL1Parameters().attachment
    0.2
    """

    attachment: float = Field(default=0.2, gt=0, le=10)
    tightness: float = Field(default=0.07, gt=0, le=10)
    time_step: float = Field(default=0.25, gt=0, le=0.25)
    scales: int = Field(default=5, ge=1, le=20)
    scale_step: float = Field(default=0.8, ge=0.3, le=0.95)
    warps: int = Field(default=3, ge=1, le=100)
    iterations: int = Field(default=20, ge=1, le=10000)
    median: bool = True
    adapt_to_noise: bool = True


class TvL1(Estimator[TvL1Parameters]):
    """TV-L1 on the CPU: one pair a core, compiled by numba on first use (some seconds, then cached).

    On a GPU, `on` gives the engine that computes whole batches by Triton kernels.

    Examples
    --------
    >>> images = np.zeros((1, 32, 32), np.float32)
    >>> TvL1().fields(images, images).any()
    np.False_
    """

    name = "tvl1"
    devices = ("cpu", "cuda")

    model = TvL1Parameters

    def on(self, device: str) -> Estimator[TvL1Parameters]:
        """Return the engine for a device; see `Estimator.on`."""
        if device == "cpu":
            return self
        from merprep.flow.tvl1_gpu import TvL1Gpu

        return TvL1Gpu(**self.parameters.model_dump())

    def for_small_motion(self) -> Estimator[TvL1Parameters]:
        """Return the engine without a pyramid; see `Estimator.for_small_motion`."""
        return TvL1(**{**self.parameters.model_dump(), "scales": 1})

    def prepare(self) -> None:
        """Compile the engine, or read it from numba's cache."""
        import merprep.flow.tvl1_kernels  # noqa: F401

    def fields(self, onset: Images, apex: Images, *, threads: int | None = None) -> Fields:
        """Compute the flow of each pair; see `Estimator.fields`."""
        from merprep.flow.tvl1_kernels import new_buffer, solve

        settings = self.parameters
        count, height, width = onset.shape
        levels = level_sizes(height, width, settings.scales, settings.scale_step)
        flows = np.empty((count, 2, height, width), np.float32)
        numbers = [np.float32(value) for value in (settings.time_step, settings.attachment, settings.tightness)]

        def work(pairs: range) -> None:
            buffer = new_buffer(height, width)
            for pair in pairs:
                first, second = onset[pair], apex[pair]
                if settings.adapt_to_noise:
                    first, second = adapted(first, second)
                solve(
                    buffer, first, second, flows[pair], levels, *numbers,
                    settings.warps, settings.iterations, settings.median,
                )  # fmt: skip

        in_threads(work, count, threads)
        return flows


def level_sizes(height: int, width: int, scales: int, step: float) -> NDArray[np.int64]:
    """Return height and width of each level of the pyramid, the finest first.

    Returns
    -------
    (levels, 2) int64

    Examples
    --------
    >>> level_sizes(28, 28, 5, 0.8).tolist()
    [[28, 28], [22, 22], [18, 18]]
    """
    sizes = [(round(height * step**level), round(width * step**level)) for level in range(scales)]
    kept = [size for level, size in enumerate(sizes) if level == 0 or min(size) >= _SMALLEST_LEVEL]
    return np.array(kept, np.int64)


ESTIMATOR = TvL1
