"""The training loop: one process of one run, from a TOML file to a model folder."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from model.amodal_task import make_amodal_task
from model.checkpoint import (
    Progress,
    checkpoint_path,
    fingerprint,
    finished,
    load,
    named_state,
    restore,
    save,
    step_of,
)
from model.codec_task import make_codec_task
from model.config import TrainConfig
from model.meter import Meter, memory_text, oom_advice, ran_out
from model.optim import Ema, learning_rate, make_optimiser
from model.parallel import (
    World,
    accumulating,
    agreed,
    collect,
    inner,
    join_world,
    leave_world,
    mean_over,
    whole,
    wrap,
)
from model.record import DataRecord, describe_run, read_data, write_record
from model.report import Reporter, Step
from model.task import LayerTask, Task, make_layer_task


class TrainingError(ValueError):
    """A run that cannot go on; the text says at which step and why."""


class Run(NamedTuple):
    """All that a run holds."""

    config: TrainConfig
    world: World
    task: nn.Module  # a Task, or what spreads one over processes
    optimiser: torch.optim.Optimizer
    ema: Ema | None
    meter: Meter | None
    out: Path


def train(config: TrainConfig, out: Path, device: str = "cpu", resume: bool = True) -> Path:
    """Run `config` in `out`, from its last checkpoint if it has one; returns the folder of the finished model.

    Raises:
        ManifestError: keys of the configuration that do not go together.
        DataError: a data set or pre-computed latents that cannot be read.
        ModelError: a base or a checkpoint that cannot be used.
        TrainingError: no such device, a loss that is not finite, or memory that ran out.
    """
    try:
        world, progress = join_world(device), Progress()
    except ValueError as error:  # no such device
        raise TrainingError(str(error)) from None
    try:
        run = prepare(config, out, world)
        start = progress = _resume(run) if resume else progress
        data = read_data(config) if world.first else ()
        with Reporter(out, world, config) as reporter:
            for step, progress in _steps(run, start, reporter):
                if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
                    _checkpoint(run, progress)
                if config.validate_every and (step + 1) % config.validate_every == 0 and step + 1 < config.steps:
                    reporter.validate(run, step + 1)
            made = _finish(run, reporter, progress.step, data)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        text = f"step {progress.step + 1}: {memory_text(world.device)}; {oom_advice(config)}"
        raise TrainingError(text) from error
    leave_world(world)
    return made


def prepare(config: TrainConfig, out: Path, world: World) -> Run:
    """Everything that a run needs before its first step."""
    torch.manual_seed(config.seed)
    task = make_task(config, world.device)
    wrapped = wrap(task, config.machine, world)  # first: sharding makes parameters anew
    ema = Ema(config.optimiser.ema, task.named_parameters()) if config.optimiser.ema else None
    meter = Meter(task) if isinstance(task, LayerTask) else None
    return Run(config, world, wrapped, make_optimiser(config.optimiser, task), ema, meter, out)


def make_task(config: TrainConfig, device: torch.device) -> Task:
    """What a run of the configuration's kind learns."""
    if config.kind == "layers":
        return make_layer_task(config, device)
    return make_codec_task(config) if config.kind == "codec" else make_amodal_task(config)


def _steps(run: Run, progress: Progress, reporter: Reporter) -> Iterator[tuple[int, Progress]]:
    config, world = run.config, run.world
    batches = task_of(run).batches(world, progress.cursor)
    for step in range(progress.step, config.steps):
        started, wait, flops, losses = time.perf_counter(), 0.0, 0, []
        keys: list[str] = []
        rate = learning_rate(config.optimiser, step, config.steps)
        for part in range(config.accumulate):
            before = time.perf_counter()
            batch = next(batches)
            wait += time.perf_counter() - before
            keys += batch.keys
            count = step * config.accumulate + part
            inputs = task_of(run).inputs(batch, (count * world.size + world.rank) * config.batch_size, world.device)
            flops += run.meter.flops(inputs[0]) * world.size if run.meter else 0
            losses.append(_backward(run, inputs, last=part + 1 == config.accumulate))
        loss = mean_over(world, torch.stack(losses).mean(0))
        _check(loss, step, keys)
        norm = _update(run, step, rate)
        progress = Progress(step + 1, batch.cursor)
        seconds, samples = time.perf_counter() - started, len(keys) * world.size
        reporter.step(Step(step + 1, loss, norm, rate, seconds, wait, samples, flops))
        yield step, progress


def task_of(run: Run) -> Task:
    """What the run learns, without what spreads it over processes."""
    task = inner(run.task)
    assert isinstance(task, Task)
    return task


def _backward(run: Run, inputs: tuple[Any, ...], last: bool) -> Tensor:
    """Gradients of one batch, the `last` of a step or not; returns the losses of the branches, (S,)."""
    with accumulating(run.task, last):
        losses: Tensor = run.task(*inputs)
        torch.autograd.backward(losses.mean() / run.config.accumulate)
    return losses.detach().mean(0)


def _update(run: Run, step: int, rate: float) -> Tensor:
    """One step of the optimiser; returns the norm of the gradient before it was clipped."""
    trained = [p for p in run.task.parameters() if p.requires_grad]
    norm = whole(nn.utils.clip_grad_norm_(trained, run.config.optimiser.clip))
    for group in run.optimiser.param_groups:
        group["lr"] = rate
    run.optimiser.step()
    run.optimiser.zero_grad(set_to_none=True)
    if run.ema:
        run.ema.update(step, inner(run.task).named_parameters())
    return norm


def _check(loss: Tensor, step: int, keys: list[str]) -> None:
    if not torch.isfinite(loss).all():
        raise TrainingError(f"step {step + 1}: the loss is {loss.tolist()}; samples of this step: {', '.join(keys)}")


def _checkpoint(run: Run, progress: Progress) -> None:
    state = named_state(inner(run.task), run.optimiser, run.ema, keep=run.world.first)
    if run.world.first:
        about = fingerprint(run.config, run.world.size)
        save(run.out / "checkpoints", state, progress, about, run.config.keep_last)


def _resume(run: Run) -> Progress:
    """From the last checkpoint that the first process sees."""
    found = finished(run.out / "checkpoints")
    chosen = agreed(run.world, step_of(found[-1]) if found else 0)
    if not chosen:
        return Progress()
    path = checkpoint_path(run.out / "checkpoints", chosen)
    state, progress = load(path, fingerprint(run.config, run.world.size))
    restore(inner(run.task), run.optimiser, run.ema, state)
    return progress


def _finish(run: Run, reporter: Reporter, steps: int, data: tuple[DataRecord, ...]) -> Path:
    """Validate and save the averaged weights, and what the run was."""
    reporter.validate(run, run.config.steps)
    if run.ema:
        run.ema.swap(inner(run.task).named_parameters())
    collect(inner(run.task), run.world)
    if run.world.first:
        task_of(run).save(run.out / "model")
        write_record(run.out / "model", describe_run(run.config, steps, run.world.size, data))
    return run.out / "model"
