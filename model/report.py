"""What a run says: a line on the console, `metrics.jsonl`, TensorBoard scalars."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from rich.console import Console
from torch import Tensor

from model.config import TrainConfig
from model.parallel import World


class Step(NamedTuple):
    """One step of the optimiser: losses of the branches, norm of the gradient, rate, seconds, samples."""

    step: int
    losses: Tensor
    norm: Tensor
    rate: float
    seconds: float
    wait: float
    samples: int


class Reporter:
    """Writes what the first process sees; the others stay silent."""

    def __init__(self, out: Path, world: World, config: TrainConfig) -> None:
        self._out, self._world, self._config = out, world, config
        self._console = Console(quiet=not world.first)
        self._recent: list[Step] = []

    def __enter__(self) -> "Reporter":
        self._out.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def step(self, step: Step) -> None:
        """Count a step; every `log_every` of them make a line."""
        self._recent.append(step)
        if step.step % self._config.log_every == 0 or step.step == self._config.steps:
            self._line()

    def _line(self) -> None:
        recent, self._recent = self._recent, []
        seconds = sum(s.seconds for s in recent)
        losses = [sum(column) / len(recent) for column in zip(*(s.losses.tolist() for s in recent), strict=True)]
        row: dict[str, Any] = {
            "step": recent[-1].step,
            "loss": sum(losses) / len(losses),
            "losses": losses,
            "norm": float(recent[-1].norm),
            "rate": recent[-1].rate,
            "samples_per_second": sum(s.samples for s in recent) / seconds,
            "wait": sum(s.wait for s in recent) / seconds,
            "time": time.time(),
        }
        if self._world.first:
            with (self._out / "metrics.jsonl").open("ab") as file:
                file.write(orjson.dumps(row) + b"\n")
        self._console.print(
            f"step {row['step']}/{self._config.steps}  loss {row['loss']:.4f}  norm {row['norm']:.2f}  "
            f"{row['samples_per_second']:.1f} samples/s  data wait {row['wait']:.1%}",
            highlight=False,
        )

    def validate(self, run: Any, step: int) -> None:
        """Validation comes with model.validate."""
