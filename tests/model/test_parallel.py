"""Two processes do what one does; bf16, checkpointing and sharding change memory, not the task."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from model.assemble import assemble, modalities_of
from model.checkpoint import checkpoint_path
from model.encoded import Encoded, encode
from model.parallel import (
    World,
    agreed,
    collect,
    inner,
    join_world,
    leave_world,
    mean_over,
    share_of,
    whole,
    wrap,
)
from model.task import LayerTask
from model.train import prepare, train
from stages.settings import ManifestError
from tests.model.runs import (
    LORA,
    free_port,
    in_processes,
    last_state,
    metrics,
    model_weights,
    tiny_config,
    train_interrupted,
    write_data,
)
from tests.model.tiny import normal, sample

ALONE = World(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one process and of two."""
    folder = tmp_path_factory.mktemp("runs")
    for name, changes in ONE.items():
        train(tiny_config(data, **changes), folder / name)
    in_processes(2, _two, data, str(folder), free_port())
    return folder


ADAPTED: dict[str, Any] = {"adapt": LORA | {"train": (r"x_embedder\..*", r"proj_out\..*")}}
FSDP: dict[str, Any] = {"machine": {"parallel": "fsdp"}, **ADAPTED}
BF16: dict[str, Any] = {"precision": "bf16", "checkpointing": True}
DDP: dict[str, Any] = {"batch_size": 1, "accumulate": 2}
ONE = {"one": {"batch_size": 4}, "one-adapted": {"batch_size": 4, **ADAPTED}}
TWO = {"fsdp": FSDP, "fsdp-bf16": FSDP | {"machine": BF16 | {"parallel": "fsdp"}, "steps": 2}}
CUT = {"ddp-cut": DDP, "fsdp-cut": FSDP}


def _two(data: str, folder: str, port: int) -> None:
    """In each of two processes: one run that makes its own group, the others in a group as Ray Train makes it."""
    train(tiny_config(data, **DDP), Path(folder) / "ddp")
    assert not dist.is_initialized()
    os.environ["MASTER_PORT"] = str(port)
    dist.init_process_group("gloo")
    for name, changes in TWO.items():
        train(tiny_config(data, **changes), Path(folder) / name)
    for name, changes in CUT.items():
        train_interrupted(tiny_config(data, **changes), Path(folder) / name, 4)
        train(tiny_config(data, **changes), Path(folder) / name)
    _report_shares(data, Path(folder))


def _report_shares(data: str, folder: Path) -> None:
    world = join_world("cpu")
    run = prepare(tiny_config(data, **TWO["fsdp-bf16"]), folder, world)
    shares = {n: [p.to_local().numel(), p.numel(), str(p.dtype)] for n, p in run.task.named_parameters()}
    (folder / f"shares-{world.rank}.json").write_text(json.dumps(shares))
    dist.destroy_process_group()


