"""A training run on Ray Train: the same loop in every worker. The only place of the model that imports Ray.

Our own checkpoints in the run's folder, which all workers must see, are what a run resumes from; Ray keeps none. When
a worker dies, Ray starts all of them anew, and they go on from the last checkpoint with the identical loss curve.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal, NamedTuple

from rich.console import Console

from model.config import TrainConfig
from stages.lazy import one_line

LOG = "log.txt"  # in the run's folder: what the first worker says
_PACKAGES = ("stages", "model")
_ROOT = Path(__file__).resolve().parent.parent


class LaunchError(ValueError):
    """A run that Ray could not start or finish; the text says why, in the words of the first worker that failed."""


class Job(NamedTuple):
    """What a worker is told. `folder`: what relative paths are relative to, where the worker has it, too."""

    config: dict[str, Any]
    out: str
    device: str
    folder: str


def launch(
    config: TrainConfig,
    out: Path,
    device: Literal["cpu", "cuda"] = "cpu",
    *,
    num_workers: int,
    address: str | None = None,
    resume: bool = True,
    max_failures: int = 3,
    work: "Callable[[dict[str, Any]], None] | None" = None,
) -> Path:
    """Run `config` on `num_workers` Ray workers; returns the folder of the finished model.

    Args:
        out: of the run, on storage that all workers and this process share.
        device: "cuda" gives every worker a GPU.
        num_workers: processes; `batch_size` is of one of them.
        address: of a running Ray cluster (`RAY_ADDRESS` counts too); else one is started on this machine.
        resume: go on from the last checkpoint in `out`; else those there are removed.
        max_failures: how many times all workers are started anew when one of them fails.
        work: what a worker runs, `run_worker` if None.

    Raises:
        LaunchError: no cluster at `address`, or a run that failed more often than allowed.
    """
    ray = _start(num_workers, address)
    if not resume:
        shutil.rmtree(out / "checkpoints", ignore_errors=True)
    job = Job(config.model_dump(mode="json"), str(out.absolute()), device, str(Path.cwd()))
    try:
        with _followed(out / LOG):
            _trainer(job, config.name, num_workers, max_failures, work or run_worker).fit()
    except ray.train.TrainingFailedError as error:
        raise LaunchError(_reason(error)) from error
    finally:
        ray.shutdown()
    return out / "model"


def run_worker(job: dict[str, Any]) -> None:
    """One worker's part of a run. Ray has set its rank in the environment and made the process group."""
    from ray.train.torch import get_device

    from model.train import train  # in the workers only: the driver needs no torch

    if Path(job["folder"]).is_dir():
        os.chdir(job["folder"])
    device = "cpu" if job["device"] == "cpu" else str(get_device())
    out = Path(job["out"])
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOG).open("a", buffering=1) as log, redirect_stdout(log):  # the first worker's; the others are silent
        if os.environ["RANK"] == "0":
            log.write(f"{os.environ['WORLD_SIZE']} workers begin\n")
        train(TrainConfig.model_validate(job["config"]), out, device)


@contextmanager
def _followed(log: Path) -> Iterator[None]:
    """Show what is added to a file. Ray's own way to show what workers say comes with all that Ray has to say."""
    seen, done, console = log.stat().st_size if log.exists() else 0, Event(), Console()

    def follow() -> None:
        nonlocal seen
        last = False
        while not last:
            last = done.wait(0.5)
            if log.exists() and log.stat().st_size > seen:
                with log.open() as file:
                    file.seek(seen)
                    console.out(file.read(), end="", highlight=False)
                    seen = file.tell()

    thread = Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _trainer(job: Job, name: str, num_workers: int, max_failures: int, work: Callable[[dict[str, Any]], None]) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    return TorchTrainer(
        work,
        train_loop_config=job._asdict(),
        scaling_config=ScalingConfig(num_workers=num_workers, use_gpu=job.device == "cuda"),
        run_config=RunConfig(
            name=name,
            storage_path=str(Path(job.out) / "ray"),
            failure_config=FailureConfig(max_failures=max_failures),
        ),
    )


def _reason(error: Any) -> str:
    """The first worker's own error; collectives that broke because another worker had failed tell nothing."""
    failures = [getattr(f, "_base_exc", f) for _, f in sorted(getattr(error, "worker_failures", {}).items())]
    ours = [f for f in failures if isinstance(f, ValueError)]
    for failure in ours or failures:
        return one_line(failure) if ours else f"a worker failed: {type(failure).__name__}: {one_line(failure)}"
    return one_line(error)


def _start(num_workers: int, address: str | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    import ray
    import ray.train

    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    address = address or os.environ.get("RAY_ADDRESS") or None
    if not address:
        ray.init(address="local", num_cpus=num_workers, include_dashboard=False, **quiet)
        return ray
    code = {"py_modules": [str(_ROOT / name) for name in _PACKAGES]}
    try:
        ray.init(address=address, runtime_env=code, **quiet)
    except Exception as error:  # Ray has many words for it
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise LaunchError(
            f"no Ray cluster at address '{address}' (--address or RAY_ADDRESS): {reason}; "
            "a cluster with token authentication needs RAY_AUTH_MODE=token here too"
        ) from None
    return ray
