"""The file of aligned faces: for each clip its warped frames, the one transform that made them, and the landmarks.

Layout::

    /clips/<column>                     as in a feature file
    /aligned/<database>/<subject>/<clip>
        frames      (T, S, S) or (T, S, S, 3) uint8, one chunk a frame
        numbers     (T,) int64, the file number of each frame
        stamps      (T, 2) int64, size in bytes and time of change (ns) of each frame's file
        landmarks   (P, 2) float32, (x, y) in aligned pixels, of the reference frame
        transform   (2, 3) float64, from the original frames to the aligned ones
        lost        (L,) int64, frames in which the face is not seen; absent where that was not looked at
        attrs       score, box, faces, residual, attempt, flags, reference, digest
    root attributes                     as in a feature file, and scheme
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from merprep.config import canonical_json, short_hash
from merprep.errors import StoreError
from merprep.records import Clip
from merprep.store.clip_file import ClipFile, write_provenance
from merprep.store.clip_table import TableRows
from merprep.store.hdf5 import new_hdf5
from merprep.store.watched import damage_is_told
from merprep.store.workspace import written_whole

_DEPTH = 2  # slashes in database/subject/clip
_ARRAYS = ("frames", "numbers", "stamps", "landmarks", "transform")
_TEXTS = ("attempt", "flags")
_LOST = "lost"
_NUMBERS = ("score", "residual", "faces", "reference", "box")


@dataclass(frozen=True)
class AlignedHeader:
    """What a file of aligned faces says about all its clips.

    Parameters
    ----------
    config, inputs : dict
        The full configuration, and the ids of what it was applied to (plain JSON values).
    scheme : str
        What the landmarks are.
    """

    config: dict[str, Any]
    scheme: str
    inputs: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"

    @property
    def config_id(self) -> str:
        """The short id of the configuration."""
        return short_hash(canonical_json(self.config))


@dataclass(frozen=True)
class ClipFaces:
    """The aligned frames of one clip.

    Parameters
    ----------
    frames : (T, S, S) or (T, S, S, 3) uint8
    numbers : (T,) int64
        File numbers, ascending.
    stamps : (T, 2) int64
        Size (bytes) and time of change (ns since 1970) of each frame's file.
    landmarks : (P, 2) float32
        (x, y) in aligned pixels.
    transform : (2, 3) float64
        From original to aligned pixels.
    score, residual : float
        Confidence of the landmarks, 0 to 1; distance of the stable points from their places, RMS px.
    box : (4,) float64
        The face in the reference frame: x, y, width, height, px.
    faces : int
        How many faces the reference frame shows; which was taken is in the configuration (`person`).
    reference : int
        File number of the frame whose landmarks count.
    attempt : str
        How the face was found.
    flags : str
        What is doubtful, ``; `` between the parts; empty where all is well.
    lost : (L,) int64, optional
        File numbers of the frames in which the face is not seen; None where that was not looked at.
    """

    frames: NDArray[np.uint8]
    numbers: NDArray[np.int64]
    stamps: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    transform: NDArray[np.float64]
    score: float
    residual: float
    box: NDArray[np.float64]
    faces: int
    reference: int
    attempt: str
    flags: str = ""
    lost: NDArray[np.int64] | None = None

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return everything as named arrays, as parts keep it."""
        found = {name: np.asarray(getattr(self, name)) for name in (*_ARRAYS, *_NUMBERS, *_TEXTS)}
        return found if self.lost is None else {**found, _LOST: self.lost}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> ClipFaces:
        """Rebuild what `arrays` gave."""
        values: dict[str, Any] = {name: arrays[name] for name in (*_ARRAYS, "box")}
        return cls(
            **values,
            score=float(cast("Any", arrays["score"])),
            residual=float(cast("Any", arrays["residual"])),
            faces=int(cast("Any", arrays["faces"])),
            reference=int(cast("Any", arrays["reference"])),
            attempt=str(arrays["attempt"]),
            flags=str(arrays.get("flags", "")),
            lost=cast("NDArray[np.int64] | None", arrays.get(_LOST)),
        )

    @property
    def digest(self) -> str:
        """Of what the clip was made from: equal for the same frames of the same files."""
        return faces_digest(self.reference, self.numbers.tolist(), self.stamps.tolist())


def faces_digest(reference: int, numbers: Sequence[int], stamps: Sequence[Sequence[int]]) -> str:
    """Return the digest of what the faces of a clip are made from; see `ClipFaces`."""
    return short_hash(json.dumps([reference, numbers, stamps]), 16)


