"""The hashes of raw frames, kept beside the manifest as `sha256sum` writes them, so that any tool can check them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from merprep.errors import StoreError
from merprep.shelf import in_order
from merprep.store.workspace import Workspace, written_whole

_LINE = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<path>.+)")


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
                stream.write(f"{digest}  {path}\n")
            last = path


def read_hashes(workspace: Workspace, database: str) -> dict[str, str]:
    """Return the SHA-256 by path; empty where none were stored.

    Raises
    ------
    StoreError
        Where the file is damaged.
    """
    path = workspace.hashes_path(database)
    if not path.is_file():
        return {}
    hashes = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(workspace, database, str(error)) from error
    for number, line in enumerate(lines, start=1):
        found = _LINE.fullmatch(line)
        if not found:
            raise _damaged(workspace, database, f"line {number}: {line[:60]!r}")
        hashes[found["path"]] = found["digest"]
    return hashes


def _damaged(workspace: Workspace, database: str, found: str) -> StoreError:
    return StoreError(
        "The stored hashes cannot be read",
        where=str(workspace.hashes_path(database)),
        found=found,
        mend=f"run `merprep ingest {database} ROOT --verify hash` again",
    )
