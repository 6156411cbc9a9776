"""Checkpoints: everything that a run needs to go on as if it had never stopped.

    step-000000400/          appears under this name whole or not at all
      state.safetensors      trained weights, their average, AdamW's moments, by name
      state.json             step, cursor into the data, fingerprint of the configuration

There is no random state to keep: every draw comes from a generator made from seed, step and the sample's place in
the batch. Tensors are whole, so a run may go on with another number of processes or another strategy.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model.batch import Cursor
from model.config import TrainConfig
from model.optim import Ema
from model.parallel import share_of, whole
from model.transformer import ModelError
from stages.lazy import one_line


class Progress(NamedTuple):
    """How far a run is: steps done, and where the data stands."""

    step: int = 0
    cursor: Cursor = Cursor()


def named_state(
    module: nn.Module, optimiser: torch.optim.Optimizer, ema: Ema | None, keep: bool = True
) -> dict[str, Tensor]:
    """All tensors that a run changes, whole and on the CPU, each under a name of its own.

    Where they are sharded, every process must call it, and those that do not `keep` them get none.
    """
    state = {}
    for name, tensor in _parts(module, optimiser, ema):
        full = whole(tensor.detach())
        if keep:
            state[name] = full.to("cpu")
    return state


def restore(module: nn.Module, optimiser: torch.optim.Optimizer, ema: Ema | None, state: Mapping[str, Tensor]) -> None:
    """The inverse of `named_state`, however the module is sharded now.

    Raises ModelError naming a tensor that is missing or of another shape.
    """
    with torch.no_grad():
        for name, parameter in _trained(module):
            parameter.copy_(share_of(_tensor(state, f"weight/{name}", parameter.shape), parameter))
            optimiser.state[parameter] = _moments(name, parameter, state)
    if ema:
        ema.load({n: share_of(_tensor(state, f"ema/{n}", t.shape), t) for n, t in ema.weights.items()})


def fingerprint(config: TrainConfig, world: int) -> dict[str, Any]:
    """What must be the same for a run to go on; the number of processes only in what it makes of a batch."""
    about = config.model_dump(mode="json", include={"name", "kind", "seed", "base", "adapt"})
    return {"batch": [world * config.batch_size, config.accumulate], **about}


def save(folder: Path, state: Mapping[str, Tensor], progress: Progress, about: Mapping[str, Any], keep: int) -> Path:
    """Write a checkpoint under its final name in one rename, then remove all but the last `keep`.

    Later ones than this are of a run that was begun anew, and are removed, too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = checkpoint_path(folder, progress.step)
    for left in folder.glob(".step-*"):
        shutil.rmtree(left)
    temporary = folder / f".{final.name}"
    temporary.mkdir()
    save_file({k: v.contiguous() for k, v in state.items()}, temporary / "state.safetensors")
    text = {"step": progress.step, "cursor": progress.cursor._asdict(), "num_tensors": len(state), **about}
    (temporary / "state.json").write_bytes(orjson.dumps(text, option=orjson.OPT_INDENT_2))
    for path in (*temporary.iterdir(), temporary):
        _sync(path)
    if final.exists():
        shutil.rmtree(final)
    temporary.replace(final)
    _sync(folder)
    earlier = [p for p in finished(folder) if p.name <= final.name]
    for old in set(finished(folder)) - set(earlier[-keep:]):
        shutil.rmtree(old)
    return final


def finished(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted(p for p in folder.glob(f"step-{'[0-9]' * 9}") if (p / "state.json").is_file())


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return folder / f"step-{step:09d}"


def step_of(path: Path) -> int:
    """The inverse of `checkpoint_path`."""
    return int(path.name.removeprefix("step-"))


def load(path: Path, about: Mapping[str, Any]) -> tuple[dict[str, Tensor], Progress]:
    """Read a checkpoint.

    Raises:
        ModelError: it cannot be read, is not whole, or belongs to another configuration.
    """
    try:
        text = orjson.loads((path / "state.json").read_bytes())
        state: dict[str, Tensor] = load_file(path / "state.safetensors")
        progress = Progress(text["step"], Cursor(**text["cursor"]))
    except Exception as error:  # safetensors raises its own kinds
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ModelError(f"{path}: cannot be read ({reason}); remove it to go on from the one before") from None
    _check_about(path, text, about)
    if len(state) != text.get("num_tensors"):
        raise ModelError(
            f"{path}: holds {len(state)} tensors, must be {text.get('num_tensors')}; remove it to go on from the one "
            "before"
        )
    return state, progress


def _check_about(path: Path, found: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    other = [k for k in about if found.get(k) != about[k]]
    if "batch" in other and found.get("batch"):
        (size, parts), (own, own_parts) = found["batch"], about["batch"]
        raise ModelError(
            f"{path}: one batch of all processes was {size} samples, {parts} batches a step; here {own} and "
            f"{own_parts}; change batch_size (of one process) so that the product is the same, or use another --out"
        )
    if other:
        key = other[0]
        raise ModelError(
            f"{path}: belongs to another run: {key} is {found.get(key)!r}, here {about[key]!r}; use another --out"
        )


def _trained(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((n, p) for n, p in module.named_parameters() if p.requires_grad)


def _parts(module: nn.Module, optimiser: torch.optim.Optimizer, ema: Ema | None) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in _trained(module):
        yield f"weight/{name}", parameter
        for kind, value in optimiser.state[parameter].items():
            yield f"adam/{kind}/{name}", value
    for name, average in ema.weights.items() if ema else ():
        yield f"ema/{name}", average


def _moments(name: str, parameter: Tensor, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """AdamW's state of one parameter; empty where it has not had a gradient yet."""
    kinds = [k.split("/")[1] for k in state if k.startswith("adam/") and k.endswith(f"/{name}")]
    return {
        kind: state[f"adam/{kind}/{name}"]  # the count stays on the CPU
        if kind == "step"
        else share_of(_tensor(state, f"adam/{kind}/{name}", parameter.shape), parameter)
        for kind in kinds
    }


def _tensor(state: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    if name not in state:
        raise ModelError(f"checkpoint: '{name}' is missing")
    if state[name].shape != shape:
        raise ModelError(f"checkpoint: '{name}' must be {tuple(shape)}, is {tuple(state[name].shape)}")
    return state[name]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
