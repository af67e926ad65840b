"""The report holds what the workspace holds, interprets no text, shows no face, and needs nothing else."""

import base64
import hashlib
import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.faces import AlignConfig
from merprep.features import FlowConfig
from merprep.report import write_report
from merprep.report.commands import commands
from merprep.report.study import Study, read_study
from merprep.report.study_file import study_file
from merprep.store import Manifest, Workspace, read_manifest, write_manifest
from merprep.store.aligned import open_aligned
from merprep.study import Study as Settings

_PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")
_LARGEST = 5_000_000


class Outline(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.texts, self.policy = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href", "action", "data")]
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"]

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="session")
def text(page):
    return page.read_text(encoding="utf-8")


def test_the_page_links_to_itself_alone(text):
    assert all(link.startswith(("#", "data:")) for link in Outline(text).links)
    assert "default-src 'none'" in Outline(text).policy


def test_the_policy_names_the_one_script_and_the_one_style_by_their_hashes(text):
    policy = Outline(text).policy
    for tag in ("script", "style"):
        [content] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_texts_of_sheets_are_shown_and_never_interpreted(text):
    outline = Outline(text)
    assert outline.tags.count("script") == 1
    assert "img" not in outline.tags
    assert "<script>document.title" in "".join(outline.texts)
    assert "onerror=alert(1)" in "".join(outline.texts)


def test_every_score_and_every_exclusion_is_in_the_page(text, study):
    told = "".join(Outline(text).texts)
    for path in study.runs.glob("*/scores.json"):
        assert f"{json.loads(path.read_text(encoding='utf-8'))['full']['uf1']:.3f}" in told
    for clip in read_manifest(study).clips:
        assert clip.id in told
    assert read_manifest(study).digest() in told


def test_the_page_is_small(page):
    assert page.stat().st_size < _LARGEST


def test_no_picture_of_the_page_shows_a_face(text, study):
    assert _likeness(text, study) < 0.5


@pytest.mark.slow
def test_faces_are_shown_where_they_are_asked_for(study, tmp_path):
    path = write_report(study, tmp_path / "faces.html", faces=True)
    assert _likeness(path.read_text(encoding="utf-8"), study) > 0.99


