"""Figures are written whole, with what they are asked to show."""

import cv2
import numpy as np
import pytest

from merprep.report import ClipPicture, draw_clip, draw_confusion


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_clip_is_drawn_in_grey_and_in_colour(tmp_path, channels):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (64, 64, *channels), dtype=np.uint8)
    picture = ClipPicture(
        title="casme2/sub01/EP02_01f — $not mathematics$",
        onset=image,
        apex=image,
        landmarks=np.array([[20.0, 20.0], [40.0, 20.0]], np.float32),
        boxes=[(4, 4, 36, 36)],
        flow=rng.normal(size=(2, 64, 64)).astype(np.float32),
        strain=rng.random((64, 64)).astype(np.float32),
    )
    path = draw_clip(picture, tmp_path / "figures" / "clip.png")
    drawn = cv2.imread(str(path))
    assert drawn.shape[1] > 1000
    assert drawn.std() > 10


def test_a_confusion_matrix_is_drawn_even_with_an_empty_class(tmp_path):
    matrix = np.array([[5, 1, 0], [2, 3, 0], [0, 0, 0]])
    path = draw_confusion(matrix, ("negative", "positive", "surprise"), "HTNet", tmp_path / "confusion.png")
    assert cv2.imread(str(path)) is not None
    assert [file.name for file in tmp_path.iterdir()] == ["confusion.png"]
