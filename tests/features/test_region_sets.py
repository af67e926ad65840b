from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merprep.errors import ConfigError, FlowError, UnknownNameError
from merprep.features import (
    FlowConfig,
    RegionTable,
    anatomical_boxes,
    anatomical_table,
    area_average,
    cut_regions,
    region_boxes,
    region_table,
    region_tables,
)
from merprep.temporal import TemporalConfig

SETS = sorted(region_tables())
# Eyes, nose and mouth corners of a mean face of 84 px between the eyes, in an aligned face of 224 px.
POINTS = np.array([(70, 56), (154, 56), (112, 113), (69, 131), (155, 131)], np.float64)


def waves(size: int, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
    """A smooth picture that has moved by (dx, dy), from a formula, so that any part of a pixel is exact."""
    y, x = np.mgrid[:size, :size].astype(np.float64)
    return (np.sin((x - dx) / 9) * np.cos((y - dy) / 7) + 0.01 * (x - dx))[np.newaxis].astype(np.float32)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("edges", ["exact", "snapped"])
def test_every_set_lies_on_the_face_and_has_the_shape_that_it_says(name: str, edges: str) -> None:
    table = region_table(name)
    boxes = region_boxes(table, POINTS, (224, 224), edges=edges)  # type: ignore[arg-type]
    assert boxes.min() >= 0
    assert boxes.max() <= 224
    assert (boxes[:, 2:] - boxes[:, :2]).min() >= 1
    cut = cut_regions(waves(224), POINTS, table, 28, edges=edges)  # type: ignore[arg-type]
    assert cut.shape == (len(table.names), 1, *table.shape(28))
    assert np.isfinite(cut).all()


inner_sets = [name for name in SETS if name != "grid-5x5"]  # a grid stays where it is, whatever the face does


@pytest.mark.parametrize("name", inner_sets)
@given(st.integers(-40, 40), st.integers(-40, 40))
@settings(max_examples=15, deadline=None)
def test_cutting_commutes_with_whole_shifts_of_the_face(name: str, dx: int, dy: int) -> None:
    points = POINTS / 2 + 100 + 0.37
    table = region_table(name)
    table = table.model_copy(update={"regions": tuple(_halved(box, table) for box in table.regions)})
    big = np.random.default_rng(0).normal(size=(1, 320, 320)).astype(np.float32)
    moved = np.roll(big, (dy, dx), axis=(1, 2))
    for edges in ("exact", "snapped"):
        still = cut_regions(big, points, table, 28, edges=edges)
        np.testing.assert_allclose(
            cut_regions(moved, points + np.array([dx, dy]), table, 28, edges=edges), still, atol=1e-5
        )


def _halved(box, table):  # type: ignore[no-untyped-def]
    """Windows in parts of the map would leave it when moved; a smaller part tests the same."""
    return box if table.unit == "eyes" else box.model_copy(update={"extent": (0.2, 0.2)})


@given(st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=25, deadline=None)
def test_exact_windows_see_the_same_face_wherever_between_pixels_it_lies(dx: float, dy: float) -> None:
    table = region_table("action-units")
    still = cut_regions(waves(224), POINTS, table, 28)
    moved = cut_regions(waves(224, dx, dy), POINTS + np.array([dx, dy]), table, 28)
    assert np.abs(moved - still).max() < 0.012  # pixels are averaged as if they were flat
    snapped = cut_regions(waves(224, dx, dy), POINTS + np.array([dx, dy]), table, 28, edges="snapped")
    assert np.abs(snapped - still).max() < 0.2


@given(st.lists(st.floats(0, 223), min_size=10, max_size=10))
@settings(max_examples=25, deadline=None)
def test_the_snapped_four_are_the_windows_of_anatomical_boxes(numbers: list[float]) -> None:
    points = np.array(numbers).reshape(5, 2)
    boxes = region_boxes(region_table("anatomical"), points, (224, 224), edges="snapped")
    np.testing.assert_array_equal(boxes, anatomical_boxes(points, (224, 224)))


def test_windows_grow_with_the_face() -> None:
    table = region_table("face-parts")
    once = region_boxes(table, POINTS / 2 + 60, (400, 400))
    twice = region_boxes(table, POINTS + 60, (400, 400))
    np.testing.assert_allclose(twice[:, 2:] - twice[:, :2], 2 * (once[:, 2:] - once[:, :2]), rtol=1e-6)


def test_a_grid_tiles_the_map() -> None:
    tiles = cut_regions(waves(224), POINTS, region_table("grid-5x5"), 28).reshape(5, 5, 7, 7)
    np.testing.assert_allclose(tiles.swapaxes(1, 2).reshape(35, 35), area_average(waves(224)[0], 35), atol=1e-5)


def test_sets_of_a_configuration_are_filled_in_and_count_for_its_id() -> None:
    named = FlowConfig.model_validate({"regions": "action-units, grid-5x5"})
    assert list(named.regions) == ["action-units", "grid-5x5"]
    assert named.config_id() != FlowConfig().config_id() != FlowConfig(region_edges="snapped").config_id()
    again = FlowConfig.model_validate_json(named.canonical_json())
    assert again.config_id() == named.config_id()
    assert FlowConfig.model_validate({"regions": ["anatomical"]}) == FlowConfig()


def test_the_sets_of_every_file_are_the_same_whatever_ones_own_folder_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "regions").mkdir()
    (tmp_path / "regions" / "anatomical.toml").write_text("grid = [3, 3]\n", encoding="utf-8")
    plain = anatomical_table()
    monkeypatch.setenv("MERPREP_MANIFESTS", str(tmp_path))
    assert anatomical_table() == plain
    assert region_table("anatomical") != plain
    with pytest.raises(ConfigError, match="another name"):
        FlowConfig.read({"regions": ["anatomical"]}, where="test")
    with pytest.raises(ConfigError, match="another name"):
        FlowConfig.read({"regions": {"htnet-published": {"grid": [2, 2]}}}, where="test")


def test_a_configuration_says_only_once_how_faces_are_aligned() -> None:
    whole = TemporalConfig(length=8)
    assert FlowConfig(temporal=whole.steps()).temporal == whole.steps()
    with pytest.raises(ConfigError, match=r"steps\(\)"):
        FlowConfig.read({"temporal": whole}, where="test")


def test_wrong_tables_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="five-with-nose"):
        FlowConfig.model_validate({"regions": ["five-with-noze"]})
    window = {"name": "a", "extent": [1, 1]}
    elsewhere, flat = {**window, "around": ["chin"]}, {**window, "extent": [0, 1]}
    for wrong in ({}, {"grid": [2, 2], "regions": [window]}, {"regions": [window, window]}, {"grid": [0, 2]},
                  {"regions": [elsewhere]}, {"regions": [flat]}):  # fmt: skip
        with pytest.raises(ConfigError):
            RegionTable.read(wrong, where="test")
    with pytest.raises(FlowError, match="five points"):
        region_boxes(region_table("anatomical"), POINTS[:4], (224, 224))
    with pytest.raises(FlowError, match="one clip"):
        cut_regions(waves(224)[0], POINTS, region_table("anatomical"), 28)
