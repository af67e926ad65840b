"""Pictures and videos are looked at before they are decoded; links and devices are no frames."""

from __future__ import annotations

import os
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep.databases.checking import check_frames
from merprep.databases.videos import count_frames
from merprep.errors import ImageError
from merprep.faces.reading import read_frames, read_image
from merprep.media.pictures import header, problem
from merprep.media.videos import open_video
from merprep.records import Clip, FrameSet

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
posix = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows, which has no pipes in folders")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is of any size."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def jpeg_of(width: int, height: int) -> bytes:
    content = bytearray(cv2.imencode(".jpg", PICTURE)[1].tobytes())
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def bmp_of(width: int, height: int) -> bytes:
    content = bytearray(cv2.imencode(".bmp", PICTURE)[1].tobytes())
    content[18:26] = struct.pack("<ii", width, height)
    return bytes(content)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_headers_say_what_decoders_find(suffix: str) -> None:
    for picture in (PICTURE, PICTURE[..., 0], PICTURE[:30, :50]):
        about = header(cv2.imencode(suffix, picture)[1].tobytes())
        assert (about.height, about.width) == picture.shape[:2]


BOMBS = {
    "png": png_of(60_000, 60_000),
    "png that is wide": png_of(2**31 - 1, 1),
    "png of nothing": png_of(0, 10),
    "jpeg": jpeg_of(65_500, 65_500),
    "bmp": bmp_of(50_000, 50_000),
    "bmp from top to bottom": bmp_of(50_000, -50_000),
    "bmp of the smallest number": bmp_of(-(2**31), -(2**31)),
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    (tmp_path / "img1.jpg").write_bytes(content)
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / "img1.jpg")
    assert "says it has" in str(caught.value.found)
    frames = FrameSet("img#.jpg", (1,))
    clip = Clip("casme2", "1", "a", person="casme2:1", frames=frames)
    assert check_frames(tmp_path, clip, "decode").problem == "unreadable image: img1.jpg"


def test_other_formats_never_reach_a_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    for start in (
        b"II*\0",
        b"MM\0*",
        b"RIFF\0\0\0\0WEBP",
        b"v/1\x01",
        b"#?RADIANCE",
        b"P6\n9 9\n255\n",
        b"GIF89a",
        b"\0\0\0 ftypavif",
    ):
        (tmp_path / "img1.jpg").write_bytes(start + bytes(1000))
        with pytest.raises(ImageError, match="broken"):
            read_image(tmp_path / "img1.jpg")


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    whole = cv2.imencode(".jpg", PICTURE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert problem(whole) == ""
    scan = whole[whole.index(b"\xff\xda") : -2]
    assert "scans" in problem(whole[:-2] + scan * 5000 + whole[-2:])


@posix
def test_a_frame_that_became_a_link_since_ingest_is_not_followed(tmp_path: Path) -> None:
    root, secret = tmp_path / "root", tmp_path / "secret.png"
    root.mkdir()
    secret.write_bytes(cv2.imencode(".png", PICTURE)[1].tobytes())
    (root / "1.png").symlink_to(secret)
    with pytest.raises(ImageError, match="leads out of the database"):
        list(read_frames(root, FrameSet("#.png", (1,)), [1]))
    (root / "sub").symlink_to(tmp_path)
    with pytest.raises(ImageError, match="leads out of the database"):
        list(read_frames(root, FrameSet("sub/secret.avi", (1,)), [1]))


@posix
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "img1.jpg")
    os.mkfifo(tmp_path / "a.avi")
    began = time.perf_counter()
    with pytest.raises(ImageError, match="no file"):
        read_image(tmp_path / "img1.jpg")
    assert "is no file" in open_video(tmp_path / "a.avi")[1]
    assert time.perf_counter() - began < 2


def test_a_file_larger_than_any_frame_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "img1.bmp").open("wb") as stream:
        stream.truncate(1 << 34)  # takes no room on the disk
    with pytest.raises(ImageError, match="far larger"):
        read_image(tmp_path / "img1.bmp")


PLAYLISTS = {
    "hls": b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "dash": b'<?xml version="1.0"?><MPD><Period/></MPD>',
    "pictures": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("content", PLAYLISTS.values(), ids=PLAYLISTS)
def test_what_only_is_called_a_video_is_not_opened(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: pytest.fail("it was opened"))
    (tmp_path / "a.avi").write_bytes(content * 50)
    assert count_frames(tmp_path / "a.avi") == (
        0, "the video a.avi cannot be opened: it is no video container (AVI, MP4, MOV, MKV, WMV, MPEG)",
    )  # fmt: skip


@pytest.mark.parametrize(("name", "code"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
def test_a_video_of_absurd_size_is_refused_before_it_is_opened(
    tmp_path: Path, name: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = cv2.VideoWriter(str(tmp_path / name), cv2.VideoWriter.fourcc(*code), 25.0, (64, 48))
    for _ in range(3):
        video.write(PICTURE)
    video.release()
    assert count_frames(tmp_path / name) == (3, "")
    content = (tmp_path / name).read_bytes()
    for old, new in ((struct.pack("<II", 64, 48), struct.pack("<II", 60_000, 60_000)),
                     (struct.pack(">HH", 64, 48), struct.pack(">HH", 60_000, 60_000))):  # fmt: skip
        content = content.replace(old, new)
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: pytest.fail("it was opened"))
    assert "60000 by 60000 pixels" in count_frames(tmp_path / name)[1]