def furthest(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """The largest difference of two sets of tensors of the same names."""
    assert a.keys() == b.keys()
    return max(float((a[k].double() - b[k].double()).abs().max()) for k in a if a[k].numel())


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize(("name", "other"), [("ddp", "one"), ("fsdp", "one-adapted")])
def test_two_processes_train_as_one_with_the_same_batch(runs: Path, name: str, other: str) -> None:
    losses, expected = metrics(runs / name), metrics(runs / other)
    assert list(losses) == list(expected) == [1, 2, 3, 4, 5, 6]
    assert torch.allclose(torch.tensor([*losses.values()]), torch.tensor([*expected.values()]), rtol=0, atol=1e-6)
    assert furthest(model_weights(runs / name), model_weights(runs / other)) < 1e-5
    assert furthest(last_state(runs / name), last_state(runs / other)) < 1e-5


@pytest.mark.parametrize(("cut", "straight"), [("ddp-cut", "ddp"), ("fsdp-cut", "fsdp")])
def test_two_interrupted_processes_end_as_two_that_were_not(runs: Path, cut: str, straight: str) -> None:
    assert metrics(runs / cut) == metrics(runs / straight)
    assert same(last_state(runs / cut), last_state(runs / straight))
    assert same(model_weights(runs / cut), model_weights(runs / straight))


def test_one_process_goes_on_where_two_sharded_ones_stopped(data: str, runs: Path, tmp_path: Path) -> None:
    third = checkpoint_path(Path("checkpoints"), 3)
    shutil.copytree(runs / "fsdp-cut" / third, tmp_path / third)
    train(tiny_config(data, **ONE["one-adapted"]), tmp_path)
    assert furthest(model_weights(tmp_path), model_weights(runs / "fsdp")) < 1e-5


def test_bf16_learns_what_fp32_learns(runs: Path) -> None:
    rounded, exact = (torch.tensor([*metrics(runs / n).values()])[:2] for n in ("fsdp-bf16", "one-adapted"))
    assert 0 < float((rounded - exact).abs().max()) < 0.01


def test_each_process_holds_half_of_every_tensor_frozen_or_not(runs: Path) -> None:
    first, second = (json.loads((runs / f"shares-{rank}.json").read_text()) for rank in (0, 1))
    assert any("transformer_blocks.0.attn.to_q.base_layer.weight" in name for name in first)
    for name, (share, size, dtype) in first.items():
        trained = ".lora_" in name or ".x_embedder." in name or ".proj_out." in name or ".fusion." in name
        trained &= "_blocks." not in name or ".lora_" in name
        assert share + second[name][0] == size
        assert share <= -(-size // 2) or size < 20  # few rows cannot be halved
        assert dtype == ("torch.float32" if trained else "torch.bfloat16"), name


def task_of(**changes: Any) -> tuple[LayerTask, Encoded, tuple[Tensor, Tensor]]:
    """A task, wrapped for one process, and arguments for it."""
    config = tiny_config("nowhere", **changes)
    loaded = assemble(config)
    encoded = encode(loaded.model.spec, loaded.codec, modalities_of(loaded.model.spec), sample(16, 16))
    task = LayerTask(config, loaded.model, loaded.codec)
    assert wrap(task, config.machine, ALONE) is task
    return task, encoded, (torch.tensor([0.25, 0.5]), normal(1, *encoded.clean.shape))


def gradients(task: LayerTask, encoded: Encoded, drawn: tuple[Tensor, Tensor]) -> tuple[dict[str, Tensor], int]:
    """Gradients by name, and how many bytes the step kept for its way back."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = task(encoded, *drawn).mean()
    loss.backward()
    return {n: p.grad for n, p in task.named_parameters() if p.grad is not None}, sum(kept.values())


def test_checkpointing_keeps_less_and_changes_no_gradient() -> None:
    plain, much = gradients(*task_of())
    checkpointed, little = gradients(*task_of(machine={"checkpointing": True}))
    assert same(plain, checkpointed)
    assert little < 0.7 * much


def test_bf16_rounds_what_is_frozen_and_keeps_what_trains() -> None:
    task, encoded, drawn = task_of(machine={"precision": "bf16"}, **ADAPTED)
    for name, parameter in task.named_parameters():
        assert parameter.dtype == (torch.float32 if parameter.requires_grad else torch.bfloat16), name
    seen = []
    task.model.transformer.transformer_blocks[0].attn.to_q.register_forward_hook(lambda *a: seen.append(a[2].dtype))
    out = task.model(drawn[1], drawn[0], encoded)  # as validation calls it
    assert (out.dtype, seen) == (torch.float32, [torch.bfloat16])
    found, _ = gradients(task, encoded, drawn)
    assert {g.dtype for g in found.values()} == {torch.float32}
    exact, _ = gradients(*task_of(**ADAPTED))
    assert found.keys() == exact.keys()
    whole_found, whole_exact = (torch.cat([g[k].flatten() for k in exact]) for g in (found, exact))
    assert nn.functional.cosine_similarity(whole_found, whole_exact, dim=0) > 0.99


def test_compilation_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    text = (
        r"^machine.compile: needs a C\+\+ compiler, and no-such-compiler is not here; install it, set CXX, or set "
        r"machine.compile = false$"
    )
    with pytest.raises(ManifestError, match=text):
        task_of(machine={"compile": True})


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")  # torch's own
def test_compilation_is_of_blocks() -> None:
    task, _, _ = task_of(machine={"compile": True})
    compiled = {n for n, m in task.model.transformer.named_modules() if m._compiled_call_impl is not None}
    assert compiled == {"transformer_blocks.0", "single_transformer_blocks.0"}


def test_a_plain_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    world = join_world("cpu")
    assert world == ALONE
    assert world.first
    assert not dist.is_initialized()
    leave_world(world)
    assert agreed(world, 7) == 7
    assert mean_over(world, torch.tensor([2.0])).tolist() == [2.0]


def test_a_device_that_is_not_here_is_named() -> None:
    with pytest.raises(ValueError, match=r"^device: 'cuda:9' cannot be used here: "):
        join_world("cuda:9")


def test_whole_tensors_stay_as_they_are() -> None:
    tensor = normal(0, 3, 2)
    assert whole(tensor) is tensor
    assert share_of(tensor, torch.zeros(1)) is tensor
    module = nn.Linear(2, 3)
    weight = module.weight
    collect(module, ALONE)
    assert module.weight is weight
    assert inner(module) is module
