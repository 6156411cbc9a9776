"""Pictures that a run does not learn from, and what its model makes of them. Legend: B batch, S branches, H W sides."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from model.batch import Batch
from model.codec import Codec
from model.config import TrainConfig
from model.data.loader import make_loader
from model.layers import LayerModel
from model.modalities import Modalities
from model.sampler import Layers
from model.sheet import sheet
from model.validate import scores, validate

Pictures = TypeVar("Pictures", Batch, Layers)

SPLIT = "val"
_ROWS, _SIDE = 8, 256  # of the sheet


class Checked(NamedTuple):
    """`losses` (levels, S), the mean over all pictures; named scores; `picture` (3, H, W) in [0, 1]."""

    losses: Tensor
    scores: dict[str, float]
    picture: Tensor


def held_out(config: TrainConfig) -> list[Batch]:
    """The first `validate_samples` pictures of split "val", or all there are, in batches of `batch_size` at most.

    The same ones for every seed, of the first bucket's size, without augmentation. Raises DataError where there is no
    such split.
    """
    plain = {"flip": 0.0, "noise": 0.0, "blur": 0.0, "jpeg": 0.0, "mask_noise": 0.0, "workers": 0, "memory_mib": 0}
    options = config.data.model_copy(update=plain | {"split": SPLIT, "buckets": config.data.buckets[:1]})
    found: dict[str, Batch] = {}
    for one in make_loader(options, seed=0, batch_size=1):
        if len(found) == config.validate_samples or one.keys[0] in found:
            break
        found[one.keys[0]] = one
    each = list(found.values())
    return [_joined(each[k : k + config.batch_size]) for k in range(0, len(each), config.batch_size)]


def check_layers(
    model: LayerModel, codec: Codec, modalities: Modalities, parts: Sequence[Batch], steps: int, device: torch.device
) -> Checked:
    """Score a layer model on batches; the same batches give the same numbers. Layers come from 1 and `steps` steps."""
    losses, made = [], []
    for number, part in enumerate(parts):
        found = validate(model, codec, modalities, on_device(part, device), steps, seed=number)
        losses.append(found.losses * len(part.keys))
        made.append((_on_cpu(found.one_step), _on_cpu(found.sampled)))
    batch = _joined(parts)
    one_step, sampled = (_joined_layers(list(layers)) for layers in zip(*made, strict=True))
    named = {"one_step": scores(one_step, batch), "sampled": scores(sampled, batch)}
    return Checked(
        torch.stack(losses).sum(0) / len(batch.keys),
        {f"{kind}/{name}": value for kind, found in named.items() for name, value in found.items()},
        small(sheet(_first(batch, _ROWS), _first(one_step, _ROWS), _first(sampled, _ROWS)), len(batch.keys)),
    )


def on_device(batch: Batch, device: torch.device) -> Batch:
    """The same batch with its pictures on a device."""
    return Batch._make(t.to(device) if isinstance(t, Tensor) else t for t in batch)


def small(picture_3HW: Tensor, rows: int) -> Tensor:
    """A sheet of `rows` pictures, at most 8 of them, shrunk until each is at most 256 pixels high."""
    height = picture_3HW.shape[1] // min(rows, _ROWS)
    if height <= _SIDE:
        return picture_3HW
    return functional.interpolate(picture_3HW[None], scale_factor=_SIDE / height, mode="area")[0]


def _joined(parts: Sequence[Batch]) -> Batch:
    """Nobody asks where the stream stands after it."""
    fields: list[Any] = [torch.cat(t) if isinstance(t[0], Tensor) else t[0] for t in zip(*parts, strict=True)]
    return Batch._make(fields)._replace(keys=tuple(key for part in parts for key in part.keys))


def _joined_layers(parts: Sequence[Layers]) -> Layers:
    return Layers._make(None if t[0] is None else torch.cat(t) for t in zip(*parts, strict=True))


def _first(parts: Pictures, rows: int) -> Pictures:
    return type(parts)._make(t[:rows] if isinstance(t, Tensor) else t for t in parts)


def _on_cpu(layers: Layers) -> Layers:
    return Layers._make(None if t is None else t.cpu() for t in layers)
