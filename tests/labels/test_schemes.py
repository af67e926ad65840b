from __future__ import annotations

import pytest

from merprep.errors import UnknownNameError
from merprep.labels import count_table, known_emotions, scheme, scheme_names
from merprep.records import Clip, person_of


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
