"""What a step computes. Legend: B batch, S branches, L tokens, D dim."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from model.assemble import assemble, wiring
from model.batch import Batch, Cursor
from model.codec import Codec
from model.config import Loss, TrainConfig
from model.data.loader import make_loader
from model.encoded import Encoded, encode
from model.flow import add_noise, draw_sigma, flow_loss, flux_shift
from model.folder import save_model
from model.held_out import Checked, check_layers, on_device
from model.layers import LayerModel
from model.lazy_codec import LazyCodec, whole_codec
from model.modalities import Modalities, make_modalities
from model.packing import pack, unpack
from model.parallel import World
from model.precomputed import EncodedBatch, stored_batches
from model.spec import Spec
from model.vae_codec import VaeCodec
from stages.rng import hash64
from stages.settings import ManifestError

CODEC_LOSSES = ("object", "opaque", "latents")  # of `model.codec_task`


class Draw(NamedTuple):
    """What chance adds to a batch: noise levels (B,) and noise (B, S, L, D)."""

    sigma: Tensor
    noise: Tensor


def shift_of(spec: Spec, num_tokens: int) -> float:
    """The schedule's shift for pictures of `num_tokens` a branch."""
    return spec.shift or flux_shift(num_tokens)


def step_generator(seed: int, stream: str, step: int, rank: int) -> torch.Generator:
    """A CPU generator that depends on nothing but its arguments, so that a resumed run draws what it would have."""
    return torch.Generator().manual_seed(hash64(f"{seed}/{stream}/{step}/{rank}") >> 1)


def draw(config: TrainConfig, spec: Spec, encoded: Encoded, generator: torch.Generator) -> Draw:
    """Noise levels and noise for a batch. Sigma is rounded to bfloat16 first where the model will see it so."""
    batch, _, length, _ = encoded.clean.shape
    s = config.sigma
    shift = shift_of(spec, length) if s.shifted else 1.0
    sigma = draw_sigma(batch, s.mean, s.std, s.ones, generator, shift)
    if config.machine.precision == "bf16":
        sigma = sigma.bfloat16().float()
    noise = torch.randn(encoded.clean.shape, generator=generator)
    device = encoded.clean.device
    return Draw(sigma.to(device), noise.to(device))


class Task(nn.Module, ABC):
    """What one kind of run learns; the loop is the same for all. A module, so that DDP and FSDP can wrap it.

    `model` is the part that is sharded and runs under autocast. Calling a task with `inputs` gives losses (B, S).
    """

    config: TrainConfig
    model: nn.Module

    def batches(self, world: World, cursor: Cursor) -> Iterator[Batch | EncodedBatch]:
        """What one process learns from, for ever, from `cursor` on."""
        config = self.config
        place = {"rank": world.rank, "world": world.size}
        return make_loader(config.data, seed=config.seed, batch_size=config.batch_size, cursor=cursor, **place)

    @abstractmethod
    def inputs(self, batch: Any, first: int, device: torch.device) -> tuple[Any, ...]:
        """What the forward pass takes, on the device. What chance adds to a sample depends on its number in the run,
        `first` and following, so that it does not matter how many processes share a batch."""

    @abstractmethod
    def check(self, parts: Sequence[Batch], device: torch.device) -> Checked:
        """How good the model is on held-out pictures."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was learned, for use."""


def loss_names(config: TrainConfig) -> tuple[str, ...]:
    """What the losses of a run are of."""
    return {"layers": config.adapt.branches, "codec": CODEC_LOSSES, "amodal": ("alpha",)}[config.kind]


