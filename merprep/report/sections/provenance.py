"""Everything that is needed to make this again: commands, settings, versions, hashes."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from merprep.ordinary import sha256_of
from merprep.report.blocks import Block, Cell, Code, Details, Section, Table, Text, Value
from merprep.report.commands import commands
from merprep.report.study import Study
from merprep.report.study_file import study_file
from merprep.store import open_features
from merprep.store.aligned import open_aligned
from merprep.store.clip_file import ClipFile
from merprep.store.provenance import versions

TITLE = "How to make this again"
_AGAIN = (
    "As one file: save this as merprep.toml in a new folder and call merprep run there. The same data give files of "
    "the same ids; of the runs, the newest is in it."
)
# Hashing a larger file would take longer than the rest of the report.
_LARGEST_HASHED = 64 * 2**20


def section(study: Study) -> Section:
    """Return the section."""
    lines = commands(study)
    blocks: list[Block] = [
        *_again(study, lines),
        *_digest(study),
        _sources(study),
        _files(study),
        _versions(study),
        *_configurations(study),
    ]
    return Section("provenance", TITLE, tuple(blocks), "Provenance")


def _again(study: Study, lines: list[str]) -> list[Block]:
    if not lines:
        return [Text("Nothing was made yet.")]
    settings = study_file(study)
    whole: list[Block] = [
        Text(_AGAIN),
        Code("merprep.toml", settings),
    ]
    return [
        *(whole if settings else []),
        Text("The commands, from what the files say about themselves:"),
        Code("commands", "\n".join(lines)),
    ]


def _digest(study: Study) -> list[Block]:
    if not study.manifest.clips:
        return []
    told = "Digest of the list of usable clips with their key frames (equal on any machine for the same clips): "
    return [Text(told + study.manifest.digest())]


def _sources(study: Study) -> Table:
    rows: list[tuple[Value, ...]] = []
    for name, source in study.manifest.sources.items():
        sheets = source.get("sheets") or [source.get("sheet")]
        for sheet in sheets:
            about = sheet if isinstance(sheet, dict) else {}
            rows.append(
                (name, str(source.get("root", "")), str(about.get("path", "none")), str(about.get("sha256", "")))
            )
    return Table("Where the clips came from", ("database", "root", "coding sheet", "SHA-256 of the sheet"), rows)


def _files(study: Study) -> Table:
    rows = [(_name(study, path), Cell(_size(path), sort=path.stat().st_size), _hash(path)) for path in _paths(study)]
    return Table("Files of the workspace", ("file", "size", "SHA-256"), rows)


def _paths(study: Study) -> Iterator[Path]:
    workspace = study.workspace
    yield from (path for path in (workspace.manifest_path, workspace.sidecar_path) if path.is_file())
    yield from sorted(workspace.aligned_files())
    yield from sorted(workspace.feature_files())
    for run in study.runs:
        yield from (run.folder / name for name in ("run.json", "predictions.csv") if (run.folder / name).is_file())


def _name(study: Study, path: Path) -> str:
    return path.relative_to(study.workspace.folder).as_posix()


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB"


def _hash(path: Path) -> str:
    return sha256_of(path) if path.stat().st_size <= _LARGEST_HASHED else "not hashed here: over 64 MiB"


def _versions(study: Study) -> Table:
    """Return the versions that wrote each file, beside those that wrote this report."""
    found: dict[str, dict[str, str]] = {}
    for path, file in _open_files(study):
        found[path.name] = file.created_with
        file.close()
    for run in study.runs:
        found[run.name] = {str(key): str(value) for key, value in dict(run.about.get("created_with", {})).items()}
    found["this report"] = {**versions(), "python": platform.python_version(), "system": platform.system()}
    packages = list(dict.fromkeys(name for values in found.values() for name in values))
    rows = [(name, *(values.get(name, "–") for values in found.values())) for name in packages]
    return Table("Versions", ("package", *found), rows)


def _open_files(study: Study) -> Iterator[tuple[Path, ClipFile]]:
    if study.aligned is not None:
        yield study.aligned, open_aligned(study.aligned)
    if study.features is not None:
        yield study.features, open_features(study.features)


def _configurations(study: Study) -> list[Block]:
    blocks: list[Block] = []
    for path, file in _open_files(study):
        about: dict[str, Any] = {
            "config_id": file.config_id,
            "config": file.config,
            "inputs": file.inputs,
            "device": file.device,
        }
        blocks.append(Details(f"Settings of {path.name}", (Code(path.name, json.dumps(about, indent=2)),)))
        file.close()
    for run in study.runs:
        text = json.dumps(run.about, indent=2, ensure_ascii=False)
        blocks.append(Details(f"Settings of {run.name}", (Code(run.name, text),)))
    return blocks
