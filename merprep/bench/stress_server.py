"""The process that `merprep.bench.stress` starts: it loads everything once, then forks stages and kills them."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merprep.bench.same import differences

if TYPE_CHECKING:
    from merprep.faces import AlignConfig
    from merprep.features import FlowConfig
    from merprep.store import Workspace

_BEFORE = {
    "ingest": "", "align": "ingest", "flow": "align", "train": "flow", "import": "", "spot": "ingest",
    "temporal": "align", "shard": "ingest", "merge": "shard", "export": "flow", "predict": "train", "report": "train",
}  # fmt: skip
_OFTEN = 0.25
_SIZE = 28  # what networks eat


@dataclass
class _Tally:
    kills: int = 0
    runs: int = 0
    same: int = 0
    torn: int = 0
    differences: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Range:
    """Where stages are shot at: what they read, undisturbed results, and a workspace that is made anew each time.

    Parameters
    ----------
    folder : Path
    clips, jobs : int
    seed : int
    """

    def __init__(self, folder: Path, clips: int, jobs: int, seed: int) -> None:
        self.folder, self.clips, self.jobs = folder, clips, jobs
        self.random = random.Random(seed)  # noqa: S311 - instants, not secrets
        self.tallies: dict[str, _Tally] = {}
        self.span: dict[str, float] = {}  # seconds in which a stage can be hit

    def prepare(self) -> None:
        """Lay out what stages read, and run each of them undisturbed."""
        self._write_inputs()
        jobs, self.jobs = self.jobs, 1
        for stage in _BEFORE:  # here, so that every library is loaded when a stage is forked, which then begins at once
            self._run(stage, self.folder / "warm")
        self.jobs = jobs
        for stage in _BEFORE:
            tally = self.tallies[stage] = _Tally()
            self._fresh(stage, self.result(stage))
            began = time.monotonic()
            if self._wait(self._start(stage, self.result(stage))):
                raise SystemExit(f"{stage} failed undisturbed")
            tally.seconds = self.span[stage] = time.monotonic() - began

    def result(self, stage: str) -> Path:
        """Return the workspace in which a stage, and those before it, ran undisturbed."""
        return self.folder / "undisturbed" / stage

    def shoot(self, stage: str) -> tuple[int, bool]:
        """Kill a stage once or twice, run it plainly, compare; return the kills, and whether all is as it should be."""
        tally, target = self.tallies[stage], self.folder / "target" / stage
        self._fresh(stage, target)
        kills = 0
        for _ in range(2 if self.random.random() < _OFTEN else 1):
            process = self._start(stage, target)
            time.sleep(self.random.uniform(0.0, self.span[stage]))
            os.kill(process, signal.SIGKILL)
            hit = os.WIFSIGNALED(os.waitpid(process, 0)[1])
            kills += hit
            # It ended before it was killed: this machine is less busy now than when the time was taken.
            self.span[stage] *= 1.0 if hit else 0.8
        torn = self.random.random() < _OFTEN and self._tear(target)
        failed = self._wait(self._start(stage, target))
        found = ["the plain run failed"] if failed else differences(self.result(stage), target)
        tally.kills, tally.runs, tally.torn = tally.kills + kills, tally.runs + 1, tally.torn + torn
        tally.same += not found
        tally.differences += found
        return kills, not found

    def _fresh(self, stage: str, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        if _BEFORE[stage]:
            shutil.copytree(self.result(_BEFORE[stage]), target)

    def _tear(self, target: Path) -> bool:
        """Cut a finished clip's file short, or fill its end with zeros, as if it had not reached the disk."""
        parts = sorted(target.rglob("*.npz"))
        if not parts:
            return False
        path = self.random.choice(parts)
        whole = path.read_bytes()
        kept = self.random.randrange(len(whole))
        path.write_bytes(whole[:kept] + bytes(len(whole) - kept) * self.random.randrange(2))
        return True

    def _start(self, stage: str, workspace: Path) -> int:
        process = os.fork()
        if process:
            return process
        code = 1
        try:
            os.dup2(
                2, 1
            )  # whoever reads this process' answers must not wait for those whom the forked one leaves behind
            self._run(stage, workspace)
            code = 0
        except BaseException:  # not caught, the child would go on as if it were the parent
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    @staticmethod
    def _wait(process: int) -> bool:
        return os.waitpid(process, 0)[1] != 0

    def _run(self, stage: str, folder: Path) -> None:
        from merprep import stages
        from merprep.bench.scale import tiny_config
        from merprep.store import Workspace
        from merprep.training import train

        workspace, raw = Workspace(folder), self.folder / "raw"
        config = tiny_config(raw / "landmarks.csv", size=_SIZE)
        run: dict[str, Callable[[], Any]] = {
            "ingest": lambda: stages.ingest(workspace, "casme2", raw),
            "align": lambda: stages.align(workspace, config.align, jobs=self.jobs),
            "flow": lambda: stages.flow(workspace, config, jobs=self.jobs, device="cpu"),
            "train": lambda: train(
                workspace.latest_features(), model="ststnet", runs_folder=workspace.runs, epochs=1, final=True,
                device="cpu", jobs=self.jobs,
            ),
            "import": lambda: stages.import_htnet_features(workspace, self.folder / "maps"),
            "spot": lambda: _spot(workspace, config.align, self.jobs),
            "temporal": lambda: _temporal(workspace, config.align, self.jobs),
            "shard": lambda: _shards(workspace, config, self.jobs),
            "merge": lambda: stages.merge(workspace),
            "export": lambda: _export(workspace),
            "predict": lambda: _predict(workspace),
            "report": lambda: _report(workspace),
        }  # fmt: skip
        run[stage]()

    def _write_inputs(self) -> None:
        from merprep.bench.scale import write_tiny

        write_tiny(self.folder / "raw", self.clips, side=_SIZE + 12, subjects=4, annotated=2)
        write_maps(self.folder / "maps", self.clips)


