"""What a file says about how it was made."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

# The packages whose version can change a number in a file.
PACKAGES = ("merprep", "numpy", "pandas", "opencv-contrib-python", "numba", "torch", "h5py", "face-alignment")


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the installed version of each package that is there.

    Examples
    --------
    >>> "numpy" in versions()
    True
    """
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
