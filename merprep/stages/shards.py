"""A part of the clips, worked on as if it were all: for clusters that only know arrays of jobs.

A shard is a workspace of its own inside the workspace (``shards/2-of-8``), with its part of the manifest. So shards
share nothing that two jobs could write to, and `merprep.stages.merge` makes of them what one run would have made.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from merprep.errors import StoreError, UsageError
from merprep.ordinary import json_of
from merprep.records import StageReport
from merprep.stages.align import align
from merprep.stages.flow import NothingComputedError, flow
from merprep.store.accounts import keep_account
from merprep.store.locks import writing
from merprep.store.manifest import Manifest, read_manifest, read_manifest_or_empty, write_manifest
from merprep.store.schema import checked_version
from merprep.store.whole import sweep
from merprep.store.workspace import Workspace, written_whole

SCHEMA_VERSION = 1
RECORD = "shard.json"
MOST = 256  # all of them are open at the same time while they are merged
# What a shard may finish; names are taken from a file that another machine wrote.
_FILE = re.compile(r"(aligned/aligned|features/flow)-[0-9a-f]{8}\.h5")
_WRITTEN = re.compile(r"0*([1-9]\d{0,5})/0*([1-9]\d{0,5})")


@dataclass(frozen=True)
class Shard:
    """Number `index` of `count` equal parts, counted from 1.

    Clips are dealt like cards, in the order of the manifest, so that each part has some of every database.

    Examples
    --------
    >>> Shard.parse("2/3").of("abcdefg")
    'be'
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``i/n``.

        Raises
        ------
        UsageError
            Where it is something else, or i is not one of 1 to n.
        """
        found = _WRITTEN.fullmatch(text.strip())
        shard = cls(int(found[1]), int(found[2])) if found else None
        if shard is None or shard.index > shard.count or shard.count > MOST:
            raise UsageError(
                "A shard is written i/n, number i of n parts",
                expected=f"such as 1/8 … 8/8; n at most {MOST}",
                found=text,
                mend='in a job array: --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT", with --array=1-8',
            )
        return shard

    def of(self, clips: Any) -> Any:
        """Return this part of a sequence."""
        return clips[self.index - 1 :: self.count]

    def workspace(self, whole: Workspace) -> Workspace:
        """Return the folder of this part, in that of the whole."""
        return Workspace(whole.folder / "shards" / f"{self.index}-of-{self.count}")


@dataclass(frozen=True)
class ShardRecord:
    """What a shard says of itself.

    Attributes
    ----------
    clips : str
        The digest of the whole list of clips that it is a part of.
    finished : tuple of str
        The files that its stages have finished, ``features/flow-3f9a12c4.h5``; one may not be there, where no clip
        of the part could be done.
    """

    folder: Path
    shard: Shard
    clips: str
    finished: tuple[str, ...]


def align_shard(workspace: Workspace, shard: str, **options: Any) -> StageReport:
    """Align one part of the clips; the options are those of `merprep.stages.align`.

    Parameters
    ----------
    workspace : Workspace
        The whole; only its manifest is read.
    shard : str
        ``i/n``.

    Examples
    --------
    >>> align_shard(Workspace("study"), "1/8")  # doctest: +SKIP
    """

    def work(part: Workspace) -> tuple[list[str], StageReport]:
        from merprep.faces.config import AlignConfig

        config = options.get("config") or AlignConfig()
        return [_aligned(config.config_id())], align(part, **options)

    return _on_shard(workspace, Shard.parse(shard), "align", work)


def flow_shard(workspace: Workspace, shard: str, **options: Any) -> StageReport:
    """Compute the features of one part of the clips; the options are those of `merprep.stages.flow`.

    Examples
    --------
    >>> flow_shard(Workspace("study"), "1/8")  # doctest: +SKIP
    """

    def work(part: Workspace) -> tuple[list[str], StageReport]:
        from merprep.features import FlowConfig

        config = options.get("config") or FlowConfig()
        began = time.perf_counter()
        try:
            _, report = flow(part, **options)
        except NothingComputedError as error:  # of the whole, that would be an error; of a part, it is an account
            report = StageReport("flow", error.outcomes, time.perf_counter() - began)
            keep_account(part, report)
        return [_aligned(config.align.config_id()), f"features/flow-{config.config_id()}.h5"], report

    return _on_shard(workspace, Shard.parse(shard), "flow", work)


def _aligned(config_id: str) -> str:
    return f"aligned/aligned-{config_id}.h5"


def _on_shard(
    whole: Workspace, shard: Shard, stage: str, work: Callable[[Workspace], tuple[list[str], StageReport]]
) -> StageReport:
    manifest = read_manifest(whole)
    if shard.count > len(manifest.clips):
        raise UsageError(
            "There are more shards than clips", expected=f"at most {len(manifest.clips)}", found=str(shard.count)
        )
    part = shard.workspace(whole)
    with writing(part.folder, f"{stage} of shard {shard.index}/{shard.count}"):
        sweep(part.written_folders())  # the stage itself finds the folder held already
        _prepare(part, shard, manifest)
        names, report = work(part)
        _record(part, shard, manifest, names)
    return replace(report, next_step="merprep merge")


def _prepare(part: Workspace, shard: Shard, whole: Manifest) -> None:
    """Bring the part of the manifest up to date."""
    own = Manifest(shard.of(whole.clips), whole.sources)
    if read_manifest_or_empty(part) != own:
        write_manifest(part, own)
    record = part.folder / RECORD
    if record.is_file() and read_record(part.folder).clips != whole_digest(whole):
        record.unlink()


def whole_digest(manifest: Manifest) -> str:
    """Return the digest of a whole list of clips, the excluded ones included.

    Examples
    --------
    >>> whole_digest(Manifest()) == whole_digest(Manifest())
    True
    """
    return manifest.digest(manifest.clips)


def _record(part: Workspace, shard: Shard, whole: Manifest, names: list[str]) -> None:
    path = part.folder / RECORD
    before = read_record(part.folder).finished if path.is_file() else ()
    values = {
        "schema_version": SCHEMA_VERSION,
        "index": shard.index,
        "count": shard.count,
        "clips": whole_digest(whole),
        "finished": sorted({*before, *names}),
    }
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def read_record(folder: Path) -> ShardRecord:
    """Read what a shard says of itself.

    Raises
    ------
    StoreError
        Where the folder is no shard, its record is damaged, or a newer merprep wrote it.
    """
    path = folder / RECORD
    try:
        values = json_of(path)
        checked_version(values["schema_version"], SCHEMA_VERSION, what="The shard", where=path)
        names = tuple(str(name) for name in values["finished"])
        record = ShardRecord(folder, Shard(int(values["index"]), int(values["count"])), str(values["clips"]), names)
        if not 1 <= record.shard.index <= record.shard.count or any(not _FILE.fullmatch(name) for name in names):
            raise ValueError("impossible values")
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise StoreError(
            "This is no finished shard",
            where=str(folder),
            expected=f"a folder that `--shard i/n` made, with {RECORD} in it",
            found=str(error),
            mend="run that shard again",
        ) from error
    return record
