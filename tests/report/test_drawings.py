"""Drawings are well-formed, say in words what they show, and hold every text as text."""

import re
from importlib.resources import files
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from merprep.report.blocks import MOST_ROWS, Cell, Section, Table
from merprep.report.charts import bars, histogram, stacked_bars, two_scores
from merprep.report.class_means import level_figures, mean_figures
from merprep.report.confusion_svg import confusion_drawing
from merprep.report.motion import choose
from merprep.report.page import render

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<b>&\"'"
COUNTS = {"negative": 3, HOSTILE: 4}


def means(channels):
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(channels, 28, 28)).astype(np.float32) for name in ("negative", HOSTILE)}


@pytest.mark.parametrize(
    "drawing",
    [
        stacked_bars(HOSTILE, [(HOSTILE, [1, 0])], ("a", HOSTILE)),
        stacked_bars("nothing", [], ("a",)),
        bars("cost", [(HOSTILE, 0.0, "0 s")]),
        histogram("one value", [1.0], "px"),
        histogram("no value", [float("nan")], "px"),
        histogram("on a scale", [0.2, 0.9], "score", span=(0.0, 1.0), width=420),
        two_scores("scores", [("without optimistic", 0.5, None), (HOSTILE, 0.5, 0.75)]),
        confusion_drawing([[3, 1], [0, 0]], ("a", HOSTILE), "with an empty class"),
        *(figure.svg for figure in mean_figures(means(3), {"negative": 3, HOSTILE: 4}, ("u", "v", "strain"))),
        *(
            figure.svg
            for figure in level_figures(means(2), {"negative": 3, HOSTILE: 4}, ("u", "v"), ("level", "level"))
        ),
    ],
)
def test_a_drawing_is_well_formed_and_has_a_title_and_a_description(drawing):
    root = ElementTree.fromstring(str(drawing))
    named = root.get("aria-labelledby").split()
    assert [root.find(f"{SVG}{tag}").get("id") for tag in ("title", "desc")] == named
    assert root.find(f"{SVG}title").text
    assert not [child for child in root.iter() if not child.tag.startswith(SVG)]
    assert not [child for child in root.iter() if child.tag in (f"{SVG}b", f"{SVG}script")]


def _luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_ink_stands_out_from_every_paper(theme):
    style = files("merprep.report.templates").joinpath("report.css").read_text(encoding="utf-8")
    themes = style.split("@media print")[0].split("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", themes[theme]))
    for ink in ("ink", "soft", "link", "good", "bad"):
        for paper in ("paper", "raised"):
            low, high = sorted((_luminance(colours[ink]), _luminance(colours[paper])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, paper)


def test_all_classes_are_drawn_on_one_scale():
    still = np.zeros((2, 28, 28), np.float32)
    moving = still.copy()
    moving[0, 10:14, 10:14] = 2.0
    figures = mean_figures({"still": still, "moving": moving}, {"still": 1, "moving": 1}, ("u", "v"))
    assert all("full colour: 2.00 px" in str(figure.svg) for figure in figures)


def test_the_gallery_shows_no_clip_twice():
    strength = pd.Series({f"clip {number}": float(number) for number in range(20)})
    chosen = choose(strength, 6)
    assert chosen.strongest == tuple(f"clip {number}" for number in range(19, 13, -1))
    assert chosen.weakest == tuple(f"clip {number}" for number in range(6))
    assert len(set(chosen.ids)) == 18
    assert choose(strength, 6) == chosen


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_few_clips_make_a_small_gallery(count):
    strength = pd.Series({str(number): float(number) for number in range(count)}, dtype=float)
    chosen = choose(strength, 6)
    assert len(chosen.ids) == len(set(chosen.ids)) <= count
    assert bool(chosen.strongest) == bool(count)


def test_a_very_long_table_says_how_much_of_it_is_left_out():
    rows = [(f"clip {number}", number) for number in range(MOST_ROWS + 5)]
    page = render([Section("data", "Data", (Table("Clips", ("clip", "n"), rows),))], title="long")
    assert page.count("<tr>") == MOST_ROWS + 1
    assert "5 more rows are left out" in page


def test_numbers_are_told_from_texts_and_sorted_by_what_is_behind_them():
    table = Table(
        "t", ("name", "size", "gap", "mixed"), [("a", Cell("2 KiB", sort=2048.0), None, 1), ("b", 3, 0.5, "x")]
    )
    assert table.numeric == (False, True, True, False)
    page = render([Section("data", "Data", (table,))], title="numbers")
    assert 'data-sort="2048.0"' in page
    assert ">0.500<" in page
