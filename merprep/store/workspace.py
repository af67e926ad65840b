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
        """Return the feature files, in the order of `in_order_made`."""
        return in_order_made(self, "features")[0]

    def aligned_files(self) -> list[Path]:
        """Return the files of aligned faces, in the order of `in_order_made`."""
        return in_order_made(self, "aligned")[0]

    def latest_features(self) -> Path:
        """Return the feature file that was made last, as the journal of the workspace says.

        Raises
        ------
        StoreError
            Where there is none, or several of which the journal does not say which is the last.
        """
        return self._latest(
            "features", "feature file", "run `merprep flow`, or `merprep import htnet-features DIR`, or name one with "
            "--features",
        )  # fmt: skip

    def latest_aligned(self) -> Path:
        """Return the file of aligned faces that was made last, as the journal of the workspace says.

        Raises
        ------
        StoreError
            Where there is none, or several of which the journal does not say which is the last.
        """
        return self._latest(
            "aligned", "file of aligned faces", "run `merprep align`, with `--frames all` where more than onset, apex "
            "and offset are wanted",
        )  # fmt: skip

    def _latest(self, room: str, what: str, mend: str) -> Path:
        files, known = in_order_made(self, room)
        if not files:
            raise StoreError(f"The workspace has no {what}", where=str(self.folder / room), mend=mend)
        if len(files) > 1 and known < len(files):
            raise StoreError(
                f"The workspace has several of them, and its journal does not say which {what} was made last",
                where=str(self.folder / room),
                found=", ".join(sorted(path.name for path in files)[:8]),
                mend="name one with --features, run the stage that makes the one you mean again (nothing is computed "
                "twice), or move the others away",
            )
        return files[0]


def in_order_made(workspace: Workspace, room: str) -> tuple[list[Path], int]:
    """Return the HDF5 files of a folder, those first that a stage wrote or confirmed last, and how many were.

    The order is that of the journal, not of the files' times: clocks jump, and copies are of today. Files that the
    journal does not name, copied from elsewhere, come after the others, by their names.

    Examples
    --------
    >>> in_order_made(Workspace("a-folder-that-is-not-there"), "features")
    ([], 0)
    """
    from merprep.store.accounts import read_journal

    files = {path.name: path for path in sorted((workspace.folder / room).glob("*.h5")) if path.is_file()}
    if len(files) < 2:
        return list(files.values()), len(files)
    outputs = (re.split(r"[/\\]", output) for entry in read_journal(workspace) for output in entry.outputs)
    made = dict.fromkeys(reversed([output[-1] for output in outputs if output[-2:-1] == [room]]))
    known = [files.pop(name) for name in made if name in files]
    return [*known, *files.values()], len(known)


def safe_name(text: str) -> str:
    """Turn a clip id into a file name that every file system takes.

    Examples
    --------
    >>> safe_name("casme2/sub01/EP02_01f")
    'casme2_sub01_EP02_01f'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._") or "clip"
