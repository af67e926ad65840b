"""Protocols by name, over persons, databases and lists."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, cross_val_score

from merprep.errors import LeakError, UnknownNameError, UsageError
from merprep.evaluation import (
    PROTOCOLS,
    SUBJECT_DEPENDENT,
    HoldOutDatabase,
    LeaveOneDatabaseOut,
    ListedSplit,
    Roster,
    SampleWiseKFold,
    SubjectDependentWarning,
    split_by,
)
from merprep.records import Clip, person_of


def _roster(*clips: tuple[str, str, str], part: str = "") -> Roster:
    """Of (database, subject, clip); SAMM and SAMM-LV, and the variants of SMIC, share their people."""
    spaces = {"samm-lv": "samm", "smic-vis": "smic"}
    return Roster.of(
        Clip(database, subject, clip, person=person_of(spaces.get(database, database), subject), variant=part)
        for database, subject, clip in clips
    )


COMPOSITE = _roster(
    *(("casme2", f"sub0{n}", clip) for n in range(1, 4) for clip in "ab"),
    *(("samm", f"00{n}", clip) for n in range(6, 8) for clip in "ab"),
    *(("smic", f"s{n}", "a") for n in range(1, 4)),
)
CLIPS = st.lists(
    st.tuples(st.sampled_from(["samm", "samm-lv", "smic", "casme2"]), st.integers(1, 5)), min_size=2, max_size=40
)


@given(CLIPS)
def test_over_databases_nobody_is_on_both_sides_and_each_clip_is_trained_tested_or_dropped(
    drawn: list[tuple[str, int]],
) -> None:
    roster = _roster(*((database, str(number), str(index)) for index, (database, number) in enumerate(drawn)))
    for name in dict.fromkeys(roster.databases):
        try:
            [fold] = HoldOutDatabase(roster.databases, name).folds(groups=roster.persons)
        except LeakError:
            others = {person for person, base in zip(roster.persons, roster.databases, strict=True) if base != name}
            tested = {person for person, base in zip(roster.persons, roster.databases, strict=True) if base == name}
            assert others <= tested
            continue
        except UsageError:
            assert len(set(roster.databases)) == 1 or len(set(roster.persons)) == 1
            continue
        persons = np.array(roster.persons)
        assert not set(persons[fold.train]) & set(persons[fold.test])
        assert set(persons[fold.dropped]) <= set(persons[fold.test])
        assert sorted([*fold.train, *fold.test, *fold.dropped]) == list(range(len(drawn)))


def test_leave_one_database_out_tests_every_database_once() -> None:
    split = split_by("hde", COMPOSITE)
    assert [fold.name for fold in split.folds] == ["casme2", "samm", "smic"]
    assert sorted(row for fold in split.folds for row in fold.test) == list(range(13))
    assert not split.notes
    for spelling in ("leave-one-database-out", "HDE"):
        other = split_by(spelling, COMPOSITE)
        assert (other.protocol, other.digest) == ("hde", split.digest)
    assert split_by("LOSO", COMPOSITE).protocol == split_by("leave-one-subject-out", COMPOSITE).protocol == "loso"


def test_scikit_learn_takes_the_splitters_over_databases() -> None:
    X, y = np.zeros((13, 1)), [0, 1] * 6 + [0]
    for splitter, folds in (
        (LeaveOneDatabaseOut(COMPOSITE.databases), 3),
        (HoldOutDatabase(COMPOSITE.databases, "smic"), 1),
    ):
        assert splitter.get_n_splits() == folds
        assert len(cross_val_score(DummyClassifier(), X, y, groups=COMPOSITE.persons, cv=splitter)) == folds


def test_hold_out_trains_on_the_others_or_on_those_named() -> None:
    [fold] = split_by("hold-out:samm", COMPOSITE).folds
    assert {COMPOSITE.databases[row] for row in fold.test} == {"samm"}
    assert {COMPOSITE.databases[row] for row in fold.train} == {"casme2", "smic"}
    assert split_by("hold-out:samm:casme2", COMPOSITE).notes == ("3 clips of smic were neither trained on nor tested",)
    [fold] = split_by("hold-out:samm+smic:casme2", COMPOSITE).folds
    assert fold.name == "samm+smic"
    assert {COMPOSITE.databases[row] for row in fold.train} == {"casme2"}
    split = split_by("hold-out:CASME II", COMPOSITE, resolve=lambda name: {"CASME II": "casme2"}[name])
    assert (split.protocol, split.folds[0].name) == ("hold-out:casme2", "casme2")


def test_persons_of_two_databases_leave_the_training_side_and_the_notes_count_them() -> None:
    roster = _roster(
        ("samm", "006", "a"), ("samm", "006", "b"), ("samm", "007", "a"), ("samm-lv", "6", "x"), ("smic", "s6", "a")
    )
    split = split_by("hold-out:samm-lv", roster)
    assert split.folds[0].train.tolist() == [2, 4]
    assert split.notes == (
        "test on samm-lv: 2 clips of 1 persons in samm were left out of training, as those persons are tested",
    )


def test_two_databases_of_the_same_people_cannot_be_held_out_from_each_other() -> None:
    roster = _roster(*((base, f"s{n}", "a") for base in ("smic", "smic-vis") for n in range(1, 4)))
    for protocol in ("hold-out:smic", "hde"):
        with pytest.raises(LeakError, match="Nobody is left to train on"):
            split_by(protocol, roster)
    assert len(split_by("loso", roster).folds) == 3


@pytest.mark.parametrize(
    ("protocol", "error", "words"),
    [
        ("hold-out", UsageError, "needs the database"),
        ("hold-out:mmew", UnknownNameError, "mmew"),
        ("hold-out:samm:samm", UsageError, "both|cannot be trained on and tested"),
        ("losso", UsageError, "no such protocol"),
        ("loso:x", UsageError, "nothing after a colon"),
        ("kfold-1", UsageError, "at least two folds"),
        ("kfold-x", UsageError, "no such protocol"),
        ("kfold-99", UsageError, "fewer persons than folds"),
        ("samplewise-99", UsageError, "fewer clips than folds"),
        ("dfme-official", UsageError, "which part of DFME"),
        ("dfme-official:test-c", UsageError, "no such test part"),
        ("split-file", UsageError, "needs a file"),
        ("split-file:nowhere.csv", UsageError, "cannot be read"),
    ],
)
def test_protocols_that_cannot_be_followed_say_why(protocol: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        split_by(protocol, COMPOSITE)


def test_every_protocol_that_is_offered_is_one() -> None:
    assert {name.partition(":")[0].partition("[")[0] for name in PROTOCOLS} == {
        "loso", "kfold-N", "hde", "hold-out", "dfme-official", "split-file", "samplewise-N", "samplewise-file",
    }  # fmt: skip


def test_one_database_alone_has_nothing_to_train_on() -> None:
    roster = _roster(("samm", "006", "a"), ("samm", "007", "a"))
    for protocol in ("hde", "hold-out:samm"):
        with pytest.raises(UsageError, match="no database left to train on"):
            split_by(protocol, roster)


def _dfme(*parts: tuple[str, str]) -> Roster:
    return Roster.of(
        Clip("dfme", subject, f"{subject}_01", person=person_of("dfme", subject), variant=part)
        for subject, part in parts
    )


def test_the_official_split_of_dfme_trains_on_its_train_part_and_tests_the_others_at_once() -> None:
    roster = _dfme(("sub0001", "train"), ("sub0002", "test-a"), ("sub0003", "test-b"), ("sub0004", "train"))
    [fold] = split_by("dfme-official", roster).folds
    assert (fold.name, fold.train.tolist(), fold.test.tolist()) == ("test-a+test-b", [0, 3], [1, 2])
    [fold] = split_by("dfme-official:test-b", roster).folds
    assert (fold.name, fold.train.tolist(), fold.test.tolist()) == ("test-b", [0, 3], [2])
    split = split_by("dfme-official", _dfme(("sub0001", "train"), ("sub0002", "test-a"), ("sub0009", "")))
    assert "no clip is of the part test-b" in split.notes
    assert any("1 clips of dfme are of no part" in note for note in split.notes)


def test_an_official_part_that_shares_people_with_another_is_refused() -> None:
    with pytest.raises(LeakError, match="dfme:1"):
        split_by("dfme-official", _dfme(("sub0001", "train"), ("sub0001", "test-a"), ("sub0002", "train")))


def _write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_split_from_a_file_is_followed_checked_and_accounted_for(tmp_path: Path) -> None:
    rows = [f"{name},{'train' if name.startswith('samm') else 'test'}" for name in COMPOSITE.ids if "smic" not in name]
    path = _write(tmp_path / "mine.csv", "id,fold", *rows, "mmew/S01/x,train")
    split = split_by(f"split-file:{path}", COMPOSITE)
    assert split.protocol == "split-file:mine.csv"
    assert {COMPOSITE.databases[row] for row in split.folds[0].train} == {"samm"}
    assert any("3 clips are not in the list" in note for note in split.notes)
    assert any("1 of 11 clips in the list" in note for note in split.notes)


def test_a_listed_clip_is_found_however_its_subject_is_padded(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", "Database,Subject,Clip,Split", "SAMM,6,A,1", "samm,007,b,2", "smic,s01,a,")
    folds = split_by(f"split-file:{path}", COMPOSITE).folds
    assert [[COMPOSITE.ids[row] for row in fold.test] for fold in folds] == [["samm/006/a"], ["samm/007/b"]]
    assert folds[0].train.tolist() == folds[1].test.tolist()


@pytest.mark.parametrize(
    ("lines", "error", "words"),
    [
        (["id,fold", "casme2/sub01/a,train", "casme2/sub01/b,test"], LeakError, "casme2:1"),
        (["id,fold", "casme2/sub01/a,train", "casme2/sub01/a,test"], UsageError, "in two folds"),
        (["id,fold", "mmew/S01/x,train"], UsageError, "none of the clips"),
        (["id,fold", "casme2/sub01/a,train"], UsageError, "nothing to test"),
        (["id,side", "casme2/sub01/a,train"], UsageError, "lacks a column"),
        (["id,fold", "sub01,train"], UsageError, "database/subject/clip"),
        (["id,fold"], UsageError, "empty"),
    ],
)
def test_a_list_with_a_flaw_is_refused(tmp_path: Path, lines: list[str], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        split_by(f"split-file:{_write(tmp_path / 'x.csv', *lines)}", COMPOSITE)


def test_sample_wise_folds_warn_and_their_split_says_that_people_are_on_both_sides() -> None:
    with pytest.warns(SubjectDependentWarning):
        folds = list(SampleWiseKFold(5).split(COMPOSITE.ids))
    assert sorted(row for _, test in folds for row in test) == list(range(13))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split = split_by("samplewise-5", COMPOSITE)
    assert split.subject_dependent
    assert split.notes[0] == SUBJECT_DEPENDENT
    assert any(
        {COMPOSITE.persons[row] for row in fold.train} & {COMPOSITE.persons[row] for row in fold.test}
        for fold in split.folds
    )


def test_published_sample_wise_lists_of_casme3_are_read_from_their_folder(tmp_path: Path) -> None:
    roster = Roster.of(
        Clip("casme3a", f"spNO.{n}", f"{video}_{onset}", person=f"casme3a:{n}")
        for n in (1, 2)
        for video, onset in (("a", 8), ("J", 95), ("c", 7))
    )
    head = "Subject,Filename,Onset,Apex,Offset,AU,Objective class,emotion"
    _write(tmp_path / "test_fold_1.csv", head, "spNO.1,a,8,9,10,4,III,sad", "spNO.2,J,95,9,10,4,III,sad")
    _write(tmp_path / "test_fold_2.csv", head, "spNO.1,J,95,9,10,4,III,sad", "spNO.2,a,8,9,10,4,III,sad")
    split = split_by(f"samplewise-file:{tmp_path}", roster)
    assert [fold.name for fold in split.folds] == ["fold-1", "fold-2"]
    assert [roster.ids[row] for row in split.folds[0].test] == ["casme3a/spNO.1/a_8", "casme3a/spNO.2/J_95"]
    assert split.subject_dependent
    assert "2 clips are not in the list" in split.notes[1]
    with pytest.raises(LeakError):
        split_by(f"split-file:{tmp_path}", roster)


def test_a_subject_dependent_list_must_be_asked_for_and_warns() -> None:
    words, persons = ["1", "2"], ["a", "a"]
    with pytest.raises(LeakError):
        list(ListedSplit(words).split(words, groups=persons))
    with pytest.warns(SubjectDependentWarning):
        assert len(list(ListedSplit(words, subject_dependent=True).split(words, groups=persons))) == 2


@pytest.mark.parametrize("protocol", ["loso", "kfold-3", "hde"])
def test_a_split_and_its_digest_depend_on_the_clips_alone(protocol: str) -> None:
    assert split_by(protocol, COMPOSITE).digest == split_by(protocol, COMPOSITE).digest
    fewer = Roster(*(values[:-1] for values in vars(COMPOSITE).values()))
    assert split_by(protocol, fewer).digest != split_by(protocol, COMPOSITE).digest


def test_a_splitter_of_scikit_learn_is_a_protocol_and_is_checked_like_all_others() -> None:
    labels = [index % 2 for index in range(len(COMPOSITE.ids))]
    found = split_by(GroupKFold(3), COMPOSITE)
    assert (found.protocol, len(found.folds), found.notes) == ("GroupKFold", 3, ())
    assert sorted(np.concatenate([fold.test for fold in found.folds]).tolist()) == list(range(len(COMPOSITE.ids)))
    assert len(split_by(StratifiedGroupKFold(2), COMPOSITE, labels=labels).folds) == 2
    assert len(split_by(LeaveOneDatabaseOut(COMPOSITE.databases), COMPOSITE).folds) == 3
    with pytest.raises(LeakError, match="person is on both sides"):
        split_by(KFold(3), COMPOSITE)
    with pytest.raises(LeakError, match="same input"):
        split_by(GroupKFold(3), COMPOSITE, digests=["x"] * len(COMPOSITE.ids))
    stamped = split_by(SampleWiseKFold(3), COMPOSITE)
    assert stamped.subject_dependent
    assert stamped.notes[0] == SUBJECT_DEPENDENT


class _Own:
    """A splitter that somebody wrote in a hurry."""

    def __init__(self, *pairs: tuple[list[int], list[int]]) -> None:
        self.pairs = pairs

    def split(self, *_: object) -> Iterator[tuple[list[int], list[int]]]:
        yield from self.pairs


@pytest.mark.parametrize(
    ("splitter", "kind", "words"),
    [
        (_Own(([0, 1], [0, 6])), LeakError, "person is on both sides"),
        (_Own(([0, 1], [6]), ([2, 3], [6])), UsageError, "more than one fold"),
        (_Own(([0, 1], [])), UsageError, "empty"),
        (_Own(), UsageError, "empty"),
        (_Own(([0, 99], [6])), UsageError, "out of range"),
        (StratifiedGroupKFold(2), UsageError, "cannot split these clips"),
        (3, UsageError, "a name, or a splitter"),
    ],
)
def test_a_splitter_that_leaks_or_counts_twice_is_refused(splitter: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        split_by(splitter, COMPOSITE)


def test_clips_that_a_splitter_never_tests_are_counted() -> None:
    found = split_by(_Own(([0, 1, 2], [6, 7])), COMPOSITE)
    assert found.notes == ("11 of 13 clips are tested in no fold of _Own",)


def test_train_is_train_however_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    rows = [f"{name},{'Train' if 'samm' not in name else 'test'}" for name in COMPOSITE.ids]
    path.write_text("\n".join(["id,fold", *rows]), encoding="utf-8")
    [fold] = split_by(f"split-file:{path}", COMPOSITE).folds
    assert (fold.name, len(fold.test), len(fold.train)) == ("test", 4, 9)
