"""A study's settings stand in one file; the command line goes before it, and what is wrong in it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from merprep.errors import ConfigError, MerprepError
from merprep.faces import AlignConfig
from merprep.features import FlowConfig
from merprep.study import Study, write_template


def _study(folder: Path, text: str) -> Study:
    (folder / "merprep.toml").write_text(text, encoding="utf-8")
    return Study(folder)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    study = Study(tmp_path)
    assert not study.exists
    assert study.align_config() == AlignConfig()
    assert study.flow_config() == FlowConfig()
    assert study.train_table().arguments()["scheme"] == 3


def test_the_command_line_goes_before_the_file_and_the_file_before_the_defaults(tmp_path: Path) -> None:
    study = _study(
        tmp_path, '[flow]\npreset = "steady"\nsize = 56\njobs = 1\n[train]\nmodel = "svm"\nscheme = "samm-5"\n'
    )
    assert study.flow_config().size == 56
    assert study.flow_config(size=28, head_motion=None).size == 28
    assert study.flow_config(preset="fast").size == 56
    assert study.running("flow", jobs=None, device="cpu").model_dump() == {"frames": "key", "device": "cpu", "jobs": 1}
    assert study.train_table().arguments()["scheme"] == "samm-5"
    assert study.train_table(classes=5, model=None).arguments()["scheme"] == 5
    assert study.train_table(classes=5).model == "svm"


def test_alignment_is_the_same_whether_align_or_flow_does_it(tmp_path: Path) -> None:
    study = _study(tmp_path, '[align]\nbackend = "none"\nframes = "all"\nmargin = 0.1\n')
    assert study.flow_config().align == study.align_config() == AlignConfig(backend="none", margin=0.1)
    assert study.running("align").frames == "all"


def test_paths_of_databases_count_from_the_file(tmp_path: Path) -> None:
    study = _study(tmp_path, '[databases.casme2]\nroot = "data/CASME2"\nverify = "exists"\n')
    arguments = study.databases()["casme2"]
    assert arguments["root"] == tmp_path / "data" / "CASME2"
    assert arguments["verify"] == "exists"
    assert arguments["annotations"] is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[flow\n", "no TOML"),
        ("[flo]\nsize = 28\n", "'flo'"),
        ("[flow]\nsise = 28\n", "'sise'"),
        ("[flow]\nsize = 27\n", "'size'"),
        ('[flow]\npreset = "stedy"\n', "stedy"),
        ('[align]\nmargin = "wide"\n', "'margin'"),
        ('[align]\nframes = "some"\n', "'frames'"),
        ("[align]\njobs = 0\n", "'jobs'"),
        ("[train]\nseeds = 0\n", "'seeds'"),
        ('[train]\nselection = "best"\n', "'selection'"),
        ("[databases.casme2]\nvariant = 'hs'\n", "root"),
        ("train = 3\n", "'train'"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_place(text: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(MerprepError, match=word) as caught:
        _study(tmp_path, text).as_json()
    if isinstance(caught.value, ConfigError):
        assert "merprep.toml" in str(caught.value)


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "merprep.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no TOML"):
        Study(tmp_path).as_json()


def test_the_template_is_a_valid_study_and_is_never_written_over_another(tmp_path: Path) -> None:
    write_template(Study(tmp_path))
    assert Study(tmp_path).train_table().preset == "sanity"
    with pytest.raises(ConfigError, match="already"):
        write_template(Study(tmp_path))
