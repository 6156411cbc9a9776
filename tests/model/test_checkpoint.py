"""Checkpoints: a run that was interrupted ends as one that was not, and what is not a checkpoint is refused."""

import re
import shutil
from pathlib import Path

import orjson
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.batch import Cursor
from model.checkpoint import Progress, checkpoint_path, fingerprint, finished, load, save, step_of
from model.config import TrainConfig
from model.train import train
from model.transformer import ModelError
from tests.model.runs import LORA, last_state, metrics, model_weights, tiny_config, train_interrupted, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def straight(data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    out = tmp_path_factory.mktemp("straight")
    train(tiny_config(data), out)
    return out


@pytest.fixture
def whole(straight: Path, tmp_path: Path) -> Path:
    """A copy of a whole checkpoint, to be damaged."""
    return Path(shutil.copytree(checkpoint_path(straight / "checkpoints", 6), tmp_path / "step-000000006"))


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("at", [1, 3, 5])
def test_an_interrupted_run_ends_as_one_that_was_not(data: str, straight: Path, tmp_path: Path, at: int) -> None:
    train_interrupted(tiny_config(data), tmp_path, at)
    assert [step_of(p) for p in finished(tmp_path / "checkpoints")] == ([3] if at > 3 else [])
    train(tiny_config(data), tmp_path)
    assert metrics(tmp_path) == metrics(straight)
    assert same(last_state(tmp_path), last_state(straight))
    assert same(model_weights(tmp_path), model_weights(straight))


def test_a_checkpoint_holds_weights_averages_and_moments_of_all_that_trains(straight: Path) -> None:
    state = last_state(straight)
    weights = {k.removeprefix("weight/") for k in state if k.startswith("weight/")}
    assert any(".lora_" in k for k in weights)
    assert any(k.startswith("model.fusion.") for k in weights)
    for kind in ("ema", "adam/exp_avg", "adam/exp_avg_sq", "adam/step"):
        assert {k.removeprefix(f"{kind}/") for k in state if k.startswith(f"{kind}/")} == weights
    assert float(state[f"adam/step/{min(weights)}"]) == 6


def test_a_frozen_base_is_not_in_the_checkpoint(data: str, tmp_path: Path) -> None:
    config = tiny_config(data, adapt=LORA, steps=1, checkpoint_every=1)
    train(config, tmp_path)
    names = {k.split("/")[-1] for k in last_state(tmp_path)}
    assert all(".lora_" in k or ".fusion." in k or ".x_embedder.extra." in k for k in names)


def test_without_resume_a_run_begins_anew_and_old_checkpoints_go(data: str, straight: Path, tmp_path: Path) -> None:
    shutil.copytree(straight / "checkpoints", tmp_path / "checkpoints")
    train(tiny_config(data, steps=1, checkpoint_every=1), tmp_path, resume=False)
    assert [step_of(p) for p in finished(tmp_path / "checkpoints")] == [1]


def test_a_finished_run_is_not_trained_further(data: str, straight: Path, tmp_path: Path) -> None:
    shutil.copytree(straight / "checkpoints", tmp_path / "checkpoints")
    train(tiny_config(data), tmp_path)
    assert not (tmp_path / "metrics.jsonl").exists() or metrics(tmp_path) == {}
    assert same(model_weights(tmp_path), model_weights(straight))


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        save(tmp_path, {"weight/a": torch.full((2,), float(step))}, Progress(step, Cursor(1, step)), {}, keep=2)
    assert [step_of(p) for p in finished(tmp_path)] == [3, 4]
    state, progress = load(checkpoint_path(tmp_path, 4), {})
    assert state["weight/a"].tolist() == [4, 4]
    assert progress == Progress(4, Cursor(1, 4))


def test_what_an_interrupted_write_left_is_no_checkpoint_and_goes(tmp_path: Path) -> None:
    left = tmp_path / ".step-000000002"
    left.mkdir()
    (left / "state.safetensors").write_bytes(b"half")
    assert finished(tmp_path) == []
    save(tmp_path, {}, Progress(2), {}, keep=1)
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000002"]


def test_a_truncated_checkpoint_is_refused(whole: Path) -> None:
    file = whole / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ModelError, match=f"^{re.escape(str(whole))}: cannot be read .*; remove it to go on from"):
        load(whole, {})


