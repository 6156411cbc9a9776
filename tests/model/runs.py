"""A tiny data set and a tiny configuration: what the tests of training runs share."""

import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import torch.multiprocessing
from safetensors.torch import load_file
from torch import Tensor

from model.checkpoint import finished
from model.config import TrainConfig
from model.folder import load_model
from model.report import Reporter, Step
from model.train import train
from tests.damage import png, write_tar

torch.set_num_threads(1)

SHAPE = {"num_layers": 1, "num_single_layers": 1, "num_heads": 2, "head_dim": 8, "text_dim": 8, "pooled_dim": 8}
SPEC = {"codec": "pixel", "pixel_factor": 2, "hole": "smooth", "prediction": "x0", "shift": 3.0}
LORA = {"lora": {"rank": 2, "alpha": 2.0}, "fusion": {"width": 8, "num_latents": 2, "num_heads": 1, "out_dim": 4}}


def write_data(folder: Path, samples: int = 20, side: int = 16) -> str:
    """A data set of one shard with random pictures, as far as the loader reads it; four are for validation."""
    (folder / "data").mkdir(parents=True)
    (folder / "meta").mkdir()
    keys = [f"{k:06d}" for k in range(samples)]
    shard = folder / "data" / "train-00000-of-00001.tar"
    write_tar(shard, [(f"{key}.{name}.png", data) for key in keys for name, data in _pictures(int(key), side)])
    with tarfile.open(shard) as tar:
        offsets = [m.offset for m in tar if m.name.endswith(".composite.png")]
    table = {
        "key": keys,
        "split": ["train"] * (samples - 4) + ["val"] * 4,
        "shard": [shard.name] * samples,
        "offset": offsets,
    }
    pq.write_table(pa.table(table | {"size": [side] * samples}), folder / "meta" / "index.parquet")
    index = {"shards": [{"name": f"data/{shard.name}", "num_bytes": shard.stat().st_size}]}
    (folder / "index.json").write_bytes(orjson.dumps(index))
    return str(folder)


def _pictures(seed: int, side: int) -> list[tuple[str, bytes]]:
    rng = np.random.default_rng(seed)
    picture = {c: rng.integers(0, 256, (side, side, c), np.uint8) for c in (3, 4)}
    picture[4][: side // 2] = 0
    mask = np.where(picture[4][..., 3] >= 128, 255, 0).astype(np.uint8)
    parts = {
        "composite": picture[3],
        "background": picture[3][::-1].copy(),
        "foreground": picture[4],
        "occluder": np.zeros_like(picture[4]),
        "mask": mask,
    }
    return [(name, png(pixels)) for name, pixels in parts.items()]


def tiny_config(data: str, **changes: Any) -> TrainConfig:
    """Six steps of a new model with LoRA and fusion, every parameter of the base trained, too; no loader process."""
    plain: dict[str, Any] = {
        "name": "tiny",
        "seed": 3,
        "steps": 6,
        "batch_size": 2,
        "base": {"shape": SHAPE | {"axes": (2, 2, 4), "guidance_embeds": False}, "spec": SPEC},
        "adapt": {"train": (".*",), **LORA},
        "data": {"location": (data,), "buckets": ((16, 16),), "workers": 0, "mask_noise": 0.5},
        "optimiser": {"lr": 1e-2, "warmup": 2, "ema": 0.9, "decay": 0.5},
        "log_every": 1,
        "checkpoint_every": 3,
        "sample_steps": 2,
        "validate_samples": 2,
    }
    return TrainConfig.model_validate(plain | changes)


def metrics(out: Path) -> dict[int, list[float]]:
    """The losses of each step as the run wrote them last."""
    rows = [orjson.loads(line) for line in (out / "metrics.jsonl").read_bytes().splitlines()]
    return {row["step"]: row["losses"] for row in rows if "losses" in row and "rate" in row}


class InterruptedRunError(Exception):
    """What ends a run in the middle, in these tests."""


def train_interrupted(config: TrainConfig, out: Path, step: int) -> None:
    """A run that ends with an exception after `step` steps."""
    told = Reporter.step

    def tell(self: Reporter, done: Step) -> None:
        told(self, done)
        if done.step == step:
            raise InterruptedRunError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reporter, "step", tell)
        with pytest.raises(InterruptedRunError):
            train(config, out)


def in_processes(size: int, function: Callable[..., None], *args: Any) -> None:
    """Call a function in processes that know each other as `torchrun` makes them; the first error is raised here."""
    torch.multiprocessing.spawn(_as_rank, (size, free_port(), function, args), nprocs=size)


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_rank(rank: int, size: int, port: int, function: Callable[..., None], args: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    here = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in here.items()})
    function(*args)


def last_state(out: Path) -> dict[str, Tensor]:
    """What the last checkpoint of a run holds: weights, averages, moments."""
    return load_file(finished(out / "checkpoints")[-1] / "state.safetensors")


def model_weights(out: Path) -> dict[str, Tensor]:
    """The finished model, whole."""
    return dict(load_model(str(out / "model")).model.state_dict())
