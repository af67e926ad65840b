from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep.labels import ActionUnit, ActionUnits, objective_class, parse_action_units, unit_numbers

SIDES = st.sampled_from(["", "L", "R", "A", "A/L"])
INTENSITIES = st.sampled_from(["", "A", "B", "C", "D", "E", "A/B"])
UNITS = st.builds(
    ActionUnit,
    number=st.integers(1, 99),
    side=SIDES,
    part=st.sampled_from(["", "T", "B"]),
    intensity=INTENSITIES,
    kind=st.sampled_from(["", "AD", "M"]),
    reflex=st.booleans(),
    uncertain=st.booleans(),
    kept=st.booleans(),
    remark=st.sampled_from(["", "big swallow"]),
)


@pytest.mark.parametrize(
    ("cell", "units"),
    [
        (12, ["12"]),
        (12.0, ["12"]),
        ("4+7", ["4", "7"]),
        ("4+L10", ["4", "L10"]),
        ("12+15 ", ["12", "15"]),
        ("L12 + 61", ["L12", "61"]),
        ("12A", ["12A"]),
        ("4D+9B", ["4D", "9B"]),
        ("10A/B", ["10A/B"]),
        ("A14C", ["A14C"]),
        ("B18+25", ["B18", "25"]),
        ("T23", ["T23"]),
        ("ref(7B)+43", ["ref(7B)", "43"]),
        ("A/L12", ["A/L12"]),
        ("R2+R1", ["R2", "R1"]),
        ("14,L24,", ["14", "L24"]),
        ("4，11", ["4", "11"]),
        ("13?", ["13?"]),
        ("AU4(k)+L7", ["4(k)", "L7"]),
        ("AD31+M58", ["AD31", "M58"]),
        ("4,24,6+12+15", ["4", "24", "6", "12", "15"]),
        ("80 (big swallow)", ["80 (big swallow)"]),
        ("A12", ["A12"]),
        ("4A/B", ["4A/B"]),
        ("9+4", ["9", "4"]),
        ("2+1", ["2", "1"]),
        ("16+24", ["16", "24"]),
        ("7D", ["7D"]),
        ("AD38+AD39", ["AD38", "AD39"]),
        ("T28+14", ["T28", "14"]),
        ("(4+7)", ["4", "7"]),
        ("74+80+43+45", ["74", "80", "43", "45"]),
    ],
)
def test_every_cell_of_the_released_sheets_is_read(cell: str | float, units: list[str]) -> None:
    found = parse_action_units(cell)
    assert [str(unit) for unit in found] == units
    assert found.remarks == ()


@pytest.mark.parametrize(
    "cell", ["L12 or L14", "(R6 or R12)+R15", "R14A or 17A or 24A", "14or23", "10or11", "12/14", "4A/7", "74/80/43/45"]
)
def test_alternatives_share_a_choice(cell: str) -> None:
    units = parse_action_units(cell)
    choices = [unit.choice for unit in units]
    assert choices.count(1) >= 2
    assert parse_action_units(str(units)) == units


@pytest.mark.parametrize("cell", ["", "/", "NULL", "null", None, float("nan"), "?"])
def test_no_unit_is_read_from_a_cell_without_one(cell: str | float | None) -> None:
    assert list(parse_action_units(cell)) == []


@pytest.mark.parametrize(
    ("cell", "numbers", "remarks"),
    [
        ("R14+17+soft focus", [14, 17], ("soft focus",)),
        ("Chewing", [], ("Chewing",)),
        ("4+glare", [4], ("glare",)),
        ("7D+all of the above", [7], ("all of the above",)),
    ],
)
def test_free_text_is_kept_beside_the_units(cell: str, numbers: list[int], remarks: tuple[str, ...]) -> None:
    units = parse_action_units(cell)
    assert [unit.number for unit in units] == numbers
    assert units.remarks == remarks


@given(st.lists(UNITS, max_size=5))
def test_written_units_read_back_the_same(units: list[ActionUnit]) -> None:
    assert list(parse_action_units(str(ActionUnits(units)))) == units


@given(st.lists(st.lists(UNITS.filter(lambda unit: not unit.reflex), min_size=1, max_size=3), max_size=4))
def test_alternatives_read_back_as_alternatives(groups: list[list[ActionUnit]]) -> None:
    units: list[ActionUnit] = []
    choice = 0
    for group in groups:
        choice += len(group) > 1
        units += [replace(unit, choice=choice if len(group) > 1 else 0) for unit in group]
    assert list(parse_action_units(str(ActionUnits(units)))) == units


@given(st.text(max_size=30))
def test_reading_what_was_written_changes_nothing_more(text: str) -> None:
    once = parse_action_units(text)
    assert parse_action_units(str(once)) == once


@given(st.text(alphabet="LRATB0123456789+,/()orefk? ", max_size=24))
def test_odd_mixtures_of_the_grammar_are_stable_too(text: str) -> None:
    once = parse_action_units(text)
    assert parse_action_units(str(once)) == once


def test_only_the_set_of_units_decides_the_objective_class() -> None:
    assert objective_class("R7B+L4") == objective_class("4+7") == "III"
    assert objective_class("12") == "I"
    assert objective_class("2+1") == "II"
    assert objective_class("4+L10") == "VII"


def test_reflexes_and_later_alternatives_do_not_count() -> None:
    assert unit_numbers(parse_action_units("(R6 or R12)+R15+ref(43)")) == {6, 15}
    assert objective_class("ref(7B)+12") == "I"


def test_units_that_are_kept_over_the_clip_do_not_count() -> None:
    assert objective_class("4(k)+L12") == "I"
    assert unit_numbers(parse_action_units("AU4(k)+L7")) == {7}


def test_doubt_alone_is_kept_as_a_remark() -> None:
    assert (list(parse_action_units("?")), str(parse_action_units("?"))) == ([], "?")