class LayerTask(Task):
    """Loss of the layer model on an encoded batch."""

    model: LayerModel

    def __init__(self, config: TrainConfig, model: LayerModel, codec: Codec) -> None:
        super().__init__()
        self.config, self.model, self.codec = config, model, codec

    @cached_property
    def modalities(self) -> Modalities:
        """What the fusion reads; its networks are loaded when they are first needed."""
        return make_modalities(self.model.spec.fusion)

    def batches(self, world: World, cursor: Cursor) -> Iterator[Batch | EncodedBatch]:
        """Pictures, or the pre-computed latents of the same."""
        if self.config.precomputed is None:
            return super().batches(world, cursor)
        place = {"rank": world.rank, "world": world.size}
        return stored_batches(self.config, self.model.spec, cursor=cursor, **place)

    def inputs(self, batch: Batch | EncodedBatch, first: int, device: torch.device) -> tuple[Encoded, Tensor, Tensor]:
        """The encoded batch, its noise levels and its noise."""
        if isinstance(batch, EncodedBatch):
            encoded = Encoded._make(t.to(device) if isinstance(t, Tensor) else t for t in batch.encoded)
        else:
            encoded = encode(self.model.spec, self.codec, self.modalities, on_device(batch, device))
        draws = []
        for place in range(len(encoded.clean)):
            generator = step_generator(self.config.seed, "noise", first + place, 0)
            one = encoded._replace(clean=encoded.clean[place : place + 1])
            draws.append(draw(self.config, self.model.spec, one, generator))
        sigma, noise = (torch.cat(parts) for parts in zip(*draws, strict=True))
        return encoded, sigma, noise

    def check(self, parts: Sequence[Batch], device: torch.device) -> Checked:
        """Losses at 8 noise levels, scores of the layers, a sheet of them."""
        checked = check_layers(self.model, self.codec, self.modalities, parts, self.config.sample_steps, device)
        if isinstance(self.codec, LazyCodec):
            self.codec.release()
            del self.modalities
        return checked

    def save(self, folder: Path) -> None:
        """One folder that `model.folder.load_model` reads."""
        save_model(folder, self.model, whole_codec(self.codec))

    def forward(self, encoded: Encoded, sigma: Tensor, noise: Tensor) -> Tensor:
        """(B, S) losses, one a branch."""
        clean = encoded.clean
        noisy = torch.stack([add_noise(c, n, sigma) for c, n in zip(clean.unbind(1), noise.unbind(1), strict=True)], 1)
        out = self.model(noisy, sigma, encoded)
        weight = self.weights(encoded)
        prediction = self.model.spec.prediction
        median = self.medians(encoded)
        parts = zip(out.unbind(1), clean.unbind(1), noise.unbind(1), weight, median, strict=True)
        return torch.stack([flow_loss(o, c, n, prediction, w, m) for o, c, n, w, m in parts], dim=1)

    def weights(self, encoded: Encoded) -> list[Tensor | None]:
        """A weight for each branch's tokens, or None for plain means."""
        loss, branches = self.config.loss, self.model.spec.branches
        out: list[Tensor | None] = []
        for s, branch in enumerate(branches):
            weight = 1 + loss.hole * encoded.hole[:, s] if loss.hole else None
            if branch == "foreground" and (loss.colour_by_alpha or loss.alpha != 1):
                own = self._object_weight(encoded, s)
                weight = own if weight is None else own * weight
            out.append(weight)
        return out

    def medians(self, encoded: Encoded) -> list[Tensor | None]:
        """Where each branch is to predict a median (the object's alpha), or None for nowhere."""
        if not self.config.loss.alpha_median:
            return [None] * len(self.model.spec.branches)
        height, width = (side * self.codec.factor for side in (encoded.height, encoded.width))
        planes = torch.zeros(1, 4, height, width, device=encoded.clean.device)
        planes[:, 3] = 1
        alpha = pack(self.codec.encode(planes)) > 0
        return [alpha if branch == "foreground" else None for branch in self.model.spec.branches]

    def _object_weight(self, encoded: Encoded, s: int) -> Tensor:
        """Per pixel and channel: colours count where the object is, its alpha everywhere."""
        loss = self.config.loss
        latents = unpack(encoded.clean[:, s], encoded.height, encoded.width)
        alpha = (self.codec.decode(latents, alpha=True)[:, 3:] + 1) / 2
        colour = (1 - loss.colour_by_alpha) + loss.colour_by_alpha * alpha.clamp_min(0.02)
        planes = torch.cat([colour.expand(-1, 3, -1, -1), torch.full_like(alpha, loss.alpha)], dim=1)
        return pack(self.codec.encode(planes))


def make_layer_task(config: TrainConfig, device: torch.device) -> LayerTask:
    """The base, adapted, and its codec on the device.

    Raises as `assemble` does, and ManifestError for losses that need a codec whose latents are pixels.
    """
    own = Loss(hole=config.loss.hole, latents=config.loss.latents)
    if config.loss != own and wiring(config).codec != "pixel":
        changed = sorted(k for k, v in config.loss.model_dump().items() if v != getattr(own, k))
        raise ManifestError(f"{config.name}: loss.{changed[0]}: only for the pixel codec, whose latents are pixels")
    model, codec = assemble(config)
    if isinstance(codec, VaeCodec | LazyCodec):
        codec.to(device)
    return LayerTask(config, model, codec)
