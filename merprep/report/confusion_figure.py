"""The confusion matrix as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from merprep.store.workspace import written_whole


def draw_confusion(matrix: NDArray[np.int64], classes: Sequence[str], title: str, path: Path) -> Path:
    """Draw a confusion matrix, rows true and columns predicted, each cell with its count and share of the row.

    Parameters
    ----------
    matrix : (C, C) int
        Pooled counts, true class by predicted class.
    classes : sequence of str
        C names.
    path : Path
        The PNG to write.

    Returns
    -------
    Path
        `path`.
    """
    from matplotlib.figure import Figure

    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(1.6 + 1.1 * len(classes), 1.4 + 1.0 * len(classes)), dpi=150, layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for (row, column), share in np.ndenumerate(shares):
        ink = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{matrix[row, column]}\n{share:.0%}", ha="center", va="center", color=ink)
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=10)
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png")
    return path
