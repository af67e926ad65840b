"""A workspace: the folder in which everything that merprep makes is found again."""

from __future__ import annotations

import os
import re
from pathlib import Path

from merprep.errors import StoreError
from merprep.store.whole import written_whole

__all__ = ["Workspace", "safe_name", "written_whole"]


class Workspace:
    """The folder that holds a manifest, aligned faces, features, runs and figures.

    Parameters
    ----------
    folder : path-like
        Need not exist yet; nothing is created before something is written.

    Examples
    --------
    >>> Workspace("study").manifest_path.as_posix()
    'study/manifest.csv'
    """

    def __init__(self, folder: str | os.PathLike[str] = ".") -> None:
        self.folder = Path(folder)

    def anywhere(self) -> Workspace:
        """Return this workspace by its whole path, for processes that have another current folder."""
        return Workspace(self.folder.absolute())

    def __repr__(self) -> str:
        return f"Workspace({str(self.folder)!r})"

    @property
    def manifest_path(self) -> Path:
        """The table of clips."""
        return self.folder / "manifest.csv"

    @property
    def sidecar_path(self) -> Path:
        """Where the manifest came from: roots, sheets, errata policy, versions."""
        return self.folder / "manifest.json"

    @property
    def reports(self) -> Path:
        """The accounts of stages, as JSON."""
        return self.folder / "reports"

    @property
    def runs(self) -> Path:
        """One folder a training run."""
        return self.folder / "runs"

    @property
    def figures(self) -> Path:
        """Figures of clips and runs."""
        return self.folder / "figures"

    def hashes_path(self, database: str) -> Path:
        """Return the file of one database's frame hashes, as ``sha256sum`` writes it."""
        return self.folder / "hashes" / f"{database}.sha256"

    def aligned_path(self, config_id: str) -> Path:
        """Return the file of aligned faces of one configuration."""
        return self.folder / "aligned" / f"aligned-{config_id}.h5"

    def features_path(self, kind: str, config_id: str) -> Path:
        """Return the feature file of one configuration; `kind` is ``flow`` or the name of an import."""
        return self.folder / "features" / f"{kind}-{config_id}.h5"

    def parts_folder(self, final: Path) -> Path:
        """Return the folder of finished clips that wait to be gathered into the file `final`."""
        return final.with_suffix(".parts")

    def written_folders(self) -> list[Path]:
        """Return the folders that stages write files to, those of waiting parts included."""
        rooms = [self.folder / name for name in ("aligned", "features", "spotted")]
        parts = [path for room in rooms for pattern in ("*.parts", "*.parts/*/") for path in room.glob(pattern)]
        exports = [self.folder / "exports", *(self.folder / "exports").glob("*-csv")]
        return [self.folder, self.reports, self.folder / "hashes", self.figures, *exports, *rooms, *parts]

    def feature_files(self) -> list[Path]:
        """Return the feature files, the newest first."""
        return _newest_first(self.folder / "features")

    def aligned_files(self) -> list[Path]:
        """Return the files of aligned faces, the newest first."""
        return _newest_first(self.folder / "aligned")

    def latest_features(self) -> Path:
        """Return the newest feature file.

        Raises
        ------
        StoreError
            Where there is none.
        """
        found = self.feature_files()
        if not found:
            raise StoreError(
                "The workspace has no feature file",
                where=str(self.folder / "features"),
                mend="run `merprep flow`, or `merprep import htnet-features DIR`, or name one with --features",
            )
        return found[0]

    def latest_aligned(self) -> Path:
        """Return the newest file of aligned faces.

        Raises
        ------
        StoreError
            Where there is none.
        """
        found = self.aligned_files()
        if not found:
            raise StoreError(
                "The workspace has no file of aligned faces",
                where=str(self.folder / "aligned"),
                mend="run `merprep align`, with `--frames all` where more than onset, apex and offset are wanted",
            )
        return found[0]


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.h5"), key=lambda path: (path.stat().st_mtime, path.name), reverse=True)


def safe_name(text: str) -> str:
    """Turn a clip id into a file name that every file system takes.

    Examples
    --------
    >>> safe_name("casme2/sub01/EP02_01f")
    'casme2_sub01_EP02_01f'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._") or "clip"
