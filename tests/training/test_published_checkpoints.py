"""Published checkpoints, one a person: found, loaded, given the published input, pooled and scored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import written_out
from sklearn.metrics import f1_score, recall_score
from torch import Tensor
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.errors import MerprepError, ModelError, UsageError
from merprep.models import build, published_shapes, read_checkpoint, to_published
from merprep.stages import import_htnet_features
from merprep.store import Workspace
from merprep.training import score_checkpoints

Maker = Callable[..., Path]
Weights = dict[str, Tensor]
CLASSES = ("negative", "positive", "surprise")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _weights(number: int) -> Weights:
    """Weights of a STSTNet with the published names, another for each number, whose batch norms have seen something."""
    rng = np.random.default_rng(number)
    found: Weights = {}
    for name, shape in published_shapes(build("ststnet")).items():
        values = torch.from_numpy(np.asarray(rng.normal(0, 0.2, shape), np.float32))
        found[name] = 1 + values.abs() if name.endswith("running_var") else values
        if name.endswith("num_batches_tracked"):
            found[name] = torch.tensor(800)
    return found


def _saved(folder: Path, names: dict[str, Weights]) -> Path:
    folder.mkdir()
    for name, weights in names.items():
        torch.save(weights, folder / f"{name}.pth")
    return folder


def test_sixty_eight_checkpoints_are_scored_as_by_hand(shared_data: Path, tmp_path: Path) -> None:
    maps = shared_data / "htnet-features"
    rows = pd.read_csv(maps / "combined_3_class2_for_optical_flow.csv", dtype={"sub": str})
    subjects = sorted(set(rows["sub"]))
    folder = _saved(tmp_path / "weights", {subject: _weights(n) for n, subject in enumerate(subjects)})
    # By hand: the published file, read as the published code does (blue, green, red), raw values, last place wins.
    said, truth = [], rows["label"].to_numpy()
    for row in rows.itertuples():
        image = cv2.imread(str(maps / "STSNet_whole_norm_u_v_os" / f"{row.sub}_{row.filename_o} .png"))
        assert image is not None
        x = torch.from_numpy(image.astype(np.float64)).permute(2, 0, 1)[None]
        weights = {name: tensor.double() for name, tensor in _weights(subjects.index(row.sub)).items()}
        said.append(int(written_out.ststnet(weights, x).argmax()))
    features, _ = import_htnet_features(Workspace(tmp_path / "workspace"), maps)
    found = score_checkpoints(folder, features, model="ststnet")
    assert found.full["n"] == 442
    assert found.full["persons"] == 68
    assert found.full["uf1"] == pytest.approx(f1_score(truth, said, average="macro"))
    assert found.full["uar"] == pytest.approx(recall_score(truth, said, average="macro"))
    database = rows["dataset"].to_numpy()
    for name in ("casme2", "samm", "smic"):
        own = database == name
        expected = f1_score(truth[own], np.array(said)[own], average="macro")
        assert found.databases[name]["uf1"] == pytest.approx(expected)
    assert found.selection == "last"
    assert {row.full.uf1 for row in found.published} == {0.7353, 0.7209}


@pytest.fixture
def features(make_features: Maker) -> Path:
    return make_features(persons=4)


@pytest.mark.parametrize(
    "names",
    [
        ("s0", "s1", "s2", "s3"),
        ("casme2_s0", "samm_s1", "casme2_s2", "samm_s3"),
        ("best_s0", "best_s1", "best_S2", "best_s03"),
        ("s00", "S01", "s2", "s3"),
        ("s0/best", "s1/best", "s2/best", "s3/best"),
    ],
)
def test_files_are_matched_to_people_by_their_names(features: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    weights = {name: _weights(n) for n, name in enumerate(names)}
    by_hand = score_checkpoints({f"s{n}": _weights(n) for n in range(4)}, features, model="ststnet")
    for name, values in weights.items():
        path = tmp_path / "weights" / f"{name}.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"state_dict": values}, path)
    found = score_checkpoints(tmp_path / "weights", features, model="ststnet")
    assert found.predictions.equals(by_hand.predictions)


def test_a_mapping_may_name_persons_and_hold_files_or_weights(features: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(_weights(0), tmp_path / "first.safetensors")
    mixed = {
        "casme2:0": tmp_path / "first.safetensors",
        "samm:1": _weights(1),
        "casme2:2": _weights(2),
        "s3": _weights(3),
    }
    expected = score_checkpoints({f"s{n}": _weights(n) for n in range(4)}, features, model="ststnet")
    assert score_checkpoints(mixed, features, model="ststnet").predictions.equals(expected.predictions)


def test_each_network_predicts_nobody_but_its_own_person(features: Path) -> None:
    before = score_checkpoints({f"s{n}": _weights(n) for n in range(4)}, features, model="ststnet").predictions
    after = score_checkpoints(
        {f"s{n}": _weights(n + 9 * (n == 2)) for n in range(4)}, features, model="ststnet"
    ).predictions
    changed = before["probability_negative"] != after["probability_negative"]
    assert set(before["person"][changed]) == {"casme2:2"}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("s0", "s1", "s2"), "no checkpoint"),
        (("s0", "s1", "s2", "s3", "s9"), r"s9 \(nobody\)"),
        (("s0", "s1", "s2", "s3", "best_s3"), "several checkpoints"),
        (("s0", "s1", "s2", "s3_s1"), "samm:1 or samm:3"),
        ((), "no checkpoints"),
    ],
)
def test_people_without_a_checkpoint_of_their_own_are_named(
    features: Path, tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        score_checkpoints(_saved(tmp_path / "w", dict.fromkeys(names, _weights(0))), features, model="ststnet")


class _Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('this ran')",)


@pytest.mark.parametrize("spoil", ["code", "network", "cut", "text", "others", "absent"])
def test_a_file_that_holds_no_weights_of_this_network_is_refused_by_name(
    features: Path, tmp_path: Path, spoil: str
) -> None:
    folder = _saved(tmp_path / "w", {f"s{n}": _weights(n) for n in range(4)})
    path = folder / "s2.pth"
    whole = path.read_bytes()
    if spoil == "code":
        torch.save({"fc.bias": _Evil()}, path)
    elif spoil == "network":
        torch.save(build("ststnet"), path)
    elif spoil == "others":
        torch.save(to_published(build("ststnet", num_classes=5)), path)
    else:
        path.write_bytes({"cut": whole[:900], "text": b"version https://git-lfs", "absent": whole}[spoil])
    sources: Any = (
        folder if spoil != "absent" else {**{f"s{n}": _weights(n) for n in (0, 1, 3)}, "s2": folder / "x.pth"}
    )
    with pytest.raises(ModelError) as caught:
        score_checkpoints(sources, features, model="ststnet")
    assert "s2" in str(caught.value.where) or "x.pth" in str(caught.value.where)


def test_weights_that_were_chosen_on_the_test_person_are_stamped(features: Path) -> None:
    weights = {f"s{n}": _weights(n) for n in range(4)}
    found = score_checkpoints(weights, features, model="ststnet", selection="test-oracle")
    assert "OPTIMISTIC" in found.title()
    assert found.as_json()["optimistic"] is True
    assert any("chosen on the very person" in note for note in found.notes)
    # These are not the clips of any published table, so nothing is known of how their epochs were chosen.
    assert score_checkpoints(weights, features, model="ststnet").selection == "unknown"


def test_networks_that_eat_a_mosaic_and_other_sizes_are_scored_too(features: Path) -> None:
    settings = {"dim": 12, "heads": 3, "block_repeats": [1, 1, 1]}
    weights = {f"s{n}": to_published(build("htnet", **settings)) for n in range(4)}
    assert score_checkpoints(weights, features, model="htnet", **settings).full["n"] == 24
    with pytest.raises(MerprepError, match="do not fit HTNet"):
        score_checkpoints(weights, features, model="htnet", preset="sanity")


def test_the_command_prints_one_document_and_writes_the_predictions(features: Path, tmp_path: Path) -> None:
    folder = _saved(tmp_path / "w", {f"s{n}": _weights(n) for n in range(4)})
    call = ["score", str(folder), "--features", str(features), "--scheme", "3", "--json"]
    result = CliRunner().invoke(app, [*call, "--out", str(tmp_path / "said.csv")])
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert values["full"]["n"] == 24
    assert values["model"] == "ststnet"
    table = pd.read_csv(tmp_path / "said.csv")
    assert list(table.columns) == [
        "id",
        "person",
        "database",
        "truth",
        "prediction",
        *(f"probability_{c}" for c in CLASSES),
    ]
    assert CliRunner().invoke(app, ["score", str(tmp_path / "said.csv"), "--scheme", "3"]).exit_code == 0
    (folder / "s0.pth").unlink()
    assert CliRunner().invoke(app, call).exit_code == 2
    assert list(read_checkpoint(folder / "s1.pth")) == list(_weights(1))
