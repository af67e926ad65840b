from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep.errors import ImageError
from merprep.faces.reading import read_image

PICTURE = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)


def written(path: Path, image: np.ndarray = PICTURE) -> Path:
    # Through a buffer, as cv2.imwrite does not take every file name everywhere.
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_pictures_are_read_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    np.testing.assert_array_equal(read_image(written(tmp_path / f"图像{suffix}")), PICTURE)
    np.testing.assert_array_equal(read_image(written(tmp_path / f"grey{suffix}", PICTURE[:, :, 0])), PICTURE[:, :, 0])


def test_an_alpha_channel_is_dropped(tmp_path: Path) -> None:
    image = read_image(written(tmp_path / "shot.png", np.dstack([PICTURE, PICTURE[:, :, 0]])))
    np.testing.assert_array_equal(image, PICTURE)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("part", [0.3, 0.7, 0.99])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, suffix: str, part: float) -> None:
    path = written(tmp_path / f"cut{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ImageError, match="cut off"):
        read_image(path)


def test_missing_empty_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path / "missing.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(ImageError, match="empty file"):
        read_image(tmp_path / "empty.jpg")
    (tmp_path / "text.jpg").write_text("this is no image")
    with pytest.raises(ImageError, match="no image decoder"):
        read_image(tmp_path / "text.jpg")


def test_pictures_of_16_bits_are_refused_with_how_to_convert_them(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="8-bit") as caught:
        read_image(written(tmp_path / "deep.png", PICTURE.astype(np.uint16)))
    assert "257" in str(caught.value.mend)