def write_aligned(path: Path, header: AlignedHeader, rows: Iterable[tuple[Clip, ClipFaces]], *, needed: int = 0) -> int:
    """Write a file of aligned faces, whole or not at all; `rows` is read once and never held.

    Parameters
    ----------
    rows : iterable of (Clip, ClipFaces)
    needed : int
        About how many bytes that will be, where it is known; a disk with less room is refused at once.

    Returns
    -------
    int
        The number of clips written.

    Raises
    ------
    StoreError
        Where there is nothing to write, or the file cannot be written.
    """
    table = TableRows()
    with written_whole(path, needed=needed) as temporary, new_hdf5(temporary) as (file, check):
        write_provenance(file, header)
        file.attrs["scheme"] = header.scheme
        for clip, faces in rows:
            _write_clip(file.create_group(f"aligned/{clip.id}"), faces)
            table.add(clip, faces.digest)
            check()
        if not len(table):
            raise StoreError("There is no clip to write", where=str(path), mend="see the reasons in the stage's report")
        table.write(file)
    return len(table)


def _write_clip(group: h5py.Group, faces: ClipFaces) -> None:
    # track_times off: two runs on the same input then give the same bytes.
    for name in _ARRAYS:
        array = getattr(faces, name)
        chunks = (1, *array.shape[1:]) if name == "frames" else None
        group.create_dataset(name, data=array, chunks=chunks, track_times=False, fletcher32=chunks is not None)
    if faces.lost is not None:
        group.create_dataset(_LOST, data=faces.lost, track_times=False)
    for name in _NUMBERS:
        group.attrs[name] = getattr(faces, name)
    for name in _TEXTS:
        group.attrs[name] = getattr(faces, name)
    group.attrs["digest"] = faces.digest


class AlignedClip:
    """One clip of an open file of aligned faces; what is asked of it is read then.

    Use it where several things are asked of a clip, each of which `AlignedFile` would look it up for.
    """

    def __init__(self, file: AlignedFile, group: h5py.Group) -> None:
        self._file = file
        self._group = group

    def damaged(self, error: BaseException) -> StoreError:
        """Return the error for a file that is not whole."""
        return self._file.damaged(error)

    @cached_property
    @damage_is_told
    def numbers(self) -> tuple[int, ...]:
        """The file numbers of the aligned frames, ascending."""
        return tuple(map(int, self._group["numbers"][:].tolist()))

    @property
    @damage_is_told
    def stamps(self) -> dict[int, tuple[int, int]]:
        """By file number, size and time of change of the file that each frame was made from."""
        stamps = self._group["stamps"][:].tolist()
        return {number: (int(size), int(time)) for number, (size, time) in zip(self.numbers, stamps, strict=True)}

    @property
    @damage_is_told
    def reference(self) -> int:
        """The file number of the frame whose landmarks count."""
        return int(self._group.attrs["reference"])

    @property
    @damage_is_told
    def lost(self) -> tuple[int, ...] | None:
        """The file numbers of frames in which the face is not seen; None where that was not looked at."""
        return tuple(map(int, self._group[_LOST][:].tolist())) if _LOST in self._group else None

    @property
    @damage_is_told
    def faces_found(self) -> int:
        """How many faces the reference frame shows."""
        return int(self._group.attrs["faces"])

    @property
    @damage_is_told
    def attempt(self) -> str:
        """How the face was found (``as it is``, or after which change of the image)."""
        return str(self._group.attrs["attempt"])

    @property
    @damage_is_told
    def flags(self) -> str:
        """What is doubtful, ``; `` between the parts; empty where all is well."""
        return str(self._group.attrs.get("flags", ""))


