"""What was changed since it was ingested, as far as a look at names and times tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from merprep.store.manifest import Manifest
from merprep.store.provenance import sha256_of
from merprep.store.workspace import Workspace

_MEND = "`merprep verify` tells what is different, `merprep ingest` takes it over"


def changes_since_ingest(
    workspace: Workspace, manifest: Manifest, stamps: Mapping[str, Mapping[int, tuple[int, int]]]
) -> tuple[str, ...]:
    """Return a note about each coding sheet, and about the frames of each database, that is not as it was.

    Sheets are compared by their SHA-256. Frames are known to have changed where their file's time is later than the
    ingest's, which costs nothing; a file that was replaced by an older one is found by `merprep verify` alone.

    Parameters
    ----------
    workspace : Workspace
    manifest : Manifest
    stamps : mapping
        By clip id and file number: size in bytes and time of change (ns) of a frame's file, as it is now.
    """
    notes = [note for name, source in sorted(manifest.sources.items()) for note in _sheets(name, source)]
    for name in sorted(manifest.sources):
        ingested = _time(workspace.reports / f"ingest-{name}.json")
        changed = [
            clip.id
            for clip in manifest.of_database(name)
            if ingested and any(time > ingested for _, time in stamps.get(clip.id, {}).values())
        ]
        if changed:
            notes.append(
                f"{name}: frames of {len(changed)} clip{'s' * (len(changed) != 1)} were changed after they were "
                f"ingested ({', '.join(changed[:3])}{', …' * (len(changed) > 3)}); {_MEND}"
            )
    return tuple(notes)


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
