"""What is mutated, and what reads it: whole files of every kind that merprep takes from others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from merprep.bench import fuzz_workspaces as study
from merprep.records import Clip, FrameSet
from merprep.store.workspace import Workspace

_CLIP = Clip("casme2", "sub01", "EP02_01f", person="casme2:1", onset=1, apex=3, offset=5, emotion="happiness")


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes
    ----------
    write : callable
        Writes whole files into a folder; those are mutated.
    read : callable
        Reads one that was mutated as users do: from the folder with the others, whole or spoilt, and its path.
    text : bool
    """

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path, Path], object]
    text: bool = False


def kinds() -> dict[str, Kind]:
    """Return all kinds by their names.

    Examples
    --------
    >>> sorted(kinds())[:3]
    ['aligned faces', 'coding sheet', 'coding sheet as text']
    """
    found = [
        Kind("image", _images, _read_image),
        Kind("video", _videos, _read_video),
        Kind("coding sheet", _workbooks, _read_sheet),
        Kind("coding sheet as text", _sheets, _read_sheet, text=True),
        Kind("feature file", _features, _read_features),
        Kind("aligned faces", _aligned, _read_aligned),
        Kind("manifest", _manifest, _read_manifest, text=True),
        Kind("configuration", _configuration, _read_configuration, text=True),
        Kind("run", _run, _read_run, text=True),
        Kind("finished clip", _part, _read_part),
        Kind("shard", _shard, _read_shard, text=True),
        Kind("published maps", _maps, _read_maps, text=True),
        Kind("landmarks", _landmarks, _read_landmarks, text=True),
        Kind("workspace, reported", study.write_workspace, study.read_as_reported, text=True),
        Kind("workspace, listed", study.write_workspace, study.read_as_listed, text=True),
        Kind("workspace, worked on", study.write_workspace, study.read_as_worked_on, text=True),
        Kind("workspace, exported", study.write_workspace, study.read_as_exported, text=True),
        Kind("workspace, trained on", study.write_workspace, study.read_as_trained_on, text=True),
        Kind("workspace, predicted", study.write_workspace, study.read_as_predicted, text=True),
        Kind("shards, merged", study.write_shards, study.read_shards, text=True),
        Kind("tables of one's own", study.write_tables, study.read_tables, text=True),
        Kind("lists and predictions", study.write_lists, study.read_lists, text=True),
        Kind("labelled faces", study.write_faces, study.read_faces),
    ]
    return {kind.name: kind for kind in found}


def _images(folder: Path) -> None:
    import cv2
    import numpy as np

    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for name, image in (("a.jpg", picture), ("b.png", picture), ("c.bmp", picture), ("d.jpg", picture[..., 0])):
        (folder / name).write_bytes(cv2.imencode(Path(name).suffix, image)[1].tobytes())
    progressive = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1]
    (folder / "e.jpg").write_bytes(progressive.tobytes())


def _read_image(folder: Path, path: Path) -> object:
    from merprep.databases.checking import check_frames
    from merprep.faces.reading import read_frames

    frames = FrameSet(path.name.replace(".", "#."), (1,))
    path.rename(folder / frames.path(1))
    clip = Clip("casme2", "1", "a", person="casme2:1", frames=frames)
    check_frames(folder, clip, "decode")
    return list(read_frames(folder, frames, [1]))


def _videos(folder: Path) -> None:
    import cv2
    import numpy as np

    for name, code in (("a.avi", "MJPG"), ("b.mp4", "mp4v")):
        video = cv2.VideoWriter(str(folder / name), cv2.VideoWriter.fourcc(*code), 25.0, (64, 48))
        for value in range(6):
            video.write(np.full((48, 64, 3), 20 * value, np.uint8))
        video.release()


def _read_video(folder: Path, path: Path) -> object:
    from merprep.databases.videos import count_frames
    from merprep.faces.reading import read_frames

    count, _ = count_frames(path)
    return list(read_frames(folder, FrameSet.of_video(path.name, (1, 2, 3)), [1, 3])), count


