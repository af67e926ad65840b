"""2D-FAN: 68 points by the network of the package face-alignment, with its published weights, read by ourselves.

Method: A. Bulat, G. Tzimiropoulos, How far are we from solving the 2D & 3D face alignment problem?, ICCV 2017. The
package rounds its points to whole pixels and its crops to whole pixels, and looks at one picture at a time; here only
its network is used: crops are cut at exact positions, many pictures go through in one forward pass, and the heat maps
are read between their cells (`merprep.faces.heat_maps`). Nothing is compiled, which would take a minute a process.

The box is that of the mesh backend's detector (YuNet), brought to the network by the package's own rule for that
detector: centre moved up by 0.12 of the box's height, scale = (width + height) / 165, a square of 200 scale px.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from merprep import weights
from merprep.errors import DeviceError, FaceError, WeightsError
from merprep.faces.backends.base import Backend, DetectedFace, FaceBox, Image
from merprep.faces.geometry import apply, inverse
from merprep.faces.heat_maps import peaks
from merprep.faces.warp import warp

if TYPE_CHECKING:
    from torch import nn

SCHEME = "ibug68"
BATCH = 32  # faces in one forward pass; on the CPU half of that took 1.3 GB with everything else
_SIDE, _CELLS = 256, 64  # px of the network's input, cells of its maps
_REFERENCE_SCALE, _SQUARE, _UP = 165.0, 200.0, 0.12  # face_alignment 1.5.0: its YuNet detector, and its api
_UPRIGHT = np.deg2rad(20.0)  # the network was trained on faces turned up to about twice that


def create(device: str = "auto") -> FanBackend:
    """Fetch the weights where they are missing, and load them.

    Raises
    ------
    WeightsError
        Where they are missing and cannot be fetched, or do not fit the network.
    DeviceError
        Where the device is not there.
    """
    from merprep.faces.backends import mesh

    return FanBackend(read_network(weights.fetch("fan-2d4")), mesh.create(), device=device)


def new_network(modules: int = 4) -> nn.Module:
    """Return the network with freshly drawn weights; the published ones are for four modules."""
    from face_alignment.models.fan import FAN

    network: nn.Module = FAN(modules)
    return network.eval()


def read_network(path: Path) -> nn.Module:
    """Return the network with the weights of a file.

    Raises
    ------
    WeightsError
        Where the file does not fit the network.
    """
    import torch

    network = new_network()
    try:
        # Only tensors are read: a file of weights runs no code.
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise WeightsError("The file does not hold the weights of 2D-FAN", where=str(path),
                           found=(str(error).splitlines() or [""])[0][:200],
                           mend="remove it, then run `merprep weights fetch fan-2d4`") from error  # fmt: skip
    return network


class FanBackend:
    """2D-FAN with boxes from another backend.

    Parameters
    ----------
    network : torch.nn.Module
        From (B, 3, 256, 256) RGB in 0..1 to a list of heat maps (B, 68, 64, 64); the last counts.
    finder : Backend
        Finds the boxes.
    device : str
        ``auto`` (CUDA where there is a GPU), ``cpu``, ``cuda``.
    """

    name = "fan"
    scheme = SCHEME

    def __init__(self, network: nn.Module, finder: Backend, *, device: str = "auto") -> None:
        self._device = _torch_device(device)
        self._network = network.to(self._device).eval()
        self._finder = finder

    def find(self, image: Image, *, detail: int = 1) -> list[FaceBox]:
        """Return the boxes of all faces, the largest first."""
        return self._finder.find(image, detail=detail)

    def mark(self, image: Image, box: FaceBox) -> DetectedFace:
        """Return the 68 points within a box."""
        return self.mark_all([image], [box])[0]

    def mark_all(self, images: Sequence[Image], boxes: Sequence[FaceBox], *, batch: int = BATCH) -> list[DetectedFace]:
        """Return the points of many faces, `batch` of them in each forward pass.

        Parameters
        ----------
        images : sequence of (H, W) or (H, W, 3) uint8
            Of any shapes.
        boxes : sequence of FaceBox
            One for each image.

        Returns
        -------
        list of DetectedFace
            The score is the mean of the 68 peaks, cut to 0..1.
        """
        if len(images) != len(boxes):
            raise FaceError("Every image needs its box", expected=f"{len(images)} boxes", found=f"{len(boxes)}")
        faces: list[DetectedFace] = []
        for start in range(0, len(images), max(batch, 1)):
            part = slice(start, start + max(batch, 1))
            faces += self._marked(images[part], boxes[part])
        return faces

    def _marked(self, images: Sequence[Image], boxes: Sequence[FaceBox]) -> list[DetectedFace]:
        to_net = [crop_transform(box) for box in boxes]
        crops = [_rgb(warp(image, each, _SIDE, interpolation="linear"))
                 for image, each in zip(images, to_net, strict=True)]  # fmt: skip
        cells, heat = peaks(self._maps(np.stack(crops)))
        # A cell covers 4 px of the crop; its centre lies between its second and third.
        in_crop = (cells + 0.5) * (_SIDE / _CELLS) - 0.5
        scores = heat.mean(axis=1).clip(0, 1)
        return [
            DetectedFace(box, apply(inverse(each), points), SCHEME, float(score))
            for box, each, points, score in zip(boxes, to_net, in_crop, scores, strict=True)
        ]

    def _maps(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        batch = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2))).to(self._device)
        with torch.inference_mode():
            maps = self._network(batch.float() / 255)[-1]
        return np.asarray(maps.float().cpu().numpy())


def crop_transform(box: FaceBox) -> NDArray[np.float64]:
    """Return the similarity (2, 3) from an image to the network's input, by the package's rule.

    A face that lies on its side is set upright; one that is turned by less than 20 degrees is left as it is.

    Examples
    --------
    >>> crop_transform(FaceBox(10.0, 20.0, 82.5, 82.5, 1.0)).round(2).tolist()
    [[1.28, 0.0, 61.9], [0.0, 1.28, 61.77]]
    """
    scale = _SIDE * _REFERENCE_SCALE / (_SQUARE * (box.width + box.height))
    angle = box.angle if abs(box.angle) > _UPRIGHT else 0.0
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, sin], [0.0 - sin, cos]])
    up = np.array([np.sin(angle), -np.cos(angle)]) * _UP * box.height
    return np.column_stack([linear, (_SIDE - 1) / 2 - linear @ (box.centre + up)])


def _rgb(image: Image) -> Image:
    return np.repeat(image[:, :, np.newaxis], 3, axis=2) if image.ndim == 2 else image[:, :, ::-1]


def _torch_device(device: str) -> Any:
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError("There is no CUDA device to run the landmark network on", found=f"torch {torch.__version__}",
                          mend="use --device cpu (device='cpu')")  # fmt: skip
    return torch.device(device)
