"""Spoils a file, as a bad disk, a bad hand or a bad will would."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_LARGE = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
# What stands in place of a word or a number of a text.
_NASTY = (
    b"", b"-1", b"0", b"1e308", b"NaN", b"-Infinity", b"9" * 30, b"9" * 6000, b"1-999999999999", b"../../../etc/passwd",
    b"/etc/passwd", b"C:\\Windows", b"\\\\host\\share", b"\0", b"\x1b[2J\x1b]0;x\x07", b"=cmd|' /C calc'!A0",
    b"{" * 5000, b"[" * 100_000, b"\xff\xfe", b"\xed\xa0\x80", "\u202e\u2066".encode(), b"true", b"null", b"[]", b"{}",
    b'""',
    b"a" * 100_000, b"%s%n", b"$(reboot)", b"!!python/object:os.system", b"\n\n", b",", b'"', b"'", b"#" * 300,
)  # fmt: skip
_WORD = re.compile(rb"[\w.+-]+")


def _flipped(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        place = rng.randrange(len(data))
        data[place] ^= 1 << rng.randrange(8)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _inserted(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(data) + 1)
    data[place:place] = rng.randbytes(rng.choice((1, 4, 100, 5000)))


def _taken_out(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(data))
    del data[place : place + rng.choice((1, 4, 100, 5000))]


def _repeated(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(data))
    piece = data[place : place + rng.choice((4, 100, 5000))]
    data[place:place] = piece * rng.choice((1, 2, 50))


def _blanked(data: bytearray, rng: random.Random) -> None:
    place, length = rng.randrange(len(data)), rng.choice((4, 100, 5000))
    data[place : place + length] = bytes([rng.choice((0, 255))]) * len(data[place : place + length])


def _numbered(data: bytearray, rng: random.Random) -> None:
    """Put a number at which sizes go wrong over some bytes, most of all near the beginning, where headers are."""
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice(_LARGE) & ((1 << (8 * size)) - 1)
    reach = len(data) if rng.random() < 0.4 else min(len(data), 600)
    place = rng.randrange(reach)
    data[place : place + size] = value.to_bytes(size, rng.choice(("little", "big")))


def _reworded(data: bytearray, rng: random.Random) -> None:
    """Put something nasty in place of words of a text."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        words = list(_WORD.finditer(data[: 1 << 20]))
        if words:
            start, stop = rng.choice(words).span()
            data[start:stop] = rng.choice(_NASTY)


def _exchanged(data: bytearray, rng: random.Random) -> None:
    """Put words of a text in place of others of the same text, which keeps it plausible."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        words = list(_WORD.finditer(data[: 1 << 20]))
        if words:
            new = rng.choice(words)[0]
            start, stop = rng.choice(words).span()
            data[start:stop] = new


def _replaced(data: bytearray, rng: random.Random) -> None:
    data[:] = rng.choice((b"", rng.randbytes(rng.choice((1, 100, 10_000))), bytes(1000), rng.choice(_NASTY)))


_BYTES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flipped, _flipped, _cut, _inserted, _taken_out, _repeated, _blanked, _numbered, _numbered,
)  # fmt: skip


def mutated(data: bytes, rng: random.Random, *, text: bool = False) -> bytes:
    """Return a file spoilt by one to three changes.

    Parameters
    ----------
    data : bytes
    rng : random.Random
        Equal states, equal changes.
    text : bool
        Whether words and numbers are replaced, too.

    Examples
    --------
    >>> mutated(b"onset,apex", random.Random(3)) == mutated(b"onset,apex", random.Random(3)) != b"onset,apex"
    True
    """
    spoilt = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        change = rng.choice((*[_reworded] * 4, *[_exchanged] * 6, *_BYTES) if text else _BYTES)
        if rng.random() < 0.02:
            change = _replaced
        if spoilt:
            change(spoilt, rng)
    return bytes(spoilt)
