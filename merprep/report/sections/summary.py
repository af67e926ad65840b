"""The first screen: what is there, at a glance."""

from __future__ import annotations

from merprep.report.blocks import Block, Section, Text, Tiles
from merprep.report.study import Study
from merprep.store import open_features


def section(study: Study) -> Section:
    """Return the summary."""
    clips = study.manifest.clips
    usable = study.manifest.usable
    persons = len({clip.person for clip in usable})
    items = [
        ("databases", str(len(study.databases)), ", ".join(study.databases) or "none yet"),
        ("clips", str(len(usable)), f"{len(clips) - len(usable)} excluded of {len(clips)}"),
        ("persons", str(persons), "counted across databases"),
        _features(study),
        _best(study),
    ]
    blocks: list[Block] = [Tiles(tuple(items))]
    if study.faces:
        blocks.append(Text("This report shows faces. Share it only as the agreements of the databases allow."))
    return Section("summary", "At a glance", tuple(blocks), "Summary")


def _features(study: Study) -> tuple[str, str, str]:
    if study.features is None:
        return ("features", "–", "run merprep flow")
    with open_features(study.features) as file:
        return ("clips with features", str(len(file)), f"{', '.join(file.channels)} at {file.features.shape[-1]} px")


def _best(study: Study) -> tuple[str, str, str]:
    if not study.runs:
        return ("honest UF1", "–", "run merprep train")
    run = study.runs[0]
    optimistic = run.optimistic().get("uf1")
    told = "" if optimistic is None else f"; optimistic {optimistic:.3f}"
    return ("honest UF1, newest run", f"{run.full['uf1']:.3f}", f"{run.title}{told}")
