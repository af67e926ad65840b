"""The commands that make a workspace again, from what its files say about themselves."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from merprep.faces import AlignConfig
from merprep.features import flow_preset, flow_presets
from merprep.report.runs import Run, UnitRun
from merprep.report.study import Study
from merprep.store import open_features
from merprep.store.aligned import open_aligned

_FLOW_OPTIONS = ("method", "size", "pair", "average", "head_motion", "region_edges")
_ALIGN_OPTIONS = ("backend", "person", "reference_frames", "refine", "landmarks")


def commands(study: Study) -> list[str]:
    """Return the commands, in order; what no option can say is given as a remark.

    Parameters
    ----------
    study : Study
    """
    lines = [_ingest(name, source) for name, source in study.manifest.sources.items()]
    if any(entry.stage == "spot" for entry in study.journal):
        lines.append("merprep spot  # settings: reports/spot.json")
    if study.aligned is not None:
        with open_aligned(study.aligned) as file:
            lines += _align(file.config)
    if study.features is not None:
        with open_features(study.features) as file:
            lines += _flow(study.features, file.config)
    return [*lines, *map(_train, reversed(study.runs)), *map(_train_units, reversed(study.unit_runs))]


def _ingest(name: str, source: Mapping[str, Any]) -> str:
    parts = ["merprep", "ingest", name, str(source.get("root", "ROOT"))]
    sheet = source.get("sheet")
    if isinstance(sheet, dict) and sheet.get("path"):
        parts += ["--annotations", str(sheet["path"])]
    if source.get("errata_policy", "default") != "default":
        parts += ["--errata", str(source["errata_policy"])]
    if source.get("missing_frames", "nearest") != "nearest":
        parts += ["--missing-frames", str(source["missing_frames"])]
    return shlex.join(parts)


def _align(config: Mapping[str, Any]) -> Iterator[str]:
    changed, rest = _changes(config, AlignConfig().model_dump(mode="json"), _ALIGN_OPTIONS)
    if changed:
        yield shlex.join(["merprep", "align", *changed]) + _remark(rest)


def _flow(path: Path, config: Mapping[str, Any]) -> Iterator[str]:
    if "method" not in config:
        yield "merprep import htnet-features DIR  # what was imported: " + path.name
        return
    best: tuple[int, str] | None = None
    for name in flow_presets():
        base = flow_preset(name).model_dump(mode="json")
        changed, rest = _changes(config, base, _FLOW_OPTIONS)
        if "channels" in rest:
            changed += ["--channels", ",".join(map(str, config["channels"]))]
        if "mask_eyes" in rest:
            changed += ["--mask-eyes" if config["mask_eyes"] else "--no-mask-eyes"]
        rest = [key for key in rest if key not in ("channels", "mask_eyes", "align")]
        line = shlex.join(["merprep", "flow", "--preset", name, *changed]) + _remark(rest)
        distance = len(changed) + 10 * len(rest)
        if best is None or distance < best[0]:
            best = (distance, line)
    if best is not None:
        yield best[1]


def _changes(
    config: Mapping[str, Any], base: Mapping[str, Any], options: tuple[str, ...]
) -> tuple[list[str], list[str]]:
    """Return the options that turn `base` into `config`, and the fields that no option of these reaches."""
    changed, rest = [], []
    for name, value in config.items():
        if name not in base or not _same(value, base[name]):
            if name in options:
                changed += [f"--{name.replace('_', '-')}", str(value)]
            else:
                rest.append(name)
    return changed, rest


def _same(value: Any, other: Any) -> bool:
    """Whether two settings agree; what an older file does not name counts as agreeing."""
    if isinstance(value, dict) and isinstance(other, dict):
        return all(_same(value[key], other[key]) for key in value.keys() & other.keys())
    return bool(value == other)


def _remark(rest: list[str]) -> str:
    return f"  # and by merprep.toml: {', '.join(rest)}" if rest else ""


def _train(run: Run) -> str:
    scores, about = run.scores, run.about
    parts = ["merprep", "train", "--model", str(scores.get("model")), "--preset", str(scores.get("preset"))]
    parts += ["--scheme", str(scores.get("scheme")), "--protocol", str(scores.get("protocol")),
              "--selection", str(scores.get("selection")), "--seeds", str(scores.get("seeds", 1))]  # fmt: skip
    if about.get("max_folds"):
        parts += ["--max-folds", str(about["max_folds"])]
    return shlex.join([*parts, *(["--epochs", str(run.epochs)] if run.epochs else [])]) + f"  # {run.name}"


def _train_units(run: UnitRun) -> str:
    parts = ["merprep", "train"]
    for name in ("model", "preset", "scheme", "protocol", "selection", "seeds"):
        if name in run.scores:
            parts += [f"--{name}", str(run.scores[name])]
    return shlex.join(parts) + f"  # {run.name}"
