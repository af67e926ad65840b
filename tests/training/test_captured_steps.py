"""Steps that are recorded once and done again, against the same steps taken one after the other.

A CUDA graph freezes what Python decided while it was recorded. `_Tape` does the same without a GPU: it writes down
every operation that a step makes torch do, with its numbers and tensors, and does exactly these again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from merprep.errors import DeviceError
from merprep.models import preset
from merprep.models.presets import Preset
from merprep.training import Recipe, job, optimisers, train
from merprep.training.augment import Mirror
from merprep.training.device import steady
from merprep.training.fit import fit
from merprep.training.job import Clips, Plan, Trained, train_network
from merprep.training.optimisers import Rates, optimiser_of, rate_factor
from merprep.training.replay import WARM_UP, CudaGraphs, Recorder, Replayed, recorder_of

Maker = Callable[..., Path]
_no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")

# What reads from the device or brings something there; a graph that is being recorded can do neither.
_WAITING = {"_local_scalar_dense", "lift_fresh", "nonzero", "masked_select", "equal", "bincount", "_unique2"}


class _Writing(TorchDispatchMode):
    """Writes down what is done within it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.partition("::")[2]
        masked = name.startswith("index") and any(x is not None and x.dtype == torch.bool for x in tree_leaves(args[1]))
        if name in _WAITING or masked:
            raise RuntimeError(f"operation not permitted when stream is capturing: {name}")
        found = func(*args, **(kwargs or {}))
        if func.namespace != "profiler":
            self.done.append((func, args, kwargs or {}, found))
        return found


