"""What `merprep bench stress` and `merprep bench scale` do, on a small scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from merprep.bench.same import differences
from merprep.bench.scale import STAGES, scale
from merprep.bench.stress import STAGES as KILLED
from merprep.bench.stress import stress
from merprep.errors import UsageError


@pytest.mark.slow
def test_thirty_kills_over_all_stages_change_nothing() -> None:
    rows = stress(30, clips=12, seed=7)
    assert [row.stage for row in rows] == list(KILLED)
    assert sum(row.kills for row in rows) >= 30
    assert [line for row in rows for line in row.differences] == []
    assert all(row.same == row.runs > 0 for row in rows)


@pytest.mark.slow
def test_memory_and_time_of_every_stage_are_told() -> None:
    rows = scale([99, 120], stages=STAGES[:1])
    assert [(row.stage, row.clips) for row in rows] == [("ingest", 99), ("ingest", 120)]
    assert all(row.seconds > 0 and row.peak_mb > 20 for row in rows)
    assert (rows[0].memory_ratio, rows[0].time_ratio) == (1.0, 1.0)


def test_senseless_measurements_are_refused() -> None:
    with pytest.raises(UsageError):
        scale([5])
    with pytest.raises(UsageError):
        stress(0)
    with pytest.raises(UsageError, match="nothing to kill"):
        stress(1, stages=["verify"])


def test_the_comparison_of_folders_sees_every_kind_of_difference(tmp_path: Path) -> None:
    import h5py

    for name, value in (("one", 1.0), ("two", 2.0)):
        folder = tmp_path / name
        folder.mkdir()
        with h5py.File(folder / "x.h5", "w") as file:
            file["same"] = [1, 2]
            file["other"] = value
            file.attrs["id"] = name
        (folder / "a.json").write_text(f'{{"seconds": {value}, "where": "{folder.as_posix()}/x.h5"}}')
        (folder / "b.csv").write_text(name)
        (folder / "c.html").write_text(f"<p>{name}</p> made 2026-01-0{len(name)} 10:00 UTC")
        (folder / "d.html").write_text(f"made 2026-01-0{int(value)} 10:00 UTC")
        (folder / f".{name}.tmp").touch()
    found = differences(tmp_path / "one", tmp_path / "two")
    assert [line.partition(":")[0] for line in found] == [
        f"only in {tmp_path / 'one'}",
        f"only in {tmp_path / 'two'}",
        "b.csv",
        "c.html",
        "x.h5",
        "x.h5",
    ]
    assert found[4:] == ["x.h5: / @id differs", "x.h5: other differs"]
    assert differences(tmp_path / "one", tmp_path / "one") == []