def _workbooks(folder: Path) -> None:
    from merprep.synthetic import write_database

    write_database("casme2", folder / "tree", subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    (sheet,) = (folder / "tree").glob("*.xlsx")
    sheet.rename(folder / sheet.name)


def _sheets(folder: Path) -> None:
    import csv

    from merprep.databases.workbooks import read_workbook

    _workbooks(folder)
    (sheet,) = folder.glob("*.xlsx")
    ((_, rows),) = list(read_workbook(sheet))
    with (folder / "coding.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    sheet.unlink()


def _read_sheet(folder: Path, path: Path) -> object:
    from merprep.databases import read_database, spec
    from merprep.labels import count_table, scheme

    reading = read_database(spec("casme2"), folder / "tree", annotations=path)
    return [count_table(reading.clips, scheme(name)) for name in (3, 5, "objective-5")]


def _features(folder: Path) -> None:
    import numpy as np

    from merprep.store.features import ClipFeatures, FeatureHeader, RegionSet, write_features

    def ones(*shape: int) -> Any:
        return np.ones(shape, np.float32)

    made = ClipFeatures(ones(3, 8, 8), {"anatomical": ones(4, 3, 4, 4)}, ones(5, 2), "digest")
    sets = {"anatomical": RegionSet(("a", "b", "c", "d"), {"at": [1, 2]})}
    units = ("px", "px", "1/px")
    header = FeatureHeader(("u", "v", "strain"), units, "none", {"size": 8}, {"aligned": "x"}, sets, "five")
    write_features(folder / "flow.h5", header, [(_CLIP, made), (_other(), made)], 2)


def _other() -> Clip:
    return Clip("casme2", "sub02", "EP01_01", person="casme2:2", onset=1, apex=2, offset=4, fps=200.0)


def _read_features(folder: Path, path: Path) -> object:
    from merprep.store.features import open_features

    with open_features(path) as file:
        header = file.header()
        return header, file.records(), [file.row(row) for row in range(len(file))]


def _aligned(folder: Path) -> None:
    import numpy as np

    from merprep.store.aligned import AlignedHeader, ClipFaces, write_aligned

    faces = ClipFaces(
        frames=np.ones((2, 8, 8), np.uint8), numbers=np.array([1, 3]), stamps=np.ones((2, 2), np.int64),
        landmarks=np.ones((5, 2), np.float32), transform=np.eye(2, 3), score=1.0, residual=0.0, box=np.zeros(4),
        faces=1, reference=1, attempt="as it is",
    )  # fmt: skip
    write_aligned(folder / "aligned.h5", AlignedHeader({"size": 8}, "five"), [(_CLIP, faces), (_other(), faces)])


def _read_aligned(folder: Path, path: Path) -> object:
    from merprep.store.aligned import open_aligned

    with open_aligned(path) as file:
        found: list[object] = [file.records()]
        for clip in (_CLIP, _other()):
            if clip.id in file:
                found += [file.faces(clip.id), file.stamps(clip.id), file.frames(clip.id, [1]), file.quality(clip.id)]
        return found


def _manifest(folder: Path) -> None:
    from merprep.store.manifest import Manifest, write_manifest

    clips = (Clip("casme2", "sub01", "EP02_01f", person="casme2:1", frames=FrameSet("sub01/#.jpg", (1, 2, 3, 5)),
                  onset=1, apex=3, offset=5, emotion="happiness", action_units="R12+L4"), _other())  # fmt: skip
    sheet = {"path": "sheet.xlsx", "sha256": "0"}
    source = {"root": (folder / "raw").as_posix(), "layout": "raw-selected", "sheets": [sheet], "hashes": {"a": "b"}}
    write_manifest(Workspace(folder), Manifest(clips, {"casme2": source}))
    (folder / "hashes").mkdir()
    (folder / "hashes" / "casme2.sha256").write_text("0" * 64 + "  sub01/1.jpg\n", encoding="utf-8")


def _read_manifest(folder: Path, path: Path) -> object:
    from merprep.labels import count_table, scheme
    from merprep.stages.verify import verify
    from merprep.store.manifest import read_manifest

    manifest = read_manifest(Workspace(folder))
    count_table(manifest.clips, scheme(3))
    return manifest.table(), verify(Workspace(folder), jobs=1)


_STUDY = """[databases.casme2]
root = "raw"
annotations = "sheet.xlsx"
verify = "none"

[align]
backend = "mesh"
size = 224
margin = 0.1
frames = "key"

[flow]
preset = "steady"
size = 28
channels = ["u", "v", "strain"]
jobs = 2

[train]
model = "htnet"
preset = "sanity"
classes = 3
seeds = 3
"""


def _configuration(folder: Path) -> None:
    (folder / "merprep.toml").write_text(_STUDY, encoding="utf-8")


def _read_configuration(folder: Path, path: Path) -> object:
    from merprep.study import Study

    study = Study(folder)
    return study.align_config(), study.flow_config(), study.train_table(), study.databases(), study.as_json()


def _run(folder: Path) -> None:
    scores = {"schema_version": 1, "model": "svm", "preset": "published", "classes": ["a", "b"], "protocol": "loso",
              "selection": "last", "full": {"uf1": 0.5}}  # fmt: skip
    (folder / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    table = "id,person,database,seed,truth,prediction,optimistic\nx/1/a,x:1,x,0,a,b,a\nx/2/b,x:2,x,0,b,b,b\n"
    (folder / "predictions.csv").write_text(table, encoding="utf-8")


def _read_run(folder: Path, path: Path) -> object:
    from merprep.training.stored import read_run

    return read_run(folder)


def _part(folder: Path) -> None:
    import numpy as np

    from merprep.store.parts import Parts

    arrays: dict[str, Any] = {"flow": np.ones((2, 8, 8), np.float32), "flags": np.array("none")}
    Parts(folder / "parts").save(_CLIP.id, "digest", arrays)
    (part,) = (folder / "parts").rglob("*.npz")
    part.rename(folder / "part.npz")
    (folder / "place.txt").write_text(part.relative_to(folder).as_posix(), encoding="utf-8")


def _read_part(folder: Path, path: Path) -> object:
    from merprep.store.parts import Parts

    place = folder / (folder / "place.txt").read_text(encoding="utf-8")
    place.parent.mkdir(parents=True, exist_ok=True)
    path.rename(place)
    return Parts(folder / "parts").load(_CLIP.id, "digest")


def _shard(folder: Path) -> None:
    values = {"schema_version": 1, "index": 1, "count": 2, "clips": "0123456789abcdef",
              "finished": ["aligned/aligned-00000000.h5", "features/flow-00000000.h5"]}  # fmt: skip
    (folder / "shard.json").write_text(json.dumps(values), encoding="utf-8")


def _read_shard(folder: Path, path: Path) -> object:
    from merprep.stages.shards import read_record

    return read_record(folder)


def _maps(folder: Path) -> None:
    import cv2
    import numpy as np

    (folder / "list.csv").write_text(
        "dataset,sub,filename_o,label\nsmic,s01,s01_ne_01,0\ncasme2,sub01,EP02_01f,1\n", encoding="utf-8"
    )
    (folder / "STSNet_whole_norm_u_v_os").mkdir()
    image = cv2.imencode(".png", np.full((28, 28, 3), 7, np.uint8))[1].tobytes()
    for name in ("s01_s01_ne_01", "sub01_EP02_01f"):
        (folder / "STSNet_whole_norm_u_v_os" / f"{name} .png").write_bytes(image)


def _read_maps(folder: Path, path: Path) -> object:
    from merprep.stages.imports import import_htnet_features

    return import_htnet_features(Workspace(folder / "workspace"), folder)


def _landmarks(folder: Path) -> None:
    points = ",".join(f"x_{n},y_{n}" for n in range(5))
    values = ",".join(f"{10 * n}.5,{10 * n}" for n in range(1, 6))
    (folder / "landmarks.csv").write_text(f"clip,{points}\n{_CLIP.id},{values}\n", encoding="utf-8")


def _read_landmarks(folder: Path, path: Path) -> object:
    from merprep.faces.backends.precomputed import create

    return create(str(path)).known(_CLIP.id)


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files that are mutated: those that `write` made, but for whole trees that only stand beside them."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "tree" not in path.parts and path.name != "place.txt":
            yield path
