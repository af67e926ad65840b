"""Channels, area averages, regions and mosaics: what is cut is what the face shows there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep.errors import ConfigError, FlowError, StoreError, UnknownNameError
from merprep.features import (
    FlowConfig,
    anatomical_boxes,
    area_average,
    area_weights,
    channels_of,
    cut_anatomical,
    cut_published,
    fallback_points,
    five_points,
    mosaic,
)
from merprep.flow import strain, to_grey


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40))
def test_area_averaging_keeps_the_mean_between_any_two_sizes(height: int, width: int, h: int, w: int) -> None:
    maps = np.random.default_rng(height * 97 + width).normal(size=(2, height, width))
    small = area_average(maps, (h, w))
    assert small.shape == (2, h, w)
    np.testing.assert_allclose(small.mean(axis=(1, 2)), maps.mean(axis=(1, 2)), atol=1e-5)


def test_area_averaging_by_a_whole_factor_is_the_mean_of_blocks() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 224, 224)).astype(np.float32)
    blocks = maps.reshape(3, 28, 8, 28, 8).mean(axis=(2, 4))
    np.testing.assert_allclose(area_average(maps, 28), blocks, atol=1e-6)


@given(st.integers(1, 300), st.integers(1, 300))
def test_every_cell_has_weight_one_and_every_pixel_the_same_share(length: int, cells: int) -> None:
    weights = area_weights(length, cells)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(weights.sum(axis=0), cells / length, atol=1e-9)


def test_nothing_cannot_be_resized() -> None:
    with pytest.raises(FlowError):
        area_average(np.zeros((0, 4)), 2)
    with pytest.raises(FlowError):
        area_average(np.zeros((4, 4)), 0)


def test_channels_come_in_the_order_that_was_asked_for() -> None:
    field = np.random.default_rng(1).normal(size=(2, 12, 12)).astype(np.float32)
    maps = channels_of(field, ("strain", "v", "u", "magnitude"))
    np.testing.assert_array_equal(maps[0], strain(field))
    np.testing.assert_array_equal(maps[1:3], field[::-1])
    np.testing.assert_allclose(maps[3], np.hypot(*field))
    with pytest.raises(UnknownNameError, match="vorticity"):
        channels_of(field, ("vorticity",))
    with pytest.raises(FlowError):
        channels_of(field[:1], ("u",))


@given(st.integers(-20, 20), st.integers(-20, 20), st.lists(st.floats(30, 66), min_size=10, max_size=10))
def test_cropping_commutes_with_translation(dx: int, dy: int, numbers: list[float]) -> None:
    # 20 px of shift stay inside: windows are 48 px wide, points 30 to 66 px from the border of 96 + 2 * 40 px.
    canvas = np.random.default_rng(7).normal(size=(2, 176, 176)).astype(np.float32)
    points, shift = np.array(numbers).reshape(5, 2), np.array([dx, dy])
    still = canvas[:, 40:136, 40:136]
    moved = canvas[:, 40 - dy : 136 - dy, 40 - dx : 136 - dx]
    expected = anatomical_boxes(points, (96, 96))
    found = anatomical_boxes(points + shift, (96, 96))
    cut, cut_moved = cut_anatomical(still, points), cut_anatomical(moved, points + shift)
    for index, (before, after) in enumerate(zip(expected, found, strict=True)):
        if (after[0] - before[0], after[1] - before[1]) == (dx, dy):  # neither window was moved inside
            np.testing.assert_array_equal(cut_moved[index], cut[index])
        else:
            assert 0 in (before[0], before[1], after[0], after[1]) or 96 in (*before, *after)


@given(st.lists(st.floats(-300, 500), min_size=10, max_size=10))
def test_anatomical_windows_stay_inside_the_face_wherever_the_points_are(numbers: list[float]) -> None:
    points = np.array(numbers).reshape(5, 2)
    for left, top, right, bottom in anatomical_boxes(points, (224, 224)):
        assert left >= 0
        assert right <= 224
        assert top >= 0
        assert bottom <= 224
        assert (right - left, bottom - top) == (112, 112)


def test_each_anatomical_region_holds_its_own_part_of_the_face() -> None:
    maps = np.zeros((1, 224, 224), np.float32)
    named = {
        "image_left_eye": (70, 80),
        "image_right_eye": (154, 82),
        "nose": (112, 120),
        "image_left_mouth": (85, 165),
        "image_right_mouth": (139, 163),
    }
    points = five_points(named)
    for value, name in enumerate(("image_left_eye", "image_right_eye", "image_left_mouth", "image_right_mouth"), 1):
        x, y = named[name]
        maps[0, y, x] = value
    regions = cut_anatomical(maps, points)
    for value in range(1, 5):
        row, column = np.argwhere(regions[value - 1, 0] == value)[0]
        assert (row, column) in {(55, 55), (56, 56), (55, 56), (56, 55)}
    assert cut_anatomical(maps, points, 28).shape == (4, 1, 14, 14)


def test_published_regions_of_the_fallback_points_are_the_rows_and_columns_of_the_released_code() -> None:
    rows, columns = np.mgrid[:28, :28].astype(np.float32)
    regions = cut_published(np.stack([rows, columns]), fallback_points())
    # Rows 2-16 and columns 4-18, rows 14-28 and columns 3-17, and so on: hand-derived from x as row, y as column.
    for region, (row, column) in zip(regions, [(2, 4), (14, 3), (3, 14), (13, 14)], strict=True):
        assert region.shape == (2, 14, 14)
        assert (region[0].min(), region[0].max()) == (row, row + 13)
        assert (region[1].min(), region[1].max()) == (column, column + 13)


def test_published_coordinates_are_clamped_so_that_every_window_fits() -> None:
    points = np.array([(-50, 90), (90, -50), (0, 0), (6.99, 21.01), (20.99, 7.01)])
    rows, columns = np.mgrid[:28, :28].astype(np.float32)
    regions = cut_published(np.stack([rows, columns]), points)
    firsts = [(int(region[0, 0, 0]), int(region[1, 0, 0])) for region in regions]
    assert firsts == [(0, 14), (14, 0), (0, 14), (13, 0)]


def test_published_regions_need_a_square_map_of_a_multiple_of_four() -> None:
    with pytest.raises(FlowError, match="multiple of 4"):
        cut_published(np.zeros((1, 30, 30), np.float32), fallback_points())
    with pytest.raises(FlowError, match="five points"):
        cut_published(np.zeros((1, 28, 28), np.float32), fallback_points()[:4])


def test_the_mosaic_has_regions_0_and_1_above_2_and_3() -> None:
    regions = np.random.default_rng(2).normal(size=(6, 4, 3, 14, 14)).astype(np.float32)
    whole = mosaic(regions)
    assert whole.shape == (6, 3, 28, 28)
    np.testing.assert_array_equal(whole[:, :, :14, 14:], regions[:, 1])
    np.testing.assert_array_equal(whole[:, :, 14:, :14], regions[:, 2])
    with pytest.raises(StoreError, match="four regions"):
        mosaic(regions[:, :3])


def test_points_that_are_missing_are_named() -> None:
    with pytest.raises(FlowError, match="points") as caught:
        five_points({"nose": (1, 2)})
    assert "image_left_eye" in str(caught.value)


def test_grey_is_a_weighted_mean_of_blue_green_red() -> None:
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 100, 150, 200
    np.testing.assert_allclose(to_grey(image), 0.114 * 100 + 0.587 * 150 + 0.299 * 200, rtol=1e-6)
    np.testing.assert_array_equal(to_grey(image[..., 0]), image[..., 0])


def test_the_id_of_a_configuration_counts_the_values_of_all_parameters() -> None:
    plain = FlowConfig()
    assert plain.parameters["iterations"] == 20
    assert plain.config_id() == FlowConfig.read({"parameters": {"iterations": 20}}, where="test").config_id()
    assert plain.config_id() != FlowConfig.read({"parameters": {"iterations": 21}}, where="test").config_id()
    assert FlowConfig.model_validate(plain.model_dump(mode="json")) == plain


@pytest.mark.parametrize(
    "values", [{"size": 30}, {"size": 512}, {"channels": ("u", "u")}, {"channels": ()}, {"parameters": {"warp": 1}}]
)
def test_impossible_settings_are_refused_by_name(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        FlowConfig.read(dict(values), where="test")


def test_unknown_methods_and_channels_are_refused_with_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match="tvl9"):
        FlowConfig.read({"method": "tvl9"}, where="test")
    with pytest.raises(UnknownNameError, match="swirl"):
        FlowConfig.read({"channels": ("swirl",)}, where="test")
