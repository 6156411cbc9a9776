"""What a step costs and what helps where memory is not enough."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from model import task as tasks
from model.assemble import assemble, modalities_of
from model.encoded import Encoded, encode
from model.meter import Meter, measured_peak, memory_text, oom_advice, peak_memory_gib, ran_out
from model.parallel import World, wrap
from model.task import LayerTask
from model.train import TrainingError, train
from tests.model.runs import LORA, tiny_config, write_data
from tests.model.tiny import normal, sample

CPU = torch.device("cpu")


def task_and_batch(side: int = 16, **changes: Any) -> tuple[LayerTask, Encoded]:
    config = tiny_config("nowhere", **changes)
    loaded = assemble(config)
    encoded = encode(loaded.model.spec, loaded.codec, modalities_of(loaded.model.spec), sample(side, side))
    return LayerTask(config, loaded.model, loaded.codec), encoded


@pytest.mark.parametrize("adapt", [LORA, LORA | {"train": (".*",)}])
def test_the_count_is_that_of_a_real_step(adapt: dict[str, Any]) -> None:
    task, encoded = task_and_batch(adapt=adapt)
    counted = Meter(task).flops(encoded)
    assert all(p.device == CPU and p.grad is None for p in task.parameters())
    # The CPU's own attention is not in torch's table.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        task(encoded, torch.tensor([0.25, 0.5]), normal(1, *encoded.clean.shape)).mean().backward()
    assert counted == counter.get_total_flops() > 0


def test_what_is_frozen_costs_less() -> None:
    (frozen, encoded), (trained, _) = task_and_batch(adapt=LORA), task_and_batch()
    assert Meter(frozen).flops(encoded) < Meter(trained).flops(encoded)


def test_recomputation_compilation_and_precision_do_not_count() -> None:
    task, encoded = task_and_batch()
    expected = Meter(task).flops(encoded)
    machine = {"checkpointing": True, "precision": "bf16"}
    other, _ = task_and_batch(machine=machine)
    wrap(other, other.config.machine, World(0, 1, CPU))
    assert Meter(other).flops(encoded) == expected


def test_sizes_are_counted_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    task, small = task_and_batch()
    _, large = task_and_batch(32)
    meter = Meter(task)
    first = [meter.flops(small), meter.flops(large)]
    assert first[1] > 4 * first[0]  # four times the tokens, and attention is quadratic
    monkeypatch.setattr("model.meter.count_flops", None)  # any further count would raise
    assert [meter.flops(small), meter.flops(large)] == first


def test_the_peak_is_of_this_machine_and_measured_once() -> None:
    peak = measured_peak(CPU, torch.float32)
    assert 1e8 < peak < 1e14
    assert measured_peak(CPU, torch.float32) == peak
    assert peak_memory_gib(CPU) is None


def test_errors_of_memory_are_known() -> None:
    with pytest.raises(RuntimeError) as asked:
        torch.empty(1 << 50)
    assert ran_out(asked.value)
    assert ran_out(torch.OutOfMemoryError("CUDA out of memory"))
    assert ran_out(MemoryError())
    assert not ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


ADVICE = [
    (
        {"batch_size": 6},
        'what would help: machine.checkpointing = true; machine.precision = "bf16"; batch_size = 3 with accumulate '
        '= 2; machine.parallel = "fsdp" on several processes; smaller data.buckets (now 16x16)',
    ),
    (
        {
            "batch_size": 3,
            "machine": {"checkpointing": True, "precision": "bf16", "parallel": "fsdp"},
            "adapt": {"lora": {"rank": 256}},
        },
        "what would help: batch_size = 1 with accumulate = 3; smaller data.buckets (now 16x16); adapt.lora.rank = 64",
    ),
]


@pytest.mark.parametrize(("changes", "text"), ADVICE)
def test_advice_names_what_is_not_used_yet(changes: dict[str, Any], text: str) -> None:
    assert oom_advice(tiny_config("nowhere", **changes)) == text


class Greedy(nn.Module):
    """Asks for more memory than there is."""

    def forward(self, *_: Any) -> torch.Tensor:
        return torch.empty(1 << 50)


def test_a_run_whose_memory_runs_out_says_when_and_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_data(tmp_path / "data")
    train(tiny_config(data, steps=1, checkpoint_every=1, batch_size=1), tmp_path / "out")
    monkeypatch.setattr(tasks, "add_noise", Greedy())
    text = r"^step 2: memory ran out; what would help: machine.checkpointing = true; machine.precision = \"bf16\"; mach"
    with pytest.raises(TrainingError, match=text):
        train(tiny_config(data, batch_size=1), tmp_path / "out")
    assert memory_text(CPU) == "memory ran out"