class _Tape(Recorder):
    """Records work as a CUDA graph does, on a CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded = 0

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        with _Writing() as writing:
            work()
        self.recorded += 1
        just_done = [True]

        def again() -> None:
            # A graph does nothing while it is recorded; here that was the first time.
            if just_done:
                just_done.clear()
            else:
                _done_again(writing.done)

        return again


def _done_again(done: Sequence[tuple[Any, tuple[Any, ...], dict[str, Any], Any]]) -> None:
    with torch.no_grad():
        for func, args, kwargs, found in done:
            aliases = [value.alias_info for value in func._schema.returns]
            if any(alias is not None and not alias.is_write for alias in aliases):
                continue  # a view sees what is now beneath it
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(found), tree_leaves(again), strict=True):
                if isinstance(old, Tensor) and old is not new:
                    old.copy_(new)


_CHANGES = {"flip": 0.5, "shift": 2, "noise": 0.1, "rotation": 10.0, "flow_noise": 0.1, "blend": 0.5}
_OF_PICTURES = {"flip": 0.5, "rotation": 10.0, "brightness": 5.0, "noise": 0.1}
_TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "htnet": ("sanity", {"dim": 8, "heads": 2, "dropout": 0.2}),
    "ststnet": ("sanity", {}),
    "rcn-a": ("sanity", {"filters": 4, "pooled": 3}),
    "off-apexnet": ("sanity", {"hidden": 16}),
    "flow-cnn": ("sanity", {"filters": [4, 6]}),
    "hsta": ("tiny", {"modules": 1, "embed_dim": [8, 16], "num_heads": 2, "dropout": 0.2, "drop_path": 0.2}),
    "micro-attention": ("tiny", {"widths": [4, 8]}),
}


def _preset(model: str, recipe: dict[str, Any], **spec: Any) -> Preset:
    name, changes = _TINY[model]
    chosen = preset(model, name)
    augmentation = _OF_PICTURES if chosen.input.is_picture else _CHANGES
    if {"u", "v"} - set(chosen.input.channels):
        augmentation = {**augmentation, "rotation": 0.0} if not chosen.input.is_picture else augmentation
    return chosen.model_copy(
        update={
            "architecture": {**chosen.architecture, **changes},
            "input": chosen.input.model_copy(update=spec),
            "recipe": {**_RECIPE, "augmentation": augmentation, **recipe},
        }
    )


# Batches of 8, 8 and 5 clips; enough epochs for both lengths to be recorded and done again.
_RECIPE = {
    "epochs": 6, "batch_size": 8, "learning_rate": 1e-3, "weight_decay": 0.01, "schedule": "cosine",
    "warmup_epochs": 1.0, "label_smoothing": 0.1, "class_weight_power": 0.5,
}  # fmt: skip


def _clips(chosen: Preset) -> Clips:
    rng, spec = np.random.default_rng(0), chosen.input
    if spec.is_picture:
        side = spec.train_size or spec.size
        extra = 3 if spec.sampling == "random" else 2
        frames = (spec.frames + extra,) if spec.frames else ()
        images = rng.integers(0, 255, (21, len(spec.channels), *frames, side, side)).astype(np.uint8)
        if spec.sampling == "random":
            images[:, :, -1] = 4  # how many of the frames are there
    else:
        images = rng.normal(size=(21, len(spec.channels), 28, 28)).astype(np.float32)
    labels = np.arange(21) % 3
    return Clips(images, labels, ["a"] * 21, ["b"] * 21, [str(n) for n in range(21)])


def _trained(chosen: Preset, monkeypatch: pytest.MonkeyPatch, recorder: Recorder | None, **plan: Any) -> Trained:
    monkeypatch.setattr(job, "recorder_of", lambda *_: recorder)
    clips, recipe = _clips(chosen), Recipe.of(chosen)
    settings = Plan(chosen, recipe, ("a", "b", "c"), "last", "cpu", 1, Path(), **plan)
    watched = torch.from_numpy(clips.images[:5])
    return train_network(settings, recipe, clips, np.arange(21), 3, watched)


def _assert_same(one: Trained, other: Trained) -> None:
    assert one.loss == other.loss
    assert np.array_equal(one.history, other.history)
    for name, values in one.network.state_dict().items():
        assert torch.equal(values, other.network.state_dict()[name]), name


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("model", sorted(_TINY))
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_recorded_steps_are_the_steps_one_after_the_other(
    model: str, optimiser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, tape = _preset(model, {"optimiser": optimiser}), _Tape()
    recorded = _trained(chosen, monkeypatch, tape)
    assert tape.trouble == ""
    assert tape.recorded == 3, "both lengths of batches, and the look at the test clips"
    assert recorded.history.shape == (6, 5, 3)
    assert np.abs(np.diff(recorded.history, axis=0)).max() > 1e-4, "it learns"
    _assert_same(recorded, _trained(chosen, monkeypatch, None))


@pytest.mark.parametrize("model", ["htnet", "micro-attention"])
def test_recorded_steps_in_bfloat16_are_those_one_after_the_other(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, tape = _preset(model, {"optimiser": "adam"}), _Tape()
    recorded = _trained(chosen, monkeypatch, tape, precision="bfloat16")
    assert (tape.trouble, tape.recorded) == ("", 3)
    _assert_same(recorded, _trained(chosen, monkeypatch, None, precision="bfloat16"))


def test_frames_that_are_drawn_at_random_are_drawn_anew_in_recorded_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, tape = _preset("hsta", {}, sampling="random", normalisation="imagenet"), _Tape()
    recorded = _trained(chosen, monkeypatch, tape)
    assert (tape.trouble, tape.recorded) == ("", 3)
    _assert_same(recorded, _trained(chosen, monkeypatch, None))


class _Counting(nn.Module):
    """Counts its batches in Python, which a graph cannot see."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.seen = nn.Linear(12, 3), 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return self.linear(x.flatten(1)) / self.seen


class _Reading(nn.Module):
    """Reads from the device, which a graph cannot do."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1)) * (2.0 if float(x.sum().detach()) > 1e9 else 1.0)


def _fitted(network: nn.Module, recorder: Recorder | None, **recipe: Any) -> tuple[float, Tensor]:
    torch.manual_seed(1)
    nn.init.normal_(network.linear.weight)
    nn.init.zeros_(network.linear.bias)
    images, labels = torch.randn(8, 3, 2, 2), torch.arange(8) % 3
    generator = torch.Generator().manual_seed(0)
    settings = Recipe(**{"epochs": 8, "batch_size": 8, "schedule": "cosine", **recipe})
    loss = fit(
        network, images, labels, settings, n_classes=3, mirror=Mirror((), 0.0), generator=generator, recorder=recorder
    )
    return loss, network.linear.weight.detach().clone()


def test_what_python_decides_while_it_is_recorded_stays_decided() -> None:
    # This is what makes the tests above tests: a network that counts in Python is caught by them.
    (plain, _), (recorded, _) = _fitted(_Counting(), None), _fitted(_Counting(), _Tape())
    assert plain != recorded


def test_steps_that_cannot_be_recorded_are_taken_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = _Tape()
    (plain, weights), (other, others) = _fitted(_Reading(), None), _fitted(_Reading(), tape)
    assert "operation not permitted" in tape.trouble
    assert tape.recorded == 0
    assert plain == other
    assert torch.equal(weights, others)


class _Refusing(Recorder):
    """A device whose graphs never come to be."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("no room for a graph\nstack of the device")