class AlignedFile(ClipFile):
    """A file of aligned faces, open for reading.

    Attributes
    ----------
    clips : pandas.DataFrame
        One row a clip; ``digest`` says what its frames were made from.
    scheme : str
        What the landmarks are.
    config : dict
    config_id : str

    Examples
    --------
    >>> with open_aligned("aligned/aligned-3f9a12c4.h5") as file:  # doctest: +SKIP
    ...     onset, apex = file.frames("casme2/sub01/EP02_01f", [46, 59])
    """

    kind = "file of aligned faces"
    command = "`merprep align`"

    def _read(self) -> None:
        self.scheme = str(self._file.attrs["scheme"])
        self._aligned: h5py.Group = self._file["aligned"]

    @damage_is_told
    def __contains__(self, clip_id: object) -> bool:
        return isinstance(clip_id, str) and clip_id.count("/") == _DEPTH and clip_id in self._aligned

    @damage_is_told
    def numbers(self, clip_id: str) -> tuple[int, ...]:
        """Return the file numbers of a clip's aligned frames, ascending."""
        return self.clip(clip_id).numbers

    @damage_is_told
    def frames(self, clip_id: str, numbers: Sequence[int] | None = None) -> NDArray[np.uint8]:
        """Return aligned frames of a clip.

        Parameters
        ----------
        clip_id : str
        numbers : sequence of int, optional
            File numbers, in the order wanted; all of them where None.

        Returns
        -------
        (T, S, S) or (T, S, S, 3) uint8

        Raises
        ------
        StoreError
            Where the clip or one of the frames is not in the file.
        """
        group = self._group(clip_id)
        data = group["frames"]
        if numbers is None:
            return cast("NDArray[np.uint8]", data[:])
        present = {number: index for index, number in enumerate(AlignedClip(self, group).numbers)}
        missing = [number for number in numbers if number not in present]
        if missing:
            raise StoreError(
                "A frame of the clip is not aligned",
                where=f"{clip_id}, frame {missing[0]}",
                expected=f"one of {', '.join(map(str, list(present)[:8]))}",
                mend="run `merprep align --frames all`",
            )
        wanted = [data[present[number]] for number in numbers]
        return np.stack(wanted) if wanted else np.empty((0, *data.shape[1:]), np.uint8)

    @damage_is_told
    def landmarks(self, clip_id: str) -> NDArray[np.float32]:
        """Return the landmarks, (P, 2), (x, y) in aligned pixels."""
        return cast("NDArray[np.float32]", self._group(clip_id)["landmarks"][:])

    @damage_is_told
    def transform(self, clip_id: str) -> NDArray[np.float64]:
        """Return the transform from original to aligned pixels, (2, 3)."""
        return cast("NDArray[np.float64]", self._group(clip_id)["transform"][:])

    @damage_is_told
    def digest(self, clip_id: str) -> str:
        """Return the digest of what the clip's frames were made from."""
        return str(self._group(clip_id).attrs["digest"])

    @damage_is_told
    def faces(self, clip_id: str) -> ClipFaces:
        """Return everything that the file has of one clip."""
        group = self._group(clip_id)
        arrays = {name: group[name][:] for name in (*_ARRAYS, *([_LOST] if _LOST in group else []))}
        arrays.update({name: np.asarray(group.attrs.get(name, "")) for name in (*_NUMBERS, *_TEXTS)})
        return ClipFaces.from_arrays(arrays)

    @damage_is_told
    def stamps(self, clip_id: str) -> dict[int, tuple[int, int]]:
        """Return, by file number, size and time of change of the file that each frame was made from."""
        return self.clip(clip_id).stamps

    @damage_is_told
    def reference(self, clip_id: str) -> int:
        """Return the file number of the frame whose landmarks count."""
        return self.clip(clip_id).reference

    @damage_is_told
    def faces_found(self, clip_id: str) -> int:
        """Return how many faces the reference frame shows."""
        return self.clip(clip_id).faces_found

    @damage_is_told
    def attempt(self, clip_id: str) -> str:
        """Return how the face was found (``as it is``, or after which change of the image)."""
        return self.clip(clip_id).attempt

    @damage_is_told
    def quality(self, clip_id: str) -> dict[str, Any]:
        """Return how well a clip was aligned: ``score``, ``residual`` (px), ``faces``, ``attempt``, ``flags``."""
        about = self._group(clip_id).attrs
        return {
            "score": float(about["score"]),
            "residual": float(about["residual"]),
            "faces": int(about["faces"]),
            "attempt": str(about["attempt"]),
            "flags": str(about.get("flags", "")),
        }

    @damage_is_told
    def flags(self, clip_id: str) -> str:
        """Return what is doubtful about a clip, ``; `` between the parts; empty where all is well."""
        return self.clip(clip_id).flags

    @damage_is_told
    def lost(self, clip_id: str) -> tuple[int, ...] | None:
        """Return the file numbers of frames in which the face is not seen; None where that was not looked at."""
        return self.clip(clip_id).lost

    def clip(self, clip_id: str) -> AlignedClip:
        """Return one clip, looked up once."""
        return AlignedClip(self, self._group(clip_id))

    @damage_is_told
    def _group(self, clip_id: str) -> h5py.Group:
        try:
            if clip_id.count("/") == _DEPTH:
                return self._aligned[clip_id]
        except KeyError:
            if clip_id in self:  # what the name leads to is damaged
                raise
        raise StoreError(
            "The clip is not in the file of aligned faces",
            where=f"{self.path}, {clip_id}",
            found=f"{len(self)} other clips",
            mend="run `merprep align`; its report says why a clip was skipped",
        )


def open_aligned(path: str | Path) -> AlignedFile:
    """Open a file of aligned faces for reading.

    Raises
    ------
    StoreError
        Where it is missing, damaged or of a newer version.
    """
    return AlignedFile(Path(path))
