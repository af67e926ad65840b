from __future__ import annotations

from pathlib import Path

import pytest
import python_calamine

from merprep.errors import UnknownNameError
from merprep.labels import count_table, emotion_word, known_emotions, objective_class, scheme, scheme_names
from merprep.records import Clip, person_of

# The words that the released tables and folders write.
RAW = {
    "smic": "negative positive surprise",
    "casme": "happiness happiness/amusement amusement disgust sadness contempt fear tense surprise repression",
    "casme2": "others disgust happiness repression surprise sadness fear",
    "casme-sq": "negative positive surprise others happyiness anger disgust fear pain sadness helpless confused",
    "casme3a": "disgust surprise others Others fear anger sad happy",
    "casme3c": "negative surprise others positive",
    "samm": "Anger Contempt Disgust Fear Happiness Sadness Surprise Other",
    "mmew": "happiness anger surprise disgust fear sadness others repression",
    "4dme": "Positive Negative Surprise Repression Others",
    "dfme": "anger contempt disgust fear happiness sadness surprise",
    "meview": "happiness anger disgust surprise contempt fear unclear",
}
OWN = {
    "casme2-5": "casme2", "casme2-7": "casme2", "samm-5": "samm", "mmew-4": "mmew", "mmew-6": "mmew", "mmew-7": "mmew",
    "casme3-3": "casme3a", "casme3-4": "casme3c", "casme3-7": "casme3a", "dfme-7": "dfme", "4dme-5": "4dme",
}  # fmt: skip


def clip(database: str = "samm", emotion: str = "Anger", subject: str = "006", name: str = "c") -> Clip:
    return Clip(database, subject, name, person=person_of(database, subject), emotion=emotion)


def class_of(name: str | int, emotion: str, database: str = "casme") -> str | None:
    chosen = scheme(name)
    label = chosen.label(clip(database, emotion))
    return None if label is None else chosen.classes[label]


@pytest.mark.parametrize("name", scheme_names())
def test_every_scheme_loads_and_maps_into_its_classes(name: str) -> None:
    chosen = scheme(name)
    assert set(chosen.map.values()) <= set(chosen.classes)
    assert chosen.describe().startswith(name)


@pytest.mark.parametrize("name", [3, 5, 7])
@pytest.mark.parametrize("emotion", known_emotions())
def test_every_known_emotion_is_mapped_or_dropped_with_a_reason(name: int, emotion: str) -> None:
    chosen = scheme(name)
    row = clip("casme", emotion)
    assert (chosen.label(row) is None) == bool(chosen.reason(row))
    assert "is not a word of" not in chosen.reason(row)


def test_numbers_of_classes_name_the_unified_schemes() -> None:
    assert [scheme(n).name for n in (3, 5, 7)] == ["megc2019", "unified-5", "unified-7"]
    assert scheme("3").classes == ("negative", "positive", "surprise")


def test_sadness_is_negative_except_where_the_official_list_leaves_it_out() -> None:
    assert class_of(3, "sadness", "casme2") is None
    assert class_of(3, "Sadness", "samm") == "negative"
    assert class_of(3, "sad", "casme3a") == "negative"


def test_unified_schemes_follow_their_definition() -> None:
    assert class_of(5, "positive") == "happiness"
    assert class_of(5, "pain") == "other-negative"
    assert class_of(7, "contempt") == "others"
    assert class_of(7, "negative") is None


def test_a_word_that_no_scheme_knows_is_said_to_be_unknown() -> None:
    assert "'boredom' is not a word" in scheme(3).reason(clip(emotion="boredom"))


def test_a_clip_without_an_emotion_has_no_class_and_says_so() -> None:
    assert scheme(3).reason(clip(emotion="")) == "no emotion is annotated"


def test_a_published_scheme_is_for_its_own_database() -> None:
    assert scheme("samm-5").label(clip("samm", "Other")) == 4
    assert "scheme for samm" in scheme("samm-5").reason(clip("casme2", "others"))


def test_clip_drops_do_not_depend_on_the_spelling_of_the_subject() -> None:
    chosen = scheme(3)
    assert chosen.label(clip("casme2", "disgust", "sub04", "EP12_01f")) is None
    assert chosen.label(clip("casme2", "disgust", "4", "EP12_01f")) is None
    assert chosen.label(clip("casme2", "disgust", "sub05", "EP12_01f")) == 0


def test_an_unknown_scheme_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="megc2019"):
        scheme("megc19")
    with pytest.raises(UnknownNameError, match="3, 5 or 7"):
        scheme(4)