def test_a_run_says_that_steps_could_not_be_captured(
    make_features: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"model": "ststnet", "preset": "sanity", "epochs": 6, "jobs": 1, "stack": 1}
    features = make_features()
    plain = train(features, run_folder=tmp_path / "plain", **settings)
    assert not any("captured" in note for note in plain.notes)
    monkeypatch.setattr(job, "recorder_of", lambda *_: _Refusing())
    told = train(features, run_folder=tmp_path / "told", **settings)
    [note] = [note for note in told.notes if "captured" in note]
    assert "(no room for a graph)" in note
    assert "4 of 4 trainings" in note
    assert told.predictions.equals(plain.predictions)
    again = train(features, run_folder=tmp_path / "told", **settings)
    assert again.notes == told.notes, "kept folds tell it, too"


def test_a_device_that_cannot_go_on_after_a_failed_capture_is_told() -> None:
    class Broken(_Reading):
        def forward(self, x: Tensor) -> Tensor:
            if recorder.trouble:
                raise RuntimeError("CUDA error: operation failed due to a previous error during capture")
            return super().forward(x)

    recorder = _Refusing()
    with pytest.raises(DeviceError, match="could not be captured") as caught:
        _fitted(Broken(), recorder)
    assert "--no-capture" in str(caught.value)
    assert "no room" in str(caught.value)


def test_a_run_that_captures_on_a_cpu_is_the_run_that_does_not(make_features: Maker, tmp_path: Path) -> None:
    settings = {"model": "htnet", "preset": "sanity", "epochs": 5, "jobs": 1, "stack": 1, "device": "cpu"}
    plain, other = (
        train(make_features(), run_folder=tmp_path / str(capture), capture=capture, **settings)
        for capture in (False, True)
    )
    assert plain.predictions.equals(other.predictions)
    assert plain.full == other.full


def test_work_is_recorded_once_for_each_shape_behind_its_warm_up() -> None:
    recorder, seen = _Tape(), torch.zeros(())
    work = Replayed(lambda x: seen.add_(x.sum()), recorder)
    for number in range(WARM_UP + 4):
        work(torch.ones(3))
        assert recorder.recorded == (number >= WARM_UP)
    for _ in range(WARM_UP + 1):
        work(torch.full((2,), 10.0))
    assert work.recorded == recorder.recorded == 2
    assert seen == 3 * (WARM_UP + 4) + 20 * (WARM_UP + 1)


def test_a_cuda_graph_knows_the_generators_and_is_recorded_on_the_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Stream:
        def __init__(self, device: object = None) -> None:
            self.name = "own" if device is not None else "usual"

        def wait_stream(self, other: Stream) -> None:
            told.append(f"{self.name} waits for {other.name}")

    class Graph:
        def register_generator_state(self, generator: object) -> None:
            told.append(f"knows {generator}")

        def replay(self) -> None:
            told.append("replayed")

    @contextmanager
    def entered(name: str) -> Iterator[None]:
        told.append(name)
        yield
        told.append(f"{name} left")

    fake = SimpleNamespace(
        Stream=Stream, CUDAGraph=Graph, graph_pool_handle=lambda: "pool", current_stream=lambda _: Stream(),
        device=lambda device: entered(f"on {device}"), stream=lambda stream: entered(f"stream {stream.name}"),
        graph=lambda _, *, pool, stream: entered(f"graph in {pool} on {stream.name}"),
    )  # fmt: skip
    monkeypatch.setattr(torch, "cuda", fake)
    recorder = CudaGraphs("cuda:1", ["order", "dropout"])  # type: ignore[list-item]
    with recorder.lane():
        again = recorder.record(lambda: told.append("work"))
        again()
    assert told == [
        "on cuda:1", "on cuda:1 left", "own waits for usual", "stream own", "knows order", "knows dropout",
        "graph in pool on own", "work", "graph in pool on own left", "replayed", "stream own left",
        "usual waits for own",
    ]  # fmt: skip


