"""What all calls of a run need is sent once to each worker, whoever dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from merprep.engines import Engine, open_engine, spread

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")]


class Counted:
    """Arrays that tell, by a file each, in which process they were unpacked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.values = folder, np.arange(200_000.0)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        (self.folder / f"{os.getpid()}-{uuid4().hex}").touch()

    def unpacked(self) -> list[int]:
        """Return the processes, one entry for each time."""
        return sorted(int(path.name.partition("-")[0]) for path in self.folder.iterdir())


def total(number: int, common: Counted) -> tuple[int, float, bool]:
    """Use what is shared."""
    return os.getpid(), float(common.values.sum()) + number, bool(common.values.flags.writeable)


def deadly(number: int, common: Counted) -> tuple[int, float, bool]:
    """Kill the process once, at number 5."""
    flag = common.folder.parent / "killed"
    if number == 5 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return total(number, common)


def alone(number: int) -> int:
    """Need nothing else."""
    return number


@pytest.fixture(scope="module", params=["dask", "ray"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    pytest.importorskip("distributed" if request.param == "dask" else "ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        with open_engine(request.param, jobs=2) as opened:
            assert opened is not None
            yield opened


@pytest.mark.parametrize("function", [total, deadly])
def test_it_travels_once_to_each_worker_and_a_worker_that_replaces_a_dead_one_gets_it(
    engine: Engine, tmp_path: Path, function: Any
) -> None:
    (tmp_path / "unpacked").mkdir()
    common = Counted(tmp_path / "unpacked")
    results = dict(spread(engine, function, range(40), common=common))
    assert {number: value for number, (_, value, _) in results.items()} == {
        number: common.values.sum() + number for number in range(40)
    }
    assert all(writeable for _, _, writeable in results.values())
    unpacked = common.unpacked()
    assert len(set(unpacked)) == len(unpacked)
    assert {process for process, _, _ in results.values()} <= set(unpacked)
    assert os.getpid() not in unpacked
    assert len(unpacked) <= 2 + 2 * (function is deadly)


def test_calls_that_share_nothing_get_nothing(engine: Engine) -> None:
    assert dict(spread(engine, alone, range(5))) == {number: number for number in range(5)}
