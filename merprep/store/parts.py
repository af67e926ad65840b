"""Finished clips that wait to be gathered: one small file a clip, so that an interrupted stage continues.

A part is written under a temporary name and renamed, so it is whole or not there. It carries the digest of what it
was made from; where that changed since, the part does not count. Nobody waits until a part has left the machine's
memory, which would cost more than most clips: the checksums inside tell when a power cut damaged one, and the clip is
done again. Parts lie in up to 256 folders, since few file systems like a hundred thousand files in one.
"""

from __future__ import annotations

import shutil
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from merprep.config import short_hash
from merprep.errors import StoreError
from merprep.store.workspace import written_whole

Arrays = dict[str, NDArray[np.generic]]
_DIGEST = "_digest"


class Parts:
    """A folder of finished clips.

    Examples
    --------
    >>> import tempfile
    >>> parts = Parts(Path(tempfile.mkdtemp()))
    >>> parts.save("casme2/sub01/EP02_01f", "abc", {"flow": np.zeros((2, 4, 4), np.float32)})
    >>> parts.load("casme2/sub01/EP02_01f", "abc")["flow"].shape
    (2, 4, 4)
    >>> parts.load("casme2/sub01/EP02_01f", "changed since") is None
    True
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, clip_id: str) -> Path:
        name = short_hash(clip_id, 20)
        return self.folder / name[:2] / f"{name[2:]}.npz"

    def save(self, clip_id: str, digest: str, arrays: Arrays) -> None:
        """Keep the arrays of one clip."""
        size = sum(array.nbytes for array in arrays.values())
        path = self._path(clip_id)
        with written_whole(path, durable=False, needed=size) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **{_DIGEST: np.array(digest)}, **arrays)

    def load(self, clip_id: str, digest: str) -> Arrays | None:
        """Return the arrays of one clip, or None where it is not there, damaged, or made from something else."""
        path = self._path(clip_id)
        if not path.is_file():
            return None
        try:
            # Opened here, since np.load leaves a damaged file open, which keeps Windows from replacing it.
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                if _is_packed(stored) or str(stored[_DIGEST]) != digest:
                    return None
                return {name: stored[name] for name in stored.files if name != _DIGEST}
        except (
            OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, MemoryError,
            SyntaxError, tokenize.TokenError,
        ):  # fmt: skip
            return None  # NotImplementedError, of a method of compression that is none, is a RuntimeError

    def take(self, clip_id: str, digest: str, command: str) -> Arrays:
        """Return the arrays of a clip that this run has finished, while its results are gathered.

        Raises
        ------
        StoreError
            Where the part is gone or was made from something else since; `command` is what to run again.
        """
        arrays = self.load(clip_id, digest)
        if arrays is None:
            raise StoreError(
                "A finished clip vanished while the results were gathered",
                where=clip_id,
                mend=f"run `{command}` again; let no two runs share a workspace",
            )
        return arrays

    def has(self, clip_id: str, digest: str) -> bool:
        """Whether a whole part made from the same input is there."""
        return self.load(clip_id, digest) is not None

    def size(self) -> int:
        """Return how many bytes all parts take."""
        return sum(path.stat().st_size for path in self.folder.glob("*/*.npz"))

    def clear(self) -> None:
        """Remove the folder; called once the parts are gathered into their file."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_packed(stored: np.lib.npyio.NpzFile) -> bool:
    """Whether anything in the archive is compressed, as nothing is that `save` wrote: gigabytes in a few bytes."""
    archive = stored.zip
    return archive is None or any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())
