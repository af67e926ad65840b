"""What every engine is: a joblib backend that says of a call whose worker died that it is lost, and goes on.

joblib's own backends for Dask and Ray end the whole run (or wait for ever) when the process that worked on a call
dies; over thousands of clips one will. Here such a call comes back as `Lost`, and `spread` makes it again.
"""

from __future__ import annotations

import pickle
import warnings
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from joblib import Parallel, delayed
from joblib.parallel import ParallelBackendBase, SequentialBackend

Item = TypeVar("Item")
Result = TypeVar("Result")

# Calls that are handed to an engine ahead of their turn. Results are small (workers keep the arrays in files), so this
# bounds the scheduler's memory, and leaves work for machines that join later.
AHEAD = 1000
TRIES = 3


class Future(Protocol):
    """What both engines give for a call that was handed over."""

    def add_done_callback(self, callback: Callable[[Any], Any]) -> Any:
        """Call `callback` with the future, once it is settled."""

    def result(self) -> Any:
        """Return what the call returned, or raise what it raised."""

    def cancel(self) -> Any:
        """Take the call back, if it has not begun."""


@dataclass(frozen=True)
class Common:
    """What every call of a run needs, on its way to the workers: packed, so that who passes it on need not know it.

    Examples
    --------
    >>> Common.of([1, 2]).unpacked().value
    [1, 2]
    """

    packed: bytes

    @classmethod
    def of(cls, value: object) -> Common:
        """Pack a value."""
        return cls(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL))

    def unpacked(self) -> Unpacked:
        """Return the value; its arrays are the caller's own and may be written to."""
        return Unpacked(pickle.loads(self.packed))  # noqa: S301 - packed by the process that hands over the calls


class Unpacked:
    """A value that is packed again whenever it moves to another process.

    Parameters
    ----------
    value : object
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __reduce__(self) -> tuple[Callable[[Common], Unpacked], tuple[Common]]:
        return Common.unpacked, (Common.of(self.value),)


_here: ContextVar[Unpacked | None] = ContextVar("merprep_common", default=None)


def called(call: Callable[[], Any], common: Unpacked | None) -> Any:
    """Make a call in a worker, where what all calls need has arrived."""
    token = _here.set(common)
    try:
        return call()
    finally:
        _here.reset(token)


@dataclass(frozen=True)
class Lost:
    """In place of a result: the worker that was to make it died, as `reason` says.

    `place` is that of the item among those given to `spread`.
    """

    reason: str
    place: int = 0


class Engine(ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """A joblib backend over processes that may be on other machines, and may die.

    Attributes
    ----------
    description : str
        What it is and where, for people.
    """

    supports_retrieve_callback = True
    description = ""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: set[Future] = set()
        self._common: Any = None  # what `share` made of it

    @abstractmethod
    def share(self, common: Common) -> Any:
        """Send something to the workers, once to each that comes to need it, and return what stands for it here."""

    @abstractmethod
    def capacity(self) -> int:
        """Return how many calls can be made at the same time, now."""

    @abstractmethod
    def start(self, call: Callable[[], Any], common: Any) -> Future:
        """Hand over a call, with what `share` gave, or None; the worker makes it by `called`."""

    @abstractmethod
    def lost(self, error: BaseException) -> str:
        """Say how the worker died, where that is what an error tells; empty where the call itself raised."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return the number of workers; never 1, for which joblib would work in this process instead."""
        return max(2, self.capacity())

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], Any] | None = None) -> Future:
        """Hand over a batch of calls, which here is always one; `callback` gets the settled future and the batch."""
        future = self.start(func, self._common)
        self._waiting.add(future)

        def settled(done: Future) -> None:
            self._waiting.discard(future)
            if callback is not None:
                callback((done, func))

        future.add_done_callback(settled)
        return future

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Take back what has not begun; what has goes on to its end, and is found as a part by the next run."""
        for future in list(self._waiting):
            future.cancel()

    def retrieve_result_callback(self, out: tuple[Future, Any]) -> list[Any]:
        """Return the results of a batch."""
        future, batch = out
        try:
            results: list[Any] = future.result()
        except BaseException as error:
            reason = self.lost(error)
            if not reason:
                raise
            _, (_, place, _), _ = batch.items[0]
            results = [Lost(reason, place)]
        return results

    @contextmanager
    def sharing(self, value: object) -> Iterator[None]:
        """Let all calls that are handed over inside have a value in common; None is none."""
        self._common = None if value is None else self.share(Common.of(value))
        try:
            yield
        finally:
            self._common = None

    def get_nested_backend(self) -> tuple[SequentialBackend, int]:
        """Let calls that use joblib themselves do so in their own process."""
        return SequentialBackend(nesting_level=1), 1


def spread(
    engine: Engine, function: Callable[..., Result], items: Sequence[Item], *, common: object = None, tries: int = TRIES
) -> Generator[tuple[Item, Result | Lost], None, None]:
    """Call `function` on every item, wherever the engine has room, and yield the results as they come.

    A call whose worker died is made again; after `tries` of them its result is `Lost`. What a call raises is raised
    here and ends the others.

    Parameters
    ----------
    engine : Engine
    function : callable
        Must be picklable; results should be small, since they travel.
    items : sequence
    common : object, optional
        What every call needs beside its item, as its second argument, such as arrays. It travels once to a worker,
        not with every call, and must not be changed by them.
    tries : int
    """
    losses = dict.fromkeys(range(len(items)), 0)
    with engine.sharing(common):
        while losses:
            with closing(_once(engine, function, items, list(losses))) as results:
                for place, result in results:
                    losses[place] += isinstance(result, Lost)
                    if not isinstance(result, Lost) or losses[place] >= tries:
                        del losses[place]
                        yield items[place], result


def _once(
    engine: Engine, function: Callable[..., Result], items: Sequence[Item], places: Sequence[int]
) -> Generator[tuple[int, Result | Lost], None, None]:
    pool = Parallel(backend=engine, n_jobs=-1, return_as="generator_unordered", pre_dispatch=AHEAD, batch_size=1)
    results = pool(delayed(_numbered)(function, place, items[place]) for place in places)
    try:
        for result in results:
            yield (result.place, result) if isinstance(result, Lost) else result
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # joblib's, that results were not waited for: so it is meant
            results.close()


def _numbered(function: Callable[..., Result], place: int, item: Item) -> tuple[int, Result]:
    common = _here.get()
    return place, function(item) if common is None else function(item, common.value)
