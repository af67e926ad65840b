"""Emotion words: what the sheets write, in the one spelling that label schemes speak."""

from __future__ import annotations

import re
from functools import cache

from merprep.manifest_data import load_table


@cache
def _spellings() -> dict[str, str]:
    table = load_table("vocabulary", "emotions")
    return {spelling: word for word, spellings in table.items() for spelling in spellings}


def emotion_word(raw: str) -> str:
    """Return the one spelling of an emotion; an unknown word comes back in lower case.

    Parameters
    ----------
    raw : str
        The emotion as annotated.

    Examples
    --------
    >>> emotion_word("Other"), emotion_word("happy"), emotion_word("Boredom ")
    ('others', 'happiness', 'boredom')
    """
    word = " ".join(raw.split()).casefold()
    return _spellings().get(word, word)


def emotion_words(raw: str) -> tuple[str, ...]:
    """Return the emotions that an annotation names: one, or several where it joins them with ``+``.

    Examples
    --------
    >>> emotion_words("Surprise+Positive"), emotion_words("happiness/amusement"), emotion_words("")
    (('surprise', 'positive'), ('happiness',), ())
    """
    words = [emotion_word(part) for part in re.split(r"[+,&]", raw)]
    return tuple(dict.fromkeys(word for word in words if word))


def known_emotions() -> tuple[str, ...]:
    """Return every emotion that the vocabulary knows, in its order.

    Examples
    --------
    >>> "repression" in known_emotions()
    True
    """
    return tuple(dict.fromkeys(_spellings().values()))
