"""Archives of weights are read by the names of their members, in memory, and may not unpack to anything."""

from __future__ import annotations

import bz2
import io
import zipfile
from pathlib import Path

import pytest

from merprep.errors import WeightsError
from merprep.weights import sources
from merprep.weights.sources import inner_file


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [lambda data: packed({"net.onnx": data}), bz2.compress])
def test_a_file_that_unpacks_to_more_than_weights_take_is_refused(
    monkeypatch: pytest.MonkeyPatch, pack: object
) -> None:
    monkeypatch.setattr(sources, "LARGEST", 1 << 20)
    bomb = pack(bytes(1 << 22))  # type: ignore[operator]
    assert len(bomb) < 1 << 13
    with pytest.raises(WeightsError, match="unpacks to more"):
        inner_file(bomb, ("net.onnx",) if bomb[:2] == b"PK" else ())
    assert inner_file(pack(b"whole"), ("net.onnx",) if bomb[:2] == b"PK" else ()) == b"whole"  # type: ignore[operator]


def test_names_of_members_are_never_paths_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evil = packed({"../../evil": b"x", "/etc/evil": b"x", "net.onnx": b"weights"})
    assert inner_file(evil, ("net.onnx",)) == b"weights"
    assert inner_file(evil, ("../../evil",)) == b"x"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"BZh9", b"BZh91AY&SY" + bytes(50), bytes(100)])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(WeightsError):
        inner_file(content, ("net.onnx",))


def test_an_encrypted_member_is_refused() -> None:
    content = bytearray(packed({"net.onnx": b"x" * 100}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    with pytest.raises(WeightsError):
        inner_file(bytes(content), ("net.onnx",))
