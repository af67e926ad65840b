"""What a file says about how it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