def test_steps_are_recorded_where_they_are_to_be() -> None:
    assert recorder_of("cpu", False, []) is None
    assert type(recorder_of("cpu", True, [])) is Recorder


@pytest.mark.parametrize(
    "recipe",
    [
        {"schedule": "cosine", "warmup_epochs": 2, "minimum_learning_rate": 1e-5},
        {"schedule": "step", "step_iterations": 5},
        {"schedule": "constant"},
    ],
)
@pytest.mark.parametrize("recorded", [False, True])
def test_rates_are_those_of_torchs_own_schedule(recipe: dict[str, Any], recorded: bool) -> None:
    settings = Recipe(epochs=4, bias_rate=2.0, optimiser="sgd", **recipe)
    ours, theirs = (optimiser_of(nn.Linear(2, 2), settings, recorded=own) for own in (recorded, False))
    rates, schedule = Rates(ours, settings, 5), torch.optim.lr_scheduler.LambdaLR(theirs, rate_factor(settings, 5))
    for step in range(20):
        rates.set(step)
        assert [float(group["lr"]) for group in ours.param_groups] == [group["lr"] for group in theirs.param_groups]
        theirs.step()
        schedule.step()


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_one_kernel_a_step_and_one_an_operation_differ_by_rounding(
    optimiser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {"optimiser": optimiser, "weight_decay": 0.05, "epochs": 20}
    _, fused = _fitted(_Reading(), None, **recipe)
    monkeypatch.setattr(optimisers, "_FUSED", ())
    assert optimiser_of(nn.Linear(2, 2), Recipe(**recipe)).param_groups[0]["foreach"] is True
    _, single = _fitted(_Reading(), None, **recipe)
    assert torch.allclose(fused, single, atol=1e-6)


def _on_gpu(model: str, capture: bool, **plan: Any) -> Trained:
    chosen = _preset(model, {})
    clips, recipe = _clips(chosen), Recipe.of(chosen)
    settings = Plan(chosen, recipe, ("a", "b", "c"), "last", "cuda", 1, Path(), capture=capture, **plan)
    with steady("cuda"):
        return train_network(settings, recipe, clips, np.arange(21), 3, torch.from_numpy(clips.images[:5]).cuda())


@pytest.mark.gpu
@_no_gpu
@pytest.mark.filterwarnings("ignore:.*does not have a deterministic implementation")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", sorted(_TINY))
def test_on_a_gpu_captured_steps_are_the_steps_one_after_the_other(model: str, precision: str) -> None:
    plain, captured, again = (_on_gpu(model, capture, precision=precision) for capture in (False, True, True))
    assert captured.notes == []
    # Without a recorder, rates are numbers and not tensors of single precision.
    assert np.allclose(captured.history, plain.history, atol=1e-3 if precision == "float32" else 1e-2)
    if model == "rcn-a":  # whose pooling has no kernel that adds up in the same order each time
        assert np.allclose(captured.history, again.history, atol=1e-3)
    else:
        assert np.array_equal(captured.history, again.history)


@pytest.mark.gpu
@_no_gpu
def test_on_a_gpu_a_run_captures_by_itself_and_two_processes_share_it(make_features: Maker, tmp_path: Path) -> None:
    settings = {"model": "htnet", "preset": "sanity", "epochs": 6, "stack": 1, "device": "cuda"}
    alone, plain, shared = (
        train(make_features(), run_folder=tmp_path / str(number), jobs=jobs, capture=capture, **settings)
        for number, (jobs, capture) in enumerate(((1, None), (1, False), (2, None)))
    )
    assert not any("captured" in note for note in alone.notes)
    assert alone.predictions.equals(shared.predictions)
    difference = alone.predictions.filter(like="probability") - plain.predictions.filter(like="probability")
    assert np.abs(difference.to_numpy()).max() < 1e-3
