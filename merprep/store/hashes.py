"""The hashes of raw frames, kept beside the manifest as `sha256sum` writes them, so that any tool can check them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from merprep.errors import StoreError
from merprep.ordinary import lines_of, open_text
from merprep.shelf import Shelf, in_order
from merprep.store.workspace import Workspace, written_whole

_LINE = re.compile(r"(?P<marked>\\?)(?P<digest>[0-9a-f]{64}) [ *](?P<path>[^\n]+)")
_ESCAPED = re.compile(r"\\(.)")
_LONGEST = 1 << 16


def write_hashes(workspace: Workspace, database: str, hashes: Iterable[tuple[str, str]]) -> None:
    """Write the SHA-256 of each file of a database, sorted by its path below the database's root.

    ``cd ROOT && sha256sum --check …/hashes/casme2.sha256`` checks the same.

    Parameters
    ----------
    workspace : Workspace
    database : str
    hashes : iterable of (str, str)
        Path and SHA-256, in any order; a recording of several clips may come several times, and is written once.
    """
    last = None
    with (
        written_whole(workspace.hashes_path(database)) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        for path, digest in in_order(hashes, lambda pair: pair[0].encode("utf-8", "surrogatepass")):
            if path != last:
                stream.write(_line(path, digest))
            last = path


def _line(path: str, digest: str) -> str:
    r"""Write a line as `sha256sum` does, which marks one whose path has a line break or a backslash.

    Examples
    --------
    >>> _line("sub01/a\nb/img1.jpg", "0f")
    '\\0f  sub01/a\\nb/img1.jpg\n'
    """
    plain = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{digest}  {path}\n" if plain == path else f"\\{digest}  {plain}\n"


def read_hashes(workspace: Workspace, database: str) -> Mapping[str, str]:
    """Return the SHA-256 by path, on the disk; empty where none were stored.

    Raises
    ------
    StoreError
        Where the file is damaged.
    """
    path = workspace.hashes_path(database)
    if not path.is_file():
        return {}
    hashes: Shelf[str] = Shelf()
    try:
        with open_text(path, newline="\n") as stream:
            for number, line in enumerate(lines_of(stream, _LONGEST), start=1):
                found = _LINE.fullmatch(line.removesuffix("\n"))
                if not found:
                    raise _damaged(workspace, database, f"line {number}: {line[:60]!r}")
                name = found["path"]
                hashes[_ESCAPED.sub(_meant, name) if found["marked"] else name] = found["digest"]
    except (OSError, ValueError) as error:
        raise _damaged(workspace, database, str(error)) from error
    return hashes


def _meant(found: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r"}.get(found[1], found[1])


def _damaged(workspace: Workspace, database: str, found: str) -> StoreError:
    return StoreError(
        "The stored hashes cannot be read",
        where=str(workspace.hashes_path(database)),
        found=found,
        mend=f"run `merprep ingest {database} ROOT --verify hash` again",
    )
