"""Fetching, checking and placing files of weights. No file is ever used whose SHA-256 is not the published one."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

from merprep.errors import WeightsError
from merprep.ordinary import bytes_of, sha256_of
from merprep.progress import Progress, Silent
from merprep.weights.sources import LARGEST, inner_file, read_source
from merprep.weights.table import Entry, Weights, entry, names

OWN_FOLDER = "MERPREP_WEIGHTS"  # a folder with files that were placed by hand
OFFLINE = "MERPREP_OFFLINE"  # any value: nothing is fetched


def cache_folder() -> Path:
    """Return the folder that fetched weights are kept in, in the user's cache."""
    import pooch

    return Path(pooch.os_cache("merprep")) / "weights"


def table() -> list[Weights]:
    """Return one row for each file of weights, with where it is (unchecked) or None.

    Examples
    --------
    >>> [row.name for row in table() if row.default]
    ['facemesh-v2', 'yunet']
    """
    return [_row(name, entry(name)) for name in names()]


def fetch(name: str, *, progress: Progress | None = None, folder: Path | None = None) -> Path:
    """Return the file of some weights, fetching it where it is not here yet.

    Looked for in the folder that ``MERPREP_WEIGHTS`` names, then in the cache, then, for files that torch's own
    packages fetch, in ``$TORCH_HOME/hub/checkpoints``; then its sources are asked in the order of its table. Whatever
    is found is used only if its SHA-256 is the published one.

    Parameters
    ----------
    name : str
        One of `table`.
    progress : Progress, optional
        Told of the bytes as they come.
    folder : Path, optional
        Keep it here rather than in the cache.

    Returns
    -------
    Path

    Raises
    ------
    UnknownNameError
        Where there are no weights of that name.
    WeightsError
        Where the file is missing and cannot be fetched, or a file placed by hand is not the published one.

    Examples
    --------
    >>> fetch("yunet").name  # doctest: +SKIP
    'face_detection_yunet_2023mar.onnx'
    """
    weights = entry(name)
    own = _in_own_folder(weights)
    if own is not None:
        _refuse_other(own, weights)
        return own
    target = (folder or cache_folder()) / weights.file
    damage = _damage(target, weights) if target.is_file() else ""
    if target.is_file() and not damage:
        return target
    shared = _in_torch_hub(weights)
    if shared is not None and not _damage(shared, weights):
        return shared
    return _fetched(name, weights, target, damage, progress or Silent())


def add(path: Path, *, folder: Path | None = None) -> Path:
    """Place a file that was downloaded by hand, once it is known to be a published one.

    Parameters
    ----------
    path : Path
        The file itself, or the archive that it is published in (``face_landmarker.task``, a wheel).
    folder : Path, optional
        Where to; the cache by default.

    Returns
    -------
    Path
        Where it stands now.

    Raises
    ------
    WeightsError
        Where the file is not there, or is none of the published ones.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError("The file does not exist", where=str(path), mend="check the name")
    try:
        content = bytes_of(path, most=LARGEST)
    except OSError as error:
        raise WeightsError(f"The file cannot be read: {error.strerror or error}", where=str(path)) from error
    for name in names():
        weights = entry(name)
        found = _published_in(content, weights)
        if found is not None:
            return _place(found, (folder or cache_folder()) / weights.file)
    raise WeightsError(
        "The file is none of the published weights, nor an archive that holds one",
        where=str(path),
        expected="; ".join(f"{entry(name).file} with SHA-256 {entry(name).sha256}" for name in names()),
        found=f"{len(content)} bytes with SHA-256 {hashlib.sha256(content).hexdigest()}",
        mend="download it again from an address that `merprep weights list --json` gives",
    )


def _row(name: str, weights: Entry) -> Weights:
    candidates = [_in_own_folder(weights), cache_folder() / weights.file, _in_torch_hub(weights)]
    path = next((path for path in candidates if path is not None and path.is_file()), None)
    sources = tuple(source.text for source in weights.sources)
    return Weights(
        name, weights.file, weights.bytes, weights.sha256, weights.licence, weights.used_by, weights.default, sources,
        path,
    )  # fmt: skip


def _in_own_folder(weights: Entry) -> Path | None:
    folder = os.environ.get(OWN_FOLDER)
    path = Path(folder) / weights.file if folder else None
    return path if path is not None and path.is_file() else None


def _in_torch_hub(weights: Entry) -> Path | None:
    """Return the file in the folder that `torch.hub` downloads to, found without importing torch."""
    if not weights.torch_hub:
        return None
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(os.environ.get("TORCH_HOME") or Path(cache) / "torch").expanduser() / "hub/checkpoints" / weights.file
    return path if path.is_file() else None


def _damage(path: Path, weights: Entry) -> str:
    """Say how a file differs from the published one; empty where it does not."""
    found = sha256_of(path)
    return "" if found == weights.sha256 else f"{path.stat().st_size} bytes with SHA-256 {found}"


def _refuse_other(path: Path, weights: Entry) -> None:
    damage = _damage(path, weights)
    if damage:
        raise WeightsError(
            f"The file of weights in {OWN_FOLDER} is not the published one, and is not used",
            where=str(path),
            expected=_expected(weights),
            found=damage,
            mend="replace it by the published file, or remove it so that it is fetched",
        )


def _fetched(name: str, weights: Entry, target: Path, damage: str, progress: Progress) -> Path:
    tried = [f"{target} is not the published file ({damage})"] if damage else []
    for source in () if os.environ.get(OFFLINE) else weights.sources:
        try:
            content = read_source(source, progress)
        except WeightsError as error:
            tried.append(f"{source.text}: {error.what}")
            continue
        digest = hashlib.sha256(content).hexdigest()
        if digest == weights.sha256:
            return _place(content, target)
        tried.append(f"{source.text}: another file came, {len(content)} bytes with SHA-256 {digest}")
    raise _missing(name, weights, target, tried)


def _place(content: bytes, target: Path) -> Path:
    """Write a file whole or not at all, whoever else may be writing it."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise WeightsError(
            f"The weights cannot be kept: {error.strerror or error}",
            where=str(target),
            mend=f"free disk space, or put {target.name} into a folder that {OWN_FOLDER} names",
        ) from error
    return target


def _published_in(content: bytes, weights: Entry) -> bytes | None:
    chains = [(), *(source.members[start:] for source in weights.sources for start in range(len(source.members)))]
    for members in chains:
        try:
            found = inner_file(content, members)
        except (WeightsError, zipfile.BadZipFile):
            continue
        if hashlib.sha256(found).hexdigest() == weights.sha256:
            return found
    return None


def _expected(weights: Entry) -> str:
    size = f"{weights.bytes} bytes with " if weights.bytes else ""
    return f"{weights.file}, {size}SHA-256 {weights.sha256}"


def _missing(name: str, weights: Entry, target: Path, tried: list[str]) -> WeightsError:
    address = next((source.url for source in weights.sources if source.url), "its publisher")
    if os.environ.get(OFFLINE):
        tried.append(f"nothing is fetched while {OFFLINE} is set")
    return WeightsError(
        f"The weights {name!r} ({weights.used_by}) are not here and could not be fetched",
        where=str(target),
        expected=_expected(weights),
        found="; ".join(tried) or "no source",
        mend=f"download {address} elsewhere, then run `merprep weights add FILE`, "
        f"or put {weights.file} into {target.parent} or a folder that {OWN_FOLDER} names",
    )
