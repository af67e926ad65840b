"""Opens an engine by its name: a cluster that runs somewhere, or one on this machine for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from merprep.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from merprep.engines.backend import Engine

_NAMES = ("dask", "ray")


def names() -> list[str]:
    """Return the names of the engines.

    Examples
    --------
    >>> names()
    ['dask', 'ray']
    """
    return list(_NAMES)


@contextmanager
def open_engine(
    name: str | None, scheduler: str | None = None, *, jobs: int | None = None, patience: float = 3600
) -> Iterator[Engine | None]:
    """Give an engine for the time of a ``with`` block; None where no name is given.

    Parameters
    ----------
    name : {"dask", "ray"} or None
    scheduler : str, optional
        The address of a running cluster (``tcp://10.0.0.5:8786``, ``ray://10.0.0.5:10001``), or for Dask the path of
        its scheduler file. None starts one on this machine and stops it afterwards.
    jobs : int, optional
        Worker processes of a cluster on this machine; None takes one a core. A running cluster has its own.
    patience : float
        Seconds that a running cluster without a worker is waited for; batch systems may start them late.

    Raises
    ------
    UnknownNameError
        Where there is no such engine.
    UsageError
        Where a scheduler is named without an engine, or the number of workers is not positive.
    MissingDependencyError
        Where its library is not installed.
    DeviceError
        Where the scheduler does not answer, or no worker comes.

    Examples
    --------
    >>> with open_engine(None) as engine:
    ...     print(engine)
    None
    """
    if name is None:
        if scheduler is not None:
            raise UsageError("A scheduler is of no use without its engine", found=scheduler, mend="add --distributed")
        yield None
        return
    if name not in _NAMES:
        raise UnknownNameError.among("engine", name, names())
    if jobs is not None and jobs < 1:
        raise UsageError("The number of worker processes must be 1 or more", found=str(jobs))
    if name == "dask":
        from merprep.engines.dask import dask_engine as opened
    else:
        from merprep.engines.ray import ray_engine as opened
    with opened(scheduler, jobs, patience) as engine:
        yield engine
