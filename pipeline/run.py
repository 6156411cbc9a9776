"""Run many tasks: serially, or on Ray. The only place of the data engine that imports it.

A task is a plain function of one small picklable argument that returns something small; pixels go through files.
Measured on 11 ms samples: one Ray task a shard costs 1.00 to 1.01 of a plain process pool, one a sample 1.66.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_PACKAGES = ("stages", "pipeline")
_CRASHES = 3  # times that a task may take its worker down before it is given up
_IN_FLIGHT = 2  # tasks per core: one runs, one waits with its argument already there


class ClusterError(ValueError):
    """No Ray cluster where one was asked for."""


@dataclass(frozen=True)
class Failure:
    """Why a task gave no result."""

    error: str


def run_tasks(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int, address: str | None = None
) -> Iterator[tuple[int, Result | Failure]]:
    """Call `function` on every task and yield (place in `tasks`, result) as they end, in any order.

    An exception in a task, or a worker that dies under it three times (killed, out of memory), yields a
    `Failure`; the other tasks go on.

    Args:
        function: importable by name; with Ray it runs in other processes.
        tasks: arguments, picklable.
        workers: 0 runs everything here, one after the other; else the number of Ray workers on this machine.
        address: of a running Ray cluster (`RAY_ADDRESS` counts too); it then decides on the workers.

    Raises:
        ClusterError: nothing answers at `address`.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    if workers == 0 or not tasks:
        return _serial(function, tasks)
    return _on_ray(function, tasks, workers, address)


def _serial(function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Result | Failure]]:
    for place, task in enumerate(tasks):
        yield place, _guarded(function, task)


def _guarded(function: Callable[[Task], Result], task: Task) -> Result | Failure:
    try:
        return function(task)
    except Exception as error:
        return Failure(_describe(error))


def _describe(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {text}"


def _one_thread(function: Callable[[Task], Result], task: Task) -> Result | Failure:
    import cv2

    cv2.setNumThreads(1)  # one task a core: OpenCV's own threads would only fight the other workers
    return _guarded(function, task)


def _on_ray(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int, address: str | None
) -> Iterator[tuple[int, Result | Failure]]:
    ray = _start(workers, address)
    try:
        remote = ray.remote(num_cpus=1, max_retries=0)(_one_thread)
        waiting = list(range(len(tasks)))[::-1]
        crashes = [0] * len(tasks)
        running: dict[Any, int] = {}
        room = _IN_FLIGHT * max(1, int(ray.cluster_resources().get("CPU", workers)))
        while waiting or running:
            while waiting and len(running) < room:
                place = waiting.pop()
                running[remote.remote(function, tasks[place])] = place
            (done, *_), _rest = ray.wait(list(running), num_returns=1)
            place = running.pop(done)
            result = _collect(ray, done)
            if result is None:
                crashes[place] += 1
                if crashes[place] < _CRASHES:
                    waiting.append(place)
                    continue
                result = Failure(f"its worker died {_CRASHES} times (killed, or out of memory)")
            yield place, result
    finally:
        ray.shutdown()


def _collect(ray: Any, reference: Any) -> Any:
    """The task's result; None where its worker died."""
    crashed = (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.NodeDiedError)
    try:
        return ray.get(reference)
    except crashed:
        return None
    except ray.exceptions.RayError as error:
        return Failure(_describe(error))


def _start(workers: int, address: str | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    root = Path(__file__).resolve().parent.parent
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address:
        code = {"py_modules": [str(root / name) for name in _PACKAGES]}
        try:
            ray.init(address=address, runtime_env=code, **quiet)
        except Exception as error:  # Ray has many words for it
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ClusterError(
                f"no Ray cluster at address '{address}' (--address or RAY_ADDRESS): {reason}; "
                "a cluster with token authentication needs RAY_AUTH_MODE=token here too"
            ) from None
    else:
        ray.init(address="local", num_cpus=workers, include_dashboard=False, **quiet)
    return ray
