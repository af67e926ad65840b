"""Flow colours: white where nothing moves, opposite colours for opposite motion."""

import colorsys

import numpy as np
import pytest

from merprep.report.colours import colour_wheel, flow_colours, hsv_to_rgb


def test_no_motion_is_white():
    np.testing.assert_array_equal(flow_colours(np.zeros((2, 3, 4), np.float32), 1.0), np.ones((3, 4, 3)))


@pytest.mark.parametrize("hue", np.linspace(0, 0.99, 12))
@pytest.mark.parametrize("saturation", [0.0, 0.4, 1.0])
def test_colours_are_those_of_the_standard_library(hue, saturation):
    expected = colorsys.hsv_to_rgb(hue, saturation, 1.0)
    np.testing.assert_allclose(hsv_to_rgb(np.array([hue]), np.array([saturation]))[0], expected, atol=1e-12)


def test_opposite_motions_have_complementary_colours():
    right, left = (flow_colours(np.array([[[u]], [[0.0]]], np.float32), 1.0)[0, 0] for u in (1.0, -1.0))
    np.testing.assert_allclose(right + left, [1.0, 1.0, 1.0], atol=1e-6)


def test_the_wheel_shows_the_colour_of_motion_towards_its_rim():
    wheel = colour_wheel(65)
    np.testing.assert_allclose(
        wheel[32, 63, :3], flow_colours(np.array([[[31 / 32]], [[0.0]]], np.float32), 1.0)[0, 0], atol=1e-6
    )
    assert wheel[0, 0, 3] == 0.0
