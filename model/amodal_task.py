"""Runs of kind "amodal": the network of `model.amodal` learns. Legend: B batch, H W sides of pictures."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from model.amodal import AmodalNet, load_amodal, save_amodal
from model.batch import Batch
from model.config import TrainConfig, resolve
from model.held_out import Checked, on_device, small
from model.scores import alpha_error, hidden_alpha, hidden_recall, means
from model.task import Task
from stages.settings import ManifestError

_ROWS = 8  # of the sheet


class AmodalTask(Task):
    """Mean absolute error of the object's alpha: its best answer is the median, which is sharp, where that of the mean
    squared error is a haze."""

    model: AmodalNet

    def __init__(self, config: TrainConfig, model: AmodalNet) -> None:
        super().__init__()
        self.config, self.model = config, model

    def inputs(self, batch: Batch, first: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures, masks, and the alpha (B, 1, H, W) in [0, 1] of whole objects."""
        batch = on_device(batch, device)
        return batch.composite, batch.mask, (batch.foreground[:, 3:] + 1) / 2

    def forward(self, picture: Tensor, mask: Tensor, alpha: Tensor) -> Tensor:
        """(B, 1) losses."""
        return alpha_error(self.model.alpha(picture, mask), alpha)[:, None]

    def check(self, parts: Sequence[Batch], device: torch.device) -> Checked:
        """The loss, the share of hidden alpha that was found, and a sheet: picture, mask, guess, truth."""
        with torch.no_grad():
            made = [self.model.alpha(b.composite, b.mask).cpu() for b in (on_device(p, device) for p in parts)]
        true = torch.cat([(p.foreground[:, 3:] + 1) / 2 for p in parts])
        guess, mask = torch.cat(made), torch.cat([p.mask for p in parts])
        scores = {
            "alpha_mae": alpha_error(guess, true),
            "mask_mae": alpha_error(mask, true),
            "hidden_recall": hidden_recall(guess, torch.cat([hidden_alpha(p) for p in parts])),
        }
        pictures = (torch.cat([p.composite for p in parts]) + 1) / 2
        columns = [pictures, *(a.expand(-1, 3, -1, -1) for a in (mask, guess, true))]
        sheet = torch.cat(list(torch.cat([c[:_ROWS] for c in columns], dim=3)), dim=1)
        return Checked(scores["alpha_mae"].mean().reshape(1, 1), means(scores), small(sheet, len(true)))

    def save(self, folder: Path) -> None:
        """What `load_amodal` reads."""
        save_amodal(folder, self.model)


def make_amodal_task(config: TrainConfig) -> AmodalTask:
    """A new network of `amodal.width`, or the one in `base.model`, to go on from.

    Raises ManifestError for keys that do not go together, ModelError for a network that cannot be loaded.
    """
    if config.precomputed is not None:
        raise ManifestError(f'{config.name}: precomputed: kind = "amodal" learns from pictures')
    if config.base.model is not None:
        return AmodalTask(config, load_amodal(resolve(config.base.model)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return AmodalTask(config, AmodalNet(config.amodal.width))
