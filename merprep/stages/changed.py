"""What was changed since it was ingested, as far as a look at names and times tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from merprep.ordinary import sha256_of
from merprep.records import Clip
from merprep.store.manifest import Manifest
from merprep.store.workspace import Workspace

_NAMED = 3  # clips
_MEND = "`merprep verify` tells what is different, `merprep ingest` takes it over"


class ChangedFrames:
    """Counts the clips whose frames have changed since they were ingested, clip by clip.

    Frames are known to have changed where their file's time is later than the ingest's, which costs nothing; a file
    that was replaced by an older one is found by `merprep verify` alone.

    Parameters
    ----------
    workspace : Workspace
    manifest : Manifest
    """

    def __init__(self, workspace: Workspace, manifest: Manifest) -> None:
        self._ingested = {name: _time(workspace.reports / f"ingest-{name}.json") for name in manifest.sources}
        self._counts: Counter[str] = Counter()
        self._first: dict[str, list[str]] = {}

    def see(self, clip: Clip, stamps: Mapping[int, tuple[int, int]]) -> None:
        """Look at a clip, given size in bytes and time of change (ns) of its frames' files as they are now."""
        ingested = self._ingested.get(clip.database)
        if ingested and any(time > ingested for _, time in stamps.values()):
            self._counts[clip.database] += 1
            if self._counts[clip.database] <= _NAMED:
                self._first.setdefault(clip.database, []).append(clip.id)

    def notes(self) -> list[str]:
        """Return a note about each database that has such clips."""
        return [
            f"{name}: frames of {count} clip{'s' * (count != 1)} were changed after they were ingested "
            f"({', '.join(self._first[name])}{', …' * (count > _NAMED)}); {_MEND}"
            for name, count in sorted(self._counts.items())
        ]


def changed_sheets(manifest: Manifest) -> list[str]:
    """Return a note about each coding sheet that is not as it was when it was ingested, by its SHA-256."""
    return [note for name, source in sorted(manifest.sources.items()) for note in _sheets(name, source)]


def sheet_state(sheet: Mapping[str, Any]) -> str:
    """Return what became of a coding sheet that the sidecar describes: ``same``, ``changed`` or ``missing``."""
    try:
        return "same" if sha256_of(Path(str(sheet.get("path", "")))) == sheet.get("sha256") else "changed"
    except (OSError, ValueError):
        return "missing"


def _sheets(name: str, source: Mapping[str, Any]) -> list[str]:
    sheets = source.get("sheets") or ([source["sheet"]] if source.get("sheet") else [])
    states = [(sheet, sheet_state(sheet)) for sheet in sheets if isinstance(sheet, dict)]
    # One that was put away since does no harm: what it said is in the manifest.
    changed = [Path(str(sheet.get("path", ""))).name for sheet, state in states if state == "changed"]
    return [f"{name}: the coding sheet {found} was changed after it was ingested; {_MEND}" for found in changed]


def _time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