def _likeness(text, study):
    """Return the largest correlation of a picture in the page with a face of the study, both shrunk and in grey."""
    [path] = (study.folder / "aligned").glob("*.h5")
    with open_aligned(path) as file:
        faces = [_small(file.frames(name)[0]) for name in file.clips["id"]]
    pictures = [
        np.array(Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB")) for code in _PICTURE.findall(text)
    ]
    assert len(pictures) > 10
    likenesses = [abs(float((_small(picture) * face).mean())) for picture in pictures for face in faces]
    return max(likenesses)


def _small(picture):
    grey = picture if picture.ndim == 2 else picture.mean(axis=2)
    small = cv2.resize(grey.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA)
    return (small - small.mean()) / (small.std() + 1e-6)


def test_an_empty_workspace_is_told_which_commands_make_each_part(workspace):
    told = write_report(workspace).read_text(encoding="utf-8")
    for command in ("merprep ingest", "merprep align", "merprep flow", "merprep train"):
        assert command in told


def test_imported_features_are_reported_without_a_manifest(study, tmp_path):
    imported = Workspace(tmp_path / "imported")
    (imported.folder / "features").mkdir(parents=True)
    shutil.copy(read_study(study).features, imported.folder / "features" / "htnet-features-1.h5")
    told = write_report(imported).read_text(encoding="utf-8")
    assert "these are the clips of the imported features" in told
    assert read_manifest(study).usable[0].id in told
    assert "merprep ingest" not in told


def test_clips_that_changed_since_their_features_were_made_are_told(study, tmp_path):
    changed = Workspace(tmp_path / "changed")
    shutil.copytree(study.folder, changed.folder)
    manifest = read_manifest(changed)
    clips = [replace(clip, apex=clip.onset) if clip.status == "ok" else clip for clip in manifest.clips]
    write_manifest(changed, replace(manifest, clips=tuple(clips)))
    told = write_report(changed).read_text(encoding="utf-8")
    assert f"{len(manifest.usable)} clips are not as the manifest has them now" in told


def test_runs_over_action_units_are_told_unit_by_unit(workspace):
    folder = workspace.runs / "majority-default-action-units-1"
    folder.mkdir(parents=True)
    unit = {"f1": 0.75, "precision": 0.6, "recall": 1.0, "clips": 9}
    scores = {"model": "majority", "scheme": "action-units", "full": {"mean_f1": 0.75, "n": 12, "units": {"12": unit}}}
    (folder / "units.json").write_text(json.dumps(scores), encoding="utf-8")
    assert read_study(workspace).unfinished == ()
    told = "".join(Outline(write_report(workspace).read_text(encoding="utf-8")).texts)
    assert "AU 12" in told
    assert "mean F1 0.750, honest" in told
    assert "merprep train --model majority --scheme action-units" in told


def test_a_run_whose_files_are_damaged_is_named_and_does_not_stop_the_report(study, tmp_path):
    broken = study.runs / "htnet-sanity-broken"
    broken.mkdir()
    (broken / "scores.json").write_text("{", encoding="utf-8")
    try:
        assert "htnet-sanity-broken" in read_study(study).unfinished
    finally:
        (broken / "scores.json").unlink()
        broken.rmdir()


def test_the_commands_in_the_page_are_those_that_made_the_files(study):
    lines = commands(read_study(study))
    assert [line.split()[1] for line in lines] == ["ingest", "ingest", "flow", "train", "train"]
    assert "merprep flow --preset default" in lines
    assert any("--model ststnet" in line and "--seeds 2" in line and "--epochs 2" in line for line in lines)


def test_a_changed_setting_of_flow_is_an_option_of_the_command(study, tmp_path):
    config = FlowConfig(method="farneback", size=56, channels=("u", "v", "magnitude"))
    with_config = _with_config(study, config)
    flow = next(line for line in commands(with_config) if line.startswith("merprep flow"))
    assert "--method farneback" in flow
    assert "--size 56" in flow
    assert "--channels u,v,magnitude" in flow


def _with_config(study, config):
    """Return the study as if its feature file had been made with other settings."""
    from merprep.store import FeatureHeader, open_features, write_features

    source = read_study(study)
    target = study.folder.parent / "other.h5"
    with open_features(source.features) as file:
        header = FeatureHeader(
            file.channels,
            file.units,
            "none",
            config.model_dump(mode="json"),
            {},
            file.region_sets,
            file.header().landmark_scheme,
        )
        write_features(target, header, [(file.records()[0], file.row(0))], 1)
    return Study(study, Manifest(), features=target)


@pytest.mark.parametrize(
    "config",
    [
        FlowConfig(),
        FlowConfig(method="farneback", size=56, channels=("u", "v", "magnitude"), head_motion="none", mask_eyes=True),
        FlowConfig(parameters={"attachment": 0.35, "warps": 5}, pair="apex-offset", average=2),
        FlowConfig(align=AlignConfig(size=128, person=1, margin=0.1, refine="ecc"), flow_size=112),
    ],
)
def test_the_study_file_in_the_page_gives_settings_of_the_same_id(study, tmp_path, config):
    text = study_file(_with_config(study, config))
    (tmp_path / "merprep.toml").write_text(text, encoding="utf-8")
    assert Settings(tmp_path).flow_config().config_id() == config.config_id()


def test_the_study_file_names_the_databases_and_the_newest_run(study, tmp_path):
    (tmp_path / "merprep.toml").write_text(study_file(read_study(study)), encoding="utf-8")
    settings = Settings(tmp_path)
    sources = read_manifest(study).sources
    assert {name: str(values["root"]) for name, values in settings.databases().items()} == {
        name: source["root"] for name, source in sources.items()
    }
    table = settings.train_table()
    assert (table.model, table.seeds, table.epochs, table.labels) == ("ststnet", 2, 2, "megc2019")


def test_the_command_line_writes_the_report_and_says_where(study, tmp_path):
    target = tmp_path / "by-hand.html"
    result = CliRunner().invoke(app, ["report", "-w", str(study.folder), "--out", str(target), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told == {"report": str(target), "bytes": target.stat().st_size, "faces": False}