def test_counts_show_differences_from_the_published_numbers() -> None:
    rows = [clip(name=str(i)) for i in range(91)] + [clip(name=f"o{i}", emotion="Other") for i in range(2)]
    table = count_table([*rows, clip(name="gone").excluded("no frames on disk")], scheme(3))
    assert table.counts == {"samm": {"negative": 91, "positive": 0, "surprise": 0}}
    assert table.differences()["samm"]["negative"] == (91, 92)
    assert table.dropped["samm"] == {"others is none of the three classes": 2}
    assert table.excluded == {"samm": 1}
    assert table.as_json()["scheme"] == "megc2019"
    assert all(len(row) == len(table.columns()) for row in table.rows())


def test_objective_classes_are_a_scheme_too() -> None:
    row = Clip("casme2", "sub01", "x", person="casme2:1", objective_class="VII")
    assert scheme("objective-7").label(row) == 6
    assert scheme("objective-5").label(row) is None


@pytest.mark.parametrize("database", RAW)
@pytest.mark.parametrize("name", [3, 5, 7, *OWN])
def test_every_word_of_every_database_is_mapped_or_dropped_with_its_reason(name: str | int, database: str) -> None:
    if isinstance(name, str) and OWN[name] != database:
        return
    chosen = scheme(name)
    for word in RAW[database].split():
        row = clip(database, word)
        assert emotion_word(word) in known_emotions()
        assert (chosen.label(row) is None) == bool(chosen.reason(row))
        assert "is not a word of" not in chosen.reason(row)
        assert "is a scheme for" not in chosen.reason(row)


@pytest.mark.parametrize("name", OWN)
def test_published_schemes_state_counts_of_their_own_classes(name: str) -> None:
    chosen = scheme(name)
    assert all(set(entry.counts) == set(chosen.classes) for entry in chosen.published)
    assert all(entry.database in chosen.databases for entry in chosen.published)


def test_published_counts_add_up_to_the_published_totals() -> None:
    def totals(name: str) -> list[int]:
        return [sum(entry.counts.values()) for entry in scheme(name).published]

    assert totals("casme2-5") == [246, 249]
    assert totals("casme2-7") == [255, 255]
    assert totals("samm-5") == [136]
    assert totals("casme3-3") == [699, 145]
    assert totals("casme3-4") == [860, 165]
    assert totals("casme3-7") == [860]
    assert totals("mmew-7") == [300]
    assert totals("dfme-7") == [2629, 1856, 474, 299]
    assert totals("objective-7") == [255, 255, 159, 860]
    assert totals("objective-5") == [185, 174, 68, 484]
    assert totals("megc2019") == [145, 133, 164]


def test_a_clip_of_several_emotions_counts_in_each_class_where_the_scheme_allows_it() -> None:
    mixed = clip("4dme", "Surprise+Positive")
    chosen = scheme("4dme-5")
    assert chosen.labels(mixed) == (0, 2)
    assert chosen.label(mixed) is None
    assert chosen.reason(mixed) == "several classes at once: positive, surprise"
    table = count_table([mixed, clip("4dme", "Positive", name="d")], chosen)
    assert table.counts["4dme"] == {"positive": 2, "negative": 0, "surprise": 1, "repression": 0, "others": 0}
    assert (table.total, table.dropped) == (2, {"4dme": {}})


def test_several_emotions_of_one_class_are_that_class_and_others_are_dropped_with_the_reason() -> None:
    assert class_of(3, "Negative+Repression", "4dme") == "negative"
    assert class_of(3, "Surprise+Positive", "4dme") is None
    assert scheme(3).reason(clip("4dme", "Surprise+Positive")) == "several classes at once: surprise, positive"
    assert scheme(3).reason(clip("4dme", "Positive+Others")) == "others is none of the three classes"


def test_objective_classes_of_the_real_table_of_casme3_follow_from_its_action_units(shared_data: Path) -> None:
    book = python_calamine.CalamineWorkbook.from_path(
        shared_data / "annotations" / "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx"
    )
    rows = book.get_sheet_by_name("label").to_python()[1:]
    assert len(rows) == 860
    assert [row[6] for row in rows] == [objective_class(str(row[5])) for row in rows]
    clips = [
        Clip("casme3a", str(row[0]), f"{i}", f"casme3:{row[0]}", emotion=str(row[7]), objective_class=str(row[6]))
        for i, row in enumerate(rows)
    ]
    for name in ("casme3-3", "casme3-4", "casme3-7", "objective-5", "objective-7"):
        assert count_table(clips, scheme(name)).differences() == {}


def test_derived_objective_classes_are_said_to_be_so() -> None:
    row = Clip("casme2", "sub01", "x", person="casme2:1", objective_class="I", objective_source="derived")
    table = count_table([row], scheme("objective-7"))
    assert table.derived == {"casme2": 1}
    assert "casme2: 1 objective classes are derived from action units, not published" in table.remarks()
    assert count_table([row], scheme(3)).derived == {"casme2": 0}
