"""Action units as fields of displaced skin, and which of them an emotion shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UnknownNameError
from merprep.manifest_data import load_table
from merprep.synthetic.photo import LEFT, RIGHT
from merprep.synthetic.subjects import BaseImage

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Bump:
    """One Gaussian bump of displacement.

    Parameters
    ----------
    centre, move : (2,) float64
        (x, y) in pixels; the displacement at the centre, in any unit.
    radius : float
        Standard deviation, px.
    """

    centre: NDArray[np.float64]
    move: NDArray[np.float64]
    radius: float


def emotions() -> list[str]:
    """Return the names of emotions that can be rendered, synonyms included.

    Examples
    --------
    >>> {"happiness", "positive", "repression"} <= set(emotions())
    True
    """
    table = load_table("synthetic", "emotions")
    return sorted([*(name for name in table if name != "synonyms"), *table["synonyms"]])


def units_of(emotion: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Draw one combination of action units for an emotion.

    Parameters
    ----------
    emotion : str
        As annotated, in any case.

    Returns
    -------
    tuple of str
        Numbers; ``L`` or ``R`` before one that moves a single side (image-left or image-right).

    Raises
    ------
    UnknownNameError
        Where ``manifests/synthetic/emotions.toml`` does not name the emotion.

    Examples
    --------
    >>> units_of("Surprise", np.random.default_rng(0))[:2]
    ('1', '2')
    """
    table = load_table("synthetic", "emotions")
    name = emotion.strip().lower()
    name = table["synonyms"].get(name, name)
    if name == "synonyms" or name not in table:
        raise UnknownNameError.among("emotion", emotion, emotions())
    choices = table[name]
    drawn = choices[int(rng.integers(len(choices)))]
    side = "LR"[int(rng.integers(2))]
    return tuple(side + unit.removesuffix("u") if str(unit).endswith("u") else str(unit) for unit in map(str, drawn))


def bumps_of(units: tuple[str, ...], face: BaseImage, rng: np.random.Generator) -> list[Bump]:
    """Place the bumps of some action units on a face, each a little varied in place, strength, size and direction."""
    table = _action_units()
    found: list[Bump] = []
    for unit in units:
        side, number = (unit[0], unit[1:]) if unit[0] in "LR" else ("", unit)
        if f"AU{number}" not in table:
            raise UnknownNameError.among("action unit", f"AU{number}", sorted(table))
        for entry in table[f"AU{number}"]:
            found.extend(_place(entry, side, face, rng))
    return found


def displacement(bumps: list[Bump], size: tuple[int, int], amplitude: float) -> Floats:
    """Return the sum of some bumps on the pixel grid, scaled so that its longest vector has length `amplitude`.

    Parameters
    ----------
    size : (width, height)
    amplitude : float
        Pixels; 0 gives a field of zeros.

    Returns
    -------
    (2, H, W) float32
        ``u`` then ``v``, px.
    """
    x = np.arange(size[0], dtype=np.float64)
    y = np.arange(size[1], dtype=np.float64)
    field = np.zeros((2, size[1], size[0]))
    for bump in bumps:
        across = np.exp(-((x - bump.centre[0]) ** 2) / (2 * bump.radius**2))
        down = np.exp(-((y - bump.centre[1]) ** 2) / (2 * bump.radius**2))
        field += bump.move[:, np.newaxis, np.newaxis] * np.outer(down, across)
    longest = float(np.sqrt((field**2).sum(axis=0)).max())
    return (field * (amplitude / longest if longest > 0 else 0.0)).astype(np.float32)


@cache
def _action_units() -> dict[str, Any]:
    return load_table("synthetic", "action_units")


def _place(entry: dict[str, Any], side: str, face: BaseImage, rng: np.random.Generator) -> list[Bump]:
    right, down, unit = _axes(face)
    strength, spread = rng.uniform(0.85, 1.15), rng.uniform(0.85, 1.2)
    turn = rng.uniform(-0.2, 0.2)
    placed = []
    for name, outward in _anchors(entry["at"], side, face):
        move = entry["moves"][0] * outward * right + entry["moves"][1] * down
        move = np.array([[np.cos(turn), -outward * np.sin(turn)], [outward * np.sin(turn), np.cos(turn)]]) @ move
        uneven = rng.uniform(0.85, 1.15)  # no face moves alike on both sides
        centre = face.point(name) + rng.uniform(-0.04, 0.04, 2) * unit
        placed.append(
            Bump(centre, move * entry.get("weight", 1.0) * strength * uneven, entry["radius"] * unit * spread)
        )
    return placed


def _anchors(name: str, side: str, face: BaseImage) -> list[tuple[str, float]]:
    if name in face.names:
        return [(name, 1.0)]
    sides = [(LEFT, -1.0, "L"), (RIGHT, 1.0, "R")]
    return [(prefix + name, outward) for prefix, outward, letter in sides if side in ("", letter)]


def _axes(face: BaseImage) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return the unit vectors to the right and down of the upright face, and the distance between its eyes."""
    left = (face.point("image_left_eye_outer") + face.point("image_left_eye_inner")) / 2
    right = (face.point("image_right_eye_outer") + face.point("image_right_eye_inner")) / 2
    distance = float(np.linalg.norm(right - left))
    across = (right - left) / distance
    return across, np.array([-across[1], across[0]]), distance