def test_one_with_tensors_missing_is_refused(whole: Path) -> None:
    state = load_file(whole / "state.safetensors")
    count = len(state)
    del state[min(state)]
    save_file(state, whole / "state.safetensors")
    with pytest.raises(ModelError, match=f"step-000000006: holds {count - 1} tensors, must be {count}; remove it"):
        load(whole, {})


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'{"step": 1, "cursor": {"epoch": 1, "shard": 2}}'])
def test_a_broken_description_is_refused(whole: Path, text: bytes) -> None:
    (whole / "state.json").write_bytes(text)
    with pytest.raises(ModelError, match=r"step-000000006: cannot be read \(\w+: "):
        load(whole, {})


FOREIGN = [
    ({"name": "other"}, "belongs to another run: name is 'tiny', here 'other'; use another --out"),
    ({"seed": 4}, "belongs to another run: seed is 3, here 4"),
    ({"adapt": LORA | {"branches": ("background",)}}, "belongs to another run: adapt is {"),
    ({"batch_size": 3}, "one batch of all processes was 2 samples, 1 batches a step; here 3 and 1; change batch_size"),
    ({"accumulate": 2}, "one batch of all processes was 2 samples, 1 batches a step; here 2 and 2;"),
    ({"optimiser": {"ema": 0.0, "lr": 1.0}, "steps": 9}, None),
]


@pytest.mark.parametrize(("changes", "text"), FOREIGN)
def test_another_runs_checkpoint_is_refused(data: str, whole: Path, changes: dict[str, object], text: str) -> None:
    config = tiny_config(data, **changes)
    if text is None:
        assert load(whole, fingerprint(config, 1))[1].step == 6
        return
    with pytest.raises(ModelError, match=f"^{re.escape(f'{whole}: {text}')}"):
        load(whole, fingerprint(config, 1))


def test_other_processes_may_share_the_same_batch(data: str, whole: Path) -> None:
    half = tiny_config(data, batch_size=1)
    assert load(whole, fingerprint(half, 2))[1].step == 6
    with pytest.raises(ModelError, match="was 2 samples, 1 batches a step; here 4 and 1"):
        load(whole, fingerprint(tiny_config(data), 2))


def test_a_weight_of_another_shape_is_named(data: str, straight: Path, tmp_path: Path) -> None:
    _alter(straight, tmp_path, lambda state, name: {name: torch.zeros(2, 2)})
    with pytest.raises(ModelError, match=r"^checkpoint: 'weight/model\..*' must be \(.*\), is \(2, 2\)"):
        train(tiny_config(data, steps=9), tmp_path)


def test_a_weight_of_another_name_is_named(data: str, straight: Path, tmp_path: Path) -> None:
    _alter(straight, tmp_path, lambda state, name: {"weight/other": state[name]})
    with pytest.raises(ModelError, match=r"^checkpoint: 'weight/model\..*' is missing"):
        train(tiny_config(data, steps=9), tmp_path)


def _alter(straight: Path, out: Path, change) -> None:
    shutil.copytree(straight / "checkpoints", out / "checkpoints")
    file = finished(out / "checkpoints")[-1] / "state.safetensors"
    state = load_file(file)
    name = min(k for k in state if k.startswith("weight/"))
    new = change(state, name)
    save_file({k: v for k, v in state.items() if k != name} | new, file)


def test_the_fingerprint_is_json(data: str) -> None:
    config = tiny_config(data)
    about = fingerprint(config, 2)
    assert orjson.loads(orjson.dumps(about)) == about
    assert about["batch"] == [4, 1]
    assert TrainConfig.model_validate(config.model_dump() | {"base": about["base"]}).base == config.base
