"""Emotion words, label schemes, action units and objective classes."""

from merprep.labels.action_units import ActionUnit, ActionUnits, parse_action_units, unit_numbers
from merprep.labels.counts import Counting, CountTable, count_table
from merprep.labels.objective import ROMAN, objective_class, roman_class
from merprep.labels.scheme import LabelScheme, scheme, scheme_names
from merprep.labels.vocabulary import emotion_word, emotion_words, known_emotions

__all__ = [
    "ROMAN",
    "ActionUnit",
    "ActionUnits",
    "CountTable",
    "Counting",
    "LabelScheme",
    "count_table",
    "emotion_word",
    "emotion_words",
    "known_emotions",
    "objective_class",
    "parse_action_units",
    "roman_class",
    "scheme",
    "scheme_names",
    "unit_numbers",
]