def _spot(workspace: Workspace, align: AlignConfig, jobs: int) -> None:
    from merprep import stages
    from merprep.temporal import SpotConfig

    # Five given landmarks outline no eyes, and three frames make nothing sure.
    config = SpotConfig(align=align, flow_method="farneback", steady=False, mask_eyes=False, least_confidence=0.0)
    stages.spot(workspace, config, jobs=jobs)


def _temporal(workspace: Workspace, align: AlignConfig, jobs: int) -> None:
    from merprep import stages
    from merprep.temporal import TemporalConfig

    stages.temporal(workspace, TemporalConfig(align=align, length=5), jobs=jobs)


def _shards(workspace: Workspace, config: FlowConfig, jobs: int) -> None:
    from merprep import stages

    for index in (1, 2):
        stages.flow_shard(workspace, f"{index}/2", config=config, jobs=jobs, device="cpu")


def _export(workspace: Workspace) -> None:
    from merprep import stages
    from merprep.errors import StoreError
    from merprep.stages.exports import TARGETS

    for form in TARGETS:
        try:
            stages.export(workspace.latest_features(), form, workspace=workspace)
        except StoreError as error:  # the folder that HTNet's scripts read is finished, and never written into
            if "holds something already" not in error.what:
                raise


def _predict(workspace: Workspace) -> None:
    from merprep.training import predict, write_predictions

    (run,) = workspace.runs.iterdir()
    write_predictions(predict(run, workspace.latest_features()), workspace.folder / "predicted.csv")


def _report(workspace: Workspace) -> None:
    from merprep.report import write_report

    write_report(workspace)


def write_maps(folder: Path, count: int) -> None:
    """Lay out published maps, 28 by 28, and their list."""
    import cv2
    import numpy as np

    maps = folder / "STSNet_whole_norm_u_v_os"
    maps.mkdir(parents=True)
    lines = ["dataset,sub,filename_o,label"]
    values = np.random.default_rng(0)
    for number in range(count):
        subject, clip = f"sub{1 + number % 4:02d}", f"EP{number:02d}"
        image = values.integers(0, 256, (28, 28, 3)).astype(np.uint8)
        (maps / f"{subject}_{clip} .png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
        lines.append(f"casme2,{subject},{clip},{number % 3}")
    (folder / "combined_3_class2_for_optical_flow.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(folder: str, settings: str) -> None:
    """Shoot as often as asked, and tell of each time and, at the end, of each stage, a line of JSON each."""
    asked = json.loads(settings)
    place = Range(Path(folder), asked["clips"], asked["jobs"], asked["seed"])
    place.prepare()
    fired = 0
    for stage in _turns(asked["stages"]):
        kills, same = place.shoot(stage)
        fired += kills
        _tell({"kills": kills, "failed": not same})
        if fired >= asked["kills"]:
            break
    for stage in asked["stages"]:
        _tell({"stage": stage, **vars(place.tallies[stage])})


def _turns(stages: list[str]) -> Iterator[str]:
    while True:
        yield from stages


def _tell(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
