"""Ray: a cluster on this machine, or one that runs elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from merprep.engines.backend import Common, Engine, Future, Unpacked, called
from merprep.errors import DeviceError, MissingDependencyError


class RayEngine(Engine):
    """The worker processes of a Ray cluster that this process is connected to."""

    def __init__(self, description: str) -> None:
        import ray

        super().__init__()
        self.description = description
        # Ray makes a call again itself where its worker died; calls count the deaths (see stages/remote.py).
        self._remote: Any = ray.remote(max_retries=3)(_called)

    def capacity(self) -> int:
        """Return the number of cores of the cluster."""
        import ray

        return int(ray.cluster_resources().get("CPU", 0))

    def share(self, common: Common) -> Any:
        """Put it where Ray keeps objects, one copy a machine; the list keeps Ray from fetching it for every call."""
        import ray

        return [ray.put(common)]

    def start(self, call: Callable[[], Any], common: Any) -> Future:
        """Hand over a call."""
        future: Future = self._remote.remote(call, common).future()
        return future

    def lost(self, error: BaseException) -> str:
        """Say how the worker died, where that is what the error tells."""
        from ray import exceptions

        died = (
            exceptions.WorkerCrashedError,
            exceptions.OutOfMemoryError,
            exceptions.NodeDiedError,
            exceptions.LocalRayletDiedError,
            exceptions.ObjectLostError,
        )
        return (str(error).strip().splitlines() or [""])[0] if isinstance(error, died) else ""


def _called(call: Callable[[], Any], common: list[Any] | None) -> Any:
    return called(call, None if common is None else _unpacked(common[0]))


@lru_cache(maxsize=1)
def _unpacked(reference: Any) -> Unpacked:
    import ray

    common: Common = ray.get(reference)
    return common.unpacked()


@contextmanager
def ray_engine(scheduler: str | None, jobs: int | None, patience: float) -> Iterator[RayEngine]:
    """Connect to a cluster, or start one here (see `merprep.engines.open_engine`)."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray reports its use to its makers unless told not to
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError.of("Ray", "--distributed ray", "pip install 'merprep[ray]'") from error
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "configure_logging": False}
    try:
        if scheduler is None:
            ray.init(address="local", num_cpus=jobs or os.cpu_count() or 1, **quiet)
        else:
            ray.init(address=scheduler, log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise DeviceError(
            "The Ray cluster does not answer" if scheduler else "Ray cannot be started on this machine",
            where=scheduler or "this machine",
            expected="the address that `ray start --head` prints, ray://HOST:10001, or auto",
            found=str(error) or type(error).__name__,
            mend="start it, or leave --scheduler out to work on this machine",
        ) from error
    try:
        yield RayEngine(f"Ray at {scheduler or 'this machine'}")
    finally:
        ray.shutdown()
