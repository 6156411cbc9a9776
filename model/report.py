"""What a run says: a line on the console, `metrics.jsonl`, TensorBoard scalars and pictures, a sheet of examples."""

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from model.config import TrainConfig
from model.data.download import DataError
from model.held_out import Checked, held_out
from model.journal import MISSING, Journal
from model.meter import measured_peak, peak_memory_gib
from model.parallel import World, inner
from model.pictures import write_png
from model.task import Task, loss_names

if TYPE_CHECKING:
    from model.train import Run


class Step(NamedTuple):
    """One step of the optimiser: losses of the branches, norm of the gradient, rate, seconds, samples,
    floating-point operations (`model.meter`), both of all processes."""

    step: int
    losses: Tensor
    norm: Tensor
    rate: float
    seconds: float
    wait: float
    samples: int
    flops: int = 0


class Reporter:
    """Writes what the first process sees; the others stay silent."""

    def __init__(self, out: Path, world: World, config: TrainConfig) -> None:
        self._out, self._world, self._config = out, world, config
        self._console = Console(quiet=not world.first)
        self._recent: list[Step] = []
        self._journal: Journal | None = None

    def __enter__(self) -> "Reporter":
        self._out.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        if self._journal:
            self._journal.close()

    def step(self, step: Step) -> None:
        """Count a step; every `log_every` of them make a line."""
        self._recent.append(step)
        if step.step % self._config.log_every == 0 or step.step == self._config.steps:
            if self._world.first:
                self._line(self._recent)
            self._recent = []

    def validate(self, run: "Run", step: int) -> None:
        """Score the averaged weights on held-out pictures, the same ones each time, and show some of them.

        The first process does it alone, unless the model is sharded: then all have to compute.
        """
        if not (self._world.first or self._config.machine.parallel == "fsdp"):
            return
        try:
            parts = held_out(self._config)
        except DataError as error:
            self._say(f"step {step}: no validation: {error}")
            return
        started, checked = time.perf_counter(), _check(run, parts)
        if self._world.first:
            self._validated(step, checked, time.perf_counter() - started)

    def _line(self, recent: Sequence[Step]) -> None:
        names, journal = loss_names(self._config), self._open(recent[0].step, validation=False)
        row = means(recent) | self._machine(recent)
        journal.write(row)
        plain = {name: value for name, value in row.items() if isinstance(value, float) and name != "time"}
        journal.scalars(plain | {f"loss/{n}": v for n, v in zip(names, row["losses"], strict=True)}, row["step"])
        self._say(progress_line(row, names, self._config.steps))

    def _machine(self, recent: Sequence[Step]) -> dict[str, float]:
        """FLOP/s of all processes, their share of what the machine can do, and the memory of a GPU."""
        world, memory = self._world, peak_memory_gib(self._world.device)
        row = {} if memory is None else {"memory_gib": memory}
        if flops := sum(s.flops for s in recent) / sum(s.seconds for s in recent):
            dtype = torch.bfloat16 if self._config.machine.precision == "bf16" else torch.float32
            row |= {"tflops": flops / 1e12, "peak": flops / world.size / measured_peak(world.device, dtype)}
        return row

    def _validated(self, step: int, checked: Checked, seconds: float) -> None:
        journal, levels = self._open(step, validation=True), checked.losses.tolist()
        journal.write({"step": step, "validation": checked.scores, "levels": levels, "seconds": seconds})
        loss = float(checked.losses.mean())
        journal.scalars({f"validation/{n}": v for n, v in (checked.scores | {"loss": loss}).items()}, step)
        journal.picture("validation/sheet", checked.picture, step)
        pixels = np.rint(checked.picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        write_png(self._out / f"sheet-{step:06d}.png", np.ascontiguousarray(pixels))
        known = {name: value for name, value in checked.scores.items() if value == value}
        told = "".join(f"  {name} {value:.4g}" for name, value in known.items())
        self._say(f"step {step}: validation: loss {loss:.4f}{told}")

    def _open(self, step: int, validation: bool) -> Journal:
        if self._journal is None:
            self._journal = Journal(self._out, step, validation)
            if not self._journal.complete:
                self._say(MISSING)
        return self._journal

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def means(steps: Sequence[Step]) -> dict[str, Any]:
    """What some steps have in common, as a row of `metrics.jsonl`: losses are means, `wait` is a share of the time."""
    seconds, wait, count = sum(s.seconds for s in steps), sum(s.wait for s in steps), len(steps)
    losses = torch.stack([s.losses for s in steps]).double().mean(0).tolist()
    return {
        "step": steps[-1].step,
        "loss": sum(losses) / len(losses),
        "losses": losses,
        "norm": float(steps[-1].norm),
        "rate": steps[-1].rate,
        "samples_per_second": sum(s.samples for s in steps) / seconds,
        "seconds_per_step": seconds / count,
        "wait": wait / seconds,
        "wait_ms": 1000 * wait / count,
        "time": time.time(),
    }


def progress_line(row: dict[str, Any], names: Sequence[str], steps: int) -> str:
    """A row of `metrics.jsonl` as a line for people, with the time that the remaining steps will take."""
    each = ", ".join(f"{name} {loss:.4f}" for name, loss in zip(names, row["losses"], strict=True))
    left = timedelta(seconds=round((steps - row["step"]) * row["seconds_per_step"]))
    parts = [
        f"step {row['step']}/{steps}",
        f"loss {row['loss']:.4f} ({each})",
        f"norm {row['norm']:.2f}",
        f"{row['samples_per_second']:.1f} samples/s",
        f"data wait {row['wait_ms']:.1f} ms ({row['wait']:.1%})",
    ]
    if "tflops" in row:
        parts.append(f"{row['tflops']:.3g} TFLOP/s ({row['peak']:.0%} of peak)")
    if "memory_gib" in row:
        parts.append(f"{row['memory_gib']:.1f} GiB")
    return "  ".join([*parts, f"{left} left"])


def _check(run: "Run", parts: Sequence[Any]) -> Checked:
    """With the averaged weights in place of the last ones."""
    task = inner(run.task)
    assert isinstance(task, Task)
    if run.ema:
        run.ema.swap(task.named_parameters())
    try:
        return task.check(parts, run.world.device)
    finally:
        if run.ema:
            run.ema.swap(task.named_parameters())
