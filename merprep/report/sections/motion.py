"""What the skin does: which clips move most and least, and what each class does on average."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from merprep.labels import LabelScheme, emotion_words, scheme, scheme_names
from merprep.records import Clip
from merprep.report.blocks import Block, Details, Figure, Figures, Group, Missing, Notes, Section, Table, Text
from merprep.report.charts import histogram
from merprep.report.class_means import class_means, level_figures, mean_figures
from merprep.report.gallery import Gallery
from merprep.report.motion import choose, is_flow, left_out, strengths
from merprep.report.sections.alignment import account
from merprep.report.study import Study
from merprep.store import FeatureFile, open_features

TITLE = "Motion"
# Three galleries of so many clips, about 100 kB each.
_CARDS = 6
_STRETCHED = "The channels of {} were stretched ({}): they tell no lengths in pixels, and are drawn as they are."


def section(study: Study) -> Section:
    """Return the section."""
    if study.features is None:
        return Section("motion", TITLE, (Missing("There is no feature file yet.", "merprep flow"),))
    with open_features(study.features) as file:
        strength = strengths(file)
        blocks = [*_about(study, file), *_changed(study, file), *_no_features(study, file)]
        if strength is None:
            blocks += [Text(_STRETCHED.format(study.features.name, file.normalisation)), *_means(study, file)]
        else:
            blocks += [*_strengths(file, strength), *_means(study, file), *_galleries(study, strength)]
    return Section("motion", TITLE, tuple(blocks))


def _about(study: Study, file: FeatureFile) -> list[Block]:
    assert study.features is not None  # noqa: S101 - the caller looked
    method = file.config.get("method", "imported maps")
    size = file.features.shape[-1]
    others = [path.name for path in study.workspace.feature_files() if path != study.features]
    also = f" Other feature files here: {', '.join(others)}." if others else ""
    told = (
        f"{study.features.name}: {len(file)} clips, {', '.join(file.channels)} at {size} × {size} px, "
        f"{method}, computed on {file.device}.{also}"
    )
    return [Text(told)]


def _changed(study: Study, file: FeatureFile) -> list[Block]:
    """Warn of clips whose rows changed after the features were made."""
    if study.imported or file.config.get("temporal"):
        return []  # another clock: the frames are numbered anew
    made = [clip for clip in file.records() if _key(clip) != _key(study.by_id.get(clip.id))]
    if not made:
        return []
    told = f"{len(made)} clips are not as the manifest has them now, such as {made[0].id}: run merprep flow again."
    return [Notes((told,), "warning")]


def _key(clip: Clip | None) -> tuple[object, ...]:
    return () if clip is None else (clip.status, clip.onset, clip.apex, clip.offset, clip.emotion, clip.person)


def _no_features(study: Study, file: FeatureFile) -> list[Block]:
    present = set(file.clips["id"])
    reasons = account(study.workspace.reports / "account-flow.json")
    rows = [
        (clip.id, clip.database, reasons.get(clip.id, "not tried yet: run merprep flow"))
        for clip in study.manifest.usable
        if clip.id not in present
    ]
    if not rows or len(rows) == len(study.manifest.usable):
        return []
    return [Table("Usable clips without features", ("clip", "database", "reason"), rows)]


def _strengths(file: FeatureFile, strength: pd.Series) -> list[Block]:
    told = (
        "The strength of a clip is the 95th percentile of its stored flow's length, in pixels of the aligned face: "
        "how far the part of the skin that moves most moves."
    )
    emotions = dict(zip(file.clips["id"], file.clips["emotion"], strict=True))
    rows = [(str(name), str(emotions[name]) or "none", float(value)) for name, value in strength.items()]
    svg = histogram("How strongly clips move", strength.tolist(), "strength, px")
    return [
        Group("How strongly clips move", (
            Text(told),
            Figure(svg, "How many clips move how strongly.", "motion-strength", wide=True),
            Details("Strength of every clip", (Table("Strength by clip", ("clip", "emotion", "strength, px"), rows),)),
        )),
    ]  # fmt: skip


def _means(study: Study, file: FeatureFile) -> list[Block]:
    chosen = scheme(study.scheme if study.scheme in scheme_names() else "megc2019")
    members = by_class(file.records(), chosen)
    emotions = by_emotion(file.records())
    told = (
        "The mean of all clips of a class, as stored and drawn larger. All classes share one scale. "
        "What clips do in different directions cancels in the mean flow, but not in the mean strain."
    )
    blocks: list[Block] = [Text(told), Figures(f"By class, {chosen.name}", _drawn(file, members))]
    if sorted(map(sorted, emotions.values())) != sorted(map(sorted, members.values())):
        blocks.append(Details("By annotated emotion", (Figures("By annotated emotion", _drawn(file, emotions)),)))
    return [Group("What each class does on average", tuple(blocks))]


def _drawn(file: FeatureFile, members: Mapping[str, list[int]]) -> tuple[Figure, ...]:
    counts = {name: len(rows) for name, rows in members.items()}
    means = class_means(file, members)
    if is_flow(file):
        return mean_figures(means, counts, file.channels)
    return level_figures(means, counts, file.channels, file.units)


def by_class(clips: list[Clip], chosen: LabelScheme) -> dict[str, list[int]]:
    """Return the rows of each class of a scheme."""
    found: dict[str, list[int]] = {name: [] for name in chosen.classes}
    for row, clip in enumerate(clips):
        for label in chosen.labels(clip):
            found[chosen.classes[label]].append(row)
    return found


def by_emotion(clips: list[Clip]) -> dict[str, list[int]]:
    """Return the rows of each annotated emotion, in one spelling, the most frequent first."""
    found: dict[str, list[int]] = {}
    for row, clip in enumerate(clips):
        found.setdefault(", ".join(emotion_words(clip.emotion)) or "no emotion", []).append(row)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def _galleries(study: Study, strength: pd.Series) -> list[Block]:
    told = (
        "Computed again at the size of the aligned face, each clip on its own scale. Thin lines are the outlines of "
        "eyes, mouth and face; dashed ones the four regions, which stand below as they are stored: eyes above, corners "
        "of the mouth below. The noise of a still clip fills its scale too: read the number."
    )
    if study.aligned is None or study.features is None:
        return [Missing("The aligned faces that the gallery is drawn from are not here.", "merprep align")]
    with Gallery(study.features, study.aligned, faces=study.faces) as gallery:
        here = strength[[name in study.by_id and gallery.has(study.by_id[name]) for name in strength.index]]
        if here.empty:
            return [Missing("No clip has both its faces aligned and its features made.", "merprep flow")]
        missing = left_out(gallery.features.config)
        if missing:
            told += f" The gallery leaves out {' and '.join(missing)}, which the stored maps have."
        choice = choose(here, _CARDS)
        named = (
            ("Strongest", choice.strongest),
            ("Weakest", choice.weakest),
            ("Some others, at random", choice.random),
        )
        sets = tuple(
            Figures(title, tuple(gallery.card(study.by_id[name], float(here[name])) for name in names))
            for title, names in named
            if names
        )
    faces = () if study.faces else (Text("Faces are left out; merprep report --faces shows them."),)
    return [Group("Gallery of flow", (Text(told), *faces, *sets))]
