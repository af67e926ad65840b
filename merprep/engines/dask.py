"""Dask: a cluster on this machine, one that runs elsewhere, or jobs that dask-jobqueue hands to Slurm."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from merprep.engines.backend import Common, Engine, Future, called
from merprep.errors import DeviceError, MissingDependencyError

_CONNECT = 20  # seconds that a scheduler has to answer


class DaskEngine(Engine):
    """The workers of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
        Stays open: who opened it closes it.
    """

    def __init__(self, client: Any) -> None:
        super().__init__()
        self.client = client
        self.description = f"Dask at {client.scheduler.address}"

    def capacity(self) -> int:
        """Return the number of threads of all workers."""
        return sum(self.client.nthreads().values())

    def share(self, common: Common) -> Any:
        """Make it the result of a call, which Dask moves to whoever needs it and makes again where it is lost."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it is large: so it is, and it is sent once
            return self.client.submit(Common.unpacked, common, key=f"merprep-{uuid4().hex}", pure=False)

    def start(self, call: Callable[[], Any], common: Any) -> Future:
        """Hand over a call; a key of its own keeps Dask from taking an earlier result for it."""
        future: Future = self.client.submit(called, call, common, key=f"merprep-{uuid4().hex}", pure=False)
        return future

    def lost(self, error: BaseException) -> str:
        """Say how the worker died, where that is what the error tells."""
        from concurrent.futures import CancelledError

        from distributed.scheduler import KilledWorker

        if isinstance(error, KilledWorker):
            worker = getattr(error.last_worker, "address", error.last_worker)
            return f"workers died while they had it, the last one at {worker}"
        return "the cluster dropped it" if isinstance(error, CancelledError) else ""


@contextmanager
def dask_engine(scheduler: str | None, jobs: int | None, patience: float) -> Iterator[DaskEngine]:
    """Connect to a cluster, or start one here (see `merprep.engines.open_engine`)."""
    try:
        import dask
        import distributed
    except ImportError as error:
        raise MissingDependencyError.of("Dask", "--distributed dask", "pip install 'merprep[dask]'") from error
    if scheduler is not None:
        with _connected(distributed, scheduler) as client:
            _wait_for_workers(client, scheduler, patience)
            yield DaskEngine(client)
        return
    # The dashboard is a web server that nobody asked for. Workers are on this machine, and answer to it alone.
    with (
        dask.config.set({"distributed.admin.tick.limit": "1h", "distributed.comm.timeouts.connect": "60s"}),
        distributed.LocalCluster(
            n_workers=jobs or os.cpu_count() or 1, threads_per_worker=1, processes=True, dashboard_address=None,
            host="127.0.0.1", silence_logs="CRITICAL",
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        yield DaskEngine(client)


def _connected(distributed: Any, scheduler: str) -> Any:
    try:
        if Path(scheduler).is_file():
            return distributed.Client(scheduler_file=scheduler, timeout=_CONNECT, set_as_default=False)
        return distributed.Client(scheduler, timeout=_CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise DeviceError(
            "The Dask scheduler does not answer",
            where=scheduler,
            expected="the address that `dask scheduler` prints (tcp://HOST:8786), or its scheduler file",
            found=str(error) or type(error).__name__,
            mend="start it, or leave --scheduler out to work on this machine",
        ) from error


def _wait_for_workers(client: Any, scheduler: str, patience: float) -> None:
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        raise DeviceError(
            "The Dask scheduler has no worker",
            where=scheduler,
            found=f"none in {patience:.0f} s",
            mend="start workers with `dask worker ADDRESS`, or see in the batch system's queue why none starts",
        ) from error
