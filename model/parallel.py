"""One process of a training run: who it is, and how the model is spread over all of them."""

import os
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from model.config import Machine
from stages.lazy import require_device


class World(NamedTuple):
    """Rank, number of processes, and the device of this one."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0


def join_world(device: str) -> World:
    """Join the processes that `torchrun` or Ray Train started, by their environment; a plain process is alone.

    Raises ValueError for a device that is not here.
    """
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if device == "cuda" else device
    require_device(name)
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(name)
    return World(rank, size, torch.device(name))


def wrap(task: nn.Module, machine: Machine, world: World) -> nn.Module:
    """The task as it trains: compiled block by block, checkpointed, and spread over the processes."""
    if world.size > 1:
        return DistributedDataParallel(task)
    return task


def mean_over(world: World, value: Tensor) -> Tensor:
    """The mean of a tensor over all processes."""
    if world.size > 1:
        dist.all_reduce(value)
        value /= world.size
    return value
