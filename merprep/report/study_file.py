"""A ``merprep.toml`` that makes a workspace again, from what its files say about themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from merprep.faces import AlignConfig
from merprep.features import FlowConfig
from merprep.report.runs import Run
from merprep.report.study import Study
from merprep.store import open_features
from merprep.store.aligned import open_aligned

_BARE = re.compile(r"[A-Za-z0-9_-]+")
# Of an ingest's source: what the tables of a study call it, and the value that need not be said.
_INGEST = (("errata_policy", "errata", "default"), ("missing_frames", "missing_frames", "nearest"))


def study_file(study: Study) -> str:
    """Return the settings of everything in a workspace, as ``merprep.toml``; empty where there is nothing.

    Databases, alignment and flow as the newest feature file has them, and the newest run. Only what is not a default is
    said. `merprep run` in a folder with this file makes files of the same ids from the same data.

    Parameters
    ----------
    study : Study
    """
    parts = [_table(f"databases.{_key(name)}", _database(source)) for name, source in study.manifest.sources.items()]
    align, flow = _stages(study)
    parts += [_table(name, values) for name, values in (("align", align), ("flow", flow)) if values]
    if study.runs:
        parts.append(_table("train", _training(study.runs[0])))
    return "\n".join(parts)


def _database(source: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"root": str(source.get("root", ""))}
    sheet = source.get("sheet")
    if isinstance(sheet, dict) and sheet.get("path"):
        found["annotations"] = str(sheet["path"])
    found |= {to: source[name] for name, to, default in _INGEST if source.get(name, default) != default}
    return found


def _stages(study: Study) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what alignment and flow were told beyond their defaults."""
    if study.features is not None:
        with open_features(study.features) as file:
            config = dict(file.config)
        if "method" in config:
            flow = _changed(config, FlowConfig().model_dump(mode="json"), leave=("align",))
            return _aligning(config.get("align", {})), flow
    if study.aligned is not None:
        with open_aligned(study.aligned) as aligned:
            return _aligning(aligned.config), {}
    return {}, {}


def _aligning(config: Mapping[str, Any]) -> dict[str, Any]:
    # The hash follows from the file of landmarks.
    return _changed(config, AlignConfig().model_dump(mode="json"), leave=("landmarks_sha256",))


def _changed(config: Mapping[str, Any], defaults: Mapping[str, Any], *, leave: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: value
        for name, value in config.items()
        if name not in leave and value is not None and defaults.get(name) != value
    }


def _training(run: Run) -> dict[str, Any]:
    names = ("model", "preset", "scheme", "protocol", "selection", "seeds")
    found = {name: run.scores[name] for name in names if name in run.scores}
    extra = {"epochs": run.epochs, "max_folds": run.about.get("max_folds")}
    return found | {name: value for name, value in extra.items() if value}


def _table(name: str, values: Mapping[str, Any]) -> str:
    return "\n".join([f"[{name}]", *_lines(values), ""])


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    return (f"{_key(name)} = {_value(value)}" for name, value in values.items())


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: object) -> str:
    """Write a JSON value as TOML, on one line."""
    if isinstance(value, dict):
        told = (f"{_key(str(name))} = {_value(inner)}" for name, inner in value.items() if inner is not None)
        return "{ " + ", ".join(told) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON's strings, numbers, true and false are TOML's, but for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
