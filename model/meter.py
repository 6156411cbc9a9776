"""What a step costs, what the machine can do at most, and what to change where its memory is not enough."""

import time
from functools import cache

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from model.config import TrainConfig
from model.encoded import Encoded
from model.layers import LayerModel
from model.task import LayerTask

_SECONDS = 0.2
_SIDE = {"cpu": 512, "cuda": 8192}  # of the matrices: large enough to be bound by arithmetic


class Meter:
    """Counts the floating-point operations of steps. Batches of one size are counted once."""

    def __init__(self, task: LayerTask) -> None:
        self._task = task
        self._twin: LayerTask | None = None
        self._counted: dict[tuple[object, ...], int] = {}

    def flops(self, encoded: Encoded) -> int:
        """Operations of one process for forward and backward of a batch; two for a multiplication and addition.

        Those that the step needs: what gradient checkpointing computes a second time is not counted, nor are the
        codec, the context maps and the optimiser. Nothing is computed: the count runs on the meta device, through a
        copy of the model that has shapes alone, so that compilation and sharding do not matter.
        """
        shapes = (*(tuple(t.shape) for t in encoded if isinstance(t, Tensor)), encoded.height, encoded.width)
        if shapes not in self._counted:
            self._twin = self._twin or _meta_twin(self._task)
            self._counted[shapes] = count_flops(self._twin, encoded)
        return self._counted[shapes]


def count_flops(task: LayerTask, encoded: Encoded) -> int:
    """Operations of forward and backward of a task that lies on the meta device."""
    meta = Encoded._make(t.to("meta") if isinstance(t, Tensor) else t for t in encoded)
    sigma = torch.empty(len(meta.clean), device="meta")
    with FlopCounterMode(display=False) as counter:
        task(meta, sigma, torch.empty_like(meta.clean)).mean().backward()
    return int(counter.get_total_flops())


@cache
def measured_peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of the fastest of several products of large square matrices, found in about 0.2 s."""
    side = _SIDE.get(device.type, 512)
    a, b = (torch.ones(side, side, device=device, dtype=dtype) for _ in range(2))
    best, start = float("inf"), time.perf_counter()
    while time.perf_counter() - start < _SECONDS:
        before = time.perf_counter()
        torch.matmul(a, b)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - before)
    return 2 * side**3 / best


def peak_memory_gib(device: torch.device) -> float | None:
    """The most memory that torch has held on a GPU so far; None for a CPU, where it does not count."""
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None


def ran_out(error: BaseException) -> bool:
    """Whether memory was not enough. On the CPU torch has no class of its own for that."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def oom_advice(config: TrainConfig) -> str:
    """Which keys of the configuration would lower the use of memory, the strongest first."""
    machine, ways = config.machine, []
    if not machine.checkpointing:
        ways.append("machine.checkpointing = true")
    if machine.precision == "fp32":
        ways.append('machine.precision = "bf16"')
    if config.batch_size > 1:
        size = config.batch_size // 2 if config.batch_size % 2 == 0 else 1
        parts = config.accumulate * config.batch_size // size
        ways.append(f"batch_size = {size} with accumulate = {parts}")
    if machine.parallel == "ddp":
        ways.append('machine.parallel = "fsdp" on several processes')
    sizes = ", ".join(f"{w}x{h}" for w, h in config.data.buckets)
    ways.append(f"smaller data.buckets (now {sizes})")
    if config.adapt.lora and config.adapt.lora.rank > 64:
        ways.append("adapt.lora.rank = 64")
    return "what would help: " + "; ".join(ways)


def memory_text(device: torch.device) -> str:
    """How full a device is, for the text of an error."""
    if device.type != "cuda":
        return "memory ran out"
    allocated = torch.cuda.memory_allocated(device) / 2**30
    total = torch.cuda.get_device_properties(device).total_memory / 2**30
    return f"memory ran out: {allocated:.1f} of {total:.1f} GiB were in use"


def _meta_twin(task: LayerTask) -> LayerTask:
    model = task.model
    with torch.device("meta"):
        transformer = FluxTransformer2DModel.from_config(model.transformer.config)
        twin = LayerModel(model.spec, transformer, model.token_dim)
    for name, tensor in model.text.named_buffers():
        setattr(twin.text, name, tensor.to("meta"))
    return LayerTask(task.config, twin, task.codec)
