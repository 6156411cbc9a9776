"""One process of a training run: who it is, and how the model is spread over all of them."""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.distributed as dist
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from model.config import Machine
from stages.lazy import require_device
from stages.settings import ManifestError


class World(NamedTuple):
    """Rank, number of processes, the device of this one, and whether the process group was made here."""

    rank: int
    size: int
    device: torch.device
    own: bool = False

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0


def join_world(device: str) -> World:
    """Join the processes that `torchrun` or Ray Train started, by their environment; a plain process is alone.

    `device` "cuda" is the GPU of this process's local rank. There, float32 products run on tensor cores (TF32).

    Raises ValueError for a device that is not here.
    """
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if device == "cuda" else device
    require_device(name)
    if name.startswith("cuda"):
        torch.cuda.set_device(name)
        torch.set_float32_matmul_precision("high")
    own = size > 1 and not dist.is_initialized()
    if own:
        dist.init_process_group("nccl" if name.startswith("cuda") else "gloo")
    return World(rank, size, torch.device(name), own)


def leave_world(world: World) -> None:
    """End the process group that `join_world` made; Ray Train ends its own."""
    if world.own:
        dist.destroy_process_group()


def wrap(task: nn.Module, machine: Machine, world: World) -> nn.Module:
    """The task as it trains on this process's device: checkpointed and compiled block by block, and spread.

    What trains is float32. With bf16, what is frozen becomes bfloat16 and the model runs under autocast. With
    "fsdp" every tensor of `task.model`, frozen or not, is sharded (FSDP2), block by block, so that no device ever
    holds more than one block beside its own share.
    """
    _set_dtypes(task, machine)
    sharded = machine.parallel == "fsdp" and world.size > 1
    if not sharded:
        task.to(world.device)
    for transformer in _transformers(task):
        if machine.checkpointing:
            transformer.enable_gradient_checkpointing()
        if machine.compile:
            _compile(transformer)
    if machine.precision == "bf16":
        _autocast(_core(task), world.device)
    if sharded:
        return _shard(task, machine, world)
    if world.size == 1:
        return task
    return DistributedDataParallel(task, gradient_as_bucket_view=True)


def inner(task: nn.Module) -> nn.Module:
    """The task without what DDP puts around it; its parameters have the same names under every strategy."""
    return task.module if isinstance(task, DistributedDataParallel) else task


@contextmanager
def accumulating(task: nn.Module, last: bool) -> Iterator[None]:
    """Inside, DDP leaves gradients on their own processes until the `last` batch of a step.

    FSDP averages every batch's: to keep whole gradients would cost the memory that it is there to save.
    """
    if isinstance(task, DistributedDataParallel) and not last:
        with task.no_sync():
            yield
    else:
        yield


def mean_over(world: World, value: Tensor) -> Tensor:
    """The mean of a tensor over all processes."""
    if world.size > 1:
        dist.all_reduce(value)
        value /= world.size
    return value


def agreed(world: World, number: int) -> int:
    """The first process's number, on all of them."""
    value = torch.tensor(number, device=world.device)
    if world.size > 1:
        dist.broadcast(value, 0)
    return int(value)


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that may be sharded; then every process must call it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def share_of(full: Tensor, like: Tensor) -> Tensor:
    """The inverse of `whole`: `full` as `like` lies: on its device, and this process's part where that is sharded."""
    if not isinstance(like, DTensor):
        return full.to(like.device)
    on = full.to(like.device)
    return distribute_tensor(on, like.device_mesh, like.placements, src_data_rank=None)


def collect(task: nn.Module, world: World) -> None:
    """Put whole tensors on the CPU into a sharded task, on the first process: it can be saved, not trained any more."""
    sharded = [m for m in task.modules() if isinstance(m, FSDPModule)]
    for part in sharded:
        part.reshard()
    for module in task.modules() if sharded else ():
        for name, parameter in list(module.named_parameters(recurse=False)):
            full = whole(parameter.detach())
            if world.first:
                setattr(module, name, nn.Parameter(full.cpu(), parameter.requires_grad))


def _core(task: nn.Module) -> nn.Module:
    """What is called on its own, too, for validation: the model inside the task."""
    model = task.model
    assert isinstance(model, nn.Module)
    return model


def _transformers(task: nn.Module) -> list[FluxTransformer2DModel]:
    return [m for m in task.modules() if isinstance(m, FluxTransformer2DModel)]


def _blocks(transformer: FluxTransformer2DModel) -> list[nn.Module]:
    return [*transformer.transformer_blocks, *transformer.single_transformer_blocks]


def _set_dtypes(task: nn.Module, machine: Machine) -> None:
    for parameter in task.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
        elif machine.precision == "bf16":
            parameter.data = parameter.data.bfloat16()


def _autocast(module: nn.Module, device: torch.device) -> None:
    """On the instance, so that validation, which calls the model without its task, runs as training does."""
    module.forward = torch.autocast(device.type, torch.bfloat16)(module.forward)


def _compile(transformer: FluxTransformer2DModel) -> None:
    """Block by block: the blocks are alike, so that two compilations serve all of them."""
    _require_compiler()
    for block in _blocks(transformer):
        block.compile()


def _require_compiler() -> None:
    """The compiler's own complaint comes at the first step, in a hundred lines."""
    asked = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ([asked] if asked else ["g++", "clang++"])):
        raise ManifestError(
            f"machine.compile: needs a C++ compiler, and {asked or 'g++'} is not here; install it, set CXX, "
            "or set machine.compile = false"
        )


def _shard(task: nn.Module, machine: Machine, world: World) -> nn.Module:
    dtype = torch.bfloat16 if machine.precision == "bf16" else None
    # Inputs are cast by autocast: FSDP would round the noise and the answers, too.
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
    # FLUX's blocks return slices; what reads them (concatenation, a norm, the next block) never writes to them.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    mesh = init_device_mesh(world.device.type, (world.size,))
    for transformer in _transformers(task):
        for block in _blocks(transformer):
            fully_shard(block, mesh=mesh, mp_policy=policy)
    # Otherwise what lies outside the blocks stays whole after a forward pass without a backward: validation.
    fully_shard(_core(task), mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    return task
