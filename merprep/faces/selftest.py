"""A check that this machine's OpenCV reads the landmark networks as the published measurements did."""

from __future__ import annotations

import numpy as np

from merprep.faces.backends import backend
from merprep.faces.finding import find_face
from merprep.manifest_data import load_table


def self_test() -> float:
    """Find five points of a known photograph and return how far the worst lies from where it was measured.

    Returns
    -------
    float
        Pixels of scikit-image's astronaut (eye distance 43 px); over 1 px means that OpenCV reads the networks
        otherwise than the versions that were measured (4.13 to 5.0).

    Raises
    ------
    WeightsError
        Where the weights are missing and cannot be fetched.
    FaceError
        Where the face is not even found.

    Examples
    --------
    >>> self_test() < 1.0  # doctest: +SKIP
    True
    """
    import skimage.data

    table = load_table("faces", "self-test")["points"]
    image = np.ascontiguousarray(skimage.data.astronaut()[:, :, ::-1])
    found = find_face(image, backend("mesh"), where="scikit-image's astronaut").face.landmarks
    expected = np.array(list(table.values()), np.float64)
    return float(np.linalg.norm(found[[int(number) for number in table]] - expected, axis=1).max())
