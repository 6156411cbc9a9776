"""Run many tasks: serially, or on Ray. The only place of the data engine that imports it.

A task is a plain function of one small picklable argument that returns something small; pixels go through files.
Measured on 11 ms samples: one Ray task a shard costs 1.00 to 1.01 of a plain process pool, one a sample 1.66.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Setup = TypeVar("Setup")

_PACKAGES = ("stages", "pipeline")
_CRASHES = 3  # times that a task may take its worker down before it is given up
_IN_FLIGHT = 2  # tasks per core: one runs, one waits with its argument already there
_MODEL_GB = 3.0  # matting with IS-Net takes up to 2.6 GB a process
_sessions: list[None] = []  # open ones, outer ones first


class ClusterError(ValueError):
    """No Ray cluster where one was asked for."""


@dataclass(frozen=True)
class Needs:
    """What one worker takes of a machine; `gpus` may be a fraction, `memory_gb` is 10^9 bytes."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory_gb: float = 0.0


@dataclass(frozen=True)
class Machine:
    """What a whole build runs on: `workers` and `address` as in `run_tasks`; models on `device`.

    On `cuda`, a worker that holds a model takes `gpu_share` of a GPU.
    """

    workers: int = 0
    address: str | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    gpu_share: float = 1.0

    @property
    def needs(self) -> Needs:
        """What a worker with a model takes."""
        return Needs(gpus=self.gpu_share if self.device == "cuda" else 0.0, memory_gb=_MODEL_GB)


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
    if workers == 0 or not tasks:
        return _serial(function, tasks)
    return _on_ray(lambda ray: _Plain(ray, function, workers), tasks, workers, address)


def run_actors(
    make: Callable[[Setup], Callable[[Task], Result]],
    setup: Setup,
    tasks: Sequence[Task],
    workers: int,
    address: str | None = None,
    needs: Needs = Needs(),
) -> Iterator[tuple[int, Result | Failure]]:
    """As `run_tasks`, for functions that hold something heavy: every worker calls `make(setup)` once.

    With `workers` = 0 it is made here, at the first task. As many workers run as `needs` allows on the machine,
    and no more than there are tasks.

    Raises:
        ClusterError: nothing answers at `address`, or not even one worker fits.
    """
    if workers == 0 or not tasks:
        return _serial(_Worker(make, setup).call, tasks)
    return _on_ray(lambda ray: _Actors(ray, make, setup, needs), tasks, workers, address)


@contextmanager
def session() -> Iterator[None]:
    """Ray, once started inside, goes on for all that runs inside, and stops at the end."""
    _sessions.append(None)
    try:
        yield
    finally:
        _sessions.pop()
        ray = sys.modules.get("ray")
        if ray is not None and not _sessions and ray.is_initialized():
            ray.shutdown()


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
    hire: "Callable[[Any], _Plain | _Actors]", tasks: Sequence[Task], workers: int, address: str | None
) -> Iterator[tuple[int, Any]]:
    ray = _start(workers, address)
    pool: _Plain | _Actors | None = None
    try:
        pool = hire(ray)
        waiting = list(range(len(tasks)))[::-1]
        crashes = [0] * len(tasks)
        running: dict[Any, int] = {}
        while waiting or running:
            while waiting and len(running) < pool.room:
                place = waiting.pop()
                running[pool.start(tasks[place])] = place
            (done, *_), _rest = ray.wait(list(running), num_returns=1)
            place = running.pop(done)
            result = _collect(ray, done)
            pool.end(done, died=result is None)
            if result is None:
                crashes[place] += 1
                if crashes[place] < _CRASHES:
                    waiting.append(place)
                    continue
                result = Failure(f"its worker died {_CRASHES} times (killed, or out of memory)")
            yield place, result
    finally:
        if pool:
            pool.close()
        if not _sessions:
            ray.shutdown()


class _Plain:
    """Workers that keep nothing: any of them takes any task."""

    def __init__(self, ray: Any, function: Callable[[Any], Any], workers: int) -> None:
        self._function = function
        self._remote = ray.remote(num_cpus=1, max_retries=0)(_one_thread)
        self.room = _IN_FLIGHT * max(1, int(ray.cluster_resources().get("CPU", workers)))

    def start(self, task: Any) -> Any:
        return self._remote.remote(self._function, task)

    def end(self, reference: Any, died: bool) -> None:
        del reference, died

    def close(self) -> None:
        pass


class _Actors:
    """Workers that each make their function once and keep it; a dead one is replaced."""

    def __init__(self, ray: Any, make: Callable[[Any], Callable[[Any], Any]], setup: Any, needs: Needs) -> None:
        self._ray, self._made = ray, (make, setup)
        self.room = _fitting(ray.cluster_resources(), needs)
        options = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "memory": int(needs.memory_gb * 1e9)}
        self._type = ray.remote(max_restarts=0, max_task_retries=0, **options)(_Worker)
        self._idle: list[Any] = []
        self._busy: dict[Any, Any] = {}

    def start(self, task: Any) -> Any:
        actor = self._idle.pop() if self._idle else self._type.remote(*self._made)
        reference = actor.call.remote(task)
        self._busy[reference] = actor
        return reference

    def end(self, reference: Any, died: bool) -> None:
        actor = self._busy.pop(reference)
        if not died:
            self._idle.append(actor)

    def close(self) -> None:
        for actor in (*self._idle, *self._busy.values()):
            self._ray.kill(actor)  # it would go on holding its cores


class _Worker:
    """Runs in a process of its own."""

    def __init__(self, make: Callable[[Any], Callable[[Any], Any]], setup: Any) -> None:
        self._make, self._setup = make, setup
        self._function: Callable[[Any], Any] | None = None

    def call(self, task: Any) -> Any:
        if self._function is None:
            try:
                self._function = self._make(self._setup)
            except Exception as error:
                return Failure(_describe(error))
        return _one_thread(self._function, task)


def _fitting(resources: dict[str, float], needs: Needs) -> int:
    """How many workers fit; at least one."""
    asked = {"CPU": needs.cpus, "GPU": needs.gpus, "memory": needs.memory_gb * 1e9}
    for name, amount in asked.items():
        if amount > resources.get(name, 0.0):
            unit = f"{amount / 1e9:g} GB of memory" if name == "memory" else f"{amount:g} {name}"
            have = resources.get(name, 0.0) / (1e9 if name == "memory" else 1)
            hint = "; --workers 0 asks for none" if name == "memory" else ""
            raise ClusterError(f"a worker that holds a model needs {unit}, and there is {have:.3g}{hint}")
    return min(int(resources[name] / amount) for name, amount in asked.items() if amount)


def _collect(ray: Any, reference: Any) -> Any:
    """The task's result; None where its worker died."""
    e = ray.exceptions
    try:
        return ray.get(reference)
    except (e.WorkerCrashedError, e.OutOfMemoryError, e.NodeDiedError, e.RayActorError):
        return None
    except e.RayError as error:
        return Failure(_describe(error))


def _start(workers: int, address: str | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if _sessions and ray.is_initialized():
        return ray
    address = address or os.environ.get("RAY_ADDRESS") or None
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
