"""Pictures: what their headers say is checked before they are decoded, since a few bytes can ask for gigabytes.

JPEG, PNG and BMP are what databases are released in; nothing else is given to a decoder, so that none of the dozen
others that OpenCV carries can be reached from a dataset.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ImageError

MOST_PIXELS = 1 << 26  # 8192 by 8192; three bytes each are 200 MB
LONGEST_SIDE = 1 << 15
# A progressive JPEG is decoded as often as it has scans; encoders write about ten.
_MOST_SCANS = 100
_JPEG, _PNG, _BMP = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"
_TRAILER = 4096  # bytes; some cameras write a little after the end
_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # the JPEG segments that hold width and height
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


@dataclass(frozen=True)
class Header:
    """What a file says that it is."""

    kind: str
    width: int
    height: int


def header(content: bytes) -> Header:
    """Return what the first bytes of a picture say; nothing is decoded.

    Parameters
    ----------
    content : bytes
        The whole file.

    Raises
    ------
    ValueError
        Where it is none of the formats that are read, or its header is damaged.

    Examples
    --------
    >>> header(b"BM" + bytes(12) + bytes([40, 0, 0, 0]) + (640).to_bytes(4, "little") + (480).to_bytes(4, "little"))
    Header(kind='BMP', width=640, height=480)
    """
    if content.startswith(_PNG):
        if len(content) < 24 or content[12:16] != b"IHDR":
            raise ValueError("a PNG without a header")
        return Header("PNG", *struct.unpack(">II", content[16:24]))
    if content.startswith(_JPEG):
        return _jpeg(content)
    if content.startswith(_BMP) and len(content) >= 26:
        old = content[14:18] == b"\x0c\0\0\0"  # OS/2's header, with two bytes for each side
        width, height = struct.unpack("<HH", content[18:22]) if old else struct.unpack("<ii", content[18:26])
        return Header("BMP", abs(width), abs(height))  # a negative height is a picture from top to bottom
    raise ValueError(f"{len(content)} bytes that no image decoder understands: no JPEG, PNG or BMP")


def _jpeg(content: bytes) -> Header:
    """Walk along the segments to the one with the size; a thumbnail's lies inside another segment."""
    place = 2
    while place + 4 <= len(content):
        if content[place] != 0xFF:
            raise ValueError("a JPEG whose segments are damaged")
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1  # padding
            continue
        if marker in _ALONE:
            place += 2
            continue
        if marker in _SIZES:
            if place + 9 > len(content):
                break
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return Header("JPEG", width, height)
        if marker == 0xDA:
            break
        place += 2 + max(2, int.from_bytes(content[place + 2 : place + 4], "big"))
    raise ValueError("a JPEG without a size")


def problem(content: bytes) -> str:
    r"""Say why a file must not be decoded; empty where it may be.

    Examples
    --------
    >>> problem(b"")
    'an empty file'
    >>> bomb = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR" + (60000).to_bytes(4, "big") * 2
    >>> problem(bomb + b"IEND")
    'a PNG that says it has 60000 by 60000 pixels'
    """
    if not content:
        return "an empty file"
    if not _is_whole(content):
        return f"a file of {len(content)} bytes that is cut off"
    try:
        about = header(content)
    except ValueError as error:
        return str(error)
    if not 0 < about.width * about.height <= MOST_PIXELS or max(about.width, about.height) > LONGEST_SIDE:
        return f"a {about.kind} that says it has {about.width} by {about.height} pixels"
    if about.kind == "JPEG" and content.count(b"\xff\xda") > _MOST_SCANS:
        return "a JPEG of more scans than any encoder writes"
    return ""


def _is_whole(content: bytes) -> bool:
    # OpenCV decodes a cut-off file into a picture whose lower part is grey, without a word.
    ends = {_JPEG: b"\xff\xd9", _PNG: b"IEND"}
    return all(end in content[-_TRAILER:] for start, end in ends.items() if content.startswith(start))


def decoded(content: bytes, *, where: str) -> NDArray[Any]:
    """Decode a picture as it is, once its header has been looked at.

    Parameters
    ----------
    content : bytes
        The whole file.
    where : str
        Its name, for messages.

    Returns
    -------
    (H, W) or (H, W, C), uint8 or uint16

    Raises
    ------
    ImageError
        Where it is empty, cut off, no JPEG, PNG or BMP, of absurd size, or does not decode.
    """
    import cv2

    found = problem(content)
    if not found:
        try:
            # From a buffer, since cv2.imread cannot open every file name on Windows.
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            image = None
        if image is not None:
            return np.asarray(image)
        found = f"{len(content)} bytes that no image decoder understands"
    raise ImageError(
        "The image file is broken",
        where=where,
        expected=f"a whole 8-bit JPEG, PNG or BMP of at most {MOST_PIXELS:,} pixels",
        found=found,
        mend="extract or download it again",
    )
