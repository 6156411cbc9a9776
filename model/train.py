"""The training loop: one process of one run, from a TOML file to a model folder."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.assemble import assemble, modalities_of
from model.batch import Batch
from model.checkpoint import Progress, finished, load, named_state, restore, save
from model.config import TrainConfig
from model.data.loader import make_loader
from model.encoded import Encoded, encode
from model.folder import Loaded, save_model
from model.optim import Ema, learning_rate, make_optimiser
from model.parallel import World, join_world, mean_over, wrap
from model.report import Reporter, Step
from model.task import LayerTask, draw, step_generator


class TrainingError(ValueError):
    """A run that cannot go on; the text says at which step and why."""


class Run(NamedTuple):
    """All that a run holds."""

    config: TrainConfig
    world: World
    loaded: Loaded
    task: nn.Module
    optimiser: torch.optim.Optimizer
    ema: Ema | None
    out: Path


def train(config: TrainConfig, out: Path, device: str = "cpu", resume: bool = True) -> Path:
    """Run `config` in `out`, from its last checkpoint if it has one; returns the folder of the finished model.

    Raises:
        ModelError: a base or a checkpoint that cannot be used.
        TrainingError: a loss that is not finite, or memory that ran out.
    """
    run = prepare(config, out, device)
    progress = _resume(run) if resume else Progress()
    with Reporter(out, run.world, config) as reporter:
        for step, progress in _steps(run, progress, reporter):
            if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
                _checkpoint(run, progress)
            if config.validate_every and (step + 1) % config.validate_every == 0:
                reporter.validate(run, step + 1)
        return _finish(run, reporter)


def prepare(config: TrainConfig, out: Path, device: str) -> Run:
    """Everything that a run needs before its first step."""
    world = join_world(device)
    torch.manual_seed(config.seed)
    loaded = assemble(config)
    task = LayerTask(config, loaded.model, loaded.codec).to(world.device)
    ema = Ema(config.optimiser.ema, task.named_parameters()) if config.optimiser.ema else None
    optimiser = make_optimiser(config.optimiser, task)
    return Run(config, world, loaded, wrap(task, config.machine, world), optimiser, ema, out)


def _steps(run: Run, progress: Progress, reporter: Reporter) -> Iterator[tuple[int, Progress]]:
    config, world = run.config, run.world
    stream = make_loader(
        config.data,
        seed=config.seed,
        batch_size=config.batch_size,
        rank=world.rank,
        world=world.size,
        cursor=progress.cursor,
    )
    batches = iter(stream)
    for step in range(progress.step, config.steps):
        started, wait, losses, keys = time.perf_counter(), 0.0, [], []
        rate = learning_rate(config.optimiser, step, config.steps)
        for part in range(config.accumulate):
            before = time.perf_counter()
            batch = next(batches)
            wait += time.perf_counter() - before
            keys += batch.keys
            losses.append(_backward(run, encoded_batch(run, batch), step * config.accumulate + part))
        loss = mean_over(world, torch.stack(losses).mean(0))
        _check(loss, step, keys)
        norm = _update(run, step, rate)
        progress = Progress(step + 1, batch.cursor)
        reporter.step(Step(step + 1, loss, norm, rate, time.perf_counter() - started, wait, len(keys) * world.size))
        yield step, progress


def encoded_batch(run: Run, batch: Batch) -> Encoded:
    """A batch on this process's device, as tokens."""
    on = Batch(*(t.to(run.world.device) if isinstance(t, Tensor) else t for t in batch))
    spec = run.loaded.model.spec
    return encode(spec, run.loaded.codec, modalities_of(spec), on)


def _backward(run: Run, encoded: Encoded, count: int) -> Tensor:
    """Gradients of one batch; returns the losses of the branches, (S,)."""
    generator = step_generator(run.config.seed, "noise", count, run.world.rank)
    sigma, noise = draw(run.config, run.loaded.model.spec, encoded, generator)
    losses: Tensor = run.task(encoded, sigma, noise)
    (losses.mean() / run.config.accumulate).backward()
    return losses.detach().mean(0)


def _update(run: Run, step: int, rate: float) -> Tensor:
    """One step of the optimiser; returns the norm of the gradient before it was clipped."""
    trained = [p for p in run.task.parameters() if p.requires_grad]
    norm = nn.utils.clip_grad_norm_(trained, run.config.optimiser.clip)
    for group in run.optimiser.param_groups:
        group["lr"] = rate
    run.optimiser.step()
    run.optimiser.zero_grad(set_to_none=True)
    if run.ema:
        run.ema.update(step, _inner(run).named_parameters())
    return norm


def _check(loss: Tensor, step: int, keys: list[str]) -> None:
    if not torch.isfinite(loss).all():
        raise TrainingError(f"step {step + 1}: the loss is {loss.tolist()}; samples of this step: {', '.join(keys)}")


def _inner(run: Run) -> nn.Module:
    module = run.task
    return module.module if isinstance(module, nn.parallel.DistributedDataParallel) else module


def _about(run: Run) -> dict[str, object]:
    shape = run.config.model_dump(mode="json", include={"name", "seed", "batch_size", "accumulate", "base", "adapt"})
    return {"world": run.world.size, **shape}


def _checkpoint(run: Run, progress: Progress) -> None:
    if run.world.first:
        state = named_state(_inner(run), run.optimiser, run.ema)
        save(run.out / "checkpoints", state, progress, _about(run), run.config.keep_last)


def _resume(run: Run) -> Progress:
    found = finished(run.out / "checkpoints")
    if not found:
        return Progress()
    state, progress = load(found[-1], _about(run))
    restore(_inner(run), run.optimiser, run.ema, state)
    return progress


def _finish(run: Run, reporter: Reporter) -> Path:
    """Validate and save the averaged weights."""
    if run.ema:
        run.ema.swap(_inner(run).named_parameters())
    reporter.validate(run, run.config.steps)
    if run.world.first:
        save_model(run.out / "model", run.loaded.model, run.loaded.codec)
    return run.out / "model"
