from __future__ import annotations

import bz2
import hashlib
import http.server
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from merprep import weights
from merprep.errors import UnknownNameError, WeightsError
from merprep.progress import Silent

CONTENT = b"these are weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _no_folder_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MERPREP_WEIGHTS", raising=False)
    monkeypatch.delenv("MERPREP_OFFLINE", raising=False)


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "good.bin").write_bytes(CONTENT)
    (folder / "packed.bz2").write_bytes(bz2.compress(CONTENT))
    (folder / "wrong.bin").write_bytes(b"something else")
    (folder / "outer.zip").write_bytes(zipped("a/inner.zip", zipped("net.bin", CONTENT)))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            return None

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a table of one file named `net`, with the sources given."""
    monkeypatch.setenv("MERPREP_MANIFESTS", str(tmp_path / "manifests"))

    def write(*sources: str) -> None:
        table = tmp_path / "manifests" / "weights" / "net.toml"
        table.parent.mkdir(parents=True, exist_ok=True)
        head = f'file = "net.bin"\nused_by = "tests"\nbytes = {len(CONTENT)}\nsha256 = "{DIGEST}"\nlicence = "none"\n'
        table.write_text(head + "".join(f"[[sources]]\n{source}\n" for source in sources), encoding="utf-8")

    return write


class Bytes(Silent):
    def __init__(self) -> None:
        self.total = self.seen = 0

    def start(self, description: str, total: int) -> None:
        self.total = total

    def advance(self, amount: int = 1, *, failed: bool = False) -> None:
        self.seen += amount


def test_a_file_is_fetched_once_checked_and_kept(declare, server: str, tmp_path: Path) -> None:
    declare(f'url = "{server}/good.bin"')
    progress = Bytes()
    path = weights.fetch("net", folder=tmp_path / "cache", progress=progress)
    assert path.read_bytes() == CONTENT
    assert progress.total == len(CONTENT)
    assert progress.seen >= len(CONTENT)
    declare()  # no source any more: what is here is used
    assert weights.fetch("net", folder=tmp_path / "cache") == path


def test_a_member_of_nested_archives_is_taken_out(declare, server: str, tmp_path: Path) -> None:
    declare(f'url = "{server}/outer.zip"\nmembers = ["a/inner.zip", "net.bin"]')
    assert weights.fetch("net", folder=tmp_path).read_bytes() == CONTENT


def test_another_file_under_the_address_is_refused_and_the_next_source_asked(
    declare, server: str, tmp_path: Path
) -> None:
    declare(f'url = "{server}/wrong.bin"')
    with pytest.raises(WeightsError, match="another file came") as caught:
        weights.fetch("net", folder=tmp_path)
    assert DIGEST in str(caught.value.expected)
    assert hashlib.sha256(b"something else").hexdigest() in str(caught.value.found)
    assert not list(tmp_path.glob("*.bin"))
    declare(f'url = "{server}/missing.bin"', f'url = "{server}/wrong.bin"', f'url = "{server}/good.bin"')
    assert weights.fetch("net", folder=tmp_path).read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_not_used_but_fetched_anew(declare, server: str, tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(CONTENT[:-1])
    declare()
    with pytest.raises(WeightsError, match="not the published file"):
        weights.fetch("net", folder=tmp_path)
    declare(f'url = "{server}/good.bin"')
    assert weights.fetch("net", folder=tmp_path).read_bytes() == CONTENT


def test_without_network_one_error_names_file_address_folder_hash_and_variable(declare, tmp_path: Path) -> None:
    # Port 9 of this machine (discard) refuses connections; pip is given no such package.
    declare('url = "http://127.0.0.1:9/net.bin"', 'wheel = "merprep-has-no-such-wheel==1"\nmembers = ["net.bin"]')
    started = time.perf_counter()
    with pytest.raises(WeightsError) as caught:
        weights.fetch("net", folder=tmp_path)
    assert time.perf_counter() - started < 30
    text = str(caught.value)
    for part in ("net.bin", "http://127.0.0.1:9/net.bin", str(tmp_path), DIGEST, "MERPREP_WEIGHTS", "weights add"):
        assert part in text
    assert "pip download failed" in text


def test_offline_nothing_is_asked(declare, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERPREP_OFFLINE", "1")
    declare(f'url = "{server}/good.bin"')
    with pytest.raises(WeightsError, match="MERPREP_OFFLINE"):
        weights.fetch("net", folder=tmp_path)


def test_a_file_placed_by_hand_is_used_first_and_refused_when_wrong(
    declare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare()
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("MERPREP_WEIGHTS", str(own))
    (own / "net.bin").write_bytes(CONTENT)
    assert weights.fetch("net", folder=tmp_path / "cache") == own / "net.bin"
    (own / "net.bin").write_bytes(b"tampered with")
    with pytest.raises(WeightsError, match="is not used") as caught:
        weights.fetch("net", folder=tmp_path / "cache")
    assert DIGEST in str(caught.value.expected)
    assert hashlib.sha256(b"tampered with").hexdigest() in str(caught.value.found)


def test_add_takes_the_file_or_its_archive_and_nothing_else(declare, tmp_path: Path) -> None:
    declare('wheel = "some-wheel==1"\nmembers = ["a/inner.zip", "net.bin"]')
    inner = zipped("net.bin", CONTENT)
    files = {"net": CONTENT, "inner.zip": inner, "some.whl": zipped("a/inner.zip", inner)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        placed = weights.add(tmp_path / name, folder=tmp_path / f"cache-{name}")
        assert placed.read_bytes() == CONTENT
        assert placed.name == "net.bin"
    (tmp_path / "other").write_bytes(b"other")
    with pytest.raises(WeightsError, match="none of the published"):
        weights.add(tmp_path / "other", folder=tmp_path / "cache")
    with pytest.raises(WeightsError, match="does not exist"):
        weights.add(tmp_path / "nowhere", folder=tmp_path / "cache")


def test_unknown_weights_are_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'yunet'"):
        weights.fetch("yunett")


def test_the_published_files_are_here_with_their_licence(mesh_weights: list[Path]) -> None:
    rows = {row.name: row for row in weights.table() if row.default}
    assert sorted(rows) == ["facemesh-v2", "yunet"]
    assert {row.licence for row in rows.values()} == {"MIT", "Apache-2.0"}
    for path, row in zip(mesh_weights, rows.values(), strict=True):
        assert path.stat().st_size == row.bytes
        assert row.as_json()["path"] == str(path)


def test_a_file_that_is_published_packed_is_unpacked_and_its_content_checked(
    declare, server: str, tmp_path: Path
) -> None:
    declare(f'url = "{server}/packed.bz2"')
    assert weights.fetch("net", folder=tmp_path / "cache").read_bytes() == CONTENT
    (tmp_path / "by-hand.bz2").write_bytes(bz2.compress(CONTENT))
    assert weights.add(tmp_path / "by-hand.bz2", folder=tmp_path / "other").read_bytes() == CONTENT
    (tmp_path / "cut-off.bz2").write_bytes(bz2.compress(CONTENT)[:-5])
    with pytest.raises(WeightsError, match="none of the published"):
        weights.add(tmp_path / "cut-off.bz2", folder=tmp_path / "third")


def test_a_file_that_torch_has_fetched_already_is_used_where_it_is(
    declare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare()
    table = tmp_path / "manifests" / "weights" / "net.toml"
    table.write_text("torch_hub = true\n" + table.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    there = tmp_path / "torch" / "hub" / "checkpoints" / "net.bin"
    there.parent.mkdir(parents=True)
    there.write_bytes(CONTENT)
    assert weights.fetch("net", folder=tmp_path / "cache") == there
    there.write_bytes(CONTENT[1:])  # torch does not check; we do
    with pytest.raises(WeightsError, match="not here"):
        weights.fetch("net", folder=tmp_path / "cache")


def test_missing_weights_of_fan_name_file_address_folder_and_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERPREP_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        weights.fetch("fan-2d4", folder=tmp_path / "cache")
    text = str(caught.value)
    for part in ("2DFAN4-11f355bf06.pth.tar", "adrianbulat.com", str(tmp_path / "cache"), "11f355bf0693120222f5955c"):
        assert part in text
    assert " 0 bytes" not in text
