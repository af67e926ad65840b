"""Runs by every protocol: what is tested, what is refused, what is stamped, what stands beside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, StratifiedGroupKFold

from merprep.errors import LeakError, TrainingError, UnknownNameError, UsageError
from merprep.evaluation import uf1
from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, write_features
from merprep.training import compare_runs, read_run, train

Maker = Callable[..., Path]
CLASSES = ("negative", "positive", "surprise")


def _write(path: Path, clips: list[Clip], config: dict[str, object] | None = None, *, equal: bool = False) -> Path:
    """Write a feature file of noise; with `equal`, the first and the last clip have one input."""
    maps = np.random.default_rng(0).normal(size=(len(clips), 3, 28, 28)).astype(np.float32)
    if equal:
        maps[-1] = maps[0]
    header = FeatureHeader(("u", "v", "strain"), ("px", "px", "1/px"), "none", {"made": "by a test", **(config or {})})
    write_features(
        path, header, [(clip, ClipFeatures(values)) for clip, values in zip(clips, maps, strict=True)], len(clips)
    )
    return path


def _clips(*databases: tuple[str, str], persons: int = 3, variant: str = "") -> list[Clip]:
    """Of (database, person namespace): every person shows every class once."""
    return [
        Clip(base, f"s{n}", f"c{number}", person=f"{space}:{n}", emotion=emotion, variant=variant)
        for base, space in databases
        for n in range(persons)
        for number, emotion in enumerate(CLASSES)
    ]


def test_holding_out_a_database_tests_it_alone(make_features: Maker, tmp_path: Path) -> None:
    features = make_features()
    result = train(features, model="svm", protocol="hold-out:CASME II", run_folder=tmp_path / "run")
    assert set(result.predictions["database"]) == {"casme2"}
    assert result.full["n"] == 12
    assert list(result.databases) == ["casme2"]
    assert result.folds == 1
    both = train(features, model="svm", protocol="hde", run_folder=tmp_path / "hde")
    assert both.full["n"] == 24
    assert both.databases["casme2"]["uf1"] == result.databases["casme2"]["uf1"]


def test_persons_of_both_databases_are_left_out_of_training_and_counted(tmp_path: Path) -> None:
    clips = _clips(("samm", "samm"), ("casme2", "casme2")) + _clips(("samm-lv", "samm"), persons=2)
    result = train(
        _write(tmp_path / "f.h5", clips), model="majority", protocol="hold-out:samm-lv", run_folder=tmp_path / "run"
    )
    assert any("6 clips of 2 persons in samm were left out of training" in note for note in result.notes)
    assert any("left out of training" in line for line in result.remarks())


def test_databases_of_the_same_people_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    features = _write(tmp_path / "f.h5", _clips(("smic", "smic"), ("smic-vis", "smic")))
    with pytest.raises(LeakError, match="Nobody is left"):
        train(features, model="majority", protocol="hold-out:smic", run_folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert train(features, model="majority", run_folder=tmp_path / "run").folds == 3


def test_the_same_input_under_two_names_is_refused(tmp_path: Path) -> None:
    features = _write(tmp_path / "f.h5", _clips(("samm", "samm")), equal=True)
    with pytest.raises(LeakError, match="same input"):
        train(features, model="majority", run_folder=tmp_path / "run")


def test_a_mirrored_and_stretched_copy_that_nobody_noted_is_refused(tmp_path: Path) -> None:
    clips = _clips(("samm", "samm"))
    maps = np.random.default_rng(0).normal(size=(len(clips), 3, 28, 28)).astype(np.float32)
    maps[-1] = 3 * maps[0][:, :, ::-1] * np.array([-1, 1, 1], np.float32)[:, None, None]
    header = FeatureHeader(("u", "v", "strain"), ("px", "px", "1/px"), "none", {"made": "by a test"})
    rows = [(clip, ClipFeatures(values)) for clip, values in zip(clips, maps, strict=True)]
    write_features(tmp_path / "f.h5", header, rows, len(rows))
    for model in ("majority", "svm"):
        with pytest.raises(LeakError, match=r"samm/s0/c0 = samm/s2/c2|samm/s2/c2 = samm/s0/c0"):
            train(tmp_path / "f.h5", model=model, run_folder=tmp_path / "run")


def test_a_splitter_of_ones_own_is_followed_named_and_guarded(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(persons=4)
    result = train(features, model="svm", protocol=StratifiedGroupKFold(2), run_folder=tmp_path / "run")
    assert (result.protocol, result.folds, result.full["n"]) == ("StratifiedGroupKFold", 2, 24)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["config"]["protocol"] == "StratifiedGroupKFold"
    with pytest.raises(LeakError, match="person is on both sides"):
        train(features, model="svm", protocol=KFold(5), run_folder=tmp_path / "other")


def test_statistics_that_name_one_clip_are_believed(tmp_path: Path) -> None:
    features = _write(tmp_path / "f.h5", _clips(("samm", "samm")), {"fitted_on": "samm/s0/c0"})
    with pytest.raises(LeakError, match="fitted on test clips"):
        train(features, model="majority", run_folder=tmp_path / "run")


def test_a_copy_that_was_entered_as_another_person_is_refused(tmp_path: Path) -> None:
    copy = Clip("own", "s9", "c0", person="own:9", emotion="positive", notes=("copy of samm/s0/c1",))
    features = _write(tmp_path / "f.h5", [*_clips(("samm", "samm")), copy])
    with pytest.raises(LeakError, match="Copies of one clip"):
        train(features, model="majority", run_folder=tmp_path / "run")


def test_features_that_were_normalised_with_test_clips_are_refused(tmp_path: Path) -> None:
    clips = _clips(("samm", "samm"), ("casme2", "casme2"))
    everybody = _write(tmp_path / "all.h5", clips, {"fitted_on": [clip.id for clip in clips]})
    with pytest.raises(LeakError, match="fitted on test clips"):
        train(everybody, model="majority", run_folder=tmp_path / "run")
    clean = _write(tmp_path / "clean.h5", clips, {"fitted_on": [clip.id for clip in clips if clip.database == "samm"]})
    assert train(clean, model="majority", protocol="hold-out:casme2", run_folder=tmp_path / "run").folds == 1


def test_a_subject_dependent_run_is_stamped_in_every_output(make_features: Maker, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = train(make_features(), model="svm", protocol="samplewise-3", run_folder=run)
    assert result.subject_dependent
    assert "SUBJECT-DEPENDENT" in result.title()
    assert any(line.startswith("SUBJECT-DEPENDENT split") for line in result.remarks())
    assert set(pd.read_csv(run / "predictions.csv")["warning"]) == {"subject-dependent split"}
    stored = json.loads((run / "scores.json").read_text(encoding="utf-8"))
    assert stored["subject_dependent"]
    assert "SUBJECT-DEPENDENT" in stored["notes"][0]
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["config"]["protocol"] == "samplewise-3"
    honest = train(make_features(), model="svm", run_folder=tmp_path / "honest")
    assert not honest.subject_dependent
    assert "warning" not in honest.predictions
    assert "was tested on people" in " ".join(compare_runs(run, tmp_path / "honest").notes)


def test_the_official_split_of_dfme_needs_no_list(tmp_path: Path) -> None:
    clips = [
        Clip("dfme", f"sub{n:04}", f"sub{n:04}_{k:02}", person=f"dfme:{n}", emotion=emotion, variant=part)
        for n, part in enumerate(("train", "train", "test-a", "test-b"))
        for k, emotion in enumerate(("anger", "fear", "surprise"))
    ]
    features = _write(tmp_path / "f.h5", clips)
    result = train(features, model="majority", scheme="dfme-7", protocol="dfme-official", run_folder=tmp_path / "run")
    assert result.full["n"] == 6
    assert "train: 6 clips" in result.notes
    assert set(result.predictions["fold"]) == {"test-a+test-b"}


def test_a_changed_list_of_folds_is_another_run(make_features: Maker, tmp_path: Path) -> None:
    features, path = make_features(), tmp_path / "mine.csv"
    names = [f"casme2/s{n}" for n in (0, 2)] + [f"samm/s{n}" for n in (1, 3)]
    runs = []
    for words in (("train", "train", "test", "test"), ("test", "train", "train", "test")):
        lines = [f"{name}/c{k},{word}" for name, word in zip(names, words, strict=True) for k in range(6)]
        path.write_text("\n".join(["id,fold", *lines]) + "\n", encoding="utf-8")
        runs.append(train(features, model="majority", protocol=f"split-file:{path}", runs_folder=tmp_path / "runs"))
    assert runs[0].run != runs[1].run
    assert str(tmp_path) not in (runs[0].run / "run.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("protocol", "error"),
    [("hold-out:mmew", UnknownNameError), ("hold-out:nowhere", UnknownNameError), ("kfold-9", UsageError)],
)
def test_a_protocol_that_does_not_fit_leaves_nothing(
    make_features: Maker, tmp_path: Path, protocol: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        train(make_features(), model="majority", protocol=protocol, run_folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_scores_by_class_intervals_and_persons_are_in_the_result(make_features: Maker, tmp_path: Path) -> None:
    result = train(make_features(noise=1.5), model="svm", seeds=2, run_folder=tmp_path / "run")
    assert result.full["persons"] == 4
    low, high = result.full["interval"]["uf1"]
    assert low <= result.full["uf1"] <= high
    assert set(result.full["recall"]) == set(CLASSES)
    assert np.mean(list(result.full["f1"].values())) == pytest.approx(result.full["uf1"])
    assert np.mean(list(result.full["recall"].values())) == pytest.approx(result.full["uar"])
    columns, rows = result.class_table()
    assert [row[0] for row in rows] == list(CLASSES)
    assert all(len(row) == len(columns) for row in rows)


def test_a_baseline_has_the_columns_of_the_optimistic_score_and_says_why_they_are_empty(
    make_features: Maker, tmp_path: Path
) -> None:
    result = train(make_features(), model="majority", run_folder=tmp_path / "run")
    columns, rows = result.table()
    assert columns[-1] == "gap in UF1"
    assert all(row[-3:] == ["–"] * 3 for row in rows)
    assert any("no optimistic score" in line for line in result.remarks())


def test_other_clips_than_the_published_ones_are_not_compared_and_the_run_says_so(tmp_path: Path) -> None:
    clips = _clips(("samm", "samm"), ("casme2", "casme2"), ("smic", "smic"))
    result = train(_write(tmp_path / "f.h5", clips), model="majority", run_folder=tmp_path / "run")
    assert result.published == ()
    assert any("not compared with megc2019-composite" in note for note in result.notes)


def test_the_composite_stands_beside_the_published_table(shared_data: Path, tmp_path: Path) -> None:
    from merprep.stages import import_htnet_features
    from merprep.store import Workspace

    features, _ = import_htnet_features(Workspace(tmp_path), shared_data / "htnet-features")
    result = train(features, model="majority", run_folder=tmp_path / "run")
    [table] = result.as_json()["published"]
    rows = {row["method"]: row for row in table["results"]}
    assert rows["HTNet"]["compared_with"] == "nothing"
    assert rows["STSTNet (authors' port)"]["difference"]["uf1"] == pytest.approx(result.full["uf1"] - 0.7209)
    assert len(result.published_table()[1]) == len(rows)


def test_the_score_of_a_run_is_that_of_its_predictions_file(make_features: Maker, tmp_path: Path) -> None:
    result = train(make_features(noise=2.0), model="svm", run_folder=tmp_path / "run")
    table = read_run(tmp_path / "run").predictions
    truth, said = (table[column].map(CLASSES.index) for column in ("truth", "prediction"))
    assert uf1(truth, said, 3) == pytest.approx(result.full["uf1"])


def test_two_runs_are_compared_on_the_clips_of_both(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(noise=0.5)
    for model in ("svm", "majority"):
        train(features, model=model, run_folder=tmp_path / model)
    found = compare_runs(tmp_path / "svm", tmp_path / "majority")
    values = found.as_json()
    assert values["difference"]["uf1"] > 0.3
    assert (values["clips"], values["persons"], values["seeds"]) == (24, 4, 1)
    # Four persons can be swapped in 16 ways, of which two are as extreme as this one: no smaller p is possible.
    assert values["p"]["uf1"] == pytest.approx(2 / 16)
    assert json.loads(json.dumps(values)) == values
    columns, rows = found.table()
    assert all(len(row) == len(columns) for row in rows)
    train(features, model="svm", seeds=2, max_folds=2, protocol="kfold-4", run_folder=tmp_path / "part")
    notes = " ".join(compare_runs(tmp_path / "svm", tmp_path / "part").notes)
    for words in ("differ in protocol", "12 clips of svm", "first 1 of 2 seeds"):
        assert words in notes


def test_runs_that_cannot_be_compared_say_why(make_features: Maker, tmp_path: Path) -> None:
    features = make_features()
    train(features, model="majority", run_folder=tmp_path / "a")
    train(features, model="majority", run_folder=tmp_path / "b", permute_labels_within_persons=1)
    train(features, model="majority", scheme="unified-5", run_folder=tmp_path / "c")
    with pytest.raises(TrainingError, match="disagree about what is true"):
        compare_runs(tmp_path / "a", tmp_path / "b")
    with pytest.raises(TrainingError, match="different classes"):
        compare_runs(tmp_path / "a", tmp_path / "c")
    with pytest.raises(TrainingError, match="no finished run"):
        compare_runs(tmp_path / "a", tmp_path / "nowhere")
    (tmp_path / "b" / "predictions.csv").write_text("id,truth\n", encoding="utf-8")
    with pytest.raises(TrainingError, match="damaged"):
        compare_runs(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a" / "scores.json").write_text("{", encoding="utf-8")
    with pytest.raises(TrainingError, match="damaged"):
        read_run(tmp_path / "a")
